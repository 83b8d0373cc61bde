//! Replay of dead letters: a plan that names every message and what becomes of it, a file of it
//! that others can approve, and a journal from which a replay that was cut off goes on.

mod edit;
mod file;
mod hash;
mod journal;
mod plan;
mod verdict;

pub use edit::{Change, DiffLine, Edit, EditError, Edited, Set, apply_edit};
pub use file::{APPROVAL_MAX, PlanApproval, PlanFile, PlanFileError, SCHEMA};
pub use hash::plan_sha256;
pub use journal::{Canary, JournalEntry, Progress};
pub use plan::{CauseSummary, Plan, PlannedEdit, PlannedMessage, Preflight, REPLAYS_MAX};
pub use verdict::{Rules, Verdict, estimate, verdict};
