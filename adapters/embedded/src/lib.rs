//! The ports on one machine: SQLite, files, in-process bus.
