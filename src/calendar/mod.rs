//! Calendars: open or closed, why, and until when.
//!
//! A [`Calendar`] is a pile of rules over weekly hours, on the wall clock of one time zone. Every day
//! is decided whole by the highest rule that is about it; the order is [`Layer`]'s. The clock on the
//! wall is what counts: an hour that comes twice at the end of summer time is twice inside or outside,
//! one that is left out is never. Hours past midnight belong to the day they begin on.
//!
//! Nothing here waits or reads a clock: the instant is an argument, and so are the [`Closings`],
//! what people ordered by hand.

mod change;
mod closing;
mod document;
mod holidays;
mod hours;
mod icalendar;
mod japan;
mod recurrence;
mod rrule;
mod rule;
#[cfg(test)]
mod tests;
mod verdict;

pub use closing::{Closing, ClosingBoard, ClosingError, ClosingNumber, Closings, EVERYWHERE};
pub use document::{Calendar, Day};
pub use holidays::{Holiday, Holidays, Span};
pub use hours::{Hours, HoursError, Interval};
pub use icalendar::{Entry as EventEntry, Fault as EventFault, read as read_icalendar};
pub use japan::japan;
pub use recurrence::{Frequency, NthWeekday, Recurrence, RecurrenceError, RecurrenceSpec};
pub use rrule::{RruleError, parse as parse_rrule};
pub use rule::{Effect, Relative, Rule, Week, When};
pub use verdict::{Layer, Name, Reason, Spot, Verdict};
