//! `payops audit ship`: lines that were not shipped yet, to the place that each environment names.
use jiff::Timestamp;
use payops_ops::audit::ship::{Report, Shipping};
use payops_ops::error::{OpsError, OpsResult};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone, count};
use crate::report;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the name that scripts read")]
struct Shipped {
    env: String,
    place: String,
    shipped: u64,
    waiting: usize,
    /// The number and hash of the last line that is there.
    last_seq: Option<u64>,
    last_hash: Option<String>,
    at: Option<Timestamp>,
}

impl Row for Shipped {
    const FIELDS: &'static [&'static str] = &[
        "env",
        "place",
        "shipped",
        "waiting",
        "last_seq",
        "last_hash",
        "at",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text("TO"),
        Column::text("SHIPPED"),
        Column::text("WAITING"),
        Column::text("LAST LINE"),
        Column::text("ITS HASH").wide(),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        let waiting = self.waiting.to_string();
        vec![
            Cell::from(&self.env),
            Cell::from(&self.place),
            Cell::from(self.shipped.to_string()),
            if self.waiting == 0 {
                Cell::from(waiting)
            } else {
                Cell::toned(waiting, Tone::Warn)
            },
            Cell::maybe(self.last_seq.map(|seq| seq.to_string())),
            Cell::maybe(self.last_hash.as_ref()),
        ]
    }
}

pub(super) async fn run(context: &Context) -> OpsResult<Exit> {
    let targets = context.operator.settings.all_targets()?;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let mut nowhere: Vec<&str> = Vec::new();
    for target in &targets {
        let Some(shipping) = Shipping::of(&context.operator, target) else {
            nowhere.push(&target.name);
            continue;
        };
        match shipping.ship_all(&context.operator).await {
            Ok(report) => {
                let (row, failure) = to_row(&shipping, report)?;
                rows.push(InEnv {
                    env: target.name.clone(),
                    value: row,
                });
                failures.extend(failure.map(|failure| (target.name.clone(), failure)));
            }
            Err(error) => failures.push((target.name.clone(), error)),
        }
    }
    let named = nowhere.join(", ");
    if rows.is_empty() && failures.is_empty() {
        return Err(OpsError::usage(format!(
            "no shipping destination is configured for the audit record of {named}; nothing was \
                shipped"
        ))
        .hint("set audit_dir (embedded) or audit_bus (AWS) for the environment in payops.toml"));
    }
    context.printer.list(&rows, false)?;
    if !nowhere.is_empty() {
        context.console.say(format!(
            "{named}: no shipping destination is configured (audit_dir, audit_bus)"
        ));
    }
    let done = rows.len().saturating_sub(
        failures
            .iter()
            .filter(|(env, _)| rows.iter().any(|row| row.env == *env))
            .count(),
    );
    if failures.len() == 1 && done == 0 {
        return Err(failures.remove(0).1);
    }
    for (env, error) in &failures {
        context
            .console
            .warn(format!("{env}: {}", report::text(error)));
    }
    Ok(match (failures.first(), done) {
        (None, _) => Exit::Done,
        (Some((_, error)), 0) => error.kind.into(),
        (Some(_), _) => Exit::Partial,
    })
}

fn to_row(shipping: &Shipping<'_>, report: Report) -> OpsResult<(Shipped, Option<OpsError>)> {
    let waiting = shipping.waiting()?;
    let cursor = report.cursor.as_ref();
    let last = cursor.and_then(|cursor| cursor.shipped.clone());
    let row = Shipped {
        env: shipping.target.name.clone(),
        place: shipping.place.clone(),
        shipped: report.shipped,
        waiting,
        last_seq: last.as_ref().map(|head| head.seq),
        last_hash: last.map(|head| head.hash),
        at: cursor.map(|cursor| cursor.at),
    };
    let failure = match (report.broken, report.error) {
        (Some(broken), _) => {
            let path = shipping.log.path();
            let message = format!(
                "{} was changed after it was written: {broken}",
                path.display()
            );
            let hint = format!(
                "nothing from there on was shipped, {} before; compare the record with what is \
                    there",
                count(
                    usize::try_from(report.shipped).unwrap_or(usize::MAX),
                    "line"
                )
            );
            Some(OpsError::failed(message).hint(hint))
        }
        (None, error) => error,
    };
    Ok((row, failure))
}
