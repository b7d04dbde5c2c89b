//! Instants in records: RFC 3339 in UTC with milliseconds.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::base::Timestamp;

pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    parse(&String::deserialize(from)?)
}

fn parse<E: Error>(text: &str) -> Result<Timestamp, E> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| E::custom(format!("not an RFC 3339 instant: {text:?}")))
}

/// The same for instants that may be missing (`null`).
pub(super) mod option {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(from)? {
            Some(text) => parse(&text).map(Some),
            None => Ok(None),
        }
    }
}
