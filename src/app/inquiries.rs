//! What a call's flow asks outside: the user's web application, a voice.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::closings::Closer;
use crate::call::task::Order;
use crate::call::{Inquiry, Subject};
use crate::flow::Reply;
use crate::speech::Speech;
use crate::webhook::{self, Ask, Content, Expects, ReplyLimits, To, Web, read_reply};

/// Whom the shards' calls ask. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) web: Web,
    pub(super) speech: Speech,
    pub(super) closer: Arc<Closer>,
}

impl Outside {
    /// Puts a question; the answer goes to the shard, always.
    pub(super) fn inquire(&self, inquiry: Inquiry, answers: mpsc::Sender<Order>) {
        let Inquiry {
            call,
            request,
            subject,
        } = inquiry;
        match subject {
            Subject::Endpoint {
                endpoint,
                about,
                shape,
                budget,
            } => {
                let content = Content::Json(about.to_json(shape));
                let mut ask = Ask::new(To::Endpoint(endpoint), content, Expects::Json);
                ask.budget = Some(budget);
                ask.reply_limit = Some(ReplyLimits::default().octets);
                ask.call = Some(call.clone());
                let tell = move |came| async move {
                    let told = Order::Told(call, request, Box::new(data(came)));
                    // A shard that is gone asks nothing.
                    let _ = answers.send(told).await;
                };
                // The step's budget bounds it, and the application may count on being heard out.
                self.web.put(ask, tell).detach();
            }
            Subject::Closing(wish) => {
                let tell = move |reply| {
                    // A shard that is gone, or too busy, lets the call wait in vain for a moment.
                    let _ = answers.try_send(Order::Told(call, request, Box::new(reply)));
                };
                self.closer.wish(wish, tell);
            }
            Subject::Text(wish) => self.speech.say(&wish, move |said| {
                let reply = match said {
                    Ok(sound) => Reply::Said { sound },
                    Err(failure) => Reply::Failed(failure.to_string()),
                };
                // A shard too busy to take it lets the caller hear the prompt instead.
                if answers
                    .try_send(Order::Told(call, request, Box::new(reply)))
                    .is_err()
                {
                    tracing::warn!("shard too busy, a text is not heard");
                }
            }),
        }
    }
}

fn data(came: Result<webhook::Reply, webhook::Failure>) -> Reply {
    match came {
        Ok(reply) if reply.body.is_empty() => Reply::Data(serde_json::json!({})),
        Ok(reply) => match read_reply(&reply.body, ReplyLimits::default()) {
            Ok(members) => Reply::Data(members.into()),
            Err(error) => Reply::Failed(error.to_string()),
        },
        Err(failure) => Reply::Failed(failure.to_string()),
    }
}
