//! How many branches a call may still fork into (Max-Breadth, RFC 5393 §5.3).
//!
//! Max-Forwards ends a loop; two forks in every round of it make 2^70 calls before. A request that
//! brings a breadth is rung at no more phones at once than it says, and they share it. Whoever says
//! nothing is not limited: a phone's contacts are few, and no trunk of ours expects the header.

use serde::{Deserialize, Serialize};

use crate::sip::{HeaderName, Message};

/// What is left of a request's Max-Breadth; nothing is said when the request said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breadth(Option<u32>);

impl Breadth {
    /// What a request allows.
    pub(crate) fn of(request: &Message) -> Self {
        Self(request.max_breadth())
    }

    /// How many of so many branches may be rung at once, and what each of them is told; 440 when
    /// not even one may.
    pub(crate) fn split(self, branches: usize) -> Result<(usize, Self), u16> {
        let Some(breadth) = self.0 else {
            return Ok((branches, self));
        };
        if breadth == 0 {
            return Err(440);
        }
        let allowed = branches.min(usize::try_from(breadth).unwrap_or(branches));
        let share = breadth / u32::try_from(allowed.max(1)).unwrap_or(breadth);
        Ok((allowed, Self(Some(share))))
    }

    /// The header for one branch.
    pub(crate) fn header(self) -> Option<(HeaderName, String)> {
        self.0
            .map(|breadth| (HeaderName::MaxBreadth, breadth.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_share_what_the_request_brought() {
        let brought = |breadth| Breadth(Some(breadth));
        assert_eq!(brought(60).split(3), Ok((3, brought(20))));
        assert_eq!(brought(2).split(5), Ok((2, brought(1))));
        assert_eq!(brought(7).split(1), Ok((1, brought(7))));
        assert_eq!(brought(0).split(1), Err(440));
        assert_eq!(Breadth(None).split(9), Ok((9, Breadth(None))));
        assert_eq!(brought(5).split(0), Ok((0, brought(5))));
    }
}
