//! Any text as a TaskRouter document: refused with places in it, or read, linted and printed again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tsunagu::expr::Schema;
use tsunagu::router::{Document, DocumentPlaces};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let document = match Document::parse("fuzzed", text) {
        Ok(document) => document,
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(text.get(fault.span).is_some());
            }
            return;
        }
    };
    let places = DocumentPlaces::of(text);
    for lint in document.workflow.lints(&Schema::default()) {
        assert!(text.get(places.span_of(&lint.spot)).is_some());
    }
    let printed = document.workflow.to_document(&[]).to_string();
    let again = Document::parse("fuzzed", &printed).expect("what we print is read");
    assert_eq!(again.workflow, document.workflow);
});
