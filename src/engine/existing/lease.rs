//! The Lease that everything of a run belongs to, renewed as long as the run lives.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::kube::failed;
use crate::engine::{Error, Owner};

/// How long a Lease lasts that nobody renews, in seconds. The clocks of two machines may differ by most of it.
pub(super) const DURATION: i32 = 300;

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(60);

/// A Lease that is renewed while this lives.
pub(super) struct Held {
    /// What makes an object go away with the Lease.
    pub(super) owner: OwnerReference,
    _renewal: AbortOnDropHandle<()>,
}

/// The name of a run's Lease.
pub(super) fn name(run: &str) -> String {
    format!("podline-{run}")
}

/// Makes the Lease of a run and goes on renewing it.
pub(super) async fn take(leases: &Api<Lease>, owner: &Owner) -> Result<Held, Error> {
    let now = MicroTime(Timestamp::now());
    let lease = json!({
        "metadata": {"name": name(&owner.run), "labels": {(owner.label): owner.run, "app.kubernetes.io/managed-by": "podline"}},
        "spec": {
            "holderIdentity": owner.run, "leaseDurationSeconds": DURATION,
            "acquireTime": now, "renewTime": now
        }
    });
    let lease: Lease = serde_json::from_value(lease).expect("the literal is a Lease");
    let made = leases.create(&PostParams::default(), &lease).await;
    let made = made.map_err(|error| failed("creating the Lease of the run", error))?;
    let owner = OwnerReference {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        name: made.metadata.name.unwrap_or_default(),
        uid: made.metadata.uid.unwrap_or_default(),
        ..OwnerReference::default()
    };
    let renewal = tokio::spawn(renew(leases.clone(), owner.name.clone()));
    Ok(Held { owner, _renewal: AbortOnDropHandle::new(renewal) })
}

async fn renew(leases: Api<Lease>, name: String) {
    loop {
        sleep(RENEWAL).await;
        let now = json!({"spec": {"renewTime": MicroTime(Timestamp::now())}});
        // the API may be away for a while: the next time comes before the Lease has ended
        let _ = leases.patch(&name, &PatchParams::default(), &Patch::Merge(now)).await;
    }
}

/// Whether a Lease is over. One that was never renewed counts from when it, or what it stands for, was made.
pub(super) fn is_over(lease: Option<&Lease>, made: Option<Timestamp>, now: Timestamp) -> bool {
    let spec = lease.and_then(|lease| lease.spec.as_ref());
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0);
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(DURATION);
    let lasts = SignedDuration::from_secs(seconds.into());
    renewed.or(made).is_none_or(|since| now.duration_since(since) > lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_over_when_nobody_has_renewed_it_for_its_duration() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let lease = |renewed: i64| -> Lease {
            serde_json::from_value(json!({
                "metadata": {}, "spec": {"renewTime": MicroTime(at(renewed)), "leaseDurationSeconds": 300}
            }))
            .expect("a Lease")
        };
        let (fresh, old) = (lease(1000), lease(1));
        let rows = [
            (Some(&fresh), Some(at(1)), 1100, false),
            (Some(&fresh), Some(at(1)), 1301, true),
            (Some(&old), Some(at(1)), 1100, true),
            // a clock that is behind
            (Some(&fresh), None, 900, false),
            // a namespace whose run was killed before it had made its Lease, or is about to make it
            (None, Some(at(1000)), 1010, false),
            (None, Some(at(1000)), 1301, true),
        ];
        for (lease, made, now, over) in rows {
            assert_eq!(is_over(lease, made, at(now)), over, "{lease:?} {made:?} at {now}");
        }
    }
}
