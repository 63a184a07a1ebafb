//! The processes that podline starts itself again as, to run a pod: single-threaded, since libcontainer
//! clones in a way that no process with threads survives.
//!
//! ```text
//! podline ─► outer (user namespace, limits, what is left at the end)
//!              └─► inner (process 1 of the pod's pid namespace; mount, network, ipc and uts namespaces)
//!                    └─► containers
//! ```
//!
//! A pod ends with any of them: the inner process ends when its input does or when the outer one ends, and
//! the kernel kills all that is in its pid namespace.

mod bundle;
mod container;
mod groups;
mod inner;
mod mount_points;
mod namespaces;
mod outer;
mod pasta;
pub mod plan;
mod root;
mod terminal;
mod trouble;
mod uplink;
mod users;
mod view;

pub(super) use uplink::NET;

use std::{ffi::OsString, path::Path, process::ExitCode};

/// The argument that makes podline a sandbox. What follows is [`OUTER`] or [`INNER`], and the pod's folder.
pub const COMMAND: &str = "__sandbox";

/// The process that podline starts.
pub const OUTER: &str = "outer";

/// The process that the outer one starts.
const INNER: &str = "inner";

/// Is a sandbox, if the arguments of this process, without the first, say so.
#[must_use]
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != COMMAND {
        return None;
    }
    let (role, folder) = (arguments.next()?, arguments.next()?);
    let folder = Path::new(&folder);
    Some(if role == OUTER { outer::run(folder) } else { inner::run(folder) })
}

/// Keeps the run of a pod from being removed while there is something of the pod.
fn hold(folder: &Path) -> trouble::Result<std::fs::File> {
    use trouble::Doing as _;

    super::remains::hold(folder.parent().unwrap_or(folder)).doing("the run has ended")
}

fn read_plan(folder: &Path) -> trouble::Result<plan::Plan> {
    use trouble::Doing as _;

    let path = folder.join(plan::PLAN);
    let text = std::fs::read(&path).doing(format_args!("reading `{}`", path.display()))?;
    serde_json::from_slice(&text).doing(format_args!("reading `{}`", path.display()))
}

/// Tells podline something. Nobody listens any more when podline has ended, and then the sandbox ends, too.
fn tell(news: &plan::News) {
    use std::io::Write as _;

    if let Ok(mut line) = serde_json::to_vec(news) {
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}
