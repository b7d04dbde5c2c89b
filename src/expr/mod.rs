//! The attribute expression language: parse, check, eval; total, bounded, no I/O.
