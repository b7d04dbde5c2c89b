//! Questions to hostile endpoints.
