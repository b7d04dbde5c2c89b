//! Log set-up: level from `RUST_LOG` or the `log` setting, form by where the lines go.
//!
//! Lines are handed to a thread of their own, so that a slow terminal or journal never holds up a
//! shard; when it falls far behind, lines are dropped and counted.

mod line;
mod writer;

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use line::Lines;
use writer::Writer;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Coloured on a terminal, journal lines under systemd, plain elsewhere.
    #[default]
    Auto,
    /// Coloured, local time of day: for a person who watches.
    Colour,
    /// `<6>` priorities and no time: the journal adds its own.
    Journal,
    /// One JSON object a line.
    Json,
    /// RFC 3339 time, no colour.
    Plain,
}

/// Logging in force; the lines still waiting are written when it is dropped.
#[derive(Debug)]
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    writer: Writer,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter makes no sense.
    #[error("log filter {filter:?}: {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The writer thread could not be started.
    #[error("log writer: {0}")]
    Thread(#[from] io::Error),
    /// Somebody else has set up logging in this process.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Sets logging up for the whole process, onto standard error.
///
/// `RUST_LOG` wins over `setting`; without either, `info`.
pub fn start(setting: Option<&str>, form: Form) -> Result<Logging, Error> {
    let wanted = std::env::var("RUST_LOG").ok();
    let filter = wanted.as_deref().or(setting).unwrap_or("info");
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let writer = Writer::start(Box::new(io::stderr()))?;
    let form = form.resolve(
        io::stderr().is_terminal(),
        std::env::var_os("JOURNAL_STREAM").is_some(),
        std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
    );
    let layer = tracing_subscriber::fmt::layer().with_writer(writer.clone());
    let layer = match form {
        Form::Json => layer.json().flatten_event(true).boxed(),
        form => layer.event_format(Lines(form)).with_ansi(false).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()?;
    Ok(Logging {
        filter: handle,
        writer,
    })
}

impl Logging {
    /// Puts another filter in force; on an error the present one stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        let parsed = parse(filter)?;
        // The only error is that the subscriber is gone, and then nobody listens anyway.
        let _ = self.filter.reload(parsed);
        Ok(())
    }

    /// Lines that were dropped because the writer was too slow.
    pub fn dropped(&self) -> u64 {
        self.writer.dropped()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.writer.flush();
    }
}

impl Form {
    fn resolve(self, terminal: bool, journal: bool, no_colour: bool) -> Self {
        match self {
            Form::Auto if terminal && no_colour => Form::Plain,
            Form::Auto if terminal => Form::Colour,
            Form::Auto if journal => Form::Journal,
            Form::Auto => Form::Plain,
            chosen => chosen,
        }
    }
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|source| Error::Filter {
            filter: filter.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_where_the_lines_go() {
        assert_eq!(Form::Auto.resolve(true, true, false), Form::Colour);
        assert_eq!(Form::Auto.resolve(true, false, true), Form::Plain);
        assert_eq!(Form::Auto.resolve(false, true, false), Form::Journal);
        assert_eq!(Form::Auto.resolve(false, false, false), Form::Plain);
        assert_eq!(Form::Json.resolve(true, true, true), Form::Json);
    }

    #[test]
    fn a_senseless_filter_is_refused_with_its_text() {
        let error = parse("tsunagu=loud").unwrap_err().to_string();
        assert!(error.contains("tsunagu=loud"), "{error}");
    }
}
