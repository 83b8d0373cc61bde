//! `payops payment reconcile`: compares the stores and names every break.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use payops_core::domain::reconcile::{Break, BreakKind, Store};
use payops_core::port::Ports;
use payops_core::usecase::Report;
use serde::Serialize;
use tokio::time::Instant;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Look, Table, Tone, count};
use payops_core::domain::privacy::Privacy;

const AGAIN: Duration = Duration::from_millis(500);
/// Added to the time given: a payment that changed as the run began must come to its rest.
const MARGIN: Duration = Duration::from_secs(2);

/// `payops payment reconcile`
#[derive(Clone, Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// For how long payments that changed just now may still be on their way through the stores
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    settle: u32,
}

/// What was found:
/// `{"checked":…,"in_motion":…,"breaks":[{"payment_id":…,"store":…,"kind":…,"detail":…}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Found {
    checked: u64,
    /// Payments that kept changing until the end; their breaks are not counted.
    in_motion: usize,
    breaks: Vec<BreakView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct BreakView {
    /// Which payment; for an orphan that names none, its name in its store.
    payment_id: String,
    /// `payments`, `timeline`, `ledger`, `index`, `archive` or `provider`.
    store: Store,
    /// `missing`, `mismatch`, `duplicate` or `orphan`.
    kind: BreakKind,
    detail: String,
}

impl Found {
    fn new(report: &Report, privacy: Privacy) -> Self {
        let view = |found: &Break| BreakView {
            payment_id: privacy.text(&found.payment_id),
            store: found.store,
            kind: found.kind,
            detail: privacy.text(&found.detail),
        };
        Self {
            checked: report.checked,
            in_motion: report.in_motion.len(),
            breaks: report.breaks.iter().map(view).collect(),
        }
    }
}

impl Document for Found {
    const ROWS: Option<&'static str> = Some("breaks");
    const FIELDS: &'static [&'static str] = &["payment_id", "store", "kind", "detail"];

    fn human(&self, look: &Look) -> String {
        let mut out = match self.breaks.len() {
            0 => format!("{} checked, no breaks\n", count(self.checked, "payment")),
            breaks => format!(
                "{} checked, {}\n",
                count(self.checked, "payment"),
                count(breaks, "break")
            ),
        };
        if self.in_motion > 0 {
            let _ = writeln!(
                out,
                "{} kept changing and could not be judged; run it again",
                count(self.in_motion, "payment")
            );
        }
        let mut table = Table::new([
            Column::text("PAYMENT"),
            Column::text("STORE"),
            Column::text("KIND"),
            Column::text("DETAIL"),
        ]);
        for found in &self.breaks {
            table.row([
                Cell::from(&found.payment_id),
                Cell::from(word(&found.store)),
                Cell::toned(word(&found.kind), Tone::Bad),
                Cell::from(&found.detail),
            ]);
        }
        out.push_str(&table.render(look));
        out
    }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

pub(crate) async fn run(context: &Context, args: &ReconcileArgs) -> CliResult<Exit> {
    let fan = context.each_env(|target, ports| async move {
        let report = reconcile(context, &ports, args.settle).await;
        let report = report.map_err(|error| {
            CliError::port(
                format!("the stores of {} could not be compared", target.name),
                error,
            )
        })?;
        Ok(Found::new(&report, context.privacy))
    });
    let fan = fan.await?;
    let exit = fan.exit(&context.talk);
    if fan.answers.is_empty() {
        return Ok(exit);
    }
    let mut stores: BTreeMap<String, usize> = BTreeMap::new();
    for found in fan.answers.iter().flat_map(|of| &of.value.breaks) {
        let count = stores.entry(word(&found.store)).or_default();
        *count = count.saturating_add(1);
    }
    if !stores.is_empty() {
        let parts: Vec<String> = stores
            .iter()
            .map(|(store, count)| format!("{store} {count}"))
            .collect();
        context.talk.say(format!(
            "breaks: {}; payops payment timeline ID tells what happened",
            parts.join(", ")
        ));
    }
    context.printer.documents(&fan.answers, fan.many)?;
    Ok(if stores.is_empty() {
        exit
    } else {
        Exit::Failed
    })
}

async fn reconcile(
    context: &Context,
    ports: &Ports,
    settle_seconds: u32,
) -> payops_core::port::PortResult<Report> {
    let reconciler = ports.reconciler(SignedDuration::from_secs(i64::from(settle_seconds)));
    let bar = context.talk.progress("payments compared", None);
    let deadline = Instant::now() + Duration::from_secs(u64::from(settle_seconds)) + MARGIN;
    let mut report = reconciler.run(&|checked| bar.set_position(checked)).await?;
    reconciler.confirm(&mut report).await?;
    bar.set_message("waiting for payments in motion");
    while !report.in_motion.is_empty() && Instant::now() < deadline {
        bar.set_position(u64::try_from(report.in_motion.len()).unwrap_or(0));
        tokio::time::sleep(AGAIN).await;
        let again = reconciler
            .recheck(&std::mem::take(&mut report.in_motion))
            .await?;
        report.breaks.extend(again.breaks);
        report.in_motion = again.in_motion;
    }
    bar.finish_and_clear();
    report.breaks.sort();
    report.breaks.dedup();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_are_listed_with_the_names_scripts_read() {
        let breaks = vec![
            Break::new(
                "pay_1",
                Store::Ledger,
                BreakKind::Missing,
                "no charge of 1250 EUR",
            ),
            Break::new(
                "pay_2",
                Store::Index,
                BreakKind::Mismatch,
                "says \"a@example.com\"",
            ),
        ];
        let found = Found::new(
            &Report {
                checked: 3,
                breaks,
                in_motion: Vec::new(),
            },
            Privacy { reveal: false },
        );
        insta::assert_json_snapshot!(found);
        insta::assert_snapshot!(found.human(&Look::plain()));
        let none = Found {
            checked: 1,
            in_motion: 0,
            breaks: Vec::new(),
        };
        assert_eq!(none.human(&Look::plain()), "1 payment checked, no breaks\n");
    }
}
