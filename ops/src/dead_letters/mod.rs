//! Dead letters: choosing them, planning what becomes of them, and doing it.
//!
//! What only looks uses [`Session::ports`](crate::session::Session::ports); what changes something
//! is an act of the session. Plans are made first and change nothing, so that they can be shown.

mod claim;
mod consumer;
pub mod control;
mod discard;
mod edit;
mod export;
pub mod filters;
pub mod for_screen;
pub mod journal;
mod peek;
mod plan;
mod queue;
mod redrive;
mod replay;
mod report;
mod select;
pub mod snapshot;

pub use claim::{QueueClaim, claim_free_queue, claim_queue, is_replay_interrupted};
pub use consumer::consumer_warnings;
pub use control::{OnProgress, RunOptions};
pub use discard::{DiscardReport, discard, plan_discard};
pub use edit::{EditPlan, diff_edit, plan_edit};
pub use export::{export_document, export_to};
pub use peek::{PeekReport, peek};
pub use plan::{ReplayOptions, approve_plan, check_may_approve, plan_replay, read_plan};
pub use queue::{find_dead_letter, find_queue, refuse_while_redriving};
pub use redrive::{
    RedriveCancel, RedrivePlan, RedriveReport, RedriveWait, cancel_redrive, list_redrives,
    plan_redrive, plan_redrive_cancel, redrive,
};
pub use replay::{PreparedReplay, ReplayOutcome, plan_act, replay};
pub use report::{MessageFailure, PreflightCounts, ReplayReport, describe_plan};
pub use select::{Look, Selected, Selection, select};
