//! SQLite: journal, records, bindings.
