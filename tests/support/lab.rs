//! A cluster that podline did not make, with two nodes, for the tests of `--context`; made when the first of
//! them asks and removed after the last.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]
#![expect(clippy::zombie_processes, reason = "the guard of the cluster outlives the tests")]

use std::{
    fs::File,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{cluster, wire::Wire};

/// Images that jobs of the tests name: nobody pulls here.
const IMAGES: [&str; 2] = ["busybox:1.36", "debian:bookworm"];

/// Pods go to the control plane too, as kind has it in a cluster of one node.
const CONFIG: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    kubeadmConfigPatches: ['{kind: InitConfiguration, nodeRegistration: {taints: []}}']
  - role: worker
";

/// The cluster.
pub(crate) struct Lab {
    /// The kubeconfig of its administrator.
    pub(crate) kubeconfig: PathBuf,
    name: String,
}

impl Lab {
    /// The cluster; none, with the reason, where Docker, kind or kubectl is missing.
    pub(crate) fn up() -> Option<Self> {
        let has_kubectl = Command::new("kubectl").args(["version", "--client"]).output().is_ok();
        let missing = cluster::missing().or((!has_kubectl).then_some("kubectl is not installed"));
        if let Some(reason) = missing {
            eprintln!("skipped: {reason}");
            return None;
        }
        let owner = cluster::owner();
        let name = format!("podline-lab-{owner}");
        let lab = Self { kubeconfig: std::env::temp_dir().join(format!("{name}.kubeconfig")), name };
        let lock = File::create(lab.kubeconfig.with_extension("lock")).expect("a lock file can be made");
        lock.lock().expect("a file can be locked");
        if !lab.kubeconfig.exists() {
            lab.make(owner);
        }
        Some(lab)
    }

    /// The name of its context.
    pub(crate) fn context(&self) -> String {
        format!("kind-{}", self.name)
    }

    fn make(&self, owner: u32) {
        // outlives this process: the cluster goes when the whole run has ended, however it ended
        Command::new("setsid")
            .args(["sh", "-c"])
            .arg(format!(
                "while kill -0 {owner}; do sleep 0.5; done; kind delete cluster --name {name} --kubeconfig '{new}'; \
                 rm -f '{made}' '{new}' '{lock}'",
                name = self.name,
                made = self.kubeconfig.display(),
                new = self.kubeconfig.with_extension("new").display(),
                lock = self.kubeconfig.with_extension("lock").display(),
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the guard of the cluster can be started");
        let listed = Command::new("docker")
            .args(["images", "--format", "{{.Repository}}:{{.Tag}}", "kindest/node"])
            .output()
            .expect("docker can be started");
        let image = String::from_utf8_lossy(&listed.stdout).lines().next().map(str::to_owned);
        let new = self.kubeconfig.with_extension("new");
        let mut command = Command::new("kind");
        command.args([
            "create",
            "cluster",
            "--config",
            "-",
            "--wait",
            "2m",
            "--name",
            &self.name,
            "--kubeconfig",
        ]);
        command.arg(&new).args(image.iter().flat_map(|image| ["--image", image]));
        let mut child = command.stdin(Stdio::piped()).spawn().expect("kind can be started");
        let mut input = child.stdin.take().expect("stdin is piped");
        input.write_all(CONFIG.as_bytes()).expect("kind reads its configuration");
        drop(input);
        assert!(child.wait().expect("kind ends").success(), "kind made a cluster");
        let loaded = Command::new("kind")
            .args(["load", "docker-image", "--name", &self.name])
            .args(IMAGES)
            .status()
            .expect("kind can be started");
        assert!(loaded.success(), "the images are in the nodes");
        std::fs::rename(&new, &self.kubeconfig).expect("a file can be renamed");
    }

    /// What `kubectl` prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .output()
            .expect("kubectl can be started");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The kubeconfig with another way to the server.
    pub(crate) fn kubeconfig_over(&self, wire: &Wire) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let text = std::fs::read_to_string(&self.kubeconfig).expect("a kubeconfig");
        std::fs::write(file.path(), text.replace(&self.server(), &wire.address.to_string())).expect("a file");
        file
    }

    /// Host and port of the API server.
    pub(crate) fn server(&self) -> String {
        let url = self.kubectl(&["config", "view", "--output=jsonpath={.clusters[0].cluster.server}"]);
        url.trim_start_matches("https://").to_owned()
    }

    /// Applies manifests.
    pub(crate) fn apply(&self, manifests: &str) {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["apply", "--filename", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl can be started");
        child.stdin.take().expect("stdin is piped").write_all(manifests.as_bytes()).expect("kubectl reads");
        assert!(child.wait().expect("kubectl ends").success(), "{manifests}");
    }

    /// A namespace for one test with the default account in it, and these objects.
    pub(crate) fn namespace(&self, name: &str, objects: &str) {
        self.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n"));
        self.kubectl(&[
            "wait",
            "--namespace",
            name,
            "--for=create",
            "serviceaccount/default",
            "--timeout=60s",
        ]);
        if !objects.is_empty() {
            self.apply(objects);
        }
    }

    /// A kubeconfig of a ServiceAccount that may do in its namespace what this Role allows, and nothing else.
    pub(crate) fn account(&self, namespace: &str, role: &str) -> tempfile::NamedTempFile {
        let name = "podline";
        self.kubectl(&["create", "serviceaccount", name, "--namespace", namespace]);
        self.apply(&role.replace("metadata:", &format!("metadata:\n  namespace: {namespace}")));
        let account = format!("--serviceaccount={namespace}:{name}");
        self.kubectl(&["create", "rolebinding", name, "--role=podline", &account, "--namespace", namespace]);
        let token = self.kubectl(&["create", "token", name, "--namespace", namespace]);
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::copy(&self.kubeconfig, file.path()).expect("a file can be copied");
        let limited = Self { kubeconfig: file.path().to_owned(), name: self.name.clone() };
        limited.kubectl(&["config", "set-credentials", "limited", "--token", &token]);
        limited.kubectl(&[
            "config",
            "set-context",
            "limited",
            "--user",
            "limited",
            "--cluster",
            &self.context(),
        ]);
        file
    }
}
