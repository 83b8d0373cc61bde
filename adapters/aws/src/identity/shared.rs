//! What the clones of a role's credentials, their holds and the background task share: one session,
//! and one `AssumeRole` at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::Identity;
use super::cache::{CacheMiss, SessionCache};
use super::error::IdentityError;
use super::session::Session;
use super::spec::{MfaCode, Person, RoleSpec};
use super::state::{State, is_due, renew_left};

/// How long getting a session may take as a whole.
const ASSUME_MAX: Duration = Duration::from_mins(1);
/// How long the background task waits after a renewal that did not help.
const RETRY: Duration = Duration::from_secs(30);
/// How long it sleeps at most: a machine that slept itself is noticed within this.
const STEP: Duration = Duration::from_mins(1);
/// For how long a failure is told again without asking STS again.
const FAILURE_KEPT: Duration = Duration::from_secs(2);

pub(super) struct Shared {
    pub(super) identity: Identity,
    pub(super) spec: RoleSpec,
    pub(super) person: Person,
    pub(super) cache: Option<SessionCache>,
    pub(super) flight: tokio::sync::Mutex<()>,
    pub(super) state: Mutex<State>,
    pub(super) cache_trouble: Mutex<Option<String>>,
    pub(super) changed: Arc<Notify>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn release(&self, hold: u64) {
        self.state().release(hold);
    }

    /// A session that lasts for `need` if one can be had. All who ask at once get the same.
    pub(super) async fn acquire(
        &self,
        need: Duration,
        mfa: Option<MfaCode>,
    ) -> Result<Arc<Session>, IdentityError> {
        let seen = self.state().tries();
        let _flight = self.flight.lock().await;
        if mfa.is_none()
            && let Some(done) =
                self.state()
                    .outcome_since(seen, need, FAILURE_KEPT, self.identity.now())
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

    async fn obtain(&self, need: Duration, mfa: Option<MfaCode>) -> Result<Session, IdentityError> {
        let kept = if mfa.is_none() {
            self.load().await
        } else {
            None
        };
        let now = self.identity.now();
        if let Some(kept) = kept
            .as_ref()
            .filter(|kept| kept.time_left(now) >= need && !is_due(kept, now))
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
        match loaded.unwrap_or(Err(CacheMiss::Absent)) {
            Ok(session) => Some(session),
            Err(miss @ (CacheMiss::Unsafe { .. } | CacheMiss::Damaged)) => {
                self.note_cache_trouble(Some(miss.to_string()));
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
            self.note_cache_trouble(
                stored
                    .err()
                    .map(|error| format!("cannot cache the session: {error}")),
            );
        }
    }

    fn note_cache_trouble(&self, words: Option<String>) {
        *self
            .cache_trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// How long until the newest session is to be renewed; `None` when there never was one.
    fn time_until_due(&self) -> Option<Duration> {
        let now = self.identity.now();
        let newest = self.state().newest().cloned()?;
        Some(newest.time_left(now).saturating_sub(renew_left(&newest)))
    }
}

/// Renews until nobody has the credentials any more.
pub(super) async fn renew_while_used(shared: Weak<Shared>) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let wait = strong.time_until_due().unwrap_or(STEP).min(STEP);
        if wait.is_zero() {
            strong.acquire(Duration::ZERO, None).await.ok();
            // Also when a session came that is due at once, as with a wrong clock: STS is not
            // hammered.
            let still_due = strong.time_until_due().is_none_or(|left| left.is_zero());
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
