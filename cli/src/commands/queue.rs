//! `payops queue`: how queues stand, and what is in them.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use futures::future::try_join_all;
use jiff::Timestamp;
use payops_core::domain::access::Action;
use payops_core::domain::work_item::parse;
use payops_core::port::{Ports, QueueStats, Received};
use serde::Serialize;
use serde_json::Value;

use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Look, Row, Tone, age, count, details};
use crate::safety::{self, Act};
use crate::same_as;
use payops_core::domain::privacy::Privacy;

/// `payops queue …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// All queues and how many messages are in them
    List,
    /// Look at messages without taking them; says what the look cost
    Peek(PeekArgs),
    /// Delete all that is in a queue, unread; never where writes are protected
    Purge(PurgeArgs),
}

/// `payops queue purge`
#[derive(Clone, Debug, Args)]
pub(crate) struct PurgeArgs {
    /// The queue's name
    queue: String,
    /// Do not ask; needs --reason
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Purged {
    queue: String,
    messages: u64,
}

impl Document for Purged {
    fn human(&self, look: &Look) -> String {
        let number = Cell::toned(format!("{} deleted", self.messages), Tone::Warn);
        details(
            look,
            [
                ("queue", Some(Cell::from(&self.queue))),
                ("messages", Some(number)),
            ],
        )
    }
}

/// `payops queue peek`
#[derive(Clone, Debug, Args)]
pub(crate) struct PeekArgs {
    /// The queue's name
    queue: String,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct QueueRow {
    name: String,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    /// Age of the oldest message; `null` when it is empty or the queue service does not say.
    oldest_age_seconds: Option<u64>,
    dlq: Option<String>,
    dlq_messages: Option<u64>,
    max_receives: Option<u32>,
    approximate: bool,
}

impl Row for QueueRow {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "visible",
        "in_flight",
        "delayed",
        "oldest_age_seconds",
        "dlq",
        "dlq_messages",
        "max_receives",
        "approximate",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("QUEUE"),
        Column::number("VISIBLE"),
        Column::number("IN FLIGHT"),
        Column::number("DELAYED"),
        Column::number("OLDEST"),
        Column::number("DLQ"),
        Column::text("DLQ NAME").wide(),
        Column::number("MAX RECEIVES").wide(),
    ];

    fn cells(&self, _: &Look) -> Vec<Cell> {
        let about = |number: u64| format!("{}{number}", if self.approximate { "~" } else { "" });
        let oldest = self
            .oldest_age_seconds
            .map(|seconds| age(std::time::Duration::from_secs(seconds)));
        let dead = self
            .dlq_messages
            .map(|dead| Cell::toned(about(dead), if dead > 0 { Tone::Bad } else { Tone::Plain }));
        let is_dlq = payops_core::domain::bus::source_queue(&self.name).is_some();
        let visible = if is_dlq && self.visible > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        vec![
            Cell::from(&self.name),
            Cell::toned(about(self.visible), visible),
            Cell::from(about(self.in_flight)),
            Cell::from(about(self.delayed)),
            Cell::maybe(oldest),
            dead.unwrap_or_else(|| Cell::maybe(None::<&str>)),
            Cell::maybe(self.dlq.as_ref()),
            Cell::maybe(self.max_receives.map(|max| max.to_string())),
        ]
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MessageRow {
    message_id: String,
    payment_id: Option<String>,
    receive_count: u32,
    sent_at: Timestamp,
    attributes: BTreeMap<String, String>,
    /// JSON where it is JSON, else text.
    body: Value,
}

impl MessageRow {
    fn new(message: &Received, privacy: Privacy) -> Self {
        let body = serde_json::from_str(&message.body).map_or_else(
            |_| Value::String(privacy.text(&message.body)),
            |body| privacy.json(&body),
        );
        Self {
            message_id: message.message_id.clone(),
            payment_id: parse(&message.body)
                .ok()
                .map(|job| job.payment().to_string()),
            receive_count: message.receive_count,
            sent_at: message.sent_at,
            attributes: message
                .attributes
                .iter()
                .map(|(name, value)| (name.clone(), privacy.text(value)))
                .collect(),
            body,
        }
    }
}

impl Row for MessageRow {
    const FIELDS: &'static [&'static str] = &[
        "message_id",
        "payment_id",
        "receive_count",
        "sent_at",
        "attributes",
        "body",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("MESSAGE"),
        Column::text("PAYMENT"),
        Column::number("AGE"),
        Column::number("RECV"),
        Column::text("BODY").wide(),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::from(&self.message_id),
            Cell::maybe(self.payment_id.as_ref()),
            Cell::from(look.ago(self.sent_at)),
            Cell::from(self.receive_count.to_string()),
            Cell::from(self.body.to_string()),
        ]
    }
}

pub(crate) async fn run(context: &Context, command: QueueCommand) -> CliResult<Exit> {
    match command {
        QueueCommand::List => {
            let fan = context
                .each_env(|_, ports| async move { rows(&ports).await })
                .await?;
            let (exit, many) = (fan.exit(&context.talk), fan.many);
            context.printer.list(&fan.rows(), many)?;
            Ok(exit)
        }
        QueueCommand::Peek(args) => peek(context, &args).await,
        QueueCommand::Purge(args) => purge(context, &args).await,
    }
}

/// Empties a queue. Messages are lost by it, so the rules are asked before anything else.
async fn purge(context: &Context, args: &PurgeArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let wanted = Wanted {
        count: None,
        ..Wanted::new(Action::DlqPurge)
            .because(Some(context.reason.as_deref().unwrap_or("none given")))
    };
    if target.protected {
        // Refused whatever is said; the refusal is recorded.
        access::permit(context, &target, &wanted).await?;
    }
    let reason = context
        .reason
        .clone()
        .ok_or_else(|| CliError::refused("a purge needs a reason").hint("add --reason TEXT"))?;
    let ports = context.open(&target, Access::Write).await?;
    let stats = ports.queues.stats(&args.queue).await;
    let stats =
        stats.map_err(|error| CliError::port(format!("{} did not answer", args.queue), error))?;
    let messages = stats
        .visible
        .saturating_add(stats.in_flight)
        .saturating_add(stats.delayed);
    let same_as = same_as::purge(&args.queue);
    context.talk.say(format!(
        "{} in {} for good, unread\n  same as     {same_as}",
        count(usize::try_from(messages).unwrap_or(usize::MAX), "message"),
        target.name
    ));
    let what = format!("DELETE all of {}", args.queue);
    safety::confirm(
        context,
        &target,
        &Act {
            what: &what,
            typed: &args.queue,
            yes: args.yes,
            always: true,
        },
    )?;
    let permit = access::permit(context, &target, &wanted).await?;
    let entry = context
        .entry(&target, "purge", Some(&reason))
        .subject(&args.queue)
        .role(permit.duty.as_str());
    let entry = entry
        .detail("messages", messages.to_string())
        .same_as(same_as);
    let purge = async {
        ports
            .queues
            .purge(&args.queue)
            .await
            .map_err(|error| CliError::port(format!("{} was not emptied", args.queue), error))
    };
    context.audited(&target, entry, purge).await?;
    context.printer.document(&Purged {
        queue: args.queue.clone(),
        messages,
    })?;
    Ok(Exit::Done)
}

async fn rows(ports: &Ports) -> CliResult<Vec<QueueRow>> {
    let failed = |error| CliError::port("the queues did not answer", error);
    let names = ports.queues.names().await.map_err(failed)?;
    let stats = try_join_all(names.iter().map(|name| ports.queues.stats(name)))
        .await
        .map_err(failed)?;
    let depth: BTreeMap<&str, u64> = stats
        .iter()
        .map(|stats| {
            (
                stats.name.as_str(),
                stats.visible.saturating_add(stats.in_flight),
            )
        })
        .collect();
    Ok(stats.iter().map(|stats| row(stats, &depth)).collect())
}

fn row(stats: &QueueStats, depth: &BTreeMap<&str, u64>) -> QueueRow {
    QueueRow {
        name: stats.name.clone(),
        visible: stats.visible,
        in_flight: stats.in_flight,
        delayed: stats.delayed,
        oldest_age_seconds: stats.oldest_age.map(|age| age.as_secs()),
        dlq_messages: stats.dlq.as_deref().and_then(|dlq| depth.get(dlq).copied()),
        dlq: stats.dlq.clone(),
        max_receives: stats.max_receives,
        approximate: stats.approximate,
    }
}

async fn peek(context: &Context, args: &PeekArgs) -> CliResult<Exit> {
    let fan = context.each_env(|target, ports| async move {
        known(&ports, &args.queue).await?;
        let browsed = ports.queues.browse(&args.queue, args.limit).await;
        let browsed = browsed.map_err(|error| {
            CliError::port(format!("{} could not be looked into", args.queue), error)
        })?;
        let cost = match browsed.receives_spent {
            0 => "the look cost nothing".to_owned(),
            spent => format!(
                "the look cost {}: each raised a message's receive count",
                count(spent, "receive")
            ),
        };
        let complete = if browsed.complete {
            "these are all"
        } else {
            "there may be more"
        };
        context.talk.say(format!(
            "{}: {}, {complete}; {cost}",
            target.name,
            count(browsed.messages.len(), "message")
        ));
        Ok(browsed
            .messages
            .iter()
            .map(|message| MessageRow::new(message, context.privacy))
            .collect::<Vec<_>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.talk), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}

pub(crate) async fn known(ports: &Ports, queue: &str) -> CliResult<()> {
    let names = ports
        .queues
        .names()
        .await
        .map_err(|error| CliError::port("the queues did not answer", error))?;
    if names.iter().any(|name| name == queue) {
        return Ok(());
    }
    Err(CliError::not_found(format!("there is no queue {queue}"))
        .hint(format!("queues are {}", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_have_the_names_scripts_read() {
        let stats = QueueStats {
            name: "payments-work".into(),
            visible: 2,
            in_flight: 1,
            delayed: 0,
            oldest_age: Some(std::time::Duration::from_mins(4)),
            dlq: Some("payments-work-dlq".into()),
            max_receives: Some(10),
            retention: None,
            approximate: true,
        };
        let row = row(&stats, &BTreeMap::from([("payments-work-dlq", 61)]));
        insta::assert_json_snapshot!(row);
        assert_eq!(
            row.cells(&Look::plain())[1..6],
            ["~2", "~1", "~0", "4m"]
                .map(Cell::from)
                .into_iter()
                .chain([Cell::toned("~61", Tone::Bad)])
                .collect::<Vec<_>>()
        );
    }
}
