//! What a call's flow asks outside: the user's web application, a voice.

use tokio::sync::mpsc;

use super::web_sounds::WebSounds;
use crate::call::task::Order;
use crate::call::{Inquiry, Subject, Supply};
use crate::flow::Reply;
use crate::speech::{self, Speech, Wish};
use crate::twiml::Fetched;
use crate::webhook::{self, Ask, Content, Expects, ReplyLimits, To, Web, read_reply};

/// Whom the shards' calls ask. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) web: Web,
    pub(super) speech: Speech,
    pub(super) sounds: WebSounds,
}

impl Outside {
    /// Has a text said; a voice that is none of ours is replaced by one of the language.
    fn say(
        &self,
        wish: &Wish,
        tell: impl FnOnce(Result<String, speech::Failure>) + Send + 'static,
    ) {
        if wish.voice.is_some() && !self.speech.has_voice(wish) {
            let voice = None;
            let wish = Wish {
                voice,
                ..wish.clone()
            };
            return self.speech.say(&wish, tell);
        }
        self.speech.say(wish, tell);
    }

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
            Subject::Document(fetch) => {
                let content = Content::Form(fetch.form);
                let mut ask = Ask::new(To::Url(fetch.url), content, Expects::Twiml);
                ask.method = Some(fetch.method.into());
                ask.call = Some(call.clone());
                let tell = move |came| async move {
                    let supply = Supply::Document(document(came));
                    let told = Order::Supplied(call, request, Box::new(supply));
                    // A shard that is gone asks nothing.
                    let _ = answers.send(told).await;
                };
                self.web.put(ask, tell).detach();
            }
            Subject::Sound(url) => self.sounds.fetch(&self.web, (call.clone(), url), {
                move |sound| async move {
                    let supply = Supply::Sound(sound);
                    let told = Order::Supplied(call, request, Box::new(supply));
                    let _ = answers.send(told).await;
                }
            }),
            Subject::Text(wish) => self.say(&wish, move |said| {
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

/// What an application answered, as its document's run wants it.
fn document(came: Result<webhook::Reply, webhook::Failure>) -> Fetched {
    match came {
        Ok(reply) => Fetched::Reply {
            // What is played is fetched by whoever plays it.
            body: match reply.media_type().starts_with("audio/") {
                true => Vec::new(),
                false => reply.body.into(),
            },
            content_type: reply.content_type,
            url: reply.url,
        },
        Err(failure) => Fetched::Failed {
            code: failure.kind.twilio_code(),
            words: failure.to_string(),
        },
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
