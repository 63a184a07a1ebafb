//! One job with the place each value comes from and why it is in the pipeline or not.

mod place;
mod rule;

pub use rule::{Clause, Rule};

use super::{
    text,
    theme::{Label, Look, Theme},
};
use crate::mask::Mask;
use place::Place;

/// A job as it is explained; `cli` fills it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Explained {
    /// Its name, of the instance that is explained.
    pub name: String,
    /// What the pipeline is for, for instance `push to main, 5f2c01ab`.
    pub pipeline: String,
    /// Whether it is in, and what that means.
    pub standing: Standing,
    /// The other instances of a parallel job.
    pub others: Vec<String>,
    /// Rules of `workflow`, where they decide.
    pub workflow: Vec<Rule>,
    /// Its rules, or what `only` and `except` ask.
    pub rules: Vec<Rule>,
    /// What there is to know of it as it would run: stage, image, limits.
    pub facts: Vec<Fact>,
    /// What it needs; absent where it waits for all earlier stages.
    pub needs: Option<Vec<Need>>,
    /// Its variables, without those that GitLab sets and nothing mentions.
    pub variables: Vec<Variable>,
    /// How many variables of GitLab's are not listed.
    pub unlisted_variables: usize,
    /// Variables of the project's settings that it does not have, each with the reason.
    pub withheld: Vec<(String, String)>,
    /// Its effective configuration, line by line.
    pub yaml: Vec<Line>,
}

/// Whether a job is in the pipeline.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "standing", content = "reason")]
pub enum Standing {
    /// It is in.
    #[default]
    Present,
    /// It is in, and podline does not start it by itself.
    Held(String),
    /// It is not in, with the reason.
    LeftOut(String),
    /// It cannot be built, with what is missing.
    Unresolved(String),
    /// It is a template for others, with what to know of that.
    Hidden(String),
}

/// A fact and what it is about.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Fact {
    /// What it is about: `image`.
    pub name: &'static str,
    /// The fact.
    pub value: String,
}

/// One of `needs`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Need {
    /// The needed job.
    pub name: String,
    /// Whether it is there.
    pub is_present: bool,
    /// What it comes to: `in stage build`, `left out: no rule matched`.
    pub state: String,
    /// Where it was written.
    pub place: Option<String>,
}

/// A variable.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, expanded; absent where it is masked.
    pub value: Option<String>,
    /// Whether the job sees the path of a file that has the value.
    pub file: bool,
    /// Whether references in the value are left alone.
    pub raw: bool,
    /// Where it comes from: `job`, `command line`, `podline.toml for production`.
    pub origin: String,
    /// The place, where it is in a file.
    pub place: Option<String>,
    /// What it overrode, nearest first: the origin and the value, which is empty where it is masked.
    pub overrode: Vec<(String, String)>,
}

/// A line of YAML.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Line {
    /// The line.
    pub text: String,
    /// The top-level key that it comes from, where that is not the job itself: `default`, `.base`.
    pub from: Option<String>,
    /// `file:line` that it comes from.
    pub place: Option<String>,
}

impl Explained {
    /// Hides the values that nobody may see, before anything is cut or wrapped.
    pub fn hide(&mut self, mask: &Mask) {
        if mask.is_empty() {
            return;
        }
        for text in self.texts() {
            *text = mask.text(text);
        }
    }

    /// All texts that may have a value in them.
    fn texts(&mut self) -> Vec<&mut String> {
        let mut texts = vec![&mut self.name, &mut self.pipeline];
        texts.extend(self.others.iter_mut());
        for rule in self.workflow.iter_mut().chain(&mut self.rules) {
            texts.extend(rule.sets.iter_mut());
            for clause in &mut rule.clauses {
                texts.extend([&mut clause.text, &mut clause.meaning]);
                texts.extend(clause.parts.iter_mut().flat_map(|part| part.value.iter_mut()));
            }
        }
        texts.extend(self.facts.iter_mut().map(|fact| &mut fact.value));
        texts.extend(self.needs.iter_mut().flatten().flat_map(|need| [&mut need.name, &mut need.state]));
        for variable in &mut self.variables {
            texts.extend(variable.value.iter_mut());
            texts.extend(variable.overrode.iter_mut().map(|(_, value)| value));
        }
        texts.extend(self.yaml.iter_mut().map(|line| &mut line.text));
        match &mut self.standing {
            Standing::Present => {}
            Standing::Held(reason)
            | Standing::LeftOut(reason)
            | Standing::Unresolved(reason)
            | Standing::Hidden(reason) => texts.push(reason),
        }
        texts
    }
}

/// The lines that explain a job.
pub fn lines(explained: &Explained, theme: &Theme, width: usize) -> Vec<String> {
    let mut lines = title(explained, theme, width);
    lines.extend(section("workflow", rule::lines(&explained.workflow, theme, width), theme));
    lines.extend(section("rules", rule::lines(&explained.rules, theme, width), theme));
    lines.extend(section("as it would run", facts(explained, theme, width), theme));
    lines.extend(section("needs", needs(explained, theme, width), theme));
    lines.extend(section("variables", variables(explained, theme, width), theme));
    lines.extend(section("effective configuration", yaml(explained, theme, width), theme));
    lines
}

fn section(title: &str, content: Vec<String>, theme: &Theme) -> Vec<String> {
    if content.is_empty() {
        return content;
    }
    [String::new(), theme.paint(Label::Strong, title)].into_iter().chain(content).collect()
}

fn title(explained: &Explained, theme: &Theme, width: usize) -> Vec<String> {
    let (look, says, reason) = match &explained.standing {
        Standing::Present => (Look::Success, "is in the pipeline", None),
        Standing::Held(reason) => (Look::Manual, "is in the pipeline, held", Some(reason)),
        Standing::LeftOut(reason) => (Look::Skipped, "is left out of the pipeline", Some(reason)),
        Standing::Unresolved(reason) => (Look::Failed, "cannot be resolved", Some(reason)),
        Standing::Hidden(reason) => (Look::Skipped, "is hidden: it never runs itself", Some(reason)),
    };
    let name = theme.paint(Label::Strong, text::bare(&explained.name));
    let mut lines = vec![text::cut(&format!("{} {name} {says}", theme.mark(look)), width, theme)];
    if let Some(reason) = reason {
        lines.extend(text::hang("  ", reason, width));
    }
    let of = theme.paint(Label::Muted, text::cut(&explained.pipeline, width.saturating_sub(2), theme));
    lines.push(format!("  {of}"));
    if !explained.others.is_empty() {
        let others = explained.others.join(", ");
        lines.extend(text::hang(&theme.paint(Label::Muted, "  other instances: "), &others, width));
    }
    lines
}

fn facts(explained: &Explained, theme: &Theme, width: usize) -> Vec<String> {
    let column = explained.facts.iter().map(|fact| fact.name.len()).max().unwrap_or(0);
    let fact = |fact: &Fact| {
        let head = format!("  {}  ", theme.paint(Label::Muted, text::pad(fact.name, column)));
        text::hang(&head, &text::bare(&fact.value), width)
    };
    explained.facts.iter().flat_map(fact).collect()
}

fn needs(explained: &Explained, theme: &Theme, width: usize) -> Vec<String> {
    let Some(needs) = &explained.needs else { return Vec::new() };
    if needs.is_empty() {
        return vec!["  nothing: it starts at once".to_owned()];
    }
    let rows = needs.iter().map(|need| {
        let look = if need.is_present { Look::Success } else { Look::Skipped };
        let state = theme.paint(Label::Muted, format!("  {}", need.state));
        let need_name = text::bare(&need.name);
        (format!("  {} {need_name}{state}", theme.mark(look)), Place::of(need.place.as_deref()))
    });
    beside(rows.collect(), theme, width)
}

fn variables(explained: &Explained, theme: &Theme, width: usize) -> Vec<String> {
    let names = explained.variables.iter().map(|variable| variable.name.len());
    let column = names.filter(|width_of| *width_of <= width / 3).max().unwrap_or(0);
    let mut rows = Vec::new();
    for variable in &explained.variables {
        let mut value = value(variable, theme);
        if variable.raw {
            value.push_str(&theme.paint(Label::Muted, " (raw)"));
        }
        rows.push((
            format!("  {}  {value}", text::pad(&variable.name, column)),
            Place { origin: variable.origin.clone(), ..Place::of(variable.place.as_deref()) },
        ));
        for (origin, value) in &variable.overrode {
            let value = match variable.value {
                Some(_) => one_line(value),
                None => "a masked value".to_owned(),
            };
            let over = theme.paint(Label::Muted, format!("over {value}"));
            let origin = Place { origin: origin.clone(), ..Place::default() };
            rows.push((format!("  {}  {over}", text::pad("", column)), origin));
        }
    }
    let mut lines = beside(rows, theme, width);
    if explained.unlisted_variables > 0 {
        let more = format!("and {} more that GitLab sets", explained.unlisted_variables);
        lines.push(format!("  {}", theme.paint(Label::Muted, more)));
    }
    for (name, reason) in &explained.withheld {
        let name = theme.paint(Label::Muted, format!("  not here: {name}, "));
        lines.extend(text::hang(&name, reason, width));
    }
    lines
}

fn value(variable: &Variable, theme: &Theme) -> String {
    match &variable.value {
        None if variable.file => theme.paint(Label::Muted, "(a file, masked)"),
        None => theme.paint(Label::Muted, "(masked)"),
        Some(value) if variable.file => {
            let size = text::count(value.lines().count(), "line");
            theme.paint(Label::Muted, format!("(a file of {size})"))
        }
        Some(value) if value.is_empty() => theme.paint(Label::Muted, "(empty)"),
        Some(value) => one_line(value),
    }
}

fn one_line(value: &str) -> String {
    text::bare(&value.replace('\n', "\\n"))
}

fn yaml(explained: &Explained, theme: &Theme, width: usize) -> Vec<String> {
    let row = |line: &Line| {
        let from = line.from.clone().unwrap_or_default();
        (format!("  {}", text::bare(&line.text)), Place { from, ..Place::of(line.place.as_deref()) })
    };
    beside(explained.yaml.iter().map(row).collect(), theme, width)
}

/// Rows with a muted column on the right, close to the longest row and cut to the width.
fn beside(rows: Vec<(String, Place)>, theme: &Theme, width: usize) -> Vec<String> {
    let longest = |sides: &mut dyn Iterator<Item = usize>| sides.max().unwrap_or(0);
    let right = longest(&mut rows.iter().map(|(_, right)| right.width())).min(width * 2 / 5);
    let room = width.saturating_sub(if right == 0 { 0 } else { right + 2 });
    let left = longest(&mut rows.iter().map(|(left, _)| text::width(left))).min(room);
    let row = |(text, place): (String, Place)| {
        let text = text::pad(&text::cut(&text, left, theme), left);
        let place = theme.paint(Label::Muted, place.shown(right, theme));
        format!("{text}  {place}").trim_end().to_owned()
    };
    rows.into_iter().map(row).collect()
}
