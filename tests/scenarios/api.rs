//! The switch's HTTP window, as a user sees it.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

/// One switch's API.
#[derive(Clone)]
pub(crate) struct Api {
    agent: ureq::Agent,
    /// `http://address:port`.
    pub(crate) base: String,
}

impl Api {
    /// The API at `address`.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            agent,
            base: format!("http://{address}"),
        }
    }

    /// Status and text of a GET; `None` when nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut response = self.agent.get(format!("{}{path}", self.base)).call().ok()?;
        let text = response.body_mut().read_to_string().unwrap_or_default();
        Some((response.status().as_u16(), text))
    }

    /// The JSON of a GET that must succeed.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, text) = self
            .get(path)
            .unwrap_or_else(|| panic!("no answer: {path}"));
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Status and text of a POST with a body.
    #[track_caller]
    pub(crate) fn tell(&self, path: &str, body: &Value) -> (u16, String) {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.base))
            .send_json(body)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = response.body_mut().read_to_string().unwrap_or_default();
        (response.status().as_u16(), text)
    }

    /// Status and text of a PATCH.
    #[track_caller]
    pub(crate) fn change(&self, path: &str, body: &Value) -> (u16, String) {
        let mut response = self
            .agent
            .patch(format!("{}{path}", self.base))
            .send_json(body)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = response.body_mut().read_to_string().unwrap_or_default();
        (response.status().as_u16(), text)
    }

    /// Status and text of an empty POST.
    #[track_caller]
    pub(crate) fn post(&self, path: &str) -> (u16, String) {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.base))
            .send_empty()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = response.body_mut().read_to_string().unwrap_or_default();
        (response.status().as_u16(), text)
    }

    /// Whether calls are accepted.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/health/ready")
            .is_some_and(|(status, _)| status == 200)
    }

    /// All records the switch will show, newest first, live ones among them.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<Value> {
        let mut records = list(self.json("/v1/calls?limit=1000"), "calls");
        let mut known: HashSet<String> = records.iter().map(|it| it["id"].to_string()).collect();
        let mut page = records.len();
        while page == 1000 {
            let oldest = records.last().and_then(|record| record["started"].as_str());
            let oldest: jiff::Timestamp = oldest.expect("a full page").parse().expect("a time");
            // Others may have come in its millisecond: they come again, and what is known is skipped.
            let next = oldest + jiff::SignedDuration::from_millis(1);
            let more = list(
                self.json(&format!("/v1/calls?limit=1000&before={next:.3}")),
                "calls",
            );
            page = more.len();
            let new = more.into_iter();
            records.extend(new.filter(|record| known.insert(record["id"].to_string())));
        }
        records
    }

    /// Records of calls that go on.
    #[track_caller]
    pub(crate) fn live_calls(&self) -> Vec<Value> {
        list(self.json("/v1/calls?state=live&limit=1000"), "calls")
    }

    /// One call's record.
    #[track_caller]
    pub(crate) fn call(&self, id: &str) -> Value {
        self.json(&format!("/v1/calls/{id}"))
    }

    /// Queues as they are now.
    #[track_caller]
    pub(crate) fn queues(&self) -> Vec<Value> {
        list(self.json("/v1/queues"), "queues")
    }

    /// Agents as they are now.
    #[track_caller]
    pub(crate) fn agents(&self) -> Vec<Value> {
        list(self.json("/v1/agents"), "agents")
    }

    /// Every sample of /metrics by its full name with labels.
    #[track_caller]
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let (status, text) = self.get("/metrics").expect("an answer of /metrics");
        assert_eq!(status, 200, "{text}");
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect()
    }

    /// Sum of all samples whose name begins with `name`.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let samples = self.metrics();
        let mut found = samples
            .range(name.to_owned()..)
            .take_while(|(key, _)| key.starts_with(name))
            .peekable();
        assert!(
            found.peek().is_some(),
            "no metric {name} among {:?}",
            samples.keys()
        );
        found.map(|(_, value)| value).sum()
    }
}

/// A list that may stand alone or below its name.
#[track_caller]
fn list(value: Value, name: &str) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        Value::Object(mut object) => match object.remove(name) {
            Some(Value::Array(list)) => list,
            other => panic!("no list {name}: {other:?} in {object:?}"),
        },
        other => panic!("no list {name}: {other}"),
    }
}
