//! One event, one line: control characters from the network are escaped, whatever the form.

use std::fmt::{self, Write};

use owo_colors::{OwoColorize, Style};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::Form;

/// Formats events as `Colour`, `Journal` or `Plain` lines.
#[derive(Debug)]
pub(super) struct Lines(pub(super) Form);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut spans = String::new();
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|s| s.from_root())
        {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            let fields = fields.map_or("", |fields| fields.as_str());
            write!(spans, "{}{{{}}} ", span.name(), Clean(fields))?;
        }
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), room(metadata.target()));
        head(self.0, level, &mut writer)?;
        let fields = Clean(&fields);
        if self.0 == Form::Colour {
            let faint = Style::new().dimmed();
            let (target, spans) = (target.style(faint), spans.style(faint));
            writeln!(writer, "{target} {spans}{fields}")
        } else {
            writeln!(writer, "{target}: {spans}{fields}")
        }
    }
}

fn head(form: Form, level: Level, writer: &mut Writer<'_>) -> fmt::Result {
    match form {
        Form::Journal => write!(writer, "<{}>", priority(level)),
        Form::Colour => {
            let time = jiff::Zoned::now().strftime("%H:%M:%S%.3f").to_string();
            let time = time.dimmed();
            write!(writer, "{time} {} ", level_word(level).style(colour(level)))
        }
        _ => {
            let time = jiff::Timestamp::now();
            write!(writer, "{time:.3} {} ", level_word(level))
        }
    }
}

/// syslog(3) priorities.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => " WARN",
        Level::INFO => " INFO",
        Level::DEBUG => "DEBUG",
        _ => "TRACE",
    }
}

fn colour(level: Level) -> Style {
    match level {
        Level::ERROR => Style::new().red().bold(),
        Level::WARN => Style::new().yellow().bold(),
        Level::INFO => Style::new().green(),
        Level::DEBUG => Style::new().blue(),
        _ => Style::new().dimmed(),
    }
}

/// The room an event comes from: `tsunagu::sip::transaction` is `sip::transaction`.
fn room(target: &str) -> &str {
    target.strip_prefix("tsunagu::").unwrap_or(target)
}

/// Text with every control character escaped: one event stays one line.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.trim_end().chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(form: Form) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Lines(form))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", id = "jp1-1");
            let _in = span.enter();
            tracing::warn!(agent = "花子", "evil\r\n<0>forged \x1b[31mred");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_journal_line_has_its_priority_and_cannot_be_forged() {
        let text = lines(Form::Journal);
        assert!(text.starts_with("<4>runtime::logging::line::tests: call{id=\"jp1-1\"} "));
        assert!(text.contains("agent=\"花子\""), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        assert!(lines(Form::Colour).contains("\x1b[33"));
        assert!(!lines(Form::Plain).contains('\x1b'));
    }
}
