//! What a command is handed: the operator, the printer, the console, and what may be shown.

use std::future::Future;
use std::sync::Arc;

use futures::future::join_all;
use payops_core::domain::privacy::Privacy;
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::operator::Operator;
use payops_ops::session::Session;

use crate::exit::Exit;
use crate::output::{Console, InEnv, Printer, Row};
use crate::report;

#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) operator: Operator,
    /// stdout.
    pub(crate) printer: Printer,
    /// stderr.
    pub(crate) console: Console,
    /// What may be shown.
    pub(crate) privacy: Privacy,
}

/// What was found in each environment that answered, and the failures of the others.
#[derive(Debug)]
pub(crate) struct FanOut<T> {
    pub(crate) answers: Vec<InEnv<T>>,
    /// Failures, each with its environment.
    pub(crate) failures: Vec<(String, OpsError)>,
    /// Whether several environments were asked.
    pub(crate) many: bool,
}

impl Context {
    /// Asks every environment that was named, all at once; a failure of one does not hide the
    /// answers of the others.
    pub(crate) async fn ask_each<T, F>(
        &self,
        ask: impl Fn(Arc<Session>) -> F,
    ) -> OpsResult<FanOut<T>>
    where
        F: Future<Output = OpsResult<T>>,
    {
        let sessions = self.operator.sessions()?;
        let mut fan = FanOut {
            answers: Vec::new(),
            failures: Vec::new(),
            many: sessions.len() > 1,
        };
        let names: Vec<String> = sessions.iter().map(|each| each.name().to_owned()).collect();
        let answer = async |session: Arc<Session>| {
            self.reveal(&session).await?;
            ask(session).await
        };
        let answers = join_all(sessions.into_iter().map(answer)).await;
        for (env, answer) in names.into_iter().zip(answers) {
            match answer {
                Ok(value) => fan.answers.push(InEnv { env, value }),
                Err(error) if fan.many => fan.failures.push((env, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(fan)
    }

    /// Prints a list, or that there is `none`: on stderr, so that JSON and CSV stay as they are.
    pub(crate) fn list<T: Row>(&self, rows: &[InEnv<T>], none: &str) -> OpsResult<()> {
        self.printer.list(rows, false)?;
        if rows.is_empty() && !self.printer.is_for_programs() {
            self.console.say(none);
        }
        Ok(())
    }

    /// Asks the policy whether personal data of an environment may be shown, when it is to be, and
    /// records that; without a record nothing is shown.
    pub(crate) async fn reveal(&self, session: &Arc<Session>) -> OpsResult<()> {
        if self.privacy.reveal {
            session.reveal(self.operator.reason.as_deref()).await
        } else {
            Ok(())
        }
    }

    /// The same, unless this is a dry run, which shows nothing of a person and records nothing.
    pub(crate) async fn reveal_unless(
        &self,
        is_dry_run: bool,
        session: &Arc<Session>,
    ) -> OpsResult<()> {
        if is_dry_run {
            return Ok(());
        }
        self.reveal(session).await
    }

    /// Ends `work` early when somebody interrupts: for commands that leave nothing half done.
    pub(crate) async fn interruptible<T>(
        &self,
        work: impl Future<Output = OpsResult<T>>,
    ) -> OpsResult<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.operator.stop.cancelled() => Err(OpsError::interrupted()),
        }
    }
}

impl<T> FanOut<T> {
    /// How the command ended: done, or partly when an environment failed. Says which failed.
    pub(crate) fn exit(&self, console: &Console) -> Exit {
        for (env, error) in &self.failures {
            console.warn(format!("{env}: {}", report::text(error)));
        }
        match (self.failures.is_empty(), self.answers.is_empty()) {
            (true, _) => Exit::Done,
            (false, false) => Exit::Partial,
            (false, true) => self
                .failures
                .first()
                .map_or(Exit::Failed, |(_, error)| error.kind.into()),
        }
    }
}

impl<T> FanOut<Vec<T>> {
    /// The rows of all environments.
    pub(crate) fn rows(self) -> Vec<InEnv<T>> {
        self.answers
            .into_iter()
            .flat_map(|answer| {
                answer.value.into_iter().map(move |value| InEnv {
                    env: answer.env.clone(),
                    value,
                })
            })
            .collect()
    }
}
