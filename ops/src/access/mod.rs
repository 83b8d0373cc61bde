//! Whether an operator may act: the policy file, elevations, freezes, approvals, plan files.

mod elevations;
mod freeze_file;
mod freezes;
mod login;
pub mod plan_file;
mod policy;

use payops_core::domain::access::AccessLevel;

use crate::environment::Environment;

pub use elevations::Elevations;
pub(crate) use freeze_file::FileFreezeStore;
pub use login::Identity;
pub use policy::{POLICY_FILE, read_policy};

/// The access level that is everybody's without an elevation.
#[must_use]
pub fn standing_level(env: &Environment) -> AccessLevel {
    if env.protected {
        AccessLevel::View
    } else {
        AccessLevel::Operate
    }
}
