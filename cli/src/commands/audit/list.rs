//! `payops audit list`.
use std::collections::VecDeque;

use clap::Args;
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::privacy::Privacy;
use payops_ops::error::OpsResult;
use serde::Serialize;

use super::{QueryArgs, records, unread};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone, count};

/// `payops audit list`
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditListArgs {
    #[command(flatten)]
    query: QueryArgs,
    /// Maximum number of entries, newest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct EntryRow(AuditEntry);

impl EntryRow {
    /// Texts that people typed may hold what is not to be shown.
    fn new(entry: AuditEntry, privacy: Privacy) -> Self {
        let text = |text: Option<String>| text.map(|text| privacy.text(&text));
        let detail = entry
            .detail
            .into_iter()
            .map(|(name, held)| (name, privacy.text(&held)))
            .collect();
        Self(AuditEntry {
            subject: text(entry.subject),
            reason: text(entry.reason),
            ticket: text(entry.ticket),
            detail,
            ..entry
        })
    }
}

impl Row for EntryRow {
    const FIELDS: &'static [&'static str] =
        &["at", "who", "env", "action", "outcome", "subject", "reason"];
    const COLUMNS: &'static [Column] = &[
        Column::text("WHEN"),
        Column::text("WHO"),
        Column::text("ENV"),
        Column::text("ACTION"),
        Column::text("OUTCOME"),
        Column::text("SUBJECT"),
        Column::text("REASON"),
        Column::text("TICKET").wide(),
        Column::text("ROLE").wide(),
        Column::text("EQUIVALENT").wide(),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        let entry = &self.0;
        let (outcome, tone) = match entry.outcome {
            None => ("", Tone::Plain),
            Some(AuditOutcome::Begun) => ("begun", Tone::Dim),
            Some(AuditOutcome::Done) => ("done", Tone::Good),
            Some(AuditOutcome::Failed) => ("failed", Tone::Bad),
            Some(AuditOutcome::Refused) => ("refused", Tone::Warn),
        };
        vec![
            Cell::from(entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            Cell::from(&entry.who),
            Cell::from(&entry.env),
            Cell::from(&entry.action),
            Cell::toned(outcome, tone),
            Cell::maybe(entry.subject.as_ref()),
            Cell::maybe(entry.reason.as_ref()),
            Cell::maybe(entry.ticket.as_ref()),
            Cell::maybe(entry.role.as_ref()),
            Cell::maybe(entry.equivalent.as_ref()),
        ]
    }
}

pub(super) fn run(context: &Context, args: &AuditListArgs) -> OpsResult<Exit> {
    let records = records(context)?;
    let queries: Vec<_> = records
        .envs
        .iter()
        .map(|env| args.query.query(env.clone()))
        .collect();
    let mut found: VecDeque<AuditEntry> = VecDeque::new();
    let mut damaged = 0_usize;
    for log in &records.logs {
        for line in log.lines().map_err(unread(log))? {
            match line.map_err(unread(log))? {
                (_, Some(entry)) if queries.iter().any(|query| query.matches(&entry)) => {
                    found.push_back(entry);
                    if records.logs.len() == 1 && found.len() > args.limit {
                        found.pop_front();
                    }
                }
                (text, None) if !text.trim().is_empty() => damaged = damaged.saturating_add(1),
                _ => {}
            }
        }
    }
    if damaged > 0 {
        context.console.warn(format!(
            "{} of the audit record cannot be read; run payops audit verify",
            count(damaged, "line")
        ));
    }
    let mut entries: Vec<AuditEntry> = found.into();
    entries.reverse();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(args.limit);
    let row = |entry: AuditEntry| InEnv {
        env: entry.env.clone(),
        value: EntryRow::new(entry, context.privacy),
    };
    let rows: Vec<InEnv<EntryRow>> = entries.into_iter().map(row).collect();
    context.list(&rows, "no entries match in the audit record")?;
    Ok(Exit::Done)
}
