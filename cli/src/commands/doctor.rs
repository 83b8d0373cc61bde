//! `payops doctor`: whether each environment can be reached, what is missing, and what mends it.

use payops_core::domain::access::AccessLevel;
use serde::Serialize;

use crate::access;
use crate::audit::FileAuditLog;
use crate::audit::ship::{BEHIND_MAX, Shipping};
use crate::clusters;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::local;
use crate::output::{Cell, Column, Look, Of, Row, Tone};
use crate::settings::{EnvTarget, Target};

#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the name that scripts read")]
pub(crate) struct Check {
    pub(crate) env: String,
    pub(crate) check: String,
    pub(crate) ok: bool,
    pub(crate) detail: String,
    pub(crate) fix: Option<String>,
}

impl Row for Check {
    const FIELDS: &'static [&'static str] = &["env", "check", "ok", "detail", "fix"];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text("CHECK"),
        Column::text(""),
        Column::text("WHAT"),
        Column::text("FIX"),
    ];

    fn cells(&self, _: &Look) -> Vec<Cell> {
        vec![
            Cell::from(&self.env),
            Cell::from(&self.check),
            if self.ok {
                Cell::toned("ok", Tone::Good)
            } else {
                Cell::toned("✖", Tone::Bad)
            },
            Cell::from(&self.detail),
            Cell::maybe(self.fix.as_ref()),
        ]
    }
}

fn check(env: &str, name: &str, result: Result<String, CliError>) -> Check {
    let (env, check) = (env.to_owned(), name.to_owned());
    match result {
        Ok(detail) => Check {
            env,
            check,
            ok: true,
            detail,
            fix: None,
        },
        Err(error) => {
            let causes = error
                .text()
                .lines()
                .filter_map(|line| line.strip_prefix("  caused by: ").map(str::to_owned))
                .collect::<Vec<_>>();
            let detail = std::iter::once(error.message.clone())
                .chain(causes)
                .collect::<Vec<_>>()
                .join(": ");
            Check {
                env,
                check,
                ok: false,
                detail,
                fix: error.hint,
            }
        }
    }
}

pub(crate) async fn run(context: &Context) -> CliResult<Exit> {
    let mut rows = Vec::new();
    for target in context.settings.all_targets()? {
        rows.extend(Box::pin(of(context, &target)).await);
    }
    let failed = rows.iter().filter(|row| !row.ok).count();
    let rows: Vec<Of<Check>> = rows
        .into_iter()
        .map(|value| Of {
            env: value.env.clone(),
            value,
        })
        .collect();
    context.printer.list(&rows, false)?;
    if failed > 0 {
        context
            .talk
            .say(format!("{failed} of {} checks failed", rows.len()));
    }
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn of(context: &Context, target: &EnvTarget) -> Vec<Check> {
    let env = target.name.as_str();
    let mut out = Vec::new();
    match &target.target {
        Target::Embedded { data_dir, .. } => {
            let runs = local::status(data_dir)
                .await
                .and_then(|running| match running {
                    Some(running) => Ok(format!("runs as process {}", running.pid)),
                    None => Err(CliError::not_found(format!(
                        "no platform runs on {}",
                        data_dir.display()
                    ))
                    .hint("payops local up starts it")),
                });
            out.push(check(env, "platform", runs));
        }
        Target::Aws(aws) => out.extend(
            Box::pin(crate::aws::checks(
                env,
                aws,
                &context.caller(access::standing(target)),
            ))
            .await,
        ),
    }
    let opened = context.open(target, Access::Read).await;
    match opened {
        Err(error) => out.push(check(env, "stores", Err(error))),
        Ok(ports) => {
            let queues = async {
                let names = ports.queues.names().await?;
                for name in &names {
                    ports.queues.stats(name).await?;
                }
                Ok(format!("{} queues", names.len()))
            };
            out.push(check(
                env,
                "queues",
                queues.await.map_err(|error: payops_core::port::PortError| {
                    CliError::port("the queues do not answer", error)
                }),
            ));
            let payments = ports
                .store
                .scan(None, 1)
                .await
                .map(|_| "answers".to_owned());
            out.push(check(
                env,
                "payments",
                payments.map_err(|error| CliError::port("the payments cannot be read", error)),
            ));
            let index = ports.index.freshness().await.map(|_| "answers".to_owned());
            out.push(check(
                env,
                "search index",
                index.map_err(|error| CliError::port("the search index does not answer", error)),
            ));
            let ledger = ports
                .ledger
                .scan(None, 1)
                .await
                .map(|_| "answers".to_owned());
            out.push(check(
                env,
                "ledger",
                ledger.map_err(|error| CliError::port("the ledger does not answer", error)),
            ));
        }
    }
    let reached = async {
        let mut names = Vec::new();
        for cluster in clusters::of(target, &context.caller(AccessLevel::View)).await? {
            let count = cluster
                .list()
                .await
                .map_err(|error| {
                    CliError::port(
                        format!("cluster {} does not answer", cluster.cluster()),
                        error,
                    )
                })?
                .len();
            names.push(format!("{}: {count} rollouts", cluster.cluster()));
        }
        Ok(names.join(", "))
    };
    out.push(check(env, "clusters", reached.await));
    out.push(check(
        env,
        "rules",
        access::rules(&context.settings, target).map(|_| "read".to_owned()),
    ));
    let freeze = access::freezes(target, &context.caller(AccessLevel::View))
        .current()
        .await;
    let freeze = freeze.map(
        |freeze| match freeze.filter(|freeze| freeze.active(Context::now())) {
            None => "not frozen".to_owned(),
            Some(freeze) => format!("FROZEN by {}: {}", freeze.by, freeze.reason),
        },
    );
    out.push(check(
        env,
        "freeze",
        freeze.map_err(|error| CliError::port("the freeze cannot be read", error)),
    ));
    let log = FileAuditLog {
        dir: context.records_dir(target),
    };
    let audit = match log.verify() {
        Err(error) => {
            Err(CliError::failed(format!("{} cannot be read", log.path().display())).because(error))
        }
        Ok(None) => Ok("nothing recorded yet".to_owned()),
        Ok(Some(Ok(verified))) => Ok(format!("{} entries, whole", verified.entries)),
        Ok(Some(Err(broken))) => {
            Err(CliError::failed(broken.to_string()).hint("payops audit verify"))
        }
    };
    out.push(check(env, "audit", audit));
    out.push(check(env, "audit shipped", shipped(context, target)));
    out
}

/// How much of the record is kept in this one place alone.
fn shipped(context: &Context, target: &EnvTarget) -> CliResult<String> {
    let Some(shipping) = Shipping::of(context, target) else {
        return Ok("kept here alone: no audit_dir and no audit_bus is set".to_owned());
    };
    let waiting = shipping.waiting()?;
    if waiting > BEHIND_MAX {
        let message = format!("{waiting} entries are not shipped to {}", shipping.place);
        return Err(CliError::failed(message).hint("payops audit ship says why"));
    }
    let last = shipping
        .cursor()?
        .and_then(|cursor| cursor.shipped)
        .map_or_else(|| "none".to_owned(), |head| head.seq.to_string());
    Ok(format!(
        "{waiting} entries not shipped, the last that was is {last}: {}",
        shipping.place
    ))
}
