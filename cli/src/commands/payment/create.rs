//! `payops payment create`: one payment by options, or a file of JSON lines, through the
//! environment's own API. Running a file again is safe: every line has its key.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, read at a terminal"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use payops_core::domain::access::Action;
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::{Currency, Money};
use payops_ops::act::Act;
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::payments::{self, CreatedPayment, Creator, NewPayment, PaymentEnds};
use payops_ops::session::Session;
use serde::Serialize;

use crate::consent::{self, ConsentArgs, Proposal, Question, print_dry_run};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, Tone, count, details};

/// `payops payment create`
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["file", "amount", "amount_minor"]))]
pub(crate) struct CreateArgs {
    /// File of JSON lines, each an API request body with an `idempotency_key`; - for stdin. A line:
    /// {"idempotency_key":"order-7","amount":1250,"currency":"EUR","source":"tok_visa",
    /// "customer":{"email":"a@example.com"}}
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Number of requests to send in parallel
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000), requires = "file")]
    pub(super) concurrency: u16,
    /// Amount with the currency's decimals, such as 12.50 for EUR or 1250 for JPY
    #[arg(long, value_name = "DECIMAL", requires_all = ["currency", "source", "email"], conflicts_with_all = ["file", "amount_minor"])]
    amount: Option<String>,
    /// Amount in minor units: 1250 is 12.50 EUR
    #[arg(long, value_name = "INTEGER", requires_all = ["currency", "source", "email"], conflicts_with = "file")]
    amount_minor: Option<i64>,
    /// Currency, as an ISO 4217 code
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Source token to charge; never a card number
    #[arg(long, value_name = "TOKEN")]
    source: Option<String>,
    /// E-mail address for the receipt
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The merchant's reference
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Idempotency key [default: random, printed on stderr]
    #[arg(long, value_name = "KEY", conflicts_with = "file")]
    idempotency_key: Option<String>,
    /// Wait until every accepted payment is final or its message is a dead letter
    #[arg(long)]
    wait: bool,
    /// Seconds that --wait waits
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// Seconds to retry a request that gets no definite answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    retry_for: u64,
    /// API URL [env: PAYOPS_API_URL]
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    #[command(flatten)]
    pub(super) consent: ConsentArgs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OneResult {
    id: String,
    status: String,
    amount: i64,
    currency: &'static str,
    version: Option<u64>,
    reference: Option<String>,
    idempotency_key: String,
    replayed: bool,
}

impl Document for OneResult {
    fn human(&self, style: &Style) -> String {
        let replayed = self.replayed.then(|| Cell::from("it already existed"));
        details(
            style,
            [
                ("payment", Some(Cell::from(&self.id))),
                (
                    "status",
                    Some(Cell::toned(&self.status, Tone::of_status(&self.status))),
                ),
                ("replayed", replayed),
            ],
        )
    }
}

impl CreateArgs {
    pub(super) fn connect(&self, session: &Arc<Session>) -> OpsResult<Creator> {
        let patience = Duration::from_secs(self.retry_for);
        Creator::connect(session, self.api_url.as_deref(), patience)
    }

    fn payment(&self) -> OpsResult<NewPayment> {
        fn invalid<E: std::error::Error + Send + Sync + 'static>(
            what: &str,
        ) -> impl FnOnce(E) -> OpsError {
            move |error| OpsError::usage(format!("invalid {what}")).because(error)
        }
        let currency = self.currency.as_deref().unwrap_or_default();
        let currency: Currency = currency.parse().map_err(invalid("--currency"))?;
        let money = match (&self.amount, self.amount_minor) {
            (Some(text), _) => Money::parse_major(text, currency).map_err(invalid("--amount")),
            (None, minor) => {
                Money::new(minor.unwrap_or_default(), currency).map_err(invalid("--amount-minor"))
            }
        };
        let key = payments::idempotency_key(self.idempotency_key.as_deref())?;
        Ok(NewPayment::new(
            money?,
            self.source.as_deref(),
            self.email.as_deref(),
            self.reference.as_deref(),
            key,
        ))
    }
}

/// The reason of a write that is free in an embedded environment, once it is agreed to.
pub(super) fn agree(
    context: &Context,
    session: &Session,
    what: &str,
    yes: bool,
) -> OpsResult<Option<String>> {
    if session.is_embedded() && Action::PaymentCreate.is_free_when_embedded() {
        return Ok(context.operator.reason.clone());
    }
    let reason = consent::reason(context, &session.env)?;
    let question = Question {
        what,
        typed: session.name(),
        yes,
        always: false,
    };
    consent::confirm(context, &session.env, &question)?;
    Ok(reason)
}

pub(super) async fn create_one(
    context: &Context,
    session: &Arc<Session>,
    args: &CreateArgs,
) -> OpsResult<Exit> {
    let payment = args.payment()?;
    let what = format!("create a payment of {}", payment.money);
    if args.consent.dry_run {
        payment.check()?;
        let act = Act::new(Action::PaymentCreate).amount(Some(payment.money));
        let proposal = Proposal::new(session, Action::PaymentCreate, what);
        print_dry_run(context, session, act, &proposal).await?;
        return Ok(Exit::Done);
    }
    let creator = args.connect(session)?;
    let reason = agree(context, session, &what, args.consent.yes)?;
    if args.idempotency_key.is_none() {
        // Said before the request: who is cut off can ask again with it.
        context
            .console
            .warn(format!("idempotency key {}", payment.key.as_str()));
    }
    let created = creator.create(&payment, reason.as_deref()).await?;
    let CreatedPayment {
        id,
        status,
        version,
        replayed,
    } = created;
    let reference = args.reference.as_deref();
    let mut result = OneResult {
        id,
        status,
        amount: payment.money.minor(),
        currency: payment.money.currency().code(),
        version,
        reference: reference.map(|reference| context.privacy.text(reference)),
        idempotency_key: payment.key.as_str().to_owned(),
        replayed,
    };
    // It is accepted, whatever becomes of the waiting: that is always printed.
    let waited = wait(context, session, &creator, args, [result.id.as_str()]).await;
    if let Ok((_, Some(ends))) = &waited {
        end_name(ends).clone_into(&mut result.status);
        // The version of the answer is that of the first moment; the status shown is a later one.
        result.version = match result.id.parse() {
            Ok(id) => creator.watcher().await?.version_of(&id).await,
            Err(_) => None,
        };
    }
    context.printer.document(&result)?;
    waited.map(|(exit, _)| exit)
}

fn end_name(ends: &PaymentEnds) -> &'static str {
    let states = [
        (ends.completed, "completed"),
        (ends.failed, "failed"),
        (ends.canceled, "canceled"),
        (ends.review, "review"),
        (ends.dead, "dead"),
    ];
    states
        .into_iter()
        .find(|(count, _)| *count > 0)
        .map_or("processing", |(_, name)| name)
}

/// Waits for the payments, if that was asked for.
pub(super) async fn wait(
    context: &Context,
    session: &Session,
    creator: &Creator,
    args: &CreateArgs,
    ids: impl IntoIterator<Item = &str>,
) -> OpsResult<(Exit, Option<PaymentEnds>)> {
    if !args.wait {
        return Ok((Exit::Done, None));
    }
    let ids: BTreeSet<PaymentId> = ids.into_iter().filter_map(|id| id.parse().ok()).collect();
    let bar = context
        .console
        .progress("payments finished", u64::try_from(ids.len()).ok());
    let on_end = |ended: usize| bar.set_position(u64::try_from(ended).unwrap_or(0));
    let ends = creator
        .watcher()
        .await?
        .wait(ids, Duration::from_secs(args.timeout), on_end)
        .await?;
    bar.finish_and_clear();
    let exit = match ends.processing {
        0 => Exit::Done,
        _ if context.operator.stop.is_cancelled() => Exit::Interrupted,
        left => {
            context.console.warn(format!(
                "{} still processing after {} s; see them with: {}",
                count(left, "payment"),
                args.timeout,
                session.command("payment search status:processing")
            ));
            Exit::TimedOut
        }
    };
    Ok((exit, Some(ends)))
}
