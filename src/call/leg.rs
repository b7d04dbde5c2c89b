//! One leg of a call: a SIP session on one side, a media leg on the other.

use serde::{Deserialize, Serialize};

use super::early::Fork;
use super::keys::Keys;
use super::trunk_test::Heard;
use super::way_out::WayOut;
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::events::{MediaSummary, Role};
use crate::media::{self, LegState, Standing};
use crate::registrar::Binding;
use crate::sdp::{AudioCodec, Description, LocalMedia, Negotiated, SrtpPolicy};
use crate::sip::ua::SessionId;
use crate::sip::{Flow, NameAddr};

/// One leg. Serialisable: its SIP and media states are checkpointed beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) session: SessionId,
    pub(crate) role: Role,
    /// Number or address of the party, normalised.
    pub(crate) party: String,
    /// Agent that is rung or talks, when the leg is one.
    pub(crate) agent: Option<String>,
    /// Whether it is no longer, or never was, one of a task of that agent: his phone is in a call of
    /// its own.
    #[serde(default)]
    pub(crate) is_beside_task: bool,
    /// Trunk the leg goes through.
    pub(crate) trunk: Option<String>,
    /// Where the leg's requests came from or go to.
    pub(crate) flow: Flow,
    /// What the phone that is rung had registered.
    #[serde(skip)]
    pub(crate) binding: Option<Box<Binding>>,
    pub(crate) progress: Progress,
    /// Whether its media is to be secure, as long as `local` does not say.
    #[serde(default)]
    pub(crate) srtp: SrtpPolicy,
    /// What we say of our side in SDP; `None` until a port was opened.
    pub(crate) local: Option<LocalMedia>,
    /// What both sides agreed on.
    pub(crate) negotiated: Option<Negotiated>,
    /// The offer that came with the INVITE, until it is answered.
    #[serde(skip)]
    pub(crate) remote_offer: Option<Description>,
    /// We made an offer in a 2xx or an INVITE and wait for its answer.
    pub(crate) offer_pending: bool,
    /// What media last said of itself, for a checkpoint.
    #[serde(skip)]
    pub(crate) media: Option<Box<LegState>>,
    /// Set once the leg's media is closed: what it counted.
    pub(crate) summary: Option<MediaSummary>,
    /// Set once the leg's SIP is over: when, by whom and why.
    pub(crate) over: Option<(Timestamp, Party, Cause)>,
    /// Number shown to the far end as the caller's.
    #[serde(default)]
    pub(crate) shown_as: String,
    /// What its responses said, for a trunk test.
    #[serde(skip)]
    pub(crate) heard: Heard,
    /// The way to the far end failed, not the far end: another route may be tried.
    #[serde(default)]
    pub(crate) is_unreached: bool,
    /// The trunks that may carry the call if this leg's does not.
    #[serde(default)]
    pub(crate) way: Option<Box<WayOut>>,
    /// What the far end said when it refused, beyond the status.
    #[serde(skip)]
    pub(crate) refusal: Option<String>,
    /// Where the far end said to go instead, when it redirected the call.
    #[serde(skip)]
    pub(crate) moved: Vec<NameAddr>,
    /// How it presses keys, and is told of them.
    #[serde(default)]
    pub(crate) keys: Keys,
    /// Whether the far end was heard ringing.
    pub(crate) rang: bool,
    /// Whether the leg hears hold music: everybody it could talk with holds.
    pub(crate) hears_music: bool,
    /// Whether it was put on hold from outside.
    #[serde(default)]
    pub(crate) is_held: bool,
    /// The codec it was last asked to speak because the other leg does, so that it is asked once.
    #[serde(default)]
    pub(crate) asked_for: Option<AudioCodec>,
    /// Its part in the room it is in.
    #[serde(default)]
    pub(crate) standing: Standing,
    /// How loud others of its room are for it, decibels, where it was said; `None`: not heard.
    #[serde(default)]
    pub(crate) gains: Vec<(LegId, Option<i8>)>,
    /// Its early dialogs that have media, the one that is heard first.
    #[serde(skip)]
    pub(crate) forks: Vec<Fork>,
}

/// How far a leg's INVITE has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    /// INVITE from the far end, not answered by us yet.
    Arriving,
    /// INVITE sent, nothing but 100 heard.
    Calling,
    /// 180 or 183 heard.
    Ringing,
    /// 200 sent or heard.
    Answered,
    /// No dialog any more.
    Over,
}

impl Leg {
    /// One whose INVITE has come and is not answered.
    pub(crate) fn arriving(
        (id, session): (LegId, SessionId),
        flow: Flow,
        role: Role,
        party: String,
    ) -> Self {
        Self {
            id,
            session,
            role,
            party,
            agent: None,
            is_beside_task: false,
            trunk: None,
            flow,
            binding: None,
            progress: Progress::Arriving,
            srtp: SrtpPolicy::No,
            local: None,
            negotiated: None,
            remote_offer: None,
            offer_pending: false,
            media: None,
            summary: None,
            over: None,
            is_unreached: false,
            way: None,
            refusal: None,
            moved: Vec::new(),
            shown_as: String::new(),
            heard: Heard::default(),
            keys: Keys::default(),
            rang: false,
            hears_music: false,
            is_held: false,
            asked_for: None,
            standing: Standing::default(),
            gains: Vec::new(),
            forks: Vec::new(),
        }
    }

    /// Whether it may be at a phone of ours and the router did not ask for it. What goes through a
    /// trunk is at none, though its number may look like that of one.
    pub(crate) fn is_phones_own(&self) -> bool {
        (self.agent.is_none() || self.is_beside_task) && self.trunk.is_none()
    }

    /// Whether the leg may still be heard of by SIP.
    pub(crate) fn is_live(&self) -> bool {
        self.progress != Progress::Over
    }

    /// Whether the leg was answered and lives.
    pub(crate) fn is_answered(&self) -> bool {
        self.progress == Progress::Answered
    }

    /// Whether it hears what is played to it: it was answered, or our answer to its offer went out
    /// before that, and its phone waits for our sound instead of ringing by itself (RFC 3960 §3.2).
    pub(crate) fn hears_us(&self) -> bool {
        match self.progress {
            Progress::Answered => true,
            Progress::Arriving => self.negotiated.is_some(),
            Progress::Calling | Progress::Ringing | Progress::Over => false,
        }
    }

    /// Whether it listens to or coaches others rather than being a party.
    pub(crate) fn supervises(&self) -> bool {
        self.standing.role != media::Role::Normal
    }

    /// Whether the far end has put us on hold.
    pub(crate) fn holds_us(&self) -> bool {
        self.negotiated
            .as_ref()
            .is_some_and(|agreed| agreed.held_by_remote)
    }

    /// Who is there: the agent, or the number.
    pub(crate) fn name(&self) -> String {
        self.agent.clone().unwrap_or_else(|| self.party.clone())
    }

    /// Who hangs up when this leg does.
    pub(crate) fn as_party(&self) -> Party {
        match self.role {
            Role::Agent => Party::Agent,
            Role::Callee => Party::Callee,
            Role::Caller => Party::Caller,
        }
    }
}
