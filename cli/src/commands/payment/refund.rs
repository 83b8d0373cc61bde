//! `payops payment refund` and `payops payment approve`: money given back at once, or planned into
//! a file that somebody else approves, and that is then carried out as it stands.

use std::path::{Path, PathBuf};

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::{Currency, Money, major};
use payops_core::domain::refund::{RefundFile, RefundPlan};
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::payments::{self, Refund, RefundApproval};
use payops_ops::session::Session;
use serde::Serialize;

use super::change::{print_change, say_equivalent, show_changed};
use crate::consent::{self, ConsentArgs, Proposal, Question};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, details};

/// `payops payment refund`
#[derive(Clone, Debug, Args)]
pub(crate) struct RefundArgs {
    /// Payment ID
    #[arg(required_unless_present = "plan")]
    id: Option<String>,
    /// Amount with the currency's decimals, such as 12.50 for EUR or 1250 for JPY [default:
    /// everything left]
    #[arg(long, value_name = "DECIMAL", conflicts_with_all = ["amount_minor", "plan"])]
    amount: Option<String>,
    /// Amount in minor units: 1250 is 12.50 EUR
    #[arg(long, value_name = "INTEGER", conflicts_with = "plan")]
    amount_minor: Option<i64>,
    /// Write a plan for someone else to approve, instead of refunding
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "yes", "dry_run"])]
    out: Option<PathBuf>,
    /// Execute this plan file
    #[arg(long, value_name = "FILE", conflicts_with = "idempotency_key")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Idempotency key: repeating the command with the same key changes nothing [default: random]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// `payops payment approve`
#[derive(Clone, Debug, Args)]
pub(crate) struct PaymentApproveArgs {
    /// Plan file
    file: PathBuf,
    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Clone, Debug, Serialize)]
struct PlannedRefund {
    file: String,
    sha256: String,
    #[serde(flatten)]
    plan: RefundPlan,
    approved_by: Vec<String>,
}

impl PlannedRefund {
    fn new(file: &RefundFile, path: &Path) -> Self {
        let approved_by = file.approvers().into_iter().map(str::to_owned).collect();
        Self {
            file: path.display().to_string(),
            sha256: file.sha256.clone(),
            plan: file.plan.clone(),
            approved_by,
        }
    }
}

impl Document for PlannedRefund {
    fn human(&self, style: &Style) -> String {
        let plan = &self.plan;
        let amount = format!("{} {}", major(plan.minor, plan.currency), plan.currency);
        let payment = format!("{} in {}, version {}", plan.payment, plan.env, plan.version);
        let approved_by = (!self.approved_by.is_empty()).then(|| self.approved_by.join(", "));
        details(
            style,
            [
                ("plan", Some(Cell::from(&self.file))),
                ("hash", Some(Cell::from(&self.sha256))),
                ("refund", Some(Cell::from(amount))),
                ("of", Some(Cell::from(payment))),
                ("why", plan.reason.as_ref().map(Cell::from)),
                ("made by", Some(Cell::from(&plan.by))),
                ("approved by", approved_by.map(Cell::from)),
            ],
        )
    }
}

pub(crate) async fn run(context: &Context, args: RefundArgs) -> OpsResult<Exit> {
    let id = args
        .id
        .as_deref()
        .map(payments::parse_payment_id)
        .transpose()?;
    if let Some(path) = &args.plan {
        return execute_plan(context, id.as_ref(), path, args.consent).await;
    }
    let id = id.ok_or_else(|| OpsError::usage("no payment given"))?;
    let key = payments::idempotency_key(args.idempotency_key.as_deref())?;
    let session = context.operator.one_session()?;
    let look = async {
        context
            .reveal_unless(args.consent.dry_run, &session)
            .await?;
        payments::get(&session, &id).await
    };
    let payment = context.interruptible(look).await?;
    let minor = minor(&args, payment.money.currency())?;
    let reason = consent::reason_unless_dry_run(context, &session.env, args.consent)?;
    let refund = Refund::new(payment, minor, reason.as_deref(), key)?;
    let Some(path) = &args.out else {
        return run_refund(context, &session, &refund, args.consent).await;
    };
    let file = refund.write_plan(&session, path).await?;
    context.printer.document(&PlannedRefund::new(&file, path))?;
    let path = path.display();
    context.console.say(format!(
        "someone else approves it with: payops payment approve {path}; then run: {}",
        session.command(&format!("payment refund --plan {path}"))
    ));
    Ok(Exit::Done)
}

async fn execute_plan(
    context: &Context,
    id: Option<&PaymentId>,
    path: &Path,
    consent: ConsentArgs,
) -> OpsResult<Exit> {
    let file = payments::read_refund_plan(path)?;
    let session = context.operator.one_session()?;
    if let Some(id) = id.filter(|id| **id != file.plan.payment) {
        let message = format!("the plan is for {}, not for {id}", file.plan.payment);
        return Err(OpsError::usage(message).hint("omit the payment ID"));
    }
    let look = async {
        context.reveal_unless(consent.dry_run, &session).await?;
        Refund::from_plan(&session, &file).await
    };
    let refund = context.interruptible(look).await?;
    run_refund(context, &session, &refund, consent).await
}

async fn run_refund(
    context: &Context,
    session: &std::sync::Arc<Session>,
    refund: &Refund,
    consent: ConsentArgs,
) -> OpsResult<Exit> {
    let (payment, what) = (&refund.payment, refund.what());
    if consent.dry_run {
        refund.check(session).await?;
        let action = (Action::PaymentRefund, refund.money());
        return print_change(context, session, action, payment, what).await;
    }
    say_equivalent(context, session, payment);
    let question = Question {
        what: &what,
        typed: payment.id.as_str(),
        yes: consent.yes,
        always: false,
    };
    consent::confirm(context, &session.env, &question)?;
    show_changed(context, refund.run(session).await?)
}

pub(crate) async fn approve(context: &Context, args: &PaymentApproveArgs) -> OpsResult<Exit> {
    let file = payments::read_refund_plan(&args.file)?;
    let env = context.operator.settings.target(&file.plan.env)?;
    let session = context.operator.session(&env);
    let look = async {
        context
            .reveal_unless(args.consent.dry_run, &session)
            .await?;
        RefundApproval::new(&session, file).await
    };
    let mut approval = context.interruptible(look).await?;
    let plan = &approval.file.plan;
    context.console.say(format!(
        "{} planned to refund {} of {} in {}: {}",
        plan.by,
        approval.amount(),
        plan.payment,
        plan.env,
        plan.reason.as_deref().unwrap_or("no reason given")
    ));
    if args.consent.dry_run {
        let proposal = Proposal {
            subject: Some(approval.payment().to_string()),
            ..Proposal::new(&session, Action::PaymentApprove, approval.what())
        };
        return proposal.print(context, &session).await;
    }
    let reason = consent::reason(context, &session.env)?;
    let question = Question {
        what: &approval.what(),
        typed: approval.payment().as_str(),
        yes: args.consent.yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    approval
        .run(&session, &args.file, reason.as_deref())
        .await?;
    context
        .printer
        .document(&PlannedRefund::new(&approval.file, &args.file))?;
    Ok(Exit::Done)
}

fn minor(args: &RefundArgs, currency: Currency) -> OpsResult<Option<i64>> {
    let Some(text) = &args.amount else {
        return Ok(args.amount_minor);
    };
    let money = Money::parse_major(text, currency)
        .map_err(|error| OpsError::usage(format!("invalid --amount {text}")).because(error))?;
    Ok(Some(money.minor()))
}

#[cfg(test)]
mod tests {
    use payops_ops::error::Kind;

    use super::*;

    fn args(amount: Option<&str>, amount_minor: Option<i64>) -> RefundArgs {
        let amount = amount.map(str::to_owned);
        RefundArgs {
            id: None,
            amount,
            amount_minor,
            out: None,
            plan: None,
            consent: ConsentArgs::default(),
            idempotency_key: None,
        }
    }

    #[test]
    fn amounts_follow_the_currency() {
        let currency = |code: &str| code.parse::<Currency>().expect("a currency");
        let read = |amount, code| minor(&args(amount, None), currency(code));
        assert_eq!(read(Some("12.50"), "EUR").expect("an amount"), Some(1250));
        assert_eq!(read(Some("1250"), "JPY").expect("an amount"), Some(1250));
        assert_eq!(read(None, "EUR").expect("all"), None);
        assert_eq!(
            read(Some("12.5"), "EUR").expect_err("refused").kind,
            Kind::Usage
        );
        assert_eq!(
            minor(&args(None, Some(7)), currency("EUR")).expect("an amount"),
            Some(7)
        );
    }
}
