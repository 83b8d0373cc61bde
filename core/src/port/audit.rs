//! The record of what operators did.

use async_trait::async_trait;

use super::{PortError, PortResult};
use crate::domain::audit::{AuditEntry, ShippedLine};

/// That record, to read. Only the guarded act adds to it.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// The newest entries, newest first, at most `limit`; and how many lines could not be read.
    async fn newest(&self, limit: usize) -> PortResult<(Vec<AuditEntry>, u64)>;
}

/// Another place where lines of the record are kept too, out of reach of whoever can change the
/// record.
#[async_trait]
pub trait AuditPlace: Send + Sync {
    /// Takes lines in their order. A line that it has already may be kept twice.
    async fn take(&self, lines: &[ShippedLine]) -> Taken;
}

/// What became of lines that were to be taken.
#[derive(Debug)]
pub struct Taken {
    /// So many from the first on are there for certain.
    pub count: usize,
    /// Why not all of them.
    pub error: Option<PortError>,
}
