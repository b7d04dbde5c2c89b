//! The system: clock, signals, service manager, logging.
