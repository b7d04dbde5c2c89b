//! The line a caller stands in: music, position, overflow.
