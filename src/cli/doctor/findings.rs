//! From what was seen of a machine to what it can run: a table, and the engine that `auto` takes.

use serde::Serialize;

use super::facts::{Docker, Facts, Machine};
use crate::report::text;

/// The room that a cluster and some images need.
const ENOUGH: u64 = 5_000_000_000;

/// What is known of one thing that an engine needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The engine that needs it; `every` of them may.
    pub engine: &'static str,
    /// The thing.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// The engine works without it, and less well.
    Limited,
    /// The engine cannot run without it.
    Missing,
}

/// What a machine can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// The engine that `auto` takes; none where no engine can run.
    pub auto: Option<&'static str>,
    /// Why.
    pub because: String,
    /// The table.
    pub findings: Vec<Finding>,
}

/// Examines a machine.
pub fn examine(facts: &Facts) -> Examination {
    let mut findings = vec![git(facts), room(facts)];
    findings.extend(kind(facts));
    findings.extend(embedded(facts));
    findings.extend(existing(facts));
    let can = |engine: &str| {
        !findings.iter().any(|it| it.state == State::Missing && (it.engine == engine || it.engine == "every"))
    };
    let (auto, because) = match (can("kind"), can("embedded")) {
        (true, _) => (Some("kind"), "Docker and kind answer".to_owned()),
        (false, true) => {
            let missing = findings.iter().find(|it| it.engine == "kind" && it.state == State::Missing);
            let what = missing.map_or("kind", |finding| finding.what);
            (Some("embedded"), format!("without {what}, this machine itself runs the pods"))
        }
        (false, false) => (None, "no engine can run here: see what is missing".to_owned()),
    };
    Examination { auto, because, findings }
}

fn finding(engine: &'static str, what: &'static str, state: State, found: impl Into<String>) -> Finding {
    Finding { engine, what, state, found: found.into(), fix: None }
}

impl Finding {
    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// A program by its version, or what to do without it.
fn program(
    engine: &'static str,
    what: &'static str,
    version: Option<&String>,
    without: State,
    fix: &str,
) -> Finding {
    match version {
        Some(version) => finding(engine, what, State::Ok, version.clone()),
        None => finding(engine, what, without, "not installed").fix(fix),
    }
}

fn git(facts: &Facts) -> Finding {
    program("every", "git", facts.git.as_ref(), State::Missing, "`apt install git`, `brew install git`")
}

fn room(facts: &Facts) -> Finding {
    let what = "disk space";
    let Some(free) = facts.free_bytes else { return finding("every", what, State::Ok, "unknown") };
    let found = format!("{}.{} GB free", free / 1_000_000_000, free / 100_000_000 % 10);
    if free >= ENOUGH {
        return finding("every", what, State::Ok, found);
    }
    finding("every", what, State::Limited, found)
        .fix("`podline image prune --all`, `podline cluster prune`, `docker system prune`")
}

fn kind(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![docker(&facts.docker)];
    let install = "`go install sigs.k8s.io/kind@latest`, `brew install kind`";
    findings.push(program("kind", "kind", facts.kind.as_ref(), State::Missing, install));
    if facts.docker.version.is_some() {
        findings.push(match &facts.docker.node_image {
            Some(image) => finding("kind", "node image", State::Ok, image.clone()),
            None => {
                finding("kind", "node image", State::Limited, "none in Docker: the first run fetches one")
                    .fix("`docker pull kindest/node:VERSION`, or name one: `PODLINE_NODE_IMAGE`")
            }
        });
        findings.push(clusters(facts));
    }
    findings.push(program(
        "kind",
        "kubectl",
        facts.kubectl.as_ref(),
        State::Limited,
        "only to look into clusters yourself: https://kubernetes.io/docs/tasks/tools/",
    ));
    findings
}

fn docker(docker: &Docker) -> Finding {
    if let Some(version) = &docker.version {
        let cgroup = docker.cgroup.as_ref().map(|cgroup| format!(", cgroup v{cgroup}")).unwrap_or_default();
        return finding("kind", "Docker", State::Ok, format!("{version} at {}{cgroup}", docker.host));
    }
    let trouble = docker.trouble.clone().unwrap_or_default();
    finding("kind", "Docker", State::Missing, trouble.message).fix(trouble.help)
}

fn clusters(facts: &Facts) -> Finding {
    let names = |is_left_over| {
        let names = facts.clusters.iter().filter(|it| it.is_left_over == is_left_over);
        names.map(|cluster| format!("`{}`", cluster.name)).collect::<Vec<_>>().join(", ")
    };
    let (up, left) = (names(false), names(true));
    let up = if up.is_empty() { "none is up".to_owned() } else { format!("up: {up}") };
    if left.is_empty() {
        return finding("kind", "clusters", State::Ok, up);
    }
    finding("kind", "clusters", State::Limited, format!("{up}; left over: {left}"))
        .fix("`podline cluster prune`")
}

fn embedded(facts: &Facts) -> Vec<Finding> {
    let Some(machine) = &facts.machine else {
        let found = format!("it needs Linux, and this is {}", facts.os);
        return vec![finding("embedded", "kernel", State::Missing, found).fix("use kind")];
    };
    vec![rights(machine), overlay(machine), limits(machine), network(machine), images(machine)]
}

fn rights(machine: &Machine) -> Finding {
    let what = "rights";
    if machine.means.is_root {
        return finding("embedded", what, State::Ok, "root");
    }
    if !machine.means.has_user_namespaces {
        return finding("embedded", what, State::Missing, "users may make no user namespaces here").fix(
            "`sudo sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu \
             `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`; or run podline as root",
        );
    }
    if machine.means.has_subordinate_ids {
        return finding("embedded", what, State::Ok, "a user namespace with subordinate ids");
    }
    finding("embedded", what, State::Limited, "a user namespace with one user: others fail in it, as of `apt-get`")
        .fix("`apt install uidmap`, and `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`")
}

fn overlay(machine: &Machine) -> Finding {
    if machine.means.has_overlay {
        return finding("embedded", "overlayfs", State::Ok, "in the kernel");
    }
    finding("embedded", "overlayfs", State::Limited, "not loaded").fix("`sudo modprobe overlay`")
}

fn limits(machine: &Machine) -> Finding {
    let version = if machine.means.is_cgroup_v2 { "cgroup v2" } else { "cgroup v1" };
    let what = "limits";
    match (machine.means.is_root, machine.means.is_cgroup_v2, machine.means.is_delegated) {
        (true, ..) => finding("embedded", what, State::Ok, version),
        (false, true, true) => {
            finding("embedded", what, State::Ok, format!("{version}, delegated by systemd"))
        }
        (false, true, false) => {
            finding("embedded", what, State::Limited, format!("{version}, not delegated: none hold"))
                .fix("`systemd-run --user --scope podline run`, or log in through systemd")
        }
        (false, false, _) => {
            finding("embedded", what, State::Limited, format!("{version} is for root only: none hold"))
                .fix("boot with `systemd.unified_cgroup_hierarchy=1`, or run podline as root")
        }
    }
}

fn network(machine: &Machine) -> Finding {
    let (program, fix) = if machine.means.is_root {
        ("iptables", "`apt install iptables`")
    } else {
        ("pasta", "`apt install passt`")
    };
    if machine.network_programs.iter().any(|it| it == program) {
        return finding("embedded", "network", State::Ok, format!("each pod has its own, by {program}"));
    }
    finding("embedded", "network", State::Limited, format!("shared with this machine: no {program}")).fix(fix)
}

fn images(machine: &Machine) -> Finding {
    match machine.images {
        0 => finding(
            "embedded",
            "images",
            State::Ok,
            "none yet: from Docker, a registry or `podline image import`",
        ),
        count => finding("embedded", "images", State::Ok, text::count(count, "image")),
    }
}

fn existing(facts: &Facts) -> Option<Finding> {
    let contexts = &facts.contexts;
    let named = contexts.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    (!contexts.is_empty()).then(|| {
        finding("kube", "contexts", State::Ok, format!("{named}: only with `--context`, and not asked now"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine as it was seen, in the words of `podline doctor --format json`.
    fn facts(json: &str) -> Facts {
        serde_json::from_str(json).expect("facts")
    }

    const DOCKER: &str = r#""docker": {"host": "unix:///var/run/docker.sock", "version": "27.3.1", "cgroup": "2",
        "node_image": "kindest/node:v1.34.4"}"#;
    const NO_DOCKER: &str = r#""docker": {"host": "unix:///var/run/docker.sock",
        "trouble": {"message": "no Docker engine answers", "help": "start it"}}"#;
    const ROOTLESS: &str = r#""machine": {"has_user_namespaces": true, "has_subordinate_ids": true,
        "has_overlay": true, "is_cgroup_v2": true, "is_delegated": true, "network_programs": ["pasta"]}"#;
    const BARE: &str = r#""machine": {"has_user_namespaces": true, "is_cgroup_v2": true}"#;
    const LOCKED: &str = r#""machine": {"has_overlay": true, "is_cgroup_v2": true}"#;

    #[test]
    fn auto_takes_what_the_machine_has() {
        let kind = r#""kind": "0.33.0""#;
        let git = r#""git": "2.39.5""#;
        let table = [
            // a laptop with Docker
            (
                format!("{{\"os\": \"linux\", {git}, {DOCKER}, {kind}, {ROOTLESS}}}"),
                Some("kind"),
                "Docker and kind answer",
            ),
            (
                format!("{{\"os\": \"macos\", {git}, {DOCKER}, {kind}}}"),
                Some("kind"),
                "Docker and kind answer",
            ),
            // Docker, and no kind
            (
                format!("{{\"os\": \"linux\", {git}, {DOCKER}, {ROOTLESS}}}"),
                Some("embedded"),
                "without kind, this machine itself runs the pods",
            ),
            // a machine without Docker, with all and with next to nothing
            (
                format!("{{\"os\": \"linux\", {git}, {NO_DOCKER}, {ROOTLESS}}}"),
                Some("embedded"),
                "without Docker, this machine itself runs the pods",
            ),
            (
                format!("{{\"os\": \"linux\", {git}, {NO_DOCKER}, {BARE}}}"),
                Some("embedded"),
                "without Docker, this machine itself runs the pods",
            ),
            // no Docker, and no namespaces for users; macOS without Docker; no git
            (
                format!("{{\"os\": \"linux\", {git}, {NO_DOCKER}, {LOCKED}}}"),
                None,
                "no engine can run here: see what is missing",
            ),
            (
                format!("{{\"os\": \"macos\", {git}, {NO_DOCKER}, {kind}}}"),
                None,
                "no engine can run here: see what is missing",
            ),
            (
                format!("{{\"os\": \"linux\", {DOCKER}, {kind}}}"),
                None,
                "no engine can run here: see what is missing",
            ),
        ];
        for (json, auto, because) in table {
            let examination = examine(&facts(&json));
            assert_eq!((examination.auto, examination.because.as_str()), (auto, because), "{json}");
        }
    }

    /// What is not as it should be, one line each.
    fn lacking(json: &str) -> Vec<String> {
        let findings = examine(&facts(json)).findings.into_iter().filter(|it| it.state != State::Ok);
        findings.map(|it| format!("{} {:?}: {}", it.what, it.state, it.found)).collect()
    }

    #[test]
    fn what_is_lacking_is_named() {
        let bare = format!(
            "{{\"os\": \"linux\", \"git\": \"2.39.5\", {NO_DOCKER}, {BARE}, \"free_bytes\": 1234567890}}"
        );
        assert_eq!(
            lacking(&bare),
            [
                "disk space Limited: 1.2 GB free",
                "Docker Missing: no Docker engine answers",
                "kind Missing: not installed",
                "kubectl Limited: not installed",
                "rights Limited: a user namespace with one user: others fail in it, as of `apt-get`",
                "overlayfs Limited: not loaded",
                "limits Limited: cgroup v2, not delegated: none hold",
                "network Limited: shared with this machine: no pasta",
            ]
        );
        let root = "{\"os\": \"linux\", \"git\": \"2\", \"kubectl\": \"1\", \"kind\": \"0\", \
            \"docker\": {\"version\": \"27\"}, \"clusters\": [{\"name\": \"dev\", \"is_left_over\": false}, \
            {\"name\": \"5f2c\", \"is_left_over\": true}], \"machine\": {\"is_root\": true, \"has_overlay\": true}}";
        assert_eq!(
            lacking(root),
            [
                "node image Limited: none in Docker: the first run fetches one",
                "clusters Limited: up: `dev`; left over: `5f2c`",
                "network Limited: shared with this machine: no iptables",
            ]
        );
    }
}
