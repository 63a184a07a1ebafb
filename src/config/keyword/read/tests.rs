use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::config::{
    Config, Diagnostics, Severity, Sources, Spanned, Tree,
    keyword::job::{CacheKey, NeedTarget, Parallel, TriggerTarget},
    yaml,
};

mod mistakes;
mod robustness;

/// Reads a text as the only file; includes, `extends` and `!reference` are not resolved.
fn read_with(text: &str, unavailable: &[&str]) -> (Config, Diagnostics, Sources) {
    let mut sources = Sources::default();
    let id = sources.add(".gitlab-ci.yml", text);
    let mut diagnostics = Diagnostics::default();
    let tree = yaml::parse(id, text, &mut diagnostics).map(|file| file.content).unwrap_or_default();
    assert!(diagnostics.is_empty(), "the test's own YAML: {diagnostics:?}");
    let span = crate::config::Span::new(id, 0..0);
    let unavailable: Vec<_> = unavailable.iter().map(|name| Spanned::new((*name).to_owned(), span)).collect();
    let tree = Tree { is_complete: unavailable.is_empty(), unavailable, ..Tree::of(tree) };
    let config = Config::read(tree, &mut diagnostics);
    (config, diagnostics, sources)
}

/// One line for each diagnostic, in the order of the file.
fn render(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics.sorted() {
        let place = diagnostic.span.map_or_else(String::new, |span| {
            let at = sources.locate(span);
            format!("{}:{} ", at.line, at.column)
        });
        let severity = if diagnostic.severity == Severity::Error { "" } else { "warning: " };
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let _ = writeln!(lines, "{place}{severity}[{}] {}{help}", diagnostic.code, diagnostic.message);
    }
    lines
}

/// What is wrong with a text.
fn mistakes(text: &str) -> String {
    let (_, diagnostics, sources) = read_with(text, &[]);
    render(&diagnostics, &sources)
}

/// A configuration without mistakes.
fn read(text: &str) -> Config {
    let (config, diagnostics, sources) = read_with(text, &[]);
    assert!(diagnostics.is_empty(), "{}", render(&diagnostics, &sources));
    config
}

fn texts(list: &[Spanned<String>]) -> Vec<&str> {
    list.iter().map(|item| item.value.as_str()).collect()
}

#[test]
fn stages_are_flattened_and_stand_between_pre_and_post() {
    for (stages, expected) in [
        ("a: {script: x, stage: test}", vec![".pre", "build", "test", "deploy", ".post"]),
        (
            "stages: [one, [two, three]]\na: {script: x, stage: two}",
            vec![".pre", "one", "two", "three", ".post"],
        ),
        ("stages: [.post, a, .pre, a]\na: {script: x, stage: a}", vec![".pre", "a", ".post"]),
    ] {
        assert_eq!(texts(&read(stages).stages), expected, "{stages}");
    }
}

#[test]
fn a_variable_holds_what_ruby_makes_of_its_value() {
    let config = read(
        "variables: {A: 1.10, B: yes, C: 0x1F, D: '1.10', E: , F: {value: x, expand: false}}\n\
         a: {script: x}",
    );
    let values: Vec<_> =
        config.variables.iter().map(|(name, variable)| format!("{name}={}", variable.value)).collect();
    assert_eq!(values, ["A=1.1", "B=true", "C=31", "D=1.10", "E=", "F=x"]);
    assert!(!config.variables["F"].expand);
}

#[test]
fn a_job_takes_each_default_whole_unless_it_says_something_itself() {
    let config = read(
        "default:
  image: ruby
  before_script: [prepare]
  cache: {paths: [a]}
  retry: 2
  tags: [x]
  timeout: 5m
all: {script: x}
own: {script: x, image: alpine, cache: [], before_script: []}
unset: {script: x, image: null}
none: {script: x, inherit: {default: false}}
some: {script: x, inherit: {default: [image]}}",
    );
    let rows: Vec<String> = config
        .jobs
        .iter()
        .map(|job| {
            let image = job.image.as_ref().map_or("-", |image| image.name.as_str());
            let lines = job.before_script.len();
            let (caches, retries, tags) = (job.cache.len(), job.retry.max, job.tags.len());
            format!("{}: {image} {lines} {caches} {retries} {tags} {:?}", job.name.value, job.timeout)
        })
        .collect();
    assert_eq!(
        rows,
        [
            "all: ruby 1 1 2 1 None",
            "own: alpine 0 0 2 1 None",
            "unset: ruby 1 1 2 1 None",
            "none: - 0 0 0 0 None",
            "some: ruby 0 0 0 0 None",
        ]
    );
}

#[test]
fn the_old_global_forms_are_defaults() {
    let config = read("image: ruby\nbefore_script: [a, [b, [c]]]\nservices: [redis]\njob: {script: x}");
    let job = &config.jobs[0];
    assert_eq!(job.image.as_ref().map(|image| image.name.as_str()), Some("ruby"));
    assert_eq!(texts(&job.before_script), ["a", "b", "c"]);
    assert_eq!(job.services.len(), 1);
}

#[test]
fn hidden_keys_may_hold_anything() {
    assert_eq!(read(".a: [1]\n.b: {scirpt: 1}\n.c: text\njob: {script: x}").jobs.len(), 1);
}

#[test]
fn image_and_services_have_two_forms() {
    let config = read(
        "job:
  script: x
  image: {name: alpine, entrypoint: [''], pull_policy: [always, never], kubernetes: {user: 1001:1001}}
  services:
    - redis
    - {name: postgres, alias: 'db, sql other', command: [-v], variables: {A: b}}",
    );
    let job = &config.jobs[0];
    let image = job.image.as_ref().expect("an image");
    assert_eq!(image.kubernetes_user.as_ref().map(|user| user.value.as_str()), Some("1001:1001"));
    assert_eq!(image.pull_policy.len(), 2);
    assert_eq!(job.services[1].aliases, ["db", "sql", "other"]);
    assert_eq!(job.services[1].variables["A"].value, "b");
}

#[test]
fn needs_have_many_forms() {
    let config = read(
        "a: {script: x}
b: {script: x, parallel: {matrix: [{X: [1, 2]}]}}
c:
  script: x
  needs:
    - a
    - [{job: b, optional: true, artifacts: false, parallel: {matrix: [{X: '1'}]}}]
    - {job: 'b: [2]'}
    - {project: g/p, job: j, ref: main}
    - {pipeline: $P, job: j}
d: {script: x, needs: []}
e: {script: x, needs: {job: a}}",
    );
    let needs = config.jobs[2].needs.as_ref().expect("needs");
    assert_eq!(needs.len(), 5);
    assert!(needs[1].optional && !needs[1].artifacts);
    assert!(
        matches!(&needs[1].target, NeedTarget::Job { matrix: Some(matrix), .. } if matrix[0][0].1 == ["1"])
    );
    assert!(matches!(&needs[3].target, NeedTarget::Project { .. }));
    assert!(matches!(&needs[4].target, NeedTarget::Pipeline { job: Some(_), .. }));
    assert_eq!(config.jobs[3].needs.as_ref().map(Vec::len), Some(0));
    assert_eq!(config.jobs[4].needs.as_ref().map(Vec::len), Some(1));
}

#[test]
fn parallel_is_a_count_or_a_matrix() {
    let config = read("a: {script: x, parallel: 3}\nb: {script: x, parallel: {matrix: [{A: [1, x], B: y}]}}");
    assert_eq!(config.jobs[0].parallel, Some(Parallel::Count(3)));
    let Some(Parallel::Matrix(matrix)) = &config.jobs[1].parallel else { panic!("a matrix") };
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    assert_eq!(matrix[0], [("A".to_owned(), strings(&["1", "x"])), ("B".to_owned(), strings(&["y"]))]);
}

#[test]
fn a_cache_key_is_a_text_or_files() {
    let config = read(
        "a: {script: x, cache: {paths: [p]}}
b: {script: x, cache: [{key: {files: [f], prefix: p}}, [{key: {files_commits: [g]}, policy: $P}]]}",
    );
    assert_eq!(config.jobs[0].cache[0].key, CacheKey::Text("default".to_owned()));
    assert_eq!(config.jobs[0].cache[0].policy, "pull-push");
    assert!(matches!(&config.jobs[1].cache[0].key, CacheKey::Files { commits: false, prefix: Some(_), .. }));
    assert!(matches!(&config.jobs[1].cache[1].key, CacheKey::Files { commits: true, prefix: None, .. }));
}

#[test]
fn a_trigger_is_a_project_or_a_child() {
    let config = read(
        "a: {trigger: g/p}
b: {trigger: {project: $P, branch: main, strategy: depend, forward: {pipeline_variables: true}}}
c: {trigger: {include: child.yml, strategy: mirror}, needs: [a]}",
    );
    let trigger = |at: usize| config.jobs[at].trigger.as_ref().expect("a trigger");
    assert!(matches!(&trigger(0).target, TriggerTarget::Project { branch: None, .. }));
    assert!(trigger(1).forward_pipeline_variables && trigger(1).forward_yaml_variables);
    assert!(matches!(&trigger(2).target, TriggerTarget::Child(_)));
}

#[test]
fn pages_publish_their_directory_as_an_artifact() {
    for (pages, expected) in [
        ("true", vec!["public"]),
        ("false", vec![]),
        ("{publish: dist}", vec!["dist"]),
        ("{path_prefix: x}", vec!["public"]),
    ] {
        let config = read(&format!("a: {{script: x, pages: {pages}}}"));
        let paths = config.jobs[0].artifacts.as_ref().map(|artifacts| texts(&artifacts.paths));
        assert_eq!(paths.unwrap_or_default(), expected, "{pages}");
    }
    for (job, expected) in [
        ("pages: {script: x}", vec!["public"]),
        ("pages: {script: x, artifacts: {paths: [public]}}", vec!["public"]),
        ("pages: {script: x, publish: dist}", vec!["dist"]),
        ("pages: {script: x, pages: false}", vec![]),
    ] {
        let config = read(job);
        let paths = config.jobs[0].artifacts.as_ref().map(|artifacts| texts(&artifacts.paths));
        assert_eq!(paths.unwrap_or_default(), expected, "{job}");
    }
}

#[test]
fn what_is_not_simulated_is_named_once() {
    let config = read(
        "a: {script: x, release: {tag_name: t, description: d}, id_tokens: {T: {aud: x}}}
b: {script: x, release: {tag_name: t, description: d}, secrets: {S: {vault: a/b}}}
c: {trigger: g/p}
d: {script: x, environment: {name: e, auto_stop_in: 1 day}}",
    );
    assert_eq!(
        texts(&config.not_simulated),
        ["release", "id_tokens", "secrets", "trigger:project", "environment:auto_stop_in"]
    );
    assert_eq!(texts(&config.jobs[0].token_variables), ["T"]);
    assert_eq!(texts(&config.jobs[1].token_variables), ["S"]);
}

#[test]
fn a_job_that_cannot_be_run_here_is_unresolved_rather_than_dropped() {
    let config =
        read("a: {run: [{name: one, script: x}]}\nb: {needs: {pipeline: g/p}}\nc: {script: x, needs: [a]}");
    let names: Vec<_> = config.unresolved.iter().map(|job| job.name.value.as_str()).collect();
    assert_eq!((names, config.jobs.len()), (vec!["a", "b"], 1));
}

#[test]
fn what_a_missing_include_may_define_is_no_error() {
    let text = "a: {stage: lint, script: x, needs: [elsewhere]}\nb: {stage: test, extends: .there}\n\
                c: {stage: scan, script: x, dependencies: [b]}";
    let (config, diagnostics, sources) = read_with(text, &["group/project:ci.yml"]);
    assert!(!diagnostics.has_errors());
    assert_eq!(texts(&config.stages), [".pre", "build", "test", "deploy", "lint", "scan", ".post"]);
    assert_eq!((config.jobs.len(), config.unresolved.len()), (2, 1));
    assert_snapshot!(render(&diagnostics, &sources), @r"
    1:12 warning: [unknown-stage] stage `lint` of job `a` does not exist (an include that could not be read may define it; it is taken for the last one)
    1:37 warning: [unknown-job] `elsewhere`, a need of `a`, is in no file that could be read (an include that could not be read may define it; it is left out here)
    3:12 warning: [unknown-stage] stage `scan` of job `c` does not exist (an include that could not be read may define it; it is taken for the last one)
    ");
}

#[test]
fn inputs_of_a_trigger_are_those_of_each_file_that_it_includes() {
    let config = read(
        "a: {trigger: {include: a.yml, inputs: {x: 1}}}
b: {trigger: {include: [https://example.com/b.yml, {local: c.yml}], inputs: {x: 1}}}",
    );
    let include = |at: usize| match &config.jobs[at].trigger.as_ref().expect("a trigger").target {
        TriggerTarget::Child(include) => {
            let mut mapping = crate::config::node::Mapping::default();
            mapping.insert("include", include.span, (**include).clone());
            crate::config::emit(&mapping)
        }
        TriggerTarget::Project { .. } => panic!("it is a child"),
    };
    assert_eq!(include(0), "include:\n  local: a.yml\n  inputs:\n    x: 1\n");
    assert_eq!(
        include(1),
        "include:\n  - remote: https://example.com/b.yml\n    inputs:\n      x: 1\n  - local: c.yml\n    \
         inputs:\n      x: 1\n"
    );
}
