//! The commands, one file for each noun.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod capture;
pub(crate) mod config;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod freeze;
pub(crate) mod local;
pub(crate) mod payment;
pub(crate) mod queue;
pub(crate) mod rollout;
pub(crate) mod shell;

use payops_core::domain::id::PaymentId;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::settings::{EMBEDDED, EnvTarget, Target};

pub(crate) fn payment_id(text: &str) -> CliResult<PaymentId> {
    let wrong = |error| {
        CliError::usage(format!("`{text}` is not a payment id"))
            .because(error)
            .hint("payops payment search finds payments by anything else")
    };
    text.trim().parse().map_err(wrong)
}

/// That a payment is not in `target`, and in which other embedded environment it is.
pub(crate) async fn no_payment(context: &Context, target: &EnvTarget, id: &PaymentId) -> CliError {
    if let Target::Embedded { data_dir, name } = &target.target {
        for other in EMBEDDED.into_iter().filter(|other| other != name) {
            let Ok(ports) = crate::local::open(data_dir, other, crate::context::Access::Read).await
            else {
                continue;
            };
            if matches!(ports.store.get(id).await, Ok(Some(_))) {
                let other = alias(context, data_dir, other).unwrap_or_else(|| other.to_owned());
                return CliError::not_found(format!(
                    "{id} not found in {}; it is in {other}: add `--env {other}`",
                    target.name
                ));
            }
        }
    }
    let hint = format!(
        "payops payment search finds payments by anything else; --env names another environment \
            than {}",
        target.name
    );
    CliError::not_found(format!("{id} not found in {}", target.name)).hint(hint)
}

/// What the configuration calls an environment of a data directory, when it does.
fn alias(context: &Context, data_dir: &std::path::Path, inner: &str) -> Option<String> {
    let declared = context.settings.declared();
    let same = |name: &String| {
        let target = context.settings.target(name).ok()?.target;
        (target
            == Target::Embedded {
                data_dir: data_dir.to_owned(),
                name: inner.to_owned(),
            })
        .then(|| name.clone())
    };
    declared.iter().find_map(same)
}
