//! What a container uses, from the files of its cgroups.

use std::{fs, path::Path, time::Instant};

use rustix::param::clock_ticks_per_second;

use super::{Hierarchy, needed};
use crate::engine::Usage;

/// Reads what a container uses, and remembers the last time: CPU is counted between two looks.
#[derive(Debug, Default)]
pub(in crate::engine::embedded) struct Meter {
    last: Option<(Instant, u64)>,
}

impl Meter {
    /// What the container of this cgroup, given below the root of every hierarchy, uses now; none without a cgroup.
    pub(in crate::engine::embedded) fn read(&mut self, group: &Path) -> Option<Usage> {
        let (cpu, memory) = counted(&needed(), group);
        let now = Instant::now();
        let before = std::mem::replace(&mut self.last, cpu.map(|cpu| (now, cpu)));
        let usage = Usage {
            cpu_millis: before.zip(cpu).and_then(|((then, before), cpu)| {
                let wall = now.duration_since(then).as_micros();
                u64::try_from(u128::from(cpu.saturating_sub(before)).checked_div(wall)?).ok()
            }),
            memory_bytes: memory,
        };
        (usage != Usage::default() || cpu.is_some()).then_some(usage)
    }
}

/// Nanoseconds of CPU since the container began, and bytes of memory now.
fn counted(hierarchies: &[Hierarchy], group: &Path) -> (Option<u64>, Option<u64>) {
    let cpu = |it: &Hierarchy| cpu(it, &it.path.join(group));
    let memory = |it: &Hierarchy| memory(it, &it.path.join(group));
    let cpu = hierarchies.iter().find_map(cpu).or_else(|| {
        // a v1 hierarchy of its own for the accounts, in which podline makes no cgroups
        hierarchies.first().and_then(|it| of_processes(&it.path.join(group)))
    });
    (cpu, hierarchies.iter().find_map(memory))
}

/// Nanoseconds of CPU of the processes in a cgroup, with those of their children that have ended.
fn of_processes(group: &Path) -> Option<u64> {
    let processes = fs::read_to_string(group.join("cgroup.procs")).ok()?;
    let ticks = processes.lines().filter_map(|process| {
        let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()?;
        // pid (any name) state ...; words 14 to 17 are the times of itself and of its children
        let words = stat.rsplit(") ").next()?.split(' ').skip(11).take(4);
        Some(words.filter_map(|word| word.parse::<u64>().ok()).sum::<u64>())
    });
    Some(ticks.sum::<u64>() * (1_000_000_000 / clock_ticks_per_second()))
}

fn cpu(hierarchy: &Hierarchy, group: &Path) -> Option<u64> {
    match hierarchy.controllers {
        None => field(&group.join("cpu.stat"), "usage_usec").map(|micros| micros * 1000),
        Some(_) => number(&group.join("cpuacct.usage")),
    }
}

/// The kubelet's working set: without what is kept of files that were not used lately.
fn memory(hierarchy: &Hierarchy, group: &Path) -> Option<u64> {
    let (used, idle) = match hierarchy.controllers {
        None => ("memory.current", "inactive_file"),
        Some(_) => ("memory.usage_in_bytes", "total_inactive_file"),
    };
    let used = number(&group.join(used))?;
    Some(used.saturating_sub(field(&group.join("memory.stat"), idle).unwrap_or(0)))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_and_memory_are_read_from_both_versions() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write("v2/r1/job/cpu.stat", "usage_usec 2500\nuser_usec 2000\n");
        write("v2/r1/job/memory.current", "1048576\n");
        write("v2/r1/job/memory.stat", "anon 700000\ninactive_file 48576\n");
        write("cpu/r1/job/cpuacct.usage", "7000000\n");
        write("memory/r1/job/memory.usage_in_bytes", "4096\n");
        write("memory/r1/job/memory.stat", "inactive_file 1\ntotal_inactive_file 96\n");
        let at = |path: &str, controller: Option<&str>| Hierarchy {
            path: root.path().join(path),
            controllers: controller.map(|name| vec![name.to_owned()]),
        };
        let group = Path::new("r1/job");
        assert_eq!(counted(&[at("v2", None)], group), (Some(2_500_000), Some(1_000_000)));
        let v1 = [at("memory", Some("memory")), at("cpu", Some("cpuacct"))];
        assert_eq!(counted(&v1, group), (Some(7_000_000), Some(4000)));
        assert_eq!(counted(&v1, Path::new("nobody")), (None, None));
    }
}
