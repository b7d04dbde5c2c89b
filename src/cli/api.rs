//! Asks a running switch through its API.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Which switch to ask, and how to show what it says.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Connection {
    /// Where the switch's API listens
    #[arg(long, env = "TSUNAGU_URL", default_value = "http://127.0.0.1:9090")]
    url: String,

    /// Print the answer as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The switch refused; its answer says more.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(super) struct Refused {
    words: String,
    pub(super) body: Value,
}

impl Connection {
    /// To the switch whose API is at `url`.
    pub(super) fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            json: false,
        }
    }

    /// The answer to a GET, free of control characters.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = self.address(path);
        let reply = agent(Duration::from_secs(10)).get(&url).call();
        self.read(reply)
    }

    /// The answer to a POST without a body; `patience` is how long it may take.
    pub(super) fn post(&self, path: &str, patience: Duration) -> anyhow::Result<Value> {
        let reply = agent(patience).post(self.address(path)).send_empty();
        self.read(reply)
    }

    /// The answer to a POST of JSON.
    pub(super) fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let reply = agent(Duration::from_secs(10))
            .post(self.address(path))
            .header("content-type", "application/json")
            .send(body.to_string());
        self.read(reply)
    }

    /// The answer to a DELETE.
    pub(super) fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let reply = agent(Duration::from_secs(10))
            .delete(self.address(path))
            .call();
        self.read(reply)
    }

    /// The octets of a file; `patience` is how long it may take.
    pub(super) fn fetch(&self, path: &str, patience: Duration) -> anyhow::Result<Vec<u8>> {
        let reply = agent(patience).get(&self.address(path)).call();
        let is_file = matches!(&reply, Ok(reply) if reply.status().is_success());
        if !is_file {
            self.read(reply)?;
            bail!("{} sent no file", self.url);
        }
        let mut reply = reply?;
        let body = reply.body_mut().with_config().limit(MOST_BYTES);
        body.read_to_vec().context("the answer broke off")
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    fn read(
        &self,
        reply: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<Value> {
        let mut reply = reply.with_context(|| {
            format!(
                "no tsunagu answers at {}; is `tsunagu serve` running? (elsewhere: --url)",
                self.url
            )
        })?;
        let text = reply
            .body_mut()
            .with_config()
            .limit(MOST_BYTES)
            .read_to_string()
            .context("the answer broke off")?;
        let body: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a tsunagu API", self.url))?;
        if reply.status().is_success() {
            return Ok(clean(body));
        }
        match body["error"].as_str().map(str::to_owned) {
            Some(words) => Err(Refused {
                words,
                body: clean(body),
            }
            .into()),
            None => bail!("{} answered {}", self.url, reply.status()),
        }
    }
}

/// Reads an answer into what it should be.
pub(super) fn parse<T: DeserializeOwned>(body: Value) -> anyhow::Result<T> {
    serde_json::from_value(body)
        .context("the switch speaks another version of the API than this command")
}

/// A path segment or query value, percent-encoded.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn agent(patience: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(patience))
        .proxy(None)
        .build()
        .into()
}

/// Names and reasons come from the network; none of them may steer the terminal.
fn clean(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(clean).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(fields.map(|(name, value)| (name, clean(value))).collect())
        }
        Value::String(text) if text.chars().any(char::is_control) => Value::String(
            text.chars()
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect(),
        ),
        other => other,
    }
}

/// More than a thousand calls need.
const MOST_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_from_the_network_steers_the_terminal() {
        let dirty = json!({"calls": [{"from": "\u{1b}[2Jevil\r\n"}], "n": 1});
        let clean = clean(dirty);
        assert_eq!(clean["calls"][0]["from"], "\u{fffd}[2Jevil\u{fffd}\u{fffd}");
    }

    #[test]
    fn arguments_of_every_command_are_well_formed() {
        fn check<A: clap::Args>() {
            A::augment_args(clap::Command::new("x")).debug_assert();
        }
        check::<crate::cli::agents::Args>();
        check::<crate::cli::bans::Args>();
        check::<crate::cli::call::Args>();
        check::<crate::cli::calls::Args>();
        check::<crate::cli::hours::Args>();
        check::<crate::cli::journal::Args>();
        check::<crate::cli::queues::Args>();
        check::<crate::cli::reload::Args>();
        check::<crate::cli::replay::Args>();
        check::<crate::cli::trunk::Args>();
        check::<crate::cli::trunks::Args>();
        check::<crate::cli::webhooks::Args>();
        check::<crate::cli::who::Args>();
        check::<crate::cli::why::Args>();
    }

    #[test]
    fn encodes_what_a_url_cannot_hold() {
        assert_eq!(encode("花 a/b+1"), "%E8%8A%B1%20a%2Fb%2B1");
    }

    #[test]
    fn says_who_does_not_answer() {
        let nobody = Connection {
            url: "http://127.0.0.1:1/".into(),
            json: false,
        };
        let error = nobody.get("/v1/calls").unwrap_err().to_string();
        assert!(error.contains("is `tsunagu serve` running?"), "{error}");
    }
}
