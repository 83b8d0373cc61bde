//! Who may do what, where, and under which conditions.
//!
//! [`Rules::decide`] is one pure function of what somebody wants, what the policy file says, and
//! what is known of elevation, freeze and approvals. It asks nobody: the caller brings all of that
//! along, and records what came of it.

mod approval;
mod ask;
mod decide;
mod deed;
mod duty;
mod elevation;
mod freeze;
mod glob;
mod reason;
mod rules;
mod verdict;

pub use approval::{APPROVAL_LASTS, Approval, ApprovalRow, same_person};
pub use ask::Ask;
pub use deed::{Deed, UnknownDeed};
pub use duty::{Duty, UnknownDuty};
pub use elevation::{ELEVATION_MAX, Elevation, ElevationError};
pub use freeze::{Freeze, FreezeError};
pub use reason::{REASON_BYTES_MAX, ReasonError, parse_reason};
pub use rules::{Allow, Deny, FourEyes, Rules, RulesError, RulesFile};
pub use verdict::{Above, Refusal, Verdict};

/// How far the clocks of two machines may be apart: what is dated later than that is not believed.
const CLOCKS_APART: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
