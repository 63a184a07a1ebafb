use std::time::Duration;

use indexmap::IndexMap;

use super::*;
use crate::{
    config::{
        Sources, Span, Spanned,
        keyword::{
            Variable as Written,
            job::{AllowFailure, Cache, CacheKey, Image, Service, UploadWhen},
            rules::When,
        },
    },
    event::Failure,
    pipeline::{
        Job, Pipeline,
        job::{Givers, Origin, Variable},
    },
    runner::{Settings, Slot},
};

fn span() -> Span {
    Span::new(Sources::default().add(".gitlab-ci.yml", ""), 0..0)
}

fn written(text: &str) -> Spanned<String> {
    Spanned::new(text.to_owned(), span())
}

fn image(name: &str) -> Image {
    Image {
        name: written(name),
        entrypoint: None,
        pull_policy: Vec::new(),
        kubernetes_user: None,
        platform: None,
    }
}

fn variable(key: &str, value: &str, origin: Origin) -> Variable {
    Variable::new(key, value, origin)
}

/// A job with an image and what GitLab says of its project.
fn job() -> Job {
    let predefined = [
        ("CI_PROJECT_ID", "42"),
        ("CI_PROJECT_PATH", "group/project"),
        ("CI_PROJECT_URL", "https://gitlab.example.com/group/project"),
        ("CI_COMMIT_REF_NAME", "main"),
    ];
    Job {
        name: "build".into(),
        key: written("build"),
        instance: None,
        stage: "test".into(),
        when: When::OnSuccess,
        start_in: None,
        allow_failure: AllowFailure::Always(false),
        needs: None,
        artifacts_from: Givers::default(),
        artifacts_from_pipelines: Vec::new(),
        matched_rule: None,
        reason: String::new(),
        variables: predefined
            .map(|(key, value)| variable(key, value, Origin::Predefined))
            .into_iter()
            .collect(),
        script: vec![written("make")],
        after_script: Vec::new(),
        pre_get_sources_script: Vec::new(),
        image: Some(image("alpine:3.20")),
        services: Vec::new(),
        artifacts: None,
        cache: Vec::new(),
        retry: crate::config::keyword::job::Retry::default(),
        timeout: None,
        interruptible: false,
        tags: vec!["kind".into(), "linux".into()],
        resource_group: None,
        environment: None,
        trigger: None,
        coverage: None,
        held: None,
        span: span(),
    }
}

/// What a test may change of the inputs.
#[derive(Default)]
struct Around<'a> {
    settings: Option<Settings>,
    images: &'a [(&'a str, &'a str)],
    dotenv: Vec<Variable>,
}

fn build(job: Job, around: Around<'_>) -> Result<Build, Failure> {
    let pipeline = Pipeline {
        name: None,
        stages: vec!["test".into()],
        jobs: vec![job],
        left_out: Vec::new(),
        unresolved: Vec::new(),
        cancel_on_job_failure: false,
        not_simulated: Vec::new(),
        filtered: None,
    };
    let images: IndexMap<String, String> =
        around.images.iter().map(|(name, instead)| ((*name).into(), (*instead).into())).collect();
    let slot = Slot { runner: "gitlab-ci-runner-1".into(), index: 2 };
    Build::new(
        JobId(0),
        &Inputs {
            pipeline: &pipeline,
            settings: &around.settings.unwrap_or_default(),
            identity: Identity {
                run: "5f2c01ab99".into(),
                pipeline_id: 7,
                job_id: 201,
                slot,
                started_at: "2026-11-22T16:51:19Z".into(),
            },
            images: &images,
            dotenv: &around.dotenv,
            key_of_files: &|files, commits| (files != ["missing"]).then(|| format!("hash-{commits}")),
            look: Look::Never,
        },
    )
}

fn made(job: Job) -> Build {
    build(job, Around::default()).expect("the job has all that it needs")
}

#[test]
fn a_job_has_the_variables_that_exist_only_in_jobs() {
    let build = made(job());
    let shown: Vec<String> = build
        .variables
        .iter()
        .filter(|variable| !variable.key.starts_with("FF_"))
        .map(|variable| {
            let mark = if variable.masked { " (masked)" } else { "" };
            format!("{}={}{mark}", variable.key, variable.value)
        })
        .filter(|line| !line.starts_with("CI_RUNNER_EXECUTABLE_ARCH="))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    CI_JOB_IMAGE=alpine:3.20
    CI_RUNNER_SHORT_TOKEN=5f2c01ab9
    CI_BUILDS_DIR=/builds
    CI_PROJECT_DIR=/builds/group/project
    CI_CONCURRENT_ID=2
    CI_CONCURRENT_PROJECT_ID=2
    CI_SERVER=yes
    CI_JOB_STATUS=running
    CI_JOB_TIMEOUT=3600
    CI_PIPELINE_ID=7
    CI_PIPELINE_URL=https://gitlab.example.com/group/project/-/pipelines/7
    CI_JOB_ID=201
    CI_JOB_URL=https://gitlab.example.com/group/project/-/jobs/201
    CI_JOB_STARTED_AT=2026-11-22T16:51:19Z
    CI_REGISTRY_USER=gitlab-ci-token
    CI_RUNNER_ID=2
    CI_RUNNER_DESCRIPTION=gitlab-ci-runner-1
    CI_RUNNER_TAGS=["kind", "linux"]
    CI_JOB_TOKEN=podline-dummy-token (masked)
    CI_REGISTRY_PASSWORD=podline-dummy-token (masked)
    CI_REPOSITORY_URL=https://gitlab-ci-token:podline-dummy-token@gitlab.example.com/group/project.git (masked)
    CI_PROJECT_ID=42
    CI_PROJECT_PATH=group/project
    CI_PROJECT_URL=https://gitlab.example.com/group/project
    CI_COMMIT_REF_NAME=main
    CI_DISPOSABLE_ENVIRONMENT=true
    CI_RUNNER_VERSION=19.4.0
    CI_RUNNER_REVISION=podline
    RUNNER_TEMP_PROJECT_DIR=/builds/group/project.tmp
    "#);
    assert_eq!(build.variables.iter().filter(|variable| variable.key.starts_with("FF_")).count(), 52);
    assert_eq!(build.variable("FF_USE_FASTZIP"), Some("true"));
    assert_eq!(build.timeout, Duration::from_secs(3600));
    assert_eq!(build.project_dir, "/builds/group/project");
}

#[test]
fn the_nearest_variable_wins() {
    let orders: [(&[Origin], &str); 5] = [
        (&[Origin::Predefined, Origin::Global], "global"),
        (&[Origin::Global, Origin::Job], "job"),
        (&[Origin::Job, Origin::Dotenv], "dotenv"),
        (&[Origin::Dotenv, Origin::Project], "project"),
        (&[Origin::Dotenv, Origin::CommandLine], "commandline"),
    ];
    for (origins, expected) in orders {
        let mut job = job();
        let mut dotenv = Vec::new();
        for origin in origins {
            let found = variable("V", &format!("{origin:?}").to_lowercase(), *origin);
            if *origin == Origin::Dotenv { dotenv.push(found) } else { job.variables.push(found) }
        }
        let build = build(job, Around { dotenv, ..Around::default() }).expect("a build");
        assert_eq!(build.variable("V"), Some(expected), "{origins:?}");
    }
}

#[test]
fn references_are_replaced_by_gitlab_and_then_by_the_runner() {
    let table = [
        ("$ONE/${TWO}", "1/1-2"),
        ("$CI_PROJECT_DIR/out", "/builds/group/project/out"),
        ("$CI_JOB_ID of $CI_CONCURRENT_ID", "201 of 2"),
        ("a $NOTHING b", "a  b"),
        ("costs 5$$", "costs 5$"),
        ("%ONE%", "1"),
        ("$FILE", "/builds/group/project.tmp/FILE"),
    ];
    for (value, expected) in table {
        let mut job = job();
        job.variables.push(variable("ONE", "1", Origin::Global));
        job.variables.push(variable("TWO", "$ONE-2", Origin::Global));
        job.variables.push(Variable { file: true, ..variable("FILE", "content", Origin::Project) });
        job.variables.push(variable("V", value, Origin::Job));
        assert_eq!(made(job).variable("V"), Some(expected), "{value}");
    }
    let mut raw = job();
    raw.variables.push(Variable { raw: true, ..variable("V", "$CI_JOB_ID", Origin::Job) });
    assert_eq!(made(raw).variable("V"), Some("$CI_JOB_ID"));
}

#[test]
fn an_image_is_mapped_by_its_name_or_a_glob() {
    let images = [("rust:1", "local/rust"), ("registry.example.com/*", "mirror/all"), ("*", "any")];
    let table = [("rust:1", "local/rust"), ("$REGISTRY/team/app:2", "mirror/all"), ("python:3", "any")];
    for (name, expected) in table {
        let mut job = job();
        job.variables.push(variable("REGISTRY", "registry.example.com", Origin::Global));
        job.image = Some(image(name));
        let build = build(job, Around { images: &images, ..Around::default() }).expect("a build");
        assert_eq!(build.image.name, expected, "{name}");
    }
    assert_eq!(made(job()).image.name, "alpine:3.20");
}

#[test]
fn a_job_without_image_takes_the_default_one() {
    let bare = || Job { image: None, ..job() };
    let settings = Settings { image: Some("debian:12".into()), ..Settings::default() };
    let found = build(bare(), Around { settings: Some(settings), ..Around::default() }).expect("a build");
    assert_eq!(found.image.name, "debian:12");
    assert_eq!(found.variable("CI_JOB_IMAGE"), Some("debian:12"));
    let failure = build(bare(), Around::default()).expect_err("no image");
    assert_eq!(failure.message, "the job has no image, and the runner has no default one");

    let empty = Job { image: Some(image("$NOTHING")), ..job() };
    let failure = build(empty, Around::default()).expect_err("no image");
    assert_eq!(failure.message, "the image of the job, `$NOTHING`, is empty once its variables are expanded");
}

#[test]
fn a_pull_policy_must_be_one_that_the_runner_allows() {
    let with = |policies: &[PullPolicy]| {
        let image = Image { pull_policy: policies.to_vec(), ..image("alpine") };
        build(Job { image: Some(image), ..job() }, Around::default()).map(|build| build.image.pull_policy)
    };
    assert_eq!(with(&[]), Ok(vec![PullPolicy::IfNotPresent]));
    assert_eq!(with(&[PullPolicy::Always, PullPolicy::IfNotPresent]), Ok(vec![PullPolicy::IfNotPresent]));
    assert!(with(&[PullPolicy::Always]).is_err());
}

#[test]
fn a_user_is_a_number() {
    let table = [("1000", Some((1000, None))), ("1000:100", Some((1000, Some(100)))), ("", None)];
    let with = |user: &str| {
        let image = Image { kubernetes_user: Some(written(user)), ..image("alpine") };
        build(Job { image: Some(image), ..job() }, Around::default()).map(|build| build.image.user)
    };
    for (user, expected) in table {
        assert_eq!(with(user), Ok(expected), "{user}");
    }
    assert!(with("root").is_err());
    assert!(with("-1").is_err());
}

#[test]
fn a_service_sees_the_file_s_variables_and_its_own() {
    let mut job = job();
    job.variables.push(variable("USER", "app", Origin::Job));
    job.variables.push(variable("SECRET", "hidden", Origin::Project));
    let own = Written { value: "$USER-db".into(), expand: true, description: None, span: span() };
    job.services.push(Service {
        image: image("postgres:16"),
        aliases: vec!["db".into()],
        command: None,
        variables: [("USER".to_owned(), own)].into_iter().collect(),
    });
    let build = made(job);
    let service = &build.services[0];
    let value = |key: &str| service.variables.iter().find(|v| v.key == key).map(|v| v.value.as_str());
    assert_eq!(service.aliases, ["postgres", "db"]);
    assert_eq!((value("USER"), value("SECRET")), (Some("app-db"), None));
}

#[test]
fn a_cache_key_is_a_text_or_a_hash_of_files() {
    let files = |file: &str, prefix: Option<&str>| CacheKey::Files {
        files: vec![file.into()],
        prefix: prefix.map(str::to_owned),
        commits: false,
    };
    let table = [
        (CacheKey::Text("$CI_COMMIT_REF_NAME-x".into()), "main-x"),
        (files("Cargo.lock", None), "0_Cargo-hash-false"),
        (files("Cargo.lock", Some("")), "hash-false"),
        (files("Cargo.lock", Some("$CI_COMMIT_REF_NAME")), "main-hash-false"),
        (files("missing", Some("p")), "p-default"),
        (files("missing", None), "0_missing-default"),
    ];
    for (key, expected) in table {
        let cache = Cache {
            key: key.clone(),
            fallback_keys: vec!["$CI_COMMIT_REF_NAME".into()],
            paths: vec![written("$CI_PROJECT_ID/x")],
            untracked: false,
            policy: "pull".into(),
            when: UploadWhen::OnSuccess,
        };
        let build = made(Job { cache: vec![cache], ..job() });
        let found = &build.caches[0];
        assert_eq!(found.key, CacheKey::Text(expected.into()), "{key:?}");
        assert_eq!((found.fallback_keys[0].as_str(), found.paths[0].value.as_str()), ("main", "42/x"));
    }
}
