//! `extends`, as GitLab's `Config::Extendable`: parents merge in order, the job over them all.

use std::collections::{HashMap, HashSet, VecDeque};

use indexmap::IndexMap;

use super::{
    Diagnostic, Diagnostics, Span, Spanned,
    diagnostic::some_of,
    gap::{GLOBAL_KEYWORDS, Gaps},
    merge::deep_merge,
    node::{Kind, Mapping, Node},
    yaml::Budget,
};

/// The keywords that give a job something to do.
const RUNS: [&str; 3] = ["script", "run", "trigger"];

/// Longest chain of `extends` (`MAX_NESTING_LEVELS`: eleven levels of inheritance).
const MAX_LEVELS: usize = 11;

/// Applies `extends` to every top-level mapping that has it, and takes the keyword away.
pub(super) fn resolve(
    root: &mut Mapping,
    gaps: &mut Gaps,
    budget: &mut Budget,
    diagnostics: &mut Diagnostics,
) {
    let mut extenders = Extenders::read(root, diagnostics);
    extenders.check(root, gaps, diagnostics);
    let (order, left) = extenders.order();
    for name in &order {
        extenders.apply(name, root, budget, diagnostics);
    }
    extenders.refuse_cycles(&left, diagnostics);
    extenders.settle_lacking(root, diagnostics);
    gaps.remove(root, extenders.failed, diagnostics);
}

/// The mappings that extend others.
struct Extenders {
    /// The parents of each, in order.
    parents: HashMap<String, Vec<Spanned<String>>>,
    /// Names in the order of the tree.
    names: Vec<String>,
    /// How many levels each has below it, once it is applied.
    levels: HashMap<String, usize>,
    /// Those that cannot be built, with the reason.
    failed: HashMap<String, String>,
    /// Those that are built without a parent that only a missing include may define.
    lacking: HashMap<String, Lack>,
}

/// What a mapping is built without.
#[derive(Clone)]
struct Lack {
    /// The parent that is missing, where it is named first.
    parent: Spanned<String>,
    /// How it is missed: ``extends `.a`, which extends `.b`, which ...``.
    reason: String,
}

impl Extenders {
    /// Takes `extends` out of the mappings.
    fn read(root: &mut Mapping, diagnostics: &mut Diagnostics) -> Self {
        let mut extenders = Self {
            parents: HashMap::new(),
            names: Vec::new(),
            levels: HashMap::new(),
            failed: HashMap::new(),
            lacking: HashMap::new(),
        };
        for (name, entry) in root.iter_mut() {
            let Kind::Mapping(mapping) = &mut entry.value.kind else { continue };
            let Some(extends) = mapping.remove("extends") else { continue };
            let parents = parents(&extends.value, diagnostics).unwrap_or_else(|| {
                extenders.failed.insert(name.to_owned(), "has an `extends` that cannot be read".to_owned());
                Vec::new()
            });
            extenders.names.push(name.to_owned());
            extenders.parents.insert(name.to_owned(), parents);
        }
        extenders
    }

    /// Finds parents that are not there, or nothing to extend.
    fn check(&mut self, root: &Mapping, gaps: &Gaps, diagnostics: &mut Diagnostics) {
        for name in &self.names {
            for parent in &self.parents[name] {
                let reason = match root.get(parent) {
                    Some(node) if node.as_mapping().is_some() => continue,
                    Some(node) => {
                        let message = format!("`{name}` extends `{}`, which is not a mapping", parent.value);
                        diagnostics.push(
                            Diagnostic::error("invalid-extends", message, parent.span)
                                .related(node.span, "this is extended"),
                        );
                        format!("extends `{}`, which is not a mapping", parent.value)
                    }
                    None if gaps.is_incomplete => {
                        let reason =
                            format!("extends `{}`, which no file that could be read defines", parent.value);
                        let lack = Lack { parent: parent.clone(), reason };
                        self.lacking.entry(name.clone()).or_insert(lack);
                        continue;
                    }
                    None => {
                        let found = missing(name, parent, root, diagnostics);
                        diagnostics.push(found);
                        format!("extends `{}`, which does not exist", parent.value)
                    }
                };
                self.failed.entry(name.clone()).or_insert(reason);
            }
        }
    }

    /// The names so that parents come before those that extend them, and those left in or above a
    /// circle.
    fn order(&self) -> (Vec<String>, Vec<String>) {
        let mut waits_for: HashMap<&str, usize> = HashMap::new();
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        for name in &self.names {
            let distinct: HashSet<&str> = self.parents[name]
                .iter()
                .map(|parent| parent.value.as_str())
                .filter(|parent| self.parents.contains_key(*parent))
                .collect();
            waits_for.insert(name, distinct.len());
            for parent in distinct {
                children.entry(parent).or_default().push(name);
            }
        }
        let mut ready: VecDeque<&str> =
            self.names.iter().map(String::as_str).filter(|name| waits_for[name] == 0).collect();
        let mut order = Vec::with_capacity(self.names.len());
        while let Some(name) = ready.pop_front() {
            order.push(name.to_owned());
            for child in children.get(name).into_iter().flatten() {
                if let Some(count) = waits_for.get_mut(child) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(child);
                    }
                }
            }
        }
        let left = self.names.iter().filter(|name| waits_for[name.as_str()] > 0).cloned().collect();
        (order, left)
    }

    /// Merges one mapping over its parents, which are complete.
    fn apply(&mut self, name: &str, root: &mut Mapping, budget: &mut Budget, diagnostics: &mut Diagnostics) {
        if self.failed.contains_key(name) {
            return;
        }
        let parents = &self.parents[name];
        if let Some(parent) = parents.iter().find(|parent| self.failed.contains_key(&parent.value)) {
            let reason = format!("extends `{}`, which {}", parent.value, self.failed[&parent.value]);
            self.failed.insert(name.to_owned(), reason);
            return;
        }
        if let Some((parent, lack)) =
            parents.iter().find_map(|parent| Some((parent, self.lacking.get(&parent.value)?.clone())))
        {
            let reason = format!("extends `{}`, which {}", parent.value, lack.reason);
            self.lacking.entry(name.to_owned()).or_insert(Lack { reason, ..lack });
        }
        let below = parents.iter().map(|parent| self.levels.get(&parent.value).copied().unwrap_or(0));
        let levels = below.max().map_or(0, |below| below + 1);
        self.levels.insert(name.to_owned(), levels);
        if levels > MAX_LEVELS
            && let Some(parent) = parents.first()
        {
            diagnostics.push(
                Diagnostic::error(
                    "extends-depth",
                    format!("`{name}` extends through more than {MAX_LEVELS} levels"),
                    parent.span,
                )
                .help("extend a base closer to the end of the chain"),
            );
            self.failed.insert(name.to_owned(), format!("extends through more than {MAX_LEVELS} levels"));
            return;
        }
        if let Some(span) = merge_over_parents(name, parents, root, budget) {
            diagnostics.push(too_big(span));
            self.failed.insert(name.to_owned(), "extends more than fits".to_owned());
        }
    }

    /// A job that has something to run of its own is kept, with a warning that says what it lacks; any other
    /// is unresolved.
    fn settle_lacking(&mut self, root: &Mapping, diagnostics: &mut Diagnostics) {
        let mut kept: IndexMap<String, (Span, Vec<String>)> = IndexMap::new();
        for (name, entry) in root.iter().filter(|(name, _)| !name.starts_with('.')) {
            let Some(lack) = self.lacking.get(name).filter(|_| !self.failed.contains_key(name)) else {
                continue;
            };
            let runs = |job: &Mapping| RUNS.iter().any(|keyword| job.get(keyword).is_some());
            if !GLOBAL_KEYWORDS.contains(&name) && entry.value.as_mapping().is_some_and(runs) {
                let (_, jobs) =
                    kept.entry(lack.parent.value.clone()).or_insert((lack.parent.span, Vec::new()));
                jobs.push(name.to_owned());
            } else {
                self.failed.insert(name.to_owned(), lack.reason.clone());
            }
        }
        for (parent, (span, jobs)) in kept {
            let message =
                format!("no file that could be read defines `{parent}`, the base of {}", some_of(&jobs));
            let help = "what it would add is missing here: its rules, image and variables, for instance";
            diagnostics.push(Diagnostic::warning("unresolved-extends", message, span).help(help));
        }
    }

    /// Names each circle once; what extends into it fails with it.
    fn refuse_cycles(&mut self, left: &[String], diagnostics: &mut Diagnostics) {
        let left_names: HashSet<&str> = left.iter().map(String::as_str).collect();
        // All that is left waits for something that is left, so a walk along parents ends in a circle.
        let next = |name: &str| {
            let parents = self.parents[name].iter();
            parents.map(|parent| parent.value.as_str()).find(|parent| left_names.contains(parent))
        };
        let mut seen: HashSet<&str> = HashSet::new();
        for start in left {
            let mut path = Vec::new();
            let mut at = start.as_str();
            while seen.insert(at) {
                path.push(at);
                let Some(parent) = next(at) else { break };
                at = parent;
            }
            if let Some(begin) = path.iter().position(|name| *name == at) {
                diagnostics.push(self.circular(&path[begin..]));
            }
        }
        for name in left {
            self.failed.entry(name.clone()).or_insert_with(|| "extends in a circle".to_owned());
        }
    }

    /// What is wrong with names of which each extends the next, and the last the first.
    fn circular(&self, circle: &[&str]) -> Diagnostic {
        let (first, second) = (circle[0], circle[1 % circle.len()]);
        let parent = self.parents[first].iter().find(|parent| parent.value == second);
        let chain: Vec<_> = circle[1..].iter().chain([&first]).map(|name| format!("`{name}`")).collect();
        let message = format!("`{first}` extends {}", chain.join(", which extends "));
        Diagnostic::error("circular-extends", message, parent.map(|parent| parent.span))
            .help("remove one of these `extends`")
    }
}

/// Reads the value of `extends`. `None` if it is nothing that names parents.
fn parents(value: &Node, diagnostics: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    let items = match &value.kind {
        Kind::Sequence(items) => items.as_slice(),
        _ if value.is_null() => &[],
        _ => std::slice::from_ref(value),
    };
    let names: Option<Vec<_>> = items
        .iter()
        .map(|item| item.as_scalar().map(|scalar| Spanned::new(scalar.to_string(), item.span)))
        .collect();
    if names.is_none() {
        diagnostics.push(
            Diagnostic::error("invalid-extends", "`extends` takes a name or a list of names", value.span)
                .help("`!reference` and nested lists cannot be used here"),
        );
    }
    names
}

/// Merges; gives the place of the parent that does not fit any more.
fn merge_over_parents(
    name: &str,
    parents: &[Spanned<String>],
    root: &mut Mapping,
    budget: &mut Budget,
) -> Option<Span> {
    let mut merged = Mapping::default();
    for parent in parents {
        let Some(node) = root.get(parent) else { continue };
        if budget.spend_copy(node).is_err() {
            return Some(parent.span);
        }
        let Some(mapping) = node.as_mapping() else { continue };
        if merged.is_empty() {
            merged = mapping.clone();
        } else {
            deep_merge(&mut merged, mapping.clone());
        }
    }
    if let Some(Kind::Mapping(own)) = root.get_mut(name).map(|node| &mut node.kind) {
        deep_merge(&mut merged, std::mem::take(own));
        *own = merged;
    }
    None
}

fn missing(
    name: &str,
    parent: &Spanned<String>,
    root: &Mapping,
    diagnostics: &mut Diagnostics,
) -> Diagnostic {
    let message = format!("`{name}` extends `{}`, which does not exist", parent.value);
    let help = match diagnostics.nearest(parent, root.keys()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "define it in this file or in one that is included".to_owned(),
    };
    Diagnostic::error("unknown-extends", message, parent.span).help(help)
}

/// Says that copies of a large part exceed what a configuration may be.
pub(super) fn too_big(span: Span) -> Diagnostic {
    Diagnostic::error("config-too-big", "the configuration grows too big here", span)
        .help("GitLab limits the size of a whole configuration; use fewer copies of large parts")
}

#[cfg(test)]
mod tests {
    use crate::config::fixture::{job, project};

    #[test]
    fn a_job_merges_over_its_parents() {
        let base = ".a:\n  image: a\n  variables: {X: ax, Y: ay}\n  script: [a1, a2]\n.b:\n  image: b\n  variables: {Y: by}\n";
        let table = [
            ("job: {extends: .a}", "image: a, variables: {X: ax, Y: ay}, script: [a1, a2]"),
            // Mappings merge, lists and scalars replace.
            ("job: {extends: .a, script: [own]}", "image: a, variables: {X: ax, Y: ay}, script: [own]"),
            (
                "job: {extends: .a, variables: {Y: own}}",
                "image: a, variables: {X: ax, Y: own}, script: [a1, a2]",
            ),
            // Of several parents, the last wins.
            ("job: {extends: [.a, .b]}", "image: b, variables: {X: ax, Y: by}, script: [a1, a2]"),
            ("job: {extends: [.b, .a]}", "image: a, variables: {Y: ay, X: ax}, script: [a1, a2]"),
            // `null` replaces; an empty mapping merges to what is below.
            ("job: {extends: .a, variables: null}", "image: a, variables: null, script: [a1, a2]"),
            ("job: {extends: .a, variables: {}}", "image: a, variables: {X: ax, Y: ay}, script: [a1, a2]"),
            (
                "job: {extends: .a, variables: {X: null}}",
                "image: a, variables: {X: null, Y: ay}, script: [a1, a2]",
            ),
            ("job: {extends: [], script: [own]}", "script: [own]"),
            ("job: {extends: .c}\n.c: {extends: .b, image: c}", "image: c, variables: {Y: by}"),
            (
                "job: {extends: other}\nother: {extends: .b, tags: [t]}",
                "image: b, variables: {Y: by}, tags: [t]",
            ),
            // A reference is a leaf that replaces what it stands over.
            (
                "job: {extends: .a, variables: !reference [.b, variables]}",
                "image: a, variables: {Y: by}, script: [a1, a2]",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(job(&format!("{base}{text}")), job(&format!("job: {{{expected}}}")), "{text}");
        }
    }

    #[test]
    fn eleven_levels_are_as_many_as_gitlab_takes() {
        let chain = |levels: usize| -> String {
            let links = (1..=levels).map(|level| format!(".l{level}: {{extends: .l{}}}\n", level - 1));
            format!(".l0: {{script: a}}\n{}", links.collect::<String>())
        };
        assert_eq!(project(&chain(11)).problems(), [""; 0]);
        assert_eq!(
            project(&chain(12)).problems(),
            [
                "ci.yml:13:17 extends-depth: `.l12` extends through more than 11 levels\n    extend a base closer to the end of the chain"
            ]
        );
        assert_eq!(project(&chain(500)).problems().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_once_and_with_its_place() {
        let text = "
.base: {script: a}
.list: [a]
one: {extends: .bsae}
two: {extends: [.base, .list]}
three: {extends: one}
four: {extends: {a: b}}
five: {extends: six}
six: {extends: seven}
seven: {extends: six}
eight: {extends: eight}
";
        let reading = project(text).read();
        insta::assert_snapshot!(reading.problems().join("\n"), @r###"
    ci.yml:7:17 invalid-extends: `extends` takes a name or a list of names
        `!reference` and nested lists cannot be used here
    ci.yml:4:16 unknown-extends: `one` extends `.bsae`, which does not exist
        did you mean `.base`?
    ci.yml:5:24 invalid-extends: `two` extends `.list`, which is not a mapping
    ci.yml:9:16 circular-extends: `six` extends `seven`, which extends `six`
        remove one of these `extends`
    ci.yml:11:18 circular-extends: `eight` extends `eight`
        remove one of these `extends`
    "###);
        insta::assert_snapshot!(reading.unresolved().join("\n"), @r###"
    one: extends `.bsae`, which does not exist
    two: extends `.list`, which is not a mapping
    three: extends `one`, which extends `.bsae`, which does not exist
    four: has an `extends` that cannot be read
    five: extends in a circle
    six: extends in a circle
    seven: extends in a circle
    eight: extends in a circle
    "###);
        assert_eq!(reading.yaml(), ".base:\n  script: a\n.list:\n  - a\n");
    }

    #[test]
    fn what_an_unavailable_include_may_define_is_unresolved() {
        let text = "include: {project: g/p, file: a.yml}\n.a: {extends: .there}\njob: {extends: .a}\nother: {script: a}\ndefault: {extends: .there}";
        let reading = project(text).read();
        insta::assert_snapshot!(reading.problems().join("\n"), @r###"
        ci.yml:1:31 include-unavailable: the include `g/p:a.yml` cannot be had: it lives elsewhere
            what it defines is unknown here; map a checkout of it
        ci.yml:5:1 unresolved-keyword: `default` is left out, as it extends `.there`, which no file that could be read defines
            jobs may differ from those on GitLab
        "###);
        assert_eq!(
            reading.unresolved(),
            ["job: extends `.a`, which extends `.there`, which no file that could be read defines"]
        );
        assert_eq!(reading.yaml(), ".a: {}\nother:\n  script: a\n");
    }

    #[test]
    fn a_job_with_a_script_of_its_own_is_kept_without_what_is_missing() {
        let text = "
include: {project: g/p, file: a.yml}
.a: {extends: .there, image: a}
one: {extends: [.a, .gone], script: x}
two: {extends: one}
three: {extends: .gone, trigger: g/p}
";
        let reading = project(text).read();
        let warnings = reading.problems().split_off(1).join("\n");
        insta::assert_snapshot!(warnings, @r"
    ci.yml:4:21 unresolved-extends: no file that could be read defines `.gone`, the base of `one`, `two` and `three`
        what it would add is missing here: its rules, image and variables, for instance
    ");
        assert_eq!(reading.unresolved(), [""; 0]);
        assert!(reading.yaml().contains("two:\n  image: a\n  script: x\n"), "{}", reading.yaml());
    }

    #[test]
    fn copies_of_a_large_part_are_limited() {
        let base = format!(".base: {{variables: {{A: {}}}}}\n", "a".repeat(1 << 20));
        let jobs: String = (0..1000).map(|job| format!("job{job}: {{extends: .base}}\n")).collect();
        let problems = project(&format!("{base}{jobs}")).problems();
        assert!(problems[0].contains("config-too-big"), "{problems:?}");
    }
}
