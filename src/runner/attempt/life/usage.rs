//! What the script uses while it runs, where the engine can tell.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::api::core::v1::Pod;

use super::Life;
use crate::{
    engine,
    event::Usage,
    runner::{failure::BUILD, settings::quantity::Amount},
};

/// How often the engine is asked.
const EVERY: Duration = Duration::from_secs(2);

/// When it is asked first: most jobs have ended before.
const FIRST: Duration = Duration::from_secs(1);

/// Comes to its end with the engine's answer, after a while.
pub(super) type Measuring = BoxFuture<'static, Option<engine::Usage>>;

impl Life<'_> {
    /// Asks what the script uses, from now on.
    pub(super) fn begin_to_measure(&mut self) {
        self.measuring = Some(self.measure(FIRST));
    }

    /// Takes an answer, and asks again.
    pub(super) fn measured(&mut self, usage: Option<engine::Usage>) -> Option<Usage> {
        self.measuring = Some(self.measure(EVERY));
        let usage = usage.filter(|usage| *usage != engine::Usage::default())?;
        Some(with_limits(usage, self.last_pod()))
    }

    fn measure(&self, after: Duration) -> Measuring {
        let (pods, pod) = (Arc::clone(&self.executor.pods), self.name.clone());
        let ask = async move {
            tokio::time::sleep(after).await;
            pods.usage(&pod, BUILD).await
        };
        ask.boxed()
    }
}

fn with_limits(usage: engine::Usage, pod: &Pod) -> Usage {
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let limits = containers.find(|it| it.name == BUILD).and_then(|it| it.resources.as_ref()?.limits.as_ref());
    let limit = |name: &str| limits.and_then(|limits| Amount::of(limits.get(name)?));
    let cores = |millis: u64| millis as f64 / 1000.0;
    Usage {
        cpu: usage.cpu_millis.map(cores),
        cpu_limit: limit("cpu").map(|amount| cores(amount.as_thousandths())),
        memory: usage.memory_bytes,
        memory_limit: limit("memory").map(Amount::as_units),
    }
}
