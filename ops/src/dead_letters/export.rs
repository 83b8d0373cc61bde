//! Dead letters as JSON lines, masked.

use std::collections::BTreeSet;
use std::sync::Arc;

use payops_core::domain::access::Action;
use payops_core::domain::dead_letter::body_layers;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::DeadLetter;
use serde_json::{Map, Value, json};

use crate::act::{Act, Done};
use crate::equivalent;
use crate::error::OpsResult;
use crate::json::json_text;
use crate::session::Session;

/// One dead letter as a line of an export.
#[must_use]
pub fn export_document(letter: &DeadLetter, privacy: Privacy) -> Value {
    let message = &letter.message;
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(privacy.text(value))))
        .collect();
    json!({
        "message_id": message.message_id,
        "queue": letter.queue,
        "payment_id": letter.payment.as_ref().map(ToString::to_string),
        "cause": letter.sighting().cause_id(),
        "class": privacy.text(&letter.class),
        "reason": privacy.text(&letter.reason),
        "receive_count": letter.receive_count,
        "first_seen": letter.first_seen,
        "sent_at": message.sent_at,
        "expires_at": letter.expires_at,
        "group": message.group,
        "attributes": attributes,
        "layers": body_layers(&message.body, privacy),
    })
}

/// Has `write` write the dead letters, a line each. `file` is where the lines go, when that is a
/// file.
pub async fn export_to(
    session: &Arc<Session>,
    letters: &[DeadLetter],
    privacy: Privacy,
    file: Option<&str>,
    write: impl FnOnce(&mut dyn Iterator<Item = String>) -> OpsResult<()>,
) -> OpsResult<()> {
    let queues: BTreeSet<&str> = letters.iter().map(|letter| letter.queue.as_str()).collect();
    let queue = queues.first().filter(|_| queues.len() == 1).copied();
    let act = Act {
        subject: queue.map(str::to_owned),
        ..Act::new(Action::DlqExport)
    }
    .reason(session.operator.reason.as_deref())
    .count(letters.len())
    .detail("messages", letters.len().to_string())
    .equivalent(equivalent::look(queue));
    let act = match file {
        Some(file) => act.detail("file", file),
        None => act,
    };
    let work = async |_| {
        let line = |letter| json_text(&export_document(letter, privacy), false) + "\n";
        write(&mut letters.iter().map(line))?;
        Ok(Done::new(()))
    };
    session.act(act, work).await
}
