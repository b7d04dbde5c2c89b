//! The call: legs, bridge, negotiation, machine, checkpoint.
//!
//! [`Exchange`] holds all calls of one signalling shard and is sans-IO: SIP messages, media
//! notices and the router's words go in; datagrams, commands, events and records come out. A
//! call dispatches to the stage it is in (`feature/`), and a stage is a small machine.

mod answering;
mod arrival;
mod arriving;
mod aside;
mod breadth;
mod carrier_address;
mod checkpoint;
mod claims;
mod closing;
mod codecs;
mod commission;
mod conferences;
mod control;
mod core;
mod desk;
mod diversions;
mod early;
mod ending;
mod engaged;
mod exchange;
mod feature;
mod floor;
mod gate;
mod generation;
mod hands;
mod identity;
mod inquiry;
mod keys;
mod leg;
mod lines;
mod load;
mod machine;
mod merge;
mod negotiate;
mod offer;
mod onward;
mod outward;
mod overriding;
mod password;
mod placing;
mod playing;
mod pump;
mod reading;
mod reason;
mod recordings;
mod redirection;
mod refer;
mod refusal;
mod registration;
mod replace;
mod ring;
mod seating;
mod secrecy;
mod settling;
mod shed;
mod sound;
pub mod task;
mod together;
mod trunk_test;
mod trunks;
mod way_out;

pub use checkpoint::CallCheckpoint;
pub use closing::{ClosingOutcome, ClosingWish};
pub use conferences::{ConferenceView, Conferences, Seat};
pub use control::{Control, ControlError};
pub use desk::{ActivityTerms, AgentTerms, Agents, DeskTerms, Desks};
pub use exchange::{Exchange, Output, Settings};
pub use gate::Gate;
pub use generation::{
    Applications, Boards, ConferenceTerms, Generation, Phone, QueueCare, RecordingTerms, Replace,
    Transfers,
};
pub use inquiry::{Inquiry, Subject, Supply};
pub use lines::{LineView, Lines, NoPlace};
pub use negotiate::{leg_flow, local_media};
pub use placing::{PlaceError, Placing};
pub use recordings::ORDERED;
pub use trunk_test::{TestOutcome, TestReport, TestRow};

use serde::{Deserialize, Serialize};

/// A call's number within its shard, for look-ups; never reused by a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CallKey(pub(crate) u64);
