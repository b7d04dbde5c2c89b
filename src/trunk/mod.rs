//! Carriers: trunks, choice, number plan.
