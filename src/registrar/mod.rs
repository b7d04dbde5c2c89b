//! Where phones are: bindings (RFC 3261 §10).
