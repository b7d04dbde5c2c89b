//! RTCP: sender and receiver reports, source description, goodbye (RFC 3550 §6).
//!
//! Understands what quality figures and liveness need; other packet types are skipped.

mod packet;
mod report;

pub use packet::{Compound, Error, Item};
pub use report::{
    CNAME_MAX, MAX_REPORT_BYTES, NtpTime, ReportBlock, SenderInfo, write_goodbye, write_report,
};
