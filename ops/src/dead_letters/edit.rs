//! Replaying one dead letter with another body.

use payops_core::domain::privacy::Privacy;
use payops_core::domain::replay::{
    DiffLine, Edit, LineChange, PlannedEdit, ReplayPlan, apply_edit,
};
use payops_core::domain::sha256_hex;
use payops_core::usecase::{DeadLetter, PlanRequest};

use super::plan::{ReplayOptions, new_request, replayer};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

#[derive(Clone, Debug)]
pub struct EditPlan {
    pub plan: ReplayPlan,
    /// What the edit changes, line by line: each begins with `+`, `-` or a space.
    pub diff: Vec<String>,
}

/// An edit as it stands in a plan, and its diff.
pub fn diff_edit(
    letter: &DeadLetter,
    edit: Edit,
    privacy: Privacy,
) -> OpsResult<(PlannedEdit, Vec<String>)> {
    let body = &letter.message.body;
    let edited = apply_edit(body, &edit).map_err(|error| {
        OpsError::usage("the edit cannot be applied to the body")
            .because(error)
            .hint("nothing was sent")
    })?;
    let line = |line: &DiffLine| {
        let sign = match line.change {
            LineChange::Same => ' ',
            LineChange::Removed => '-',
            LineChange::Added => '+',
        };
        format!("{sign} {}", line.text(privacy))
    };
    let diff = edited.diff.iter().map(line).collect();
    let planned = PlannedEdit {
        message_id: letter.message.message_id.clone(),
        edit,
        old_sha256: sha256_hex(body.as_bytes()),
        new_sha256: sha256_hex(edited.body.as_bytes()),
    };
    Ok((planned, diff))
}

/// The plan to replay `letter` with another body. Nothing is changed.
pub async fn plan_edit(
    session: &Session,
    letter: &DeadLetter,
    edit: Edit,
    options: &ReplayOptions,
    privacy: Privacy,
) -> OpsResult<EditPlan> {
    let (planned, diff) = diff_edit(letter, edit, privacy)?;
    let reason = session.operator.reason.as_deref();
    let request = PlanRequest {
        rate_per_second: options.rate_per_second,
        canary: options.canary,
        only_safe: options.only_safe,
        replays_max: options.replays_max,
        edits: vec![planned],
        ..new_request(session, &letter.queue, reason)
    };
    let ports = session.ports().await?;
    let letters = std::slice::from_ref(letter);
    Ok(EditPlan {
        plan: replayer(ports, 1).plan(request, letters).await?,
        diff,
    })
}
