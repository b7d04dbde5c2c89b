//! Questions that may wait: on blocking threads, with an end to patience.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::answer::{self, Refusal};

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
    match timeout(patience, asked).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(failed()),
        Err(_) => Err(late()),
    }
}

/// As [`ask`]; what is said is written there too, so that a long list holds nobody up.
pub(super) async fn ask_shown<T: Serialize>(
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<Response, Refusal> {
    let text = ask(move || answer::written(&question())).await??;
    Ok(answer::text(StatusCode::OK, text))
}

/// As [`ask`], on a thread of its own: it is answered however many others wait.
pub(super) async fn ask_apart<T: Send + 'static>(
    few: Arc<Semaphore>,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let asked = async {
        let place = few.acquire_owned().await.map_err(|_| failed())?;
        let (reply, answer) = oneshot::channel();
        thread::Builder::new()
            .name("http-health".to_owned())
            .spawn(move || {
                let _place = place;
                // Whoever asked may have given up.
                let _ = reply.send(question());
            })
            .map_err(|_| failed())?;
        answer.await.map_err(|_| failed())
    };
    timeout(PATIENCE, asked).await.map_err(|_| late())?
}

fn failed() -> Refusal {
    let words = "the question failed; the log says why";
    Refusal::internal(words)
}

fn late() -> Refusal {
    let words = "the switch did not answer in time";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words)
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
            format!(
                "{MOST_LONG} captures, trunk tests and looks into the journal are under way; \
                 wait for one to end"
            ),
        )
        .retry_after(PATIENCE));
    };
    ask_for(patience, move || {
        let _place = place;
        question()
    })
    .await
}

/// Captures, trunk tests and looks for decisions at a time: half of the threads that answer.
pub(super) const MOST_LONG: usize = 4;

/// Questions after the switch's health at a time.
pub(super) const MOST_APART: usize = 4;

/// A shard that takes longer is stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
