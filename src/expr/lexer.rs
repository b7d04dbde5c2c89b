//! Text into tokens with their places.

use std::ops::Range;

use serde_json::{Number, Value};

use super::Error;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A key, or a word that the parser may take for an operator.
    Word(String),
    /// A string or a number.
    Literal(Value),
    /// Punctuation or an operator of signs.
    Sign(&'static str),
}

/// A token and where it stands, in bytes.
pub(super) type Placed = (Token, Range<usize>);

/// Longest first, so that `==` is not read as `=` twice.
const SIGNS: [&str; 16] = [
    "==", "!=", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", ",", ".", "+", "*", "/",
];

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Error> {
    let mut tokens: Vec<Placed> = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let is_after_blank = text[..at].ends_with(char::is_whitespace);
        let (token, length) = if first == '"' || first == '\'' {
            string(rest, at)?
        } else if first == '-' && is_after_blank && rest[1..].starts_with(char::is_whitespace) {
            // Blanks on both sides: `customer-value` is somebody's key, no subtraction.
            (Token::Sign("-"), 1)
        } else if first.is_ascii_digit() || first == '-' {
            number(rest, at)?
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), sign.len())
        } else if is_key(first) {
            let length = rest.find(|c| !is_key(c)).unwrap_or(rest.len());
            (Token::Word(rest[..length].to_owned()), length)
        } else {
            return Err(stray(first, at));
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

/// Whether a key may hold `c`: letters and digits of any script, their marks, and `_`.
fn is_key(c: char) -> bool {
    match c {
        '_' | '0'..='9' | 'a'..='z' | 'A'..='Z' => true,
        _ if c.is_ascii() || c.is_whitespace() || c.is_control() => false,
        _ => !is_full_width_sign(c),
    }
}

/// `＝`, `（` and their kind: what a Japanese keyboard gives instead of the sign that was meant.
fn is_full_width_sign(c: char) -> bool {
    matches!(c, '\u{FF01}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}'
        | '\u{FF3B}'..='\u{FF3E}' | '\u{FF5B}'..='\u{FF5E}' | '\u{201C}'..='\u{201D}'
        | '\u{2018}'..='\u{2019}')
}

fn string(rest: &str, at: usize) -> Result<(Token, usize), Error> {
    let mut content = String::new();
    let mut chars = rest.char_indices();
    let Some((_, quote)) = chars.next() else {
        return Err(stray(' ', at));
    };
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            return Ok((Token::Literal(Value::String(content)), offset + 1));
        }
        if c != '\\' {
            content.push(c);
            continue;
        }
        match chars.next() {
            Some((_, c @ ('\\' | '\'' | '"'))) => content.push(c),
            Some((_, 'n')) => content.push('\n'),
            Some((_, 't')) => content.push('\t'),
            _ => {
                let span = at + offset..at + offset + 1;
                let error = Error::new(
                    span,
                    "unknown escape in a string",
                    "文字列の中に不明なエスケープがあります",
                );
                return Err(error.help(
                    r"write a backslash as \\",
                    r"バックスラッシュは \\ と書きます",
                ));
            }
        }
    }
    let error = Error::new(
        at..at + rest.len(),
        "string without end",
        "文字列が閉じていません",
    );
    Err(error.help(
        format!("close it with {quote}"),
        format!("{quote} で閉じてください"),
    ))
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Error> {
    let digits = |from: usize| {
        let tail = &rest[from..];
        from + tail
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(tail.len())
    };
    let sign = usize::from(rest.starts_with('-'));
    let mut end = digits(sign);
    let wrong = |end: usize, message: &str, message_ja: &str| {
        Error::new(at..at + end.max(1), message, message_ja).help(
            "numbers look like 5, -5 or 5.25; a key with a hyphen is written worker[\"a-b\"]",
            "数値は 5、-5、5.25 のように、ハイフンを含むキーは worker[\"a-b\"] のように書きます",
        )
    };
    if end == sign {
        return Err(wrong(
            end,
            "a sign without a number",
            "符号の後に数値がありません",
        ));
    }
    let mut whole = true;
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
        whole = false;
    }
    if rest[end..].starts_with(is_key) {
        let length = rest[end..].chars().next().map_or(1, char::len_utf8);
        return Err(wrong(
            end + length,
            "a number runs into a word",
            "数値の直後に文字が続いています",
        ));
    }
    let text = &rest[..end];
    let exact = match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(number), _) if whole => Some(Number::from(number)),
        (_, Ok(number)) if whole => Some(Number::from(number)),
        _ => text.parse::<f64>().ok().and_then(Number::from_f64),
    };
    match exact {
        Some(number) => Ok((Token::Literal(Value::Number(number)), end)),
        None => Err(wrong(end, "a number out of range", "数値が範囲外です")),
    }
}

fn stray(c: char, at: usize) -> Error {
    let error = Error::new(
        at..at + c.len_utf8(),
        format!("{c:?} has no meaning here"),
        format!("{c:?} はここでは使えません"),
    );
    match c {
        '&' => error.help("write AND", "AND と書きます"),
        '|' => error.help("write OR", "OR と書きます"),
        '!' => error.help(
            "write NOT, or != between two values",
            "NOT と書くか、二つの値の間に != を書きます",
        ),
        _ if is_full_width_sign(c) => error.help(
            "type it as a half-width sign",
            "半角の記号で入力してください",
        ),
        _ => error,
    }
}
