//! Whether each environment can be reached, what is missing, and what mends it.

use crate::access::standing_level;
use crate::audit::ship::{BEHIND_MAX, Shipping};
use crate::backend::{Check, aws, local};
use crate::environment::Backend;
use crate::error::{OpsError, OpsResult};
use crate::operator::Operator;
use crate::session::Session;

fn check(env: &str, name: &str, result: Result<String, OpsError>) -> Check {
    let (env, check) = (env.to_owned(), name.to_owned());
    match result {
        Ok(detail) => Check {
            env,
            check,
            ok: true,
            detail,
            fix: None,
        },
        Err(error) => Check {
            env,
            check,
            ok: false,
            detail: error.chain(),
            fix: error.hint,
        },
    }
}

/// Checks every environment that was named, or all.
pub async fn run(operator: &Operator) -> OpsResult<Vec<Check>> {
    let mut rows = Vec::new();
    for session in operator.all_sessions()? {
        rows.extend(Box::pin(check_environment(&session)).await);
    }
    Ok(rows)
}

async fn check_environment(session: &Session) -> Vec<Check> {
    let (operator, target, env) = (&session.operator, &session.env, session.name());
    let mut out = Vec::new();
    match &target.target {
        Backend::Embedded { data_dir, .. } => {
            let runs = local::DataDir::open(data_dir)
                .and_then(|data| data.running())
                .map_err(OpsError::from)
                .and_then(|running| match running {
                    Some(running) => Ok(format!("running as process {}", running.pid)),
                    None => Err(OpsError::not_found(format!(
                        "no platform is running on {}",
                        data_dir.display()
                    ))
                    .hint("start it with: payops local up")),
                });
            out.push(check(env, "platform", runs));
        }
        Backend::Aws(aws) => out.extend(
            Box::pin(aws::checks(
                env,
                aws,
                &operator.caller(standing_level(target)),
            ))
            .await,
        ),
    }
    let opened = session.ports().await;
    match opened {
        Err(error) => out.push(check(env, "stores", Err(error))),
        Ok(ports) => {
            let queues = async {
                let names = ports.queue_admin.names().await?;
                for name in &names {
                    ports.queue_admin.stats(name).await?;
                }
                Ok(format!("{} queues", names.len()))
            };
            out.push(check(
                env,
                "queues",
                queues.await.map_err(|error: payops_core::port::PortError| {
                    OpsError::port("cannot read the queues", error)
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
                payments.map_err(|error| OpsError::port("cannot read the payments", error)),
            ));
            let index = ports.index.freshness().await.map(|_| "answers".to_owned());
            out.push(check(
                env,
                "search index",
                index.map_err(|error| OpsError::port("cannot reach the search index", error)),
            ));
            let ledger = ports
                .ledger
                .scan(None, 1)
                .await
                .map(|_| "answers".to_owned());
            out.push(check(
                env,
                "ledger",
                ledger.map_err(|error| OpsError::port("cannot reach the ledger", error)),
            ));
        }
    }
    let reached = async {
        let mut names = Vec::new();
        for cluster in session.clusters().await? {
            let count = cluster
                .list()
                .await
                .map_err(|error| {
                    OpsError::port(format!("cannot reach cluster {}", cluster.cluster()), error)
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
        session.policy().map(|_| "read".to_owned()),
    ));
    let freeze = session.freeze().await.map(|freeze| match freeze {
        None => "not frozen".to_owned(),
        Some(freeze) => format!("FROZEN by {}: {}", freeze.by, freeze.reason),
    });
    out.push(check(env, "freeze", freeze));
    let log = session.audit_log();
    let audit = match log.verify() {
        Err(error) => {
            Err(OpsError::failed(format!("cannot read {}", log.path().display())).because(error))
        }
        Ok(None) => Ok("nothing recorded yet".to_owned()),
        Ok(Some(Ok(verified))) => Ok(format!("{} entries, verified", verified.entries)),
        Ok(Some(Err(broken))) => {
            Err(OpsError::failed(broken.to_string()).hint("payops audit verify"))
        }
    };
    out.push(check(env, "audit", audit));
    out.push(check(env, "audit shipped", describe_shipping(session)));
    out
}

/// How much of the record is kept in this one place alone.
fn describe_shipping(session: &Session) -> OpsResult<String> {
    let Some(shipping) = Shipping::of(&session.operator, &session.env) else {
        return Ok("off: neither audit_dir nor audit_bus is set".to_owned());
    };
    let waiting = shipping.waiting()?;
    if waiting > BEHIND_MAX {
        let message = format!("{waiting} entries not yet shipped to {}", shipping.place);
        return Err(OpsError::failed(message).hint("see why with: payops audit ship"));
    }
    let last = shipping
        .cursor()?
        .and_then(|cursor| cursor.shipped)
        .map_or_else(|| "none".to_owned(), |head| head.seq.to_string());
    Ok(format!(
        "{waiting} entries waiting, last shipped {last}: {}",
        shipping.place
    ))
}
