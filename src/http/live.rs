//! What HTTP asks of the running switch; the app answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use utoipa::IntoParams;

use super::account::Account;
use super::pulse::Pulse;
use crate::base::{LegId, Timestamp};
use crate::calendar::{Calendar, Closing, Closings};
use crate::call::{
    ConferenceView, Control, ControlError, LineView, NoPlace, PlaceError, Placing, TestReport,
};
use crate::events::CallRecord;
use crate::media::Captured;
use crate::router::{Declined, Explanation, Prospects, RouterView, Supposed};
use crate::sip::guard::Ban;
use crate::sip::trace::{Numbers, Traced};
use crate::trunk::{NumberOverride, NumberOverrides, TrunkView};
use crate::twiml::{Modification, Sid};
use crate::voicemail::Keeper;
use crate::webhook::{LetterView, ReplayError, ShelfError};

/// How the configuration is loaded again.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Reload {
    /// Whether tasks that nobody has accepted begin their workflow anew where it has changed.
    /// Default false: they go on by the rules they came in with.
    #[serde(default)]
    pub reevaluate: bool,
}

/// The running switch. Called from blocking threads: an answer may take a moment, and one that
/// takes longer than five seconds is reported as a fault.
pub trait Live: Send + Sync {
    /// Switch time.
    fn now(&self) -> Timestamp;

    /// Calls in progress, and those that ended but are not in the archive yet.
    fn calls(&self) -> Vec<CallRecord>;

    /// One of [`Live::calls`].
    fn call(&self, id: &str) -> Option<CallRecord>;

    /// Whom the REST API is for; `None` when there is no account.
    fn account(&self) -> Option<Account>;

    /// The conferences that are open.
    fn conferences(&self) -> Vec<ConferenceView>;

    /// The id that the conference of a name has, or will have when it is opened within a quarter of an
    /// hour; `None` when too many are promised.
    fn promise_conference(&self, name: &str) -> Option<Sid>;

    /// The name of the conference that is not open yet and will have this id.
    fn promised_conference(&self, sid: &str) -> Option<String>;

    /// Lines that documents or the REST API made; queues of the configuration are the router's.
    fn lines(&self) -> Vec<LineView>;

    /// Makes a line, or sets how many may stand in one that is there.
    ///
    /// # Errors
    ///
    /// There are too many.
    fn make_line(&self, name: &str, max_size: u32) -> Result<(), NoPlace>;

    /// Takes a line away in which nobody stands; whether it did.
    fn remove_line(&self, name: &str) -> bool;

    /// One of [`Live::calls`], by the public id of itself, a leg or a recording.
    fn call_by_sid(&self, sid: &Sid) -> Option<CallRecord>;

    /// Calls somebody on behalf of the REST API: the record of the call as it begins.
    ///
    /// # Errors
    ///
    /// Why nobody is called.
    fn place(&self, placing: Placing) -> Result<CallRecord, PlaceError>;

    /// Lets a living call that is in an application go on elsewhere, or ends it.
    ///
    /// # Errors
    ///
    /// The call is over or in no application.
    fn modify(&self, id: &str, wish: Modification) -> Result<(), ControlError>;

    /// The mailboxes.
    fn voicemail(&self) -> Keeper;

    /// The router's latest view: queues, agents, tasks.
    fn router(&self) -> Arc<RouterView>;

    /// An agent's program says that it is there; `None` when there is no such agent.
    fn beat(&self, agent: &str) -> Option<Pulse>;

    /// It says goodbye: whether it was waited for; `None` when there is no such agent.
    fn end_beats(&self, agent: &str) -> Option<bool>;

    /// Why a call that waits is where it is; `None` when the router has no task for it.
    fn why(&self, id: &str) -> Option<Explanation>;

    /// Who would get a task, were it to come now.
    ///
    /// # Errors
    ///
    /// Why nobody can say.
    fn who(&self, supposed: Supposed) -> Result<Prospects, Declined>;

    /// Does something to a living call; the leg that was added, if one was.
    fn control(&self, id: &str, wish: Control) -> Result<Option<LegId>, ControlError>;

    /// Sources that are not listened to, the one that is forgiven first at the front.
    fn bans(&self) -> Vec<Ban>;

    /// Listens to an address again; whether it was banned.
    fn lift(&self, address: IpAddr) -> bool;

    /// Calendars, in the order of the configuration.
    fn calendars(&self) -> Vec<Arc<Calendar>>;

    /// What is closed by hand.
    fn closings(&self) -> Arc<Closings>;

    /// Closes a calendar, or all, by hand; written when this returns.
    ///
    /// # Errors
    ///
    /// In words, why it could not be written.
    fn close(&self, calendar: &str, closing: Closing) -> Result<(), String>;

    /// Takes a closing back; whether there was one.
    ///
    /// # Errors
    ///
    /// In words, why it could not be taken back.
    fn open(&self, calendar: &str) -> Result<bool, String>;

    /// The inbound number that a text is a form of, in its first form.
    fn inbound_number(&self, number: &str) -> Option<String>;

    /// Whether there is such a flow, and callers may be led to it.
    fn is_flow_for_callers(&self, flow: &str) -> bool;

    /// Which numbers lead elsewhere by hand.
    fn overrides(&self) -> Arc<NumberOverrides>;

    /// Leads a number elsewhere by hand; written when this returns.
    ///
    /// # Errors
    ///
    /// In words, why it could not be written.
    fn set_override(&self, number: &str, it: NumberOverride) -> Result<(), String>;

    /// Takes an override back; whether there was one.
    ///
    /// # Errors
    ///
    /// In words, why it could not be taken back.
    fn lift_override(&self, number: &str) -> Result<bool, String>;

    /// Every trunk as it is now, in the order of their names.
    fn trunks(&self) -> Vec<TrunkView>;

    /// Tests a trunk with a call to a number, its own when `None`; takes up to a minute.
    ///
    /// # Errors
    ///
    /// In words, why there is no test.
    fn test_trunk(&self, name: &str, number: Option<String>) -> Result<TestReport, String>;

    /// SIP messages of the last minutes, of all calls, in no order.
    fn messages(&self) -> Vec<Traced>;

    /// Whether traces show telephone numbers.
    fn numbers(&self) -> Numbers;

    /// The packets of a living call's media, both ways, for some time or until it ends.
    fn watch(&self, id: &str, time: Duration) -> Vec<Captured>;

    /// Notices that could not be delivered, the one that died last at the front.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    fn dead_letters(&self, limit: usize) -> Result<Vec<LetterView>, ShelfError>;

    /// Tries to deliver one again.
    ///
    /// # Errors
    ///
    /// Why it is not tried.
    fn replay_letter(&self, id: &str) -> Result<(), ReplayError>;

    /// Throws one out; whether it was there.
    ///
    /// # Errors
    ///
    /// It cannot be thrown out.
    fn discard_letter(&self, id: &str) -> Result<bool, ShelfError>;

    /// Loads the configuration again: what changed, or everything that is wrong.
    fn reload(&self, reload: Reload) -> Result<String, String>;

    /// Whether shards and workers keep time; otherwise which does not.
    fn alive(&self) -> Result<(), String>;

    /// Whether new calls are accepted; otherwise why not.
    fn ready(&self) -> Result<(), String>;
}
