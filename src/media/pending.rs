//! Stand-ins until the pure half of the room is merged.

#![allow(missing_docs)]

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{RecordingId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    Pcmu,
    Pcma,
}

#[derive(Clone, Debug)]
pub struct Sound {
    pub name: String,
    pub samples: Arc<[i16]>,
    pub pcmu: Arc<[u8]>,
    pub pcma: Arc<[u8]>,
}

#[derive(Clone, Debug, Default)]
pub struct Library {}

#[derive(Clone, Debug)]
pub struct Closed {
    pub recording: RecordingId,
    pub started: Timestamp,
}
