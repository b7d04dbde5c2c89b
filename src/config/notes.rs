//! What is wrong, doubtful or worth knowing, noted while everything is read to its end.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::report::{Level, Problem};
use super::source::{Place, Source};

/// Where problems are noted while everything is read to its end.
#[derive(Debug, Default)]
pub(super) struct Notes {
    problems: RefCell<Vec<Problem>>,
    /// Why sources could not be read.
    spelling: RefCell<Vec<Problem>>,
    /// Names of those sources.
    unreadable: RefCell<HashSet<String>>,
    /// What must not be shown, whatever is said of what is beside it.
    hidden: RefCell<Vec<Place>>,
}

impl Notes {
    /// Notes a problem.
    pub(super) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes why a source cannot be read as it was meant. Whatever else is said of that source
    /// would only be a consequence, and is left out.
    pub(super) fn unreadable(&self, problem: Problem) {
        let mut unreadable = self.unreadable.borrow_mut();
        unreadable.insert(problem.place.source.name.clone());
        self.spelling.borrow_mut().push(problem);
    }

    /// Notes an error.
    pub(super) fn error(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.push(Problem::error(place, message, help));
    }

    /// Notes a warning.
    pub(super) fn warning(
        &self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Problem::warning(place, message, help));
    }

    /// Takes up what is doubtful, or only worth knowing.
    pub(super) fn doubt(
        &self,
        is_note: bool,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(match is_note {
            true => Problem::note(place, message, help),
            false => Problem::warning(place, message, help),
        });
    }

    /// Keeps what stands at a place out of every problem's picture: a secret in plain text.
    pub(super) fn hide(&self, place: &Place) {
        self.hidden.borrow_mut().push(place.clone());
    }

    /// Whether an error was noted.
    pub(super) fn has_errors(&self) -> bool {
        let is_error = |problem: &Problem| problem.severity == Level::Error;
        !self.spelling.borrow().is_empty() || self.problems.borrow().iter().any(is_error)
    }

    /// All that was noted.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let unreadable = self.unreadable.into_inner();
        let mut problems = self.problems.into_inner();
        problems.retain(|problem| !unreadable.contains(&problem.place.source.name));
        problems.extend(self.spelling.into_inner());
        let hidden = masked(&self.hidden.into_inner());
        for problem in &mut problems {
            let other = problem.other.as_mut().map(|(place, _)| place);
            for place in [Some(&mut problem.place), other].into_iter().flatten() {
                if let Some(source) = hidden.get(&place.source.name) {
                    place.source = Arc::clone(source);
                }
            }
        }
        problems
    }
}

/// Copies of sources, by name, that do not show what stands at `places`.
fn masked(places: &[Place]) -> HashMap<String, Arc<Source>> {
    let mut texts: HashMap<String, String> = HashMap::new();
    for place in places {
        let Source { name, text } = &*place.source;
        let text = texts.entry(name.clone()).or_insert_with(|| text.clone());
        // Lines and bytes stay where they are.
        let stars: String = text[place.span.clone()]
            .split('\n')
            .map(|line| "*".repeat(line.len()))
            .collect::<Vec<_>>()
            .join("\n");
        text.replace_range(place.span.clone(), &stars);
    }
    texts
        .into_iter()
        .map(|(name, text)| (name.clone(), Arc::new(Source { name, text })))
        .collect()
}
