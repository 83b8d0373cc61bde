//! Plan files: what one person wants to do, written down for another to look at and approve. What
//! is planned is each command's own; reading, checking and approving are the same for all of them.

use std::collections::BTreeSet;
use std::path::Path;

use payops_core::domain::access::{
    AccessLevel, Action, Approval, ApprovalRow, PolicyRefusal, same_person,
};
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::planned::{PlanApproval, PlanFile, PlanFileError, Planned};
use payops_core::port::ErrorKind;
#[cfg(not(feature = "aws"))]
use payops_core::port::{ApprovalStore, PortError, PortResult};
use serde::de::DeserializeOwned;

use crate::access::{self, Wanted, write_private};
use crate::audit::FileAuditLog;
use crate::aws;
use crate::config::Aws;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::same_as;
use crate::settings::{EnvTarget, Target};

/// How many approvals of a plan file are looked up: nobody needs more, and a forged file may have a
/// million.
const APPROVALS_MAX: usize = 50;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) action: &'static str,
    pub(crate) made_by: &'static str,
}

pub(crate) struct Place<'a> {
    pub(crate) env: &'a str,
    pub(crate) account: Option<&'a String>,
}

impl Kind {
    pub(crate) fn read<P: DeserializeOwned>(self, path: &Path) -> CliResult<PlanFile<P>> {
        let wrong = |message: String| {
            CliError::usage(message).hint(format!("{} --out FILE makes one", self.made_by))
        };
        let bytes = std::fs::read(path).map_err(|error| {
            wrong(format!("the plan {} cannot be read", path.display())).because(error)
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("{} is no plan", path.display())).because(error))
    }

    /// Refuses one that is not whole, or too old.
    pub(crate) fn check<P: Planned>(self, file: &PlanFile<P>) -> CliResult<()> {
        file.check(Context::now()).map_err(|error| {
            let hint = match &error {
                PlanFileError::Changed { .. } => {
                    format!("the file was edited; {} makes another", self.made_by)
                }
                _ => format!("{} makes another", self.made_by),
            };
            CliError::refused(error.to_string()).hint(hint)
        })
    }

    /// Adds the approval of this person: recorded first, in AWS kept in the environment's table
    /// too, then written into the file.
    pub(crate) async fn approve<P: Planned>(
        self,
        context: &Context,
        target: &EnvTarget,
        (path, file): (&Path, &mut PlanFile<P>),
        entry: AuditEntry,
    ) -> CliResult<()> {
        let entry = AuditEntry {
            action: self.action.to_owned(),
            ..entry
        }
        .detail("plan_sha256", &file.sha256);
        let entry = entry.same_as(same_as::said(
            context,
            same_as::approve(target, context.who(), &file.sha256),
        ));
        let now = Context::now();
        match &target.target {
            Target::Embedded { .. } => {
                context.record(target, &entry.outcome(AuditOutcome::Done))?
            }
            Target::Aws(aws) => {
                let approval = Approval {
                    by: context.who().to_owned(),
                    at: now,
                    plan_sha256: file.sha256.clone(),
                };
                let work = async {
                    let row = ApprovalRow {
                        approval,
                        principal: Box::pin(aws::principal(&target.name, aws)).await?,
                    };
                    let approvals = aws::approvals(
                        &target.name,
                        aws,
                        &context.caller_for(target, Access::Write)?,
                    );
                    approvals
                        .keep(&row)
                        .await
                        .map_err(|error| CliError::port("the approval could not be kept", error))
                };
                context.audited(target, entry, work).await?;
            }
        }
        file.approve(context.who(), now);
        write(path, file)
    }

    /// ApprovalStore as the rules count them. A plan file only says who approved; what counts is in the
    /// shared record of one machine, or in the table of an environment in AWS.
    pub(crate) async fn proven(
        self,
        context: &Context,
        target: &EnvTarget,
        approvals: &[PlanApproval],
    ) -> CliResult<Vec<Approval>> {
        if approvals.is_empty() {
            return Ok(Vec::new());
        }
        match &target.target {
            Target::Embedded { .. } => self.recorded(context, target, approvals),
            Target::Aws(aws) => kept(context, target, aws, approvals).await,
        }
    }

    fn recorded(
        self,
        context: &Context,
        target: &EnvTarget,
        approvals: &[PlanApproval],
    ) -> CliResult<Vec<Approval>> {
        let log = FileAuditLog {
            dir: context.records_dir(target),
        };
        let unread = |error| {
            CliError::failed(format!("{} could not be read", log.path().display())).because(error)
        };
        let recorded: Vec<AuditEntry> = log
            .lines()
            .map_err(unread)?
            .filter_map(|line| line.ok()?.1)
            .filter(|entry| entry.action == self.action)
            .collect();
        let is_there = |given: &&PlanApproval| {
            recorded.iter().any(|entry| {
                entry.who == given.by && entry.detail.get("plan_sha256") == Some(&given.sha256)
            })
        };
        for forged in approvals.iter().filter(|given| !is_there(given)) {
            context.talk.warn(format!(
                "the approval of {} is not in the record, so it does not count",
                forged.by
            ));
        }
        let approval = |given: &PlanApproval| Approval {
            by: given.by.clone(),
            at: given.at,
            plan_sha256: given.sha256.clone(),
        };
        Ok(approvals.iter().filter(is_there).map(approval).collect())
    }
}

/// The approvals that the table of the environment holds, and that were given with other
/// credentials than these.
async fn kept(
    context: &Context,
    target: &EnvTarget,
    aws: &Aws,
    approvals: &[PlanApproval],
) -> CliResult<Vec<Approval>> {
    let own = Box::pin(aws::principal(&target.name, aws)).await?;
    let table = aws::approvals(&target.name, aws, &context.caller(AccessLevel::View));
    let (mut kept, mut seen) = (Vec::new(), BTreeSet::new());
    for given in approvals
        .iter()
        .filter(|given| seen.insert((&given.by, &given.sha256)))
        .take(APPROVALS_MAX)
    {
        let why = match table.of(&given.by, &given.sha256).await {
            // A name that AWS does not take.
            Err(error) if error.kind == ErrorKind::Permanent => error.chain(),
            Err(error) => {
                return Err(CliError::port(
                    "whether the plan is approved could not be read, so nothing was done",
                    error,
                ));
            }
            Ok(None) => format!("is not in the table of {}", target.name),
            Ok(Some(row)) if row.principal == own => {
                format!("was given with the credentials that you have, {own}")
            }
            Ok(Some(row)) => {
                kept.push(row.approval);
                continue;
            }
        };
        context.talk.warn(format!(
            "the approval of {} {why}, so it does not count",
            given.by
        ));
    }
    if approvals.len() > APPROVALS_MAX {
        context.talk.warn(format!(
            "the plan file has {} approvals; at most {APPROVALS_MAX} are looked up",
            approvals.len()
        ));
    }
    Ok(kept)
}

/// Without AWS there is no environment in it, and so no approvals there.
#[cfg(not(feature = "aws"))]
pub(crate) struct NoApprovals;

#[cfg(not(feature = "aws"))]
#[async_trait::async_trait]
impl ApprovalStore for NoApprovals {
    async fn keep(&self, _: &ApprovalRow) -> PortResult<()> {
        Err(PortError::new(
            ErrorKind::Permanent,
            "this payops was built without AWS",
        ))
    }

    async fn of(&self, _: &str, _: &str) -> PortResult<Option<ApprovalRow>> {
        Err(PortError::new(
            ErrorKind::Permanent,
            "this payops was built without AWS",
        ))
    }
}

/// Refuses an approval by somebody whom the rules do not allow the deed itself.
pub(crate) async fn may_approve(
    context: &Context,
    target: &EnvTarget,
    deed: Action,
) -> CliResult<()> {
    let wanted = Wanted {
        count: Some(0),
        ..Wanted::new(deed).because(Some("an approval"))
    };
    match access::refusal(context, target, &wanted).await? {
        Some(refusal @ (PolicyRefusal::NotAllowed { .. } | PolicyRefusal::NeverHere { .. })) => {
            Err(
                CliError::refused(format!("who may not do it may not approve it: {refusal}"))
                    .hint(refusal.instead()),
            )
        }
        _ => Ok(()),
    }
}

pub(crate) fn somebody_elses<P: Planned>(context: &Context, file: &PlanFile<P>) -> CliResult<()> {
    let by = file.plan.by();
    if same_person(by, context.who()) {
        return Err(
            CliError::refused(format!("{by} made this plan; somebody else approves it"))
                .hint("ask a colleague"),
        );
    }
    Ok(())
}

/// Says that an approval of whoever carries the plan out is none.
pub(crate) fn warn_of_own<P>(context: &Context, file: &PlanFile<P>) {
    if file
        .approvals
        .iter()
        .any(|approval| same_person(&approval.by, context.who()))
    {
        context
            .talk
            .warn("your own approval does not count while you carry the plan out yourself");
    }
}

/// Refuses a plan for another environment, or for another account under the same name.
pub(crate) fn belongs(target: &EnvTarget, place: &Place<'_>) -> CliResult<()> {
    if place.env != target.name {
        let message = format!(
            "this plan is for {}, and not for {}",
            place.env, target.name
        );
        return Err(CliError::refused(message).hint(format!("--env {}", place.env)));
    }
    if place.account != target.account() {
        return Err(CliError::refused(format!(
            "this plan is for account {}",
            place.account.map_or("none", String::as_str)
        )));
    }
    Ok(())
}

pub(crate) fn write<P: Planned>(path: &Path, file: &PlanFile<P>) -> CliResult<()> {
    let text = serde_json::to_vec_pretty(file).map_err(|error| {
        CliError::failed("the plan could not be written as JSON").because(error)
    })?;
    write_private(path, &text).map_err(|error| {
        CliError::failed(format!("the plan {} could not be written", path.display())).because(error)
    })
}
