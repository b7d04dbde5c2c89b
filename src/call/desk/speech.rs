//! What an agent is, in sounds.

use super::standing::Standing;
use super::terms::DeskTerms;
use crate::router::{NOT_ANSWERING, WorkerState};

/// Highest number of waiting callers that has a sound of its own.
const MOST_WAITING: usize = 10;

/// What somebody is.
pub(super) fn of_standing(terms: &DeskTerms, standing: &Standing) -> Vec<String> {
    let mut sounds = match standing.state {
        WorkerState::Reserved | WorkerState::Talking => vec!["agent-busy".to_owned()],
        WorkerState::WrapUp => vec!["agent-wrap-up".to_owned()],
        WorkerState::Away | WorkerState::Free => {
            vec![of_activity(terms, &standing.activity, standing.available)]
        }
    };
    if let Some(next) = &standing.next {
        let available = terms.activity(next).is_some_and(|next| next.available);
        sounds.push("agent-after-this".to_owned());
        sounds.push(of_activity(terms, next, available));
    } else if !standing.reachable {
        sounds.push("agent-unreachable".to_owned());
    } else if standing.available {
        sounds.push(match standing.waiting {
            count @ 0..=MOST_WAITING => format!("agent-waiting-{count}"),
            _ => "agent-waiting-many".to_owned(),
        });
    }
    sounds
}

/// That somebody is in an activity.
pub(super) fn of_activity(terms: &DeskTerms, name: &str, available: bool) -> String {
    let own = terms
        .activity(name)
        .and_then(|activity| activity.sound.clone());
    own.unwrap_or_else(|| {
        match (available, name) {
            (true, _) => "agent-available",
            (false, NOT_ANSWERING) => "agent-not-answering",
            (false, _) => "agent-away",
        }
        .to_owned()
    })
}
