//! What the hook does: for each ref that is pushed, the pipeline that this push would start.

use std::{
    io::Read as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser as _;

use super::place::Place;
use crate::{
    cli::{
        ExitCode, Failed,
        args::{Arguments, Command, RunArguments},
        command::run as pipeline_run,
        planned::Planned,
        project::Project,
        project_file::{Hook, OnError},
        runs::Run,
        settings::Environment,
        usual,
    },
    event::{Event, FailureReason},
    git::{Git, Pushed, Replica},
    pipeline::Pipeline,
    report::{Printer, Problem, record::Record, text},
};

/// What is said of a push that has taken too long.
const SPENT: &str = "the time budget is spent";

/// Time that nobody counts.
const A_MOMENT: Duration = Duration::from_secs(1);

/// How to push all the same.
const SKIP: &str = "git push --no-verify";

pub(super) fn run(
    folder: &Path,
    remote: &str,
    address: &str,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let mut lines = String::new();
    std::io::stdin().read_to_string(&mut lines)?;
    let (around, began) = (Project::open(folder)?, Instant::now());
    for pushed in Pushed::read(&lines) {
        let replica = Replica::of(&Git::at(&around.folder), &pushed, remote, address)?;
        // the budget is that of the whole push
        let left = around.file.hook.budget.map(|budget| budget.saturating_sub(began.elapsed()));
        let push = Push { around: &around, folder, pushed: &pushed, environment, printer, left };
        let code = push.check(&replica)?;
        if code != ExitCode::Success {
            return Ok(code);
        }
    }
    Ok(ExitCode::Success)
}

/// A ref that is pushed, and all that is needed to run its pipeline.
struct Push<'p> {
    /// The user's own project.
    around: &'p Project,
    /// Its folder, as the user is in it.
    folder: &'p Path,
    pushed: &'p Pushed,
    environment: &'p Environment,
    printer: &'p Printer,
    /// What is left of the time budget, where there is one.
    left: Option<Duration>,
}

/// What a push asks for.
struct Wanted {
    arguments: RunArguments,
    pipeline: Pipeline,
}

impl Push<'_> {
    /// Runs the pipeline, and gives the exit code for git: 0 lets the push go.
    fn check(&self, replica: &Replica) -> Result<ExitCode, Failed> {
        let hook = &self.around.file.hook;
        let project = Project::replica(replica.folder(), self.around)?;
        if !replica.folder().join(crate::cli::project::CONFIGURATION).is_file() {
            self.say(&format!("{}: no `.gitlab-ci.yml`, nothing to run", self.title()));
            return Ok(ExitCode::Success);
        }
        if self.left == Some(Duration::ZERO) {
            return Ok(self.verdict(Outcome::Unknown(SPENT), hook));
        }
        let began = Instant::now();
        let result = match self.wanted(&project) {
            Ok(Ok(wanted)) => self.run(project, wanted),
            Ok(Err(why)) => {
                self.say(&format!("{}: {why}", self.title()));
                Ok(ExitCode::Success)
            }
            Err(failed) => Err(failed),
        };
        let code = match result {
            Ok(code) => code,
            Err(failed) => {
                failed.show(self.printer);
                failed.code
            }
        };
        let is_spent = code == ExitCode::Interrupted && self.left.is_some_and(|it| began.elapsed() >= it);
        Ok(self.verdict(Outcome::of(code, is_spent), hook))
    }

    fn verdict(&self, outcome: Outcome, hook: &Hook) -> ExitCode {
        match outcome {
            Outcome::Passed => ExitCode::Success,
            Outcome::Failed(code) => {
                self.say(&format!("{}: the push is stopped; to push all the same: {SKIP}", self.title()));
                code
            }
            Outcome::Unknown(why) if hook.on_error == OnError::Allow => {
                self.say(&format!(
                    "{}: WARNING: {why}. The push goes on all the same: `on-error` in `[hook]` of podline.toml \
                     decides that",
                    self.title()
                ));
                ExitCode::Success
            }
            Outcome::Unknown(why) => {
                self.say(&format!(
                    "{}: {why}: the push is stopped; to push all the same: {SKIP}",
                    self.title()
                ));
                ExitCode::EngineFailed
            }
        }
    }

    /// The run that this push asks for, or why it asks for none.
    fn wanted(&self, project: &Project) -> Result<Result<Wanted, String>, Failed> {
        let mut words = vec!["podline".to_owned(), "run".to_owned(), "--source=HEAD".to_owned()];
        words.push(match self.pushed {
            Pushed::Branch { name, .. } => format!("--branch={name}"),
            Pushed::Tag { name, .. } => format!("--tag={name}"),
        });
        let mut arguments = parse(&words)?;
        let hook = &self.around.file.hook;
        arguments.time_limit = self.left;
        let number = Run::next_number(&project.own_folder());
        let planned = Planned::new(project, &arguments.pipeline, arguments.source, number, self.printer)?;
        if let Some(words) = planned.context.skip_words() {
            return Ok(Err(format!("its message has `{words}`, so GitLab would skip its pipeline")));
        }
        if planned.diagnostics.has_errors() {
            planned.show(self.printer);
        }
        let pipeline = planned.pipeline()?.clone();
        arguments.selected = hook.jobs.iter().filter(|name| has(&pipeline, name)).cloned().collect();
        let has_none = pipeline.jobs.is_empty() || (!hook.jobs.is_empty() && arguments.selected.is_empty());
        Ok(if has_none { Err("nothing to run".to_owned()) } else { Ok(Wanted { arguments, pipeline }) })
    }

    /// Runs it where there is a place.
    fn run(&self, mut project: Project, mut wanted: Wanted) -> Result<ExitCode, Failed> {
        let place = Place::of(&project.file, self.environment)?;
        place.tell(&mut wanted.arguments, &mut project.file);
        self.announce(&project, &wanted, &place);
        let number = Run::next_number(&project.own_folder());
        let (project, arguments) = (Arc::new(project), &wanted.arguments);
        let code = pipeline_run::of(&project, self.folder, arguments, self.environment, self.printer, None)?;
        if code == ExitCode::PipelineFailed && place == Place::Machine {
            // that an image is not on this machine says nothing of the pipeline
            let record = Run::find(&project.own_folder(), number).and_then(|run| Record::read(&run).ok());
            if record.is_some_and(|record| lacks_images_only(&record)) {
                return Ok(ExitCode::EngineFailed);
            }
        }
        Ok(code)
    }

    /// One line: what is done, how long that usually takes, and how to do without.
    fn announce(&self, project: &Project, Wanted { arguments, pipeline }: &Wanted, place: &Place) {
        let what = match arguments.selected.len() {
            0 => text::count(pipeline.jobs.len(), "job"),
            _ => arguments.selected.join(", "),
        };
        let usual = usual::duration(&project.own_folder(), arguments.selected.as_slice(), pipeline);
        let usual = usual.map_or_else(String::new, |usual| format!(", usually {}", text::took(usual)));
        let limit = match (self.left, self.around.file.hook.budget) {
            (Some(left), Some(budget)) if left + A_MOMENT < budget => {
                format!(", {} left of {}", text::took(left), text::took(budget))
            }
            (_, budget) => budget.map_or_else(String::new, |it| format!(", at most {}", text::took(it))),
        };
        self.say(&format!("{}: {what}{}{usual}{limit}; to skip: {SKIP}", self.title(), place.words()));
    }

    fn title(&self) -> String {
        let commit: String = self.pushed.commit().chars().take(8).collect();
        match self.pushed {
            Pushed::Branch { name, .. } => format!("push of {commit} to {name}"),
            Pushed::Tag { name, .. } => format!("push of the tag {name}, {commit}"),
        }
    }

    fn say(&self, line: &str) {
        self.printer.say(&format!("podline: {line}\n"));
    }
}

/// What is known of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// Nothing speaks against the push.
    Passed,
    /// It would fail, or the user has interrupted it.
    Failed(ExitCode),
    /// It could not be tried to its end.
    Unknown(&'static str),
}

impl Outcome {
    fn of(code: ExitCode, is_spent: bool) -> Self {
        match code {
            // blocked on a manual job is as far as GitLab would come by itself
            ExitCode::Success | ExitCode::Blocked => Self::Passed,
            ExitCode::EngineFailed => Self::Unknown("the pipeline could not be run"),
            ExitCode::Interrupted if is_spent => Self::Unknown(SPENT),
            ExitCode::PipelineFailed | ExitCode::Usage | ExitCode::Interrupted => Self::Failed(code),
        }
    }
}

fn parse(words: &[String]) -> Result<RunArguments, Failed> {
    match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Command::Run(arguments)) => Ok(*arguments),
        Ok(_) => Err(Failed::told(ExitCode::Usage)),
        Err(error) => Err(Failed::usage(Problem::new(error.to_string()))),
    }
}

/// Whether every failure that counts is an image that could not be had.
fn lacks_images_only(record: &Record) -> bool {
    let mut failures = record.events.iter().filter_map(|(_, event)| match event.place().1 {
        Event::JobFinished(finished) if !finished.allowed && !finished.retried => finished.failure.as_ref(),
        _ => None,
    });
    let is_of_image = |failure: &crate::event::Failure| failure.reason == FailureReason::ImagePullFailure;
    let Some(first) = failures.next() else { return false };
    is_of_image(first) && failures.all(is_of_image)
}

fn has(pipeline: &Pipeline, name: &str) -> bool {
    pipeline.jobs.iter().any(|job| job.name == name || job.key.value == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_stops_a_push_and_what_is_not_known_does_not() {
        let unknown = Outcome::Unknown;
        let table = [
            (ExitCode::Success, false, Outcome::Passed),
            (ExitCode::Blocked, false, Outcome::Passed),
            (ExitCode::PipelineFailed, false, Outcome::Failed(ExitCode::PipelineFailed)),
            (ExitCode::PipelineFailed, true, Outcome::Failed(ExitCode::PipelineFailed)),
            (ExitCode::Usage, false, Outcome::Failed(ExitCode::Usage)),
            (ExitCode::Interrupted, false, Outcome::Failed(ExitCode::Interrupted)),
            (ExitCode::Interrupted, true, unknown("the time budget is spent")),
            (ExitCode::EngineFailed, false, unknown("the pipeline could not be run")),
        ];
        for (code, is_spent, outcome) in table {
            assert_eq!(Outcome::of(code, is_spent), outcome, "{code:?}");
        }
    }
}
