//! Everything wrong with a configuration, shown as `file:line:column` with a caret and a remedy.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, Severity, SourceCode, SourceSpan, SpanContents,
};

use super::source::{Place, Source};

/// One thing wrong (or doubtful), where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the switch refuses the configuration because of it.
    pub severity: Level,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// The remedy.
    pub help: String,
    /// Another place that matters, with what it is.
    pub other: Option<(Place, String)>,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The configuration is refused.
    Error,
    /// It is taken all the same.
    Warning,
    /// It is taken, and may well be meant: only worth knowing. Not counted.
    Note,
}

/// Every problem of one configuration directory, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory, as given.
    pub directory: String,
    /// Problems.
    pub problems: Vec<Problem>,
}

/// How a report is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a terminal.
    Colour,
    /// For a log or a pipe.
    Plain,
}

impl Problem {
    /// An error.
    pub fn error(place: &Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Level::Error,
            place: place.clone(),
            message: message.into(),
            help: help.into(),
            other: None,
        }
    }

    /// A warning.
    pub fn warning(place: &Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Level::Warning,
            ..Self::error(place, message, help)
        }
    }

    /// A note.
    pub fn note(place: &Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Level::Note,
            ..Self::error(place, message, help)
        }
    }

    /// The same with another place that matters.
    pub fn with(mut self, place: &Place, what: impl Into<String>) -> Self {
        self.other = Some((place.clone(), what.into()));
        self
    }

    /// The help, with the other place when it stands in another source.
    fn remedy(&self) -> String {
        match &self.other {
            Some((place, what)) => format!("{} ({what}: {place})", self.help),
            None => self.help.clone(),
        }
    }
}

impl Report {
    /// Sorts the problems as people read: by source, then by place. Beside errors, what is only
    /// worth knowing is left out.
    pub(super) fn new(directory: String, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| {
            let key =
                |problem: &Problem| (problem.place.source.name.clone(), problem.place.span.start);
            key(a).cmp(&key(b))
        });
        problems.dedup();
        if problems.iter().any(|it| it.severity == Level::Error) {
            problems.retain(|problem| problem.severity != Level::Note);
        }
        Self {
            directory,
            problems,
        }
    }

    /// How many errors.
    pub fn errors(&self) -> usize {
        self.count(Level::Error)
    }

    /// How many warnings.
    pub fn warnings(&self) -> usize {
        self.count(Level::Warning)
    }

    /// Every problem drawn with its lines and a caret.
    pub fn render(&self, style: Style) -> String {
        let theme = match style {
            Style::Colour => GraphicalTheme::unicode(),
            Style::Plain => GraphicalTheme::unicode_nocolor(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_context_lines(1)
            .with_width(100);
        let mut drawn = String::new();
        for problem in &self.problems {
            if handler.render_report(&mut drawn, problem).is_err() {
                drawn.push_str(&problem.to_string());
            }
            drawn.push('\n');
        }
        drawn
    }

    /// One line: how many of what.
    pub fn summary(&self) -> String {
        let count = |number: usize, word: &str| match number {
            1 => format!("1 {word}"),
            _ => format!("{number} {word}s"),
        };
        let errors = count(self.errors(), "error");
        match self.warnings() {
            0 => format!("{errors} in {}", self.directory),
            warnings => format!(
                "{errors} and {} in {}",
                count(warnings, "warning"),
                self.directory
            ),
        }
    }

    fn count(&self, level: Level) -> usize {
        let problems = self.problems.iter();
        problems.filter(|problem| problem.severity == level).count()
    }
}

/// One line a problem: `file:line:column: error: what: remedy`, for logs and `grep`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            let level = match problem.severity {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "note",
            };
            writeln!(f, "{}: {level}: {}", problem.place, problem.message)?;
            writeln!(f, "    help: {}", problem.remedy())?;
        }
        f.write_str(&self.summary())
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(match self.severity {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.remedy()))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.place.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = SourceSpan::from(self.place.span.clone());
        let here = LabeledSpan::new_primary_with_span(None, span);
        Some(Box::new(std::iter::once(here)))
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.text.as_str().read_span(span, before, after)?;
        // miette counts columns in bytes; people, and editors, in characters.
        let start = contents.span().offset();
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let column = self.text[line_start..start].chars().count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            column,
            contents.line_count(),
        )))
    }
}
