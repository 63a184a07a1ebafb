//! A Pod as a sandbox runs it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{self as k8s, Pod};

use super::capabilities;
use crate::engine::{
    embedded::{
        image::Image,
        sandbox::plan::{self, Container, Laid, Limits, Mount, Network, Plan, Rights, Root},
    },
    quantity,
};

/// The most processes of a container: Kubernetes sets no limit, but a node is no laptop.
const PIDS: u64 = 32_768;

/// `PATH` where an image sets none, as containerd has it.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is known of this machine and of the run.
#[derive(Debug, Clone)]
pub(in crate::engine::embedded) struct Surroundings {
    /// The folder of this pod.
    pub(in crate::engine::embedded) folder: PathBuf,
    /// The folder of layers.
    pub(in crate::engine::embedded) layers: PathBuf,
    /// The network that pods have.
    pub(in crate::engine::embedded) network: Network,
    /// Whose rights they have.
    pub(in crate::engine::embedded) rights: Rights,
    /// The cgroup of the run, where limits can be had.
    pub(in crate::engine::embedded) cgroup: Option<String>,
    /// A volume that begins with files.
    pub(in crate::engine::embedded) laid: Option<Laid>,
    /// What stands in `/etc/resolv.conf`.
    pub(in crate::engine::embedded) resolv: String,
    /// The container that only carries files: podline does that from outside.
    pub(in crate::engine::embedded) carrier: Option<String>,
}

/// What a container is made of.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine::embedded) enum Base {
    /// An image.
    Image(Image),
    /// The host's own file system.
    Host {
        /// See [`Root::Host`].
        hidden: Vec<PathBuf>,
        /// See [`Root::Host`].
        shown: Vec<PathBuf>,
        /// The environment that programs of the host are found by.
        env: Vec<String>,
    },
}

/// Makes the plan of a pod whose images are there, by their names in it.
///
/// # Errors
/// Why this engine does not run such a pod.
pub(in crate::engine::embedded) fn plan(
    pod: &Pod,
    surroundings: &Surroundings,
    images: &BTreeMap<String, Base>,
) -> Result<Plan, String> {
    let spec = pod.spec.as_ref().ok_or("it has no spec")?;
    if let Some(policy) = spec.restart_policy.as_ref().filter(|policy| *policy != "Never") {
        return Err(format!("its `restartPolicy` is `{policy}`, and no container is started again here"));
    }
    let name = pod.metadata.name.clone().unwrap_or_default();
    let all = |containers: &[k8s::Container]| {
        let own = containers.iter().filter(|it| Some(&it.name) != surroundings.carrier.as_ref());
        own.map(|it| container(it, spec, surroundings, images)).collect::<Result<Vec<_>, _>>()
    };
    let hostname = spec.hostname.clone().unwrap_or_else(|| name.clone());
    Ok(Plan {
        folder: surroundings.folder.clone(),
        layers: surroundings.layers.clone(),
        files: files(spec, &hostname, &surroundings.resolv),
        hostname: hostname.chars().take(63).collect(),
        init_containers: all(spec.init_containers.as_deref().unwrap_or_default())?,
        containers: all(&spec.containers)?,
        laid: surroundings.laid.clone(),
        network: if spec.host_network == Some(true) { Network::Host } else { surroundings.network.clone() },
        rights: surroundings.rights.clone(),
        cgroup: cgroup(&name, surroundings),
        active_deadline_seconds: spec.active_deadline_seconds.and_then(|seconds| seconds.try_into().ok()),
        termination_grace_period_seconds: spec
            .termination_grace_period_seconds
            .and_then(|seconds| seconds.try_into().ok())
            .unwrap_or(30),
    })
}

/// The cgroup of a pod below the root of every hierarchy, where limits can be had.
pub(in crate::engine::embedded) fn cgroup(pod: &str, surroundings: &Surroundings) -> Option<String> {
    surroundings.cgroup.as_ref().map(|group| format!("{group}/{pod}"))
}

/// Stands for every image of a pod, as long as only the pod is looked at.
pub(in crate::engine::embedded) fn any_images(pod: &Pod) -> BTreeMap<String, Base> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let all = init.chain(spec.into_iter().flat_map(|spec| &spec.containers));
    let any = Base::Image(Image { cmd: vec!["any".to_owned()], ..Image::default() });
    all.filter_map(|container| Some((container.image.clone()?, any.clone()))).collect()
}

fn container(
    container: &k8s::Container,
    spec: &k8s::PodSpec,
    surroundings: &Surroundings,
    images: &BTreeMap<String, Base>,
) -> Result<Container, String> {
    let security = container.security_context.as_ref();
    if security.is_some_and(|it| it.privileged == Some(true)) {
        return Err(format!(
            "container `{}` is privileged, which here would be root on this machine; `--engine kind` runs it",
            container.name
        ));
    }
    let capabilities =
        capabilities::of(security.and_then(|it| it.capabilities.as_ref())).map_err(|name| {
            format!("container `{}` asks for the capability `{name}`, which no pod has here", container.name)
        })?;
    let base = container.image.as_ref().and_then(|image| images.get(image));
    let base = base.ok_or_else(|| format!("container `{}` has no image", container.name))?;
    let image = match base {
        Base::Image(image) => image.clone(),
        Base::Host { env, .. } => Image { env: env.clone(), ..Image::default() },
    };
    let env = environment(&image.env, container.env.as_deref().unwrap_or_default());
    let args = arguments(container, &image, &env);
    if args.is_empty() {
        return Err(format!("container `{}` has no command, and its image none either", container.name));
    }
    Ok(Container {
        name: container.name.clone(),
        root: match base {
            Base::Image(image) => Root::Layers(image.layers.clone()),
            Base::Host { hidden, shown, .. } => Root::Host { hidden: hidden.clone(), shown: shown.clone() },
        },
        args,
        env: env.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        working_dir: [container.working_dir.as_deref(), Some(&image.working_dir), Some("/")]
            .into_iter()
            .flatten()
            .find(|folder| !folder.is_empty())
            .unwrap_or("/")
            .to_owned(),
        user: user(spec, container).unwrap_or(image.user),
        mounts: mounts(container, spec, surroundings)?,
        capabilities,
        allow_privilege_escalation: security.and_then(|it| it.allow_privilege_escalation) != Some(false),
        limits: limits(container),
        stdin: container.stdin == Some(true),
    })
}

/// The user that the pod names; none where the image's counts.
fn user(spec: &k8s::PodSpec, container: &k8s::Container) -> Option<String> {
    let (pod, own) = (spec.security_context.as_ref(), container.security_context.as_ref());
    let user = own.and_then(|it| it.run_as_user).or_else(|| pod?.run_as_user);
    let group = own.and_then(|it| it.run_as_group).or_else(|| pod?.run_as_group);
    match (user, group) {
        (None, None) => None,
        (user, None) => user.map(|user| user.to_string()),
        (user, Some(group)) => Some(format!("{}:{group}", user.unwrap_or(0))),
    }
}

/// The environment: the image's, then the container's, in which `$(NAME)` means what came before.
fn environment(image: &[String], own: &[k8s::EnvVar]) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    let set = |env: &mut Vec<(String, String)>, key: &str, value: String| match env
        .iter_mut()
        .find(|(known, _)| known == key)
    {
        Some((_, old)) => *old = value,
        None => env.push((key.to_owned(), value)),
    };
    for (key, value) in image.iter().filter_map(|pair| pair.split_once('=')) {
        set(&mut env, key, value.to_owned());
    }
    if let Some((key, value)) = PATH.split_once('=').filter(|(key, _)| !env.iter().any(|it| it.0 == *key)) {
        set(&mut env, key, value.to_owned());
    }
    let mut named: Vec<(String, String)> = Vec::new();
    for variable in own {
        let value = expand(variable.value.as_deref().unwrap_or_default(), &named);
        set(&mut named, &variable.name, value.clone());
        set(&mut env, &variable.name, value);
    }
    env
}

/// Kubernetes' expansion: `$(NAME)` is a variable's value where there is one, `$$` a dollar sign.
fn expand(text: &str, env: &[(String, String)]) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        match name.and_then(|(name, after)| Some((env.iter().find(|it| it.0 == name)?, after))) {
            Some(((_, value), after)) => {
                expanded.push_str(value);
                rest = after;
            }
            None => expanded.push('$'),
        }
    }
    expanded + rest
}

/// The command: a container's `command` replaces all of the image's, its `args` only what comes last.
fn arguments(container: &k8s::Container, image: &Image, env: &[(String, String)]) -> Vec<String> {
    let expanded = |list: &Option<Vec<String>>| -> Option<Vec<String>> {
        let list = list.as_ref().filter(|list| !list.is_empty())?;
        Some(list.iter().map(|word| expand(word, env)).collect())
    };
    match (expanded(&container.command), expanded(&container.args)) {
        (Some(command), args) => [command, args.unwrap_or_default()].concat(),
        (None, Some(args)) => [image.entrypoint.clone(), args].concat(),
        (None, None) => [image.entrypoint.clone(), image.cmd.clone()].concat(),
    }
}

fn limits(container: &k8s::Container) -> Limits {
    let resources = container.resources.as_ref();
    let limit = |name: &str| resources?.limits.as_ref()?.get(name).map(|it| it.0.as_str());
    let request = |name: &str| resources?.requests.as_ref()?.get(name).map(|it| it.0.as_str());
    let whole = |amount: Option<u128>| amount.and_then(|amount| amount.try_into().ok());
    Limits {
        cpu_millis: whole(limit("cpu").and_then(quantity::millis)),
        cpu_request_millis: whole(request("cpu").and_then(quantity::millis)),
        memory_bytes: whole(limit("memory").and_then(quantity::millis).map(|millis| millis.div_ceil(1000))),
        pids: Some(PIDS),
    }
}

fn mounts(
    container: &k8s::Container,
    spec: &k8s::PodSpec,
    surroundings: &Surroundings,
) -> Result<Vec<Mount>, String> {
    let folder = &surroundings.folder;
    let file = |name: &str, target: &str| Mount {
        source: plan::files(folder).join(name),
        target: target.to_owned(),
        read_only: false,
    };
    let mut mounts = vec![
        file("hosts", "/etc/hosts"),
        file("resolv.conf", "/etc/resolv.conf"),
        file("hostname", "/etc/hostname"),
        Mount { source: plan::shared_memory(folder), target: "/dev/shm".to_owned(), read_only: false },
        Mount {
            source: plan::message(folder, &container.name),
            target: container.termination_message_path.clone().unwrap_or("/dev/termination-log".to_owned()),
            read_only: false,
        },
    ];
    for mount in container.volume_mounts.iter().flatten() {
        let source = match &surroundings.laid {
            Some(laid) if laid.volume == mount.name => plan::laid(folder, &mount.name),
            _ => volume(&mount.name, spec, folder)?,
        };
        mounts.push(Mount {
            source: match &mount.sub_path {
                Some(path) => {
                    return Err(format!("volume mounts with `subPath` (`{path}`) do not work here"));
                }
                None => source,
            },
            target: mount.mount_path.clone(),
            read_only: mount.read_only == Some(true),
        });
    }
    Ok(mounts)
}

/// Where a volume lies on the host.
pub(in crate::engine::embedded) fn volume(
    name: &str,
    spec: &k8s::PodSpec,
    folder: &Path,
) -> Result<PathBuf, String> {
    let mut volumes = spec.volumes.iter().flatten();
    let volume = volumes.find(|it| it.name == name).ok_or(format!("there is no volume `{name}`"))?;
    if let Some(host) = &volume.host_path {
        return Ok(PathBuf::from(&host.path));
    }
    if volume.empty_dir.is_some() {
        return Ok(own_volume(name, folder));
    }
    Err(format!(
        "volume `{name}` is neither `emptyDir` nor `hostPath`: no other kind is there without a cluster"
    ))
}

/// Where an `emptyDir` of a pod lies.
pub(in crate::engine::embedded) fn own_volume(name: &str, folder: &Path) -> PathBuf {
    folder.join(format!("volume-{name}"))
}

/// The `emptyDir` that all of a folder of a container lies in, and where that is mounted.
pub(in crate::engine::embedded) fn sole_volume(
    pod: &Pod,
    container: &str,
    folder: &Path,
) -> Option<(String, PathBuf)> {
    let spec = pod.spec.as_ref()?;
    let mounts = spec.containers.iter().find(|it| it.name == container)?.volume_mounts.as_ref()?;
    let mut mounts = mounts.iter().map(|mount| (&mount.name, Path::new(&mount.mount_path)));
    let (volume, at) = mounts.clone().find(|(_, at)| folder.starts_with(at))?;
    let is_split = mounts.any(|(_, other)| other != at && other.starts_with(at));
    let is_own = spec.volumes.iter().flatten().any(|it| it.name == *volume && it.empty_dir.is_some());
    (is_own && !is_split).then(|| (volume.clone(), at.to_owned()))
}

/// The files that every container of a pod has, by name: what a kubelet writes.
fn files(spec: &k8s::PodSpec, hostname: &str, resolv: &str) -> BTreeMap<String, String> {
    let mut hosts =
        format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t{hostname}\n");
    for alias in spec.host_aliases.iter().flatten() {
        let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
        hosts.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    let file = |name: &str, text: String| (name.to_owned(), text);
    BTreeMap::from([
        file("hosts", hosts),
        file("resolv.conf", resolv.to_owned()),
        file("hostname", format!("{hostname}\n")),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(container: serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "demo" },
            "spec": {
                "containers": [container],
                "hostAliases": [{ "ip": "127.0.0.1", "hostnames": ["db", "cache"] }],
                "volumes": [{ "name": "repo", "emptyDir": {} }, { "name": "host", "hostPath": { "path": "/opt" } }],
            },
        }))
        .expect("a pod")
    }

    fn surroundings() -> Surroundings {
        Surroundings {
            folder: "/state/demo".into(),
            layers: "/cache/layers".into(),
            network: Network::Pair { number: 0 },
            rights: Rights::Root,
            cgroup: Some("podline/run".to_owned()),
            laid: None,
            resolv: String::new(),
            carrier: None,
        }
    }

    fn planned(container: serde_json::Value) -> Result<Container, String> {
        let image = Image {
            env: vec!["LANG=C".to_owned()],
            entrypoint: vec!["/entry".to_owned()],
            cmd: vec!["serve".to_owned()],
            working_dir: "/srv".to_owned(),
            user: "app".to_owned(),
            ..Image::default()
        };
        let images = BTreeMap::from([("web".to_owned(), Base::Image(image))]);
        plan(&pod(container), &surroundings(), &images).map(|plan| plan.containers[0].clone())
    }

    #[test]
    fn command_and_args_replace_what_kubernetes_says_they_replace() {
        let table = [
            (json!({}), vec!["/entry", "serve"]),
            (json!({ "args": ["test"] }), vec!["/entry", "test"]),
            (json!({ "command": ["sh"] }), vec!["sh"]),
            (
                json!({ "command": ["sh"], "args": ["-c", "echo $$HOME $(WHO) $(NOBODY)"] }),
                vec!["sh", "-c", "echo $HOME me $(NOBODY)"],
            ),
        ];
        for (more, expected) in table {
            let mut container =
                json!({ "name": "web", "image": "web", "env": [{ "name": "WHO", "value": "me" }] });
            for (key, value) in more.as_object().expect("an object") {
                container[key] = value.clone();
            }
            assert_eq!(planned(container).expect("a plan").args, expected);
        }
    }

    #[test]
    fn what_the_image_says_holds_unless_the_pod_says_otherwise() {
        let plain = planned(json!({ "name": "web", "image": "web" })).expect("a plan");
        assert_eq!((plain.user.as_str(), plain.working_dir.as_str()), ("app", "/srv"));
        assert_eq!(plain.env, ["LANG=C", PATH]);
        let own = planned(json!({
            "name": "web", "image": "web", "workingDir": "/tmp",
            "securityContext": { "runAsUser": 7, "runAsGroup": 8, "allowPrivilegeEscalation": false },
            "resources": { "limits": { "cpu": "500m", "memory": "64Mi" }, "requests": { "cpu": "50m" } },
        }))
        .expect("a plan");
        assert_eq!((own.user.as_str(), own.working_dir.as_str()), ("7:8", "/tmp"));
        assert!(!own.allow_privilege_escalation);
        let limits = Limits {
            cpu_millis: Some(500),
            cpu_request_millis: Some(50),
            memory_bytes: Some(64 << 20),
            pids: Some(PIDS),
        };
        assert_eq!(own.limits, limits);
    }

    #[test]
    fn what_would_be_root_on_this_machine_is_refused() {
        let table = [
            (
                json!({ "privileged": true }),
                "container `web` is privileged, which here would be root on this machine; `--engine kind` runs it",
            ),
            (
                json!({ "capabilities": { "add": ["SYS_ADMIN"] } }),
                "container `web` asks for the capability `SYS_ADMIN`, which no pod has here",
            ),
        ];
        for (context, message) in table {
            let refused = planned(json!({ "name": "web", "image": "web", "securityContext": context }));
            assert_eq!(refused.expect_err("refused"), message);
        }
    }

    #[test]
    fn volumes_lie_in_the_folder_of_the_pod() {
        let container = planned(json!({
            "name": "web", "image": "web",
            "volumeMounts": [
                { "name": "repo", "mountPath": "/builds" },
                { "name": "host", "mountPath": "/opt", "readOnly": true },
            ],
        }))
        .expect("a plan");
        let tail: Vec<_> = container.mounts[container.mounts.len() - 2..]
            .iter()
            .map(|it| (it.source.to_str().expect("text"), it.target.as_str(), it.read_only))
            .collect();
        assert_eq!(tail, [("/state/demo/volume-repo", "/builds", false), ("/opt", "/opt", true)]);
    }

    #[test]
    fn a_pod_whose_containers_are_to_be_started_again_is_refused() {
        let with = |policy: &str| {
            let mut pod = pod(json!({ "name": "web", "image": "web" }));
            pod.spec.as_mut().expect("a spec").restart_policy = Some(policy.to_owned());
            plan(&pod, &surroundings(), &any_images(&pod)).map(drop)
        };
        assert_eq!(with("Never"), Ok(()));
        for policy in ["Always", "OnFailure"] {
            let said = format!("its `restartPolicy` is `{policy}`, and no container is started again here");
            assert_eq!(with(policy), Err(said));
        }
    }

    #[test]
    fn host_aliases_are_in_the_file_of_hosts() {
        let pod = pod(json!({ "name": "web", "image": "web" }));
        let files = files(pod.spec.as_ref().expect("a spec"), "demo", "nameserver 10.0.0.1\n");
        assert!(files["hosts"].ends_with("127.0.0.1\tdemo\n127.0.0.1\tdb\tcache\n"), "{}", files["hosts"]);
    }
}
