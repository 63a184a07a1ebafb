//! The start of a pod: created, and made again where another pull policy is left to try.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use super::{End, Life, Stage};
use crate::{
    engine,
    event::{Failure, Phase},
    runner::{
        Attempt, Build,
        attempt::record::Record,
        build::RUNNER_VERSION,
        failure::{self, FailedPull, Observed},
        pod::{policy_name, services},
        trace::Section,
    },
};

/// How often a pod is tried to be created that there is no room for.
const ADMISSION_POLL: Duration = Duration::from_secs(2);

/// What GitLab Runner says of itself.
pub(in crate::runner::attempt) async fn introduce(build: &Build, attempt: &Attempt, record: &mut Record) {
    record.phase(Phase::Preparing).await;
    let version = env!("CARGO_PKG_VERSION");
    record
        .note(&info(&format!("Running with podline {version} (like gitlab-runner {RUNNER_VERSION})")))
        .await;
    let token = build.variable("CI_RUNNER_SHORT_TOKEN").unwrap_or_default();
    record.note(&info(&format!("  on {} {token}", attempt.slot.runner))).await;
    record.section(Section::PrepareExecutor).await;
}

impl Life<'_> {
    /// What GitLab Runner says before there is a pod.
    pub(super) async fn describe(&mut self, record: &mut Record) {
        for line in &self.overwrites.said {
            record.note(&info(line)).await;
        }
        for line in &self.overwrites.in_vain {
            record.warn(line).await;
        }
        let namespace = self.pod.metadata.namespace.clone().unwrap_or_default();
        record.note(&info(&format!("Using Kubernetes namespace: {namespace}"))).await;
        let image = &self.build.image.name;
        record.note(&info(&format!("Using Kubernetes executor with image {image} ..."))).await;
        for (container, policies) in self.pull_policies() {
            let text = format!("Using effective pull policy of [{policies}] for container {container}");
            record.note(&info(&text)).await;
        }
        record.section(Section::PrepareScript).await;
    }

    /// Creates the pod and begins to watch it.
    pub(super) async fn create(&mut self, record: &mut Record) -> Option<End> {
        let limit = go_duration(self.build.timeout);
        record
            .note(&info(&format!(
                "Using FF_USE_POD_ACTIVE_DEADLINE_SECONDS, the Pod activeDeadlineSeconds will be set to the \
                 job timeout: {limit}..."
            )))
            .await;
        self.lay().await;
        if let Some(end) = self.admit(record).await {
            return Some(end);
        }
        self.states = Some(self.executor.pods.watch(&self.name));
        self.enter(Stage::Starting, self.executor.poll_timeout);
        None
    }

    /// Creates the pod, and waits where others have the room for it: as long as a pod may take to start.
    async fn admit(&mut self, record: &mut Record) -> Option<End> {
        let late = Instant::now() + self.executor.poll_timeout;
        let mut told = false;
        loop {
            let error = match self.executor.pods.create(&self.pod, self.login.secret.as_ref()).await {
                Ok(()) => return None,
                Err(error) => error,
            };
            let is_full = matches!(error, engine::Error::Full { .. });
            if !is_full || Instant::now() >= late {
                return Some(End::Failed(failure::engine_failed("the pod was not created", &error)));
            }
            if !std::mem::replace(&mut told, true) {
                record.warn(&format!("waiting for room: {error}")).await;
            }
            tokio::select! {
                () = self.attempt.kill.cancelled() => return Some(End::Canceled),
                () = self.attempt.cancel.cancelled() => return Some(End::Canceled),
                () = tokio::time::sleep(ADMISSION_POLL) => {}
            }
        }
    }

    /// Says that an image was not pulled. Where another pull policy is left, takes the pod away and makes one
    /// with that; whether there was one. GitLab Runner does so with `pull_policy` lists.
    pub(super) async fn pull_again(
        &mut self,
        failed: &FailedPull,
        record: &mut Record,
    ) -> Result<bool, Failure> {
        let FailedPull { container, image, said, .. } = failed;
        let policy = failed.policy.as_deref().unwrap_or_default();
        record
            .warn(&format!(
                "Failed to pull image \"{image}\" for container \"{container}\" with policy \"{policy}\": \
                 image pull failed: {said}"
            ))
            .await;
        let number = self.failed_pulls.entry(container.clone()).or_default();
        *number += 1;
        let attempt = *number + 1;
        let pod =
            self.executor.prepare.pod(self.build, &self.overwrites, self.attempt, &self.failed_pulls)?;
        let next = failure::policy_of(&pod, container).unwrap_or_default();
        if next == policy {
            for remark in &self.login.remarks {
                record.warn(remark).await;
            }
            return Ok(false);
        }
        record
            .say_green(&format!(
                "Attempt #{attempt}: Trying \"{next}\" pull policy for \"{image}\" image for container \
                 \"{container}\""
            ))
            .await;
        self.executor.delete(std::mem::take(&mut self.name), Duration::ZERO);
        self.name = pod.metadata.name.clone().unwrap_or_default();
        self.login = self.executor.prepare.login(self.build, &pod);
        self.pod = pod;
        (self.states, self.log, self.service_logs) = (None, None, None);
        self.pulling = None;
        (self.last, self.began, self.has_log, self.is_pending) = (None, None, false, false);
        self.observed = Observed::default();
        Ok(true)
    }

    /// Says once that a pod waits, and each reason that it has none to wait for.
    pub(super) async fn say_pending(&mut self, pod: &Pod, record: &mut Record) {
        let Some(status) = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Pending"))
        else {
            return;
        };
        if !self.is_pending {
            self.is_pending = true;
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("<unknown>");
            let name = &self.name;
            record
                .note(&format!(
                    "Waiting for pod {namespace}/{name} to be running on the node {node}, status is Pending"
                ))
                .await;
        }
        let mut conditions = status.conditions.iter().flatten();
        let unscheduled = conditions.find(|it| it.type_ == "PodScheduled" && it.status == "False");
        let said = unscheduled.and_then(|it| it.message.clone());
        if said.is_some() && said != self.unscheduled {
            record.say(&format!("\tUnschedulable: {:?}", said.as_deref().unwrap_or_default())).await;
            self.unscheduled = said;
        }
    }

    /// The pull policies of each container, as the runner writes such a list.
    fn pull_policies(&self) -> Vec<(String, String)> {
        let spec = self.pod.spec.as_ref();
        let containers = spec.into_iter().flat_map(|spec| &spec.containers);
        let services = services::named(self.build);
        let list = |name: &str, one: Option<&str>| {
            let image = match name {
                failure::BUILD => Some(&self.build.image),
                name => services.iter().find(|it| it.name() == name).map(|it| &it.service.image),
            };
            match image {
                Some(image) => {
                    let names = image.pull_policy.iter().copied().map(policy_name);
                    names.collect::<Vec<_>>().join(" ")
                }
                None => one.unwrap_or_default().to_owned(),
            }
        };
        containers.map(|it| (it.name.clone(), list(&it.name, it.image_pull_policy.as_deref()))).collect()
    }
}

/// A line of the runner's own without a colour.
pub(super) fn info(text: &str) -> String {
    format!("\x1b[0K{text}\x1b[0;m")
}

/// A duration as Go writes it: `1h0m0s`.
pub(super) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (seconds, text) in [(5, "5s"), (300, "5m0s"), (3600, "1h0m0s"), (3725, "1h2m5s")] {
            assert_eq!(go_duration(Duration::from_secs(seconds)), text);
        }
    }
}
