//! Requests that an API server takes and never answers: they end, so that somebody hears of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Uri};
use tower::{BoxError, Service};

/// How long the API may take to answer. What admission webhooks and webhooks of credentials take is within it.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// The API has been silent.
#[derive(Debug, thiserror::Error)]
#[error("the API server took the request and has not answered for {} s", ANSWER.as_secs())]
struct Silent;

/// A service whose answers begin in time, or are errors.
#[derive(Debug, Clone)]
pub(super) struct Answered<S>(pub(super) S);

impl<S, B> Service<Request<B>> for Answered<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let may_wait = waits_for_news(request.uri());
        let answer = self.0.call(request);
        Box::pin(async move {
            if may_wait {
                return answer.await.map_err(Into::into);
            }
            match tokio::time::timeout(ANSWER, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(Silent.into()),
            }
        })
    }
}

/// Whether the answer to a request may begin when there is something to tell, and not before.
fn waits_for_news(uri: &Uri) -> bool {
    uri.path().ends_with("/log") || uri.query().is_some_and(|query| query.contains("watch=true"))
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;

    /// Asks a server that never answers; what comes of it, and after how many seconds.
    async fn ask(uri: &str) -> Option<(String, u64)> {
        let silent = tower::service_fn(|_: Request<()>| std::future::pending::<Result<(), BoxError>>());
        let request = Request::get(uri).body(()).expect("a request");
        let start = tokio::time::Instant::now();
        let answer = Answered(silent).oneshot(request);
        let error = tokio::time::timeout(ANSWER * 100, answer).await.ok()?.expect_err("it is silent");
        Some((error.to_string(), start.elapsed().as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_ends() {
        let (said, after) = ask("/api/v1/namespaces/ci/pods?limit=1").await.expect("an end");
        assert_eq!(said, "the API server took the request and has not answered for 30 s");
        assert_eq!(after, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn logs_and_watches_may_be_silent() {
        assert_eq!(ask("/api/v1/namespaces/ci/pods/p/log?follow=true").await, None);
        assert_eq!(ask("/api/v1/namespaces/ci/pods?watch=true&timeoutSeconds=290").await, None);
    }
}
