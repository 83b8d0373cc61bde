//! The archive of accepted requests.

use async_trait::async_trait;

use super::PortResult;

/// What came of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// Written, durable; an "Object Created" event is on its way.
    Created,
    /// An object of that key stands there already; nothing was written and no event made.
    Exists {
        /// Its SHA-256, lower-case hexadecimal.
        sha256: String,
    },
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveHead {
    /// The whole key, as [`Archive::get`] takes it.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePage {
    /// The objects, in order of key.
    pub objects: Vec<ArchiveHead>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// The archive. Objects are written once and never changed.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Writes an object unless one of that key is there. Of many at once, one creates it.
    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> PortResult<PutOutcome>;

    /// The object's bytes as stored, whether or not they are what was put.
    async fn get(&self, key: &str) -> PortResult<Option<Vec<u8>>>;

    /// Objects in order of key, from `from` (a former page's `next`).
    async fn list(&self, from: Option<&str>, limit: usize) -> PortResult<ArchivePage>;
}
