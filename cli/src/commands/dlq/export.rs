//! `payops dlq export`: dead letters as JSON lines, masked.

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::dead_letter::body_layers;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::DeadLetter;
use serde_json::{Value, json};

use super::select::{SelectArgs, select};
use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output::{Printer, json_text};
use crate::same_as;

/// `payops dlq export`
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArgs {
    /// The queue or its dead-letter queue; all when left out
    queue: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
}

pub(crate) fn document(letter: &DeadLetter, privacy: Privacy) -> Value {
    let attributes: serde_json::Map<String, Value> = letter
        .message
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(privacy.text(value))))
        .collect();
    json!({
        "message_id": letter.message.message_id, "queue": letter.queue, "payment_id": letter.payment.as_ref().map(ToString::to_string),
        "cause": letter.sighting().cause_id(), "class": privacy.text(&letter.class), "reason": privacy.text(&letter.reason),
        "receive_count": letter.receive_count, "first_seen": letter.first_seen, "sent_at": letter.message.sent_at,
        "expires_at": letter.expires_at, "group": letter.message.group, "attributes": attributes,
        "layers": body_layers(&letter.message.body, privacy),
    })
}

pub(crate) async fn run(context: &Context, args: &ExportArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Read).await?;
    access::permit(
        context,
        &target,
        &Wanted::new(Action::DlqExport).because(context.reason.as_deref()),
    )
    .await?;
    context.reveal(&target).await?;
    let selected = select(
        context,
        &target,
        &ports,
        args.queue.as_deref(),
        &args.select,
    )
    .await?;
    let entry = context
        .entry(&target, "dlq.export", context.reason.as_deref())
        .outcome(AuditOutcome::Done);
    let entry = if let Some(queue) = &args.queue {
        entry.subject(queue)
    } else {
        entry
    };
    context.record(
        &target,
        &entry
            .detail("letters", selected.letters.len().to_string())
            .same_as(same_as::look(args.queue.as_deref())),
    )?;
    for letter in &selected.letters {
        let mut line = json_text(&document(letter, context.privacy), false);
        line.push('\n');
        Printer::raw(line.as_bytes())?;
    }
    Ok(Exit::Done)
}
