//! The limits of a container as the files of its cgroup. They are read back: the kernel takes some values
//! without holding them.

use std::{fs, path::Path};

use super::Hierarchy;
use crate::engine::embedded::sandbox::plan::Limits;

/// Microseconds over which a CPU limit is counted.
const PERIOD: u64 = 100_000;

/// The least that the kernel takes as a quota of that, in microseconds.
const LEAST_QUOTA: u64 = 1000;

/// Memory is counted in pages, of at most this many bytes.
const PAGE: u64 = 64 << 10;

/// A file of a cgroup and what it is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::embedded) struct Setting {
    file: &'static str,
    value: String,
    /// Whether a kernel may be without it: it only makes a limit stricter.
    is_optional: bool,
}

/// What holds limits in a hierarchy.
pub(in crate::engine::embedded) fn settings(limits: &Limits, hierarchy: &Hierarchy) -> Vec<Setting> {
    let set = |file, value: String| Setting { file, value, is_optional: false };
    let mut settings = Vec::new();
    let is_v2 = hierarchy.controllers.is_none();
    if hierarchy.has("cpu") {
        if let Some(millis) = limits.cpu_millis {
            let quota = (millis * PERIOD / 1000).max(LEAST_QUOTA);
            if is_v2 {
                settings.push(set("cpu.max", format!("{quota} {PERIOD}")));
            } else {
                settings.push(set("cpu.cfs_period_us", PERIOD.to_string()));
                settings.push(set("cpu.cfs_quota_us", quota.to_string()));
            }
        }
        if let Some(millis) = limits.cpu_request_millis {
            // as the kubelet does
            let shares = (millis * 1024 / 1000).clamp(2, 262_144);
            settings.push(match is_v2 {
                true => set("cpu.weight", (1 + (shares - 2) * 9999 / 262_142).to_string()),
                false => set("cpu.shares", shares.to_string()),
            });
        }
    }
    if let Some(bytes) = limits.memory_bytes.filter(|_| hierarchy.has("memory")) {
        // a node has no swap, and a job that needs it here would not run there
        let (limit, swap) = match is_v2 {
            true => ("memory.max", ("memory.swap.max", "0".to_owned())),
            false => ("memory.limit_in_bytes", ("memory.memsw.limit_in_bytes", bytes.to_string())),
        };
        settings.push(set(limit, bytes.to_string()));
        settings.push(Setting { file: swap.0, value: swap.1, is_optional: true });
    }
    if let Some(pids) = limits.pids.filter(|_| hierarchy.has("pids")) {
        settings.push(set("pids.max", pids.to_string()));
    }
    settings
}

/// Writes settings to a cgroup.
///
/// # Errors
/// The limit that the kernel does not hold, in words.
pub(in crate::engine::embedded) fn hold(group: &Path, settings: &[Setting]) -> Result<(), String> {
    for setting in settings {
        let Setting { file, value, is_optional } = setting;
        let path = group.join(file);
        if *is_optional && !path.exists() {
            continue;
        }
        let set = fs::write(&path, value).and_then(|()| fs::read_to_string(&path));
        match set {
            Ok(read) if is_held(value, read.trim()) => {}
            Ok(read) => {
                return Err(format!("the limit `{file}` was set to `{value}` and is `{}`", read.trim()));
            }
            Err(error) => return Err(format!("the limit `{file}` cannot be set to `{value}`: {error}")),
        }
    }
    Ok(())
}

/// Whether what is read means what was written.
fn is_held(written: &str, read: &str) -> bool {
    if written == read {
        return true;
    }
    match (written.parse::<u64>(), read.parse::<u64>()) {
        (Ok(written), Ok(read)) => read <= written && written - read < PAGE && written >= PAGE,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        cpu_millis: Some(1500),
        cpu_request_millis: Some(100),
        memory_bytes: Some(1 << 30),
        pids: Some(32_768),
    };

    fn said(controllers: Option<&[&str]>, limits: &Limits) -> Vec<String> {
        let controllers = controllers.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let hierarchy = Hierarchy { path: "/sys/fs/cgroup".into(), controllers };
        let all = settings(limits, &hierarchy);
        all.iter().map(|it| format!("{} {}", it.file, it.value)).collect()
    }

    #[test]
    fn every_hierarchy_holds_the_limits_of_its_controllers() {
        assert_eq!(
            said(None, &LIMITS),
            [
                "cpu.max 150000 100000",
                "cpu.weight 4",
                "memory.max 1073741824",
                "memory.swap.max 0",
                "pids.max 32768"
            ]
        );
        assert_eq!(
            said(Some(&["cpu", "cpuacct"]), &LIMITS),
            ["cpu.cfs_period_us 100000", "cpu.cfs_quota_us 150000", "cpu.shares 102"]
        );
        assert_eq!(
            said(Some(&["memory"]), &LIMITS),
            ["memory.limit_in_bytes 1073741824", "memory.memsw.limit_in_bytes 1073741824"]
        );
        assert_eq!(said(Some(&["pids"]), &LIMITS), ["pids.max 32768"]);
        assert_eq!(said(Some(&["cpuset"]), &LIMITS), Vec::<String>::new());
    }

    #[test]
    fn values_stay_within_what_the_kernel_takes() {
        let tiny = Limits { cpu_millis: Some(1), cpu_request_millis: Some(0), ..Limits::default() };
        assert_eq!(said(None, &tiny), ["cpu.max 1000 100000", "cpu.weight 1"]);
        let huge = Limits { cpu_request_millis: Some(1_000_000), ..Limits::default() };
        assert_eq!(said(None, &huge), ["cpu.weight 10000"]);
        assert_eq!(said(Some(&["cpu"]), &huge), ["cpu.shares 262144"]);
    }

    #[test]
    fn what_is_read_back_may_only_be_rounded_down_to_a_page() {
        for (written, read, held) in [
            ("100000", "100000", true),
            ("1073741825", "1073741824", true),
            ("1073741824", "9223372036854771712", false),
            ("32768", "max", false),
            ("32768", "30000", false),
            ("150000 100000", "150000 100000", true),
            ("150000 100000", "max 100000", false),
        ] {
            assert_eq!(is_held(written, read), held, "{written} {read}");
        }
    }

    #[test]
    fn a_limit_that_cannot_be_written_is_named() {
        let group = tempfile::tempdir().expect("a folder");
        let v2 = Hierarchy { path: group.path().to_owned(), controllers: None };
        for file in ["cpu.max", "cpu.weight", "memory.max"] {
            fs::write(group.path().join(file), "max").expect("a file");
        }
        let swapless = settings(&Limits { pids: None, ..LIMITS }, &v2);
        hold(group.path(), &swapless).expect("a kernel without swap accounting is fine");
        assert_eq!(fs::read_to_string(group.path().join("memory.max")).expect("a file"), "1073741824");
        fs::create_dir(group.path().join("pids.max")).expect("a folder");
        let refused = hold(group.path(), &settings(&LIMITS, &v2)).expect_err("no such file");
        assert!(refused.starts_with("the limit `pids.max` cannot be set to `32768`: "), "{refused}");
    }
}
