//! Variables by precedence, and what rules and keywords see of them.

use std::{cell::OnceCell, collections::HashMap};

use super::{
    context::Context,
    job::{Origin, Variable},
    predefined,
};
use crate::config::{
    expand::{self, Definition, ExpandError, Options},
    keyword::{Inherit, Variables},
};

/// A block of the file as variables of an origin.
pub(super) fn of_block(block: &Variables, origin: Origin) -> impl Iterator<Item = Variable> + '_ {
    block.iter().map(move |(key, variable)| Variable {
        key: key.clone(),
        value: variable.value.clone(),
        origin,
        raw: !variable.expand,
        masked: false,
        file: false,
    })
}

/// What a job's variables are put together from.
pub(super) struct Parts<'p> {
    pub(super) context: &'p Context,
    pub(super) pipeline: &'p [Variable],
    pub(super) job: Vec<Variable>,
    /// Top-level variables with those of the workflow rule over them.
    pub(super) global: &'p Variables,
    pub(super) inherit: &'p Inherit,
    pub(super) own: &'p Variables,
    pub(super) matrix: &'p [(String, String)],
    pub(super) rule: Option<&'p Variables>,
}

/// All variables of a job, lowest first (`Variables::Builder#scoped_variables`).
pub(super) fn of_job(parts: Parts<'_>) -> Vec<Variable> {
    let mut list = parts.job;
    list.extend_from_slice(parts.pipeline);
    let inherited = of_block(parts.global, Origin::Global);
    list.extend(inherited.filter(|variable| parts.inherit.takes(&variable.key)));
    list.extend(of_block(parts.own, Origin::Job));
    list.extend(parts.matrix.iter().map(|(key, value)| plain(key, value, Origin::Matrix)));
    list.extend(parts.rule.into_iter().flat_map(|block| of_block(block, Origin::Rule)));
    append_settings(&mut list, parts.context);
    list
}

/// The variables that `workflow` sees.
pub(super) fn of_workflow(context: &Context, pipeline: &[Variable], global: &Variables) -> Vec<Variable> {
    let mut list = pipeline.to_vec();
    list.extend(of_block(global, Origin::Global));
    append_settings(&mut list, context);
    list
}

/// What wins over the file: the user, the project's settings, the command line.
fn append_settings(list: &mut Vec<Variable>, context: &Context) {
    list.extend(predefined::of_user(context));
    let block = |variables: &indexmap::IndexMap<String, String>, origin| {
        variables.iter().map(|(key, value)| plain(key, value, origin)).collect::<Vec<_>>()
    };
    list.extend(block(&context.project_variables, Origin::Project));
    list.extend(block(&context.pipeline_variables, Origin::CommandLine));
}

fn plain(key: &str, value: &str, origin: Origin) -> Variable {
    Variable { key: key.to_owned(), value: value.to_owned(), origin, raw: false, masked: false, file: false }
}

/// Variables by name.
pub(super) struct Scope<'v> {
    list: &'v [Variable],
    last: HashMap<&'v str, usize>,
    expanded: OnceCell<Result<Vec<String>, ExpandError>>,
}

impl<'v> Scope<'v> {
    pub(super) fn new(list: &'v [Variable]) -> Self {
        let last = list.iter().enumerate().map(|(at, variable)| (variable.key.as_str(), at)).collect();
        Self { list, last, expanded: OnceCell::new() }
    }

    /// The value as written: what `rules:if` sees.
    pub(super) fn get(&self, name: &str) -> Option<&'v str> {
        self.last.get(name).map(|&at| self.list[at].value.as_str())
    }

    /// Why the variables cannot be expanded, if so.
    pub(super) fn expansion_error(&self) -> Option<&ExpandError> {
        self.all_expanded().as_ref().err()
    }

    /// The value with references in it replaced.
    pub(super) fn get_expanded(&self, name: &str) -> Option<&str> {
        let at = *self.last.get(name)?;
        match self.all_expanded() {
            Ok(values) => Some(&values[at]),
            Err(_) => Some(&self.list[at].value),
        }
    }

    fn all_expanded(&self) -> &Result<Vec<String>, ExpandError> {
        self.expanded.get_or_init(|| {
            let definitions: Vec<Definition<'_>> = self.list.iter().map(definition).collect();
            expand::expand_all(&definitions, Options::EMPTY_UNKNOWN)
        })
    }

    /// Replaces references by values as written; unknown ones stay.
    pub(super) fn expand_once(&self, text: &str) -> String {
        expand::expand_existing(text, |name| self.get(name))
    }

    /// Replaces references by expanded values; unknown ones stay.
    pub(super) fn expand_existing(&self, text: &str) -> String {
        expand::expand_existing(text, |name| self.get_expanded(name))
    }

    /// Replaces references by expanded values; unknown ones become empty.
    pub(super) fn expand(&self, text: &str) -> String {
        expand::expand(text, |name| self.get_expanded(name))
    }
}

fn definition(variable: &Variable) -> Definition<'_> {
    Definition {
        key: &variable.key,
        value: &variable.value,
        raw: variable.raw,
        file: variable.file,
        masked: variable.masked,
    }
}
