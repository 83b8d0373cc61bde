//! Plan files: what one person wants to do, written down for another to look at and approve. What is planned
//! is each command's own; reading, checking and approving are the same for all of them.

use std::path::Path;

use payops_core::domain::access::{Approval, Deed, Refusal};
use payops_core::domain::audit::{AuditEntry, Outcome};
use payops_core::domain::planned::{PlanApproval, PlanFile, PlanFileError, Planned};
use serde::de::DeserializeOwned;

use crate::access::{self, Wanted, write_private};
use crate::audit::FileAuditLog;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::settings::{EnvTarget, Target};

/// One kind of plans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// What the record calls an approval of one.
    pub(crate) action: &'static str,
    /// The command that makes one.
    pub(crate) made_by: &'static str,
}

/// Where a plan is to be carried out.
pub(crate) struct Place<'a> {
    pub(crate) env: &'a str,
    pub(crate) account: Option<&'a String>,
}

impl Kind {
    /// Reads a plan file, as it is.
    pub(crate) fn read<P: DeserializeOwned>(self, path: &Path) -> CliResult<PlanFile<P>> {
        let wrong = |message: String| CliError::usage(message).hint(format!("{} --out FILE makes one", self.made_by));
        let bytes = std::fs::read(path).map_err(|error| wrong(format!("the plan {} cannot be read", path.display())).because(error))?;
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("{} is no plan", path.display())).because(error))
    }

    /// Refuses one that is not whole, or too old.
    pub(crate) fn check<P: Planned>(self, file: &PlanFile<P>) -> CliResult<()> {
        file.check(Context::now()).map_err(|error| {
            let hint = match &error {
                PlanFileError::Changed { .. } => format!("the file was edited; {} makes another", self.made_by),
                _ => format!("{} makes another", self.made_by),
            };
            CliError::refused(error.to_string()).hint(hint)
        })
    }

    /// Adds the approval of this person: recorded first, then written into the file.
    pub(crate) fn approve<P: Planned>(
        self,
        context: &Context,
        target: &EnvTarget,
        (path, file): (&Path, &mut PlanFile<P>),
        entry: AuditEntry,
    ) -> CliResult<()> {
        let entry = AuditEntry { action: self.action.to_owned(), ..entry }.outcome(Outcome::Done);
        context.record(target, &entry.detail("plan_sha256", &file.sha256))?;
        file.approve(context.who(), Context::now());
        write(path, file)
    }

    /// Approvals as the rules count them. Where the record is shared, as on one machine, an approval that
    /// is not in it was written into the file by hand, and does not count.
    pub(crate) fn proven(self, context: &Context, target: &EnvTarget, approvals: &[PlanApproval]) -> CliResult<Vec<Approval>> {
        let approval =
            |approval: &PlanApproval| Approval { by: approval.by.clone(), at: approval.at, plan_sha256: approval.sha256.clone() };
        if approvals.is_empty() || matches!(target.target, Target::Aws(_)) {
            return Ok(approvals.iter().map(approval).collect());
        }
        let log = FileAuditLog { dir: context.records_dir(target) };
        let unread = |error| CliError::failed(format!("{} could not be read", log.path().display())).because(error);
        let recorded: Vec<AuditEntry> =
            log.lines().map_err(unread)?.filter_map(|line| line.ok()?.1).filter(|entry| entry.action == self.action).collect();
        let is_there = |given: &&PlanApproval| {
            recorded.iter().any(|entry| entry.who == given.by && entry.detail.get("plan_sha256") == Some(&given.sha256))
        };
        for forged in approvals.iter().filter(|given| !is_there(given)) {
            context.talk.warn(format!("the approval of {} is not in the record, so it does not count", forged.by));
        }
        Ok(approvals.iter().filter(is_there).map(approval).collect())
    }
}

/// Refuses an approval by somebody whom the rules do not allow the deed itself.
pub(crate) async fn may_approve(context: &Context, target: &EnvTarget, deed: Deed) -> CliResult<()> {
    let wanted = Wanted { count: Some(0), ..Wanted::new(deed).because(Some("an approval")) };
    match access::refusal(context, target, &wanted).await? {
        Some(refusal @ (Refusal::NotAllowed { .. } | Refusal::NeverHere { .. })) => {
            Err(CliError::refused(format!("who may not do it may not approve it: {refusal}")).hint(refusal.instead()))
        }
        _ => Ok(()),
    }
}

/// Refuses to let somebody approve what they planned themselves.
pub(crate) fn somebody_elses<P: Planned>(context: &Context, file: &PlanFile<P>) -> CliResult<()> {
    let by = file.plan.by();
    // The safe side: a name that differs in capitals alone is the same person.
    if by.eq_ignore_ascii_case(context.who()) {
        return Err(CliError::refused(format!("{by} made this plan; somebody else approves it")).hint("ask a colleague"));
    }
    Ok(())
}

/// Says that an approval of whoever carries the plan out is none.
pub(crate) fn warn_of_own<P>(context: &Context, file: &PlanFile<P>) {
    if file.approvals.iter().any(|approval| approval.by.eq_ignore_ascii_case(context.who())) {
        context.talk.warn("your own approval does not count while you carry the plan out yourself");
    }
}

/// Refuses a plan for another environment, or for another account under the same name.
pub(crate) fn belongs(target: &EnvTarget, place: &Place<'_>) -> CliResult<()> {
    if place.env != target.name {
        let message = format!("this plan is for {}, and not for {}", place.env, target.name);
        return Err(CliError::refused(message).hint(format!("--env {}", place.env)));
    }
    if place.account != target.account() {
        return Err(CliError::refused(format!("this plan is for account {}", place.account.map_or("none", String::as_str))));
    }
    Ok(())
}

/// Writes a plan file.
pub(crate) fn write<P: Planned>(path: &Path, file: &PlanFile<P>) -> CliResult<()> {
    let text = serde_json::to_vec_pretty(file).map_err(|error| CliError::failed("the plan could not be written as JSON").because(error))?;
    write_private(path, &text).map_err(|error| CliError::failed(format!("the plan {} could not be written", path.display())).because(error))
}
