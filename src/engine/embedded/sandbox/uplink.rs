//! The way of a pod to the outside, where podline is root: a pair of interfaces, one in the pod's network and one in
//! the host's. Both go with the pod's network. Told to the kernel by netlink: `ip` would take longer than all else
//! that is done for a pod.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Message,
    address::{AddressAttribute, AddressMessage},
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::trouble::{Doing as _, Result, Trouble};

/// The addresses of pods: four for each, of which two are used.
pub(in crate::engine::embedded) const NET: &str = "10.214.0.0/16";
const FIRST: u32 = u32::from_be_bytes([10, 214, 0, 0]);
const PREFIX: u8 = 30;

/// How many pods there are addresses for.
const PODS: u16 = 1 << 14;

/// Index of the interface `lo` in every network namespace.
const LOOPBACK: u32 = 1;

/// The pod's interface.
const INTERFACE: &str = "eth0";

/// The addresses of a pod and of the host's end, by the pod's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Addresses {
    pod: Ipv4Addr,
    host: Ipv4Addr,
}

impl Addresses {
    fn of(number: u16) -> Self {
        let base = FIRST + u32::from(number) * 4;
        Self { host: Ipv4Addr::from(base + 1), pod: Ipv4Addr::from(base + 2) }
    }
}

/// A network as the kernel is told about it.
pub(super) struct Netlink(Socket);

impl Netlink {
    /// The network that this process is in. It stays that one if the process enters another.
    pub(super) fn open() -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok::<_, io::Error>(socket)
        };
        open().map(Self).doing("opening netlink")
    }

    /// Brings the loopback interface up.
    pub(super) fn loopback_up(&self) -> Result<()> {
        self.up(LOOPBACK)
    }

    /// Ties a network to this one, the host's: that of a process. `number` or the next that is free gives
    /// the addresses.
    pub(super) fn tie(&self, pod: &Self, pid: u32, number: u16) -> Result<()> {
        for tried in 0..PODS {
            let number = (number + tried) % PODS;
            let name = format!("podline{number}");
            match self.ask(Message::NewLink(pair(&name, pid)), NLM_F_CREATE | NLM_F_EXCL) {
                // another pod has this one
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).doing("making a pair of interfaces"),
                Ok(_) => {
                    let Addresses { pod: address, host } = Addresses::of(number);
                    let (here, there) = (self.index(&name)?, pod.index(INTERFACE)?);
                    self.address(here, host)?;
                    pod.address(there, address)?;
                    self.up(here)?;
                    pod.up(there)?;
                    return pod.route(host);
                }
            }
        }
        Err(Trouble::new("there are no more addresses for pods"))
    }

    fn up(&self, index: u32) -> Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.ask(Message::SetLink(link), 0).map(drop).doing("bringing an interface up")
    }

    fn index(&self, name: &str) -> Result<u32> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let doing = format_args!("looking for the interface `{name}`");
        match self.ask(Message::GetLink(link), 0).doing(doing)? {
            Some(Message::NewLink(link)) => Ok(link.header.index),
            _ => Err(Trouble::new(format!("there is no interface `{name}`"))),
        }
    }

    fn address(&self, index: u32, address: Ipv4Addr) -> Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = PREFIX;
        message.header.index = index;
        let address = IpAddr::V4(address);
        message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        let told = self.ask(Message::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL);
        told.map(drop).doing("giving an interface its address")
    }

    fn route(&self, gateway: Ipv4Addr) -> Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
        let told = self.ask(Message::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL);
        told.map(drop).doing("routing to the outside")
    }

    /// Asks the kernel for something, and gives what it answers but for "done".
    fn ask(&self, message: Message, flags: u16) -> io::Result<Option<Message>> {
        let is_question = matches!(message, Message::GetLink(_));
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags | if is_question { 0 } else { NLM_F_ACK };
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let (answer, _) = self.0.recv_from_full()?;
        let answer = NetlinkMessage::<Message>::deserialize(&answer).map_err(io::Error::other)?;
        match answer.payload {
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
            _ => Ok(None),
        }
    }
}

/// A pair of interfaces: one here, one in the network of a process.
fn pair(name: &str, pid: u32) -> LinkMessage {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![LinkAttribute::IfName(INTERFACE.to_owned()), LinkAttribute::NetNsPid(pid)];
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_has_four_addresses_of_its_own() {
        let seen = |number| {
            let Addresses { pod, host } = Addresses::of(number);
            format!("{pod} by {host}")
        };
        assert_eq!(seen(0), "10.214.0.2 by 10.214.0.1");
        assert_eq!(seen(1), "10.214.0.6 by 10.214.0.5");
        assert_eq!(seen(64), "10.214.1.2 by 10.214.1.1");
        assert_eq!(seen(PODS - 1), "10.214.255.254 by 10.214.255.253");
    }
}
