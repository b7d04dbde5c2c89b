//! Where a leg's documents come from, and what holds for all of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::link::Link;
use super::verb::StatusCallback;

/// Where a leg's first document comes from, and what holds for all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The first document.
    pub source: Source,
    /// What is asked when a document cannot be had or is none; absolute.
    pub fallback: Option<Link>,
    /// Who is told how the call goes; absolute.
    pub status: Option<StatusCallback>,
    /// How long the call may last from its answer, or unanswered; [`Terms::LONGEST`] when nothing is said.
    pub time_limit: Duration,
    /// Numbers of ours, and others that were verified: what `callerId` may name.
    pub caller_ids: Vec<String>,
    /// Where the REST API is: `https://host`.
    pub api: String,
}

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// It was handed over.
    Document(Box<Document>),
    /// It is fetched from here; absolute.
    Url(Link),
}

impl Terms {
    /// Longest call when nothing is said: four hours, as on the public platform.
    pub const LONGEST: Duration = Duration::from_secs(14_400);

    /// A document at a URL, and all else as when nothing is said.
    pub fn of_url(link: Link) -> Self {
        Self {
            source: Source::Url(link),
            fallback: None,
            status: None,
            time_limit: Self::LONGEST,
            caller_ids: Vec::new(),
            api: String::new(),
        }
    }
}
