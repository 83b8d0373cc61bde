//! The embedded adapters in folders of the tests.

mod conformance;
mod files;
mod redrives;
mod sqlite;
