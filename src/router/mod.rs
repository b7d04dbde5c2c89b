//! Attribute routing: tasks, workers, queues, reservations: one pure state machine.
