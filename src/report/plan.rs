//! What would run, in which order and why, for people.

use super::text;
use super::theme::{Label, Look, Theme};
use crate::mask::Mask;

/// A plan as it is shown; `cli` fills it.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What the pipeline is for, for instance `push to main, 5f2c01ab`.
    pub title: String,
    /// `workflow:name`.
    pub name: Option<String>,
    /// Why there is no pipeline, if there is none.
    pub filtered: Option<String>,
    /// The stages with their jobs.
    pub stages: Vec<PlanStage>,
    /// How many pods run at once, and why.
    pub slots: Option<Slots>,
    /// What the user should know of how the project was taken.
    pub notes: Vec<String>,
    /// What else there is to say of the runner: settings that differ, what a real cluster would be asked for.
    pub runner: Vec<String>,
    /// Jobs that are not in the pipeline, each with the reason.
    pub left_out: Vec<(String, String)>,
    /// Jobs that cannot be made out without an include, each with the reason.
    pub unresolved: Vec<(String, String)>,
    /// Keywords that are accepted and not acted on.
    pub not_simulated: Vec<String>,
    /// Variables that have made-up values.
    pub dummies: Vec<String>,
}

/// A child pipeline is this many columns further to the right than its parent.
const CHILD: usize = 4;

/// A stage of a [`Plan`].
#[derive(Debug, Clone)]
pub struct PlanStage {
    /// Its name.
    pub name: String,
    /// Its jobs.
    pub jobs: Vec<PlanJob>,
}

/// A job of a [`Plan`].
#[derive(Debug, Clone, Default)]
pub struct PlanJob {
    /// Its name.
    pub name: String,
    /// What makes it run, where that is not `on_success`: `manual`, `always`, `delayed by 30s`.
    pub when: Option<String>,
    /// Whether it may fail, in words: `may fail`, `may fail with exit code 3`.
    pub allow_failure: Option<String>,
    /// The jobs it needs; `None` means all of earlier stages.
    pub needs: Option<Vec<String>>,
    /// Why it is in, for instance `rule 2: if $CI_COMMIT_BRANCH == "main"`.
    pub reason: Option<String>,
    /// Why podline does not start it by itself.
    pub held: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Its limits, for instance `1 CPU, 1Gi`.
    pub limits: Option<String>,
    /// What there is to say of the child pipeline that it starts.
    pub trigger: Option<String>,
    /// The stages of that pipeline, where they are known beforehand.
    pub child: Vec<PlanStage>,
}

impl Plan {
    /// Hides the values that nobody may see, before anything is cut or wrapped.
    pub fn hide(&mut self, mask: &Mask) {
        if mask.is_empty() {
            return;
        }
        let mut texts: Vec<&mut String> = self.name.iter_mut().chain(&mut self.filtered).collect();
        texts.extend(self.notes.iter_mut().chain(&mut self.runner));
        let reasons = self.left_out.iter_mut().chain(&mut self.unresolved);
        texts.extend(reasons.flat_map(|(name, reason)| [name, reason]));
        for text in texts {
            *text = mask.text(text);
        }
        self.stages.iter_mut().for_each(|stage| stage.hide(mask));
    }
}

impl PlanStage {
    fn hide(&mut self, mask: &Mask) {
        for job in &mut self.jobs {
            let said =
                [&mut job.reason, &mut job.held, &mut job.environment, &mut job.image, &mut job.trigger];
            for text in said.into_iter().flatten().chain([&mut job.name]) {
                *text = mask.text(text);
            }
            job.child.iter_mut().for_each(|stage| stage.hide(mask));
        }
    }
}

/// How many pods run at once, and which of the limits binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// How many pods run at once: the least of the limits.
    pub pods: usize,
    /// How many runners there are.
    pub runners: usize,
    /// How many jobs each takes at once.
    pub concurrent: usize,
    /// How many pods there is room for and where, where that is known: `10` and `the node`.
    pub fits: Option<(usize, String)>,
    /// `--jobs`.
    pub jobs: Option<usize>,
}

impl Slots {
    /// `8 pods at once: 2 runners x 4 (the node would fit 10)`; what binds stands first.
    pub fn sentence(&self) -> String {
        let (slots, pods) = (self.runners * self.concurrent, self.pods);
        let runners = format!("{} x {}", text::count(self.runners, "runner"), self.concurrent);
        let room = self.fits.as_ref().map(|(fits, place)| format!("{place} would fit {fits}"));
        let (binds, others) = match (self.jobs, &self.fits) {
            (Some(jobs), _) if jobs == pods && jobs < slots => {
                (format!("--jobs {jobs}"), vec![Some(format!("{runners} would be {slots}")), room])
            }
            (_, Some((fits, place))) if *fits == pods && *fits < slots => {
                (format!("what fits {place}"), vec![Some(format!("{runners} would be {slots}"))])
            }
            _ => (runners, vec![room]),
        };
        let others: Vec<_> = others.into_iter().flatten().collect();
        let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
        format!("{} at once: {binds}{others}", text::count(pods, "pod"))
    }
}

/// The lines of a plan.
pub fn lines(plan: &Plan, theme: &Theme, width: usize) -> Vec<String> {
    let title = theme.paint(Label::Strong, &plan.title);
    let name = plan.name.as_ref().map_or_else(String::new, |name| format!(" ({})", text::bare(name)));
    let mut lines = text::wrap_painted(&format!("{title}{name}"), width);
    if let Some(filtered) = &plan.filtered {
        lines.extend(text::hang(&theme.paint(Label::Warning, "no pipeline: "), filtered, width));
    }
    let names = names(plan, width / 3);
    for stage in &plan.stages {
        lines.extend([String::new(), theme.paint(Label::Strong, text::cut(&stage.name, width, theme))]);
        lines.extend(stage.jobs.iter().flat_map(|job| with_child(job, names, theme, width)));
    }
    lines.extend(absent("left out", &plan.left_out, names, theme, width));
    lines.extend(absent("unresolved", &plan.unresolved, names, theme, width));
    lines.extend(closing(plan, theme, width));
    lines
}

/// Columns of the longest name that has at most `most`; longer ones do not count, as they stand alone.
fn names(plan: &Plan, most: usize) -> usize {
    let jobs = widths(&plan.stages, 0).into_iter();
    let absent = plan.left_out.iter().chain(&plan.unresolved).map(|(name, _)| text::width(name));
    jobs.chain(absent).filter(|width| *width <= most).max().unwrap_or(0)
}

/// Columns of the names of all jobs, with their indent.
fn widths(stages: &[PlanStage], indent: usize) -> Vec<usize> {
    let of = |job: &PlanJob| {
        let mut widths = widths(&job.child, indent + CHILD);
        widths.push(indent + text::width(&text::bare(&job.name)));
        widths
    };
    stages.iter().flat_map(|stage| &stage.jobs).flat_map(of).collect()
}

/// A job, and the child pipeline that it starts below it.
fn with_child(job: &PlanJob, names: usize, theme: &Theme, width: usize) -> Vec<String> {
    let mut lines = self::job(job, names, theme, width);
    let (names, width) = (names.saturating_sub(CHILD), width.saturating_sub(CHILD));
    for stage in &job.child {
        let name = theme.paint(Label::Strong, text::cut(&text::bare(&stage.name), width, theme));
        let jobs = stage.jobs.iter().flat_map(|job| with_child(job, names, theme, width));
        let indent = " ".repeat(CHILD);
        lines.extend(std::iter::once(name).chain(jobs).map(|line| format!("{indent}{line}")));
    }
    lines
}

fn job(job: &PlanJob, names: usize, theme: &Theme, width: usize) -> Vec<String> {
    let look = if job.held.is_some() || job.when.as_deref() == Some("manual") {
        Look::Manual
    } else {
        Look::Waiting
    };
    let needs = job.needs.as_ref().map(|needs| match needs.as_slice() {
        [] => "needs nothing".to_owned(),
        needs => format!("needs {}", needs.join(", ")),
    });
    let image = match (&job.image, &job.limits) {
        (Some(image), Some(limits)) => Some(format!("{image} with {limits}")),
        (image, limits) => image.clone().or_else(|| limits.clone()),
    };
    let facts = [
        job.held.clone(),
        job.when.clone(),
        job.allow_failure.clone(),
        job.trigger.clone(),
        needs,
        image,
        job.environment.as_ref().map(|environment| format!("environment {environment}")),
        job.reason.clone(),
    ];
    let facts: Vec<_> = facts.into_iter().flatten().collect();
    entry(look, &job.name, &facts, names, theme, width)
}

/// A name and what there is to say of it. A name too long for its column has a line of its own: it must be
/// whole, to be copied into a command.
fn entry(look: Look, name: &str, facts: &[String], names: usize, theme: &Theme, width: usize) -> Vec<String> {
    let (mark, name) = (theme.mark(look), text::bare(name));
    let head = format!("  {mark} {}  ", text::pad(&name, names));
    if text::width(&name) <= names || facts.is_empty() {
        return text::list(head.trim_end_matches(' '), 6 + names, facts, theme, width);
    }
    let mut lines = vec![text::cut(head.trim_end(), width, theme)];
    lines.extend(text::list("", 6 + names, facts, theme, width));
    lines
}

fn absent(title: &str, jobs: &[(String, String)], names: usize, theme: &Theme, width: usize) -> Vec<String> {
    if jobs.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), theme.paint(Label::Strong, title)];
    for (name, reason) in jobs {
        lines.extend(entry(Look::Skipped, name, std::slice::from_ref(reason), names, theme, width));
    }
    lines
}

fn closing(plan: &Plan, theme: &Theme, width: usize) -> Vec<String> {
    let notes = plan.notes.iter().map(|note| ("note: ", note.clone()));
    let slots = plan.slots.as_ref().map(|slots| slots.sentence());
    let runner = slots.into_iter().chain(plan.runner.iter().cloned()).map(|fact| ("", fact));
    let mut facts: Vec<_> = notes.chain(runner).collect();
    if !plan.not_simulated.is_empty() {
        facts.push(("not simulated: ", plan.not_simulated.join(", ")));
    }
    if !plan.dummies.is_empty() {
        facts.push(("made-up values: ", plan.dummies.join(", ")));
    }
    let lines =
        facts.iter().flat_map(|(head, fact)| text::hang(&theme.paint(Label::Muted, head), fact, width));
    let mut lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let job = |name: &str| PlanJob {
            name: name.into(),
            image: Some("rust:1.80".into()),
            limits: Some("1 CPU, 1Gi".into()),
            ..PlanJob::default()
        };
        let rule = Some("rule 2: if $CI_COMMIT_BRANCH == \"main\"".to_owned());
        let test = |name: &str| PlanJob { needs: Some(vec!["compile".into()]), ..job(name) };
        let stage = |name: &str, jobs| PlanStage { name: name.into(), jobs };
        Plan {
            title: "push to main, 5f2c01ab".into(),
            name: Some("nightly".into()),
            stages: vec![
                stage("build", vec![job("compile"), PlanJob { needs: Some(vec![]), ..job("docs") }]),
                stage(
                    "test",
                    vec![
                        PlanJob { allow_failure: Some("may fail".into()), ..test("lint") },
                        test("unit: [stable, x86_64-unknown-linux-gnu]"),
                        PlanJob { reason: rule.clone(), when: Some("always".into()), ..test("e2e") },
                    ],
                ),
                stage(
                    "deploy",
                    vec![
                        PlanJob { when: Some("manual".into()), ..job("staging") },
                        PlanJob {
                            held: Some("held: would deploy to production".into()),
                            environment: Some("production".into()),
                            reason: rule,
                            ..job("production")
                        },
                    ],
                ),
            ],
            slots: Some(Slots {
                pods: 8,
                runners: 2,
                concurrent: 4,
                fits: Some((10, "the node".into())),
                jobs: None,
            }),
            notes: vec!["`shop` is taken as a project of its own".into()],
            runner: vec![
                "a pod asks a real cluster for 2 CPU and 2148Mi, as limits without requests are requests"
                    .into(),
            ],
            unresolved: vec![(
                "scan".into(),
                "extends `.scan`, which no file that could be read defines".into(),
            )],
            left_out: vec![
                ("nightly".into(), "no rule matched".into()),
                ("pages".into(), "only: tags".into()),
            ],
            not_simulated: vec!["`release`".into(), "`id_tokens`".into()],
            dummies: vec!["CI_JOB_TOKEN".into()],
            filtered: None,
        }
    }

    #[test]
    fn a_plan_at_40_80_and_200_columns() {
        for width in [40, 80, 200] {
            let lines = lines(&plan(), &Theme::PLAIN, width);
            assert!(lines.iter().all(|line| text::width(line) <= width), "{lines:#?}");
            insta::assert_snapshot!(format!("plan_{width}"), lines.join("\n"));
        }
    }

    #[test]
    fn a_child_pipeline_stands_below_the_job_that_starts_it() {
        let job = |name: &str| PlanJob { name: name.into(), ..PlanJob::default() };
        let stage = |name: &str, jobs| PlanStage { name: name.into(), jobs };
        let inner = PlanJob { child: vec![stage("run", vec![job("notes")])], ..job("publish") };
        let trigger = |says: &str| Some(format!("child pipeline: {says}"));
        let child = vec![stage("test", vec![job("unit")]), stage("publish", vec![inner])];
        let known = PlanJob { trigger: trigger("4 jobs in 3 stages"), child, ..job("tests") };
        let made = PlanJob { trigger: trigger("known when `generate` has run"), ..job("docs") };
        let plan = Plan {
            title: "push to main, 5f2c01ab".into(),
            stages: vec![stage("start", vec![known, made, job("report")])],
            ..Plan::default()
        };
        insta::assert_snapshot!("plan_children", lines(&plan, &Theme::PLAIN, 80).join("\n"));
    }

    #[test]
    fn a_pipeline_that_does_not_exist_says_why() {
        let filtered = Some("no rule of `workflow` matched".into());
        let plan = Plan { title: "push to main, 5f2c01ab".into(), filtered, ..Plan::default() };
        insta::assert_snapshot!(lines(&plan, &Theme::PLAIN, 80).join("\n"), @r"
        push to main, 5f2c01ab
        no pipeline: no rule of `workflow` matched
        ");
    }

    #[test]
    fn the_limit_that_binds_stands_first() {
        let table = [
            ((8, 2, 4, Some(10), None), "8 pods at once: 2 runners x 4 (the node would fit 10)"),
            ((8, 2, 4, None, None), "8 pods at once: 2 runners x 4"),
            ((3, 2, 4, Some(3), None), "3 pods at once: what fits the node (2 runners x 4 would be 8)"),
            (
                (2, 2, 4, Some(10), Some(2)),
                "2 pods at once: --jobs 2 (2 runners x 4 would be 8, the node would fit 10)",
            ),
            ((1, 1, 1, Some(10), Some(5)), "1 pod at once: 1 runner x 1 (the node would fit 10)"),
        ];
        for ((pods, runners, concurrent, fits, jobs), sentence) in table {
            let fits = fits.map(|fits| (fits, "the node".to_owned()));
            assert_eq!(Slots { pods, runners, concurrent, fits, jobs }.sentence(), sentence);
        }
    }
}
