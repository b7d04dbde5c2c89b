//! Names of one kind of thing: each given once, each reference to one that exists.

use indexmap::IndexMap;

use super::notes::Notes;
use super::report::Problem;
use super::section::At;
use super::source::Place;
use super::words::remedy;

/// The names of all things of a kind, with where each is given.
#[derive(Debug)]
pub(super) struct Names {
    what: &'static str,
    places: IndexMap<String, Place>,
    /// Whether every file of the kind could be read; otherwise a name not found may be there.
    is_complete: bool,
}

impl Names {
    /// No names yet of what is called `what` (such as `queue`).
    pub(super) fn new(what: &'static str, is_complete: bool) -> Self {
        Self {
            what,
            places: IndexMap::new(),
            is_complete,
        }
    }

    /// Takes a name; notes an error when it was taken before.
    pub(super) fn declare(&mut self, notes: &Notes, name: &At<String>) {
        let what = self.what;
        if let Some(control) = name.value.chars().find(|c| c.is_control()) {
            let message = format!("a {what} name cannot contain {control:?}");
            notes.error(
                &name.place,
                message,
                "use letters of any script, digits and spaces",
            );
        }
        match self.places.get(&name.value) {
            None => {
                self.places.insert(name.value.clone(), name.place.clone());
            }
            Some(first) => {
                let message = format!("the {what} \"{}\" is there twice", name.value);
                let problem = Problem::error(&name.place, message, "rename one, or delete it");
                notes.push(problem.with(first, "the other is at"));
            }
        }
    }

    /// Notes an error when nothing has the name that `at` refers to.
    pub(super) fn refer(&self, notes: &Notes, at: &At<String>) -> bool {
        let known = self.places.contains_key(&at.value);
        if !known && self.is_complete {
            let what = self.what;
            let names: Vec<&str> = self.places.keys().map(String::as_str).collect();
            let message = format!("there is no {what} \"{}\"", at.value);
            let help = match names.is_empty() {
                true => format!("there is no {what} at all yet: add this one"),
                false => remedy(&at.value, &names, &format!("each {what} there is:")),
            };
            notes.error(&at.place, message, help);
        }
        known
    }

    /// Where a name is given.
    pub(super) fn place(&self, name: &str) -> Option<&Place> {
        self.places.get(name)
    }

    /// Every name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }
}
