//! Dialogs, judged by SIPp: the carrier calls in, a flow dials phone 1006, and each side is a script
//! ([`script`]) of what it sends and what must come.
//!
//! The caller's terms are those of trunk `demo`, the callee's those of `[dialogs]`.

mod crossing;
mod early;
mod forks;
mod reliable;
mod renewed;
mod repeated;
mod script;

use std::net::SocketAddr;

use serde_json::Value;

use script::{Side, written};

use super::address::CARRIER;
use super::office::Office;
use super::record::assert_whole;
use super::sipp::Running;
use super::sound::seconds_of;
use super::story::voice;
use super::tap::Tap;
use super::{quiet, wait};

/// An office whose main number rings phone 1006, with what is special about it.
#[derive(Clone, Copy, Default)]
struct Setting {
    /// Environment of the switch, such as `("SIP_T1", "100ms")`.
    node: &'static [(&'static str, &'static str)],
    /// Further keys of the caller's trunk.
    trunk: &'static str,
    /// How long the phone may ring, when not 30 s.
    rings: Option<&'static str>,
    /// A second device of phone 1006.
    second: bool,
}

/// An office where a scenario is played.
struct Stage {
    office: Office,
    tap: Tap,
    running: Vec<Running>,
    _turn: quiet::Turn,
}

impl Stage {
    fn open(setting: Setting) -> Self {
        let turn = quiet::shared();
        let mut office = Office::prepare();
        let rings = setting.rings.unwrap_or("30s");
        let flow = format!(
            "start = \"dial\"\n[steps.dial]\ndo = \"dial\"\nnumber = \"1006\"\n\
             ring_timeout = \"{rings}\"\nfailed = \"sorry\"\n\
             [steps.sorry]\ndo = \"hangup\"\ncause = \"unavailable\"\n"
        );
        office.rewrite("flows/main.toml", |_| flow);
        office.rewrite("trunks.toml", |text| {
            text.replacen(
                "name = \"demo\"\n",
                &format!("name = \"demo\"\n{}\n", setting.trunk),
                1,
            )
        });
        for (name, value) in setting.node {
            office.set(&format!("TSUNAGU_{name}"), value);
        }
        office.start();
        let tap = Tap::on(office.block);
        office.register(1006);
        if setting.second {
            office
                .sipp("register", office.phone_address(1007))
                .set("phone", 1006)
                .set("password", "tsunagu-1006")
                .set("expires", 600)
                .run(wait::PATIENCE);
        }
        Self {
            office,
            tap,
            running: Vec::new(),
            _turn: turn,
        }
    }

    fn caller(&self) -> SocketAddr {
        self.office.block.at(CARRIER, 5_060)
    }

    fn callee(&self) -> SocketAddr {
        self.office.phone_address(1006)
    }

    fn second(&self) -> SocketAddr {
        self.office.phone_address(1007)
    }

    /// Starts one side's script; `VOICE` in it is a capture file with its tone.
    fn start(&mut self, side: Side, at: SocketAddr, script: &str) {
        let hz = match side {
            Side::Caller => CALLER_HZ,
            Side::Callee => CALLEE_HZ,
        };
        let voice = voice(self.office.folder(), hz, 20.0);
        let script = script.replace("VOICE", &voice.display().to_string());
        let running = self
            .office
            .sipp("dialog", at)
            .set("script", written(side, &script))
            .start();
        self.running.push(running);
    }

    /// Plays both sides to their end, which both must reach; the record.
    #[track_caller]
    fn play(&mut self, caller: &str, callee: &str) -> Value {
        self.start(Side::Callee, self.callee(), callee);
        self.start(Side::Caller, self.caller(), caller);
        self.over()
    }

    /// Waits for the end of all scripts, then for the record.
    #[track_caller]
    fn over(&mut self) -> Value {
        // Whoever fails first tells why.
        for running in self.running.drain(..).rev() {
            running.succeed(wait::PATIENCE);
        }
        let record = self.office.records(1).remove(0);
        assert_whole(&record, &self.office.recordings());
        record
    }

    /// SIP messages from or to `party` that contain `words`, so far.
    fn sent(&self, from: SocketAddr, to: SocketAddr, words: &str) -> Vec<String> {
        let packets = self.tap.packets(|packet| {
            packet.from == from
                && packet.to == to
                && packet.sip().is_some_and(|text| text.contains(words))
        });
        packets
            .iter()
            .filter_map(|packet| Some(packet.sip()?.to_owned()))
            .collect()
    }

    /// What the switch sent to the caller.
    fn to_caller(&self, words: &str) -> Vec<String> {
        self.sent(self.office.sip(), self.caller(), words)
    }

    /// What the switch sent to the callee.
    fn to_callee(&self, words: &str) -> Vec<String> {
        self.sent(self.office.sip(), self.callee(), words)
    }

    /// Both must have heard each other.
    #[track_caller]
    fn both_heard(&self) {
        self.heard(self.caller(), CALLEE_HZ);
        self.heard(self.callee(), CALLER_HZ);
    }

    /// Who has SIP at `party` must have heard this tone for a while.
    #[track_caller]
    fn heard(&self, party: SocketAddr, hz: f64) {
        // Where SIPp has its media.
        let heard = self.tap.heard_at(SocketAddr::new(party.ip(), 6_000));
        let seconds = seconds_of(&heard.samples, hz);
        assert!(seconds > 0.3, "{party} heard {hz} Hz for {seconds} s");
    }
}

/// How a record must say that its call ended.
#[track_caller]
fn assert_end(record: &Value, by: &str, sip: u16, q850: u16) {
    let said = (&record["hung_up_by"], &record["sip"], &record["q850"]);
    assert_eq!(said, (&by.into(), &sip.into(), &q850.into()), "{record:#}");
}

/// What the caller says.
const CALLER_HZ: f64 = 440.0;
/// What the callee says.
const CALLEE_HZ: f64 = 880.0;
