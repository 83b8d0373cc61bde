//! Whether each environment can be reached, what is missing, and what mends it.

use crate::access::standing_level;
use crate::audit::ship::{BEHIND_MAX, Shipping};
use crate::backend::{Check, aws, local};
use crate::environment::{Backend, Environment, Part};
use crate::error::{OpsError, OpsResult};
use crate::operator::Operator;
use crate::session::Session;

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
            out.push(Check::new(env, "platform", runs));
        }
        Backend::Kubernetes(_) => {}
        Backend::Aws(_) if !needs_account(target) => {}
        Backend::Aws(aws) => out.extend(
            Box::pin(aws::checks(
                env,
                aws,
                &operator.caller(standing_level(target)),
            ))
            .await,
        ),
    }
    out.extend(
        Part::ALL
            .into_iter()
            .filter(|part| *part != Part::Clusters)
            .filter_map(|part| {
                let missing = target.missing(part)?;
                Some(Check::not_set_up(env, part.as_str(), missing))
            }),
    );
    out.extend(check_stores(session).await);
    if let Some(missing) = target.missing(Part::Clusters) {
        out.push(Check::not_set_up(env, Part::Clusters.as_str(), missing));
    } else {
        out.push(check_clusters(session).await);
    }
    out.push(Check::new(
        env,
        "rules",
        session.policy().map(|_| "read".to_owned()),
    ));
    let freeze = session.freeze().await.map(|freeze| match freeze {
        None => match target.kept_here() {
            Some(kept) => format!("not frozen; {kept}"),
            None => "not frozen".to_owned(),
        },
        Some(freeze) => format!("FROZEN by {}: {}", freeze.by, freeze.reason),
    });
    out.push(Check::new(env, "freeze", freeze));
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
    out.push(Check::new(env, "audit", audit));
    out.push(Check::new(env, "audit shipped", describe_shipping(session)));
    out
}

/// Whether anything of it is reached with credentials of an account.
fn needs_account(target: &Environment) -> bool {
    let parts = [Part::Payments, Part::Queues, Part::Archive, Part::Bus];
    parts.into_iter().any(|part| target.missing(part).is_none())
        || target
            .clusters()
            .iter()
            .any(|cluster| cluster.eks.is_some())
}

/// Whether each store and queue that the environment has answers.
async fn check_stores(session: &Session) -> Vec<Check> {
    let env = session.name();
    let mut out = Vec::new();
    let ports = match session.ports().await {
        Ok(ports) => ports,
        Err(error) => return vec![Check::new(env, "stores", Err(error))],
    };
    let has = |part| session.env.missing(part).is_none();
    if has(Part::Queues) {
        let queues = async {
            let names = ports.queue_admin.names().await?;
            for name in &names {
                ports.queue_admin.stats(name).await?;
            }
            Ok(format!("{} queues", names.len()))
        };
        let queues = queues.await.map_err(|error: payops_core::port::PortError| {
            OpsError::port("cannot read the queues", error)
        });
        out.push(Check::new(env, "queues", queues));
    }
    if has(Part::Payments) {
        let payments = ports.store.scan(None, 1).await;
        let payments = payments.map(|_| "answers".to_owned());
        out.push(Check::new(
            env,
            "payments",
            payments.map_err(|error| OpsError::port("cannot read the payments", error)),
        ));
    }
    if has(Part::SearchIndex) {
        let index = ports.index.freshness().await.map(|_| "answers".to_owned());
        out.push(Check::new(
            env,
            "search index",
            index.map_err(|error| OpsError::port("cannot reach the search index", error)),
        ));
    }
    if has(Part::Ledger) {
        let ledger = ports.ledger.scan(None, 1).await;
        let ledger = ledger.map(|_| "answers".to_owned());
        out.push(Check::new(
            env,
            "ledger",
            ledger.map_err(|error| OpsError::port("cannot reach the ledger", error)),
        ));
    }
    out
}

async fn check_clusters(session: &Session) -> Check {
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
    Check::new(session.name(), "clusters", reached.await)
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
