//! Voices that are services of the web.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::json;

use crate::speech::{Failure, Order, Reach, Speaker};
use crate::webhook::{Ask, Content, Expects, FailureKind, To, Web};

/// The way to them: by the web client, its budgets and its rule of addresses.
#[derive(Debug)]
pub(super) struct WebVoices(pub(super) Web);

/// How much later than allowed the web client may say that it was too late.
const GRACE: Duration = Duration::from_secs(1);

impl Reach for WebVoices {
    fn say(&self, order: Order<'_>) -> Result<Vec<u8>, Failure> {
        let Order { voice, text, limit } = order;
        let to = match &voice.speaker {
            Speaker::Endpoint(name) => To::Endpoint(name.clone()),
            Speaker::Url(url) => To::Url(url.clone()),
            Speaker::Program(_) => return Err(Failure::Voice),
        };
        let about = json!({"text": text, "voice": voice.name, "language": voice.language});
        let mut ask = Ask::new(to, Content::Json(about), Expects::Sound);
        ask.budget = Some(voice.timeout);
        ask.reply_limit = Some(limit);
        let (tell, told) = sync_channel(1);
        self.0
            .put(ask, move |came| async move {
                // Whoever waited has gone on.
                let _ = tell.send(came);
            })
            .detach();
        match told.recv_timeout(voice.timeout + GRACE) {
            Ok(Ok(reply)) => Ok(reply.body.to_vec()),
            Ok(Err(failure)) if failure.kind == FailureKind::BudgetSpent => {
                Err(Failure::Late(voice.timeout))
            }
            Ok(Err(failure)) => Err(Failure::Broken(failure.to_string())),
            Err(_) => Err(Failure::Late(voice.timeout)),
        }
    }
}
