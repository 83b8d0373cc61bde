//! Replay of dead letters: a plan that names every message and what becomes of it, a file of it
//! that others can approve, and a journal from which a replay that was cut off goes on.

mod disposition;
mod edit;
mod file;
#[cfg(test)]
mod hash;
mod journal;
mod plan;

pub use disposition::{
    Disposition, Preflight, REPLAYS_MAX, ReplayLimits, decide_disposition, estimate,
};
pub use edit::{DiffLine, Edit, EditError, Edited, LineChange, Set, apply_edit};
pub use file::ReplayPlanFile;
pub use journal::{Canary, JournalEntry, Progress};
pub use plan::{CauseSummary, PlannedEdit, PlannedMessage, ReplayPlan};

pub use super::planned::{APPROVAL_MAX, PlanApproval, PlanFileError, SCHEMA, plan_sha256};
