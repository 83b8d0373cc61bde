//! The whole platform in one process on one data directory.
