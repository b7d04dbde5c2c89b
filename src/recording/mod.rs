//! Recording files: naming, sidecar, publish, recovery.
