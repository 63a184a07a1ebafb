//! A way to an API server that can be cut, as when a laptop sleeps or the server restarts.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A port of this machine that leads to another one. It ends with the process.
pub(crate) struct Wire {
    /// The port.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    /// How many came while it was cut.
    refused: Mutex<usize>,
    came: Condvar,
}

impl Wire {
    /// A wire to this address.
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let (shared, target) = (Arc::clone(&state), target.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.is_cut.load(Ordering::SeqCst) {
                    *shared.refused.lock().expect("a lock") += 1;
                    shared.came.notify_all();
                } else {
                    shared.connect(stream, &target);
                }
            }
        });
        Self { address, state }
    }

    /// Ends all connections, and takes no new ones.
    pub(crate) fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().expect("a lock").drain(..) {
            // the other side may have ended it first
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Waits until somebody has come so often in vain.
    pub(crate) fn wait_for_refusals(&self, count: usize) {
        let refused = self.state.refused.lock().expect("a lock");
        drop(self.state.came.wait_while(refused, |refused| *refused < count).expect("a lock"));
    }

    /// Takes connections again.
    pub(crate) fn mend(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn connect(&self, near: TcpStream, target: &str) {
        let Ok(far) = TcpStream::connect(target) else { return };
        let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be cloned");
        self.open.lock().expect("a lock").extend([clone(&near), clone(&far)]);
        for (mut from, mut to) in [(clone(&near), clone(&far)), (far, near)] {
            thread::spawn(move || {
                let copied = io::copy(&mut from, &mut to);
                drop(to.shutdown(if copied.is_ok() { Shutdown::Write } else { Shutdown::Both }));
            });
        }
    }
}
