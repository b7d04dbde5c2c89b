//! Flow documents: what a caller hears and may decide.
//!
//! A [`Document`] is a set of named steps; [`Document::check`] finds what is wrong with it without
//! running it; a [`Run`] walks one caller through it. The run is a machine that only *asks*,
//! through [`Action`] values which the call carries out: it knows no queue, trunk or sound, so it
//! runs in a call, in a test and in the checker alike.

mod check;
mod condition;
mod document;
mod draw;
mod flow_type;
mod profile;
pub mod rehearsal;
mod request;
mod run;
mod seal;
mod step;
mod table;
mod template;
mod whisper;

pub use check::{Fault, Figures, Outside, Part, Spot};
pub use condition::Condition;
pub use document::{Document, HANG_UP, MAX_DEPTH, RETURN};
pub use draw::draw;
pub use flow_type::FlowType;
pub use profile::{NumberProfile, QueueFlows};
pub use request::{QueueFigures, RecordTerms, Reply, Request};
pub use run::{Action, Application, Context, DialOutcome, DialTerms, Input, QueueOutcome, Run};
pub use seal::SealingKey;
pub use step::{
    Applying, Branching, Calling, Case, Collecting, Conferring, Confirmation, DialOrder, Dialling,
    Fetching, HangingUp, Leaving, LookingUp, Looping, Menu, Merge, Messaging, Opening, Patience,
    Pausing, Queueing, Recording, Rejection, Returning, Sayable, Saying, Setting, Share, Speaking,
    Speech, Splitting, Step, Watching,
};
pub use table::{Table, TableError};
pub use template::{Template, TemplateFault};
pub use whisper::{Whisper, Words};
