//! The guarded act: the one way to change anything, and the only code that asks the policy or adds
//! to the audit record.
//!
//! Policy → elevation in place, where the reason allows it → the record begins → the work, which a
//! freeze tells to stop → the record ends. What the policy refuses is recorded too; what cannot be
//! recorded is not done.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{
    AccessLevel, AccessRequest, Action, Approval, Elevation, PolicyDecision, PolicyRefusal,
};
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::money::Money;
use payops_core::port::{Ports, RolloutActions};
use tokio_util::sync::CancellationToken;

use crate::access::standing_level;
use crate::backend::{aws, clusters};
use crate::caller::{Access, Caller};
use crate::environment::Backend;
use crate::error::{OpsError, OpsResult};
use crate::session::{Session, open_ports};
use crate::{audit, equivalent};

/// For how long a write elevates in place.
pub const IN_PLACE: SignedDuration = SignedDuration::from_mins(15);
/// How often a long act looks whether the environment was frozen meanwhile.
const FREEZE_POLL: Duration = Duration::from_secs(5);

/// Something that an operator is about to do.
#[derive(Clone, Debug)]
pub struct Act {
    pub action: Action,
    /// To what: a payment id, a queue, a rollout.
    pub subject: Option<String>,
    pub reason: Option<String>,
    /// How many things at once; `None` when nobody knows, which is more than any limit.
    pub count: Option<u64>,
    pub amount: Option<Money>,
    pub plan: Option<ApprovedPlan>,
    /// Short texts for the record, by name.
    pub details: Vec<(String, String)>,
    /// The same with `aws` or `kubectl`.
    pub equivalent: Option<String>,
    pub ticket: Option<String>,
    /// The role for the record, when it is not the access level that it is done with.
    pub role: Option<AccessLevel>,
}

/// The plan that an act carries out, with what others said of it.
#[derive(Clone, Debug, Default)]
pub struct ApprovedPlan {
    pub sha256: String,
    /// Approvals that were proven.
    pub approvals: Vec<Approval>,
    /// The commands by which somebody else approves it.
    pub approve_with: Option<String>,
}

impl Act {
    /// Doing `action` to one thing.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            subject: None,
            reason: None,
            count: Some(1),
            amount: None,
            plan: None,
            details: Vec::new(),
            equivalent: None,
            ticket: None,
            role: None,
        }
    }

    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// A blank reason is none.
    #[must_use]
    pub fn reason(self, reason: Option<&str>) -> Self {
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
        Self {
            reason: reason.map(str::to_owned),
            ..self
        }
    }

    #[must_use]
    pub fn count(self, count: usize) -> Self {
        Self {
            count: u64::try_from(count).ok(),
            ..self
        }
    }

    #[must_use]
    pub fn amount(self, amount: Option<Money>) -> Self {
        Self { amount, ..self }
    }

    #[must_use]
    pub fn plan(self, plan: ApprovedPlan) -> Self {
        Self {
            plan: Some(plan),
            ..self
        }
    }

    #[must_use]
    pub fn detail(mut self, name: &str, text: impl Into<String>) -> Self {
        self.details.push((name.to_owned(), text.into()));
        self
    }

    #[must_use]
    pub fn equivalent(self, line: impl Into<String>) -> Self {
        Self {
            equivalent: Some(line.into()),
            ..self
        }
    }
}

/// What an act came to.
#[derive(Debug)]
pub struct Done<T> {
    pub value: T,
    pub outcome: AuditOutcome,
    /// In a few words, for the record.
    pub summary: Option<String>,
    /// Whether some of it is left: when a freeze stopped it, that is an error.
    pub is_unfinished: bool,
}

impl<T> Done<T> {
    pub fn new(value: T) -> Self {
        Self {
            value,
            outcome: AuditOutcome::Done,
            summary: None,
            is_unfinished: false,
        }
    }

    #[must_use]
    pub fn summary(self, summary: impl Into<String>) -> Self {
        Self {
            summary: Some(summary.into()),
            ..self
        }
    }

    #[must_use]
    pub fn outcome(self, outcome: AuditOutcome) -> Self {
        Self { outcome, ..self }
    }

    #[must_use]
    pub fn unfinished(self, is_unfinished: bool) -> Self {
        Self {
            is_unfinished,
            ..self
        }
    }
}

/// That an act may be done, and what it is done with.
pub struct Permit {
    /// The access level it is done with.
    pub level: AccessLevel,
    /// Cancelled when the environment is frozen meanwhile, or the operator interrupts.
    pub stop: CancellationToken,
    session: Arc<Session>,
    caller: Caller,
}

impl Permit {
    /// The ports to change with.
    pub async fn ports(&self) -> OpsResult<Ports> {
        Box::pin(open_ports(&self.session.env, Access::Write, &self.caller)).await
    }

    /// The cluster of that name, to change with; reached when it is first asked.
    pub fn cluster(&self, name: &str) -> OpsResult<Arc<dyn RolloutActions>> {
        clusters::connect_on_use(&self.session.env, &self.caller)
            .into_iter()
            .find(|cluster| cluster.cluster() == name)
            .ok_or_else(|| {
                OpsError::not_found(format!("{} has no cluster {name}", self.session.name()))
            })
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// What the policy says now.
struct Decided {
    decision: PolicyDecision,
    level: AccessLevel,
    /// The elevation in place that it takes.
    elevation: Option<Elevation>,
}

/// An act that was recorded when it began. It is ended in the record even when whoever waits for
/// it goes away.
struct OpenEntry<'a> {
    session: &'a Session,
    begun: Option<AuditEntry>,
}

impl OpenEntry<'_> {
    fn end(&mut self, outcome: AuditOutcome, summary: Option<&str>) {
        if let Some(begun) = self.begun.take() {
            self.session.record_end(&begun, outcome, summary);
        }
    }
}

impl Drop for OpenEntry<'_> {
    fn drop(&mut self) {
        self.end(
            AuditOutcome::Failed,
            Some("interrupted; some of it may have been done"),
        );
    }
}

impl Session {
    /// Does `work` if the policy allows `act`, with one entry in the audit record when it begins
    /// and one when it ends.
    ///
    /// # Errors
    /// [`Kind::Refused`](crate::error::Kind::Refused) when the policy refuses it, or when a freeze
    /// stopped it before all was done; what `work` fails with; and what keeps the record from
    /// being written, in which case nothing was done.
    pub async fn act<T, W, F>(self: &Arc<Self>, act: Act, work: W) -> OpsResult<T>
    where
        W: FnOnce(Permit) -> F,
        F: Future<Output = OpsResult<Done<T>>>,
    {
        let stop = self.operator.stop.child_token();
        Box::pin(self.act_until(act, stop, work)).await
    }

    /// The same, told to stop by `stop` instead of by the operator's interrupt.
    pub async fn act_until<T, W, F>(
        self: &Arc<Self>,
        act: Act,
        stop: CancellationToken,
        work: W,
    ) -> OpsResult<T>
    where
        W: FnOnce(Permit) -> F,
        F: Future<Output = OpsResult<Done<T>>>,
    {
        let Decided {
            decision,
            level,
            elevation,
        } = self.decide(&act).await?;
        let despite_freeze = match decision {
            PolicyDecision::Allowed { despite_freeze } => despite_freeze,
            PolicyDecision::Refused(refusal) => return Err(self.refuse(&act, level, &refusal)?),
        };
        if let Some(elevation) = elevation {
            self.keep_elevation(&elevation)?;
        }
        if despite_freeze {
            self.operator.notices.warn(&format!(
                "{} is frozen; continuing because you are elevated to break-glass",
                self.name()
            ));
        }
        let permit = Permit {
            level,
            stop: stop.clone(),
            session: Arc::clone(self),
            caller: self.writing_caller(act.reason.as_deref())?,
        };
        let begun = self.entry(&act, level).outcome(AuditOutcome::Begun);
        self.record(&begun)?;
        let mut open = OpenEntry {
            session: self,
            begun: Some(begun),
        };
        let mut work = Box::pin(work(permit));
        let (done, frozen) = tokio::select! {
            done = &mut work => (done, None),
            refusal = self.watch_freeze(&act) => {
                stop.cancel();
                (work.await, Some(refusal))
            }
        };
        match done {
            Ok(done) => match frozen.filter(|_| done.is_unfinished) {
                None => {
                    open.end(done.outcome, done.summary.as_deref());
                    Ok(done.value)
                }
                Some(refusal) => {
                    let stopped = match &done.summary {
                        Some(summary) => format!("{refusal}; {summary}"),
                        None => refusal.to_string(),
                    };
                    open.end(done.outcome, Some(&stopped));
                    Err(
                        OpsError::refused(format!("{} stopped: {stopped}", act.action)).hint(
                            "once the freeze is lifted, run the same command again to continue",
                        ),
                    )
                }
            },
            Err(error) => {
                open.end(AuditOutcome::Failed, Some(&error.message));
                Err(error)
            }
        }
    }

    /// Refuses what no reason, approval or elevation makes possible, before anybody is asked for
    /// them. The refusal is recorded as that of the act is.
    pub async fn refuse_early(&self, act: &Act) -> OpsResult<()> {
        let Decided {
            decision, level, ..
        } = self.decide(act).await?;
        match decision {
            PolicyDecision::Refused(refusal) if refusal.is_final() => {
                Err(self.refuse(act, level, &refusal)?)
            }
            _ => Ok(()),
        }
    }

    /// Asks the policy whether personal data of the environment may be shown, and records that it
    /// is about to be.
    pub async fn reveal(self: &Arc<Self>, reason: Option<&str>) -> OpsResult<()> {
        let act = Act::new(Action::PaymentReveal).reason(reason);
        self.act(act, async |_| Ok(Done::new(()))).await
    }

    /// Why the policy would refuse `act` now, if it would. Nothing is begun or recorded.
    pub async fn would_refuse(&self, act: &Act) -> OpsResult<Option<PolicyRefusal>> {
        let decided = self.decide(act).await?;
        Ok(match decided.decision {
            PolicyDecision::Refused(refusal) => Some(refusal),
            PolicyDecision::Allowed { .. } => None,
        })
    }

    async fn decide(&self, act: &Act) -> OpsResult<Decided> {
        // Access is given back whatever the policy says, and if nothing else can be read.
        if act.action == Action::AccountLogout {
            return Ok(Decided {
                decision: PolicyDecision::Allowed {
                    despite_freeze: false,
                },
                level: standing_level(&self.env),
                elevation: None,
            });
        }
        let policy = self.policy()?;
        let freeze = if act.action.stops_in_a_freeze() {
            self.freeze().await.map_err(|error| OpsError {
                message: format!("{}, so nothing was done", error.message),
                ..error
            })?
        } else {
            None
        };
        let (who, now) = (self.who(), Timestamp::now());
        let held = self.elevations().read(self.name())?;
        let is_free = self.is_embedded() && act.action.is_free_when_embedded();
        let standing = if is_free {
            AccessLevel::Operate
        } else {
            standing_level(&self.env)
        };
        let decide = |elevation: Option<&Elevation>| {
            policy.decide(&AccessRequest {
                protected: self.env.protected && !is_free,
                count: act.count,
                amount: act.amount,
                level: standing,
                elevation,
                freeze: freeze.as_ref(),
                reason: act.reason.as_deref(),
                plan_sha256: act.plan.as_ref().map(|plan| plan.sha256.as_str()),
                approvals: act.plan.as_ref().map_or(&[], |plan| &plan.approvals),
                ..AccessRequest::new(who, act.action, self.name(), now)
            })
        };
        let level_with = |elevation: Option<&Elevation>| {
            let holds = elevation.filter(|held| {
                held.who == who && held.env == self.name() && held.time_left(now).is_positive()
            });
            holds.map_or(standing, |held| held.level.max(standing))
        };
        let decision = decide(held.as_ref());
        let (
            PolicyDecision::Refused(
                PolicyRefusal::NotElevated { .. } | PolicyRefusal::ElevationEnded { .. },
            ),
            Some(reason),
        ) = (&decision, &act.reason)
        else {
            return Ok(Decided {
                decision,
                level: level_with(held.as_ref()),
                elevation: None,
            });
        };
        let elevation = Elevation::begin(
            who,
            self.name(),
            AccessLevel::Operate,
            reason,
            None,
            now,
            IN_PLACE,
        )
        .map_err(|error| {
            OpsError::usage("the reason cannot be recorded")
                .because(error)
                .hint("add --reason TEXT")
        })?;
        let login = policy.decide(&AccessRequest {
            protected: self.env.protected,
            level: standing,
            reason: Some(reason),
            ..AccessRequest::new(who, Action::AccountLogin, self.name(), now)
        });
        let decision = match login {
            PolicyDecision::Allowed { .. } => decide(Some(&elevation)),
            refused @ PolicyDecision::Refused(_) => refused,
        };
        let is_allowed = matches!(decision, PolicyDecision::Allowed { .. });
        Ok(Decided {
            decision,
            level: level_with(Some(&elevation)),
            elevation: Some(elevation).filter(|_| is_allowed),
        })
    }

    /// Records that `act` was refused, for those that the policy refuses for another act's sake.
    pub(crate) fn record_refusal(&self, act: &Act, refusal: &PolicyRefusal) -> OpsResult<()> {
        let entry = self.entry(act, self.access_level()?);
        let entry = entry.outcome(AuditOutcome::Refused);
        self.record(&entry.detail("outcome", refusal.to_string()))
    }

    fn refuse(
        &self,
        act: &Act,
        level: AccessLevel,
        refusal: &PolicyRefusal,
    ) -> OpsResult<OpsError> {
        let entry = self.entry(act, level).outcome(AuditOutcome::Refused);
        self.record(&entry.detail("outcome", refusal.to_string()))?;
        let approve_with = act
            .plan
            .as_ref()
            .and_then(|plan| plan.approve_with.as_ref());
        let hint = match (refusal, approve_with) {
            (PolicyRefusal::NeedsApproval { .. }, Some(commands)) => {
                format!("{}: {commands}", refusal.hint())
            }
            _ => refusal.hint(),
        };
        let error = OpsError::refused(refusal.to_string()).hint(hint);
        Ok(OpsError {
            refusal: Some(Box::new(refusal.clone())),
            ..error
        })
    }

    /// Begins an elevation: recorded first, then kept.
    pub(crate) fn keep_elevation(&self, elevation: &Elevation) -> OpsResult<()> {
        let act = Act {
            ticket: elevation.ticket.clone(),
            ..Act::new(Action::AccountLogin)
                .reason(Some(&elevation.reason))
                .detail("until", elevation.expires_at.to_string())
                .equivalent(equivalent::elevate(&self.env, elevation))
        };
        let begun = self
            .entry(&act, elevation.level)
            .outcome(AuditOutcome::Begun);
        self.record(&begun)?;
        match self.elevations().keep(elevation) {
            Ok(()) => {
                self.record_end(&begun, AuditOutcome::Done, None);
                Ok(())
            }
            Err(error) => {
                self.record_end(&begun, AuditOutcome::Failed, Some(&error.message));
                Err(error)
            }
        }
    }

    /// Returns once the environment is frozen, with the refusal; never for an act that may go on
    /// during a freeze.
    async fn watch_freeze(&self, act: &Act) -> PolicyRefusal {
        if !act.action.stops_in_a_freeze() || act.action == Action::FreezeSet {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(FREEZE_POLL).await;
            // What was let through when it began is not asked again: only the freeze is. What
            // cannot be read now could be read then.
            let Ok(Some(freeze)) = self.freeze().await else {
                continue;
            };
            let is_exempt = self
                .access_level()
                .is_ok_and(|level| level == AccessLevel::BreakGlass);
            if freeze.is_active(Timestamp::now()) && !is_exempt {
                return PolicyRefusal::frozen(self.name(), &freeze);
            }
        }
    }

    fn entry(&self, act: &Act, level: AccessLevel) -> AuditEntry {
        let mut entry = AuditEntry {
            subject: act.subject.clone(),
            reason: act.reason.clone(),
            account: self.env.account().cloned(),
            ticket: act.ticket.clone(),
            equivalent: act.equivalent.clone(),
            session: match &self.env.target {
                Backend::Aws(_) => aws::source_identity(self.who()),
                Backend::Embedded { .. } | Backend::Kubernetes(_) => None,
            },
            ..AuditEntry::new(
                Timestamp::now(),
                self.who(),
                self.name(),
                act.action.as_str(),
            )
        }
        .role(act.role.unwrap_or(level).as_str());
        for (name, text) in &act.details {
            entry = entry.detail(name, text);
        }
        let Some(plan) = &act.plan else { return entry };
        entry = entry.detail("plan_sha256", &plan.sha256);
        if plan.approvals.is_empty() {
            return entry;
        }
        let by: Vec<&str> = plan
            .approvals
            .iter()
            .map(|approval| approval.by.as_str())
            .collect();
        entry.detail("approved_by", by.join(", "))
    }

    fn record(&self, entry: &AuditEntry) -> OpsResult<()> {
        audit::append(&self.records_dir(), entry)?;
        self.operator.note_recorded(&self.env);
        Ok(())
    }

    /// Records how it ended. It is done already: that this could not be recorded is only said.
    fn record_end(&self, begun: &AuditEntry, outcome: AuditOutcome, summary: Option<&str>) {
        let mut entry = AuditEntry {
            at: Timestamp::now(),
            outcome: Some(outcome),
            ..begun.clone()
        };
        if let Some(summary) = summary {
            entry = entry.detail("outcome", summary);
        }
        if let Err(error) = self.record(&entry) {
            self.operator.notices.warn(&format!(
                "the action ended, but its outcome could not be recorded: {}",
                error.chain()
            ));
        }
    }
}
