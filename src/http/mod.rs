//! Metrics, health and the API.

pub mod metrics;
