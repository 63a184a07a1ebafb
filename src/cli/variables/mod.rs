//! The variables that the project has in GitLab's settings, from where the user keeps them: `podline.toml`,
//! `.podline/variables.yml`, `--var-file`. A later one replaces an earlier one of the same key and scope.

mod dotenv;
mod written;

pub use written::Written;

use std::{fs, io, path::Path, sync::Arc};

use super::{
    Failed,
    args::PipelineArguments,
    project::{OWN_FOLDER, Project},
    project_file,
};
use crate::{mask, pipeline::Setting, report::Problem};
use written::{File, VariableType};

/// The file in podline's own folder of the project, which git ignores.
pub const SECRETS: &str = "variables.yml";

/// All settings, the weakest first.
///
/// # Errors
/// When a file cannot be read, or GitLab would not keep such a variable. No message quotes a value.
pub(super) fn read(project: &Project, arguments: &PipelineArguments) -> Result<Vec<Arc<Setting>>, Failed> {
    let mut found = Found::default();
    found.take(project_file::NAME, project.file.variables.clone());
    let secrets = project.own_folder().join(SECRETS);
    if secrets.is_file() {
        found.file(&format!("{OWN_FOLDER}/{SECRETS}"), &secrets)?;
    }
    for path in &project.file.run.var_file {
        found.file(&path.display().to_string(), &project.folder.join(path))?;
    }
    for path in &arguments.var_files {
        found.file(&path.display().to_string(), path)?;
    }
    found.settings()
}

/// What was read, and what is wrong with it.
#[derive(Default)]
struct Found {
    settings: Vec<Arc<Setting>>,
    mistakes: Vec<String>,
}

impl Found {
    fn file(&mut self, name: &str, path: &Path) -> Result<(), Failed> {
        let text = fs::read_to_string(path).map_err(|error| unreadable(name, &error))?;
        let is_dotenv = !matches!(path.extension().and_then(|it| it.to_str()), Some("yml" | "yaml" | "json"));
        if is_dotenv {
            match dotenv::parse(&text) {
                Ok(variables) => {
                    self.take(name, variables.into_iter().map(|(key, value)| (key, value.into())))
                }
                Err(mistake) => self.mistakes.push(format!("{name}, {mistake}")),
            }
        } else if !text.trim().is_empty() {
            match serde_yaml::from_str::<File>(&text) {
                Ok(File(variables)) => self.take(name, variables),
                Err(error) => self.mistakes.push(format!("{name}, {error}")),
            }
        }
        Ok(())
    }

    fn take(&mut self, source: &str, variables: impl IntoIterator<Item = (String, Written)>) {
        for (key, Written(entries)) in variables {
            for entry in entries {
                let setting = Setting {
                    key: key.clone(),
                    value: entry.value.map(|text| text.0).unwrap_or_default(),
                    file: entry.variable_type == VariableType::File,
                    masked: entry.masked,
                    raw: entry.raw,
                    protected: entry.protected,
                    scope: entry.environment_scope.unwrap_or_else(|| "*".to_owned()),
                    source: source.to_owned(),
                };
                self.mistakes.extend(refused(&setting).map(|why| format!("{source}, `{key}`: {why}")));
                self.settings.push(Arc::new(setting));
            }
        }
    }

    fn settings(self) -> Result<Vec<Arc<Setting>>, Failed> {
        if self.mistakes.is_empty() {
            return Ok(self.settings);
        }
        let message = format!("variables cannot be used\n{}", self.mistakes.join("\n"));
        Err(Failed::usage(Problem::new(message)))
    }
}

/// Why GitLab would not keep a variable.
fn refused(setting: &Setting) -> Option<&'static str> {
    let Setting { key, value, scope, masked, .. } = setting;
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if key.is_empty() || key.len() > 255 || !key.chars().all(is_part) {
        return Some("a key has letters, digits and `_`, at most 255");
    }
    let may_scope = |character: char| character.is_ascii_alphanumeric() || "_-/${}. *".contains(character);
    if scope.is_empty() || scope.len() > 255 || !scope.chars().all(may_scope) {
        return Some("`environment_scope` is the name of an environment, with `*` for any characters");
    }
    // The empty value stands for one that GitLab does not give away.
    (*masked && !value.is_empty() && value.len() < mask::SHORTEST)
        .then_some("GitLab masks no value of fewer than 8 characters")
}

fn unreadable(name: &str, error: &io::Error) -> Failed {
    Failed::usage(Problem::new(format!("`{name}` cannot be read: {error}")))
}

impl From<String> for Written {
    fn from(value: String) -> Self {
        Self(vec![written::Entry::of(value)])
    }
}
