//! Variables that a project has in GitLab's settings, and to which jobs they are given.

use std::sync::Arc;

use super::job::{Origin, Variable};

/// A variable of the project's settings (GitLab's `Ci::Variable`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// The value; of a file variable, the content of the file.
    pub value: String,
    /// `variable_type: file`: jobs see the path of a file.
    pub file: bool,
    /// `masked`: the value is hidden in everything that is written.
    pub masked: bool,
    /// `raw`: references in the value are left alone.
    pub raw: bool,
    /// `protected`: only pipelines of protected branches and tags have it.
    pub protected: bool,
    /// `environment_scope`: for which environments it is; `*` for all, and for jobs that have none.
    pub scope: String,
    /// Where the user keeps it, for people: `podline.toml`.
    pub source: String,
}

/// How closely a scope fits an environment: a closer one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// `*`.
    Any,
    /// A scope with a wildcard, by how much of it is none. GitLab's order among these is not defined.
    Wildcard(usize),
    /// The name itself.
    Exact,
}

impl Setting {
    /// Whether it is for all jobs.
    pub fn is_for_all(&self) -> bool {
        self.scope == "*"
    }

    fn fit(&self, environment: Option<&str>) -> Option<Fit> {
        match environment {
            _ if self.is_for_all() => Some(Fit::Any),
            None => None,
            Some(name) if name == self.scope => Some(Fit::Exact),
            Some(name) => matches(&self.scope, name)
                .then(|| Fit::Wildcard(self.scope.chars().filter(|character| *character != '*').count())),
        }
    }
}

/// Whether a scope covers an environment: `*` stands for any characters, none as well, and nothing else is
/// special (`HasEnvironmentScope.on_environment`, which asks the database with `LIKE`).
fn matches(scope: &str, environment: &str) -> bool {
    let Some((first, rest)) = scope.split_once('*') else { return scope == environment };
    let Some(mut left) = environment.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// The variables of a job with this environment, lowest first. Of two settings with one key, the one whose
/// scope fits more closely wins, then the later one.
pub(super) fn applicable(settings: &[Arc<Setting>], environment: Option<&str>) -> Vec<Variable> {
    let mut fitting: Vec<(Fit, &Arc<Setting>)> =
        settings.iter().filter_map(|setting| Some((setting.fit(environment)?, setting))).collect();
    fitting.sort_by_key(|(fit, _)| *fit);
    fitting.into_iter().map(|(_, setting)| variable(setting)).collect()
}

fn variable(setting: &Arc<Setting>) -> Variable {
    Variable {
        raw: setting.raw,
        masked: setting.masked,
        file: setting.file,
        setting: Some(setting.clone()),
        ..Variable::new(&setting.key, &setting.value, Origin::Project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, value: &str, scope: &str) -> Arc<Setting> {
        Arc::new(Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            file: false,
            masked: false,
            raw: false,
            protected: false,
            scope: scope.to_owned(),
            source: "podline.toml".to_owned(),
        })
    }

    #[test]
    fn a_scope_covers_environments_by_its_wildcards() {
        for (scope, environment, covers) in [
            ("*", "anything", true),
            ("production", "production", true),
            ("production", "Production", false),
            ("production", "production/eu", false),
            ("review/*", "review/a/b", true),
            ("review/*", "review/", true),
            ("review/*", "review", false),
            ("*/eu", "production/eu", true),
            ("*/eu", "eu", false),
            ("r*w/*-x", "review/feature-x", true),
            ("r*w/*-x", "review/feature-y", false),
            ("a*a", "a", false),
            ("dev_", "devs", false),
            ("100%", "1000", false),
        ] {
            assert_eq!(matches(scope, environment), covers, "{scope} for {environment}");
        }
    }

    #[test]
    fn the_closest_scope_wins_then_the_later_setting() {
        let settings = [
            setting("A", "exact", "review/a"),
            setting("A", "wild", "review/*"),
            setting("A", "wilder", "r*"),
            setting("A", "any", "*"),
            setting("A", "any again", "*"),
        ];
        for (environment, values) in [
            (None, &["any", "any again"][..]),
            (Some("production"), &["any", "any again"]),
            (Some("rolling"), &["any", "any again", "wilder"]),
            (Some("review/b"), &["any", "any again", "wilder", "wild"]),
            (Some("review/a"), &["any", "any again", "wilder", "wild", "exact"]),
        ] {
            let found: Vec<_> = applicable(&settings, environment).into_iter().map(|it| it.value).collect();
            assert_eq!(found, values, "{environment:?}");
        }
    }
}
