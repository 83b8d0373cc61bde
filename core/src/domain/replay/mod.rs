//! Replay of dead letters: a plan that names every message and what becomes of it, a file of it
//! that others can approve, and a journal from which a replay that was cut off goes on.

mod edit;
mod file;
#[cfg(test)]
mod hash;
mod journal;
mod plan;
mod verdict;

pub use edit::{Change, DiffLine, Edit, EditError, Edited, Set, apply_edit};
pub use file::PlanFile;
pub use journal::{Canary, JournalEntry, Progress};
pub use plan::{CauseSummary, Plan, PlannedEdit, PlannedMessage, Preflight, REPLAYS_MAX};
pub use verdict::{Rules, Verdict, estimate, verdict};

pub use super::planned::{APPROVAL_MAX, PlanApproval, PlanFileError, SCHEMA, plan_sha256};
