//! The forms of `include`, and which files they stand for (GitLab's `External::Mapper`).

use super::{File, Home, Includer, items};
use crate::config::{
    Diagnostic, Node, Span,
    expand::expand,
    glob::Glob,
    inputs::Given,
    node::{Kind, Mapping},
    source::External,
};

/// Keys of an `include` in its long form.
const KEYWORDS: [&str; 13] = [
    "local",
    "project",
    "file",
    "ref",
    "artifact",
    "job",
    "remote",
    "integrity",
    "template",
    "component",
    "rules",
    "inputs",
    "cache",
];

/// Keys of which each include has exactly one.
const KINDS: [&str; 6] = ["local", "project", "remote", "template", "component", "artifact"];

/// One file to include.
#[derive(Debug)]
pub(super) struct Location {
    pub(super) target: Target,
    pub(super) inputs: Given,
    /// Where it is named.
    pub(super) span: Span,
}

/// Which file it is.
#[derive(Debug)]
pub(super) enum Target {
    /// By its path in the repository of the file that includes it.
    Local(String),
    /// Somewhere else.
    External(External),
}

/// What a user calls an include that lives elsewhere.
pub(super) fn label(external: &External) -> String {
    match external {
        External::Remote { url, .. } => url.clone(),
        External::Project { project, reference: None, file } => format!("{project}:{file}"),
        External::Project { project, reference: Some(reference), file } => {
            format!("{project}:{file}@{reference}")
        }
        External::Template(name) => format!("template {name}"),
        External::Component(address) => format!("component {address}"),
        External::Artifact { job, file } => format!("{job}:{file}"),
    }
}

impl Includer<'_, '_> {
    /// The files that an `include` stands for, in order.
    pub(super) fn locations(&mut self, file: &File, include: &Node) -> Vec<Location> {
        items(include)
            .iter()
            .filter(|item| !item.is_null())
            .flat_map(|item| self.location(file, item))
            .collect()
    }

    fn location(&mut self, file: &File, item: &Node) -> Vec<Location> {
        match &item.kind {
            Kind::Scalar(_) if item.as_str().is_some() => self.short(file, item),
            Kind::Mapping(entry) => self.long(file, entry, item.span),
            _ => {
                self.refuse("`include` takes a path, a mapping, or a list of these", item.span, None);
                Vec::new()
            }
        }
    }

    /// A bare string: an URL or a path.
    fn short(&mut self, file: &File, item: &Node) -> Vec<Location> {
        let text = self.text(item);
        let given = Given::nothing(item.span);
        if text.starts_with("http://") || text.starts_with("https://") {
            return self.remote(text, None, given, item.span);
        }
        self.local_files(file, &text, given, item.span)
    }

    fn long(&mut self, file: &File, entry: &Mapping, span: Span) -> Vec<Location> {
        for (key, unknown) in entry.iter().filter(|(key, _)| !KEYWORDS.contains(key)) {
            let help = self.diagnostics.nearest(key, KEYWORDS).map(|near| format!("did you mean `{near}`?"));
            self.refuse(&format!("`include` has no `{key}`"), unknown.key, help);
        }
        let mut kinds = KINDS.into_iter().filter_map(|kind| Some((kind, entry.get(kind)?)));
        let (Some((kind, value)), None) = (kinds.next(), kinds.next()) else {
            // `artifact`, the last one, is for child pipelines
            let kinds = if self.is_child { &KINDS[..] } else { &KINDS[..KINDS.len() - 1] };
            let help = format!("use exactly one of `{}`", kinds.join("`, `"));
            self.refuse("this include names no file, or more than one kind of it", span, Some(help));
            return Vec::new();
        };
        if entry.get("rules").is_some_and(|rules| !self.rules_hold(file, rules)) {
            return Vec::new();
        }
        let given = Given::of(entry.get("inputs"), value.span, self.diagnostics);
        if value.as_scalar().is_none_or(|scalar| value.is_null() || scalar.text.is_empty()) {
            self.refuse(&format!("`include:{kind}` has to be a string"), value.span, None);
            return Vec::new();
        }
        match kind {
            // GitLab looks for wildcards before it expands variables here, unlike in a bare string.
            "local" if value.as_str().is_some_and(|path| path.contains('*')) => {
                self.local_files(file, value.as_str().unwrap_or_default(), given, value.span)
            }
            "local" => {
                let path = self.text(value);
                self.local_files(file, &path, given, value.span)
            }
            "remote" => {
                let integrity = entry.get("integrity").map(|value| self.text(value));
                let url = self.text(value);
                self.remote(url, integrity, given, value.span)
            }
            "project" => self.project_files(entry, value, &given),
            "template" => {
                let name = self.text(value);
                if !name.ends_with(".gitlab-ci.yml") {
                    let help = Some("templates are named `<path>.gitlab-ci.yml`".to_owned());
                    self.refuse(&format!("`{name}` is no template"), value.span, help);
                    return Vec::new();
                }
                vec![external(External::Template(name), given, value.span)]
            }
            "artifact" => self.artifact(entry, value, given),
            _ => vec![external(External::Component(self.text(value)), given, value.span)],
        }
    }

    fn local_files(&mut self, file: &File, path: &str, inputs: Given, span: Span) -> Vec<Location> {
        let path = path.trim_start_matches('/');
        if !path.contains('*') {
            if !self.is_yaml(path, span) || !self.is_in_repository(path, span) {
                return Vec::new();
            }
            return vec![Location { target: Target::Local(path.to_owned()), inputs, span }];
        }
        if file.home != Home::Here {
            let message = format!("the files that match `{path}` in another project cannot be listed");
            self.diagnostics.push(Diagnostic::warning("include-unavailable", message, span));
            self.unavailable.push(crate::config::Spanned::new(path.to_owned(), span));
            self.is_complete = false;
            return Vec::new();
        }
        let glob = Glob::include(path);
        let matching: Vec<String> = self.files().iter().filter(|file| glob.matches(file)).cloned().collect();
        if matching.is_empty() {
            let help = if path.contains('$') {
                "GitLab does not expand variables in `include:local` with wildcards; use the short form `include: 'path'`"
            } else {
                "GitLab goes on without a file; `*` stays within a folder, `**` does not"
            };
            let message = format!("no file matches `{path}`");
            self.diagnostics.push(Diagnostic::warning("include-empty", message, span).help(help));
        }
        let all: Vec<_> = matching.into_iter().filter(|path| self.is_yaml(path, span)).collect();
        let location = |path| Location { target: Target::Local(path), inputs: inputs.clone(), span };
        all.into_iter().map(location).collect()
    }

    fn project_files(&mut self, entry: &Mapping, project: &Node, given: &Given) -> Vec<Location> {
        let reference = entry.get("ref").filter(|value| !value.is_null()).map(|value| self.text(value));
        let name = self.text(project);
        let Some(files) = entry.get("file") else {
            let help = Some("name its files: `file: /path/in/the/project.yml`".to_owned());
            self.refuse(&format!("this include takes no file of `{name}`"), project.span, help);
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in items(files) {
            let file = self.text(item).trim_start_matches('/').to_owned();
            if self.is_yaml(&file, item.span) && self.is_in_repository(&file, item.span) {
                let found = External::Project { project: name.clone(), reference: reference.clone(), file };
                all.push(external(found, given.clone(), item.span));
            }
        }
        all
    }

    /// A file of a job of the parent pipeline (`External::File::Artifact`).
    fn artifact(&mut self, entry: &Mapping, value: &Node, inputs: Given) -> Vec<Location> {
        if !self.is_child {
            let help = Some("write it in `trigger:include` of a job".to_owned());
            let message = "including configs from artifacts is only allowed when triggering child pipelines";
            self.refuse(message, value.span, help);
            return Vec::new();
        }
        let Some(job) = entry.get("job").filter(|job| !job.is_null()) else {
            let help = Some("name the job that makes the file: `job: NAME`".to_owned());
            self.refuse("job must be provided when including configs from artifacts", value.span, help);
            return Vec::new();
        };
        let (job, file) = (self.text(job), self.text(value));
        if !self.is_yaml(&file, value.span) {
            return Vec::new();
        }
        vec![external(External::Artifact { job, file }, inputs, value.span)]
    }

    fn remote(&mut self, url: String, integrity: Option<String>, given: Given, span: Span) -> Vec<Location> {
        if !self.is_yaml(&url, span) {
            return Vec::new();
        }
        vec![external(External::Remote { url, integrity }, given, span)]
    }

    /// Whether a name ends as GitLab wants it (`YAML_ALLOWLIST_EXTENSION`).
    fn is_yaml(&mut self, name: &str, span: Span) -> bool {
        let base = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let is_yaml = [".yml", ".yaml"]
            .into_iter()
            .any(|ending| base.strip_suffix(ending).is_some_and(|stem| !stem.is_empty()));
        if !is_yaml {
            let help = Some("GitLab includes only files that end in `.yml` or `.yaml`".to_owned());
            self.refuse(&format!("`{name}` is not a YAML file by its name"), span, help);
        }
        is_yaml
    }

    /// Whether a path can be one of a repository's tree. GitLab looks it up in git, where `.` and `..`
    /// are no folders; a file system would lead out of the project.
    fn is_in_repository(&mut self, path: &str, span: Span) -> bool {
        let is_in = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_in {
            let message = format!("the file `{path}` does not exist");
            self.diagnostics.push(
                Diagnostic::error("include-not-found", message, span)
                    .help("paths begin at the root of the repository, without `./` or `../`"),
            );
            self.is_complete = false;
        }
        is_in
    }

    /// A scalar with its variables expanded; unknown ones become empty.
    fn text(&self, node: &Node) -> String {
        let text = node.as_scalar().map(ToString::to_string).unwrap_or_default();
        expand(&text, |name| self.surroundings.variable(name))
    }

    pub(super) fn refuse(&mut self, message: &str, span: Span, help: Option<String>) {
        let mut found = Diagnostic::error("invalid-include", message, span);
        found.help = help;
        self.diagnostics.push(found);
    }
}

fn external(external: External, inputs: Given, span: Span) -> Location {
    Location { target: Target::External(external), inputs, span }
}
