//! What is agreed on reports: RTCP on the RTP port (RFC 5761) and extended reports (RFC 3611 §5).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What our offers ask for. Answers take either whenever it is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTerms {
    /// RTP and RTCP on one port.
    pub mux: bool,
    /// Extended reports: round trip and VoIP metrics.
    pub extended: bool,
}

/// Extended reports that a side asks for (`a=rtcp-xr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedReports {
    /// Receiver reference times and their answers (`rcvr-rtt`).
    pub round_trip: bool,
    /// VoIP metrics blocks (`voip-metrics`).
    pub voip_metrics: bool,
}

impl ExtendedReports {
    /// All that we can send.
    pub const ALL: Self = Self {
        round_trip: true,
        voip_metrics: true,
    };

    /// Reads the words of the attribute; blocks we do not know are skipped.
    pub(super) fn parse(text: &str) -> Self {
        let mut asked = Self::default();
        for word in text.split_ascii_whitespace() {
            let (name, _) = word.split_once(['=', ':']).unwrap_or((word, ""));
            asked.round_trip |= name.eq_ignore_ascii_case("rcvr-rtt");
            asked.voip_metrics |= name.eq_ignore_ascii_case("voip-metrics");
        }
        asked
    }

    /// Whether nothing is asked for: no attribute is written.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for ExtendedReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.round_trip, self.voip_metrics) {
            (true, true) => f.write_str("rcvr-rtt=all voip-metrics"),
            (true, false) => f.write_str("rcvr-rtt=all"),
            (false, true) => f.write_str("voip-metrics"),
            (false, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn local(reports: ReportTerms) -> LocalMedia {
        LocalMedia {
            address: "198.51.100.5:40000".parse().unwrap(),
            rtcp: None,
            codecs: vec![AudioCodec::Pcmu],
            ptime_ms: 20,
            telephone_event: None,
            dtmf_redundancy: false,
            comfort_noise: false,
            order: CodecOrder::Theirs,
            direction: Direction::SendRecv,
            reports,
            crypto: LocalCrypto::default(),
            session_id: 7,
            session_version: 1,
        }
    }

    #[test]
    fn what_is_offered_is_answered_and_what_is_not_is_not() {
        for (mux, extended) in [(true, true), (false, true), (true, false), (false, false)] {
            let caller = local(ReportTerms { mux, extended });
            let written = offer(&caller).to_bytes();
            let text = String::from_utf8(written.clone()).unwrap();
            assert_eq!(text.contains("a=rtcp-mux"), mux);
            assert_eq!(
                text.contains("a=rtcp-xr:rcvr-rtt=all voip-metrics"),
                extended
            );
            let offered = Description::parse(&written).unwrap();
            let (answered, theirs) =
                answer(&local(ReportTerms::default()), &offered, None).unwrap();
            let answered = Description::parse(&answered.to_bytes()).unwrap();
            let ours = accept_answer(&caller, &answered).unwrap();
            for agreed in [&ours, &theirs] {
                assert_eq!(agreed.rtcp_mux, mux);
                assert_eq!(!agreed.extended_reports.is_empty(), extended);
            }
        }
    }

    #[test]
    fn words_we_do_not_know_are_skipped() {
        let read = ExtendedReports::parse("pkt-loss-rle=50 RCVR-RTT=sender:10 stat-summary=loss");
        assert_eq!(read.to_string(), "rcvr-rtt=all");
        assert!(ExtendedReports::parse("").is_empty());
    }
}
