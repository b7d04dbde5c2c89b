//! RTCP: sender and receiver reports, source description, goodbye (RFC 3550 §6), and of the extended
//! reports (RFC 3611) receiver reference time, its answer, and VoIP metrics.
//!
//! Understands what quality figures and liveness need; other packet types are skipped.

mod extended;
mod packet;
mod report;

pub use extended::{Asked, Extended, LastReceiverReport, UNKNOWN, VoipMetrics, append_extended};
pub use packet::{Compound, Error, Item};
pub use report::{
    CNAME_MAX, MAX_REPORT_BYTES, NtpTime, ReportBlock, SenderInfo, write_goodbye, write_report,
};
