//! `http`: asks an endpoint; `lookup`: asks a table. What they say becomes attributes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_error, see_values};
use crate::base::Timestamp;
use crate::flow::Template;
use crate::flow::request::{Reply, Request};
use crate::flow::template::render_map;
use crate::webhook::Shape;

/// A question to an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fetching {
    /// Endpoint of the configuration.
    pub endpoint: String,
    /// What it is sent.
    pub parameters: Map<String, Value>,
    /// In which shape it is told of the call.
    #[serde(default)]
    pub shape: Shape,
    /// Longest it may take.
    pub timeout: Duration,
    /// What becomes of the reply.
    #[serde(flatten)]
    pub merge: Merge,
    /// Step after it.
    pub next: String,
    /// Step when nothing came of it; the document's when left out.
    pub error: Option<String>,
}

/// A look into a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookingUp {
    /// Table of the configuration.
    pub table: String,
    /// Key.
    pub key: Template,
    /// What becomes of the reply.
    #[serde(flatten)]
    pub merge: Merge,
    /// Step after it.
    pub next: String,
    /// Step when the key is not there; `next` when left out.
    pub missing: Option<String>,
    /// Step when nothing came of it; the document's when left out.
    pub error: Option<String>,
}

/// What becomes of a reply. Texts and conditions see it as `reply` in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// Whether its members become attributes of the call.
    pub merge: bool,
    /// Attribute that takes it as a whole.
    pub into: Option<String>,
    /// Attributes it is known to give.
    pub gives: Vec<String>,
}

impl Merge {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        if let Some(into) = &self.into {
            see("into", Part::Whole, Mention::Sets(into));
        }
        for (index, name) in self.gives.iter().enumerate() {
            see("gives", Part::Item(index), Mention::Sets(name));
        }
    }

    fn take(&self, run: &mut Run, reply: Value) {
        let mut attributes = Map::new();
        if self.merge
            && let Value::Object(members) = &reply
        {
            for (name, member) in members {
                let before = run.attributes().get(name);
                attributes.insert(name.clone(), merged(before, member));
            }
        }
        if let Some(into) = &self.into {
            attributes.insert(into.clone(), reply.clone());
        }
        run.take_reply(reply);
        run.set(&attributes);
    }
}

/// What a member of a reply makes of an attribute (RFC 7396): objects merge, all else replaces. Null
/// stays null, which takes the attribute away.
fn merged(before: Option<&Value>, member: &Value) -> Value {
    let Value::Object(members) = member else {
        return member.clone();
    };
    let mut all = before
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (name, member) in members {
        match merged(all.get(name), member) {
            Value::Null => drop(all.shift_remove(name)),
            value => drop(all.insert(name.clone(), value)),
        }
    }
    all.into()
}

/// The way for errors may say why it was taken.
fn take_failure(run: &mut Run, reply: Reply) {
    if let Reply::Failed(why) = reply {
        run.take_reply(serde_json::json!({"error": why}));
    }
}

impl Kind for Fetching {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("endpoint", Part::Whole, Mention::Endpoint(&self.endpoint));
        see_values("parameters", &self.parameters, see);
        self.merge.mentions(see);
        see("next", Part::Whole, Mention::Step(&self.next));
        see_error(self.error.as_deref(), see);
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let request = Request::Http {
            endpoint: self.endpoint.clone(),
            parameters: render_map(&self.parameters, &run.names(now)),
            shape: self.shape,
            budget: self.timeout,
        };
        run.consult(now, at, request, self.timeout)
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Reply(Reply::Data(reply)) => {
                self.merge.take(run, reply);
                Turn::Go(self.next.clone())
            }
            Heard::Reply(other) => {
                take_failure(run, other);
                run.error(self.error.as_deref())
            }
            _ => Turn::Stay,
        }
    }
}

impl Kind for LookingUp {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("table", Part::Whole, Mention::Table(&self.table));
        see("key", Part::Whole, Mention::Text(self.key.text()));
        self.merge.mentions(see);
        see("next", Part::Whole, Mention::Step(&self.next));
        if let Some(missing) = &self.missing {
            see("missing", Part::Whole, Mention::Step(missing));
        }
        see_error(self.error.as_deref(), see);
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let request = Request::Lookup {
            table: self.table.clone(),
            key: run.fill_in(now, &self.key),
        };
        run.consult(now, at, request, super::AT_ONCE)
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Reply(Reply::Data(reply)) => {
                let is_missing = reply.as_object().is_none_or(Map::is_empty);
                self.merge.take(run, reply);
                let missing = self.missing.as_ref().filter(|_| is_missing);
                Turn::Go(missing.unwrap_or(&self.next).clone())
            }
            Heard::Reply(other) => {
                take_failure(run, other);
                run.error(self.error.as_deref())
            }
            _ => Turn::Stay,
        }
    }
}
