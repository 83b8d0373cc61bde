//! Giving money back: at once, or as a plan that somebody else approves and that is then carried
//! out as it stands.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use payops_core::domain::access::{Action, PolicyRefusal};
use payops_core::domain::id::{PaymentId, RefundId};
use payops_core::domain::machine::Command;
use payops_core::domain::money::{Money, major};
use payops_core::domain::payment::Payment;
use payops_core::domain::refund::{RefundFile, RefundPlan};
use payops_core::domain::request::CreateRefund;
use payops_core::domain::text::IdempotencyKey;
use payops_core::usecase::{Changes, Requester};
use serde_json::json;

use super::change::{
    ChangedPayment, check_transition, equivalent_change, finish, has_changed, invalid, render,
    to_error,
};
use super::find::get;
use crate::access::plan_file::{
    REFUND_PLANS, check_place, refuse_own_plan, warn_of_own_approval, write_plan,
};
use crate::act::{Act, ApprovedPlan, Done};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// A refund of a payment, all that is left of it or part.
#[derive(Clone, Debug)]
pub struct Refund {
    pub payment: Payment,
    key: IdempotencyKey,
    reason: Option<String>,
    request: CreateRefund,
    /// The plan that it carries out, with the version of the payment that it is for.
    plan: Option<(ApprovedPlan, u64)>,
}

impl Refund {
    /// Refunding `minor` units, or all that is left.
    pub fn new(
        payment: Payment,
        minor: Option<i64>,
        reason: Option<&str>,
        key: IdempotencyKey,
    ) -> OpsResult<Self> {
        Ok(Self {
            payment,
            key,
            reason: reason.map(str::to_owned),
            request: request(minor, reason)?,
            plan: None,
        })
    }

    /// What a plan file asks for, if it may be carried out: it is whole, of this environment, and
    /// of the payment as it still is.
    pub async fn from_plan(session: &Session, file: &RefundFile) -> OpsResult<Self> {
        REFUND_PLANS.check(file)?;
        let plan = &file.plan;
        check_place(session, &plan.env, plan.account.as_ref())?;
        warn_of_own_approval(session, file);
        if session.operator.reason.is_some() && session.operator.reason != plan.reason {
            return Err(
                OpsError::usage("the plan already contains the reason that was approved")
                    .hint("omit --reason"),
            );
        }
        let payment = get(session, &plan.payment).await?;
        let request = request(Some(plan.minor), plan.reason.as_deref())?;
        if payment.version != plan.version && !is_answered(session, plan, &request).await? {
            return Err(has_changed(
                session,
                &plan.payment,
                (plan.version, payment.version),
            ));
        }
        let approved = ApprovedPlan {
            sha256: file.sha256.clone(),
            approvals: REFUND_PLANS.prove(session, &file.approvals).await?,
            approve_with: Some("payops payment approve FILE".to_owned()),
        };
        Ok(Self {
            payment,
            key: plan.key.clone(),
            reason: plan.reason.clone(),
            request,
            plan: Some((approved, plan.version)),
        })
    }

    /// In minor units of the payment's currency.
    #[must_use]
    pub fn minor(&self) -> i64 {
        self.request.minor.unwrap_or(self.payment.refundable_minor)
    }

    /// What is given back; `None` for what no amount can be.
    #[must_use]
    pub fn money(&self) -> Option<Money> {
        Money::new(self.minor(), self.payment.money.currency()).ok()
    }

    fn amount(&self) -> String {
        let currency = self.payment.money.currency();
        format!("{} {currency}", major(self.minor(), currency))
    }

    /// What will be done, after "This will".
    #[must_use]
    pub fn what(&self) -> String {
        format!("refund {} of {}", self.amount(), self.payment.id)
    }

    /// Refuses what the payment does not allow as it is now. Nothing is changed or recorded.
    pub async fn check(&self, session: &Session) -> OpsResult<()> {
        let command = Command::RequestRefund {
            id: RefundId::from_parts(0, 0),
            minor: self.request.minor,
            by: session.who().to_owned(),
            reason: self.request.reason.clone(),
        };
        check_transition(session, (&self.payment, "refunded"), command, &self.key).await
    }

    /// Writes it to a plan file, for somebody else to approve.
    pub async fn write_plan(&self, session: &Session, path: &Path) -> OpsResult<RefundFile> {
        // What the payment does not allow now needs nobody's approval.
        self.check(session).await?;
        let file = RefundFile::new(RefundPlan {
            env: session.name().to_owned(),
            account: session.env.account().cloned(),
            payment: self.payment.id.clone(),
            version: self.payment.version,
            minor: self.minor(),
            currency: self.payment.money.currency(),
            reason: self.request.reason.clone(),
            by: session.who().to_owned(),
            at: Timestamp::now(),
            key: self.key.clone(),
        });
        write_plan(path, &file)?;
        Ok(file)
    }

    pub async fn run(&self, session: &Arc<Session>) -> OpsResult<ChangedPayment> {
        let id = &self.payment.id;
        let act = Act {
            plan: self.plan.as_ref().map(|(plan, _)| plan.clone()),
            ..Act::new(Action::PaymentRefund)
                .subject(id.as_str())
                .reason(self.reason.as_deref())
                .amount(self.money())
                .detail("amount", self.amount())
                .equivalent(equivalent_change(session, &self.payment))
        };
        let version = self.plan.as_ref().map(|(_, version)| *version);
        let done = session.act(act.clone(), async |permit| {
            let ports = permit.ports().await?;
            let answer = Changes::from(&ports)
                .refund_of(
                    &operator(session),
                    (id, version),
                    &self.key,
                    &self.request,
                    &render,
                )
                .await
                .map_err(|error| to_error(session, error, (id, "refunded"), &self.key))?;
            Ok(Done::new(finish(&ports, &self.payment, answer).await))
        });
        match done.await {
            // A refund that nobody planned yet has no plan to approve: say how it gets one.
            Err(error) if self.plan.is_none() => Err(match error.refusal.as_deref() {
                Some(refusal @ PolicyRefusal::NeedsApproval { .. }) => {
                    let hint = format!(
                        "{}: {}, payops payment approve FILE",
                        refusal.hint(),
                        session.command(&format!("payment refund {id} --out FILE"))
                    );
                    error.hint(hint)
                }
                _ => error,
            }),
            done => done,
        }
    }
}

/// Whether it is this very plan that changed the payment: then it is said once more what came of
/// it.
async fn is_answered(
    session: &Session,
    plan: &RefundPlan,
    request: &CreateRefund,
) -> OpsResult<bool> {
    let answer = Changes::from(session.ports().await?)
        .find_refund(&operator(session), &plan.payment, &plan.key, request)
        .await
        .map_err(|error| to_error(session, error, (&plan.payment, "refunded"), &plan.key))?;
    Ok(answer.is_some())
}

fn operator(session: &Session) -> Requester {
    Requester::Operator(session.who().to_owned())
}

fn request(minor: Option<i64>, reason: Option<&str>) -> OpsResult<CreateRefund> {
    let body = minor.map_or_else(
        || json!({ "reason": reason }),
        |minor| json!({ "amount": minor, "reason": reason }),
    );
    CreateRefund::parse(body.to_string().as_bytes()).map_err(invalid)
}

/// Reads a plan file of a refund, as it is.
pub fn read_refund_plan(path: &Path) -> OpsResult<RefundFile> {
    REFUND_PLANS.read(path)
}

/// Approving a refund that somebody else planned.
#[derive(Clone, Debug)]
pub struct RefundApproval {
    pub file: RefundFile,
}

impl RefundApproval {
    /// Checks that the plan may be approved: it is whole, somebody else's, of this environment,
    /// and of the payment as it still is.
    pub async fn new(session: &Session, file: RefundFile) -> OpsResult<Self> {
        REFUND_PLANS.check(&file)?;
        refuse_own_plan(session, &file)?;
        let plan = &file.plan;
        check_place(session, &plan.env, plan.account.as_ref())?;
        let payment = get(session, &plan.payment).await?;
        if payment.version != plan.version {
            return Err(has_changed(
                session,
                &plan.payment,
                (plan.version, payment.version),
            ));
        }
        Ok(Self { file })
    }

    /// Which payment is refunded.
    #[must_use]
    pub fn payment(&self) -> &PaymentId {
        &self.file.plan.payment
    }

    /// Such as `20.00 EUR`.
    #[must_use]
    pub fn amount(&self) -> String {
        let plan = &self.file.plan;
        format!("{} {}", major(plan.minor, plan.currency), plan.currency)
    }

    /// What will be done, after "This will".
    #[must_use]
    pub fn what(&self) -> String {
        format!(
            "approve the refund of {} of {}",
            self.amount(),
            self.payment()
        )
    }

    /// Records the approval, and adds it to the plan file at `path`.
    pub async fn run(
        &mut self,
        session: &Arc<Session>,
        path: &Path,
        reason: Option<&str>,
    ) -> OpsResult<()> {
        let act = Act::new(Action::PaymentApprove)
            .subject(self.payment().as_str())
            .reason(reason)
            .detail("amount", self.amount());
        let approved = REFUND_PLANS.approve(session, path, &mut self.file, act);
        approved
            .await
            .map_err(|error| match error.refusal.as_deref() {
                Some(refusal) if refusal.is_final() => OpsError {
                    message: format!(
                        "only someone who may refund can approve a refund: {}",
                        error.message
                    ),
                    ..error
                },
                _ => error,
            })
    }
}
