//! Fixtures of files: sources, artifacts, caches.

use std::process::Command;

use super::expected::{Fixture, broken, exits, failed, success};
use crate::support::Project;

/// A history, a tag, an executable file, a link, odd names and a submodule's folder.
fn with_history(project: &Project) {
    project.write("run.sh", "#!/bin/sh\necho executable\n");
    project.write("folder/a name with ünïcode.txt", "content\n");
    project.write("ignored.log", "").write(".gitignore", "*.log\n");
    let script = "chmod +x run.sh && ln -s run.sh link && mkdir submodule \
        && git -C submodule init --quiet && git -C submodule -c user.name=A -c user.email=a@b commit \
           --quiet --allow-empty --message sub";
    let made = Command::new("sh").args(["-c", script]).current_dir(project.path()).status();
    assert!(made.expect("sh can be started").success());
    project.git(&["-c", "advice.addEmbeddedRepo=false", "add", "--all"]);
    project.git(&["commit", "--quiet", "--message", "second"]);
    project.git(&["tag", "--annotate", "--message", "one", "v1.0"]);
    for number in 0..23 {
        project.git(&["commit", "--quiet", "--allow-empty", "--message", &format!("more {number}")]);
    }
    project.git(&["tag", "--annotate", "--message", "two", "v2.0"]);
    project.git(&["commit", "--quiet", "--allow-empty", "--message", "the last"]);
}

/// A submodule beside the project, with a change in the user's checkout of it.
fn with_submodule(project: &Project) {
    let script = "git init --quiet --initial-branch main ../library && cd ../library \
        && echo committed >word && mkdir deep && echo inner >deep/word && git add --all \
        && git -c user.name=A -c user.email=a@b commit --quiet --message library";
    let made = Command::new("sh").args(["-c", script]).current_dir(project.path()).status();
    assert!(made.expect("sh can be started").success());
    let allow = "protocol.file.allow=always";
    project.git(&["-c", allow, "submodule", "--quiet", "add", "../library", "lib"]);
    project.git(&["commit", "--quiet", "--message", "submodule"]);
    project.write("lib/word", "changed\n");
}

pub(crate) fn submodules() -> Fixture {
    Fixture::new("submodules", "submodules, as far as the user's own checkout has them")
        .prepared(with_submodule)
        .run(
            exits(0)
                .job(success("normal").prints(&["changed", "inner", "library", " M word"]))
                .job(success("none").prints(&["empty"]).says("submodules are not fetched: `lib`"))
                .job(success("others").prints(&["empty"])),
        )
        .run(exits(0).with(&["--source", "head", "normal"]).job(success("normal").prints(&[
            "committed",
            "inner",
            "library",
        ])))
}

/// A large file that is committed, as whoever has installed git-lfs does it.
fn with_large_file(project: &Project) {
    project.git(&["lfs", "install", "--local"]);
    project.write("picture.bin", "committed\n");
    project.git(&["add", "--all"]);
    project.git(&["commit", "--quiet", "--message", "picture"]);
}

fn git_lfs_is_there() -> Result<(), String> {
    let output = Command::new("git").args(["lfs", "version"]).output().expect("git can be started");
    if output.status.success() { Ok(()) } else { Err("git-lfs is not installed".to_owned()) }
}

pub(crate) fn large() -> Fixture {
    let pointer = "version https://git-lfs.github.com/spec/v1";
    Fixture::new("large", "files of Git LFS, as the user's own checkout has them")
        .needs(git_lfs_is_there)
        .prepared(with_large_file)
        .run(exits(0).job(success("look").prints(&["committed", pointer]).never(" M picture.bin")))
        .run(
            exits(0)
                .changed(|project| {
                    project.write("picture.bin", "changed\n");
                })
                .job(success("look").prints(&["changed", pointer, " M picture.bin"])),
        )
        .run(
            exits(0)
                .with(&["--source", "head"])
                .job(success("look").prints(&["committed", pointer]).never(" M picture.bin")),
        )
}

pub(crate) fn sources() -> Fixture {
    Fixture::new(
        "sources",
        "what a job finds in its folder: history, tags, modes, links; the `GIT_*` variables",
    )
    .prepared(with_history)
    .run(
        exits(0)
            .job(
                success("git")
                    .prints(&["20", "same as the commit", "executable", "content", "empty submodule"])
                    .says("v2.0-1-g")
                    .says("submodules are not fetched: `submodule` is there, and empty"),
            )
            .job(success("full").prints(&["26"]))
            .job(success("shallow").prints(&["1"]))
            .job(success("none").prints(&["0"]))
            .job(success("empty").prints(&["0"]))
            .job(success("clean").prints(&["it was never here"]).never("!! ignored.log"))
            .job(success("no checkout").prints(&[".git", "the last", "run.sh"]))
            .job(success("elsewhere").prints(&["/builds/another/place", "run.sh"])),
    )
}

pub(crate) fn uncommitted() -> Fixture {
    let change = |project: &Project| {
        project.write("word", "changed\n").write("new", "");
    };
    Fixture::new("uncommitted", "changes that are not committed are there, unless the commit is asked for")
        .prepared(change)
        .run(exits(0).job(success("look").prints(&["changed", " M word", "?? new", "new"])))
        .run(
            exits(0)
                .with(&["--source", "head"])
                .job(success("look").prints(&["committed", "word"]).never("new")),
        )
}

pub(crate) fn artifacts() -> Fixture {
    let first = exits(0)
        .job(success("numbers").says("nothing/here: no matching files").leaves(&[
            "build.env",
            "out/link",
            "out/one.txt",
            "out/run.sh",
        ]))
        .job(success("letters").prints(&["1"]).leaves(&["out/a.txt"]))
        .succeed(&["all", "needed", "none"]);
    let again = exits(0).with(&["letters"]).job(success("letters").prints(&["2"]));
    Fixture::new(
        "artifacts",
        "files for later jobs by stage and by `needs`, dotenv; a cache for the next run",
    )
    .run(first)
    .run(again)
}

pub(crate) fn keeping() -> Fixture {
    let expected = exits(0)
        .job(success("make").leaves(&["build.env", "out/a", "out/deep/c", "out/link"]))
        .job(success("untracked").leaves(&["ignored.log", "new.txt"]))
        .job(failed("broken", 1).allowed().leaves(&["broken/why.txt"]))
        .job(
            broken("comment", "script_failure")
                .allowed()
                .because("line 1, `# no comments`, is not `KEY=VALUE`"),
        )
        .succeed(&["each 1/2", "each 2/2"])
        .job(success("take").prints(&["version 1.2, same 2, why why", "c", "a", "new", "log"]).never("b.tmp"))
        .job(success("nothing").prints(&["README.md", "version ''"]).never("out"))
        .job(success("picked").prints(&["README.md", "ignored.log", "new.txt"]).never("out"));
    Fixture::new(
        "keeping",
        "corner cases of artifacts: exclude, untracked, after a failure, `dependencies`, links",
    )
    .run(expected)
}

pub(crate) fn caches() -> Fixture {
    let missing = "Cache file does not exist";
    let first = exits(0)
        .job(success("by default").prints(&["line 1"]).says(missing))
        .job(success("of no file").prints(&["line 1"]).says("Checking cache for 0_none-default..."))
        .job(success("of a commit").prints(&["line 1"]))
        .job(success("push").prints(&["line 1"]).says("Not downloading cache shared due to policy"))
        .job(success("two").prints(&["nothing yet"]).says("Creating cache one-main..."))
        .job(failed("fails", 1).allowed())
        .job(success("after script"))
        .job(success("pull").prints(&["line 2"]).says("Not uploading cache shared due to policy"))
        .job(
            success("after the failure")
                .prints(&["failure", "late", "lock.txt", "whenever"])
                .never("success"),
        )
        .job(success("of files").prints(&["line 2"]).says("Checking cache for nobody...").says("for main-"))
        .job(success("general").prints(&["line 2"]))
        .job(success("none").prints(&["lock.txt"]).never("store"));
    let again = exits(0)
        .with(&["by default", "of files", "of a commit", "two", "push"])
        .job(success("by default").prints(&["line 2"]))
        .job(success("of files").prints(&["line 3"]))
        .job(success("of a commit").prints(&["line 2"]))
        .job(success("two").prints(&["1", "2"]))
        .job(success("push").prints(&["line 1"]));
    let changed = exits(0)
        .changed(|project| {
            project.write("lock.txt", "two\n");
        })
        .with(&["of files", "of a commit"])
        .job(success("of files").prints(&["line 3"]))
        .job(success("of a commit").prints(&["line 3"]));
    Fixture::new(
        "caches",
        "keys of caches, who reads and writes them and when, what comes where there is none",
    )
    .run(first)
    .run(again)
    .run(changed)
}
