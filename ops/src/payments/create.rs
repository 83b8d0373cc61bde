//! Creating payments through the environment's own API: one, or a file of them. Either is one act,
//! and doing it again is safe, since every request has its idempotency key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use payops_core::domain::access::Action;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::money::Money;
use payops_core::domain::request::CreatePayment;
use payops_core::domain::text::IdempotencyKey;
use serde_json::{Value, json};

use super::batch::{LoadHalt, LoadTally, send_lines};
use super::change::invalid;
use super::file::{PaymentFile, Sums};
use super::input::PaymentLine;
use super::wait::PaymentWatcher;
use crate::act::{Act, Done};
use crate::backend::payments_api::{Api, Created};
use crate::equivalent;
use crate::error::{Kind, OpsError, OpsResult};
use crate::session::Session;

/// One payment to create.
#[derive(Clone, Debug)]
pub struct NewPayment {
    pub money: Money,
    pub key: IdempotencyKey,
    /// The body of the request.
    pub body: Value,
}

impl NewPayment {
    #[must_use]
    pub fn new(
        money: Money,
        source: Option<&str>,
        email: Option<&str>,
        reference: Option<&str>,
        key: IdempotencyKey,
    ) -> Self {
        let body = json!({
            "amount": money.minor(),
            "currency": money.currency(),
            "source": source,
            "reference": reference,
            "customer": { "email": email },
        });
        Self { money, key, body }
    }

    /// Refuses what the API would refuse.
    pub fn check(&self) -> OpsResult<()> {
        CreatePayment::parse(self.body.to_string().as_bytes())
            .map(drop)
            .map_err(invalid)
    }
}

/// A payment that the API accepted.
#[derive(Clone, Debug)]
pub struct CreatedPayment {
    pub id: String,
    /// As it was accepted.
    pub status: String,
    pub version: Option<u64>,
    /// Whether it existed already, from an earlier request with the same key.
    pub replayed: bool,
}

/// What came of a file.
#[derive(Debug)]
pub struct LoadResult {
    pub tally: LoadTally,
    /// Lines that were not read, if it is known how many there are.
    pub remaining: Option<u64>,
    /// Why it did not come to the end of the file: a freeze, an interruption, an API that is gone.
    pub failure: Option<OpsError>,
}

/// Creates payments in one environment.
pub struct Creator {
    session: Arc<Session>,
    api: Api,
    /// Where the API is, if the operator said so.
    url: Option<String>,
    /// For how long a request without a definite answer is repeated.
    patience: Duration,
}

impl Creator {
    /// Finds the API: at `url`, or where the settings or the environment have it.
    pub fn connect(
        session: &Arc<Session>,
        url: Option<&str>,
        patience: Duration,
    ) -> OpsResult<Self> {
        let set = session.operator.settings.api_url.as_ref();
        let set = set.map(|url| url.value.as_str());
        Ok(Self {
            session: Arc::clone(session),
            api: Api::locate(session, url)?,
            url: url.or(set).map(str::to_owned),
            patience,
        })
    }

    /// The same, with an API that is known.
    #[must_use]
    pub fn with_api(session: &Arc<Session>, api: Api, patience: Duration) -> Self {
        Self {
            session: Arc::clone(session),
            api,
            url: None,
            patience,
        }
    }

    /// What looks how the payments come to their end.
    pub async fn watcher(&self) -> OpsResult<PaymentWatcher<'_>> {
        PaymentWatcher::new(&self.session, &self.api, self.url.is_some()).await
    }

    fn act(&self, reason: Option<&str>) -> Act {
        let act = Act::new(Action::PaymentCreate).reason(reason);
        match &self.url {
            Some(url) => act.detail("api_url", url),
            None => act,
        }
    }

    /// Creates one payment.
    pub async fn create(
        &self,
        payment: &NewPayment,
        reason: Option<&str>,
    ) -> OpsResult<CreatedPayment> {
        let (key, body) = (payment.key.as_str(), payment.body.to_string());
        let again = format!(
            "run it again with --idempotency-key {key}; with the same key it is charged at most once"
        );
        let act = self
            .act(reason)
            .amount(Some(payment.money))
            .detail("payments", "1")
            .detail("sums", payment.money.to_string())
            .detail("idempotency_key", key)
            .equivalent(equivalent::create(self.api.url(), key));
        let created = self.session.act(act, async |permit| {
            let created = tokio::select! {
                biased;
                created = self.api.create(key, &body, self.patience, &permit.stop) => created,
                () = permit.stop.cancelled() => Created::Stopped,
            };
            match created {
                Created::Accepted { id, body, replayed } => {
                    let created = CreatedPayment::new(id, &body, replayed);
                    let what = if replayed {
                        "already existed"
                    } else {
                        "created"
                    };
                    let summary = format!("{} of {} {what}", created.id, payment.money);
                    Ok(Done::new(Some(created)).summary(summary))
                }
                Created::Refused(problem) => Err(OpsError::failed(format!(
                    "refused: {} ({})",
                    problem.message, problem.code
                ))
                .hint(problem.param.map_or_else(
                    || "payops payment create --help".to_owned(),
                    |param| format!("check `{param}`"),
                ))),
                // A freeze: the act says so, since something is left.
                Created::Stopped if !self.session.operator.stop.is_cancelled() => {
                    Ok(Done::new(None)
                        .outcome(AuditOutcome::Failed)
                        .summary(&again)
                        .unfinished(true))
                }
                other => Err(to_error(other, &again)),
            }
        });
        created
            .await?
            .ok_or_else(|| OpsError::interrupted().hint(&again))
    }

    /// Creates the payments of a file, `concurrency` at once. What was accepted is in the result
    /// whatever stopped the rest; `on_answer` hears how many lines have their answer.
    ///
    /// # Errors
    /// What kept it from beginning: the policy, a freeze, a record or a file that cannot be used.
    pub async fn load(
        &self,
        file: &PaymentFile,
        concurrency: usize,
        reason: Option<&str>,
        on_answer: &(dyn Fn(u64) + Sync),
    ) -> OpsResult<LoadResult> {
        let contents = file.contents();
        let act = Act {
            // Nobody knows what is in a stream: that is more than any limit.
            count: contents.map(|contents| contents.payments),
            ..self.act(reason)
        };
        let act = act.detail("file", file.to_string());
        let act = match contents {
            None => act.detail("payments", "unknown"),
            Some(contents) => act
                .amount(contents.amount())
                .detail("payments", contents.payments.to_string())
                .detail("sums", contents.sums.to_string()),
        };
        let mut tally = None;
        let acted = self
            .session
            .act(act, async |permit| {
                let sums = Mutex::new(Sums::default());
                let send = |line: PaymentLine| self.send(line, &permit.stop, &sums);
                let on_answer = |tally: &LoadTally| {
                    on_answer(tally.lines.saturating_sub(tally.unanswered()));
                };
                let loaded =
                    send_lines(file.lines()?, concurrency, &permit.stop, send, on_answer).await;
                let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
                let done = end_of_load(&loaded, &sums, contents.map(|contents| contents.lines));
                tally = Some(loaded);
                Ok(done)
            })
            .await;
        let Some(tally) = tally else {
            return Err(acted
                .err()
                .unwrap_or_else(|| OpsError::failed("nothing was sent")));
        };
        let remaining = contents
            .filter(|_| tally.halt.is_some())
            .map(|contents| contents.lines.saturating_sub(tally.lines));
        Ok(LoadResult {
            failure: acted.err().or_else(|| halt_error(tally.halt.as_ref())),
            remaining,
            tally,
        })
    }

    async fn send(
        &self,
        line: PaymentLine,
        stop: &tokio_util::sync::CancellationToken,
        sums: &Mutex<Sums>,
    ) -> Created {
        let created = self
            .api
            .create(&line.key, &line.body, self.patience, stop)
            .await;
        if let Created::Accepted {
            replayed: false, ..
        } = &created
            && let Ok(payment) = CreatePayment::parse(line.body.as_bytes())
        {
            sums.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(payment.money);
        }
        created
    }
}

impl CreatedPayment {
    fn new(id: String, body: &Value, replayed: bool) -> Self {
        let status = body.get("status").and_then(Value::as_str);
        Self {
            id,
            status: status.unwrap_or("processing").to_owned(),
            version: body.get("version").and_then(Value::as_u64),
            replayed,
        }
    }
}

/// How a file came to its end, for the record: `40 created (404.80 EUR), 1 existed, 3 refused`.
fn end_of_load(tally: &LoadTally, sums: &Sums, lines: Option<u64>) -> Done<()> {
    let existed = tally.accepted.iter().filter(|line| line.replayed).count();
    let created = tally.accepted.len().saturating_sub(existed);
    let mut parts = vec![if created == 0 {
        "none created".to_owned()
    } else {
        format!("{created} created ({sums})")
    }];
    let size = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let not_read = lines.map_or(0, |lines| lines.saturating_sub(tally.lines));
    for (count, what) in [
        (size(existed), "existed"),
        (size(tally.errors.len()), "refused"),
        (tally.unanswered(), "without an answer"),
        (not_read, "not sent"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let is_whole = tally.halt.is_none() && (tally.errors.is_empty() || !tally.accepted.is_empty());
    let outcome = if is_whole {
        AuditOutcome::Done
    } else {
        AuditOutcome::Failed
    };
    Done::new(())
        .outcome(outcome)
        .summary(parts.join(", "))
        .unfinished(tally.halt.is_some())
}

fn halt_error(halt: Option<&LoadHalt>) -> Option<OpsError> {
    let created = match halt?.clone() {
        LoadHalt::Interrupted => Created::Stopped,
        LoadHalt::NotAllowed(problem) => Created::NotAllowed(problem),
        LoadHalt::NoAnswer { rate_limited, last } => Created::NoAnswer { rate_limited, last },
    };
    Some(to_error(
        created,
        "run the same command again; every line has an idempotency key, so nothing is charged twice",
    ))
}

/// Why nothing can be created; `again` says how to go on.
fn to_error(created: Created, again: &str) -> OpsError {
    match created {
        Created::NotAllowed(problem) => {
            OpsError::new(Kind::NotAuthenticated, problem.message).hint("check PAYOPS_API_KEY")
        }
        Created::NoAnswer {
            rate_limited: true,
            last,
        } => OpsError::new(Kind::RateLimited, "the API is rate limiting requests")
            .because(last)
            .hint(again),
        Created::NoAnswer { last, .. } => OpsError::failed("the API gave no definite answer")
            .because(last)
            .hint(again),
        _ => OpsError::interrupted().hint(again),
    }
}
