//! What podline and a pod's sandbox tell each other: a plan before it starts, orders to it and news from it,
//! each as a line of JSON.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Name of the file in a pod's folder that has its [`Plan`].
pub const PLAN: &str = "plan.json";

/// A pod as a sandbox runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The folder that everything of this pod lies in.
    pub folder: PathBuf,
    /// The folder that has the layers of images.
    pub layers: PathBuf,
    /// The host name in the pod.
    pub hostname: String,
    /// Text files that every container sees, by their names in [`files`].
    pub files: BTreeMap<String, String>,
    /// Containers that run one after the other, before the others.
    pub init_containers: Vec<Container>,
    /// Containers that run side by side.
    pub containers: Vec<Container>,
    /// A volume that does not begin empty.
    pub laid: Option<Laid>,
    /// The pod's network.
    pub network: Network,
    /// Whose rights the sandbox has.
    pub rights: Rights,
    /// The pod's cgroup below the root of every hierarchy, where limits can be had.
    pub cgroup: Option<String>,
    /// Seconds after which the pod is ended.
    pub active_deadline_seconds: Option<u64>,
    /// Seconds between SIGTERM and SIGKILL when it is.
    pub termination_grace_period_seconds: u64,
}

impl Plan {
    /// See [`inside`].
    #[must_use]
    pub fn inside(&self) -> PathBuf {
        inside(&self.folder)
    }
}

/// A folder of a sandbox's own, in memory, that goes with it: what is in it need not be removed. It is seen in the
/// sandbox only, so all pods of a run have it at the same place. No pod has such a name.
#[must_use]
pub fn inside(pod: &Path) -> PathBuf {
    pod.with_file_name(".sandbox")
}

/// Where a sandbox keeps the files that every container of its pod sees.
#[must_use]
pub fn files(pod: &Path) -> PathBuf {
    inside(pod).join("files")
}

/// Where a sandbox keeps the memory that processes of its pod share.
#[must_use]
pub fn shared_memory(pod: &Path) -> PathBuf {
    inside(pod).join("shm")
}

/// Where a sandbox keeps the termination message of a container.
#[must_use]
pub fn message(pod: &Path, container: &str) -> PathBuf {
    inside(pod).join("messages").join(container)
}

/// The named pipe that podline reads a container's output from.
#[must_use]
pub fn output(pod: &Path, container: &str) -> PathBuf {
    pod.join(format!("{container}.out"))
}

/// The network of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// One of its own, tied to the host's by a pair of interfaces.
    Pair {
        /// Gives the addresses: this number, or the next that no pod has.
        number: u16,
    },
    /// One of its own, tied to the host's by a process that speaks for it.
    Pasta {
        /// That program.
        program: PathBuf,
    },
    /// That of the host.
    Host,
}

/// Whose rights a sandbox has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rights {
    /// Those of root.
    Root,
    /// Those of a user, who is root in a user namespace.
    User(IdMaps),
}

/// Which ids of the host stand for those in a user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// The user's own id, which is 0 in the namespace.
    pub uid: u32,
    /// The user's own group, which is 0 in the namespace.
    pub gid: u32,
    /// The first of the user's subordinate ids and their number: 1 and above in the namespace.
    pub subordinate_uids: Option<(u32, u32)>,
    /// The same of groups.
    pub subordinate_gids: Option<(u32, u32)>,
}

/// A volume that begins with files which it shares with those of other pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// Its name.
    pub volume: String,
    /// The folders of those files, the lowest first.
    pub layers: Vec<PathBuf>,
    /// Where what is written goes.
    pub writes: PathBuf,
}

/// Where a sandbox shows a volume that is [`Laid`].
#[must_use]
pub fn laid(pod: &Path, volume: &str) -> PathBuf {
    inside(pod).join("volumes").join(volume)
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its root file system.
    pub root: Root,
    /// Its command with arguments.
    pub args: Vec<String>,
    /// Its environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// The folder that it starts in.
    pub working_dir: String,
    /// The user, as an image names it: `postgres`, `1000:1000`, empty for root.
    pub user: String,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// The capabilities of its processes, in full: `CAP_CHOWN`.
    pub capabilities: Vec<String>,
    /// Whether processes may gain rights by setuid programs.
    pub allow_privilege_escalation: bool,
    /// What it may use.
    pub limits: Limits,
    /// Whether its standard input is open, and silent, for as long as it runs.
    pub stdin: bool,
}

/// What a root file system is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// Layers of an image, the lowest first, by their names in the folder of layers.
    Layers(Vec<String>),
    /// The host's own file system, seen through a layer that takes the writes.
    Host {
        /// Folders that look empty: the homes of users.
        hidden: Vec<PathBuf>,
        /// Folders below hidden ones that are there, also behind a layer that takes the writes.
        shown: Vec<PathBuf>,
    },
}

/// A folder or file of the host that a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Where the container sees it.
    pub target: String,
    /// Whether it may not be written.
    pub read_only: bool,
}

/// What a container may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a CPU.
    pub cpu_millis: Option<u64>,
    /// Share of the CPU under contention: thousandths of a CPU that were asked for.
    pub cpu_request_millis: Option<u64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// What podline tells a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// End: SIGTERM now, SIGKILL after so many milliseconds.
    Stop {
        /// Milliseconds.
        grace: u64,
    },
    /// Run a command in a container, on a terminal.
    Terminal(TerminalOrder),
}

/// A command for somebody who types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalOrder {
    /// Tells it from the others of the pod.
    pub number: u32,
    /// The container.
    pub container: String,
    /// The command with its arguments.
    pub command: Vec<String>,
    /// The socket that takes the terminal.
    pub socket: PathBuf,
}

/// What a sandbox tells podline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// There is a sandbox, with the volumes of its pod.
    Made {
        /// The id of its process, as podline sees it.
        pid: u32,
    },
    /// A container runs.
    Started {
        /// Its name.
        container: String,
    },
    /// A container could not be started.
    Refused {
        /// Its name.
        container: String,
        /// Why.
        cause: String,
    },
    /// A container has ended.
    Ended {
        /// Its name.
        container: String,
        /// Its exit code, 128 and the signal's number for one that a signal ended.
        code: i32,
        /// How many of its processes were killed for lack of memory.
        oom_kills: u64,
        /// What it wrote as its termination message.
        message: Option<String>,
    },
    /// A command on a terminal has ended.
    TerminalClosed {
        /// Its number.
        number: u32,
        /// Why it has not begun, where it has not.
        cause: Option<String>,
    },
    /// The pod's time is up.
    DeadlineExceeded,
    /// The sandbox cannot go on.
    Failed(String),
}
