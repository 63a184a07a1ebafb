//! `!reference`, as GitLab's `Config::Yaml::Tags`: after `extends`, on the merged tree.

use std::collections::{HashMap, HashSet};

use super::{
    Diagnostic, Diagnostics, Span, Spanned,
    extends::too_big,
    gap::{GLOBAL_KEYWORDS, Gaps},
    node::{Kind, Mapping, Node},
    yaml::Budget,
};

/// Deepest chain of references.
const MAX_DEPTH: usize = 10;

/// Keywords whose lists GitLab flattens (`Entry::Commands`, `ComposableArray`), so that a reference in
/// one adds its items.
const FLATTENED: [&str; 9] = [
    "script",
    "before_script",
    "after_script",
    "pre_get_sources_script",
    "rules",
    "cache",
    "needs",
    "services",
    "stages",
];

/// Replaces every `!reference` by what it refers to.
pub(super) fn resolve(
    root: &mut Mapping,
    gaps: &mut Gaps,
    budget: &mut Budget,
    diagnostics: &mut Diagnostics,
) {
    let mut resolver = Resolver { root, gaps, budget, diagnostics, reported: HashSet::new(), reason: None };
    let mut resolved: Vec<(String, Node)> = Vec::new();
    let mut failed: HashMap<String, String> = HashMap::new();
    let mut failed_parts: Vec<(String, String, String)> = Vec::new();
    for (name, entry) in root.iter() {
        if !has_reference(&entry.value) {
            continue;
        }
        let parts = entry.value.as_mapping().filter(|_| GLOBAL_KEYWORDS.contains(&name));
        if let Some(parts) = parts {
            let mut whole = Mapping::default();
            for (key, part) in parts.iter() {
                let node = resolver.node(&part.value, FLATTENED.contains(&key), &mut Vec::new());
                if let Some(reason) = resolver.reason.take() {
                    failed_parts.push((name.to_owned(), key.to_owned(), reason));
                }
                whole.insert(key, part.key, node);
            }
            resolved.push((name.to_owned(), Node::mapping(whole, entry.value.span)));
            continue;
        }
        let node = resolver.node(&entry.value, FLATTENED.contains(&name), &mut Vec::new());
        match resolver.reason.take() {
            Some(reason) => {
                failed.insert(name.to_owned(), reason);
            }
            None => resolved.push((name.to_owned(), node)),
        }
    }
    for (name, node) in resolved {
        if let Some(place) = root.get_mut(&name) {
            *place = node;
        }
    }
    for (keyword, part, reason) in failed_parts {
        Gaps::remove_part(root, (&keyword, &part), &reason, diagnostics);
    }
    gaps.remove(root, failed, diagnostics);
}

/// Whether there is a `!reference` in a node.
fn has_reference(node: &Node) -> bool {
    match &node.kind {
        Kind::Reference(_) => true,
        Kind::Sequence(items) => items.iter().any(has_reference),
        Kind::Mapping(mapping) => mapping.iter().any(|(_, entry)| has_reference(&entry.value)),
        Kind::Scalar(_) => false,
    }
}

struct Resolver<'a> {
    root: &'a Mapping,
    gaps: &'a Gaps,
    budget: &'a mut Budget,
    diagnostics: &'a mut Diagnostics,
    /// References that are reported already; many jobs may extend the mapping that has one.
    reported: HashSet<Span>,
    /// Why what is being resolved cannot be, if so.
    reason: Option<String>,
}

/// The references on the way to a node, outermost first.
type Chain<'a> = Vec<&'a [Spanned<String>]>;

impl<'a> Resolver<'a> {
    /// A copy of a node without references. In a list that is flattened, items are spliced.
    fn node(&mut self, node: &'a Node, is_flattened: bool, chain: &mut Chain<'a>) -> Node {
        let kind = match &node.kind {
            Kind::Reference(path) => return self.target(path, node.span, is_flattened, chain),
            Kind::Sequence(items) => Kind::Sequence(self.items(items, is_flattened, chain)),
            Kind::Mapping(mapping) => {
                let mut copy = mapping.clone();
                for (key, entry) in mapping.iter().filter(|(_, entry)| has_reference(&entry.value)) {
                    let value = self.node(&entry.value, FLATTENED.contains(&key), chain);
                    copy.insert(key, entry.key, value);
                }
                Kind::Mapping(copy)
            }
            Kind::Scalar(scalar) => Kind::Scalar(scalar.clone()),
        };
        Node { kind, span: node.span }
    }

    fn items(&mut self, items: &'a [Node], is_flattened: bool, chain: &mut Chain<'a>) -> Vec<Node> {
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            let is_reference = matches!(item.kind, Kind::Reference(_));
            let node = self.node(item, is_flattened, chain);
            match node.kind {
                Kind::Sequence(spliced) if is_flattened && is_reference => all.extend(spliced),
                kind => all.push(Node { kind, span: node.span }),
            }
        }
        all
    }

    /// What a reference stands for; `null` and a reason if it cannot be had.
    fn target(
        &mut self,
        path: &'a [Spanned<String>],
        span: Span,
        is_flattened: bool,
        chain: &mut Chain<'a>,
    ) -> Node {
        let names: Vec<_> = path.iter().map(|part| part.value.as_str()).collect();
        let shown = format!("!reference [{}]", names.join(", "));
        if chain.iter().any(|outer| outer.iter().map(|part| part.value.as_str()).eq(names.iter().copied())) {
            let found =
                Diagnostic::error("circular-reference", format!("`{shown}` leads back to itself"), span);
            return self.fail(found, format!("has a `{shown}` that leads back to itself"));
        }
        if chain.len() >= MAX_DEPTH {
            let message = format!("references are nested deeper than {MAX_DEPTH} levels");
            let found = Diagnostic::error("reference-depth", message, span);
            return self.fail(found, format!("nests references deeper than {MAX_DEPTH} levels"));
        }
        let target = match self.find(path) {
            Ok(target) => target,
            Err(Missing::Elsewhere) => {
                let reason = format!("has `{shown}`, which no file that could be read defines");
                self.reason.get_or_insert(reason);
                return Node::null(span);
            }
            Err(Missing::Here(found)) => {
                return self.fail(*found, format!("has `{shown}`, which does not exist"));
            }
        };
        if self.budget.spend_copy(target).is_err() {
            return self.fail(too_big(span), "refers to more than fits".to_owned());
        }
        chain.push(path);
        let node = self.node(target, is_flattened, chain);
        chain.pop();
        node
    }

    fn fail(&mut self, found: Diagnostic, reason: String) -> Node {
        let span = found.span;
        if span.is_none_or(|span| self.reported.insert(span)) {
            self.diagnostics.push(found);
        }
        self.reason.get_or_insert(reason);
        // The tree goes on with nothing in this place; its job is taken out.
        Node::null(span.expect("these diagnostics have a place"))
    }

    /// Goes down the tree. As in Ruby's `dig`, `null` and `false` are as good as missing.
    fn find(&mut self, path: &'a [Spanned<String>]) -> Result<&'a Node, Missing> {
        let mut at: Option<&'a Node> = None;
        for part in path {
            let inside = match at {
                None => Some(self.root),
                Some(node) => node.as_mapping(),
            };
            at = inside.and_then(|mapping| mapping.get(part));
            if at.is_none() {
                return Err(self.missing(path, part, inside));
            }
        }
        match at {
            Some(node) if !node.is_null() && node.as_bool() != Some(false) => Ok(node),
            _ => Err(self.missing(path, &path[path.len() - 1], None)),
        }
    }

    fn missing(
        &mut self,
        path: &[Spanned<String>],
        part: &Spanned<String>,
        inside: Option<&Mapping>,
    ) -> Missing {
        if self.gaps.is_incomplete || self.gaps.is_removed(&path[0]) {
            return Missing::Elsewhere;
        }
        let names: Vec<_> = path.iter().map(|part| part.value.as_str()).collect();
        let message = format!("`!reference [{}]` refers to nothing", names.join(", "));
        let help = match inside.map(|mapping| self.diagnostics.nearest(part, mapping.keys())) {
            Some(Some(near)) => format!("`{}` does not exist; did you mean `{near}`?", part.value),
            Some(None) => format!("`{}` does not exist there", part.value),
            None => format!("what is before `{}` is no mapping, or its value is empty", part.value),
        };
        Missing::Here(Box::new(Diagnostic::error("unknown-reference", message, part.span).help(help)))
    }
}

/// Why a reference has no target.
enum Missing {
    /// It may be defined in an include that could not be had, or what has it is reported already.
    Elsewhere,
    /// It is a mistake.
    Here(Box<Diagnostic>),
}

#[cfg(test)]
mod tests {
    use crate::config::fixture::{job, project};

    const BASE: &str = "
.a:
  script: [a1, a2]
  image: {name: a, entrypoint: ['']}
  rules: [{if: $A}, {when: never}]
  nested: [n1, !reference [.a, script]]
  count: 2
  empty:
  falsy: false
.child: {extends: .a}
";

    #[test]
    fn a_reference_becomes_what_it_refers_to() {
        let table = [
            ("script: !reference [.a, script]", "script: [a1, a2]"),
            ("script: [b, !reference [.a, script], c]", "script: [b, a1, a2, c]"),
            ("before_script: [!reference [.a, nested]]", "before_script: [n1, a1, a2]"),
            ("script: [b, [!reference [.a, script]]]", "script: [b, [a1, a2]]"),
            ("rules: [!reference [.a, rules], {if: $B}]", "rules: [{if: $A}, {when: never}, {if: $B}]"),
            ("image: !reference [.a, image]", "image: {name: a, entrypoint: ['']}"),
            ("image: {name: !reference [.a, image, name]}", "image: {name: a}"),
            ("parallel: !reference [.a, count]", "parallel: 2"),
            ("cache: [!reference [.a, rules]]", "cache: [{if: $A}, {when: never}]"),
            // Elsewhere a list stays one item of the list it is put into.
            ("tags: [!reference [.a, script]]", "tags: [[a1, a2]]"),
            ("variables: {A: !reference [.a, image, name]}", "variables: {A: a}"),
            // `extends` comes first, so inherited keys can be referred to.
            ("script: !reference [.child, script]", "script: [a1, a2]"),
        ];
        for (text, expected) in table {
            assert_eq!(job(&format!("{BASE}job:\n  {text}")), job(&format!("job:\n  {expected}")), "{text}");
        }
        assert_eq!(
            job(&format!("{BASE}job: !reference [.a, image]")),
            job("job: {name: a, entrypoint: ['']}")
        );
    }

    #[test]
    fn what_is_wrong_is_said_once_and_with_its_place() {
        let text = "
one: {script: !reference [.b, script]}
two: {script: [!reference [.a, scripts]]}
three: {script: !reference [.a, script, x]}
four: {script: !reference [.a, empty]}
five: {script: !reference [.a, falsy]}
.loop: {script: [!reference [.loop, script]]}
six: {extends: .loop}
seven: {script: ok}
";
        let reading = project(&format!("{BASE}{text}")).read();
        insta::assert_snapshot!(reading.problems().join("\n"), @r###"
    ci.yml:12:27 unknown-reference: `!reference [.b, script]` refers to nothing
        `.b` does not exist; did you mean `.a`?
    ci.yml:13:32 unknown-reference: `!reference [.a, scripts]` refers to nothing
        `scripts` does not exist; did you mean `script`?
    ci.yml:14:41 unknown-reference: `!reference [.a, script, x]` refers to nothing
        what is before `x` is no mapping, or its value is empty
    ci.yml:15:32 unknown-reference: `!reference [.a, empty]` refers to nothing
        what is before `empty` is no mapping, or its value is empty
    ci.yml:16:32 unknown-reference: `!reference [.a, falsy]` refers to nothing
        what is before `falsy` is no mapping, or its value is empty
    ci.yml:17:18 circular-reference: `!reference [.loop, script]` leads back to itself
    "###);
        insta::assert_snapshot!(reading.unresolved().join("\n"), @r###"
    one: has `!reference [.b, script]`, which does not exist
    two: has `!reference [.a, scripts]`, which does not exist
    three: has `!reference [.a, script, x]`, which does not exist
    four: has `!reference [.a, empty]`, which does not exist
    five: has `!reference [.a, falsy]`, which does not exist
    six: has a `!reference [.loop, script]` that leads back to itself
    "###);
        let tree = reading.tree.expect("a tree");
        assert_eq!(tree.root.keys().collect::<Vec<_>>(), [".a", ".child", "seven"]);
    }

    #[test]
    fn references_nest_ten_levels() {
        let chain = |levels: usize| -> String {
            let links = (1..=levels)
                .map(|level| format!(".l{level}: {{script: [!reference [.l{}, script]]}}\n", level - 1));
            format!(".l0: {{script: [a]}}\n{}", links.collect::<String>())
        };
        assert_eq!(project(&chain(10)).problems(), [""; 0]);
        assert_eq!(
            project(&chain(11)).problems(),
            ["ci.yml:2:16 reference-depth: references are nested deeper than 10 levels"]
        );
    }

    #[test]
    fn what_an_unavailable_include_may_define_is_unresolved() {
        let text = "
include: {project: g/p, file: a.yml}
default:
  before_script: !reference [.there, script]
  image: a
.hidden: {script: !reference [.there, script]}
job: {script: !reference [.there, script]}
other: {script: a}
";
        let reading = project(text).read();
        insta::assert_snapshot!(reading.problems().join("\n"), @r###"
        ci.yml:2:31 include-unavailable: the include `g/p:a.yml` cannot be had: it lives elsewhere
            what it defines is unknown here; map a checkout of it
        ci.yml:4:3 unresolved-keyword: `default:before_script` is left out, as it has `!reference [.there, script]`, which no file that could be read defines
            jobs may differ from those on GitLab
        "###);
        assert_eq!(
            reading.unresolved(),
            ["job: has `!reference [.there, script]`, which no file that could be read defines"]
        );
        assert_eq!(reading.yaml(), "default:\n  image: a\nother:\n  script: a\n");
    }

    #[test]
    fn references_that_multiply_are_limited() {
        let many = |level: usize| format!("!reference [.l{level}, script], ").repeat(30);
        let levels: String =
            (1..=9).map(|level| format!(".l{level}: {{script: [{}]}}\n", many(level - 1))).collect();
        let problems = project(&format!(".l0: {{script: [{}]}}\n{levels}", "a, ".repeat(100))).problems();
        assert!(problems.iter().any(|problem| problem.contains("config-too-big")), "{problems:?}");
    }
}
