//! What a command is handed: settings, printer, talk, who asks and why, and the ports of its
//! environments.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use jiff::Timestamp;
use payops_core::domain::access::{AccessLevel, Action};
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::privacy::Privacy;
use payops_core::port::Ports;
use tokio_util::sync::CancellationToken;

use crate::access::{self, Elevations};
use crate::audit;
use crate::aws::Sessions;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Of, Printer, Talk};
use crate::settings::{EnvTarget, Settings, Target};
use crate::{aws, local};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

#[derive(Clone)]
#[cfg_attr(
    not(feature = "aws"),
    expect(dead_code, reason = "only AWS asks who calls")
)]
pub(crate) struct Caller {
    pub(crate) who: String,
    pub(crate) reason: Option<String>,
    pub(crate) duty: AccessLevel,
    pub(crate) ticket: Option<String>,
    pub(crate) sessions: Arc<Sessions>,
    /// The code of an MFA device that was given already.
    pub(crate) code: Option<String>,
    pub(crate) asks: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) printer: Printer,
    pub(crate) talk: Talk,
    pub(crate) privacy: Privacy,
    /// Why, as given with `--reason`.
    pub(crate) reason: Option<String>,
    /// Set by the first Ctrl-C or SIGTERM.
    pub(crate) stop: CancellationToken,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) recorded: Arc<Mutex<Vec<EnvTarget>>>,
}

/// What was found in each environment that answered, and the failures of the others.
#[derive(Debug)]
pub(crate) struct Fan<T> {
    pub(crate) answers: Vec<Of<T>>,
    pub(crate) failures: Vec<(String, CliError)>,
    pub(crate) many: bool,
}

impl Context {
    pub(crate) fn who(&self) -> &str {
        &self.settings.who.value
    }

    pub(crate) fn caller(&self, duty: AccessLevel) -> Caller {
        Caller {
            who: self.who().to_owned(),
            reason: self.reason.clone(),
            duty,
            ticket: None,
            sessions: Arc::clone(&self.sessions),
            code: None,
            asks: self.talk.asks,
        }
    }

    pub(crate) fn now() -> Timestamp {
        Timestamp::now()
    }

    pub(crate) async fn open(&self, target: &EnvTarget, access: Access) -> CliResult<Ports> {
        Box::pin(open(target, access, &self.caller_for(target, access)?)).await
    }

    /// Who asks: to look with the duty that may only look; to change with operate, or with what was
    /// begun, and then by the session of that.
    pub(crate) fn caller_for(&self, target: &EnvTarget, access: Access) -> CliResult<Caller> {
        if access == Access::Read {
            return Ok(self.caller(AccessLevel::View));
        }
        let held = Elevations::of(&self.settings).holds(&target.name, self.who(), Self::now())?;
        Ok(match held {
            None => self.caller(AccessLevel::Operate),
            Some(held) => Caller {
                reason: Some(held.reason),
                ticket: held.ticket,
                ..self.caller(held.duty.max(AccessLevel::Operate))
            },
        })
    }

    /// Asks every environment that was named, all at once; a failure of one does not hide the
    /// answers of the others.
    pub(crate) async fn each_env<T, F>(
        &self,
        ask: impl Fn(EnvTarget, Ports) -> F,
    ) -> CliResult<Fan<T>>
    where
        F: Future<Output = CliResult<T>>,
    {
        let targets = self.settings.targets()?;
        let mut fan = Fan {
            answers: Vec::new(),
            failures: Vec::new(),
            many: targets.len() > 1,
        };
        let answer = async |target: EnvTarget| {
            let ports = self.open(&target, Access::Read).await?;
            self.reveal(&target).await?;
            ask(target, ports).await
        };
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        let answers = join_all(targets.into_iter().map(answer)).await;
        for (env, answer) in names.into_iter().zip(answers) {
            match answer {
                Ok(value) => fan.answers.push(Of { env, value }),
                Err(error) if fan.many => fan.failures.push((env, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(fan)
    }

    /// Asks the rules whether personal data of an environment may be shown, and records that it is
    /// about to be; without a record nothing is shown.
    pub(crate) async fn reveal(&self, target: &EnvTarget) -> CliResult<()> {
        if !self.privacy.reveal {
            return Ok(());
        }
        access::permit(
            self,
            target,
            &access::Wanted::new(Action::PaymentReveal).because(self.reason.as_deref()),
        )
        .await?;
        self.record(
            target,
            &self
                .entry(target, "reveal", self.reason.as_deref())
                .outcome(AuditOutcome::Done),
        )
    }

    /// The beginning of an entry of the record: who, where and what.
    pub(crate) fn entry(
        &self,
        target: &EnvTarget,
        action: &str,
        reason: Option<&str>,
    ) -> AuditEntry {
        let account = target.account().cloned();
        let entry = AuditEntry::new(Self::now(), self.who(), &target.name, action);
        AuditEntry {
            account,
            reason: reason.map(str::to_owned),
            ..entry
        }
    }

    pub(crate) fn record(&self, target: &EnvTarget, entry: &AuditEntry) -> CliResult<()> {
        audit::append(&self.records_dir(target), entry)?;
        if let Ok(mut recorded) = self.recorded.lock()
            && !recorded.contains(target)
        {
            recorded.push(target.clone());
        }
        Ok(())
    }

    /// Ships what this command recorded, for a little while. It is no part of what the command came
    /// to.
    pub(crate) async fn ship_recorded(&self) {
        let recorded = self
            .recorded
            .lock()
            .map(|mut recorded| std::mem::take(&mut *recorded))
            .unwrap_or_default();
        audit::ship::by_itself(self, &recorded).await;
    }

    /// Records what became of something that was recorded when it began. It is done already: that
    /// it could not be recorded is only told.
    pub(crate) fn record_end(
        &self,
        target: &EnvTarget,
        begun: &AuditEntry,
        outcome: AuditOutcome,
        words: Option<&str>,
    ) {
        let entry = AuditEntry {
            at: Self::now(),
            outcome: Some(outcome),
            ..begun.clone()
        };
        let entry = if let Some(words) = words {
            entry.detail("outcome", words)
        } else {
            entry
        };
        if let Err(error) = self.record(target, &entry) {
            self.talk.warn(format!(
                "what became of it could not be recorded\n{}",
                error.text()
            ));
        }
    }

    /// Records that something begins, does it, and records what became of it. What cannot be
    /// recorded is not done.
    pub(crate) async fn audited<T>(
        &self,
        target: &EnvTarget,
        entry: AuditEntry,
        work: impl Future<Output = CliResult<T>>,
    ) -> CliResult<T> {
        let begun = entry.outcome(AuditOutcome::Begun);
        self.record(target, &begun)?;
        let done = work.await;
        match &done {
            Ok(_) => self.record_end(target, &begun, AuditOutcome::Done, None),
            Err(error) => {
                self.record_end(target, &begun, AuditOutcome::Failed, Some(&error.message))
            }
        }
        done
    }

    /// Where records of an environment's operations are kept: beside its data, or with the
    /// user's own state.
    pub(crate) fn records_dir(&self, target: &EnvTarget) -> PathBuf {
        records_dir(&self.settings, target)
    }

    /// Ends `work` early when somebody interrupts: for commands that leave nothing half done.
    pub(crate) async fn interruptible<T>(
        &self,
        work: impl Future<Output = CliResult<T>>,
    ) -> CliResult<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.stop.cancelled() => Err(CliError::interrupted()),
        }
    }
}

pub(crate) async fn open(target: &EnvTarget, access: Access, caller: &Caller) -> CliResult<Ports> {
    match &target.target {
        Target::Embedded { data_dir, name } => local::open(data_dir, name, access).await,
        Target::Aws(aws) => Box::pin(aws::open(&target.name, aws, caller)).await,
    }
}

/// Where records of an environment's operations are kept: beside its data, or with the user's
/// own state.
pub(crate) fn records_dir(settings: &Settings, target: &EnvTarget) -> PathBuf {
    match &target.target {
        Target::Embedded { data_dir, .. } => data_dir.clone(),
        Target::Aws(_) => settings.state_dir.clone(),
    }
}

impl<T> Fan<T> {
    /// How the command ended: done, or partly when an environment failed. Says which failed.
    pub(crate) fn exit(&self, talk: &Talk) -> Exit {
        for (env, error) in &self.failures {
            talk.warn(format!("{env}: {}", error.text()));
        }
        match (self.failures.is_empty(), self.answers.is_empty()) {
            (true, _) => Exit::Done,
            (false, false) => Exit::Partial,
            (false, true) => self
                .failures
                .first()
                .map_or(Exit::Failed, |(_, error)| error.exit),
        }
    }
}

impl<T> Fan<Vec<T>> {
    pub(crate) fn rows(self) -> Vec<Of<T>> {
        self.answers
            .into_iter()
            .flat_map(|of| {
                of.value.into_iter().map(move |value| Of {
                    env: of.env.clone(),
                    value,
                })
            })
            .collect()
    }
}
