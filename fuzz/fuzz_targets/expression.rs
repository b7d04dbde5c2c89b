//! Any text as an expression and as an order: judged or refused, and nobody for whom it holds is left
//! out by the index.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use tsunagu::expr::{AttributeIndex, Expression, OrderBy, Place, Schema, Scope};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let attributes = json!({"skills": ["ja", "en"], "level": 3, "name": "佐藤", "a": {"b": [1, null]}});
    let attributes: Map<String, Value> = attributes.as_object().cloned().unwrap_or_default();
    if let Ok(order) = OrderBy::parse(text) {
        assert!(order.compare(&attributes, &attributes).is_eq());
    }
    match Expression::parse(text) {
        Ok(expression) => {
            let holds = expression.eval(&Scope::new(&attributes, &attributes));
            let index = AttributeIndex::build([&attributes]);
            if let Some(candidates) = expression.candidates(&attributes, &index) {
                assert!(!holds || candidates == [0]);
            }
            let schema = Schema::default().workers([&attributes]);
            for lint in expression.check(Place::Queue, &schema) {
                assert!(text.get(lint.span).is_some());
            }
        }
        Err(error) => assert!(text.get(error.span).is_some()),
    }
});
