//! Dead letters steered from the screen: by the same rules, journals and records as the commands.

use async_trait::async_trait;
use indicatif::ProgressBar;
use payops_core::domain::access::{Action, PolicyRefusal};
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::replay::{Edit, Progress, ReplayPlan, ReplayPlanFile, Set, plan_sha256};
use payops_core::port::{PortResult, Ports, RedriveStatus};
use payops_core::usecase::{DeadLetter, PlanRequest, ReplaySummary};
use payops_tui::{
    DiscardEnd, ElevationWanted, Handle, RedriveEnd, ReplayEnd, ReplayReview, ReplayWanted,
    Standing, Steering,
};
use tokio_util::sync::CancellationToken;

use crate::access::{self, Elevations, Wanted};
use crate::commands::account::{self, Begin};
use crate::commands::dlq::approve::Approved;
use crate::commands::dlq::{alarms, discard, edit, export, redrive, replay};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::journal::Unfinished;
use crate::output::json_text;
use crate::plans;
use crate::same_as;
use crate::settings::EnvTarget;

/// Stands for the reason that is asked for once the plan was reviewed.
const LATER: &str = "reviewed on the screen";

pub(super) struct Steered {
    /// Mute, and with a reason of its own for each deed.
    pub(super) context: Context,
    pub(super) target: EnvTarget,
}

impl Steered {
    fn context(&self, reason: &str, stop: CancellationToken) -> Context {
        let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        Context {
            reason,
            stop,
            ..self.context.clone()
        }
    }

    async fn ports(&self, context: &Context, access: Access) -> CliResult<Ports> {
        context.open(&self.target, access).await
    }

    async fn standing_now(&self) -> CliResult<Standing> {
        let target = &self.target;
        let held = Elevations::of(&self.context.settings).holds(
            &target.name,
            self.context.who(),
            Context::now(),
        )?;
        let own = access::standing(target);
        let duty = held.as_ref().map_or(own, |held| held.duty.max(own));
        let held = held.filter(|held| held.duty == duty && duty > own);
        let (until, reason) = held.map(|held| (held.ends_at(), held.reason)).unzip();
        let caller = self.context.caller_for(target, Access::Read)?;
        let freeze = access::freezes(target, &caller).current().await;
        let freeze = freeze.map_err(|error| {
            CliError::port(
                format!("whether {} is frozen could not be read", target.name),
                error,
            )
        })?;
        Ok(Standing {
            duty,
            until,
            reason,
            freeze: freeze.filter(|freeze| freeze.active(Context::now())),
        })
    }

    /// A replay that was cut off, if there is one; an error while it runs.
    fn unfinished(&self, dlq: &str) -> CliResult<Option<Unfinished>> {
        let journals = replay::journals(&self.context, &self.target)?;
        // A journal that is being written is not to be touched.
        let _lock = journals.lock(dlq)?;
        journals.unfinished(&self.target.name, dlq)
    }

    async fn fresh(
        &self,
        wanted: ReplayWanted,
        letters: &[DeadLetter],
    ) -> CliResult<(ReplayPlan, Vec<String>)> {
        let (edits, diff) = match (&wanted.set, letters) {
            (None, _) => (Vec::new(), Vec::new()),
            (Some(set), [letter]) => {
                let set = Set::parse(set).map_err(|error| {
                    CliError::usage("the body cannot be edited so").because(error)
                })?;
                let (planned, diff) =
                    edit::planned(letter, Edit::Set(vec![set]), Privacy::default())?;
                (vec![planned], diff)
            }
            (Some(_), _) => return Err(CliError::usage("one letter is edited at a time")),
        };
        let request = PlanRequest {
            env: self.target.name.clone(),
            account: self.target.account().cloned(),
            queue: wanted.queue,
            by: self.context.who().to_owned(),
            reason: "no reason given".to_owned(),
            rate_per_second: wanted.rate_per_second,
            canary: wanted.canary,
            only_safe: wanted.only_safe,
            edits,
            ..PlanRequest::default()
        };
        let ports = self.ports(&self.context, Access::Read).await?;
        Ok((
            replay::replayer(&ports, 1)
                .plan(request, letters)
                .await
                .map_err(replay::told)?,
            diff,
        ))
    }

    async fn planned(
        &self,
        wanted: ReplayWanted,
        letters: Vec<DeadLetter>,
    ) -> CliResult<ReplayReview> {
        let (context, target) = (&self.context, &self.target);
        let mut warnings = Vec::new();
        let caller = context.caller_for(target, Access::Read)?;
        for canary in alarms::canaries(target, &caller).await {
            warnings.push(format!(
                "{canary} is in the middle of a canary, and its weight does not \
                govern who takes a message"
            ));
        }
        let (plan, settled, diff) = if let Some(Unfinished { plan, progress, .. }) =
            self.unfinished(&wanted.queue)?
        {
            if wanted.set.is_some() {
                return Err(
                    CliError::refused(format!("a replay of {} was cut off", wanted.queue))
                        .hint("R finishes it first"),
                );
            }
            let settled = plan
                .messages
                .iter()
                .filter(|message| progress.is_settled(&message.message_id))
                .count();
            (plan, Some(settled), Vec::new())
        } else {
            let (plan, diff) = self.fresh(wanted, &letters).await?;
            (plan, None, diff)
        };
        let sha256 = plan_sha256(&plan);
        let approved = Approved {
            sha256: &sha256,
            approvals: &[],
        };
        let asked = match settled {
            None => replay::wanted(&plan, &approved, Some(LATER)),
            Some(_) => replay::wanted_again(&plan, &approved, Some(LATER)),
        };
        let refusal = access::refusal(context, target, &asked)
            .await?
            .as_ref()
            .map(told);
        let same_as = same_as::replay(&plan);
        Ok(ReplayReview {
            plan,
            settled,
            warnings,
            diff,
            refusal,
            same_as,
        })
    }

    async fn replayed(
        &self,
        mut plan: ReplayPlan,
        reason: &str,
        handle: Handle,
    ) -> CliResult<ReplayEnd> {
        let context = self.context(reason, handle.stop);
        let target = &self.target;
        let reason = context
            .reason
            .clone()
            .map(crate::safety::harmless)
            .transpose()?;
        let ports = self.ports(&context, Access::Write).await?;
        let journals = replay::journals(&context, target)?;
        let _lock = journals.lock(&plan.queue)?;
        let job = match journals.unfinished(&target.name, &plan.queue)? {
            Some(cut) if cut.plan.id == plan.id => {
                let sha256 = plan_sha256(&cut.plan);
                let approved = Approved {
                    sha256: &sha256,
                    approvals: &[],
                };
                replay::authorize_again(&context, target, &cut.plan, &approved, reason.as_deref())
                    .await?;
                let Unfinished {
                    plan,
                    progress,
                    journal,
                } = cut;
                replay::Job {
                    plan,
                    progress,
                    journal,
                    resumed: true,
                    lanes: replay::LANES,
                }
            }
            Some(_) => {
                return Err(CliError::refused(format!(
                    "another replay of {} was cut off meanwhile",
                    plan.queue
                ))
                .hint("plan again: that one must be finished first"));
            }
            None => {
                replay::unmoved(&ports, &plan.queue).await?;
                journals.refuse_done(&plan)?;
                let sha256 = plan_sha256(&plan);
                replay::authorize(
                    &context,
                    target,
                    &plan,
                    &Approved {
                        sha256: &sha256,
                        approvals: &[],
                    },
                    reason.as_deref(),
                )
                .await?;
                if let Some(reason) = reason {
                    plan.reason = reason;
                }
                let journal = journals.create(&plan)?;
                replay::Job {
                    plan,
                    progress: Progress::default(),
                    journal,
                    resumed: false,
                    lanes: replay::LANES,
                }
            }
        };
        let tell = handle.told;
        let control = replay::steered(
            &context,
            target,
            &job.plan,
            Box::new(move |summary| tell(summary)),
            ProgressBar::hidden(),
        );
        let summary = replay::carry_out(&context, target, &ports, &job, &control).await?;
        let progress = job.journal.progress()?;
        Ok(ReplayEnd {
            summary,
            gone: progress.sent.into_iter().chain(progress.parked).collect(),
        })
    }

    async fn discarded(
        &self,
        dlq: &str,
        letters: &[DeadLetter],
        reason: &str,
        handle: Handle,
    ) -> CliResult<DiscardEnd> {
        let context = self.context(reason, handle.stop);
        let missing = || CliError::refused("a discard needs a reason").hint("say why");
        let reason = crate::safety::harmless(context.reason.clone().ok_or_else(missing)?)?;
        let ports = self.ports(&context, Access::Write).await?;
        let made = discard::made(
            &context,
            &self.target,
            &ports,
            (dlq, letters),
            (&reason, None),
        )
        .await?;
        let tell = handle.told;
        let control = replay::steered(
            &context,
            &self.target,
            &made.plan,
            Box::new(move |summary| tell(summary)),
            ProgressBar::hidden(),
        );
        let (summary, kept, journal) =
            discard::carry_out(&context, &self.target, &ports, made, &control).await?;
        let ReplaySummary {
            planned,
            remaining,
            failed,
            ..
        } = summary;
        Ok(DiscardEnd {
            planned,
            gone: journal.progress()?.discarded.into_keys().collect(),
            remaining,
            failed,
            kept: Some(kept),
        })
    }

    async fn redriven(&self, queue: &str, reason: &str, handle: Handle) -> CliResult<RedriveEnd> {
        let context = self.context(reason, handle.stop);
        let reason = context
            .reason
            .clone()
            .map(crate::safety::harmless)
            .transpose()?;
        let ports = self.ports(&context, Access::Write).await?;
        let moving = redrive::Moving::find(&ports, queue, None).await?;
        let entry = moving
            .authorize(&context, &self.target, &ports, reason.as_deref())
            .await?;
        let tell = handle.told;
        let task = moving
            .carry_out(&context, &self.target, &ports, &entry, &|task| {
                let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                let planned = count(task.planned.unwrap_or(task.moved));
                let (sent, remaining) =
                    (count(task.moved), planned.saturating_sub(count(task.moved)));
                tell(&ReplaySummary {
                    planned,
                    sent,
                    remaining,
                    ..ReplaySummary::default()
                });
            })
            .await?;
        Ok(RedriveEnd {
            moved: task.moved,
            planned: task.planned,
            canceled: task.status != RedriveStatus::Completed,
        })
    }

    async fn exported(&self, letters: &[DeadLetter]) -> CliResult<String> {
        let (context, target) = (&self.context, &self.target);
        access::permit(context, target, &Wanted::new(Action::DlqExport)).await?;
        let dir = context.records_dir(target).join("exports");
        let name = format!(
            "{}-{}.jsonl",
            target.name,
            Context::now().strftime("%Y%m%dT%H%M%S%.3f")
        );
        let path = dir.join(name);
        let entry = context
            .entry(target, "dlq.export", None)
            .detail("letters", letters.len().to_string());
        let queues: std::collections::BTreeSet<&str> =
            letters.iter().map(|letter| letter.queue.as_str()).collect();
        let one = queues.first().filter(|_| queues.len() == 1).copied();
        let entry = entry.same_as(same_as::look(one));
        context.record(
            target,
            &entry
                .detail("file", path.display().to_string())
                .outcome(AuditOutcome::Done),
        )?;
        let mut text = String::new();
        for letter in letters {
            text.push_str(&json_text(
                &export::document(letter, Privacy::default()),
                false,
            ));
            text.push('\n');
        }
        let write = || {
            std::fs::create_dir_all(&dir)?;
            access::write_private(&path, text.as_bytes())
        };
        write().map_err(|error: std::io::Error| {
            CliError::failed(format!("{} could not be written", path.display())).because(error)
        })?;
        Ok(path.display().to_string())
    }

    fn saved(&self, plan: ReplayPlan) -> CliResult<String> {
        let file = ReplayPlanFile::new(plan);
        let dir = std::env::current_dir()
            .map_err(|error| CliError::failed("there is no folder to write in").because(error))?;
        let path = dir.join(format!("plan-{}.json", file.plan.id));
        plans::write(&path, &file)?;
        let entry = self
            .context
            .entry(&self.target, "dlq.plan", None)
            .subject(&file.plan.queue)
            .detail("plan", &file.plan.id);
        self.context.record(
            &self.target,
            &entry
                .detail("plan_sha256", &file.sha256)
                .outcome(AuditOutcome::Done),
        )?;
        Ok(path.display().to_string())
    }
}

fn told(refusal: &PolicyRefusal) -> String {
    format!("{refusal}: {}", refusal.instead())
}

fn port<T>(result: CliResult<T>) -> PortResult<T> {
    result.map_err(CliError::into_port)
}

#[async_trait]
impl Steering for Steered {
    async fn standing(&self) -> PortResult<Standing> {
        port(Box::pin(self.standing_now()).await)
    }

    async fn elevate(&self, wanted: ElevationWanted) -> PortResult<Standing> {
        let reason = crate::safety::harmless(wanted.reason.trim().to_owned())
            .map_err(CliError::into_port)?;
        let ticket = wanted
            .ticket
            .as_deref()
            .map(str::trim)
            .filter(|ticket| !ticket.is_empty());
        let begin = Begin {
            duty: wanted.duty,
            reason: &reason,
            ticket,
            span: access::IN_PLACE,
            code: wanted.mfa,
        };
        port(Box::pin(account::begin(&self.context, &self.target, &begin)).await)?;
        self.standing().await
    }

    async fn lower(&self) -> PortResult<Standing> {
        port(account::end(&self.context, &self.target))?;
        self.standing().await
    }

    async fn plan(
        &self,
        wanted: ReplayWanted,
        letters: Vec<DeadLetter>,
    ) -> PortResult<ReplayReview> {
        port(Box::pin(self.planned(wanted, letters)).await)
    }

    async fn save(&self, plan: ReplayPlan) -> PortResult<String> {
        port(self.saved(plan))
    }

    async fn replay(
        &self,
        plan: ReplayPlan,
        reason: String,
        handle: Handle,
    ) -> PortResult<ReplayEnd> {
        port(Box::pin(self.replayed(plan, &reason, handle)).await)
    }

    async fn discard(
        &self,
        queue: String,
        letters: Vec<DeadLetter>,
        reason: String,
        handle: Handle,
    ) -> PortResult<DiscardEnd> {
        port(Box::pin(self.discarded(&queue, &letters, &reason, handle)).await)
    }

    async fn redrive(
        &self,
        queue: String,
        reason: String,
        handle: Handle,
    ) -> PortResult<RedriveEnd> {
        port(Box::pin(self.redriven(&queue, &reason, handle)).await)
    }

    async fn export(&self, letters: Vec<DeadLetter>) -> PortResult<String> {
        port(Box::pin(self.exported(&letters)).await)
    }
}
