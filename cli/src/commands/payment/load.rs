//! `payops payment create --file`: many payments as one act.

use std::path::Path;
use std::sync::Arc;

use payops_core::domain::access::Action;
use payops_ops::act::Act;
use payops_ops::error::OpsResult;
use payops_ops::payments::{
    AcceptedLine, FileContents, LineError, LoadResult, PaymentEnds, PaymentFile, Sums,
};
use payops_ops::session::Session;
use serde::Serialize;

use super::create::{CreateArgs, agree, wait};
use crate::consent::print_dry_run;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Style, Table, Tone, count, details};

/// What came of a file. `accepted` counts every line that has a payment; `replayed` those of
/// them whose payment was there before; `accepted + refused + unanswered = lines`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FileResult {
    lines: u64,
    accepted: usize,
    replayed: usize,
    refused: usize,
    /// Lines read that have no definite answer: only after an interruption or a failure.
    unanswered: u64,
    /// Lines of the file that were not read, after the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    errors: Vec<LineError>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    ended: Option<PaymentEnds>,
    payments: Vec<PaidView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PaidView {
    line: u64,
    id: String,
    replayed: bool,
}

impl FileResult {
    fn new(result: &LoadResult, ended: Option<PaymentEnds>) -> Self {
        let tally = &result.tally;
        let is_replayed = |line: &&AcceptedLine| line.replayed;
        let view = |line: &AcceptedLine| PaidView {
            line: line.line,
            id: line.id.clone(),
            replayed: line.replayed,
        };
        Self {
            lines: tally.lines,
            accepted: tally.accepted.len(),
            replayed: tally.accepted.iter().filter(is_replayed).count(),
            refused: tally.errors.len(),
            unanswered: tally.unanswered(),
            remaining: result.remaining,
            errors: tally.errors.clone(),
            ended,
            payments: tally.accepted.iter().map(view).collect(),
        }
    }
}

impl Document for FileResult {
    fn human(&self, style: &Style) -> String {
        let number = |number: u64| Some(Cell::from(number.to_string()));
        let some =
            |number: usize, tone| (number > 0).then(|| Cell::toned(number.to_string(), tone));
        let size = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let bad = |number: u64| (number > 0).then(|| Cell::toned(number.to_string(), Tone::Bad));
        let mut pairs = vec![
            ("lines", number(self.lines)),
            ("accepted", number(size(self.accepted))),
            ("replayed", some(self.replayed, Tone::Plain)),
            ("refused", some(self.refused, Tone::Bad)),
            ("unanswered", bad(self.unanswered)),
            ("remaining", bad(self.remaining.unwrap_or(0))),
        ];
        if let Some(ended) = &self.ended {
            pairs.extend([
                ("completed", some(ended.completed, Tone::Good)),
                ("failed", some(ended.failed, Tone::Bad)),
                ("canceled", some(ended.canceled, Tone::Plain)),
                ("review", some(ended.review, Tone::Bad)),
                ("dead", some(ended.dead, Tone::Bad)),
                ("processing", some(ended.processing, Tone::Warn)),
            ]);
        }
        details(style, pairs) + &errors_table(&self.errors, style)
    }
}

fn errors_table(errors: &[LineError], style: &Style) -> String {
    let mut table = Table::new([
        Column::number("LINE"),
        Column::text("CODE"),
        Column::text("PARAM"),
        Column::text("MESSAGE"),
    ]);
    for error in errors {
        table.row([
            Cell::from(error.line.to_string()),
            Cell::toned(&error.code, Tone::Bad),
            Cell::maybe(error.param.as_ref()),
            Cell::from(&error.message),
        ]);
    }
    table.render(style)
}

/// What `--dry-run` prints of a file: sums are in minor units, by currency.
#[derive(Clone, Debug, Serialize)]
struct FilePlan {
    outcome: &'static str,
    action: Action,
    env: String,
    lines: u64,
    payments: u64,
    sums: Sums,
    refused: usize,
    errors: Vec<LineError>,
}

impl Document for FilePlan {
    fn human(&self, style: &Style) -> String {
        let refused = (self.refused > 0).then(|| Cell::toned(self.refused.to_string(), Tone::Bad));
        details(
            style,
            [
                ("action", Some(Cell::from(self.action.as_str()))),
                ("outcome", Some(Cell::toned(self.outcome, Tone::Good))),
                ("env", Some(Cell::from(&self.env))),
                ("lines", Some(Cell::from(self.lines.to_string()))),
                ("payments", Some(Cell::from(self.payments.to_string()))),
                ("sums", Some(Cell::from(self.sums.to_string()))),
                ("refused", refused),
            ],
        ) + &errors_table(&self.errors, style)
    }
}

pub(super) async fn load(
    context: &Context,
    session: &Arc<Session>,
    args: &CreateArgs,
    path: &Path,
) -> OpsResult<Exit> {
    let file = PaymentFile::open(path)?;
    if args.consent.dry_run {
        return print_plan(context, session, file.inspect()?).await;
    }
    let creator = args.connect(session)?;
    let what = if let Some(contents) = file.contents() {
        format!(
            "create {} ({})",
            count(contents.payments, "payment"),
            contents.sums
        )
    } else {
        context.console.say(format!(
            "{file} cannot be counted before it is sent; the policy takes the number of \
             payments as unlimited"
        ));
        format!("create all payments of {file}")
    };
    let reason = agree(context, session, &what, args.consent.yes)?;
    let bar = context
        .console
        .progress("lines", file.contents().map(|contents| contents.lines));
    let loaded = creator
        .load(
            &file,
            usize::from(args.concurrency),
            reason.as_deref(),
            &|lines| bar.set_position(lines),
        )
        .await;
    bar.finish_and_clear();
    let mut loaded = loaded?;
    let mut exit = Exit::Done;
    let mut ended = None;
    if loaded.failure.is_none() {
        let ids = loaded.tally.accepted.iter().map(|line| line.id.as_str());
        match wait(context, session, &creator, args, ids).await {
            Ok(waited) => (exit, ended) = waited,
            // What was accepted is printed even if the waiting failed.
            Err(error) => loaded.failure = Some(error),
        }
    }
    let result = FileResult::new(&loaded, ended);
    context.printer.document(&result)?;
    if let Some(failure) = loaded.failure {
        return Err(failure);
    }
    if exit == Exit::Done && result.refused > 0 {
        context.console.say(format!(
            "{} refused; see the errors above",
            count(result.refused, "line")
        ));
        exit = Exit::Partial;
    }
    Ok(exit)
}

async fn print_plan(
    context: &Context,
    session: &Session,
    contents: FileContents,
) -> OpsResult<Exit> {
    let act = Act {
        count: Some(contents.payments),
        amount: contents.amount(),
        ..Act::new(Action::PaymentCreate)
    };
    let refused = contents.errors.len();
    let plan = FilePlan {
        outcome: "planned",
        action: Action::PaymentCreate,
        env: session.name().to_owned(),
        lines: contents.lines,
        payments: contents.payments,
        sums: contents.sums,
        refused,
        errors: contents.errors,
    };
    print_dry_run(context, session, act, &plan).await?;
    Ok(if refused > 0 {
        Exit::Partial
    } else {
        Exit::Done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_a_file_has_the_names_scripts_read() {
        let error = LineError {
            line: 2,
            code: "invalid_amount".to_owned(),
            message: "`amount` must be an integer".to_owned(),
            param: Some("amount".to_owned()),
        };
        let result = FileResult {
            lines: 3,
            accepted: 2,
            replayed: 1,
            refused: 1,
            unanswered: 0,
            remaining: None,
            errors: vec![error],
            ended: None,
            payments: vec![
                PaidView {
                    line: 1,
                    id: "pay_1".into(),
                    replayed: false,
                },
                PaidView {
                    line: 3,
                    id: "pay_3".into(),
                    replayed: true,
                },
            ],
        };
        insta::assert_json_snapshot!(result);
        let waited = FileResult {
            ended: Some(PaymentEnds {
                completed: 2,
                ..PaymentEnds::default()
            }),
            ..result
        };
        insta::assert_json_snapshot!(waited);
        insta::assert_snapshot!(waited.human(&Style::plain()));
    }
}
