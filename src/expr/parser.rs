//! Tokens into a tree. `OR` binds loosest, then `AND`, then `NOT`; parentheses group.

use std::ops::Range;

use serde_json::Value;

use super::lexer::{Placed, Token, tokens};
use super::{Error, Lint, MAX_DEPTH, MAX_LENGTH, Subject};

/// Something that holds or does not.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare(Operand, Operator, Operand),
    Never,
    Not(Box<Condition>),
    True(Operand),
}

/// A value, or the way to one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    List(Vec<Operand>),
    Literal(Value),
    Path(Path),
}

/// The way to an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// `None` for a path without prefix.
    pub(super) subject: Option<Subject>,
    pub(super) steps: Vec<Step>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Index(usize),
    Key(String),
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
}

/// What parsing yields.
pub(super) struct Parsed {
    pub(super) root: Condition,
    pub(super) uses_task: bool,
    pub(super) lints: Vec<Lint>,
}

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Parsed, Error> {
    if text.len() > MAX_LENGTH {
        return Err(Error {
            span: MAX_LENGTH..text.len(),
            message: format!("longer than {MAX_LENGTH} bytes"),
            help: Some("put the decision into an attribute".to_owned()),
        });
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        end: text.len(),
        depth: 0,
        uses_task: false,
        lints: Vec::new(),
    };
    let root = if parser.tokens.is_empty() {
        parser.lint(0..text.len(), "an empty expression matches nobody");
        Condition::Never
    } else {
        parser.any()?
    };
    if let Some((_, span)) = parser.tokens.get(parser.at) {
        let span = span.clone();
        return Err(error(span, "expected AND, OR or the end", None));
    }
    Ok(Parsed {
        root,
        uses_task: parser.uses_task,
        lints: parser.lints,
    })
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
    depth: usize,
    uses_task: bool,
    lints: Vec<Lint>,
}

impl Parser {
    fn any(&mut self) -> Result<Condition, Error> {
        let mut conditions = vec![self.all()?];
        while self.take_word("OR") {
            conditions.push(self.all()?);
        }
        Ok(one_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, Error> {
        let mut conditions = vec![self.single()?];
        while self.take_word("AND") {
            conditions.push(self.single()?);
        }
        Ok(one_or(conditions, Condition::All))
    }

    fn single(&mut self) -> Result<Condition, Error> {
        self.deeper()?;
        let condition = if self.take_word("NOT") {
            Condition::Not(Box::new(self.single()?))
        } else if self.take_sign("(") {
            let condition = self.any()?;
            self.expect(")")?;
            condition
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, Error> {
        let start = self.span().start;
        let left = self.operand()?;
        let Some(operator) = self.operator()? else {
            return match left {
                Operand::Path(_) | Operand::Literal(Value::Bool(_)) => Ok(Condition::True(left)),
                _ => Err(error(
                    start..self.span().start,
                    "a value alone is no condition",
                    Some("compare it with something, such as == 1"),
                )),
            };
        };
        let right = self.operand()?;
        let end = self.tokens[self.at - 1].1.end;
        self.doubt(start..end, &left, operator, &right);
        Ok(Condition::Compare(left, operator, right))
    }

    fn operator(&mut self) -> Result<Option<Operator>, Error> {
        let Some((token, span)) = self.tokens.get(self.at).cloned() else {
            return Ok(None);
        };
        let operator = match &token {
            Token::Sign("==") => Operator::Equal,
            Token::Sign("=") => {
                self.lint(span, "`=` is read as `==`");
                Operator::Equal
            }
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            Token::Word(word) if word.eq_ignore_ascii_case("HAS") => Operator::Has,
            Token::Word(word) if word.eq_ignore_ascii_case("IN") => Operator::In,
            Token::Word(word) if word.eq_ignore_ascii_case("CONTAINS") => Operator::Contains,
            Token::Word(word) if word.eq_ignore_ascii_case("NOT") => {
                self.at += 1;
                if self.take_word("IN") {
                    return Ok(Some(Operator::NotIn));
                }
                return Err(error(self.span(), "expected IN after NOT", None));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(operator))
    }

    fn operand(&mut self) -> Result<Operand, Error> {
        let span = self.span();
        match self.tokens.get(self.at).cloned() {
            Some((Token::Literal(value), _)) => {
                self.at += 1;
                Ok(Operand::Literal(value))
            }
            Some((Token::Sign("["), _)) => {
                self.at += 1;
                self.list()
            }
            Some((Token::Word(word), _)) => {
                self.at += 1;
                match constant(&word) {
                    Some(value) => Ok(Operand::Literal(value)),
                    None if is_reserved(&word) => Err(error(
                        span,
                        &format!("expected a value, found {word}"),
                        Some("a key of this name is written worker[\"...\"]"),
                    )),
                    None => self.path(word),
                }
            }
            Some((Token::Sign(sign), _)) => Err(error(
                span,
                &format!("expected a value, found {sign}"),
                None,
            )),
            None => Err(error(
                span,
                "expected a value, found the end",
                Some("a comparison has two sides, such as skills HAS 'sales'"),
            )),
        }
    }

    fn list(&mut self) -> Result<Operand, Error> {
        self.deeper()?;
        let mut items = Vec::new();
        if !self.take_sign("]") {
            loop {
                items.push(self.operand()?);
                if self.take_sign("]") {
                    break;
                }
                self.expect(",")?;
            }
        }
        self.depth -= 1;
        Ok(Operand::List(items))
    }

    fn path(&mut self, first: String) -> Result<Operand, Error> {
        let follows = matches!(self.tokens.get(self.at), Some((Token::Sign("." | "["), _)));
        let subject = match first.as_str() {
            "worker" if follows => Some(Subject::Worker),
            "task" if follows => Some(Subject::Task),
            _ => None,
        };
        self.uses_task |= subject == Some(Subject::Task);
        let mut steps = Vec::new();
        if subject.is_none() {
            steps.push(Step::Key(first));
        }
        loop {
            if self.take_sign(".") {
                let span = self.span();
                match self.tokens.get(self.at).cloned() {
                    Some((Token::Word(word), _)) => steps.push(Step::Key(word)),
                    _ => return Err(error(span, "expected a key after the dot", None)),
                }
                self.at += 1;
            } else if self.take_sign("[") {
                let span = self.span();
                match self.tokens.get(self.at).cloned() {
                    Some((Token::Literal(Value::String(key)), _)) => steps.push(Step::Key(key)),
                    Some((Token::Literal(Value::Number(number)), _)) if number.is_u64() => {
                        let index = number.as_u64().and_then(|index| index.try_into().ok());
                        steps.push(Step::Index(index.unwrap_or(usize::MAX)));
                    }
                    _ => {
                        let help = "write [2] for the third item, [\"a-b\"] for a key";
                        return Err(error(span, "expected a place or a key", Some(help)));
                    }
                }
                self.at += 1;
                self.expect("]")?;
            } else {
                return Ok(Operand::Path(Path { subject, steps }));
            }
        }
    }

    /// Notes comparisons that can never hold, and those that hold for everybody by accident.
    fn doubt(&mut self, span: Range<usize>, left: &Operand, operator: Operator, right: &Operand) {
        let is_array_operator = matches!(operator, Operator::Has | Operator::In | Operator::NotIn);
        let array = if operator == Operator::Has {
            left
        } else {
            right
        };
        if is_array_operator && matches!(array, Operand::Literal(_)) {
            self.lint(
                span,
                "this side must be an array; a single value never matches",
            );
            return;
        }
        let is_list = |operand: &Operand| matches!(operand, Operand::List(_));
        if !is_array_operator && (is_list(left) || is_list(right)) {
            self.lint(span, "an array is never equal; use HAS, IN or NOT IN");
            return;
        }
        if let (Operand::Literal(a), Operand::Literal(b)) = (left, right)
            && !is_array_operator
            && std::mem::discriminant(a) != std::mem::discriminant(b)
        {
            self.lint(span, "values of different types are never equal");
        }
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at),
            Some((Token::Word(word), _)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn take_sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at),
            Some((Token::Sign(sign), _)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Error> {
        if self.take_sign(wanted) {
            return Ok(());
        }
        Err(error(self.span(), &format!("expected {wanted}"), None))
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            return Ok(());
        }
        let message = format!("nested deeper than {MAX_DEPTH}");
        Err(error(self.span(), &message, None))
    }

    fn span(&self) -> Range<usize> {
        match self.tokens.get(self.at) {
            Some((_, span)) => span.clone(),
            None => self.end..self.end,
        }
    }

    fn lint(&mut self, span: Range<usize>, message: &str) {
        self.lints.push(Lint {
            span,
            message: message.to_owned(),
        });
    }
}

fn one_or(
    mut conditions: Vec<Condition>,
    many: impl FnOnce(Vec<Condition>) -> Condition,
) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            many(conditions)
        }
        None => Condition::Never,
    }
}

fn constant(word: &str) -> Option<Value> {
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    if is("true") {
        Some(Value::Bool(true))
    } else if is("false") {
        Some(Value::Bool(false))
    } else if is("null") {
        Some(Value::Null)
    } else {
        None
    }
}

fn is_reserved(word: &str) -> bool {
    ["AND", "CONTAINS", "HAS", "IN", "NOT", "OR"]
        .iter()
        .any(|reserved| word.eq_ignore_ascii_case(reserved))
}

fn error(span: Range<usize>, message: &str, help: Option<&str>) -> Error {
    Error {
        span,
        message: message.to_owned(),
        help: help.map(str::to_owned),
    }
}
