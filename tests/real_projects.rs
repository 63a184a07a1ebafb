//! Projects that nobody here wrote, run as their authors wrote them: published crates whose packages carry
//! the `.gitlab-ci.yml` of their repositories. The sources are downloaded, never kept here.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{
    kind::run,
    support::{Project, Run, cluster},
};

/// The image that stands for `rust:latest` and `liuchong/rustup:*`, neither of which can be had everywhere.
const IMAGE: &str = "podline-test/rust";

/// Debian's Rust, with what a real one has besides: clippy; a `rustup` that has nothing to do; and a compiler
/// cache that knows the dependencies of `hex`, as six jobs compile all 94 of them.
const DOCKERFILE: &str = r#"FROM rust:1
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends rust-web-clippy sccache >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && printf '#!/bin/sh\nexit 0\n' > /usr/local/bin/rustup && chmod +x /usr/local/bin/rustup
ENV RUSTC_WRAPPER=sccache SCCACHE_DIR=/var/cache/sccache
COPY hex /hex
RUN cd /hex \
 && export CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
 && cargo test -q --no-run && rm -r /hex
"#;

/// The versions of dependencies are left to cargo, which otherwise takes ones that need a newer compiler than
/// the image has; and six `target` folders with debug information are 1 GB each.
const HEX: &str = r#"[images]
"liuchong/rustup:*" = "podline-test/rust"

[variables]
CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS = "fallback"
CARGO_PROFILE_DEV_DEBUG = "0"
CARGO_INCREMENTAL = "0"
"#;

/// The image is 1.5 GB: whoever comes second finds it in the node.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const UNICODE_BOM: &str = r#"[images]
"rust:latest" = "podline-test/rust"
"#;

#[test]
fn the_matrix_of_hex_runs_with_its_needs_and_caches() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(crates) = crates() else { return };
    let Some(run) = run(&project(crates.path(), "hex", HEX), &[]) else { return };
    let toolchains = ["stable", "stable-musl", "beta", "beta-musl", "nightly", "nightly-musl"];
    let names = |job: &str| toolchains.map(|toolchain| format!("{job}: [{toolchain}]"));
    let (compile, test) = (names("compile"), names("test"));
    // The third command of `test` cannot work with any compiler: without `std`, the unit tests of hex 0.4.3 use
    // `vec!`, which only `std` brings into scope. So the authors' own pipeline fails there too; forcing `std` on
    // from outside (`--cfg feature="std"`) would make it green by no longer testing what the command asks for.
    let expected: BTreeMap<&str, &str> = compile
        .iter()
        .map(|job| (job.as_str(), "success"))
        .chain(test.iter().map(|job| (job.as_str(), "failed")))
        .collect();
    assert_eq!(run.code(1).statuses(), expected);
    for job in &test {
        assert_eq!(run.finished(job)["exit_code"], 101, "{job}");
        let output = run.output(job);
        let says = |text: &str| output.iter().any(|line| line.contains(text));
        assert!(says("Successfully extracted cache"), "{job}: the cache of `compile`");
        assert!(says("$ cargo test --no-default-features --features alloc"), "{job}: two commands worked");
        assert!(says("test result: ok"), "{job}: the tests themselves run");
        assert!(says("cannot find macro `vec` in this scope"), "{job}: fails for this reason and no other");
        assert!(!says("$ cargo test --no-default-features --features std"), "{job}: ends at the failure");
    }
}

#[test]
fn unicode_bom_runs_to_its_end_and_finds_its_caches_the_second_time() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(crates) = crates() else { return };
    let project = project(crates.path(), "unicode-bom", UNICODE_BOM);
    let expected = BTreeMap::from([("tests", "success"), ("pages", "success")]);
    for cache in ["Cache file does not exist", "Successfully extracted cache"] {
        let Some(run) = run(&project, &[]) else { return };
        assert_eq!(run.code(0).statuses(), expected);
        for job in ["tests", "pages"] {
            assert!(says(&run, job, cache), "{job}: {cache}: {:#?}", run.output(job));
            assert!(says(&run, job, "Created cache"), "{job}: {:#?}", run.output(job));
        }
        assert!(says(&run, "pages", "public: found"), "{:#?}", run.output("pages"));
    }
}

fn says(run: &Run, job: &str, text: &str) -> bool {
    run.output(job).iter().any(|line| line.contains(text))
}

/// A downloaded crate as a project: one commit on `master`, `podline.toml` in it.
fn project(crates: &Path, name: &str, settings: &str) -> Project {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join(name);
    let copied = Command::new("cp").arg("-r").arg(crates.join("vendor").join(name)).arg(&copy).status();
    assert!(copied.expect("`cp` can be started").success());
    fs::write(copy.join("podline.toml"), settings).expect("a file can be written");
    let project = Project::copy_of(&copy);
    project.git(&["branch", "--move", "master"]);
    project
}

/// The downloaded crates in a folder, when [`IMAGE`] is there too; `None` where something is missing for that,
/// with the reason on standard error.
fn crates() -> Option<tempfile::TempDir> {
    let Some(lab) = std::env::var_os("PODLINE_LAB") else {
        eprintln!("skipped: PODLINE_LAB does not name the folder whose `image` builds a Rust image");
        return None;
    };
    if !cluster::is_up() {
        return None;
    }
    let crates = download();
    static IMAGE_IS_THERE: OnceLock<()> = OnceLock::new();
    IMAGE_IS_THERE.get_or_init(|| image(Path::new(&lab), crates.path()));
    Some(crates)
}

/// Downloads the crates, each in `vendor` in a folder of its name.
fn download() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write =
        |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("a file is written");
    write("lib.rs", "");
    write(
        "Cargo.toml",
        r#"[package]
name = "fetched"
edition = "2024"

[lib]
path = "lib.rs"

[dependencies]
hex = { version = "=0.4.3", default-features = false }
unicode-bom = "=2.0.3"
"#,
    );
    succeed(Command::new(env!("CARGO")).current_dir(folder.path()).args(["vendor", "--quiet", "vendor"]));
    folder
}

/// Builds [`IMAGE`]; Docker keeps what it has built before.
fn image(lab: &Path, crates: &Path) {
    let has_rust = Command::new("docker").args(["image", "inspect", "rust:1"]).output();
    if !has_rust.expect("docker can be started").status.success() {
        let packages = ["rustc-web", "cargo-web", "rustfmt-web", "build-essential"];
        succeed(Command::new(lab.join("image")).arg("rust:1").args(packages));
    }
    let context = tempfile::tempdir().expect("a temporary folder");
    fs::write(context.path().join("Dockerfile"), DOCKERFILE).expect("a file can be written");
    succeed(Command::new("cp").arg("-r").arg(crates.join("vendor/hex")).arg(context.path().join("hex")));
    // the builder that every Docker has without a plugin
    succeed(
        Command::new("docker")
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "--quiet", "--tag", IMAGE])
            .arg(context.path()),
    );
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a command can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
