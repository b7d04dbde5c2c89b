//! Tokens into a tree. `OR` binds loosest, then `AND`, then `NOT`; parentheses group.

use std::ops::Range;

use serde_json::Value;

use super::error::Error;
use super::lexer::{Placed, Token, tokens};
use super::lint::{Doubt, Lint};
use super::tree::{Comparison, Condition, Operand, Operator, Path, Segment, Step, Term};
use super::{MAX_DEPTH, MAX_LENGTH, Options, Subject};

/// What parsing yields.
pub(super) struct Parsed {
    pub(super) root: Condition,
    pub(super) lints: Vec<Lint>,
}

/// Parses a whole text.
pub(super) fn parse(text: &str, options: Options) -> Result<Parsed, Error> {
    let mut parser = Parser::new(text, options)?;
    let root = if parser.tokens.is_empty() {
        parser.lint(Doubt::Empty, 0..text.len());
        Condition::Never
    } else {
        parser.any()?
    };
    parser.finish("AND, OR")?;
    Ok(Parsed {
        root,
        lints: parser.lints,
    })
}

/// Reads tokens one after the other.
pub(super) struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
    depth: usize,
    options: Options,
    lints: Vec<Lint>,
}

impl Parser {
    /// At the start of a text.
    pub(super) fn new(text: &str, options: Options) -> Result<Self, Error> {
        if text.len() > MAX_LENGTH {
            let message = format!("longer than {MAX_LENGTH} bytes");
            let message_ja = format!("{MAX_LENGTH} バイトを超えています");
            return Err(
                Error::new(MAX_LENGTH..text.len(), message, message_ja).help(
                    "put the decision into an attribute",
                    "判断の結果を属性に入れてください",
                ),
            );
        }
        Ok(Self {
            tokens: tokens(text)?,
            at: 0,
            end: text.len(),
            depth: 0,
            options,
            lints: Vec::new(),
        })
    }

    /// Fails unless everything is read; `wanted` might have gone on.
    pub(super) fn finish(&self, wanted: &str) -> Result<(), Error> {
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some((_, span)) => Err(Error::new(
                span.clone(),
                format!("expected {wanted} or the end"),
                format!("ここには {wanted} か終わりが必要です"),
            )),
        }
    }

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
        let span = self.span();
        let condition = if self.take_word("NOT") {
            self.extension(span, "NOT before a condition")?;
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
        let left = self.sum()?;
        let read = start..self.read_to();
        let Some(operator) = self.operator()? else {
            return match left {
                Operand::Path(_) | Operand::Literal(Value::Bool(_)) => {
                    self.extension(read, "a key alone as a condition")?;
                    Ok(Condition::True(left))
                }
                _ => Err(Error::new(
                    read,
                    "a value alone is no condition",
                    "値だけでは条件になりません",
                )
                .help(
                    "compare it with something, such as == 1",
                    "== 1 のように何かと比べてください",
                )),
            };
        };
        let right = self.sum()?;
        Ok(Condition::Compare(Comparison {
            left,
            operator,
            right,
            span: start..self.read_to(),
        }))
    }

    fn operator(&mut self) -> Result<Option<Operator>, Error> {
        let Some((token, span)) = self.tokens.get(self.at).cloned() else {
            return Ok(None);
        };
        let operator = match &token {
            Token::Sign("==") => Operator::Equal,
            Token::Sign("=") => {
                self.lint(Doubt::SingleEquals, span);
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
            Token::Word(word) if word.eq_ignore_ascii_case("STARTSWITH") => {
                self.extension(span, "STARTSWITH")?;
                Operator::StartsWith
            }
            Token::Word(word) if word.eq_ignore_ascii_case("MATCHES") => {
                let error = Error::new(span, "there is no MATCHES", "MATCHES はありません");
                return Err(error.help(
                    "use STARTSWITH, CONTAINS or IN",
                    "STARTSWITH、CONTAINS、IN を使ってください",
                ));
            }
            Token::Word(word) if word.eq_ignore_ascii_case("NOT") => {
                self.at += 1;
                if self.take_word("IN") {
                    return Ok(Some(Operator::NotIn));
                }
                return Err(Error::new(
                    self.span(),
                    "expected IN after NOT",
                    "NOT の後には IN が必要です",
                ));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(operator))
    }

    /// An operand, or operands with `+ - * /` between them; no parentheses, those group conditions.
    fn sum(&mut self) -> Result<Operand, Error> {
        let first = self.operand()?;
        if !matches!(
            self.tokens.get(self.at),
            Some((Token::Sign("+" | "-" | "*" | "/"), _))
        ) {
            return Ok(first);
        }
        self.extension(self.span(), "arithmetic")?;
        let (mut terms, mut factors) = (Vec::new(), vec![(Step::Multiply, first)]);
        let mut is_subtracted = false;
        loop {
            let step = if self.take_sign("*") {
                Some(Step::Multiply)
            } else if self.take_sign("/") {
                Some(Step::Divide)
            } else {
                None
            };
            if let Some(step) = step {
                factors.push((step, self.operand()?));
                continue;
            }
            terms.push(Term {
                is_subtracted,
                factors: std::mem::take(&mut factors).into(),
            });
            is_subtracted = self.take_sign("-");
            if !is_subtracted && !self.take_sign("+") {
                return Ok(Operand::Sum(terms.into()));
            }
            factors.push((Step::Multiply, self.operand()?));
        }
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
                    None if is_reserved(&word) => Err(Error::new(
                        span,
                        format!("expected a value, found {word}"),
                        format!("ここには値が必要です ({word} がありました)"),
                    )
                    .help(
                        "a key of this name is written worker[\"...\"]",
                        "この名前のキーは worker[\"...\"] と書きます",
                    )),
                    None => self.path(word, span.start).map(Operand::Path),
                }
            }
            Some((Token::Sign(sign), _)) => Err(Error::new(
                span,
                format!("expected a value, found {sign}"),
                format!("ここには値が必要です ({sign} がありました)"),
            )),
            None => Err(Error::new(
                span,
                "expected a value, found the end",
                "ここには値が必要ですが、式が終わっています",
            )
            .help(
                "a comparison has two sides, such as skills HAS 'sales'",
                "比較には skills HAS 'sales' のように両辺が必要です",
            )),
        }
    }

    fn list(&mut self) -> Result<Operand, Error> {
        self.deeper()?;
        let mut items = Vec::new();
        if !self.take_sign("]") {
            loop {
                items.push(self.sum()?);
                if self.take_sign("]") {
                    break;
                }
                self.expect(",")?;
            }
        }
        self.depth -= 1;
        Ok(Operand::List(items.into()))
    }

    /// A path where nothing else may be.
    pub(super) fn lone_path(&mut self) -> Result<Path, Error> {
        let span = self.span();
        match self.tokens.get(self.at).cloned() {
            Some((Token::Word(word), _)) if constant(&word).is_none() && !is_reserved(&word) => {
                self.at += 1;
                self.path(word, span.start)
            }
            _ => Err(
                Error::new(span, "expected an attribute", "ここには属性名が必要です").help(
                    "such as worker.level or worker[\"a-b\"]",
                    "worker.level や worker[\"a-b\"] のように書きます",
                ),
            ),
        }
    }

    fn path(&mut self, first: String, start: usize) -> Result<Path, Error> {
        let follows = matches!(self.tokens.get(self.at), Some((Token::Sign("." | "["), _)));
        let subject = match first.as_str() {
            "worker" if follows => Some(Subject::Worker),
            "task" if follows => Some(Subject::Task),
            _ => None,
        };
        let mut segments = Vec::new();
        if subject.is_none() {
            segments.push(Segment::Key(first));
        }
        loop {
            if self.take_sign(".") {
                let span = self.span();
                match self.tokens.get(self.at).cloned() {
                    Some((Token::Word(word), _)) => segments.push(Segment::Key(word)),
                    _ => {
                        return Err(Error::new(
                            span,
                            "expected a key after the dot",
                            "ドットの後にはキーが必要です",
                        ));
                    }
                }
                self.at += 1;
            } else if self.take_sign("[") {
                let span = self.span();
                match self.tokens.get(self.at).cloned() {
                    Some((Token::Literal(Value::String(key)), _)) => {
                        segments.push(Segment::Key(key));
                    }
                    Some((Token::Literal(Value::Number(number)), _))
                        if number.is_u64() && !segments.is_empty() =>
                    {
                        let index = number.as_u64().and_then(|index| index.try_into().ok());
                        segments.push(Segment::Index(index.unwrap_or(usize::MAX)));
                    }
                    _ => {
                        return Err(Error::new(
                            span,
                            "expected a place or a key",
                            "ここには位置かキーが必要です",
                        )
                        .help(
                            "write [2] for the third item, [\"a-b\"] for a key",
                            "3 番目の要素は [2]、キーは [\"a-b\"] と書きます",
                        ));
                    }
                }
                self.at += 1;
                self.expect("]")?;
            } else {
                return Ok(Path::new(subject, segments, start..self.read_to()));
            }
        }
    }

    /// Fails where only TaskRouter's own language is wanted.
    fn extension(&self, span: Range<usize>, what: &str) -> Result<(), Error> {
        if self.options.extensions {
            return Ok(());
        }
        Err(Error::new(
            span,
            format!("{what} is no part of TaskRouter's language"),
            format!("TaskRouter の式にはない書き方です ({what})"),
        ))
    }

    /// Takes the next word if it is `wanted`, in any case.
    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at),
            Some((Token::Word(word), _)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    /// Takes the next sign if it is `wanted`.
    pub(super) fn take_sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at),
            Some((Token::Sign(sign), _)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Error> {
        if self.take_sign(wanted) {
            return Ok(());
        }
        Err(Error::new(
            self.span(),
            format!("expected {wanted}"),
            format!("ここには {wanted} が必要です"),
        ))
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(Error::new(
            self.span(),
            format!("nested deeper than {MAX_DEPTH}"),
            format!("入れ子が {MAX_DEPTH} 段を超えています"),
        ))
    }

    /// Where the next token stands; the end if there is none.
    pub(super) fn span(&self) -> Range<usize> {
        match self.tokens.get(self.at) {
            Some((_, span)) => span.clone(),
            None => self.end..self.end,
        }
    }

    /// Where the last token ends.
    fn read_to(&self) -> usize {
        let last = self
            .at
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last));
        last.map_or(0, |(_, span)| span.end)
    }

    fn lint(&mut self, doubt: Doubt, span: Range<usize>) {
        self.lints.push(Lint::new(doubt, span));
    }
}

fn one_or(
    mut conditions: Vec<Condition>,
    many: impl FnOnce(Box<[Condition]>) -> Condition,
) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            many(conditions.into())
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
