//! What holds for any tree, however wrong or large.

use proptest::prelude::*;

use crate::config::{
    Config, Diagnostics, Sources, Span, Tree,
    keyword::support::KEYWORDS,
    node::{Kind, Mapping, Node, Scalar, Value},
};

fn span() -> Span {
    Span::new(Sources::default().add("", ""), 0..0)
}

/// A node with keywords in wrong and right places.
fn node() -> impl Strategy<Value = Node> {
    let words: Vec<&'static str> = KEYWORDS.iter().flat_map(|keyword| keyword.keyword.split(':')).collect();
    let word = proptest::sample::select(words);
    let text = prop_oneof![word.clone().prop_map(str::to_owned), ".{0,8}", "[$/a: \\[\\]]{0,6}"];
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i128>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        Just(Value::String),
    ];
    let scalar = (value, text).prop_map(|(value, text)| Kind::Scalar(Scalar { value, text }));
    let leaf = prop_oneof![4 => scalar, 1 => Just(Kind::Reference(Vec::new()))];
    leaf.prop_map(|kind| Node { kind, span: span() }).prop_recursive(5, 64, 6, move |inner| {
        let entries = proptest::collection::vec((word.clone(), inner.clone()), 0..6);
        let mapping = entries.prop_map(|entries| {
            let mut mapping = Mapping::default();
            for (key, value) in entries {
                mapping.insert(key, span(), value);
            }
            Kind::Mapping(mapping)
        });
        let sequence = proptest::collection::vec(inner, 0..4).prop_map(Kind::Sequence);
        prop_oneof![3 => mapping, 1 => sequence].prop_map(|kind| Node { kind, span: span() })
    })
}

proptest! {
    #[test]
    fn no_tree_is_a_panic(jobs in proptest::collection::vec(node(), 1..4), global in node()) {
        let mut tree = Mapping::default();
        for (at, job) in jobs.into_iter().enumerate() {
            tree.insert(format!("job {at}"), span(), job);
        }
        if let Kind::Mapping(globals) = global.kind {
            for (key, entry) in globals {
                tree.insert(key, entry.key, entry.value);
            }
        }
        Config::read(Tree::of(tree), &mut Diagnostics::default());
    }
}

#[test]
fn a_long_chain_of_needs_and_many_mistyped_names_are_read_in_reasonable_time() {
    let mut tree = Mapping::default();
    let text = |text: &str| Node::string(text, span());
    for at in 0..20_000 {
        let mut job = Mapping::default();
        job.insert("script", span(), text("x"));
        let needs = vec![text(&format!("job {}", at + 1)), text(&format!("jbo {at}"))];
        job.insert("needs", span(), Node { kind: Kind::Sequence(needs), span: span() });
        tree.insert(format!("job {at}"), span(), Node { kind: Kind::Mapping(job), span: span() });
    }
    let mut diagnostics = Diagnostics::default();
    Config::read(Tree::of(tree), &mut diagnostics);
    assert_eq!(diagnostics.iter().count(), 20_001);
}
