//! `payops queue`: how queues stand, and what is in them.
use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use payops_core::domain::access::Action;
use payops_core::domain::display::age;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::work_item::parse;
use payops_core::port::{QueueStats, Received};
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::queues;
use payops_ops::session::Session;
use serde::Serialize;
use serde_json::Value;

use crate::consent::{self, ConsentArgs, Proposal, Question};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Row, Style, Tone, count, details};

/// `payops queue …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List queues and their message counts
    List,
    /// Show messages without removing them, and the receives that it cost
    Peek(QueuePeekArgs),
    /// Delete every message in a queue, unread; needs break-glass, refused where writes are protected
    Purge(PurgeArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PurgeArgs {
    /// Queue name
    queue: String,
    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Clone, Debug, Serialize)]
struct Purged {
    queue: String,
    messages: u64,
}

impl Document for Purged {
    fn human(&self, style: &Style) -> String {
        let number = Cell::toned(format!("{} deleted", self.messages), Tone::Warn);
        details(
            style,
            [
                ("queue", Some(Cell::from(&self.queue))),
                ("messages", Some(number)),
            ],
        )
    }
}

/// `payops queue peek`
#[derive(Clone, Debug, Args)]
pub(crate) struct QueuePeekArgs {
    /// Queue name
    queue: String,
    /// Maximum number of messages
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

    fn cells(&self, _: &Style) -> Vec<Cell> {
        let about = |number: u64| format!("{}{number}", if self.approximate { "~" } else { "" });
        let oldest = self.oldest_age_seconds.map(|seconds| {
            age(jiff::SignedDuration::from_secs(
                i64::try_from(seconds).unwrap_or(i64::MAX),
            ))
        });
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

    fn cells(&self, style: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.message_id),
            Cell::maybe(self.payment_id.as_ref()),
            Cell::from(style.ago(self.sent_at)),
            Cell::from(self.receive_count.to_string()),
            Cell::from(self.body.to_string()),
        ]
    }
}

pub(crate) async fn run(context: &Context, command: QueueCommand) -> OpsResult<Exit> {
    match command {
        QueueCommand::List => {
            let fan = context.interruptible(context.ask_each(list)).await?;
            let (exit, many) = (fan.exit(&context.console), fan.many);
            context.printer.list(&fan.rows(), many)?;
            Ok(exit)
        }
        QueueCommand::Peek(args) => context.interruptible(peek(context, &args)).await,
        QueueCommand::Purge(args) => purge(context, &args).await,
    }
}

async fn purge(context: &Context, args: &PurgeArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    let reason = context.operator.reason.as_deref();
    if !args.consent.dry_run {
        let act = queues::purge_act(&args.queue, reason);
        session.refuse_early(&act).await?;
    }
    let plan = queues::plan_purge(&session, &args.queue).await?;
    let what = format!("DELETE every message in {}", args.queue);
    if args.consent.dry_run {
        let proposal = Proposal {
            subject: Some(args.queue.clone()),
            equivalent: Some(plan.equivalent.clone()),
            ..Proposal::new(&session, Action::QueuePurge, what)
        };
        return proposal.print(context, &session).await;
    }
    let reason = reason
        .ok_or_else(|| OpsError::refused("a purge requires a reason").hint("add --reason TEXT"))?;
    let messages = usize::try_from(plan.messages).unwrap_or(usize::MAX);
    context.console.say(format!(
        "{} in {} will be deleted for good, unread\n  equivalent  {}",
        count(messages, "message"),
        session.name(),
        plan.equivalent
    ));
    let question = Question {
        what: &what,
        typed: &args.queue,
        yes: args.consent.yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    queues::purge(&session, &plan, reason).await?;
    context.printer.document(&Purged {
        queue: args.queue.clone(),
        messages: plan.messages,
    })?;
    Ok(Exit::Done)
}

async fn list(session: Arc<Session>) -> OpsResult<Vec<QueueRow>> {
    let stats = queues::list(session.ports().await?).await?;
    let depths = queues::depths(&stats);
    Ok(stats.iter().map(|stats| row(stats, &depths)).collect())
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

async fn peek(context: &Context, args: &QueuePeekArgs) -> OpsResult<Exit> {
    let fan = context.ask_each(|session| async move {
        let browsed = queues::peek(&session, &args.queue, args.limit).await?;
        let cost = match browsed.receives_spent {
            0 => "peeking cost no receives".to_owned(),
            spent => format!(
                "peeking cost {}; each increased a message's receive count",
                count(spent, "receive")
            ),
        };
        let complete = if browsed.complete {
            "all messages shown"
        } else {
            "there may be more"
        };
        context.console.say(format!(
            "{}: {}, {complete}; {cost}",
            session.name(),
            count(browsed.messages.len(), "message")
        ));
        Ok(browsed
            .messages
            .iter()
            .map(|message| MessageRow::new(message, context.privacy))
            .collect::<Vec<_>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.console), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
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
            row.cells(&Style::plain())[1..6],
            ["~2", "~1", "~0", "4m"]
                .map(Cell::from)
                .into_iter()
                .chain([Cell::toned("~61", Tone::Bad)])
                .collect::<Vec<_>>()
        );
    }
}
