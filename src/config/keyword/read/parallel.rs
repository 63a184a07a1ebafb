//! `parallel` (`Entry::Product::Parallel`) and `needs:parallel`.

use super::{context::Context, value::Value};
use crate::config::{
    keyword::job::{Matrix, Parallel},
    node::{Entry, Kind, Value as Scalar},
};

/// The most instances of one job.
const MOST: usize = 200;

/// A count, or a hash with `matrix`.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Parallel> {
    match &value.node.kind {
        Kind::Mapping(_) => Some(Parallel::Matrix(matrix(value, cx)?)),
        Kind::Scalar(scalar) if matches!(scalar.value, Scalar::Int(_)) => {
            let count = value.integer(cx)?;
            match u32::try_from(count) {
                Ok(count) if (1..=MOST).contains(&(count as usize)) => Some(Parallel::Count(count)),
                _ => {
                    let rest = format_args!("should be from 1 to {MOST}, not {count}");
                    cx.report(value.error("out-of-range", rest));
                    None
                }
            }
        }
        _ => value.expected("an integer or a hash", cx),
    }
}

/// `parallel` of a trigger job: a matrix only.
pub(super) fn trigger_matrix(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Parallel> {
    if value.node.as_mapping().is_none() {
        return value.expected("a hash with `matrix` in a trigger job", cx);
    }
    read(value, cx)
}

/// `needs:parallel`: a matrix only.
pub(super) fn needed_matrix(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Matrix> {
    if value.node.as_mapping().is_none() {
        return value.expected("a hash with `matrix`", cx);
    }
    matrix(value, cx)
}

fn matrix(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Matrix> {
    let fields = value.fields(cx)?;
    let list = fields.required("matrix", cx);
    fields.finish(cx);
    let list = list?;
    let Some(entries) = list.items() else { return list.expected("an array of hashes", cx) };
    let matrix: Matrix = entries.filter_map(|entry| identifiers(&entry, cx)).collect();
    let jobs: usize = matrix
        .iter()
        .map(|entry| entry.iter().map(|(_, values)| values.len()).fold(1, usize::saturating_mul))
        .fold(0, usize::saturating_add);
    if jobs > MOST {
        let rest = format_args!("generates {jobs} jobs, GitLab takes {MOST}");
        cx.report(list.error("too-many", rest));
        return None;
    }
    Some(matrix)
}

fn identifiers(entry: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<(String, Vec<String>)>> {
    let Kind::Mapping(mapping) = &entry.node.kind else { return entry.expected("an array of hashes", cx) };
    if mapping.is_empty() {
        cx.report(entry.error("empty-value", "should not hold an empty hash"));
        return None;
    }
    let identifier = |(name, written): (&str, &Entry)| {
        Some((name.to_owned(), values(&entry.below(name, &written.value), cx)?))
    };
    // all of them are read before one that is wrong counts, as each is to be told
    let identifiers: Vec<_> = mapping.iter().map(identifier).collect();
    identifiers.into_iter().collect()
}

/// One value or a list of them: strings, and integers, which become strings (`Entry::Product::Variables`).
fn values(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<String>> {
    let mut values = Vec::new();
    for item in value.flattened(2, cx)? {
        let is_integer = item.node.as_scalar().is_some_and(|scalar| matches!(scalar.value, Scalar::Int(_)));
        match item.text() {
            Some(text) if is_integer || item.node.as_str().is_some() => values.push(text),
            _ => return item.expected("a string or an integer", cx),
        }
    }
    if values.is_empty() {
        cx.report(value.error("empty-value", "should have a value"));
        return None;
    }
    Some(values)
}
