//! One media worker: a thread that owns its legs and rooms whole.

mod outbound;
