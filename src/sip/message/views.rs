//! Headers that nearly every room reads, as types: made when first asked for, then shared.
//!
//! A request's From and To were read five times, its Via three times: a sixth of all instructions
//! of a call.

use std::sync::OnceLock;

use super::ParseError;
use crate::sip::{NameAddr, Uri, Via};

/// What was read once.
#[derive(Default)]
pub(super) struct Views {
    pub(super) from: View<NameAddr>,
    pub(super) request_uri: View<Uri>,
    pub(super) to: View<NameAddr>,
    pub(super) top_via: View<Via>,
}

/// One part of a message, read or found unreadable.
pub(super) struct View<T>(OnceLock<Result<Box<T>, ParseError>>);

impl<T> Default for View<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> View<T> {
    /// What `read` says, which is asked once.
    pub(super) fn read(
        &self,
        read: impl FnOnce() -> Result<T, ParseError>,
    ) -> Result<&T, ParseError> {
        let kept = self.0.get_or_init(|| read().map(Box::new));
        kept.as_deref().map_err(Clone::clone)
    }
}
