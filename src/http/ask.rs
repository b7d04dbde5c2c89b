//! Questions that may wait: on blocking threads, with an end to patience.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::answer::Refusal;

/// Runs a question that may wait on a blocking thread, five seconds at most.
pub(super) async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    ask_for(PATIENCE, question).await
}

pub(super) async fn ask_for<T: Send + 'static>(
    patience: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let asked = tokio::task::spawn_blocking(question);
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the question failed; the log says why",
        )),
        Err(_) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the switch did not answer in time",
        )),
    }
}

/// Runs a question that takes long, or refuses it at once when as many as may are under way. One
/// given up by who asked counts until it is over.
pub(super) async fn ask_long<T: Send + 'static>(
    long: Arc<Semaphore>,
    patience: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let Ok(place) = long.try_acquire_owned() else {
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{MOST_LONG} captures and trunk tests are under way; wait for one to end"),
        ));
    };
    ask_for(patience, move || {
        let _place = place;
        question()
    })
    .await
}

/// Captures and trunk tests at a time: half of the threads that answer.
pub(super) const MOST_LONG: usize = 4;

/// A shard that takes longer is stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
