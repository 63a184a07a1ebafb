//! The forms of `include`, and which files they stand for (GitLab's `External::Mapper`).

use super::{File, Home, Includer, items};
use crate::config::{
    Diagnostic, Node, Span,
    expand::expand,
    glob::Glob,
    inputs::Given,
    keyword::duration,
    loader::{External, ProjectRef},
    node::{Kind, Mapping},
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
const KINDS: [&str; 5] = ["local", "project", "remote", "template", "component"];

/// Those of a child pipeline.
const CHILD_KINDS: [&str; 6] = ["local", "project", "remote", "template", "component", "artifact"];

/// Those that `spec:include` has as well.
const HEADER_KINDS: [&str; 3] = ["local", "project", "remote"];

/// Keys of an entry of `spec:include`.
const HEADER_KEYWORDS: [&str; 7] = ["local", "project", "file", "ref", "remote", "integrity", "cache"];

/// For how long a remote file is used again with `cache: true`, in seconds.
const DEFAULT_CACHE: u64 = 60 * 60;

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
            Kind::Mapping(entry) if !self.is_child && entry.get("artifact").is_some() => {
                let help = Some("write it in `trigger:include` of a job".to_owned());
                let place = entry.get("artifact").map_or(item.span, |value| value.span);
                let message =
                    "including configs from artifacts is only allowed when triggering child pipelines";
                self.refuse(message, place, help);
                Vec::new()
            }
            Kind::Mapping(entry) => {
                let kinds = if self.is_child { &CHILD_KINDS[..] } else { &KINDS };
                self.long(file, entry, item.span, &KEYWORDS, kinds)
            }
            _ => {
                self.refuse("`include` takes a path, a mapping, or a list of these", item.span, None);
                Vec::new()
            }
        }
    }

    /// The files that an entry of `spec:include` stands for.
    pub(super) fn header_locations(&mut self, file: &File, item: &Node) -> Vec<Location> {
        match &item.kind {
            Kind::Scalar(_) if item.as_str().is_some() => self.short(file, item),
            Kind::Mapping(entry) => self.long(file, entry, item.span, &HEADER_KEYWORDS, &HEADER_KINDS),
            _ => {
                self.refuse("`spec:include` takes a list of mappings", item.span, None);
                Vec::new()
            }
        }
    }

    /// A bare string: an URL or a path.
    fn short(&mut self, file: &File, item: &Node) -> Vec<Location> {
        let text = self.text(file, item);
        let given = Given::nothing(item.span);
        if text.starts_with("http://") || text.starts_with("https://") {
            return self.remote(text, None, 0, given, item.span);
        }
        self.local_files(file, &text, given, item.span)
    }

    fn long(
        &mut self,
        file: &File,
        entry: &Mapping,
        span: Span,
        keywords: &[&'static str],
        kinds: &[&'static str],
    ) -> Vec<Location> {
        for (key, unknown) in entry.iter().filter(|(key, _)| !keywords.contains(key)) {
            let near = self.diagnostics.nearest(key, keywords.iter().copied());
            let help = near.map(|near| format!("did you mean `{near}`?"));
            self.refuse(&format!("`include` has no `{key}`"), unknown.key, help);
        }
        let mut named = kinds.iter().filter_map(|kind| Some((*kind, entry.get(kind)?)));
        let (Some((kind, value)), None) = (named.next(), named.next()) else {
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
                let path = self.text(file, value);
                self.local_files(file, &path, given, value.span)
            }
            "remote" => self.remote_file(file, entry, value, given),
            "project" => self.project_files(file, entry, value, &given),
            "template" => self.template(self.text(file, value), given, value.span),
            "artifact" => self.artifact(file, entry, value, given),
            _ => vec![external(External::Component(self.text(file, value)), given, value.span)],
        }
    }

    fn template(&mut self, name: String, given: Given, span: Span) -> Vec<Location> {
        if !name.ends_with(".gitlab-ci.yml") {
            let help = Some("templates are named `<path>.gitlab-ci.yml`".to_owned());
            self.refuse(&format!("`{name}` is no template"), span, help);
            return Vec::new();
        }
        if !self.is_in_repository(&name, span) {
            return Vec::new();
        }
        vec![external(External::Template(name), given, span)]
    }

    fn local_files(&mut self, file: &File, path: &str, inputs: Given, span: Span) -> Vec<Location> {
        let path = path.trim_start_matches('/');
        if !path.contains('*') {
            if !self.is_yaml(path, span) || !self.is_in_repository(path, span) {
                return Vec::new();
            }
            return self.at_home(file, path, inputs, span).into_iter().collect();
        }
        let Some(files) = self.files_in(&file.home, span) else {
            self.is_complete = false;
            return Vec::new();
        };
        let glob = Glob::include(path);
        let matching: Vec<String> = files.into_iter().filter(|file| glob.matches(file)).collect();
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
        all.into_iter().filter_map(|path| self.at_home(file, &path, inputs.clone(), span)).collect()
    }

    /// A path in the repository of the file that includes it.
    fn at_home(&mut self, file: &File, path: &str, inputs: Given, span: Span) -> Option<Location> {
        let target = match &file.home {
            Home::Here => Target::Local(path.to_owned()),
            Home::Project(project) => {
                Target::External(External::Project { project: project.clone(), file: path.to_owned() })
            }
            Home::Nowhere => {
                let message = format!("`{path}` is a local file, but `{}` belongs to no project", file.name);
                self.diagnostics.push(
                    Diagnostic::error("include-not-found", message, span)
                        .help("a remote file can include by `remote`, `project`, `template` or `component`"),
                );
                self.is_complete = false;
                return None;
            }
        };
        Some(Location { target, inputs, span })
    }

    fn project_files(
        &mut self,
        file: &File,
        entry: &Mapping,
        project: &Node,
        given: &Given,
    ) -> Vec<Location> {
        let reference = entry.get("ref").filter(|value| !value.is_null()).map(|value| self.text(file, value));
        let name = self.text(file, project);
        let Some(files) = entry.get("file") else {
            let help = Some("name its files: `file: /path/in/the/project.yml`".to_owned());
            self.refuse(&format!("this include takes no file of `{name}`"), project.span, help);
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in items(files) {
            let path = self.text(file, item).trim_start_matches('/').to_owned();
            if self.is_yaml(&path, item.span) && self.is_in_repository(&path, item.span) {
                let project = ProjectRef { host: None, path: name.clone(), reference: reference.clone() };
                let found = External::Project { project, file: path };
                all.push(external(found, given.clone(), item.span));
            }
        }
        all
    }

    /// A file of a job of the parent pipeline (`External::File::Artifact`).
    fn artifact(&mut self, file: &File, entry: &Mapping, value: &Node, inputs: Given) -> Vec<Location> {
        let Some(job) = entry.get("job").filter(|job| !job.is_null()) else {
            let help = Some("name the job that makes the file: `job: NAME`".to_owned());
            self.refuse("job must be provided when including configs from artifacts", value.span, help);
            return Vec::new();
        };
        let (job, path) = (self.text(file, job), self.text(file, value));
        if !self.is_yaml(&path, value.span) {
            return Vec::new();
        }
        vec![external(External::Artifact { job, file: path }, inputs, value.span)]
    }

    fn remote_file(&mut self, file: &File, entry: &Mapping, url: &Node, given: Given) -> Vec<Location> {
        let integrity = entry.get("integrity").map(|value| (self.text(file, value), value.span));
        if let Some((text, span)) = &integrity
            && !is_digest(text)
        {
            let help = Some("write `sha256-` and the digest in Base64, 43 characters and `=`".to_owned());
            self.refuse("`integrity` is no SHA256 digest", *span, help);
        }
        let reuse = entry.get("cache").map_or(0, |cache| self.reuse(cache));
        let address = self.text(file, url);
        if !address.starts_with("http://") && !address.starts_with("https://") {
            let help = Some("a remote file is named by `https://` or `http://`".to_owned());
            self.refuse(&format!("`{address}` is no address of a remote file"), url.span, help);
            return Vec::new();
        }
        self.remote(address, integrity.map(|(text, _)| text), reuse, given, url.span)
    }

    /// `cache`: for how many seconds what was fetched may be used again.
    fn reuse(&mut self, cache: &Node) -> u64 {
        match (cache.as_bool(), cache.as_str().map(duration::parse)) {
            (Some(is_on), _) => u64::from(is_on) * DEFAULT_CACHE,
            (None, Some(Ok(time))) if time.as_secs() >= 60 => time.as_secs(),
            _ => {
                let help = Some("use `true`, or a time of at least `1 minute`".to_owned());
                self.refuse("`cache` has another value than GitLab knows", cache.span, help);
                0
            }
        }
    }

    fn remote(
        &mut self,
        url: String,
        integrity: Option<String>,
        reuse: u64,
        given: Given,
        span: Span,
    ) -> Vec<Location> {
        if !self.is_yaml(&url, span) {
            return Vec::new();
        }
        vec![external(External::Remote { url, integrity, reuse }, given, span)]
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
    fn text(&self, file: &File, node: &Node) -> String {
        let text = node.as_scalar().map(ToString::to_string).unwrap_or_default();
        expand(&text, |name| self.variable(file, name))
    }

    /// The value of a variable as a file's `include` sees it: none where the file belongs to no project.
    pub(super) fn variable(&self, file: &File, name: &str) -> Option<&str> {
        if file.home == Home::Nowhere { None } else { self.surroundings.variable(name) }
    }

    pub(super) fn refuse(&mut self, message: &str, span: Span, help: Option<String>) {
        let mut found = Diagnostic::error("invalid-include", message, span);
        found.help = help;
        self.diagnostics.push(found);
    }
}

/// `sha256-<base64 of 32 bytes>`.
fn is_digest(text: &str) -> bool {
    let digest = text.strip_prefix("sha256-").and_then(|rest| rest.strip_suffix('='));
    let is_base64 = |character: char| character.is_ascii_alphanumeric() || "+/".contains(character);
    digest.is_some_and(|digest| digest.len() == 43 && digest.chars().all(is_base64))
}

fn external(external: External, inputs: Given, span: Span) -> Location {
    Location { target: Target::External(external), inputs, span }
}
