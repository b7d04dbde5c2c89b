//! A question as a call, or a notice, puts it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reply::Expects;
use super::settings::Method;
use crate::base::CallId;

/// Whom it is put to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// An endpoint of the configuration, by name.
    Endpoint(String),
    /// A URL of a document, by the terms of `[urls]`.
    Url(String),
}

impl To {
    /// For logs and lists: no password, no query.
    pub fn redacted(&self) -> String {
        match self {
            Self::Endpoint(name) => name.clone(),
            Self::Url(url) => match super::target::Target::parse(url) {
                Ok(target) => target.redacted(),
                Err(_) => "no URL".to_owned(),
            },
        }
    }
}

impl std::fmt::Debug for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// What is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Fields in their order: the query of a GET, the form of a POST.
    Form(Vec<(String, String)>),
    /// A JSON body; always by POST.
    Json(Value),
    /// Nothing but the URL.
    #[default]
    Nothing,
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// To whom.
    pub to: To,
    /// How; as the endpoint says when `None`, and POST to a URL.
    pub method: Option<Method>,
    /// What.
    pub content: Content,
    /// What the reply must be.
    pub expects: Expects,
    /// The longest it may take, never more than the endpoint's own budget.
    pub budget: Option<Duration>,
    /// Octets of the longest reply, never more than the endpoint's own limit.
    pub reply_limit: Option<usize>,
    /// The call whose cookies go along.
    pub call: Option<CallId>,
    /// What is the same on all retries; a new one when `None`.
    pub token: Option<String>,
    /// Whether nobody waits for the reply: it then leaves half of the places to others.
    pub is_notice: bool,
}

impl Ask {
    /// A question with all else as the endpoint has it.
    pub fn new(to: To, content: Content, expects: Expects) -> Self {
        Self {
            to,
            method: None,
            content,
            expects,
            budget: None,
            reply_limit: None,
            call: None,
            token: None,
            is_notice: false,
        }
    }
}
