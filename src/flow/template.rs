//! Texts with `{{ ... }}` in them, filled in from what is known about a call (the language of
//! Jinja, through minijinja). No files, no includes, no macros; what a text may cost is limited.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use minijinja::{filters, functions, tests as asked};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A text that may have `{{ ... }}` and `{% ... %}` in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFault {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text; `None` when that is not known.
    pub at: Option<Range<usize>>,
}

/// Instructions one text may take; the longest that a person writes takes some hundred.
const FUEL: u64 = 20_000;
/// Most bytes of a text filled in, cut there; a task's attributes are limited likewise.
const MAX_LENGTH: usize = 16 * 1024;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    give_words(&mut engine);
    engine.set_debug(false);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(32);
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    // A telephone number is no web page.
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine
});

/// The filters, tests and functions of texts. The language has more, some of which make much of
/// little, such as `indent`: fuel counts instructions, not what one of them takes.
fn give_words(engine: &mut Environment<'static>) {
    engine.add_filter("abs", filters::abs);
    engine.add_filter("capitalize", filters::capitalize);
    engine.add_filter("default", filters::default);
    engine.add_filter("first", filters::first);
    engine.add_filter("float", filters::float);
    engine.add_filter("int", filters::int);
    engine.add_filter("join", join);
    engine.add_filter("last", filters::last);
    engine.add_filter("length", filters::length);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("replace", replace);
    engine.add_filter("round", filters::round);
    engine.add_filter("split", filters::split);
    engine.add_filter("title", filters::title);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("upper", filters::upper);
    engine.add_filter("urlencode", filters::urlencode);
    engine.add_test("boolean", asked::is_boolean);
    engine.add_test("defined", asked::is_defined);
    engine.add_test("endingwith", asked::is_endingwith);
    engine.add_test("even", asked::is_even);
    engine.add_test("integer", asked::is_integer);
    engine.add_test("mapping", asked::is_mapping);
    engine.add_test("none", asked::is_none);
    engine.add_test("number", asked::is_number);
    engine.add_test("odd", asked::is_odd);
    engine.add_test("sequence", asked::is_sequence);
    engine.add_test("startingwith", asked::is_startingwith);
    engine.add_test("string", asked::is_string);
    engine.add_test("undefined", asked::is_undefined);
    engine.add_function(RANGE, functions::range);
}

/// As the language's own, but what is too long is an error before it is made.
fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let many = match from.is_empty() {
        true => text.chars().count() + 1,
        false => text.matches(&*from).count(),
    };
    match many.saturating_mul(to.len()) > MAX_LENGTH {
        true => Err(too_long()),
        false => Ok(text.replace(&from, &to)),
    }
}

fn join(items: Vec<minijinja::Value>, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut joined = String::new();
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            joined.push_str(&between);
        }
        joined.push_str(&item.to_string());
        if joined.len() > MAX_LENGTH {
            return Err(too_long());
        }
    }
    Ok(joined)
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidOperation, "the text is too long")
}

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Template {
    /// A text as written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it says the same for every call.
    pub fn is_plain(&self) -> bool {
        is_plain(&self.0)
    }

    /// Every variable it looks at, such as `call.from`; or why it is no template.
    pub fn variables(&self) -> Result<BTreeSet<String>, TemplateFault> {
        variables(&self.0)
    }

    /// The text for a call. What is unknown is empty; a text that cannot be filled in is too.
    pub fn render(&self, names: &Map<String, Value>) -> String {
        as_text(&render(&self.0, names))
    }
}

/// The value with every text in it filled in. A text that is one expression and nothing else, such
/// as `"{{ reply.count }}"`, becomes what the expression is: a number stays a number.
pub(super) fn render_value(value: &Value, names: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => render(text, names),
        Value::Array(items) => items.iter().map(|item| render_value(item, names)).collect(),
        Value::Object(map) => render_map(map, names).into(),
        other => other.clone(),
    }
}

/// The same of every value of a table; its keys stay as they are written.
pub(super) fn render_map(
    map: &Map<String, Value>,
    names: &Map<String, Value>,
) -> Map<String, Value> {
    let filled = map
        .iter()
        .map(|(key, value)| (key.clone(), render_value(value, names)));
    filled.collect()
}

/// Every text in a value that is to be filled in.
pub(super) fn templates_in<'v>(value: &'v Value, see: &mut dyn FnMut(&'v str)) {
    match value {
        Value::String(text) if !is_plain(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| templates_in(item, see)),
        Value::Object(map) => map.values().for_each(|item| templates_in(item, see)),
        _ => {}
    }
}

/// Every variable a text looks at, such as `call.from`; or why it is no template.
pub(super) fn variables(text: &str) -> Result<BTreeSet<String>, TemplateFault> {
    if is_plain(text) {
        return Ok(BTreeSet::new());
    }
    if let Some(at) = keeps(text) {
        return Err(TemplateFault {
            message: "texts keep nothing: a step `set` does".to_owned(),
            at: Some(at),
        });
    }
    let template = ENGINE
        .template_from_str(text)
        .map_err(|error| fault(&error))?;
    // Filters and functions are looked for when a text is filled in.
    match template.render(Map::new()) {
        Err(error) if is_unknown(&error) => Err(fault(&error)),
        _ => {
            let mut names = template.undeclared_variables(true);
            names.retain(|name| name != RANGE);
            Ok(names.into_iter().collect())
        }
    }
}

/// As a person would say it: a whole number without a fraction, nothing for null.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

fn render(text: &str, names: &Map<String, Value>) -> Value {
    if is_plain(text) {
        return Value::String(text.to_owned());
    }
    let filled = match whole_expression(text) {
        Some(expression) => evaluate(expression, names),
        None => fill_in(text, names).map(Value::String),
    };
    filled.unwrap_or_else(|error| {
        tracing::warn!(%error, "a text of a flow cannot be filled in");
        Value::String(String::new())
    })
}

fn fill_in(text: &str, names: &Map<String, Value>) -> Result<String, Error> {
    let mut filled = Limited(Vec::new());
    let template = ENGINE.template_from_str(text)?;
    template.render_captured_to(names, &mut filled)?;
    let Limited(bytes) = filled;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn evaluate(expression: &str, names: &Map<String, Value>) -> Result<Value, Error> {
    let value = ENGINE.compile_expression(expression)?.eval(names)?;
    if value.is_undefined() || value.is_none() {
        return Ok(Value::String(String::new()));
    }
    let value = serde_json::to_value(&value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    if value.is_null() {
        // What JSON has no number for, such as 1 / 0.
        return Ok(Value::String(String::new()));
    }
    match value.to_string().len() > MAX_LENGTH {
        true => Err(Error::new(ErrorKind::WriteFailure, "it is too long")),
        false => Ok(value),
    }
}

/// What stands between the braces of a text that is one expression and nothing else.
fn whole_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    let is_one = !["{{", "}}", "{%", "{#"]
        .iter()
        .any(|mark| inner.contains(mark));
    is_one.then(|| inner.trim())
}

fn is_unknown(error: &Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest
    ) || kind == ErrorKind::InvalidOperation
        && error.detail().is_some_and(|it| it.contains("unknown"))
}

fn fault(error: &Error) -> TemplateFault {
    TemplateFault {
        message: match error.detail() {
            Some(detail) => detail.to_owned(),
            None => error.kind().to_string(),
        },
        at: error.range(),
    }
}

/// The one function that texts have.
const RANGE: &str = "range";

/// Where a text keeps something under a name: what is kept and joined with itself time and again
/// doubles each time, for a few instructions.
fn keeps(text: &str) -> Option<Range<usize>> {
    text.match_indices("{%").find_map(|(at, mark)| {
        let inner = text[at + mark.len()..].trim_start_matches(['-', '+']);
        let word = inner.trim_start().strip_prefix("set")?;
        word.starts_with(char::is_whitespace)
            .then_some(at..text.len() - word.len())
    })
}

/// Takes no more than [`MAX_LENGTH`] bytes.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_LENGTH {
            return Err(io::Error::other("the text is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Map<String, Value> {
        let names = json!({
            "call": {"from": "+81901", "id": "c-1"},
            "attributes": {"count": 3, "tags": ["a", "b"], "name": "山田", "long": "x".repeat(9000)},
        });
        names.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn texts_are_filled_in_and_single_expressions_keep_their_type() {
        for (text, expected) in [
            ("plain", json!("plain")),
            ("{{ call.from }}", json!("+81901")),
            ("{{ attributes.count }}", json!(3)),
            ("{{ attributes.count + 1 }}", json!(4)),
            ("{{ attributes.tags }}", json!(["a", "b"])),
            ("{{ attributes.count == 3 }}", json!(true)),
            ("n={{ attributes.count }}", json!("n=3")),
            ("{{ call.from }}{{ call.id }}", json!("+81901c-1")),
            (
                "{% if attributes.count > 2 %}many{% else %}few{% endif %}",
                json!("many"),
            ),
            ("{{ attributes.name | upper }}さま", json!("山田さま")),
            ("{{ call.from | replace('+81', '0') }}", json!("0901")),
            ("{{ attributes.tags | join(', ') }}", json!("a, b")),
            ("{{ attributes.tags | length }}", json!(2)),
            (
                "{{ 'é' if attributes.x is undefined else 'x' }}",
                json!("é"),
            ),
            ("<{{ \"<b>\" }}>", json!("<<b>>")),
        ] {
            assert_eq!(render(text, &names()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_empty() {
        for text in [
            "{{ nothing }}",
            "{{ call.nothing }}",
            "{{ a.b.c.d }}",
            "{{ attributes.none.at.all }}",
            "{% for i in nothing %}{{ i }}{% endfor %}",
            "{{ nothing | default('') }}",
        ] {
            assert_eq!(render(text, &names()), json!(""), "{text}");
        }
    }

    #[test]
    fn a_text_that_costs_too_much_is_empty() {
        for text in [
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "{{ attributes.long }}{{ attributes.long }}",
            "{{ attributes.long ~ attributes.long }}",
            "{{ attributes.long | replace('x', attributes.long) }}",
            "{{ attributes.long | replace('', attributes.long) }}",
            "{{ attributes.tags | join(attributes.long ~ attributes.long) }}",
            "{{ 'x' * 1000000000000 }}",
            "{{ 1 / 0 }}",
        ] {
            assert_eq!(render(text, &names()), json!(""), "{text}");
        }
    }

    #[test]
    fn variables_are_found_and_mistakes_have_a_place() {
        let found = variables("{{ call.fron }} {% if attributes.x %}{{ a }}{% endif %}");
        let found: Vec<String> = found.expect("good").into_iter().collect();
        assert_eq!(found, ["a", "attributes.x", "call.fron"]);
        for (text, at) in [("a {{ b", None), ("{{ a | nothing }}", Some("nothing"))] {
            let fault = variables(text).expect_err(text);
            if let Some(at) = at {
                let range = fault.at.clone().expect("a place");
                assert!(text[range].contains(at), "{fault:?}");
            }
            assert!(!fault.message.is_empty());
        }
    }

    #[test]
    fn files_macros_and_loops_without_end_are_not_there() {
        for text in [
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% macro a() %}{% endmacro %}",
            "{% set a = 'a' %}{{ a }}",
            "{%- set a %}a{% endset %}",
            "{{ namespace(a=1).a }}",
            "{{ 'x' | indent(1000000000000000) }}",
            "{{ ([0] * 4000000000) | list }}",
        ] {
            assert!(variables(text).is_err(), "{text}");
        }
    }
}
