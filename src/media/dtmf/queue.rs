//! Digits that wait to be sent, in a ring that never grows.

use super::event;

/// Digits that may wait to be sent.
pub const QUEUE_DIGITS: usize = 64;

/// Digits in order, each with the time it is to be held.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// Event code and milliseconds.
    digits: [(u8, u16); QUEUE_DIGITS],
    first: u8,
    waiting: u8,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            digits: [(0, 0); QUEUE_DIGITS],
            first: 0,
            waiting: 0,
        }
    }

    /// Appends a digit; `false` when it is none or the queue is full.
    pub(super) fn push(&mut self, digit: char, ms: u32) -> bool {
        let Some(event) = event(digit) else {
            return false;
        };
        if usize::from(self.waiting) == QUEUE_DIGITS {
            return false;
        }
        let place = usize::from(self.first) + usize::from(self.waiting);
        let ms = u16::try_from(ms).unwrap_or(u16::MAX);
        self.digits[place % QUEUE_DIGITS] = (event, ms);
        self.waiting += 1;
        true
    }

    /// The next digit: its event code, and how many milliseconds it is to be held.
    pub(super) fn pop(&mut self) -> Option<(u8, u32)> {
        self.waiting = self.waiting.checked_sub(1)?;
        let (event, ms) = self.digits[usize::from(self.first)];
        self.first = (self.first + 1) % QUEUE_DIGITS as u8;
        Some((event, u32::from(ms)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }
}
