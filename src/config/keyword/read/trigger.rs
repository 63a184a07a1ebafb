//! `trigger` (`Entry::Trigger`).

use super::{context::Context, fields::Fields, value::Value};
use crate::config::{
    diagnostic::Diagnostic,
    keyword::job::{Trigger, TriggerTarget},
    node::{Kind, Mapping, Node},
    source::Spanned,
};

/// The most files of `trigger:include`.
const MOST_INCLUDES: usize = 3;

/// A project, or a hash with `project` or `include`.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Trigger> {
    let trigger = |target| Trigger {
        span: value.span(),
        target,
        strategy: None,
        forward_yaml_variables: true,
        forward_pipeline_variables: false,
    };
    if value.node.as_str().is_some() {
        let project = project(value, cx)?;
        cx.note("trigger:project", value.span());
        return Some(trigger(TriggerTarget::Project { project, branch: None }));
    }
    if value.node.as_mapping().is_none() {
        return value.expected("a string or a hash", cx);
    }
    let fields = value.fields(cx)?;
    let target = target(&fields, value, cx);
    let strategy = fields.get("strategy");
    let known = strategy.as_ref().and_then(|value| value.choice(&[("depend", ()), ("mirror", ())], cx));
    let strategy = known.and(strategy).and_then(|strategy| strategy.string(cx));
    let (yaml, pipeline) = fields.get("forward").map_or((None, None), |value| forward(&value, cx));
    let inputs = fields.get("inputs").filter(|inputs| check_inputs(inputs, cx).is_some());
    let target = match (target, inputs) {
        (Some(TriggerTarget::Child(include)), Some(inputs)) => {
            Some(TriggerTarget::Child(Box::new(with_inputs(*include, &inputs, cx))))
        }
        (target, _) => target,
    };
    fields.finish(cx);
    Some(Trigger {
        strategy,
        forward_yaml_variables: yaml.unwrap_or(true),
        forward_pipeline_variables: pipeline.unwrap_or(false),
        ..trigger(target?)
    })
}

fn target(fields: &Fields<'_>, value: &Value<'_>, cx: &mut Context<'_>) -> Option<TriggerTarget> {
    if let Some(include) = fields.get("include") {
        if let Some(project) = fields.key("project") {
            let message = format!("`trigger`{} cannot have `project` and `include`", fields.owner);
            cx.report(Diagnostic::error("conflicting-keywords", message, project));
            fields.ignore(&["project", "branch"]);
        }
        check_includes(&include, cx);
        return Some(TriggerTarget::Child(Box::new(include.node.clone())));
    }
    let branch = fields.get("branch").and_then(|branch| branch.string(cx)).map(|branch| branch.value);
    let Some(written) = fields.get("project") else {
        cx.report(value.error("missing-keyword", "should have either `project` or `include`"));
        return None;
    };
    Some(TriggerTarget::Project { project: project(&written, cx)?, branch })
}

fn forward(value: &Value<'_>, cx: &mut Context<'_>) -> (Option<bool>, Option<bool>) {
    let Some(fields) = value.fields(cx) else { return (None, None) };
    let yaml = fields.get("yaml_variables").and_then(|forward| forward.boolean(cx));
    let pipeline = fields.get("pipeline_variables").and_then(|forward| forward.boolean(cx));
    fields.finish(cx);
    (yaml, pipeline)
}

/// The full path of a project: at least a group and a name, unless a variable holds it.
fn project(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let path = value.name(cx)?;
    let variable = path.split('$').skip(1).any(|rest| !rest.is_empty() && !rest.starts_with(' '));
    let nested = !path.starts_with('/') && !path.ends_with('/') && path.contains('/');
    if !variable && !nested {
        let rest = format_args!("should be a project's full path, not `{}`", path.value);
        cx.report(value.error("bad-project", rest).help("a full path looks like `group/project`"));
        return None;
    }
    Some(path)
}

fn check_includes(include: &Value<'_>, cx: &mut Context<'_>) {
    let items: Vec<_> = match include.items() {
        Some(items) => items.collect(),
        None if include.node.as_mapping().is_some() => {
            let help = "put a `- ` before its first line";
            let rest = "should be an array or a string, not a hash";
            return cx.report(include.error("wrong-type", rest).help(help));
        }
        None => vec![include.clone()],
    };
    if items.len() > MOST_INCLUDES {
        let rest = format_args!("has {} entries, GitLab takes {MOST_INCLUDES}", items.len());
        cx.report(include.error("too-many", rest));
    }
    for item in items {
        match &item.node.kind {
            Kind::Mapping(_) => check_include(&item, cx),
            _ if item.node.as_str().is_some() => check_file_name(&item, cx),
            _ => drop(item.expected::<()>("a string or a hash", cx)),
        }
    }
}

/// GitLab includes only files that are called `.yml` or `.yaml`; a variable may hold the name.
fn check_file_name(value: &Value<'_>, cx: &mut Context<'_>) {
    let name = value.node.as_str().unwrap_or_default();
    if !name.contains('$') && !name.ends_with(".yml") && !name.ends_with(".yaml") {
        cx.report(
            value.error("bad-file-name", format_args!("names `{name}`, which is not `.yml` or `.yaml`")),
        );
    }
}

/// `trigger:include` whose entries have the inputs of `trigger`, which may not have some of their own.
fn with_inputs(mut include: Node, inputs: &Value<'_>, cx: &mut Context<'_>) -> Node {
    let entries = match &mut include.kind {
        Kind::Sequence(entries) => entries.as_mut_slice(),
        _ => std::slice::from_mut(&mut include),
    };
    for entry in entries {
        if let Some(file) = entry.as_str().map(str::to_owned) {
            let is_remote = file.starts_with("http://") || file.starts_with("https://");
            let mut mapping = Mapping::default();
            mapping.insert(if is_remote { "remote" } else { "local" }, entry.span, entry.clone());
            *entry = Node::mapping(mapping, entry.span);
        }
        let Kind::Mapping(mapping) = &mut entry.kind else { continue };
        if let Some(own) = mapping.insert("inputs", inputs.span(), inputs.node.clone()) {
            let message = "`trigger:inputs` and `trigger:include:inputs` cannot be used together";
            cx.report(Diagnostic::error("conflicting-keywords", message, own.key));
        }
    }
    include
}

/// `inputs`: a hash of values.
fn check_inputs(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let Kind::Mapping(mapping) = &value.node.kind else { return value.expected("a hash", cx) };
    let word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    for (name, entry) in mapping.iter().filter(|(name, _)| !name.chars().all(word)) {
        let message = format!("an input cannot be called `{name}`");
        let help = "names of inputs hold letters, digits, `_` and `-`";
        cx.report(Diagnostic::error("bad-name", message, entry.key).help(help));
    }
    Some(())
}

fn check_include(item: &Value<'_>, cx: &mut Context<'_>) {
    let Some(fields) = item.fields(cx) else { return };
    fields.get("inputs").and_then(|inputs| check_inputs(&inputs, cx));
    fields.ignore(&["rules", "integrity", "cache"]);
    let kinds = ["local", "template", "component", "remote", "artifact", "project"];
    let named = kinds.iter().filter_map(|kind| fields.get(kind)).collect::<Vec<_>>();
    for kind in &named {
        kind.name(cx);
    }
    for kind in ["local", "template", "remote", "artifact"] {
        if let Some(name) = fields.get(kind) {
            check_file_name(&name, cx);
        }
    }
    if named.is_empty() {
        let rest = "should have one of `local`, `project`, `template`, `component`, `remote`, `artifact`";
        cx.report(item.error("missing-keyword", rest));
    }
    if let Some(written) = fields.get("project") {
        project(&written, cx);
        fields.required("file", cx);
    }
    if fields.get("artifact").is_some() {
        fields.required("job", cx);
    }
    fields.ignore(&["file", "ref", "job"]);
    fields.finish(cx);
}

/// The job that makes the file of `trigger:include:artifact`, with the place that names it.
pub(super) fn artifact_jobs(include: &Node) -> Vec<Spanned<String>> {
    let items = include.as_sequence().unwrap_or(std::slice::from_ref(include));
    let job = |item: &Node| {
        let job = item.as_mapping()?.get("job")?;
        Some(Spanned::new(job.as_str()?.to_owned(), job.span))
    };
    items.iter().filter_map(job).collect()
}
