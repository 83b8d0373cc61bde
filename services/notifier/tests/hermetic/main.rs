//! The notifier on SQLite stores and a folder of mails.

#![expect(
    clippy::expect_used,
    reason = "tests and their helpers say what they expect by panicking"
)]

mod notifier;
