//! `artifacts` and its `reports` (`Entry::Artifacts`, `Entry::Reports`).

use indexmap::IndexMap;

use super::{context::Context, duration, fields::Fields, value::Value};
use crate::config::{
    diagnostic::Diagnostic,
    keyword::job::{Artifacts, UploadWhen},
    node::Kind,
    source::Spanned,
};

/// The words of `artifacts:when` and `cache:when`.
pub(super) const UPLOAD_WHEN: [(&str, UploadWhen); 3] = [
    ("on_success", UploadWhen::OnSuccess),
    ("on_failure", UploadWhen::OnFailure),
    ("always", UploadWhen::Always),
];

/// Kinds of reports that take one path only: what makes them writes one file. GitLab's schema also has
/// `annotations` here, of which CMake's project has several.
const SINGLE: [&str; 2] = ["accessibility", "browser_performance"];

/// Kinds of reports that take one path or several.
const REPORTS: [&str; 26] = [
    "annotations",
    "api_fuzzing",
    "cluster_image_scanning",
    "codequality",
    "container_scanning",
    "coverage_fuzzing",
    "cyclonedx",
    "dast",
    "dependency_scanning",
    "dotenv",
    "junit",
    "license_management",
    "license_scanning",
    "load_performance",
    "lsif",
    "metrics",
    "repository_xray",
    "requirements",
    "requirements_v2",
    "sarif",
    "sast",
    "scip",
    "secret_detection",
    "slsa_provenance_statement",
    "terraform",
    "trace",
];

/// The longest `expose_as`.
const LONGEST_EXPOSE_AS: usize = 100;

/// A hash.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Artifacts> {
    let fields = value.fields(cx)?;
    let strings =
        |key, cx: &mut Context<'_>| fields.get(key).and_then(|value| value.strings(cx)).unwrap_or_default();
    let artifacts = Artifacts {
        span: value.span(),
        paths: strings("paths", cx),
        exclude: strings("exclude", cx),
        untracked: fields.get("untracked").and_then(|value| value.boolean(cx)).unwrap_or(false),
        when: fields.get("when").and_then(|when| when.choice(&UPLOAD_WHEN, cx)).unwrap_or_default(),
        name: fields.get("name").and_then(|name| name.string(cx)),
        expire_in: fields.get("expire_in").and_then(|expire_in| duration::check(&expire_in, cx)),
        reports: fields.get("reports").and_then(|value| reports(&value, cx)).unwrap_or_default(),
    };
    check_publication(&fields, &artifacts, cx);
    fields.finish(cx);
    Some(artifacts)
}

/// What only GitLab's own pages show.
fn check_publication(fields: &Fields<'_>, artifacts: &Artifacts, cx: &mut Context<'_>) {
    let access = fields.get("access");
    if let Some(access) = &access {
        access.choice(&[("none", ()), ("developer", ()), ("maintainer", ()), ("all", ())], cx);
    }
    let public = fields.get("public");
    public.as_ref().and_then(|public| public.boolean(cx));
    if let (Some(_), Some(public)) = (access, fields.key("public")) {
        let message = format!("`artifacts`{} cannot have `access` and `public` together", fields.owner);
        cx.report(Diagnostic::error("conflicting-keywords", message, public));
    }
    let Some(expose_as) = fields.get("expose_as") else { return };
    let Some(name) = expose_as.string(cx) else { return };
    let fits = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | ' ');
    if name.chars().count() > LONGEST_EXPOSE_AS || !name.chars().all(fits) {
        let rest = "can contain only letters, digits, `-`, `_` and spaces, at most 100";
        cx.report(expose_as.error("bad-name", rest));
    }
    if artifacts.paths.is_empty() {
        cx.report(expose_as.error("missing-keyword", "needs `artifacts:paths`"));
    }
    for path in artifacts.paths.iter().filter(|path| path.contains('*')) {
        let message = format!("`artifacts:paths`{} can't contain `*` beside `expose_as`", fields.owner);
        cx.report(Diagnostic::error("bad-path", message, path.span));
    }
}

fn reports(value: &Value<'_>, cx: &mut Context<'_>) -> Option<IndexMap<String, Vec<Spanned<String>>>> {
    let fields = value.fields(cx)?;
    let mut reports = IndexMap::new();
    for kind in SINGLE {
        if let Some(path) = fields.written(kind).and_then(|path| path.name(cx)) {
            reports.insert(kind.to_owned(), vec![path]);
        }
    }
    for kind in REPORTS {
        if let Some(paths) = fields.written(kind).and_then(|paths| paths.one_or_more(cx)) {
            reports.insert(kind.to_owned(), paths);
        }
    }
    refuse_old_name(&fields, cx);
    if let Some(coverage) = fields.get("coverage_report")
        && let Some(path) = coverage_report(&coverage, cx)
    {
        reports.insert("coverage_report".to_owned(), vec![path]);
    }
    fields.finish(cx);
    Some(reports)
}

/// The name that `browser_performance` had until GitLab 14.0.
fn refuse_old_name(fields: &Fields<'_>, cx: &mut Context<'_>) {
    if let Some(old) = fields.get("performance") {
        let rest = "is the old name of `browser_performance`";
        cx.report(old.error("old-keyword", rest).help("write `browser_performance`"));
    }
}

fn coverage_report(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let Kind::Mapping(_) = value.node.kind else {
        return value.expected("a hash with `coverage_format` and `path`", cx);
    };
    let fields = value.fields(cx)?;
    if let Some(format) = fields.required("coverage_format", cx) {
        format.choice(&[("cobertura", ()), ("jacoco", ())], cx);
    }
    let path = fields.required("path", cx).and_then(|path| path.name(cx));
    fields.finish(cx);
    path
}
