//! Pages of a list, as the SDKs turn them: newest first, the next page's address in the answer.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::calls::WRITTEN_BY;
use super::fault::Fault;
use super::parameters::{Parameters, Span, wrong};
use crate::base::Timestamp;
use crate::events::CallRecord;
use crate::events::record::Filter;
use crate::http::answer;
use crate::http::api::{Sources, list};
use crate::http::query::Query;

/// Which page is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    size: usize,
    number: u64,
    after: Option<Cursor>,
}

/// Behind which entry a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    /// When the call began, of which the last entry was.
    started: Timestamp,
    /// Which of its entries: so many were shown.
    shown: usize,
    /// Call.
    call: String,
}

/// Entries of one page.
#[derive(Debug)]
pub(super) struct Page {
    entries: Vec<Value>,
    next: Option<Cursor>,
}

impl Wanted {
    /// Reads `PageSize`, `Page` and `PageToken`.
    pub(super) fn read(said: &Parameters) -> Result<Self, Fault> {
        let size = match said.get("PageSize").map(str::parse) {
            None => USUAL,
            Some(Ok(size)) if size >= 1 => std::cmp::min(size, MOST),
            Some(_) => return Err(wrong("PageSize", "a number from 1 to 1000")),
        };
        let number = said.get("Page").and_then(|page| page.parse().ok());
        let after = match said.get("PageToken") {
            None => None,
            Some(token) => {
                Some(Cursor::read(token).ok_or_else(|| wrong("PageToken", "of the page before"))?)
            }
        };
        Ok(Self {
            size,
            number: number.unwrap_or(0),
            after,
        })
    }
}

impl Cursor {
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.strip_prefix("PT")?.splitn(3, '.');
        let micros = parts.next()?.parse().ok()?;
        Some(Self {
            started: Timestamp::from_micros(micros),
            shown: parts.next()?.parse().ok()?,
            call: parts.next()?.to_owned(),
        })
    }

    fn write(&self) -> String {
        format!(
            "PT{}.{}.{}",
            self.started.as_micros(),
            self.shown,
            self.call
        )
    }

    /// How many entries of a record were shown; `None` when it comes before the cursor.
    fn shown_of(&self, record: &CallRecord) -> Option<usize> {
        let (own, other) = (
            (self.started, self.call.as_str()),
            (record.started, record.id.as_str()),
        );
        match other.cmp(&own) {
            std::cmp::Ordering::Greater => None,
            std::cmp::Ordering::Equal => Some(self.shown),
            std::cmp::Ordering::Less => Some(0),
        }
    }
}

impl Page {
    /// A page of what records hold, newest first, living ones included. `entries` picks those of
    /// one record, always in the same order. One page looks at a few thousand records; when few of
    /// them have what is wanted it is short, and names the next all the same.
    pub(super) fn of_records(
        sources: &Sources,
        wanted: &Wanted,
        span: Span,
        finished: bool,
        entries: impl Fn(&CallRecord) -> Vec<Value>,
    ) -> Result<Self, Fault> {
        let mut page = Self {
            entries: Vec::new(),
            next: None,
        };
        sources.archive.catch_up(WRITTEN_BY);
        let mut cursor = wanted.after.clone();
        let mut batch = wanted.size.max(SMALLEST_BATCH);
        let mut looked_at = 0;
        loop {
            let before = cursor
                .as_ref()
                .map(|it| Timestamp::from_micros(it.started.as_micros() + 1));
            let query = Query {
                filter: Filter {
                    limit: batch,
                    since: span.since,
                    before: [before, span.before].into_iter().flatten().min(),
                    ..Filter::default()
                },
                live: true,
                finished,
            };
            let records = list(sources, &query)?;
            let is_last = records.len() < batch;
            looked_at += records.len();
            let mut has_moved = false;
            for record in &records {
                let shown = match &cursor {
                    Some(cursor) => match cursor.shown_of(record) {
                        Some(shown) => shown,
                        None => continue,
                    },
                    None => 0,
                };
                let all = entries(record);
                for (place, entry) in all.iter().enumerate().skip(shown) {
                    if page.entries.len() == wanted.size {
                        page.next = Some(Cursor {
                            started: record.started,
                            shown: place,
                            call: record.id.as_str().to_owned(),
                        });
                        return Ok(page);
                    }
                    page.entries.push(entry.clone());
                }
                let seen = Cursor {
                    started: record.started,
                    shown: all.len(),
                    call: record.id.as_str().to_owned(),
                };
                has_moved |= cursor.as_ref() != Some(&seen);
                cursor = Some(seen);
            }
            if is_last {
                return Ok(page);
            }
            if looked_at >= MOST_LOOKED_AT {
                page.next = cursor;
                return Ok(page);
            }
            if !has_moved {
                // More calls began in one instant than fit.
                batch *= 2;
            }
        }
    }

    /// A page of things of which there are few; the cursor counts them.
    pub(super) fn of_few(all: Vec<Value>, wanted: &Wanted) -> Self {
        let shown = wanted.after.as_ref().map_or(0, |cursor| cursor.shown);
        let total = all.len();
        let entries: Vec<Value> = all.into_iter().skip(shown).take(wanted.size).collect();
        let shown = shown + entries.len();
        let next = (shown < total).then(|| Cursor {
            started: Timestamp::ZERO,
            shown,
            call: String::new(),
        });
        Self { entries, next }
    }

    /// The answer: the list under `key`, and where its neighbours are. `path` is that of the list.
    pub(super) fn answer(
        self,
        key: &str,
        path: &str,
        wanted: &Wanted,
        said: &Parameters,
    ) -> Response {
        let address = |number: u64, token: Option<String>| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in said.iter() {
                if !matches!(name.as_str(), "Page" | "PageSize" | "PageToken") {
                    query.append_pair(name, value);
                }
            }
            query.append_pair("PageSize", &wanted.size.to_string());
            query.append_pair("Page", &number.to_string());
            if let Some(token) = token {
                query.append_pair("PageToken", &token);
            }
            format!("{path}?{}", query.finish())
        };
        let number = wanted.number;
        let start = number.saturating_mul(wanted.size as u64);
        let count = self.entries.len() as u64;
        let own = wanted.after.as_ref().map(Cursor::write);
        let next = self
            .next
            .map(|next| address(number + 1, Some(next.write())));
        let mut body = Map::new();
        body.insert(key.to_owned(), self.entries.into());
        let meta = [
            ("first_page_uri", json!(address(0, None))),
            ("next_page_uri", json!(next)),
            ("previous_page_uri", Value::Null),
            ("page", json!(number)),
            ("page_size", json!(wanted.size)),
            ("start", json!(start)),
            ("end", json!(start + count.saturating_sub(1))),
            ("uri", json!(address(number, own))),
        ];
        body.extend(meta.map(|(name, value)| (name.to_owned(), value)));
        answer::answer(StatusCode::OK, &Value::Object(body))
    }
}

/// Entries of a page when nothing is said.
const USUAL: usize = 50;
/// Most entries of a page.
const MOST: usize = 1000;
/// Records looked at for one page: a tenth of a second of the archive's time.
const MOST_LOOKED_AT: usize = 5_000;
/// Records read at a time, at least.
const SMALLEST_BATCH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let cursor = Cursor {
            started: Timestamp::from_millis(1_795_136_523_456),
            shown: 2,
            call: "jp1-tokyo1-0-a.b-3".to_owned(),
        };
        assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        for bad in ["", "PT", "PT1", "PT1.2", "XX1.2.c", "PTa.1.c"] {
            assert_eq!(Cursor::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_few_are_counted() {
        let all = |count: u32| (0..count).map(Value::from).collect::<Vec<_>>();
        let said = Parameters::read(b"PageSize=2");
        let mut wanted = Wanted::read(&said).unwrap();
        let mut seen = Vec::new();
        loop {
            let page = Page::of_few(all(5), &wanted);
            seen.extend(page.entries);
            match page.next {
                Some(next) => wanted.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all(5));
    }
}
