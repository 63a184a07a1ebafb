use futures::channel::mpsc::{UnboundedSender, unbounded};
use kube::core::Status;
use serde_json::json;

use super::*;

type Events = UnboundedSender<watcher::Result<watcher::Event<Pod>>>;

/// An API that knows these pods and no others.
struct Pods(&'static [&'static str]);

#[async_trait]
impl Lookup for Pods {
    async fn pod(&self, name: &str) -> kube::Result<Option<Pod>> {
        Ok(self.0.contains(&name).then(|| pod(name, "1", "Pending")))
    }

    async fn answers(&self) -> kube::Result<()> {
        if self.0.is_empty() { Err(kube::Error::Service("it is silent".into())) } else { Ok(()) }
    }
}

fn pod(name: &str, uid: &str, phase: &str) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": name, "uid": uid}, "status": {"phase": phase}}))
        .expect("a pod")
}

fn watch(api: &'static [&'static str]) -> (Watch, Events) {
    let (events, stream) = unbounded();
    (Watch::follow(Box::new(Pods(api)), stream.boxed()), events)
}

fn tell(events: &Events, event: watcher::Event<Pod>) {
    events.unbounded_send(Ok(event)).expect("the watch listens");
}

/// The next phase of a pod, or nothing once it is gone.
async fn phase(states: &mut BoxStream<'static, Result<Pod, Error>>) -> Option<String> {
    states
        .next()
        .await
        .map(|state| state.expect("no error").status.and_then(|status| status.phase).unwrap_or_default())
}

#[tokio::test]
async fn states_come_until_the_pod_is_deleted() {
    let (watch, events) = watch(&["p"]);
    let mut states = watch.states("p");
    assert_eq!(phase(&mut states).await.as_deref(), Some("Pending"));
    tell(&events, watcher::Event::Apply(pod("other", "2", "Failed")));
    tell(&events, watcher::Event::Apply(pod("p", "1", "Running")));
    assert_eq!(phase(&mut states).await.as_deref(), Some("Running"));
    tell(&events, watcher::Event::Delete(pod("p", "1", "Running")));
    assert_eq!(phase(&mut states).await, None);
}

#[tokio::test]
async fn a_pod_that_is_not_there_has_no_states() {
    let (watch, _events) = watch(&[]);
    assert_eq!(phase(&mut watch.states("p")).await, None);
}

#[tokio::test]
async fn a_pod_that_a_new_list_lacks_is_gone_only_if_the_api_says_so() {
    let (watch, events) = watch(&["young"]);
    watch.learn(pod("young", "1", "Pending"));
    watch.learn(pod("deleted", "2", "Running"));
    let (mut young, mut deleted) = (watch.states("young"), watch.states("deleted"));
    assert_eq!(phase(&mut young).await.as_deref(), Some("Pending"));
    assert_eq!(phase(&mut deleted).await.as_deref(), Some("Running"));
    tell(&events, watcher::Event::Init);
    tell(&events, watcher::Event::InitDone);
    assert_eq!(phase(&mut deleted).await, None);
    tell(&events, watcher::Event::Apply(pod("young", "1", "Running")));
    assert_eq!(phase(&mut young).await.as_deref(), Some("Running"));
}

#[tokio::test]
async fn the_end_of_an_older_pod_of_the_name_means_nothing() {
    let (watch, events) = watch(&[]);
    watch.learn(pod("p", "2", "Pending"));
    let mut states = watch.states("p");
    assert_eq!(phase(&mut states).await.as_deref(), Some("Pending"));
    tell(&events, watcher::Event::Delete(pod("p", "1", "Running")));
    tell(&events, watcher::Event::Apply(pod("p", "2", "Running")));
    assert_eq!(phase(&mut states).await.as_deref(), Some("Running"));
}

#[tokio::test]
async fn an_answer_to_us_does_not_turn_the_time_back() {
    let (watch, events) = watch(&[]);
    tell(&events, watcher::Event::Apply(pod("p", "1", "Running")));
    tokio::task::yield_now().await;
    watch.learn(pod("p", "1", "Pending"));
    assert_eq!(phase(&mut watch.states("p")).await.as_deref(), Some("Running"));
}

#[tokio::test]
async fn a_broken_watch_is_no_error_at_first_but_a_missing_permission_is() {
    let (watch, events) = watch(&["p"]);
    let mut states = watch.states("p");
    assert_eq!(phase(&mut states).await.as_deref(), Some("Pending"));
    let gone = Status::failure("too old resource version", "Expired").with_code(410).boxed();
    events.unbounded_send(Err(watcher::Error::WatchError(gone))).expect("the watch listens");
    tell(&events, watcher::Event::Apply(pod("p", "1", "Running")));
    assert_eq!(phase(&mut states).await.as_deref(), Some("Running"));
    let said = r#"pods is forbidden: User "u" cannot watch resource "pods" in API group """#;
    let refused = kube::Error::Api(Status::failure(said, "Forbidden").with_code(403).boxed());
    events.unbounded_send(Err(watcher::Error::WatchStartFailed(refused))).expect("the watch listens");
    assert!(matches!(states.next().await, Some(Err(Error::Forbidden { .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_news_ends_where_nobody_answers_any_more() {
    for (api, is_lost) in [(&["p"][..], false), (&[], true)] {
        let (watch, _events) = watch(api);
        watch.learn(pod("p", "1", "Running"));
        let mut states = watch.states("p");
        assert_eq!(phase(&mut states).await.as_deref(), Some("Running"));
        let next = tokio::time::timeout(Duration::from_secs(600), states.next()).await;
        let lost = next.ok().flatten().map(|state| state.expect_err("nothing was told").to_string());
        let expected =
            is_lost.then(|| "lost the connection while watching the pods: it is silent".to_owned());
        assert_eq!(lost, expected);
    }
}
