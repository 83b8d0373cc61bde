//! Credentials of a role for the SDK: kept, renewed before they end, one `AssumeRole` at a time.
//!
//! The SDK asks for credentials with every call, and gets what is there. A renewal happens beside
//! that, in the task of [`RoleCredentials::renew_in_background`]; while it fails, the old
//! credentials go on until they really end. Only then does a call wait for a new session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use payops_core::Timestamp;
use tokio::task::JoinHandle;

use super::Identity;
use super::cache::SessionCache;
use super::error::IdentityError;
use super::hold::SessionHold;
use super::session::{Session, with_credentials};
use super::shared::{Shared, renew_while_used};
use super::spec::{MfaCode, Person, RoleSpec};

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
    pub async fn renew_with(&self, code: MfaCode) -> Result<Arc<Session>, IdentityError> {
        self.0.acquire(Duration::ZERO, Some(code)).await
    }

    /// Keeps the credentials for a batch: they last for `at_least`, renewed now if they would not,
    /// and stay the same until the hold is dropped or that time is over.
    pub async fn hold(&self, at_least: Duration) -> Result<SessionHold, IdentityError> {
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

    fn try_hold(&self, at_least: Duration) -> Option<SessionHold> {
        let now = self.0.identity.now();
        let until = now.checked_add(at_least).ok()?;
        let (number, session) = self.0.state().hold(until, now)?;
        Some(SessionHold::new(
            Arc::clone(&self.0),
            number,
            session,
            until,
        ))
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
            .map_or(Duration::ZERO, |session| session.time_left(now));
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
        Renewal(tokio::spawn(renew_while_used(Arc::downgrade(&self.0))))
    }

    /// A configuration whose clients use these credentials, and are given the renewed ones at once.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        with_credentials(
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
