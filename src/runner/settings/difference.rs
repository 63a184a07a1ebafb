//! Where a runner's settings differ from the built-in ones, for the plan.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{
    Settings,
    quantity::Amount,
    resources::{Bound, ResourceName},
};
use crate::config::keyword::job::PullPolicy;

impl Settings {
    /// Each difference from [`Settings::default`] as a sentence, the runner's value first.
    pub fn differences_from_default(&self) -> Vec<String> {
        let default = Self::default();
        let mut sentences = Vec::new();
        let mut differ = |what: &str, here: String, there: String| {
            if here != there {
                sentences.push(format!("{what}: {here}, not {there}"));
            }
        };
        differ("runners", self.runners.join(", "), default.runners.join(", "));
        differ(
            "jobs that a runner runs at once",
            self.concurrent.to_string(),
            default.concurrent.to_string(),
        );
        differ("namespace", self.namespace.clone(), default.namespace.clone());
        differ("default image", optional(self.image.as_ref()), optional(default.image.as_ref()));
        differ("helper image", self.helper_image.clone(), default.helper_image.clone());
        differ("pull policy", policies(&self.pull_policy), policies(&default.pull_policy));
        differ("privileged", truth(self.privileged), truth(default.privileged));
        for name in ResourceName::all() {
            differ(&what(name), amount(name.of(self)), amount(name.of(&default)));
        }
        differ("poll interval", seconds(self.poll_interval), seconds(default.poll_interval));
        differ("poll timeout", seconds(self.poll_timeout), seconds(default.poll_timeout));
        let grace =
            |settings: &Self| settings.termination_grace.map_or_else(|| "none set".to_owned(), seconds);
        differ("termination grace", grace(self), grace(&default));
        sentences
    }
}

fn what(name: ResourceName) -> String {
    let bound = match (name.bound, name.overwrite_max) {
        (Bound::Limit, false) => "limit",
        (Bound::Request, false) => "request",
        (Bound::Limit, true) => "limit that a job's variables may set",
        (Bound::Request, true) => "request that a job's variables may set",
    };
    format!("{} {} {bound}", name.container.name(), name.resource.kubernetes())
}

fn optional(value: Option<&String>) -> String {
    value.map_or_else(|| "none".to_owned(), Clone::clone)
}

/// Quantities of the same amount are the same: `1` and `1000m`.
fn amount(quantity: Option<&Quantity>) -> String {
    match quantity {
        None => "none".to_owned(),
        Some(quantity) => Amount::of(quantity).map_or_else(
            || quantity.0.clone(),
            |amount| {
                if quantity.0.ends_with(['m', 'n', 'u']) || amount < Amount::units(1024) {
                    amount.cpu()
                } else {
                    amount.memory()
                }
            },
        ),
    }
}

fn policies(policies: &[PullPolicy]) -> String {
    let name = |policy: &PullPolicy| match policy {
        PullPolicy::Always => "always",
        PullPolicy::IfNotPresent => "if-not-present",
        PullPolicy::Never => "never",
    };
    if policies.is_empty() {
        "none".to_owned()
    } else {
        policies.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

fn truth(value: Option<bool>) -> String {
    if value == Some(true) { "yes" } else { "no" }.to_owned()
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
