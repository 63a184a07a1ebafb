//! What reading a configuration needs to know besides its text.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{
    expand::{self, Definition, ExpandError, Options},
    loader::Loader,
};

/// Where and for what a configuration is read.
pub struct Surroundings<'s> {
    /// Reads the files.
    pub loader: &'s dyn Loader,
    /// The variables that exist before a pipeline does: for paths of includes and `include:rules`.
    pub variables: &'s IndexMap<String, String>,
    /// Names of those whose values nobody may see: `expand_vars` refuses them.
    pub masked: &'s HashSet<String>,
    /// Inputs that the user gives to the main file, as text.
    pub inputs: &'s IndexMap<String, String>,
    /// The paths that changed against a ref, or against what the event compares with; `None` where
    /// GitLab has nothing to compare with, so that `changes` holds.
    pub changes: &'s dyn Fn(Option<&str>) -> Option<Vec<String>>,
}

impl Surroundings<'_> {
    /// The value of a variable that exists before the pipeline.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Replaces references to variables; unknown ones stay.
    ///
    /// # Errors
    /// For a reference to a masked variable.
    pub(super) fn expand_unmasked(&self, text: &str) -> Result<String, ExpandError> {
        let options = Options { refuse_masked: true, ..Options::KEEP_UNKNOWN };
        expand::expand_with(text, options, |name| {
            let (key, value) = self.variables.get_key_value(name)?;
            Some(Definition { key, value, masked: self.masked.contains(name), ..Definition::default() })
        })
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Surroundings")
            .field("variables", &self.variables)
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}
