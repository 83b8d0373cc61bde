//! The newest entries of the audit record.

use payops_core::domain::audit::AuditEntry;

use super::{Cursor, Filter, Pane};
use crate::redact::redact;

#[derive(Debug, Default)]
pub(crate) struct AuditState {
    /// Entries, newest first, and how many lines of the record are damaged.
    pub(crate) record: Pane<(Vec<AuditEntry>, u64)>,
    /// The environment that `record` belongs to.
    pub(crate) env: Option<String>,
    pub(crate) cursor: Cursor,
    pub(crate) filter: Filter,
    /// Places of the entries that match the filter.
    pub(crate) matching: Vec<usize>,
}

impl AuditState {
    pub(crate) fn entries(&self) -> &[AuditEntry] {
        self.record
            .value()
            .map_or(&[], |(entries, _)| entries.as_slice())
    }

    pub(crate) fn entry(&self, place: usize) -> Option<&AuditEntry> {
        self.matching
            .get(place)
            .and_then(|place| self.entries().get(*place))
    }

    pub(crate) fn damaged_lines(&self) -> u64 {
        self.record.value().map_or(0, |(_, damaged)| *damaged)
    }
}

/// What an entry is searched by and copied as: what is on screen, and no more.
pub(crate) fn audit_text(entry: &AuditEntry) -> String {
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    redact(&format!(
        "{} {} {} {} {}",
        entry.who,
        entry.env,
        entry.action,
        some(&entry.subject),
        some(&entry.reason)
    ))
}
