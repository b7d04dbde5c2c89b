//! The composition root: builds every room and joins them.
