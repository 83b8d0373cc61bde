//! A plan as a file: what one person wants to do, its hash, and who approved it. What is planned is
//! somebody else's to say: dead letters to send again, money to pay back.

use std::collections::BTreeSet;
use std::fmt::Debug;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::access::same_person;
use super::sha256_hex;
use crate::Timestamp;

/// The form of plan files that this version writes and reads.
pub const SCHEMA: u32 = 1;
pub const APPROVAL_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How far the clocks of two machines may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// Something that is planned by one person, and may be looked at by another before it is done.
pub trait Planned: Serialize + Debug {
    fn at(&self) -> Timestamp;
    fn by(&self) -> &str;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanApproval {
    pub by: String,
    pub at: Timestamp,
    pub sha256: String,
}

/// A plan as it is written to a file, for others to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile<P> {
    pub schema: u32,
    pub plan: P,
    /// The hash of the plan, see [`plan_sha256`].
    pub sha256: String,
    #[serde(default)]
    pub approvals: Vec<PlanApproval>,
}

/// Why a plan file must not be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    /// Of a form that this version does not know.
    #[error("the plan file has schema {found}; this payops reads schema {SCHEMA}")]
    Schema { found: u32 },
    #[error("the plan was changed: its hash is {found}, but the file says {written}")]
    Changed { found: String, written: String },
    #[error("the plan of {at} expired after 24 hours; plan again")]
    Old { at: Timestamp },
    #[error("{by} approved a different plan, with the hash {approved}")]
    OtherApproved { by: String, approved: String },
    /// An approval older than [`APPROVAL_MAX`].
    #[error("the approval by {by} expired after 24 hours")]
    ApprovalOld { by: String },
    /// A plan or an approval that is yet to be made.
    #[error("{what} has the time {at}, which is in the future; check the clocks")]
    Future { what: String, at: Timestamp },
}

impl<P: Planned> PlanFile<P> {
    /// The file of `plan`, which nobody has approved yet.
    #[must_use]
    pub fn new(plan: P) -> Self {
        Self {
            schema: SCHEMA,
            sha256: plan_sha256(&plan),
            plan,
            approvals: Vec::new(),
        }
    }

    /// Adds an approval of the plan as it is; an earlier one of the same person is replaced.
    pub fn approve(&mut self, by: &str, at: Timestamp) {
        self.approvals.retain(|approval| approval.by != by);
        self.approvals.push(PlanApproval {
            by: by.to_owned(),
            at,
            sha256: plan_sha256(&self.plan),
        });
    }

    /// Whether the plan is whole, not too old, and every approval is of it and not too old. How
    /// many approvals are needed is not asked here.
    pub fn check(&self, now: Timestamp) -> Result<(), PlanFileError> {
        if self.schema != SCHEMA {
            return Err(PlanFileError::Schema { found: self.schema });
        }
        let found = plan_sha256(&self.plan);
        if found != self.sha256 {
            return Err(PlanFileError::Changed {
                found,
                written: self.sha256.clone(),
            });
        }
        let age = |at: Timestamp| now.duration_since(at);
        let future = |what: String, at: Timestamp| PlanFileError::Future { what, at };
        if age(self.plan.at()) > APPROVAL_MAX {
            return Err(PlanFileError::Old { at: self.plan.at() });
        }
        if age(self.plan.at()) < -CLOCKS_APART {
            return Err(future("the plan".to_owned(), self.plan.at()));
        }
        for PlanApproval { by, at, sha256 } in &self.approvals {
            if *sha256 != found {
                return Err(PlanFileError::OtherApproved {
                    by: by.clone(),
                    approved: sha256.clone(),
                });
            }
            if age(*at) > APPROVAL_MAX {
                return Err(PlanFileError::ApprovalOld { by: by.clone() });
            }
            if age(*at) < -CLOCKS_APART {
                return Err(future(format!("the approval by {by}"), *at));
            }
        }
        Ok(())
    }

    /// Who approved the plan, its maker left out. Only of a file that passed [`PlanFile::check`].
    #[must_use]
    pub fn approvers(&self) -> BTreeSet<&str> {
        self.approvals
            .iter()
            .map(|approval| approval.by.as_str())
            .filter(|by| !same_person(by, self.plan.by()))
            .collect()
    }
}

/// The lower-case hexadecimal SHA-256 of the canonical form of `plan`:
///
/// - The plan as JSON, UTF-8, all members written, those without a value as `null`.
/// - The members of every object in the order of their names (by code point), no spaces or line
///   breaks between the parts, no line break at the end.
/// - Of strings only `"`, `\\` and control characters are escaped, the latter as `\b \f \n \r \t`
///   or
///   `\u00xx`; numbers are whole and in plain digits (only a value that an
///   edit puts into a body may have a fraction: the shortest digits that give it back); times are
///   RFC 3339 in UTC.
///
/// `jq -cjS .plan plan.json | sha256sum` gives the same. Whatever is changed in a plan, be it the
/// order of its messages, changes the hash; the order in which a file has its members does not.
#[must_use]
pub fn plan_sha256<P: Serialize + Debug>(plan: &P) -> String {
    let canonical = serde_json::to_value(plan).map(|mut value| {
        value.sort_all_objects();
        value.to_string()
    });
    // A plan has text for names, and no floats: it can always be written. If not, the hash is of
    // everything in it all the same.
    sha256_hex(
        canonical
            .unwrap_or_else(|error| format!("{error} {plan:?}"))
            .as_bytes(),
    )
}
