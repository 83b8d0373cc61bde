//! Who may do what, where, and under which conditions.
//!
//! [`PolicyRules::decide`] is one pure function of what somebody wants, what the policy file says, and
//! what is known of elevation, freeze and approvals. It asks nobody: the caller brings all of that
//! along, and records what came of it.

mod access_level;
mod action;
mod approval;
mod decide;
mod decision;
mod elevation;
mod freeze;
mod glob;
mod reason;
mod request;
mod rules;

pub use access_level::{AccessLevel, UnknownAccessLevel};
pub use action::{Action, UnknownAction};
pub use approval::{APPROVAL_LASTS, Approval, ApprovalRow, same_person};
pub use decision::{Above, PolicyDecision, PolicyRefusal};
pub use elevation::{ELEVATION_MAX, Elevation, ElevationError};
pub use freeze::{Freeze, FreezeError};
pub use reason::{REASON_BYTES_MAX, ReasonError, parse_reason};
pub use request::AccessRequest;
pub use rules::{Allow, Deny, FourEyes, PolicyRules, RulesError, RulesFile};

/// How far the clocks of two machines may be apart: what is dated later than that is not believed.
const CLOCKS_APART: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
