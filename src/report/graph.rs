//! The stages and needs of a pipeline as a picture: Mermaid, Graphviz or SVG.

mod svg;

pub use svg::svg;

/// A pipeline as it is drawn; `cli` fills it.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// What the pipeline is for.
    pub title: String,
    /// The stages in order.
    pub stages: Vec<String>,
    /// The jobs, by stage.
    pub jobs: Vec<Node>,
}

/// A job of a [`Graph`].
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Index of its stage.
    pub stage: usize,
    /// Indexes of the jobs it needs; absent where it waits for all earlier stages.
    pub needs: Option<Vec<usize>>,
    /// What starts it.
    pub start: Start,
    /// Whether it may fail.
    pub may_fail: bool,
    /// The child pipeline that it starts.
    pub child: Option<Child>,
}

/// The child pipeline of a [`Node`].
#[derive(Debug, Clone)]
pub enum Child {
    /// Its stages and needs.
    Known(Graph),
    /// Why it is not known before the run.
    Unknown(String),
}

/// What starts a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It starts by itself.
    Automatic,
    /// Somebody has to start it.
    Manual,
    /// podline holds it, as it would deploy or release.
    Held,
}

impl Node {
    /// What there is to say of it besides its name: `manual, may fail`.
    fn remark(&self) -> Option<String> {
        let start = match self.start {
            Start::Automatic => None,
            Start::Manual => Some("manual"),
            Start::Held => Some("held"),
        };
        let child = match &self.child {
            None => None,
            Some(Child::Known(_)) => Some("child pipeline".to_owned()),
            Some(Child::Unknown(why)) => Some(format!("child pipeline: {why}")),
        };
        let words = start.into_iter().chain(self.may_fail.then_some("may fail")).map(str::to_owned);
        let words: Vec<String> = words.chain(child).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn class(&self) -> &'static str {
        match (self.start, self.may_fail) {
            (Start::Manual, _) => "manual",
            (Start::Held, _) => "held",
            (Start::Automatic, true) => "mayfail",
            (Start::Automatic, false) => "job",
        }
    }
}

impl Graph {
    fn in_stage(&self, stage: usize) -> impl Iterator<Item = (usize, &Node)> {
        self.jobs.iter().enumerate().filter(move |(_, job)| job.stage == stage)
    }

    /// The child pipelines that are known, with the jobs that start them.
    fn children(&self) -> impl Iterator<Item = (usize, &Self)> {
        self.jobs.iter().enumerate().filter_map(|(at, job)| match &job.child {
            Some(Child::Known(graph)) => Some((at, graph)),
            _ => None,
        })
    }

    /// Needed and needing job of each edge.
    fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let of = |(at, job): (usize, &Node)| {
            let needs: Vec<usize> = job.needs.iter().flatten().copied().collect();
            needs.into_iter().map(move |need| (need, at))
        };
        self.jobs.iter().enumerate().flat_map(of)
    }
}

/// The graph for Mermaid, which GitLab shows in Markdown. Thick arrows are the order of stages, thin ones
/// needs, dotted ones lead to child pipelines.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = format!("---\ntitle: \"{}\"\n---\nflowchart LR\n", escaped(&graph.title));
    mermaid_body(graph, "", "  ", &mut out);
    out.push_str("  classDef manual stroke-dasharray:5 3\n");
    out.push_str("  classDef held stroke-dasharray:2 3\n");
    out.push_str("  classDef mayfail stroke:#c17d10\n");
    out
}

/// One pipeline of it; `path` makes the names of its parts unique.
fn mermaid_body(graph: &Graph, path: &str, indent: &str, out: &mut String) {
    let deeper = format!("{indent}  ");
    for (at, stage) in graph.stages.iter().enumerate() {
        out.push_str(&format!("{indent}subgraph {path}stage{at} [\"{}\"]\n", escaped(stage)));
        for (id, job) in graph.in_stage(at) {
            let remark =
                job.remark().map(|remark| format!("<br><i>{}</i>", escaped(&remark))).unwrap_or_default();
            let (name, class) = (escaped(&job.name), job.class());
            out.push_str(&format!("{deeper}{path}job{id}[\"{name}{remark}\"]:::{class}\n"));
        }
        out.push_str(&format!("{indent}end\n"));
    }
    for at in 1..graph.stages.len() {
        out.push_str(&format!("{indent}{path}stage{} ==> {path}stage{at}\n", at - 1));
    }
    for (from, to) in graph.edges() {
        out.push_str(&format!("{indent}{path}job{from} --> {path}job{to}\n"));
    }
    for (id, child) in graph.children() {
        let title = escaped(&child.title);
        out.push_str(&format!("{indent}subgraph {path}child{id} [\"{title}\"]\n"));
        mermaid_body(child, &format!("{path}child{id}_"), &deeper, out);
        out.push_str(&format!("{indent}end\n{indent}{path}job{id} -.-> {path}child{id}\n"));
    }
}

/// A text between quotes, as Mermaid takes it.
fn escaped(text: &str) -> String {
    let entity = |character: char| match character {
        '"' => "#quot;".to_owned(),
        '<' => "#lt;".to_owned(),
        '>' => "#gt;".to_owned(),
        '#' => "#35;".to_owned(),
        character if character.is_control() => " ".to_owned(),
        character => character.to_string(),
    };
    text.chars().map(entity).collect()
}

/// The graph for Graphviz.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph pipeline {\n  rankdir=LR\n  compound=true\n");
    out.push_str(&format!("  label={}\n  labelloc=t\n", quoted(&graph.title)));
    out.push_str("  node [shape=box style=rounded fontname=\"sans-serif\"]\n");
    dot_body(graph, "", "  ", &mut out);
    out.push_str("}\n");
    out
}

/// One pipeline of it; `path` makes the names of its parts unique.
fn dot_body(graph: &Graph, path: &str, indent: &str, out: &mut String) {
    let deeper = format!("{indent}  ");
    for (at, stage) in graph.stages.iter().enumerate() {
        out.push_str(&format!("{indent}subgraph cluster_{path}{at} {{\n{deeper}label={}\n", quoted(stage)));
        for (id, job) in graph.in_stage(at) {
            let remark = job.remark().map(|remark| format!("\n({remark})")).unwrap_or_default();
            let style = match job.start {
                Start::Automatic => "rounded",
                Start::Manual => "rounded,dashed",
                Start::Held => "rounded,dotted",
            };
            let label = quoted(&format!("{}{remark}", job.name));
            out.push_str(&format!("{deeper}{path}job{id} [label={label} style=\"{style}\"]\n"));
        }
        out.push_str(&format!("{indent}}}\n"));
    }
    let first = |graph: &Graph, stage: usize| graph.in_stage(stage).next().map(|(id, _)| id);
    for at in 1..graph.stages.len() {
        if let (Some(from), Some(to)) = (first(graph, at - 1), first(graph, at)) {
            let ends = format!("ltail=cluster_{path}{} lhead=cluster_{path}{at}", at - 1);
            out.push_str(&format!(
                "{indent}{path}job{from} -> {path}job{to} [{ends} style=bold color=gray]\n"
            ));
        }
    }
    for (from, to) in graph.edges() {
        out.push_str(&format!("{indent}{path}job{from} -> {path}job{to}\n"));
    }
    for (id, child) in graph.children() {
        let (name, label) = (format!("{path}child{id}"), quoted(&child.title));
        out.push_str(&format!(
            "{indent}subgraph cluster_{name} {{\n{deeper}label={label}\n{deeper}style=dashed\n"
        ));
        dot_body(child, &format!("{name}_"), &deeper, out);
        out.push_str(&format!("{indent}}}\n"));
        if let Some(first) = first(child, 0) {
            out.push_str(&format!(
                "{indent}{path}job{id} -> {name}_job{first} [lhead=cluster_{name} style=dotted]\n"
            ));
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn graph() -> Graph {
        let job = |name: &str, stage, needs: Option<&[usize]>| Node {
            name: name.to_owned(),
            stage,
            needs: needs.map(<[usize]>::to_vec),
            start: Start::Automatic,
            may_fail: false,
            child: None,
        };
        let known = Graph {
            title: "child pipeline of tests".to_owned(),
            stages: vec!["run".to_owned()],
            jobs: vec![job("fast", 0, None), job("slow", 0, Some(&[0]))],
        };
        let unknown = "known when `compile` has run".to_owned();
        Graph {
            title: "push to main, 5f2c01ab".to_owned(),
            stages: vec!["build".to_owned(), "test".to_owned(), "deploy".to_owned()],
            jobs: vec![
                job("compile", 0, None),
                Node { may_fail: true, ..job("docs & \"more\"", 0, Some(&[])) },
                job("unit: [stable, x86_64-unknown-linux-gnu]", 1, Some(&[0])),
                job("e2e", 1, None),
                Node { child: Some(Child::Known(known)), ..job("tests", 1, None) },
                Node { child: Some(Child::Unknown(unknown)), ..job("generated", 1, None) },
                Node { start: Start::Manual, ..job("staging", 2, Some(&[2, 0])) },
                Node { start: Start::Held, ..job("production", 2, None) },
            ],
        }
    }

    #[test]
    fn a_pipeline_for_mermaid() {
        insta::assert_snapshot!(mermaid(&graph()));
    }

    #[test]
    fn a_pipeline_for_graphviz() {
        insta::assert_snapshot!(dot(&graph()));
    }
}
