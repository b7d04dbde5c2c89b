//! The configuration directory: parse, check everything, report every error at once.
