//! Flow documents: what a caller hears and may decide.
