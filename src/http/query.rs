//! The query of `/v1/calls`: which calls are wanted.

use crate::base::Timestamp;
use crate::events::Direction;
use crate::events::record::Filter;

/// Which calls, and whether live or finished.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) filter: Filter,
    pub(super) live: bool,
    pub(super) finished: bool,
}

impl Query {
    /// Reads name-value pairs; an unknown name or a bad value is an error in words.
    pub(super) fn parse(pairs: &[(String, String)]) -> Result<Self, String> {
        let mut query = Self {
            filter: Filter::default(),
            live: true,
            finished: true,
        };
        for (name, value) in pairs {
            let filter = &mut query.filter;
            match name.as_str() {
                "limit" => filter.limit = limit(value)?,
                "from" => filter.from = Some(number(value)),
                "to" => filter.to = Some(number(value)),
                "agent" => filter.agent = Some(value.clone()),
                "queue" => filter.queue = Some(value.clone()),
                "direction" => filter.direction = Some(direction(value)?),
                "since" => filter.since = Some(instant(name, value)?),
                "before" => filter.before = Some(instant(name, value)?),
                "state" => {
                    query.live = value != "finished";
                    query.finished = value != "live";
                    if query.live && query.finished && value != "all" {
                        return Err("state is live, finished or all".to_owned());
                    }
                }
                _ => return Err(format!("unknown parameter {name:?}; known are {KNOWN}")),
            }
        }
        Ok(query)
    }
}

/// A `+` typed into a query arrives as a space.
fn number(value: &str) -> String {
    match value.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => value.to_owned(),
    }
}

fn limit(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(limit @ 1..=MOST) => Ok(limit),
        _ => Err(format!("limit is a number from 1 to {MOST}")),
    }
}

fn direction(value: &str) -> Result<Direction, String> {
    match value {
        "inbound" => Ok(Direction::Inbound),
        "internal" => Ok(Direction::Internal),
        "outbound" => Ok(Direction::Outbound),
        _ => Err("direction is inbound, internal or outbound".to_owned()),
    }
}

fn instant(name: &str, value: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(value).ok_or_else(|| {
        format!("{name} is an RFC 3339 instant such as 2026-11-20T01:02:03.456Z, not {value:?}")
    })
}

/// Most calls in one answer: about 4 MB.
const MOST: usize = 1000;

const KNOWN: &str = "limit, from, to, agent, queue, direction, since, before, state";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Query, String> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect();
        Query::parse(&pairs)
    }

    #[test]
    fn reads_every_parameter() {
        let query = parse(&[
            ("limit", "7"),
            ("from", " 8190"),
            ("agent", "花子"),
            ("since", "2026-11-20T01:02:03Z"),
            ("state", "finished"),
        ])
        .unwrap();
        assert_eq!(query.filter.limit, 7);
        assert_eq!(query.filter.from.as_deref(), Some("+8190"));
        assert_eq!(query.filter.agent.as_deref(), Some("花子"));
        assert!(query.filter.since.is_some() && query.finished && !query.live);
    }

    #[test]
    fn says_what_it_would_have_understood() {
        for (pair, words) in [
            (("limit", "0"), "from 1 to 1000"),
            (("direction", "up"), "inbound, internal or outbound"),
            (("since", "yesterday"), "RFC 3339"),
            (("state", "ended"), "live, finished or all"),
            (("agents", "x"), "known are limit"),
        ] {
            let error = parse(&[pair]).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
