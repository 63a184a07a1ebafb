//! A job's variables with what they overrode.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{
    config::{Config, Span, expand::Options, keyword::Variables},
    pipeline::{
        context::Context,
        job::{Origin, Variable},
        predefined,
        setting::Setting,
        variables::{Collection, Scope, Shared},
    },
};

/// A variable that a job has.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedVariable {
    /// The one that wins.
    pub variable: Variable,
    /// Its value with references in it replaced.
    pub value: String,
    /// Where the file says it.
    pub span: Option<Span>,
    /// What it overrode, nearest first.
    pub overrode: Vec<Variable>,
}

/// A variable of the settings that a job does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The variable.
    pub setting: Arc<Setting>,
    /// Why the job does not have it.
    pub reason: String,
}

/// The blocks of the file that variables come from.
pub(super) struct Blocks<'b> {
    pub(super) global: &'b Variables,
    pub(super) job: &'b Variables,
    pub(super) rule: Option<&'b Variables>,
}

impl Blocks<'_> {
    fn span(&self, variable: &Variable) -> Option<Span> {
        let block = match variable.origin {
            Origin::Global => Some(self.global),
            Origin::Job => Some(self.job),
            Origin::Rule => self.rule,
            _ => None,
        };
        block?.get(&variable.key).map(|variable| variable.span)
    }
}

pub(super) fn explained(list: &Collection, blocks: &Blocks<'_>) -> Vec<ExplainedVariable> {
    // The job sees the path of a file, so a reference to one is not its content.
    let options = Options { file_references: false, ..Options::EMPTY_UNKNOWN };
    let scope = Scope::with(list, options);
    let mut by_key: IndexMap<&str, Vec<&Variable>> = IndexMap::new();
    for variable in list.iter() {
        by_key.entry(&variable.key).or_default().insert(0, variable);
    }
    by_key.sort_unstable_keys();
    let explain = |(key, all): (&str, Vec<&Variable>)| {
        let (winner, below) = all.split_first()?;
        let is_other = |it: &&&Variable| it.origin != winner.origin || it.setting != winner.setting;
        let below = below.iter().filter(is_other).copied();
        Some(ExplainedVariable {
            variable: (*winner).clone(),
            value: if winner.raw {
                winner.value.clone()
            } else {
                scope.get_expanded(key).unwrap_or(&winner.value).to_owned()
            },
            span: blocks.span(winner),
            overrode: below.cloned().collect(),
        })
    };
    by_key.into_iter().filter_map(explain).collect()
}

/// The settings that a job with these variables and this environment does not have.
pub(super) fn withheld(context: &Context, list: &Collection, environment: Option<&str>) -> Vec<Withheld> {
    let has = |setting: &Arc<Setting>| list.iter().any(|it| it.setting.as_ref() == Some(setting));
    let withheld = context.settings.iter().filter(|setting| !has(setting)).map(|setting| {
        let reason = match (setting.protected && !context.is_protected(), environment) {
            (true, _) => format!("protected, and `{}` is not", context.event.ref_name()),
            (false, Some(name)) => format!("for `{}`, not for `{name}`", setting.scope),
            (false, None) => format!("for the environment `{}`, and the job has none", setting.scope),
        };
        Withheld { setting: setting.clone(), reason }
    });
    withheld.collect()
}

/// The variables that expressions see where no job is meant, as written: those of the event, the top of the
/// file, the project's settings and the command line.
pub fn of_workflow(config: Option<&Config>, context: &Context) -> IndexMap<String, String> {
    let none = Variables::new();
    let global = config.map_or(&none, |config| &config.variables);
    let shared = Shared::new(context, predefined::of_pipeline(context, None), global);
    let list = shared.of_workflow();
    list.iter().map(|variable| (variable.key.clone(), variable.value.clone())).collect()
}
