//! Process 1 of a pod's pid namespace: starts the containers, says how they end, and ends with podline.

use std::{
    io::{BufRead as _, BufReader, Stdin},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, set_parent_process_death_signal},
};

use super::{
    container::{self, Running},
    groups::Groups,
    hold, namespaces,
    pasta::Pasta,
    plan::{self, Network, News, Order, Plan, TerminalOrder},
    read_plan, root, tell,
    terminal::{self, OnTerminal},
    trouble::{Doing as _, Result},
    view,
};

pub(super) fn run(folder: &Path) -> ExitCode {
    match sandbox(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&News::Failed(trouble.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn sandbox(folder: &Path) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).doing("asking for a signal")?;
    let _held = hold(folder)?;
    let plan = read_plan(folder)?;
    let pid = own_pid()?;
    namespaces::enter(&plan)?;
    if let Network::Pasta { program } = &plan.network {
        let network = folder.join("network");
        let pasta = Pasta::start(program, &network)?;
        namespaces::enter_network()?;
        namespaces::show_network(&network)?;
        pasta.tie()?;
    }
    let groups = Groups::make(&plan)?;
    view::hide_cgroups(&plan)?;
    plan.laid.as_ref().map_or(Ok(()), |laid| root::lay(&plan, laid))?;
    tell(&News::Made { pid });
    Pod::new(&plan, groups).run()
}

/// The id of this process as podline has it: the `/proc` that was there before this process is podline's.
fn own_pid() -> Result<u32> {
    let doing = "looking for this process in `/proc`";
    let own = std::fs::read_link("/proc/self").doing(doing)?;
    own.to_string_lossy().parse().doing(doing)
}

/// How the containers of a pod come and go.
struct Pod<'p> {
    plan: &'p Plan,
    groups: Groups,
    /// Init containers that have not started yet.
    init: std::slice::Iter<'p, plan::Container>,
    has_started: bool,
    running: Vec<Running>,
    terminals: Vec<OnTerminal>,
    orders: BufReader<Stdin>,
    deadline: Option<Instant>,
    /// When what still runs is killed, and whether the sandbox ends then.
    kill: Option<(Instant, Then)>,
}

/// What comes after the kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Wait,
    End,
}

/// What there is to do.
enum Next {
    Order(Option<Order>),
    Ended(usize),
    Closed(usize),
    Time,
}

impl<'p> Pod<'p> {
    fn new(plan: &'p Plan, groups: Groups) -> Self {
        Self {
            plan,
            groups,
            init: plan.init_containers.iter(),
            has_started: false,
            running: Vec::new(),
            terminals: Vec::new(),
            orders: BufReader::new(std::io::stdin()),
            deadline: plan
                .active_deadline_seconds
                .map(|seconds| Instant::now() + Duration::from_secs(seconds)),
            kill: None,
        }
    }

    fn run(&mut self) -> Result<()> {
        self.advance();
        loop {
            match self.next()? {
                // podline is gone, and with this process the pod goes
                Next::Order(None) => return Ok(()),
                Next::Order(Some(Order::Stop { grace })) => {
                    self.terminate(Duration::from_millis(grace), Then::End);
                    if grace == 0 {
                        return Ok(());
                    }
                }
                Next::Order(Some(Order::Terminal(order))) => self.open(&order),
                Next::Ended(index) => self.ended(index),
                Next::Closed(index) => tell(&self.terminals.swap_remove(index).finish()),
                Next::Time => {
                    if self.time() == Some(Then::End) {
                        return Ok(());
                    }
                }
            }
            if self.running.is_empty() && self.kill.is_some_and(|(_, then)| then == Then::End) {
                return Ok(());
            }
        }
    }

    /// Starts the next init container, or all others once there is none left.
    fn advance(&mut self) {
        if let Some(init) = self.init.next() {
            self.start(init);
        } else if !self.has_started {
            self.has_started = true;
            for container in &self.plan.containers {
                self.start(container);
            }
        }
    }

    fn start(&mut self, container: &plan::Container) {
        match container::start(self.plan, container, &self.groups) {
            Ok(running) => {
                tell(&News::Started { container: running.name.clone() });
                self.running.push(running);
            }
            Err(trouble) => {
                tell(&News::Refused { container: container.name.clone(), cause: trouble.to_string() });
            }
        }
    }

    fn ended(&mut self, index: usize) {
        let news = self.running.swap_remove(index).finish(&self.groups);
        tell(&news);
        if !self.has_started && self.kill.is_none() && matches!(news, News::Ended { code: 0, .. }) {
            self.advance();
        }
    }

    /// Runs a command on a terminal.
    fn open(&mut self, order: &TerminalOrder) {
        match terminal::start(self.plan, &self.groups, order) {
            Ok(started) => self.terminals.push(started),
            Err(trouble) => {
                tell(&News::TerminalClosed { number: order.number, cause: Some(trouble.to_string()) });
            }
        }
    }

    fn terminate(&mut self, grace: Duration, then: Then) {
        for container in &self.running {
            container.signal(Signal::TERM);
        }
        self.kill = Some((Instant::now() + grace, then));
    }

    fn time(&mut self) -> Option<Then> {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            tell(&News::DeadlineExceeded);
            if self.kill.is_none() {
                self.terminate(Duration::from_secs(self.plan.termination_grace_period_seconds), Then::Wait);
            }
        }
        let (_, then) = self.kill.filter(|(at, _)| *at <= now)?;
        for container in &self.running {
            container.signal(Signal::KILL);
        }
        self.kill = None;
        Some(then)
    }

    /// Waits for whatever comes first.
    fn next(&mut self) -> Result<Next> {
        let times = [self.deadline, self.kill.map(|(at, _)| at)];
        let timeout = times.into_iter().flatten().min().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        // two orders may have come at once
        if !self.orders.buffer().is_empty() {
            return Ok(Next::Order(self.order()));
        }
        let mut polled = vec![PollFd::new(self.orders.get_ref(), PollFlags::IN)];
        polled.extend(self.running.iter().map(|it| PollFd::new(&it.ended, PollFlags::IN)));
        polled.extend(self.terminals.iter().map(|it| PollFd::new(&it.ended, PollFlags::IN)));
        match poll(&mut polled, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Next::Time),
            Ok(_) => {}
            Err(error) => return Err(error).doing("waiting"),
        }
        let first = polled.iter().position(|it| !it.revents().is_empty());
        drop(polled);
        match first {
            Some(0) => Ok(Next::Order(self.order())),
            Some(index) if index <= self.running.len() => Ok(Next::Ended(index - 1)),
            Some(index) => Ok(Next::Closed(index - 1 - self.running.len())),
            None => Ok(Next::Time),
        }
    }

    /// The next order; `None` when podline is gone, or what it said is none.
    fn order(&mut self) -> Option<Order> {
        let mut line = String::new();
        self.orders.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}
