//! Pulls from a registry that misbehaves when it is told to.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header},
};
use futures::stream;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Logins, PullError, Registry};
use crate::engine::{
    Step,
    embedded::image::{
        store::{Image, Store, hex},
        supply::{Options, Supply},
    },
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry in this process, on a port of this machine.
#[derive(Default)]
struct Fake {
    /// What it has, by path: the kind and the bytes.
    content: Mutex<HashMap<String, (&'static str, Vec<u8>)>>,
    /// How many answers to a layer break in the middle.
    breaks: AtomicUsize,
    /// Whether it gives the rest of a layer.
    has_ranges: bool,
    /// The `Authorization` that it wants.
    login: Option<&'static str>,
    /// What was asked for, in order.
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn put(&self, path: &str, kind: &'static str, content: Vec<u8>) -> String {
        let digest = digest(&content);
        let mut all = self.content.lock().expect("a lock");
        all.insert(format!("{path}/{digest}"), (kind, content));
        digest
    }

    /// An image of one layer with one file.
    fn image(&self, architecture: &str, text: &str) -> (String, usize) {
        let plain = layer(text);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        gzip.write_all(&plain).expect("memory takes it");
        let gzip = gzip.finish().expect("memory takes it");
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Env": ["FROM=registry"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(&plain)]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": digest(&config),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": gzip.len(), "digest": digest(&gzip),
            }],
        });
        self.put("/v2/app/blobs", "application/octet-stream", config);
        self.put("/v2/app/blobs", "layer", gzip);
        let manifest = manifest.to_string().into_bytes();
        let size = manifest.len();
        (self.put("/v2/app/manifests", MANIFEST, manifest), size)
    }

    /// Lets a tag stand for a manifest.
    fn tag(&self, tag: &str, digest: &str) {
        let mut all = self.content.lock().expect("a lock");
        let manifest = all[&format!("/v2/app/manifests/{digest}")].clone();
        all.insert(format!("/v2/app/manifests/{tag}"), manifest);
    }

    /// How often something was asked for.
    fn count(&self, part: &str) -> usize {
        self.asked.lock().expect("a lock").iter().filter(|path| path.contains(part)).count()
    }

    /// Listens, for as long as the test runs. Gives the name of the image there.
    async fn listen(self: &Arc<Self>) -> String {
        // as main does
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = axum::Router::new().fallback(answer).with_state(Arc::clone(self));
        drop(tokio::spawn(async move { axum::serve(listener, service).await }));
        format!("{address}/app:1")
    }
}

async fn answer(State(fake): State<Arc<Fake>>, request: Request) -> Response<Body> {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    fake.asked.lock().expect("a lock").push(format!("{} {path}", request.method()));
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if fake.login.is_some_and(|login| authorization != Some(login)) {
        let denied = json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"here\"")
            .body(denied.to_string().into())
            .expect("an answer");
    }
    let found = fake.content.lock().expect("a lock").get(&path).cloned();
    match found {
        _ if path == "/v2/" => Response::new("{}".into()),
        Some(("layer", content)) => blob(&fake, &headers, content),
        Some((kind, content)) => Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .header("Docker-Content-Digest", digest(&content))
            .body(content.into())
            .expect("an answer"),
        None => {
            let unknown = json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]});
            let answer = Response::builder().status(StatusCode::NOT_FOUND);
            answer.body(unknown.to_string().into()).expect("an answer")
        }
    }
}

/// A layer, or the rest of it; breaks off half way as often as it was told to.
fn blob(fake: &Fake, headers: &HeaderMap, content: Vec<u8>) -> Response<Body> {
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let start =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let start = start.filter(|_| fake.has_ranges);
    let rest = Bytes::from(content[start.unwrap_or(0)..].to_vec());
    let status = if start.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let answer = Response::builder().status(status).header(header::CONTENT_LENGTH, rest.len());
    let breaks = fake.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if breaks.is_err() {
        return answer.body(rest.into()).expect("an answer");
    }
    let half: Vec<Result<Bytes, std::io::Error>> =
        vec![Ok(rest.slice(..rest.len() / 2)), Err(std::io::Error::other("cut"))];
    answer.body(Body::from_stream(stream::iter(half))).expect("an answer")
}

fn layer(text: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    // more than goes into one piece
    let content = text.repeat(40_000);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, "file", content.as_bytes()).expect("memory takes it");
    tar.into_inner().expect("memory takes it")
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

/// A folder of images, and a way to it for one run.
struct Here {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Here {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path()).expect("a store"));
        Self { folder, store }
    }

    fn logins(&self) -> Logins {
        Logins { folder: Some(self.folder.path().to_owned()), ..Logins::default() }
    }

    async fn pull(&self, image: &str) -> Result<Image, PullError> {
        let registry = Registry::of(image, &self.logins()).await?;
        registry.pull(&self.store, image, &|_| ()).await
    }

    fn supply(&self, is_offline: bool) -> Supply {
        let options = Options { logins: self.logins(), is_offline, ..Options::default() };
        Supply::new(Arc::clone(&self.store), options)
    }

    fn content(&self, image: &Image) -> String {
        let path = self.store.layers().join(&image.layers[0]).join("file");
        std::fs::read_to_string(path).expect("the layer's file")
    }

    /// Folders of layers, also of those that never became one.
    fn layers(&self) -> usize {
        let entries = std::fs::read_dir(self.store.layers()).expect("a folder").flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    }
}

#[tokio::test]
async fn an_image_is_pulled_with_its_configuration_and_told_as_it_comes() {
    let fake = Arc::new(Fake::default());
    fake.tag("1", &fake.image("amd64", "a").0);
    let (image, here) = (fake.listen().await, Here::new());
    let registry = Registry::of(&image, &Logins::default()).await.expect("a registry");
    let steps = Mutex::new(Vec::new());
    let pulled = registry.pull(&here.store, &image, &|step| steps.lock().expect("a lock").push(step)).await;
    let pulled = pulled.expect("it is there");
    assert_eq!(pulled.env, ["FROM=registry"]);
    assert_eq!(here.content(&pulled), "a".repeat(40_000));
    let steps = steps.into_inner().expect("a lock");
    let Some(Step::ImagesStarted { bytes, from, .. }) = steps.first() else { panic!("{steps:?}") };
    assert_eq!(from, registry.name());
    assert_eq!(steps[steps.len() - 2], Step::ImagesSent { bytes: *bytes });
    assert_eq!(steps[steps.len() - 1], Step::ImagesDone);
}

#[tokio::test]
async fn of_an_index_the_image_for_this_machine_is_taken() {
    let fake = Arc::new(Fake::default());
    let entries: Vec<_> = ["amd64", "arm64"]
        .into_iter()
        .map(|architecture| {
            let (digest, size) = fake.image(architecture, architecture);
            let platform = json!({"os": "linux", "architecture": architecture});
            json!({"mediaType": MANIFEST, "size": size, "digest": digest, "platform": platform})
        })
        .collect();
    let index = |entries: &[serde_json::Value]| {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        fake.put("/v2/app/manifests", INDEX, index.to_string().into_bytes())
    };
    let here_first = usize::from(std::env::consts::ARCH != "x86_64");
    let (both, other) = (index(&entries), index(&entries[1 - here_first..][..1]));
    fake.tag("1", &both);
    fake.tag("other", &other);
    let (image, here) = (fake.listen().await, Here::new());
    let pulled = here.pull(&image).await.expect("there is one");
    assert_eq!(here.content(&pulled)[..5], *["amd64", "arm64"][here_first]);
    assert_eq!(here.store.digest(&image), Some(both), "the name stands for the whole index");
    let other = image.replace("/app:1", "/app:other");
    let error = here.pull(&other).await.expect_err("it is for another machine").to_string();
    assert!(error.contains("other platforms only"), "{error}");
}

#[tokio::test]
async fn a_layer_whose_connection_breaks_is_taken_up_where_it_broke_or_begun_anew() {
    for has_ranges in [true, false] {
        let fake = Arc::new(Fake { has_ranges, breaks: AtomicUsize::new(3), ..Fake::default() });
        fake.tag("1", &fake.image("amd64", "b").0);
        let (image, here) = (fake.listen().await, Here::new());
        let pulled = here.pull(&image).await.expect("it comes in the end");
        assert_eq!(here.content(&pulled), "b".repeat(40_000), "with ranges: {has_ranges}");
    }
}

#[tokio::test]
async fn half_a_layer_and_another_one_than_was_promised_are_none() {
    let fake = Arc::new(Fake { breaks: AtomicUsize::new(usize::MAX), ..Fake::default() });
    fake.tag("1", &fake.image("amd64", "c").0);
    let wrong = Arc::new(Fake::default());
    wrong.tag("1", &wrong.image("amd64", "d").0);
    for (kind, content) in wrong.content.lock().expect("a lock").values_mut() {
        if *kind == "layer" {
            content[100] ^= 1;
        }
    }
    for (fake, expected) in [(wrong, "Invalid digest"), (fake, "")] {
        let (image, here) = (fake.listen().await, Here::new());
        // one that never gets on is given up
        let pulled = tokio::time::timeout(std::time::Duration::from_secs(5), here.pull(&image)).await;
        if let Ok(pulled) = pulled {
            let error = pulled.expect_err("it is no layer").to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(here.layers(), 0);
        assert!(here.store.find(&image).is_none());
    }
}

#[tokio::test]
async fn a_login_is_wanted_and_given() {
    // ada:secret
    let fake = Arc::new(Fake { login: Some("Basic YWRhOnNlY3JldA=="), ..Fake::default() });
    fake.tag("1", &fake.image("amd64", "e").0);
    let (image, here) = (fake.listen().await, Here::new());
    let registry = image.split('/').next().expect("a name");
    let error = here.pull(&image).await.expect_err("nobody has logged in").to_string();
    assert!(error.contains(&format!("`docker login {registry}`")), "{error}");
    let config = json!({"auths": {registry: {"auth": "YWRhOnNlY3JldA=="}}});
    std::fs::write(here.folder.path().join("config.json"), config.to_string()).expect("a file");
    here.pull(&image).await.expect("ada may");
}

#[tokio::test]
async fn pull_policies_are_those_of_kubernetes() {
    let fake = Arc::new(Fake::default());
    fake.tag("1", &fake.image("amd64", "f").0);
    let (image, here) = (fake.listen().await, Here::new());
    let supply = here.supply(false);
    let never = supply.get(&image, Some("Never")).await.expect_err("it is not here");
    assert_eq!(never.reason, "ErrImageNeverPull");
    supply.get(&image, Some("IfNotPresent")).await.expect("it is pulled");
    assert_eq!(fake.count("GET /v2/app/manifests"), 1);
    supply.get(&image, Some("IfNotPresent")).await.expect("it is here");
    supply.get(&image, Some("Never")).await.expect("it is here");
    assert_eq!(fake.count("/v2/app/manifests"), 1, "nobody was asked");
    // the registry has the same: its digest is asked for, and no layer
    supply.get(&image, Some("Always")).await.expect("it is here");
    assert_eq!((fake.count("HEAD /v2/app/manifests"), fake.count("GET /v2/app/manifests")), (1, 1));
    // and now another one
    fake.tag("1", &fake.image("amd64", "g").0);
    supply.get(&image, Some("Always")).await.expect("it is there");
    let now = here.store.find(&image).expect("it is here");
    assert_eq!(here.content(&now)[..1], *"g");
}

#[tokio::test]
async fn what_cannot_be_had_is_told_with_the_reason() {
    let fake = Arc::new(Fake::default());
    let (image, here) = (fake.listen().await, Here::new());
    let registry = image.split('/').next().expect("a name").to_owned();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = nobody.local_addr().expect("an address");
    drop(nobody);
    let rows = [
        (image, false, format!("`{registry}` does not have it: manifest unknown")),
        (format!("{closed}/app:1"), false, format!("`{closed}` cannot be reached: ")),
        (format!("{closed}/app:1"), true, "`--offline` asks no registry".to_owned()),
        ("A/b".to_owned(), false, "`A/b` is no name of an image: ".to_owned()),
    ];
    for (image, is_offline, expected) in rows {
        let missing = here.supply(is_offline).get(&image, None).await.expect_err("it cannot be had");
        assert_eq!(missing.reason, "ErrImagePull");
        assert!(missing.message.starts_with(&expected), "`{}` begins with `{expected}`", missing.message);
    }
}
