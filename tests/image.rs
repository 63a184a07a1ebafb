//! `podline image`: images of the embedded engine by hand.

#![cfg(target_os = "linux")]

use std::{fs, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Project, Seen};

/// An OCI layout of one image with one layer, which has one file.
fn layout(folder: &Path) {
    let put = |content: &[u8]| -> Value {
        let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(folder.join("blobs/sha256").join(&hex), content).expect("a blob");
        json!({"digest": format!("sha256:{hex}"), "size": content.len()})
    };
    fs::create_dir_all(folder.join("blobs/sha256")).expect("folders");
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    layer.append_data(&mut header, "hello", &b"hello"[..]).expect("a file");
    let layer = put(&layer.into_inner().expect("an archive"));
    let config =
        json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}, "config": {}});
    let config = put(config.to_string().as_bytes());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let manifest = put(manifest.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(folder.join("index.json"), index.to_string()).expect("an index");
}

#[test]
fn an_image_is_imported_listed_and_removed() {
    let project = Project::with("job: { script: ['true'] }\n");
    let image = |arguments: &[&str]| {
        let all = [&["image"], arguments].concat();
        project.podline(&all).env("PODLINE_CACHE", project.path().join("cache")).run()
    };
    let said = |seen: Seen| seen.expect(0).stderr;
    assert_eq!(
        said(image(&["list"])),
        "there is no image yet: `podline image import FILE` takes some, and a run what Docker or a registry has\n"
    );
    layout(&project.path().join("layout"));
    let nameless = image(&["import", "layout"]).expect(3);
    assert!(nameless.stderr.contains("an image in it has no name: give one with `--name`"), "{nameless}");
    assert_eq!(said(image(&["import", "layout", "--name", "app:1"])), "imported app:1\n");
    let listed = image(&["list"]).expect(0).stdout;
    assert!(
        listed.lines().nth(1).is_some_and(|line| line.starts_with("docker.io/library/app:1  ")),
        "{listed}"
    );
    assert_eq!(said(image(&["prune"])), "removed 0 images and 0.0 MB of layers\n");
    assert_eq!(said(image(&["prune", "--all"])), "removed 1 image and 0.0 MB of layers\n");
    assert!(image(&["list"]).expect(0).stdout.is_empty());
}

#[test]
fn what_is_no_image_is_told_and_leaves_nothing() {
    let project = Project::with("job: { script: ['true'] }\n");
    project.write("notes.txt", "no archive\n");
    layout(&project.path().join("damaged"));
    let blobs = project.path().join("damaged/blobs/sha256");
    for entry in fs::read_dir(blobs).expect("blobs").flatten() {
        let mut content = fs::read(entry.path()).expect("a blob");
        content.push(b' ');
        fs::write(entry.path(), content).expect("a blob");
    }
    let rows = [
        ("notes.txt", "it is no archive"),
        ("nowhere.tar", "No such file"),
        ("damaged", "it is damaged"),
        (".", "it is neither an archive of `docker save` (`manifest.json`) nor an OCI layout (`index.json`)"),
    ];
    for (file, expected) in rows {
        let cache = project.path().join("cache");
        let seen = project.podline(&["image", "import", file]).env("PODLINE_CACHE", &cache).run().expect(3);
        let told = seen.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.starts_with(&format!("error: importing `{file}` failed: ")), "{seen}");
        assert!(told.contains(expected), "`{expected}` in {seen}");
        assert_eq!(fs::read_dir(cache.join("images-root/layers")).map_or(0, Iterator::count), 0, "{file}");
    }
}
