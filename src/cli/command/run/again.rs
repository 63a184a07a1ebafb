//! Commands that go on from a run, as they are typed in the same place.

use std::path::Path;

use clap::ValueEnum as _;

use crate::cli::args::{EngineKind, EventKind, RunArguments};

/// What the commands after a run have in common with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Again {
    /// `-C`, where the project is not the current folder.
    project: String,
    /// What made the pipeline what it was, and where it ran.
    flags: String,
    /// The cluster that `--keep` has left.
    pub(super) kept: Option<String>,
}

impl Again {
    /// `stays` is the cluster that is there after the run.
    pub(super) fn of(folder: &Path, arguments: &RunArguments, stays: Option<&str>) -> Self {
        let project = match folder.to_string_lossy() {
            here if here == "." => String::new(),
            folder => format!(" -C {}", quoted(&folder)),
        };
        let pipeline = &arguments.pipeline;
        let mut flags = String::new();
        let mut flag = |name: &str, value: Option<&str>| valued(&mut flags, name, value);
        flag("file", pipeline.file.as_deref());
        let of = &pipeline.event;
        let event = of.event.filter(|event| *event != EventKind::Push).and_then(|it| it.to_possible_value());
        flag("event", event.as_ref().map(|event| event.get_name()));
        let iid = of.mr_iid.map(|iid| iid.to_string());
        for (name, value) in [
            ("branch", &of.branch),
            ("tag", &of.tag),
            ("tag-message", &of.tag_message),
            ("schedule-description", &of.schedule_description),
            ("target-branch", &of.target_branch),
            ("mr-iid", &iid),
            ("mr-title", &of.mr_title),
            ("mr-description", &of.mr_description),
            ("mr-milestone", &of.mr_milestone),
        ] {
            flag(name, value.as_deref());
        }
        for (name, values) in [("mr-label", &of.mr_labels), ("mr-assignee", &of.mr_assignees)] {
            flag(name, Some(values.join(",")).as_deref().filter(|values| !values.is_empty()));
        }
        for (name, is_given) in
            [("mr-draft", of.mr_draft), ("mr-approved", of.mr_approved), ("mr-squash", of.mr_squash)]
        {
            if is_given {
                switch(&mut flags, name);
            }
        }
        let mut flag = |name: &str, value: Option<&str>| valued(&mut flags, name, value);
        for (name, value) in &pipeline.variables {
            flag("var", Some(&format!("{name}={value}")));
        }
        for path in &pipeline.var_files {
            flag("var-file", path.to_str());
        }
        for (name, value) in &pipeline.inputs {
            flag("input", Some(&format!("{name}={value}")));
        }
        let existing = &arguments.existing;
        let engine =
            arguments.engine.filter(|engine| *engine != EngineKind::Auto && existing.context.is_none());
        flag("engine", engine.and_then(|engine| engine.to_possible_value()).as_ref().map(|it| it.get_name()));
        flag("context", existing.context.as_deref());
        flag("namespace", existing.namespace.as_deref());
        flag("kubeconfig", existing.kubeconfig.as_deref().and_then(Path::to_str));
        flag("cluster", arguments.cluster.as_deref().or(stays));
        let kept = stays.filter(|_| arguments.keep).map(str::to_owned);
        Self { project, flags, kept }
    }

    /// `podline run` as before, with something more.
    pub(super) fn run(&self, more: &str) -> String {
        format!("podline run{}{} {more}", self.project, self.flags).trim_end().to_owned()
    }

    /// `podline shell` of a job of the same pipeline.
    pub(super) fn shell(&self, job: &str) -> String {
        format!("podline shell{}{} {}", self.project, self.flags, quoted(job))
    }

    /// `podline report` of the run.
    pub(super) fn report(&self) -> String {
        format!("podline report{}", self.project)
    }

    /// `podline log` of a job.
    pub(super) fn log(&self, job: &str) -> String {
        format!("podline log{} {}", self.project, quoted(job))
    }
}

/// Adds a flag that has a value.
fn valued(flags: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        flags.push_str(&format!(" --{name} {}", quoted(value)));
    }
}

/// Adds a flag that is on.
fn switch(flags: &mut String, name: &str) {
    flags.push_str(&format!(" --{name}"));
}

/// A word as a shell takes it.
pub(in crate::cli::command) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    #[test]
    fn a_command_that_goes_on_says_what_the_first_one_said() {
        let table = [
            ("podline run", None, "podline run test"),
            ("podline run --keep", Some("dev"), "podline run --cluster dev test"),
            ("podline run other --cluster ci", Some("ci"), "podline run --cluster ci test"),
            ("podline run --engine kind", None, "podline run --engine kind test"),
            (
                "podline run --engine kube --namespace ci",
                None,
                "podline run --engine kube --namespace ci test",
            ),
            ("podline run --context a", None, "podline run --context a test"),
            ("podline run -C a/b --tag v1", None, "podline run -C a/b --tag v1 test"),
            (
                "podline run --event merge_request --mr-draft --mr-label a,b --source-branch x",
                None,
                "podline run --event merge_request --branch x --mr-label a,b --mr-draft test",
            ),
            (
                "podline run --event merge_request --var A=x;y",
                None,
                "podline run --event merge_request --var 'A=x;y' test",
            ),
        ];
        for (typed, stays, again) in table {
            let arguments = Arguments::try_parse_from(typed.split(' ')).expect("the arguments are right");
            let Command::Run(run) = &arguments.command else { panic!("`{typed}` is no run") };
            assert_eq!(Again::of(&arguments.directory, run, stays).run("test"), again);
        }
    }

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        assert_eq!(quoted("unit: [stable]"), "'unit: [stable]'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
