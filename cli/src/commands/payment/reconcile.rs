//! `payops payment reconcile`: compares the stores and names every break.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::reconcile::{Break, BreakKind, Store};
use payops_core::usecase::Report;
use payops_ops::error::OpsResult;
use payops_ops::payments::{self, ReconcileStep};
use payops_ops::session::Session;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Style, Table, Tone, count};

/// `payops payment reconcile`
#[derive(Clone, Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// How long a changed payment may take to reach all stores
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    settle: u32,
}

/// What was found:
/// `{"checked":…,"in_motion":…,"breaks":[{"payment_id":…,"store":…,"kind":…,"detail":…}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ReconcileView {
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

impl ReconcileView {
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

impl Document for ReconcileView {
    const ROWS: Option<&'static str> = Some("breaks");
    const FIELDS: &'static [&'static str] = &["payment_id", "store", "kind", "detail"];

    fn human(&self, style: &Style) -> String {
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
                "{} kept changing and could not be compared; run the command again",
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
        out.push_str(&table.render(style));
        out
    }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

pub(crate) async fn run(context: &Context, args: &ReconcileArgs) -> OpsResult<Exit> {
    let fan = context
        .ask_each(async |session| {
            let report = reconcile(context, &session, args.settle).await?;
            Ok(ReconcileView::new(&report, context.privacy))
        })
        .await?;
    let exit = fan.exit(&context.console);
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
        context.console.say(format!(
            "breaks: {}; see what happened with: payops payment timeline ID",
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

async fn reconcile(context: &Context, session: &Session, settle: u32) -> OpsResult<Report> {
    let bar = context.console.progress("payments compared", None);
    let on_step = |step| match step {
        ReconcileStep::Compared(payments) => bar.set_position(payments),
        ReconcileStep::Waiting(payments) => {
            bar.set_message("waiting for payments that are still changing");
            bar.set_position(u64::try_from(payments).unwrap_or(0));
        }
    };
    let report = payments::reconcile(session, settle, &on_step).await;
    bar.finish_and_clear();
    report
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
        let found = ReconcileView::new(
            &Report {
                checked: 3,
                breaks,
                in_motion: Vec::new(),
            },
            Privacy { reveal: false },
        );
        insta::assert_json_snapshot!(found);
        insta::assert_snapshot!(found.human(&Style::plain()));
        let none = ReconcileView {
            checked: 1,
            in_motion: 0,
            breaks: Vec::new(),
        };
        assert_eq!(
            none.human(&Style::plain()),
            "1 payment checked, no breaks\n"
        );
    }
}
