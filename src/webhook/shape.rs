//! What is said to an endpoint about a call, and what its reply may change.
//!
//! Two shapes of the question: our own, and the contact data that functions written for Amazon
//! Connect take. The reply is a JSON object.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::{CallId, Timestamp};

/// Which shape a question has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Amazon Connect's input of a function.
    ContactData,
    /// Ours.
    #[default]
    Own,
}

impl Shape {
    /// The words of a flow.
    pub const WORDS: [(&str, Self); 2] = [("contact_data", Self::ContactData), ("own", Self::Own)];
}

/// What is known of the call that asks.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The call.
    pub call: CallId,
    /// When it is asked.
    pub at: Timestamp,
    /// Caller's number; empty when withheld.
    pub from: String,
    /// Caller's name, when he shows one.
    pub from_name: Option<String>,
    /// Dialled number.
    pub to: String,
    /// Whether it came in, and not from a phone of ours.
    pub inbound: bool,
    /// Trunk it came in by.
    pub trunk: Option<String>,
    /// Flow that asks.
    pub flow: String,
    /// Queue the caller stands in, else the last he stood in.
    pub queue: Option<String>,
    /// Language the caller is spoken to in, such as `ja`.
    pub language: Option<String>,
    /// All attributes of the call.
    pub attributes: Map<String, Value>,
    /// What the step says.
    pub parameters: Map<String, Value>,
}

/// How much a reply may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Octets. Default 32 KiB.
    pub octets: usize,
    /// Objects and lists within each other. Default 16.
    pub depth: usize,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self {
            octets: 32 << 10,
            depth: 16,
        }
    }
}

/// Why a reply cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// More levels than the limit.
    #[error("the reply has more than {0} levels")]
    Deep(usize),
    /// More octets than the limit.
    #[error("the reply has {found} octets; {limit} are the most")]
    Long {
        /// How many.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// Not JSON.
    #[error("the reply is no JSON: line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but no object.
    #[error("the reply is {0}; a JSON object was expected")]
    NotObject(&'static str),
}

impl About {
    /// The question's body.
    pub fn to_json(&self, shape: Shape) -> Value {
        match shape {
            Shape::Own => self.own(),
            Shape::ContactData => self.contact_data(),
        }
    }

    fn own(&self) -> Value {
        json!({
            "call": self.call,
            "at": self.at.to_rfc3339(),
            "from": self.from,
            "from_name": self.from_name,
            "to": self.to,
            "direction": if self.inbound { "inbound" } else { "internal" },
            "trunk": self.trunk,
            "flow": self.flow,
            "queue": self.queue,
            "language": self.language,
            "attributes": self.attributes,
            "parameters": self.parameters,
        })
    }

    /// Connect's attributes and parameters are texts.
    fn contact_data(&self) -> Value {
        let endpoint = |number: &str| match number {
            "" => Value::Null,
            number => json!({"Address": number, "Type": "TELEPHONE_NUMBER"}),
        };
        let queue = self
            .queue
            .as_ref()
            .map(|name| json!({"ARN": name, "Name": name}));
        json!({
            "Details": {
                "ContactData": {
                    "Attributes": texts(&self.attributes),
                    "Channel": "VOICE",
                    "ContactId": self.call,
                    "CustomerEndpoint": endpoint(&self.from),
                    "CustomerId": null,
                    "Description": null,
                    "InitialContactId": self.call,
                    "InitiationMethod": if self.inbound { "INBOUND" } else { "API" },
                    "InstanceARN": "",
                    "LanguageCode": self.language,
                    "MediaStreams": {"Customer": {"Audio": null}},
                    "Name": null,
                    "PreviousContactId": self.call,
                    "Queue": queue,
                    "References": {},
                    "SystemEndpoint": endpoint(&self.to),
                },
                "Parameters": texts(&self.parameters),
            },
            "Name": "ContactFlowEvent",
        })
    }
}

fn texts(values: &Map<String, Value>) -> Map<String, Value> {
    let pairs = values.iter().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), Value::String(text))
    });
    pairs.collect()
}

/// Reads a reply: an object within the limits. Nothing at all is an empty one.
///
/// # Errors
///
/// What is wrong with it.
pub fn read_reply(body: &[u8], limits: ReplyLimits) -> Result<Map<String, Value>, ReplyError> {
    if body.len() > limits.octets {
        return Err(ReplyError::Long {
            found: body.len(),
            limit: limits.octets,
        });
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let value = serde_json::from_slice(body).map_err(|error| ReplyError::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    if depth(&value) > limits.depth {
        return Err(ReplyError::Deep(limits.depth));
    }
    match value {
        Value::Object(object) => Ok(object),
        Value::Array(_) => Err(ReplyError::NotObject("a list")),
        Value::Bool(_) => Err(ReplyError::NotObject("true or false")),
        Value::Null => Err(ReplyError::NotObject("null")),
        Value::Number(_) => Err(ReplyError::NotObject("a number")),
        Value::String(_) => Err(ReplyError::NotObject("a text")),
    }
}

/// Levels of a value, 0 for a plain one. `serde_json` has none deeper than 128.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    fn about() -> About {
        About {
            call: CallId::new("jp1-tokyo1-0-a-1"),
            at: Timestamp::from_millis(1_795_136_523_456),
            from: "+819012345678".into(),
            from_name: None,
            to: "+81312345678".into(),
            inbound: true,
            trunk: Some("demo".into()),
            flow: "main".into(),
            queue: None,
            language: Some("ja".into()),
            attributes: object(json!({"vip": true, "shop": {"id": 7}, "note": "a"})),
            parameters: object(json!({"ticket": "4711", "n": 3})),
        }
    }

    #[test]
    fn our_own_shape_says_all_as_it_is() {
        let said = about().to_json(Shape::Own);
        assert_eq!(said["call"], "jp1-tokyo1-0-a-1");
        assert_eq!(said["at"], "2026-11-20T01:02:03.456Z");
        assert_eq!(said["attributes"]["shop"]["id"], 7);
        assert_eq!(said["parameters"]["ticket"], "4711");
        assert_eq!(said["queue"], Value::Null);
    }

    #[test]
    fn contact_data_is_what_a_function_for_connect_takes() {
        let said = about().to_json(Shape::ContactData);
        assert_eq!(said["Name"], "ContactFlowEvent");
        let data = &said["Details"]["ContactData"];
        assert_eq!(data["Channel"], "VOICE");
        assert_eq!(data["CustomerEndpoint"]["Address"], "+819012345678");
        assert_eq!(data["CustomerEndpoint"]["Type"], "TELEPHONE_NUMBER");
        assert_eq!(data["SystemEndpoint"]["Address"], "+81312345678");
        assert_eq!(data["InitiationMethod"], "INBOUND");
        assert_eq!(data["Queue"], Value::Null);
        assert_eq!(data["Attributes"]["vip"], "true");
        assert_eq!(data["Attributes"]["shop"], "{\"id\":7}");
        assert_eq!(
            said["Details"]["Parameters"],
            json!({"ticket": "4711", "n": "3"})
        );
    }

    #[test]
    fn what_cannot_be_merged_is_told() {
        let limits = ReplyLimits {
            octets: 60,
            depth: 3,
        };
        for (body, words) in [
            ("[1]", "the reply is a list; a JSON object was expected"),
            ("\"x\"", "the reply is a text; a JSON object was expected"),
            ("{\"a\":\n oops}", "the reply is no JSON: line 2, column 2"),
            ("{\"a\":{\"b\":[[1]]}}", "the reply has more than 3 levels"),
        ] {
            let error = read_reply(body.as_bytes(), limits).unwrap_err();
            assert_eq!(error.to_string(), words);
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(60));
        let error = read_reply(long.as_bytes(), limits).unwrap_err().to_string();
        assert_eq!(error, "the reply has 68 octets; 60 are the most");
        assert_eq!(read_reply(b" \n", limits), Ok(Map::new()));
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let large = ReplyLimits {
            octets: 1 << 20,
            depth: 200,
        };
        assert!(matches!(
            read_reply(deep.as_bytes(), large),
            Err(ReplyError::NotJson { .. })
        ));
    }
}
