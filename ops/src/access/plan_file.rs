//! Plan files: what one person wants to do, written down for another to look at and approve. What
//! is planned is each act's own; reading, checking and approving are the same for all of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use payops_core::domain::access::{AccessLevel, Action, Approval, ApprovalRow, same_person};
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::planned::{PlanApproval, PlanFile, PlanFileError, Planned};
use payops_core::port::{ApprovalStore, ErrorKind};
use payops_system::private_file;
use serde::de::DeserializeOwned;

use crate::act::{Act, Done};
use crate::backend::aws;
use crate::environment::Backend;
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// How many approvals of a plan file are looked up: nobody needs more, and a forged file may have a
/// million.
const APPROVALS_MAX: usize = 50;

/// One kind of plan.
#[derive(Clone, Copy, Debug)]
pub struct PlanKind {
    /// What approving one is called.
    pub approval: Action,
    /// The command that makes one.
    pub made_by: &'static str,
}

/// Plans of replays and edits.
pub const REPLAY_PLANS: PlanKind = PlanKind {
    approval: Action::DlqApprove,
    made_by: "payops dlq plan",
};
/// Plans of refunds.
pub const REFUND_PLANS: PlanKind = PlanKind {
    approval: Action::PaymentApprove,
    made_by: "payops payment refund ID",
};

impl PlanKind {
    /// Reads a plan file, as it is.
    pub fn read<P: DeserializeOwned>(self, path: &Path) -> OpsResult<PlanFile<P>> {
        let unusable = |message: String| {
            OpsError::usage(message).hint(format!("create one with {} --out FILE", self.made_by))
        };
        let bytes = std::fs::read(path).map_err(|error| {
            unusable(format!("cannot read the plan {}", path.display())).because(error)
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| unusable(format!("{} is not a plan", path.display())).because(error))
    }

    /// Refuses a plan that was changed, or is too old.
    pub fn check<P: Planned>(self, file: &PlanFile<P>) -> OpsResult<()> {
        file.check(Timestamp::now()).map_err(|error| {
            let hint = match &error {
                PlanFileError::Changed { .. } => {
                    format!("the file was edited; {} makes a new one", self.made_by)
                }
                _ => format!("{} makes a new one", self.made_by),
            };
            OpsError::refused(error.to_string()).hint(hint)
        })
    }

    /// Adds the approval of this operator: recorded, in AWS kept in the environment's table, then
    /// written to the file. `act` is what is approved, as the record tells of it.
    pub async fn approve<P: Planned>(
        self,
        session: &Arc<Session>,
        path: &Path,
        file: &mut PlanFile<P>,
        act: Act,
    ) -> OpsResult<()> {
        let (who, sha256) = (session.who().to_owned(), file.sha256.clone());
        let act = Act {
            action: self.approval,
            ..act
        }
        .detail("plan_sha256", &sha256)
        .equivalent(equivalent::approve(&session.env, &who, &sha256));
        let now = Timestamp::now();
        session
            .act(act, async |permit| {
                if let Backend::Aws(aws) = &session.env.target {
                    let row = ApprovalRow {
                        approval: Approval {
                            by: who.clone(),
                            at: now,
                            plan_sha256: sha256.clone(),
                        },
                        principal: Box::pin(aws::principal(session.name(), aws)).await?,
                    };
                    let store = Box::pin(session.approval_store(permit.caller())).await?;
                    if let Some(store) = store {
                        store
                            .keep(&row)
                            .await
                            .map_err(|error| OpsError::port("cannot save the approval", error))?;
                    }
                }
                Ok(Done::new(()))
            })
            .await?;
        file.approve(session.who(), now);
        write_plan(path, file)
    }

    /// Approvals as the policy counts them. A plan file only says who approved; what counts is in
    /// the audit record of an embedded environment, or in the table of one in AWS.
    pub async fn prove(
        self,
        session: &Session,
        approvals: &[PlanApproval],
    ) -> OpsResult<Vec<Approval>> {
        if approvals.is_empty() {
            return Ok(Vec::new());
        }
        let caller = session.operator.caller(AccessLevel::View);
        match Box::pin(session.approval_store(&caller)).await? {
            None => self.find_in_record(session, approvals),
            Some(store) => find_in_table(session, &*store, approvals).await,
        }
    }

    fn find_in_record(
        self,
        session: &Session,
        approvals: &[PlanApproval],
    ) -> OpsResult<Vec<Approval>> {
        let log = session.audit_log();
        let recorded: Vec<AuditEntry> = log
            .lines()
            .map_err(|error| {
                OpsError::failed(format!("cannot read {}", log.path().display())).because(error)
            })?
            .filter_map(|line| line.ok()?.1)
            // An approval that was refused, or that failed, is recorded too.
            .filter(|entry| {
                self.approval.is_recorded_as(&entry.action)
                    && entry.outcome == Some(AuditOutcome::Done)
                    && entry.env == session.name()
            })
            .collect();
        let mut proven = Vec::new();
        for given in approvals {
            let found = recorded.iter().rfind(|entry| {
                entry.who == given.by && entry.detail.get("plan_sha256") == Some(&given.sha256)
            });
            match found {
                // What the record says, and not the file, is when it was given.
                Some(entry) => proven.push(Approval {
                    by: given.by.clone(),
                    at: entry.at,
                    plan_sha256: given.sha256.clone(),
                }),
                None => session.operator.notices.warn(&format!(
                    "the approval by {} is not in the audit record of {}, so it does not count",
                    given.by,
                    session.name()
                )),
            }
        }
        Ok(proven)
    }
}

/// The approvals that the table of the environment holds, and that were given with other
/// credentials than these.
async fn find_in_table(
    session: &Session,
    table: &dyn ApprovalStore,
    approvals: &[PlanApproval],
) -> OpsResult<Vec<Approval>> {
    let Backend::Aws(aws) = &session.env.target else {
        return Ok(Vec::new());
    };
    let own = Box::pin(aws::principal(session.name(), aws)).await?;
    let notices = &session.operator.notices;
    let (mut proven, mut seen) = (Vec::new(), BTreeSet::new());
    for given in approvals
        .iter()
        .filter(|given| seen.insert((&given.by, &given.sha256)))
        .take(APPROVALS_MAX)
    {
        let why = match table.find(&given.by, &given.sha256).await {
            // A name that AWS does not take.
            Err(error) if error.kind == ErrorKind::Permanent => error.chain(),
            Err(error) => {
                return Err(OpsError::port(
                    "cannot read whether the plan is approved, so nothing was done",
                    error,
                ));
            }
            Ok(None) => format!("is not in the table of {}", session.name()),
            Ok(Some(row)) if row.principal == own => {
                format!("was given with your own credentials, {own}")
            }
            Ok(Some(row)) => {
                proven.push(row.approval);
                continue;
            }
        };
        notices.warn(&format!(
            "the approval by {} {why}, so it does not count",
            given.by
        ));
    }
    if approvals.len() > APPROVALS_MAX {
        notices.warn(&format!(
            "the plan file lists {} approvals; only the first {APPROVALS_MAX} are checked",
            approvals.len()
        ));
    }
    Ok(proven)
}

/// Refuses to let somebody approve what they planned themselves.
pub fn refuse_own_plan<P: Planned>(session: &Session, file: &PlanFile<P>) -> OpsResult<()> {
    let by = file.plan.by();
    if same_person(by, session.who()) {
        return Err(OpsError::refused(format!(
            "you made this plan as {by}; someone else must approve it"
        ))
        .hint("ask a colleague to run the same command"));
    }
    Ok(())
}

/// Says that an approval of whoever carries the plan out does not count.
pub fn warn_of_own_approval<P>(session: &Session, file: &PlanFile<P>) {
    let is_own = |approval: &PlanApproval| same_person(&approval.by, session.who());
    if file.approvals.iter().any(is_own) {
        session
            .operator
            .notices
            .warn("your own approval does not count when you carry out the plan");
    }
}

/// Refuses a plan for another environment, or for another account under the same name.
pub fn check_place(session: &Session, env: &str, account: Option<&String>) -> OpsResult<()> {
    if env != session.name() {
        let message = format!("this plan is for {env}, not for {}", session.name());
        return Err(OpsError::refused(message).hint(format!("--env {env}")));
    }
    if account != session.env.account() {
        return Err(OpsError::refused(format!(
            "this plan is for account {}",
            account.map_or("none", String::as_str)
        )));
    }
    Ok(())
}

/// Writes a plan file.
pub fn write_plan<P: Planned>(path: &Path, file: &PlanFile<P>) -> OpsResult<()> {
    let text = serde_json::to_vec_pretty(file)
        .map_err(|error| OpsError::failed("cannot write the plan as JSON").because(error))?;
    private_file::write(path, &text).map_err(|error| {
        OpsError::failed(format!("cannot write the plan {}", path.display())).because(error)
    })
}
