//! Credentials of a role for the SDK: kept, renewed before they end, one `AssumeRole` at a time.
//!
//! The SDK asks for credentials with every call, and gets what is there. A renewal happens beside
//! that, in the task of [`RoleCredentials::renew_in_background`]; while it fails, the old
//! credentials go on until they really end. Only then does a call wait for a new session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use payops_core::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Identity;
use super::cache::{Miss, SessionCache};
use super::error::IdentityError;
use super::hold::Hold;
use super::session::{Session, signed_by};
use super::spec::{Code, Person, RoleSpec};
use super::state::{State, is_due, renew_left};

/// How long getting a session may take as a whole.
const ASSUME_MAX: Duration = Duration::from_mins(1);
/// How long the background task waits after a renewal that did not help.
const RETRY: Duration = Duration::from_secs(30);
/// How long it sleeps at most: a machine that slept itself is noticed within this.
const STEP: Duration = Duration::from_mins(1);
/// For how long a failure is told again without asking STS again.
const FAILURE_KEPT: Duration = Duration::from_secs(2);

/// The credentials of one role and person, for the SDK. Clones share them.
#[derive(Clone)]
pub struct RoleCredentials(Arc<Shared>);

impl std::fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleCredentials")
            .field("role", &self.0.spec.role_arn)
            .finish_non_exhaustive()
    }
}

/// How it stands with the credentials, for a status line.
#[derive(Clone, Debug)]
pub struct Status {
    /// The session in use; `None` when there is none, or it has ended.
    pub session: Option<Arc<Session>>,
    pub left: Duration,
    pub held_until: Option<Timestamp>,
    pub failure: Option<IdentityError>,
    /// Why the session is not kept for the next command, or the kept one was not used.
    pub cache_trouble: Option<String>,
}

/// The task that renews; it ends when this is dropped.
#[derive(Debug)]
pub struct Renewal(JoinHandle<()>);

impl Renewal {
    /// Stops it, and waits until it has ended.
    pub async fn stop(mut self) {
        self.0.abort();
        (&mut self.0).await.ok();
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RoleCredentials {
    /// Credentials that are got when they are first asked for: from `cache`, else from STS.
    #[must_use]
    pub fn new(
        identity: Identity,
        spec: RoleSpec,
        person: Person,
        cache: Option<SessionCache>,
    ) -> Self {
        let (flight, state, changed) = (
            tokio::sync::Mutex::default(),
            Mutex::default(),
            Arc::default(),
        );
        Self(Arc::new(Shared {
            identity,
            spec,
            person,
            cache,
            flight,
            state,
            cache_trouble: Mutex::default(),
            changed,
        }))
    }

    /// The session, got first when there is none.
    pub async fn session(&self) -> Result<Arc<Session>, IdentityError> {
        let picked = self.0.state().pick(self.0.identity.now());
        match picked {
            Some(session) => Ok(session),
            None => self.0.acquire(Duration::ZERO, None).await,
        }
    }

    /// A new session by a one-time code: what a role with an MFA device needs when there is no
    /// session, or soon none. A batch that holds the old one keeps it.
    pub async fn renew_with(&self, code: Code) -> Result<Arc<Session>, IdentityError> {
        self.0.acquire(Duration::ZERO, Some(code)).await
    }

    /// Keeps the credentials for a batch: they last for `at_least`, renewed now if they would not,
    /// and stay the same until the hold is dropped or that time is over.
    pub async fn hold(&self, at_least: Duration) -> Result<Hold, IdentityError> {
        let longest = Duration::from_secs(self.0.spec.seconds(false).unsigned_abs().into());
        if at_least > longest {
            return Err(IdentityError::TooShort {
                asked: at_least,
                left: longest,
            });
        }
        if let Some(hold) = self.try_hold(at_least) {
            return Ok(hold);
        }
        let held = self.0.state().held_until(self.0.identity.now());
        if let Some(until) = held {
            return Err(IdentityError::Held { until });
        }
        self.0.acquire(at_least, None).await?;
        self.try_hold(at_least)
            .ok_or_else(|| IdentityError::TooShort {
                asked: at_least,
                left: self.status().left,
            })
    }

    fn try_hold(&self, at_least: Duration) -> Option<Hold> {
        let now = self.0.identity.now();
        let until = now.checked_add(at_least).ok()?;
        let (number, session) = self.0.state().hold(until, now)?;
        Some(Hold::new(Arc::clone(&self.0), number, session, until))
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let now = self.0.identity.now();
        let cache_trouble = self
            .0
            .cache_trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut state = self.0.state();
        let session = state.pick(now);
        let left = session
            .as_ref()
            .map_or(Duration::ZERO, |session| session.left(now));
        Status {
            left,
            session,
            held_until: state.held_until(now),
            failure: state.failure(),
            cache_trouble,
        }
    }

    /// Starts the task that renews the session before it ends. It begins when there is a session,
    /// and needs tokio's runtime.
    #[must_use = "dropping it stops the renewals"]
    pub fn renew_in_background(&self) -> Renewal {
        Renewal(tokio::spawn(keep_fresh(Arc::downgrade(&self.0))))
    }

    /// A configuration whose clients use these credentials, and are given the renewed ones at once.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        signed_by(
            &self.0.identity.config(&self.0.spec),
            SharedCredentialsProvider::new(self.clone()),
        )
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let session = self
                .session()
                .await
                .map_err(CredentialsError::provider_error)?;
            Ok(session.credentials())
        })
    }
}

/// What the clones, the holds and the background task share.
pub(super) struct Shared {
    identity: Identity,
    spec: RoleSpec,
    person: Person,
    cache: Option<SessionCache>,
    flight: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    cache_trouble: Mutex<Option<String>>,
    changed: Arc<Notify>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn release(&self, hold: u64) {
        self.state().release(hold);
    }

    /// A session that lasts for `need` if one can be had. All who ask at once get the same.
    async fn acquire(
        &self,
        need: Duration,
        mfa: Option<Code>,
    ) -> Result<Arc<Session>, IdentityError> {
        let seen = self.state().tries();
        let _flight = self.flight.lock().await;
        if mfa.is_none()
            && let Some(done) =
                self.state()
                    .done_since(seen, need, FAILURE_KEPT, self.identity.now())
        {
            return done;
        }
        let result = self.obtain(need, mfa).await.map(Arc::new);
        self.state().record(result.clone(), self.identity.now());
        if result.is_ok() {
            self.changed.notify_one();
        }
        result
    }

    async fn obtain(&self, need: Duration, mfa: Option<Code>) -> Result<Session, IdentityError> {
        let kept = if mfa.is_none() {
            self.load().await
        } else {
            None
        };
        let now = self.identity.now();
        if let Some(kept) = kept
            .as_ref()
            .filter(|kept| kept.left(now) >= need && !is_due(kept, now))
        {
            return Ok(kept.clone());
        }
        let assumed = tokio::time::timeout(
            ASSUME_MAX,
            self.identity.assume(&self.spec, &self.person, mfa),
        )
        .await;
        match assumed.unwrap_or(Err(IdentityError::Unreachable(None))) {
            Ok(session) => {
                self.store(&session).await;
                Ok(session)
            }
            // One that is about to end is better than none.
            Err(error) => kept
                .filter(|_| need.is_zero() && self.state().pick(now).is_none())
                .ok_or(error),
        }
    }

    async fn load(&self) -> Option<Session> {
        let (cache, spec, person, now) = (
            self.cache.clone()?,
            self.spec.clone(),
            self.person.clone(),
            self.identity.now(),
        );
        let loaded = tokio::task::spawn_blocking(move || cache.load(&spec, &person, now)).await;
        match loaded.unwrap_or(Err(Miss::Absent)) {
            Ok(session) => Some(session),
            Err(miss @ (Miss::Unsafe { .. } | Miss::Damaged)) => {
                self.trouble(Some(miss.to_string()));
                None
            }
            Err(_) => None,
        }
    }

    async fn store(&self, session: &Session) {
        let Some(cache) = self.cache.clone() else {
            return;
        };
        let (spec, person, session) = (self.spec.clone(), self.person.clone(), session.clone());
        let stored =
            tokio::task::spawn_blocking(move || cache.store(&spec, &person, &session)).await;
        if let Ok(stored) = stored {
            self.trouble(
                stored
                    .err()
                    .map(|error| format!("the session could not be kept: {error}")),
            );
        }
    }

    fn trouble(&self, words: Option<String>) {
        *self
            .cache_trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// How long until the newest session is to be renewed; `None` when there never was one.
    fn until_due(&self) -> Option<Duration> {
        let now = self.identity.now();
        let newest = self.state().newest().cloned()?;
        Some(newest.left(now).saturating_sub(renew_left(&newest)))
    }
}

/// Renews until nobody has the credentials any more.
async fn keep_fresh(shared: Weak<Shared>) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let wait = strong.until_due().unwrap_or(STEP).min(STEP);
        if wait.is_zero() {
            strong.acquire(Duration::ZERO, None).await.ok();
            // Also when a session came that is due at once, as with a wrong clock: STS is not
            // hammered.
            let still_due = strong.until_due().is_none_or(|left| left.is_zero());
            drop(strong);
            if still_due {
                tokio::time::sleep(RETRY).await;
            }
        } else {
            let changed = Arc::clone(&strong.changed);
            drop(strong);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = changed.notified() => {}
            }
        }
    }
}
