//! The machine told the same once more: it decides the same, byte for byte.

use std::collections::VecDeque;

use super::past::{Error, Past};
use crate::base::Timestamp;
use crate::journal::{Entry, FactClass};
use crate::router::{Fact, Router};

/// What came of running a past once more.
#[derive(Clone, Debug, PartialEq)]
pub struct Rerun {
    /// Facts that came out as they are in the journal.
    pub same: usize,
    /// The first that did not.
    pub difference: Option<Difference>,
}

/// Where a machine decided otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What the journal says.
    pub journal: Entry,
    /// What the machine says now; `None` when it says nothing.
    pub machine: Option<Entry>,
}

/// A decision that was made once more.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Its sequence.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// The decision, as the journal has it.
    pub fact: Fact,
    /// Where this time it was not the same.
    pub difference: Option<Difference>,
}

/// Tells a machine all the inputs and timers of a past and compares every fact that comes out.
///
/// # Errors
///
/// When facts of the past cannot be read.
pub fn rerun(past: &Past) -> Result<Rerun, Error> {
    let mut router = past.router(0)?;
    let mut made = VecDeque::new();
    for (place, entry) in past.entries.iter().enumerate() {
        if made.front().is_some_and(|made| made != entry) && is_restart(entry)? {
            // What the process before decided last was not written when it died.
            made.clear();
            router = past.router(place)?;
        }
        if made.is_empty() {
            made = tell(&mut router, entry)?;
        }
        let machine = made.pop_front();
        if machine.as_ref() != Some(entry) {
            let journal = entry.clone();
            return Ok(Rerun {
                same: place,
                difference: Some(Difference { journal, machine }),
            });
        }
    }
    Ok(Rerun {
        same: past.entries.len(),
        difference: None,
    })
}

/// Makes decisions of a past once more, each from the state before what led to it. `is_wanted`
/// says which.
///
/// # Errors
///
/// When facts of the past cannot be read.
pub fn verify(past: &Past, is_wanted: &dyn Fn(&Fact) -> bool) -> Result<Vec<Verified>, Error> {
    let mut shadow = past.router(0)?;
    let mut verified = Vec::new();
    let mut place = 0;
    while place < past.entries.len() {
        // A cause, and the decisions that followed from it.
        let cause = &past.entries[place];
        let after = past.entries[place + 1..].iter();
        let decisions = after.take_while(|entry| entry.class == FactClass::Decision);
        let end = place + 1 + decisions.count();
        let chain = &past.entries[place..end];
        let mut wanted = Vec::new();
        for (offset, entry) in chain.iter().enumerate() {
            let fact = Fact::decode(entry)?;
            if entry.class == FactClass::Decision && is_wanted(&fact) {
                wanted.push((offset, entry, fact));
            }
        }
        if !wanted.is_empty() {
            let made = tell(&mut shadow.clone().settled(), cause)?;
            for (offset, entry, fact) in wanted {
                let machine = made.get(offset);
                let is_same = machine == Some(entry);
                verified.push(Verified {
                    sequence: entry.sequence,
                    at: entry.at,
                    fact,
                    difference: (!is_same).then(|| Difference {
                        journal: entry.clone(),
                        machine: machine.cloned(),
                    }),
                });
            }
        }
        for entry in chain {
            shadow.fold(entry)?;
        }
        place = end;
    }
    Ok(verified)
}

/// Tells a machine what led to a fact; what it makes of it.
fn tell(router: &mut Router, entry: &Entry) -> Result<VecDeque<Entry>, Error> {
    match Fact::decode(entry)? {
        Fact::Input(command) => router.handle(entry.at, command),
        Fact::Timer(_) => router.handle_timeout(entry.at),
        // Decisions follow from something; this one did not.
        Fact::Decision(_) => {}
    }
    while router.poll_output().is_some() {}
    Ok(router.take_facts().into())
}

fn is_restart(entry: &Entry) -> Result<bool, Error> {
    Ok(match Fact::decode(entry)? {
        Fact::Input(command) => super::happening::told(&command) == super::happening::Told::Restart,
        Fact::Timer(_) | Fact::Decision(_) => false,
    })
}
