//! What the configuration says of endpoints.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::address::AddressRule;
use super::breaker::BreakerTerms;
use super::overrides::RetryOn;
use super::signature::{SignatureMode, SigningSecret};
use super::target::Target;
use super::tls::TlsClient;

/// All of `webhooks.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What holds for all requests together.
    pub limits: Limits,
    /// How notices are delivered and kept.
    pub notices: NoticeTerms,
    /// For URLs that documents and the API name.
    pub urls: Arc<Terms>,
    /// By name.
    pub endpoints: HashMap<String, Arc<Endpoint>>,
    /// Whom programs written for the public platform take the switch for.
    pub account: Option<Account>,
}

/// The one account of the switch, in the public form: programs sign in to the REST API with it,
/// requests to them name it and are signed with its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `AC` and 32 hexadecimal digits.
    pub sid: String,
    /// Password of the API and key of signatures.
    pub token: SigningSecret,
}

/// What holds for all requests together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way at a time, 1 or more; one more fails at once. Default 200.
    pub requests: usize,
    /// Octets of replies kept by the rules of RFC 9111; 0 keeps none. Default 4 MiB.
    pub cache: usize,
}

/// How notices are delivered and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeTerms {
    /// Deliveries that are tried before a notice is a dead letter, 1 or more. Default 5.
    pub tries: u32,
    /// Pause after the first failure; each later one is four times as long, ten minutes at most.
    /// Default 2 s.
    pub pause: Duration,
    /// Notices that wait; one more is a dead letter at once. Default 10,000.
    pub waiting: usize,
    /// Dead letters kept; the oldest go. Default 10,000.
    pub keep: usize,
    /// How long a dead letter is kept. Default seven days.
    pub keep_for: Duration,
}

/// A web application with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub target: Target,
    /// How it is asked unless the question says otherwise. Default POST.
    pub method: Method,
    /// How it is spoken to.
    pub terms: Arc<Terms>,
}

/// How an endpoint is spoken to. The defaults are those of an URL in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest that a question may take, retries and redirects included. Default 15 s.
    pub budget: Duration,
    /// How long a connection may take to be made, name and TLS included. Default 5 s.
    pub connect: Duration,
    /// How long the endpoint may be silent. Default 15 s.
    pub read: Duration,
    /// How often a request is tried again, 0 to 5. Default 1.
    pub retries: u32,
    /// After what. Default: no connection.
    pub retry_on: RetryOn,
    /// How requests are signed; never without a secret.
    pub signature: SignatureMode,
    /// The key of signatures.
    pub secret: Option<SigningSecret>,
    /// Whom TLS believes, and what it shows.
    pub tls: Arc<TlsClient>,
    /// The name TLS asks for and verifies, instead of the URL's host.
    pub server_name: Option<String>,
    /// Which addresses may be reached.
    pub addresses: AddressRule,
    /// When it is left alone.
    pub breaker: BreakerTerms,
    /// Requests under way at a time; one more fails at once. Default 50.
    pub requests: usize,
    /// Octets of the longest reply. Default 1 MiB.
    pub reply_limit: usize,
}

/// How a question is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// What is said is in the URL.
    Get,
    /// What is said is in the body.
    #[default]
    Post,
}

impl Method {
    /// The words of the configuration.
    pub const WORDS: [(&str, Self); 2] = [("GET", Self::Get), ("POST", Self::Post)];
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 200,
            cache: 4 << 20,
        }
    }
}

impl Default for NoticeTerms {
    fn default() -> Self {
        Self {
            tries: 5,
            pause: Duration::from_secs(2),
            waiting: 10_000,
            keep: 10_000,
            keep_for: Duration::from_secs(7 * 86_400),
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(15),
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            retries: 1,
            retry_on: RetryOn::CONNECT,
            signature: SignatureMode::Twilio,
            secret: None,
            tls: Arc::default(),
            server_name: None,
            addresses: AddressRule::default(),
            breaker: BreakerTerms::default(),
            requests: 50,
            reply_limit: 1 << 20,
        }
    }
}
