//! The cgroups of a pod and its containers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::{mount::mount_bind, process::Pid};

use super::{
    plan::{Container, Mount, Plan},
    trouble::{Doing as _, Result, Trouble},
};
use crate::engine::embedded::cgroup::{self, Hierarchy};

/// Where the sandbox sees the pod's cgroups, in its own folder.
const SEEN: &str = "cgroups";

/// The cgroups of a pod.
pub(super) struct Groups(Vec<Group>);

/// The pod's cgroup in one hierarchy.
struct Group {
    hierarchy: Hierarchy,
    /// Where the sandbox sees it: not where libcontainer looks for cgroups.
    at: PathBuf,
}

impl Groups {
    /// Makes the pod's cgroups, where limits can be had, and shows them to this process in the pod's folder.
    pub(super) fn make(plan: &Plan) -> Result<Self> {
        let Some(group) = &plan.cgroup else { return Ok(Self(Vec::new())) };
        let make = |(number, hierarchy): (usize, Hierarchy)| {
            let own = hierarchy.path.join(group);
            create(&own)?;
            if hierarchy.controllers.is_none() && !cgroup::enable(&hierarchy.path, Path::new(group), group) {
                return Err(Trouble::new(format!("no controllers for cgroups in `{}`", own.display())));
            }
            let at = plan.inside().join(SEEN).join(number.to_string());
            create(&at)?;
            mount_bind(&own, &at).doing(format_args!("showing the cgroup `{}`", own.display()))?;
            Ok(Group { hierarchy, at })
        };
        cgroup::needed().into_iter().enumerate().map(make).collect::<Result<_>>().map(Self)
    }

    /// Makes the cgroups of a container, and its processes in them where that can be.
    ///
    /// On v1, this process enters them while it does so. It moves one thread, itself: for any other the kernel would
    /// wait until no processor is in the midst of a fork, some 10 ms.
    pub(super) fn around<T>(&self, container: &str, make: impl FnOnce() -> T) -> Result<T> {
        for Group { at, .. } in &self.0 {
            create(&at.join(container))?;
        }
        self.enter(|at| at.join(container))?;
        let made = make();
        self.enter(Path::to_owned)?;
        Ok(made)
    }

    fn enter(&self, group: impl Fn(&Path) -> PathBuf) -> Result<()> {
        let mut of_v1 = self.0.iter().filter(|it| it.hierarchy.controllers.is_some());
        of_v1.try_for_each(|it| fs::write(group(&it.at).join("tasks"), "0")).doing("entering a cgroup")
    }

    /// Sets the limits of a container, whose first process does not run yet.
    pub(super) fn hold(&self, container: &Container, process: Pid) -> Result<()> {
        self.join(&container.name, process)?;
        for Group { hierarchy, at } in &self.0 {
            let own = at.join(&container.name);
            cgroup::hold(&own, &cgroup::settings(&container.limits, hierarchy)).map_err(Trouble::new)?;
        }
        Ok(())
    }

    /// Takes a process into the cgroups of a container, where it was not [made in them](Self::around): on v2.
    pub(super) fn join(&self, container: &str, process: Pid) -> Result<()> {
        let process = process.as_raw_nonzero().to_string();
        let mut of_v2 = self.0.iter().filter(|it| it.hierarchy.controllers.is_none());
        of_v2
            .try_for_each(|it| fs::write(it.at.join(container).join("cgroup.procs"), &process))
            .doing("entering the container's cgroup")
    }

    /// Counts the processes of a container that were killed for lack of memory.
    pub(super) fn oom_kills(&self, container: &str) -> u64 {
        let kills = |it: &Group| it.hierarchy.oom_kills(&it.at.join(container));
        self.0.iter().find_map(kills).unwrap_or(0)
    }

    /// Whether the hierarchies are those of cgroup v1, which lie side by side.
    pub(super) fn are_many(&self) -> bool {
        self.0.iter().any(|it| it.hierarchy.controllers.is_some())
    }

    /// A container's cgroups, to be mounted where a node has them.
    pub(super) fn mounts(&self, container: &str) -> impl Iterator<Item = Mount> {
        self.0.iter().map(move |Group { hierarchy, at }| Mount {
            source: at.join(container),
            target: hierarchy.path.display().to_string(),
            read_only: true,
        })
    }
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).doing(format_args!("making `{}`", folder.display()))
}
