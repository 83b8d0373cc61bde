//! `payops doctor`: whether each environment can be reached, what is missing, and what mends it.

use payops_ops::backend::{Check, CheckState};
use payops_ops::doctor;
use payops_ops::error::OpsResult;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone};

impl Row for Check {
    const FIELDS: &'static [&'static str] = &["env", "check", "ok", "state", "detail", "fix"];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text("CHECK"),
        Column::text("STATE"),
        Column::text("WHAT"),
        Column::text("FIX"),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.env),
            Cell::from(&self.check),
            match self.state {
                CheckState::Ok => Cell::toned("ok", Tone::Good),
                CheckState::Failed => Cell::toned("✖ failed", Tone::Bad),
                CheckState::NotSetUp => Cell::toned("not set up", Tone::Dim),
            },
            Cell::from(&self.detail),
            Cell::maybe(self.fix.as_ref()),
        ]
    }
}

pub(crate) async fn run(context: &Context) -> OpsResult<Exit> {
    let checks = Box::pin(doctor::run(&context.operator)).await?;
    let failed = checks.iter().filter(|check| !check.ok).count();
    let rows: Vec<InEnv<Check>> = checks
        .into_iter()
        .map(|value| InEnv {
            env: value.env.clone(),
            value,
        })
        .collect();
    context.printer.list(&rows, false)?;
    if failed == 0 {
        return Ok(Exit::Done);
    }
    context
        .console
        .say(format!("{failed} of {} checks failed", rows.len()));
    Ok(Exit::Failed)
}
