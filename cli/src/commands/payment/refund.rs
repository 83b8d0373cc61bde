//! `payops payment refund` and `payops payment approve`: money given back at once, or planned into
//! a file that somebody else looks at, approves, and that is then carried out as it stands.

use std::path::{Path, PathBuf};

use clap::Args;
use payops_core::domain::access::{Action, Approval};
use payops_core::domain::id::{PaymentId, RefundId};
use payops_core::domain::machine::{self, Command};
use payops_core::domain::money::{Currency, Money, major};
use payops_core::domain::refund::{RefundFile, RefundPlan};
use payops_core::domain::request::CreateRefund;
use payops_core::domain::text::IdempotencyKey;
use payops_core::usecase::{ChangeError, Requester};
use serde::Serialize;
use serde_json::json;

use super::change::{Ready, finish, key, moved, opened, prepare, render, told};
use crate::access::{self, Wanted};
use crate::commands::payment_id;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Document, Look, details};
use crate::plans::{self, Kind, Place};
use crate::safety::{self, Act};

const PLANS: Kind = Kind {
    action: "payment.approve",
    made_by: "payops payment refund ID",
};

/// `payops payment refund`
#[derive(Clone, Debug, Args)]
pub(crate) struct RefundArgs {
    /// The payment's id
    #[arg(required_unless_present = "plan")]
    id: Option<String>,
    /// How much, with the currency's decimals: 12.50 EUR, 1250 JPY; all that is left when left out
    #[arg(long, value_name = "DECIMAL", conflicts_with_all = ["amount_minor", "plan"])]
    amount: Option<String>,
    /// How much, in minor units: 1250 is 12.50 EUR
    #[arg(long, value_name = "INTEGER", conflicts_with = "plan")]
    amount_minor: Option<i64>,
    /// Only write the plan, for somebody else to approve
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "yes"])]
    out: Option<PathBuf>,
    /// Carry out this plan
    #[arg(long, value_name = "FILE", conflicts_with = "idempotency_key")]
    plan: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Names this request: the same again changes nothing (random when left out)
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// `payops payment approve`
#[derive(Clone, Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The plan file
    file: PathBuf,
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
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
    fn human(&self, look: &Look) -> String {
        let plan = &self.plan;
        details(
            look,
            [
                ("plan", Some(Cell::from(&self.file))),
                ("hash", Some(Cell::from(&self.sha256))),
                ("refund", Some(Cell::from(amount(plan)))),
                (
                    "of",
                    Some(Cell::from(format!(
                        "{} in {}, version {}",
                        plan.payment, plan.env, plan.version
                    ))),
                ),
                ("why", plan.reason.as_ref().map(Cell::from)),
                ("made by", Some(Cell::from(&plan.by))),
                (
                    "approved by",
                    (!self.approved_by.is_empty()).then(|| Cell::from(self.approved_by.join(", "))),
                ),
            ],
        )
    }
}

struct Asked<'a> {
    request: CreateRefund,
    money: Option<Money>,
    amount: String,
    reason: Option<String>,
    key: IdempotencyKey,
    plan: Option<(&'a RefundFile, Vec<Approval>)>,
}

/// Runs `payops payment refund`.
pub(crate) async fn run(context: &Context, args: RefundArgs) -> CliResult<Exit> {
    let given = args.id.as_deref().map(payment_id).transpose()?;
    if let Some(path) = &args.plan {
        return carry_out(context, given.as_ref(), path, args.yes).await;
    }
    let id = given.ok_or_else(|| CliError::usage("which payment?"))?;
    let key = key(args.idempotency_key.clone())?;
    if let Some(path) = &args.out {
        return plan(context, &args, &id, key, path).await;
    }
    let ready = context.interruptible(prepare(context, &id)).await?;
    let currency = ready.payment.money.currency();
    let minor = minor(&args, currency)?;
    let reason = safety::reason(context, &ready.target)?;
    let whole = minor.unwrap_or(ready.payment.refundable_minor);
    let asked = Asked {
        request: request(minor, reason.as_deref())?,
        money: Money::new(whole, currency).ok(),
        amount: format!("{} {currency}", major(whole, currency)),
        reason,
        key,
        plan: None,
    };
    refund(context, &ready, &asked, args.yes).await
}

async fn refund(context: &Context, ready: &Ready, asked: &Asked<'_>, yes: bool) -> CliResult<Exit> {
    let (id, key, amount) = (&ready.payment.id, &asked.key, &asked.amount);
    let what = format!("refund {amount} of {id}");
    let same_as = ready.same_as(context);
    safety::confirm(
        context,
        &ready.target,
        &Act {
            what: &what,
            typed: id.as_str(),
            yes,
            always: false,
        },
    )?;
    let (sha256, approvals) = asked
        .plan
        .as_ref()
        .map_or((None, &[] as &[Approval]), |(file, given)| {
            (Some(file.sha256.as_str()), given)
        });
    let commands = match &asked.plan {
        None => format!("payops payment refund {id} --out FILE, payops payment approve FILE"),
        Some(_) => "payops payment approve FILE".to_owned(),
    };
    let wanted = Wanted {
        amount: asked.money,
        plan_sha256: sha256,
        approvals,
        approving: Some(&commands),
        ..Wanted::new(Action::PaymentRefund).because(asked.reason.as_deref())
    };
    let permit = access::permit(context, &ready.target, &wanted).await?;
    let entry = context
        .entry(&ready.target, "refund", asked.reason.as_deref())
        .subject(id.as_str())
        .role(permit.duty.as_str());
    let mut entry = entry.detail("amount", amount).same_as(same_as);
    if let Some(sha256) = sha256 {
        entry = entry.detail("plan_sha256", sha256);
    }
    if !approvals.is_empty() {
        let by: Vec<&str> = approvals
            .iter()
            .map(|approval| approval.by.as_str())
            .collect();
        entry = entry.detail("approved_by", by.join(", "));
    }
    let by = Requester::Operator(context.who().to_owned());
    let version = asked.plan.as_ref().map(|(file, _)| file.plan.version);
    let work = async {
        let made = ready
            .changes
            .refund_of(&by, (id, version), key, &asked.request, &render)
            .await;
        made.map_err(|error| told(error, id, key))
    };
    let made = context.audited(&ready.target, entry, work).await?;
    finish(context, ready, made).await
}

async fn plan(
    context: &Context,
    args: &RefundArgs,
    id: &PaymentId,
    key: IdempotencyKey,
    path: &Path,
) -> CliResult<Exit> {
    let ready = context
        .interruptible(opened(
            context,
            context.settings.one_target()?,
            id,
            Access::Read,
        ))
        .await?;
    let payment = &ready.payment;
    let currency = payment.money.currency();
    let given = minor(args, currency)?;
    let reason = safety::reason(context, &ready.target)?;
    let reason = request(given, reason.as_deref())?.reason;
    // What the payment does not allow now needs nobody's approval.
    let by = context.who().to_owned();
    let command = Command::RequestRefund {
        id: RefundId::from_parts(0, 0),
        minor: given,
        by: by.clone(),
        reason: reason.clone(),
    };
    let now = Context::now();
    machine::decide(payment, command, now, &ready.changes.policy)
        .map_err(|refusal| told(ChangeError::Refused(refusal), id, &key))?;
    let file = RefundFile::new(RefundPlan {
        env: ready.target.name.clone(),
        account: ready.target.account().cloned(),
        payment: id.clone(),
        version: payment.version,
        minor: given.unwrap_or(payment.refundable_minor),
        currency,
        reason,
        by,
        at: now,
        key,
    });
    plans::write(path, &file)?;
    context.printer.document(&PlannedRefund::new(&file, path))?;
    let path = path.display();
    context.talk.say(format!(
        "payops payment approve {path} is for somebody else; payops payment \
        refund --plan {path} carries it out"
    ));
    Ok(Exit::Done)
}

/// Runs `payops payment approve`.
pub(crate) async fn approve(context: &Context, args: &ApproveArgs) -> CliResult<Exit> {
    let mut file: RefundFile = PLANS.read(&args.file)?;
    let target = context.settings.target(&file.plan.env)?;
    PLANS.check(&file)?;
    plans::somebody_elses(context, &file)?;
    plans::belongs(
        &target,
        &Place {
            env: &target.name,
            account: file.plan.account.as_ref(),
        },
    )?;
    plans::may_approve(context, &target, Action::PaymentRefund).await?;
    let plan = file.plan.clone();
    // Nobody approves of a payment that is another one by now.
    let ready = context
        .interruptible(opened(context, target, &plan.payment, Access::Read))
        .await?;
    if ready.payment.version != plan.version {
        return Err(moved(&plan.payment, plan.version, ready.payment.version));
    }
    let words = format!(
        "{} planned to refund {} of {} in {}",
        plan.by,
        amount(&plan),
        plan.payment,
        plan.env
    );
    context.talk.say(format!(
        "{words}: {}",
        plan.reason.as_deref().unwrap_or("no reason given")
    ));
    let reason = safety::reason(context, &ready.target)?;
    let what = format!("approve of refunding {} of {}", amount(&plan), plan.payment);
    safety::confirm(
        context,
        &ready.target,
        &Act {
            what: &what,
            typed: plan.payment.as_str(),
            yes: args.yes,
            always: true,
        },
    )?;
    let entry = context
        .entry(&ready.target, PLANS.action, reason.as_deref())
        .subject(plan.payment.as_str());
    PLANS
        .approve(
            context,
            &ready.target,
            (&args.file, &mut file),
            entry.detail("amount", amount(&plan)),
        )
        .await?;
    context
        .printer
        .document(&PlannedRefund::new(&file, &args.file))?;
    Ok(Exit::Done)
}

async fn carry_out(
    context: &Context,
    given: Option<&PaymentId>,
    path: &Path,
    yes: bool,
) -> CliResult<Exit> {
    let file: RefundFile = PLANS.read(path)?;
    let target = context.settings.one_target()?;
    PLANS.check(&file)?;
    let plan = &file.plan;
    plans::belongs(
        &target,
        &Place {
            env: &plan.env,
            account: plan.account.as_ref(),
        },
    )?;
    plans::warn_of_own(context, &file);
    if let Some(given) = given.filter(|given| **given != plan.payment) {
        return Err(CliError::usage(format!(
            "the plan is for {}, and not for {given}",
            plan.payment
        ))
        .hint("leave the id out"));
    }
    if context.reason.is_some() && context.reason != plan.reason {
        return Err(
            CliError::usage("the plan has its own reason, which was approved")
                .hint("leave --reason out"),
        );
    }
    let ready = context
        .interruptible(opened(context, target, &plan.payment, Access::Write))
        .await?;
    let request = request(Some(plan.minor), plan.reason.as_deref())?;
    if ready.payment.version != plan.version {
        // It may be this very plan that changed it; then it is told once more what came of it.
        let by = Requester::Operator(context.who().to_owned());
        let answered = ready
            .changes
            .refunded(&by, &plan.payment, &plan.key, &request)
            .await;
        if answered
            .map_err(|error| told(error, &plan.payment, &plan.key))?
            .is_none()
        {
            return Err(moved(&plan.payment, plan.version, ready.payment.version));
        }
    }
    let approvals = PLANS
        .proven(context, &ready.target, &file.approvals)
        .await?;
    let asked = Asked {
        request,
        money: Money::new(plan.minor, plan.currency).ok(),
        amount: amount(plan),
        reason: plan.reason.clone(),
        key: plan.key.clone(),
        plan: Some((&file, approvals)),
    };
    refund(context, &ready, &asked, yes).await
}

fn amount(plan: &RefundPlan) -> String {
    format!("{} {}", major(plan.minor, plan.currency), plan.currency)
}

fn request(minor: Option<i64>, reason: Option<&str>) -> CliResult<CreateRefund> {
    let body = minor.map_or_else(
        || json!({ "reason": reason }),
        |minor| json!({ "amount": minor, "reason": reason }),
    );
    CreateRefund::parse(body.to_string().as_bytes())
        .map_err(|error| CliError::usage("the request is not right").because(error))
}

fn minor(args: &RefundArgs, currency: Currency) -> CliResult<Option<i64>> {
    match (&args.amount, args.amount_minor) {
        (Some(text), _) => {
            let money = Money::parse_major(text, currency);
            money.map(|money| Some(money.minor())).map_err(|error| {
                CliError::usage(format!("--amount {text} is not an amount")).because(error)
            })
        }
        (None, minor) => Ok(minor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(amount: Option<&str>, amount_minor: Option<i64>) -> RefundArgs {
        let amount = amount.map(str::to_owned);
        RefundArgs {
            id: None,
            amount,
            amount_minor,
            out: None,
            plan: None,
            yes: false,
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
            read(Some("12.5"), "EUR").expect_err("refused").exit,
            Exit::Usage
        );
        assert_eq!(
            minor(&args(None, Some(7)), currency("EUR")).expect("an amount"),
            Some(7)
        );
    }
}
