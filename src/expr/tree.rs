//! What a text means: conditions, operands, and the ways to attributes.

use std::ops::Range;

use serde_json::Value;

use super::Subject;

/// Something that holds or does not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Compare(Comparison),
    Never,
    Not(Box<Condition>),
    True(Operand),
}

/// Two operands and what is between them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
}

/// A value, or the way to one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    List(Box<[Operand]>),
    Literal(Value),
    Path(Path),
    Sum(Box<[Term]>),
}

/// A product within a sum; its first factor is never divided by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) is_subtracted: bool,
    pub(super) factors: Box<[(Step, Operand)]>,
}

/// What a factor does to the product before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Divide,
    Multiply,
}

/// The way to an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// `None` for a path without prefix.
    pub(super) subject: Option<Subject>,
    pub(super) kind: PathKind,
    /// Never empty.
    pub(super) segments: Box<[Segment]>,
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
}

/// Whether a path may lead elsewhere than into attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathKind {
    /// No.
    Attribute,
    /// `workers.KEY`: into the counts of a queue, where there are any.
    Count,
    /// `activity_name`, `channel.voice...`: into a worker's state, where it is given.
    State,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Segment {
    Index(usize),
    Key(String),
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Key(key) => f.write_str(key),
        }
    }
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Contains,
    Equal,
    Greater,
    GreaterOrEqual,
    Has,
    In,
    Less,
    LessOrEqual,
    NotEqual,
    NotIn,
    StartsWith,
}

impl Path {
    /// A path, whose kind follows from its prefix and its first keys.
    pub(super) fn new(
        subject: Option<Subject>,
        segments: Vec<Segment>,
        span: Range<usize>,
    ) -> Self {
        let first = match segments.first() {
            Some(Segment::Key(key)) => key.as_str(),
            _ => "",
        };
        let kind = match (subject, first, segments.len()) {
            (None, "workers", 2..) => PathKind::Count,
            (None | Some(Subject::Worker), "activity_name" | "activity_sid", 1)
            | (None | Some(Subject::Worker), "channel", 2..) => PathKind::State,
            _ => PathKind::Attribute,
        };
        Self {
            subject,
            kind,
            segments: segments.into(),
            span,
        }
    }

    /// Whether it looks like one of the requirements' extensions that are not there: `now.` and
    /// `taskqueue.`.
    pub(super) fn is_absent(&self) -> bool {
        let is_longer = self.subject.is_none() && self.segments.len() > 1;
        let first = self.segments.first();
        is_longer && matches!(first, Some(Segment::Key(key)) if key == "now" || key == "taskqueue")
    }

    /// Its keys; none when it leads through an array.
    pub(super) fn keys(&self) -> Option<impl Iterator<Item = &str>> {
        let are_keys = |segment: &Segment| matches!(segment, Segment::Key(_));
        self.segments.iter().all(are_keys).then(|| {
            self.segments.iter().map(|segment| match segment {
                Segment::Key(key) => key.as_str(),
                Segment::Index(_) => "",
            })
        })
    }
}

impl Operator {
    /// Whether one side of it must be an array.
    pub(super) fn wants_array(self) -> bool {
        matches!(self, Self::Has | Self::In | Self::NotIn)
    }

    /// Whether it compares texts only.
    pub(super) fn wants_text(self) -> bool {
        matches!(self, Self::Contains | Self::StartsWith)
    }

    /// Whether it asks which of two is the greater.
    pub(super) fn is_order(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }
}

impl Comparison {
    /// The side that must be an array, and what it is to hold.
    pub(super) fn array_and_item(&self) -> (&Operand, &Operand) {
        match self.operator {
            Operator::Has => (&self.left, &self.right),
            _ => (&self.right, &self.left),
        }
    }
}

impl Condition {
    /// Calls `see` with every comparison, from left to right.
    pub(super) fn each_comparison<'a>(&'a self, see: &mut dyn FnMut(&'a Comparison)) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|c| c.each_comparison(see));
            }
            Self::Compare(comparison) => see(comparison),
            Self::Not(condition) => condition.each_comparison(see),
            Self::Never | Self::True(_) => {}
        }
    }

    /// Calls `see` with every path, from left to right.
    pub(super) fn each_path<'a>(&'a self, see: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|c| c.each_path(see));
            }
            Self::Compare(comparison) => {
                comparison.left.each_path(see);
                comparison.right.each_path(see);
            }
            Self::Not(condition) => condition.each_path(see),
            Self::Never => {}
            Self::True(operand) => operand.each_path(see),
        }
    }
}

impl Operand {
    /// Whether it comes from attributes, so that null says that something is missing.
    #[inline]
    pub(super) fn can_be_missing(&self) -> bool {
        matches!(self, Self::Path(_) | Self::Sum(_))
    }

    /// Calls `see` with every path in it, from left to right.
    pub(super) fn each_path<'a>(&'a self, see: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.each_path(see)),
            Self::Literal(_) => {}
            Self::Path(path) => see(path),
            Self::Sum(terms) => {
                let factors = terms.iter().flat_map(|term| &term.factors);
                factors.for_each(|(_, factor)| factor.each_path(see));
            }
        }
    }
}
