//! The one cluster that all tests share, made when the first of them asks and removed after the last.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]
#![expect(clippy::zombie_processes, reason = "the guard of the cluster outlives the tests")]

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Its name, as `--cluster` takes it: two runs of the tests on one machine have one each.
pub(crate) fn name() -> String {
    format!("test-{}", owner())
}

/// Whether the shared cluster is up; it is made at the first call.
///
/// `false` where Docker or kind is missing, with the reason on standard error: the test then ends.
pub(crate) fn is_up() -> bool {
    static UP: OnceLock<bool> = OnceLock::new();
    *UP.get_or_init(|| match missing() {
        Some(reason) => {
            eprintln!("skipped: {reason}");
            false
        }
        None => {
            bring_up();
            true
        }
    })
}

/// What is missing on this machine.
pub(crate) fn missing() -> Option<&'static str> {
    let answers = |program: &str, argument: &str| {
        Command::new(program)
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    match (answers("docker", "info"), answers("kind", "version")) {
        (false, _) => Some("Docker does not answer"),
        (_, false) => Some("kind is not installed"),
        _ => None,
    }
}

/// Makes the cluster unless another test process of the same run has; `cargo nextest` has one for each test.
fn bring_up() {
    let owner = owner();
    let marker: PathBuf = std::env::temp_dir().join(format!("podline-test-cluster-{owner}"));
    let lock = File::create(marker.with_extension("lock")).expect("a lock file can be made");
    lock.lock().expect("a file can be locked");
    if marker.exists() {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_podline"))
        .args(["cluster", "up", &name()])
        .output()
        .expect("podline can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // outlives this process: the cluster goes when the whole run has ended, however it ended
    Command::new("setsid")
        .args(["sh", "-c"])
        .arg(format!(
            "while kill -0 {owner}; do sleep 0.5; done; '{podline}' cluster down {name}; rm -f '{marker}' '{lock}'",
            name = name(),
            podline = env!("CARGO_BIN_EXE_podline"),
            marker = marker.display(),
            lock = marker.with_extension("lock").display(),
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the guard of the cluster can be started");
    File::create(&marker).expect("a marker file can be made");
}

/// The process that lives as long as the run: under nextest the parent, which starts one process a test.
pub(crate) fn owner() -> u32 {
    match std::env::var_os("NEXTEST_RUN_ID") {
        Some(_) => std::os::unix::process::parent_id(),
        None => std::process::id(),
    }
}
