//! Subjects and texts with `{{ ... }}` in them (the language of Jinja, through minijinja). No files,
//! no includes; what a text may cost is limited.

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value};

/// A text that may have `{{ ... }}` and `{% ... %}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A name in it means nothing.
    #[error("there is no `{0}` in a letter")]
    Unknown(String),
}

/// Instructions one text may take; the longest that a person writes takes some hundred.
const FUEL: u64 = 20_000;
/// Longest text, octets; the rest is cut.
const LONGEST: usize = 16 * 1024;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_debug(false);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(32);
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    // A telephone number is no web page.
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine
});

impl Template {
    /// A text in which only `known` names stand.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn new(text: &str, known: &[&str]) -> Result<Self, TemplateError> {
        let unreadable = |error: minijinja::Error| TemplateError::Unreadable(error.to_string());
        let template = ENGINE.template_from_str(text).map_err(unreadable)?;
        let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        names.sort_unstable();
        if let Some(name) = names.into_iter().find(|it| !known.contains(&it.as_str())) {
            return Err(TemplateError::Unknown(name));
        }
        // Filters are looked for when a text is filled in.
        template.render(known_as_empty(known)).map_err(unreadable)?;
        Ok(Self(text.to_owned()))
    }

    /// A text of our own.
    pub(crate) fn ours(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text filled in; what cannot be is told, and empty.
    pub fn render(&self, names: &Map<String, Value>) -> String {
        let mut filled = Limited(Vec::new());
        let rendered = ENGINE
            .template_from_str(&self.0)
            .and_then(|template| template.render_captured_to(names, &mut filled).map(drop));
        if let Err(error) = rendered {
            tracing::warn!(%error, "mail.text_not_filled_in");
            return String::new();
        }
        String::from_utf8_lossy(&filled.0).into_owned()
    }
}

fn known_as_empty(known: &[&str]) -> Map<String, Value> {
    let names = known.iter();
    names
        .map(|name| ((*name).to_owned(), Value::from("")))
        .collect()
}

/// Takes no more than a text may have.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LONGEST.saturating_sub(self.0.len());
        self.0.extend(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
