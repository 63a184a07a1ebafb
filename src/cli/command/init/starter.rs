//! What a first `.gitlab-ci.yml` says, from what lies in the project's folder.

use std::collections::BTreeSet;

/// A first configuration.
pub(super) struct Starter {
    /// What the project was taken for, for people.
    pub(super) found: String,
    /// The configuration.
    pub(super) text: String,
}

/// Before every configuration.
const HEAD: &str = "\
# What GitLab runs after every push: https://docs.gitlab.com/ci/yaml/
# `podline run` runs the same here, before you push.
";

impl Starter {
    /// `names` are the files of the project's folder; `read` gives the text of one.
    pub(super) fn of(names: &BTreeSet<String>, read: impl Fn(&str) -> String) -> Self {
        let has = |name: &str| names.contains(name);
        let (found, mut body) = if has("Cargo.toml") {
            ("a Rust project (`Cargo.toml`)", rust(has("Cargo.lock")))
        } else if has("package.json") {
            ("a Node.js project (`package.json`)", node(has("package-lock.json")))
        } else if has("go.mod") {
            ("a Go module (`go.mod`)", GO.to_owned())
        } else if has("pyproject.toml") {
            ("a Python project (`pyproject.toml`)", python(has("tests") || has("test")))
        } else if has("Makefile") {
            ("a project with a `Makefile`", make(&read("Makefile")))
        } else if has("Dockerfile") {
            return Self {
                found: "a `Dockerfile`".to_owned(),
                text: format!("{HEAD}{DOCKER_ONLY}{DOCKERFILE}"),
            };
        } else {
            ("any project: no build tool was recognised", PLAIN.to_owned())
        };
        let mut found = found.to_owned();
        if has("Dockerfile") {
            body.push_str(DOCKERFILE);
            found.push_str(" with a `Dockerfile`");
        }
        Self { found, text: format!("{HEAD}{body}") }
    }
}

fn rust(has_lock: bool) -> String {
    let locked = if has_lock { " --locked" } else { "" };
    format!(
        "stages: [build, test]

default:
  image: rust:1

variables:
  # in the project's folder, so that the cache can keep it
  CARGO_HOME: $CI_PROJECT_DIR/.cargo

# What is fetched and built is kept between pipelines, until Cargo.toml changes.
.cargo:
  cache:
    key:
      files: [Cargo.toml]
    paths: [.cargo/registry, target]

build:
  extends: .cargo
  stage: build
  script:
    - cargo build{locked}

test:
  extends: .cargo
  stage: test
  script:
    - cargo test{locked}
"
    )
}

fn node(has_lock: bool) -> String {
    let install = if has_lock { "npm ci" } else { "npm install" };
    format!(
        "stages: [build, test]

default:
  image: node:22

variables:
  # in the project's folder, so that the cache can keep it
  npm_config_cache: $CI_PROJECT_DIR/.npm

# What npm fetches is kept between pipelines, until package.json changes.
.npm:
  cache:
    key:
      files: [package.json]
    paths: [.npm]
  before_script:
    - {install}

build:
  extends: .npm
  stage: build
  script:
    - npm run build --if-present

test:
  extends: .npm
  stage: test
  script:
    - npm test --if-present
"
    )
}

const GO: &str = "\
stages: [build, test]

default:
  image: golang:1

variables:
  # in the project's folder, so that the cache can keep it
  GOMODCACHE: $CI_PROJECT_DIR/.go/mod
  GOCACHE: $CI_PROJECT_DIR/.go/build

# What is fetched and built is kept between pipelines, until go.mod changes.
.go:
  cache:
    key:
      files: [go.mod]
    paths: [.go]

build:
  extends: .go
  stage: build
  script:
    - go vet ./...
    - go build ./...

test:
  extends: .go
  stage: test
  script:
    - go test ./...
";

fn python(has_tests: bool) -> String {
    let test = if has_tests {
        "    - pip install pytest
    - pytest
"
    } else {
        "    # no folder `tests` was found: say here how the project is tested
    - python -m compileall -q .
"
    };
    format!(
        "stages: [build, test]

default:
  image: python:3

variables:
  # in the project's folder, so that the cache can keep it
  PIP_CACHE_DIR: $CI_PROJECT_DIR/.pip

# What pip fetches is kept between pipelines, until pyproject.toml changes.
.pip:
  cache:
    key:
      files: [pyproject.toml]
    paths: [.pip]

build:
  extends: .pip
  stage: build
  script:
    - pip wheel --no-deps --wheel-dir dist .
  artifacts:
    paths: [dist/]

test:
  extends: .pip
  stage: test
  script:
    - pip install .
{test}"
    )
}

/// A job for each of the usual targets that the Makefile has.
fn make(makefile: &str) -> String {
    let has = |target: &str| {
        let mut rules = makefile.lines().filter_map(|line| line.split_once(':'));
        rules.any(|(targets, _)| targets.split_whitespace().any(|one| one == target))
    };
    let mut text = "\
stages: [build, test]

default:
  image: debian:bookworm
  before_script:
    - apt-get update -qq && apt-get install -y -qq make

build:
  stage: build
  script:
    - make
"
    .to_owned();
    if let Some(target) = ["test", "check"].into_iter().find(|target| has(target)) {
        text.push_str(&format!("\ntest:\n  stage: test\n  script:\n    - make {target}\n"));
    } else {
        text = text.replace("stages: [build, test]", "stages: [build]");
    }
    text
}

const PLAIN: &str = "\
stages: [build, test]

default:
  image: busybox:1.36

build:
  stage: build
  script:
    - echo \"say here how the project is built\"

test:
  stage: test
  script:
    - echo \"say here how it is tested\"
";

const DOCKER_ONLY: &str = "stages: [test]\n";

/// An image is not built here: that needs a privileged runner, or a tool of its own.
const DOCKERFILE: &str = "
# Finds mistakes in the Dockerfile. To build the image on GitLab needs a runner that allows it:
# https://docs.gitlab.com/ci/docker/using_docker_build/
dockerfile:
  stage: test
  image: hadolint/hadolint:latest-debian
  script:
    - hadolint Dockerfile
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_makefile_is_tested_by_the_target_that_it_has() {
        let test = |makefile: &str| {
            let starter = Starter::of(&["Makefile".to_owned()].into(), |_| makefile.to_owned());
            starter.text.lines().last().map(|line| line.trim().to_owned()).unwrap_or_default()
        };
        assert_eq!(test("all:\n\tcc a.c\ntest unit: all\n\t./a\n"), "- make test");
        assert_eq!(test("check:\n\t./a\n"), "- make check");
        assert_eq!(test("all:\n\tcc test.c\n"), "- make");
    }
}
