//! Variables by precedence, and what rules and keywords see of them.

use std::{cell::OnceCell, collections::BTreeSet, sync::Arc};

use foldhash::HashMap;

use super::{
    context::Context,
    job::{Origin, Variable},
    predefined,
    setting::{self, Setting},
};
use crate::config::{
    expand::{self, Definition, ExpandError, Options},
    keyword::{Inherit, Variables},
};

/// Longest layer that is searched: a job's own variables are few, and an index costs more than it gives.
const SHORT: usize = 16;

/// Variables of one origin, each key once.
#[derive(Debug, Default)]
struct Layer {
    list: Vec<Variable>,
    /// Where each key is; empty where the list is short.
    index: HashMap<String, usize>,
    /// Keys of those that refer to others, and the names that they refer to.
    concerned: Vec<String>,
}

impl Layer {
    fn new(variables: impl IntoIterator<Item = Variable>) -> Arc<Self> {
        let mut layer = Self { list: variables.into_iter().collect(), ..Self::default() };
        if layer.list.len() > SHORT {
            let keys = layer.list.iter().enumerate();
            layer.index = keys.map(|(at, variable)| (variable.key.clone(), at)).collect();
        }
        for variable in &layer.list {
            if !variable.raw && expand::may_refer(&variable.value) {
                layer.concerned.push(variable.key.clone());
                layer.concerned.extend(expand::references(&variable.value).map(str::to_owned));
            }
        }
        Arc::new(layer)
    }

    fn of_block(block: &Variables, origin: Origin) -> Arc<Self> {
        Self::new(of_block(block, origin))
    }

    /// Variables that may have one key several times, lowest first: as many layers as that takes.
    fn stacked(variables: Vec<Variable>) -> Vec<Arc<Self>> {
        let mut seen: HashMap<String, usize> = HashMap::default();
        let mut layers: Vec<Vec<Variable>> = Vec::new();
        for variable in variables {
            let at = seen.entry(variable.key.clone()).and_modify(|at| *at += 1).or_default();
            layers.resize_with(layers.len().max(*at + 1), Vec::new);
            layers[*at].push(variable);
        }
        layers.into_iter().map(Self::new).collect()
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.list.len() > SHORT {
            return self.index.get(key).copied();
        }
        self.list.iter().position(|variable| variable.key == key)
    }
}

/// Variables by precedence, lowest first (`Gitlab::Ci::Variables::Collection`). Of several with one key, the
/// last one counts. They stand in layers, and jobs share those that are the same for all.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    layers: Vec<Arc<Layer>>,
}

impl Collection {
    /// All variables, lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Variable> {
        self.layers.iter().flat_map(|layer| &layer.list)
    }

    /// The variable that a key stands for.
    pub fn get(&self, key: &str) -> Option<&Variable> {
        self.layers.iter().rev().find_map(|layer| layer.position(key).map(|at| &layer.list[at]))
    }

    /// Adds a variable over all others.
    pub fn push(&mut self, variable: Variable) {
        self.layers.push(Layer::new([variable]));
    }

    /// Adds variables below all others.
    pub(super) fn prepend(&mut self, variables: impl IntoIterator<Item = Variable>) {
        self.layers.insert(0, Layer::new(variables));
    }
}

impl FromIterator<Variable> for Collection {
    fn from_iter<I: IntoIterator<Item = Variable>>(variables: I) -> Self {
        Self { layers: variables.into_iter().map(|variable| Layer::new([variable])).collect() }
    }
}

/// What is the same for the variables of all jobs.
pub(super) struct Shared {
    predefined: Arc<Layer>,
    /// Top-level variables with those of the workflow rule over them.
    global: Arc<Layer>,
    /// The user who starts the pipeline: wins over the file.
    user: Arc<Layer>,
    /// The project's settings: win over the user.
    settings: Settings,
    /// What wins over the settings: the parent pipeline, the command line.
    pipeline: [Arc<Layer>; 2],
}

/// The project's settings, as far as pipelines of the ref have them.
struct Settings {
    list: Vec<Arc<Setting>>,
    /// Those of jobs without an environment.
    for_all: Vec<Arc<Layer>>,
    /// Whether some are for certain environments only.
    has_scopes: bool,
}

impl Settings {
    fn new(list: Vec<Arc<Setting>>) -> Self {
        Self {
            for_all: Layer::stacked(setting::applicable(&list, None)),
            has_scopes: list.iter().any(|setting| !setting.is_for_all()),
            list,
        }
    }

    fn layers(&self, environment: Option<&str>) -> Vec<Arc<Layer>> {
        match environment {
            Some(name) if self.has_scopes => Layer::stacked(setting::applicable(&self.list, Some(name))),
            _ => self.for_all.clone(),
        }
    }
}

impl Shared {
    /// `predefined` are those of the pipeline.
    pub(super) fn new(context: &Context, predefined: Vec<Variable>, global: &Variables) -> Self {
        Self {
            predefined: Layer::new(predefined),
            global: Layer::of_block(global, Origin::Global),
            user: Layer::new(predefined::of_user(context)),
            settings: Settings::new(context.settings_here()),
            pipeline: [
                Layer::new(context.parent.iter().flat_map(|parent| parent.variables.clone())),
                Layer::new(context.pipeline_variables.iter().map(given)),
            ],
        }
    }

    /// Whether the variables of a job depend on its environment.
    pub(super) fn has_scopes(&self) -> bool {
        self.settings.has_scopes
    }

    /// What wins over the file.
    fn over_the_file(&self, environment: Option<&str>) -> Vec<Arc<Layer>> {
        let mut layers = vec![self.user.clone()];
        layers.extend(self.settings.layers(environment));
        layers.extend(self.pipeline.iter().cloned());
        layers
    }

    /// The variables that `workflow` sees.
    pub(super) fn of_workflow(&self) -> Collection {
        let file = [self.predefined.clone(), self.global.clone()];
        Collection { layers: file.into_iter().chain(self.over_the_file(None)).collect() }
    }

    /// The variables of a job (`Variables::Builder#scoped_variables`), over what GitLab says of it.
    pub(super) fn of_job(&self, parts: Parts<'_>) -> OfJob {
        let matrix = parts.matrix.iter().map(|(key, value)| Variable::new(key, value, Origin::Matrix));
        let mut layers = vec![self.predefined.clone(), self.inherited(parts.inherit)];
        layers.push(Layer::of_block(parts.own, Origin::Job));
        layers.push(Layer::new(matrix));
        layers.extend(parts.rule.map(|block| Layer::of_block(block, Origin::Rule)));
        layers.extend(self.over_the_file(parts.environment));
        layers.retain(|layer| !layer.list.is_empty());
        OfJob(Collection { layers })
    }

    fn inherited(&self, inherit: &Inherit) -> Arc<Layer> {
        match inherit {
            Inherit::All => self.global.clone(),
            inherit => {
                let taken = self.global.list.iter().filter(|variable| inherit.takes(&variable.key));
                Layer::new(taken.cloned())
            }
        }
    }
}

/// The variables of a job, before GitLab says what it knows of the job.
pub(super) struct OfJob(Collection);

impl OfJob {
    /// With what GitLab says of the job.
    pub(super) fn over(&self, facts: Vec<Variable>) -> Collection {
        let mut collection = self.0.clone();
        collection.prepend(facts);
        collection
    }
}

/// What a job's variables are put together from, besides those that all jobs share.
#[derive(Clone, Copy)]
pub(super) struct Parts<'p> {
    pub(super) inherit: &'p Inherit,
    pub(super) own: &'p Variables,
    pub(super) matrix: &'p [(String, String)],
    pub(super) rule: Option<&'p Variables>,
    /// Name of the environment, which selects among the settings.
    pub(super) environment: Option<&'p str>,
}

/// A block of the file as variables of an origin.
fn of_block(block: &Variables, origin: Origin) -> impl Iterator<Item = Variable> + '_ {
    block.iter().map(move |(key, variable)| Variable {
        raw: !variable.expand,
        ..Variable::new(key, &variable.value, origin)
    })
}

fn given((key, value): (&String, &String)) -> Variable {
    Variable::new(key, value, Origin::CommandLine)
}

/// Variables by name.
pub(super) struct Scope<'v> {
    collection: &'v Collection,
    options: Options,
    /// The values of those that refer to others or are referred to.
    expanded: OnceCell<Result<HashMap<String, String>, ExpandError>>,
}

impl<'v> Scope<'v> {
    pub(super) fn new(collection: &'v Collection) -> Self {
        Self::with(collection, Options::EMPTY_UNKNOWN)
    }

    pub(super) fn with(collection: &'v Collection, options: Options) -> Self {
        Self { collection, options, expanded: OnceCell::new() }
    }

    /// The value as written: what `rules:if` sees.
    pub(super) fn get(&self, name: &str) -> Option<&'v str> {
        self.collection.get(name).map(|variable| variable.value.as_str())
    }

    /// Why the variables cannot be expanded, if so.
    pub(super) fn expansion_error(&self) -> Option<&ExpandError> {
        self.all_expanded().as_ref().err()
    }

    /// The value with references in it replaced.
    pub(super) fn get_expanded(&self, name: &str) -> Option<&str> {
        let expanded = self.all_expanded().as_ref().ok();
        expanded.and_then(|values| values.get(name)).map(String::as_str).or_else(|| self.get(name))
    }

    fn all_expanded(&self) -> &Result<HashMap<String, String>, ExpandError> {
        self.expanded.get_or_init(|| {
            let list = self.concerned();
            let definitions: Vec<Definition<'_>> = list.iter().map(|variable| definition(variable)).collect();
            let values = expand::expand_all(&definitions, self.options)?;
            let values = values.into_iter().map(std::borrow::Cow::into_owned);
            Ok(list.iter().map(|variable| variable.key.clone()).zip(values).collect())
        })
    }

    /// The variables that refer to others or are referred to, in their order: the rest have no part in an
    /// expansion, and they are by far the most.
    fn concerned(&self) -> Vec<&'v Variable> {
        let layers = &self.collection.layers;
        let places_of = |name: &'v String| {
            let found = layers.iter().enumerate();
            found.filter_map(move |(at, layer)| Some((at, layer.position(name)?)))
        };
        let names = layers.iter().flat_map(|layer| &layer.concerned);
        let places: BTreeSet<(usize, usize)> = names.flat_map(places_of).collect();
        places.into_iter().map(|(at, position)| &layers[at].list[position]).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Collection, Layer, Scope, definition};
    use crate::{
        config::expand::{Options, expand_all},
        pipeline::job::{Origin, Variable},
    };

    /// A layer in which each key stands once; some have an index, as they are long.
    fn layer() -> impl Strategy<Value = Vec<Variable>> {
        let entry = ("[A-H]", "(\\$[A-H]|\\$\\{[A-H]\\}|%[A-H]%|\\$\\$|x){0,3}", prop::bool::weighted(0.1));
        let entries = prop::collection::vec(entry, 0..6);
        (entries, any::<bool>()).prop_map(|(entries, is_long)| {
            let entries = entries.into_iter().map(|(key, value, raw)| (key, (value, raw)));
            let entries: std::collections::BTreeMap<_, _> = entries.collect();
            let own = entries
                .into_iter()
                .map(|(key, (value, raw))| Variable { raw, ..Variable::new(key, value, Origin::Job) });
            let others =
                (0..if is_long { 20 } else { 0 }).map(|at| Variable::new(format!("Z{at}"), "z", Origin::Job));
            own.chain(others).collect()
        })
    }

    proptest! {
        #[test]
        fn only_what_is_concerned_has_a_part_in_an_expansion(layers in prop::collection::vec(layer(), 1..5)) {
            let collection = Collection { layers: layers.into_iter().map(Layer::new).collect() };
            let scope = Scope::new(&collection);
            let all: Vec<_> = collection.iter().map(definition).collect();
            match expand_all(&all, Options::EMPTY_UNKNOWN) {
                Err(error) => prop_assert_eq!(scope.expansion_error(), Some(&error)),
                Ok(values) => {
                    prop_assert_eq!(scope.expansion_error(), None);
                    for name in ["A", "B", "C", "D", "E", "F", "G", "H", "Z1", "Z19"] {
                        let last = all.iter().rposition(|definition| definition.key == name);
                        prop_assert_eq!(scope.get(name), last.map(|at| all[at].value));
                        prop_assert_eq!(scope.get_expanded(name), last.map(|at| &*values[at]), "{}", name);
                    }
                }
            }
        }
    }
}
