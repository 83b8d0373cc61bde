//! Which session is handed out now: pure, so that each rule is a two-line test.
//!
//! A renewed session takes the old one's place at once, or, while a batch holds the old one, as
//! soon as the last hold is over. A session that has ended is never handed out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use payops_core::Timestamp;

use super::error::IdentityError;
use super::session::{Session, duration_between};

/// A session is renewed when less than this is left.
const RENEW_LEFT: Duration = Duration::from_mins(5);
/// Or when less than this part of its life is, if that comes later.
const RENEW_PART: u32 = 5;

/// What is left of a session when it is time to renew it.
pub(super) fn renew_left(session: &Session) -> Duration {
    RENEW_LEFT.min(session.life() / RENEW_PART)
}

pub(super) fn is_due(session: &Session, now: Timestamp) -> bool {
    session.time_left(now) <= renew_left(session)
}

#[derive(Debug, Default)]
pub(super) struct State {
    current: Option<Arc<Session>>,
    next: Option<Arc<Session>>,
    holds: BTreeMap<u64, Timestamp>,
    last_hold: u64,
    tries: u64,
    /// How the last of them failed, and when.
    failure: Option<(IdentityError, Timestamp)>,
}

impl State {
    /// The session to hand out at `now`.
    pub(super) fn pick(&mut self, now: Timestamp) -> Option<Arc<Session>> {
        self.settle(now);
        self.current
            .clone()
            .filter(|session| session.expires_at > now)
    }

    /// The newest session, handed out or not yet.
    pub(super) fn newest(&self) -> Option<&Arc<Session>> {
        self.next.as_ref().or(self.current.as_ref())
    }

    /// Takes a new session, or notes why there is none.
    pub(super) fn record(&mut self, result: Result<Arc<Session>, IdentityError>, now: Timestamp) {
        self.tries += 1;
        match result {
            Ok(session) => {
                self.failure = None;
                self.next = Some(session);
                self.settle(now);
            }
            Err(error) => self.failure = Some((error, now)),
        }
    }

    /// How many times a session was looked for: tells a waiter whether another did it meanwhile.
    pub(super) fn tries(&self) -> u64 {
        self.tries
    }

    /// How the last of them failed.
    pub(super) fn failure(&self) -> Option<IdentityError> {
        self.failure.as_ref().map(|(error, _)| error.clone())
    }

    /// What became of looking for a session since `seen` tries, if it did for `need`. A failure
    /// that is younger than `kept` is told again: many calls that fail must not all ask STS.
    pub(super) fn outcome_since(
        &self,
        seen: u64,
        need: Duration,
        kept: Duration,
        now: Timestamp,
    ) -> Option<Result<Arc<Session>, IdentityError>> {
        if let Some((error, at)) = &self.failure {
            let fresh = self.tries > seen || duration_between(*at, now) < kept;
            return fresh.then(|| Err(error.clone()));
        }
        let newest = self
            .newest()
            .filter(|session| self.tries > seen && session.time_left(now) >= need);
        newest.cloned().map(Ok)
    }

    /// Holds the current session until `until`, if it lasts that long.
    pub(super) fn hold(&mut self, until: Timestamp, now: Timestamp) -> Option<(u64, Arc<Session>)> {
        let session = self
            .pick(now)
            .filter(|session| session.expires_at >= until)?;
        self.last_hold += 1;
        self.holds.insert(self.last_hold, until);
        Some((self.last_hold, session))
    }

    pub(super) fn release(&mut self, hold: u64) {
        self.holds.remove(&hold);
    }

    /// Until when the current session is held; `None` when it is not.
    pub(super) fn held_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.settle(now);
        self.holds.values().max().copied()
    }

    /// Puts the renewed session in the old one's place, unless a batch needs the old one still.
    fn settle(&mut self, now: Timestamp) {
        self.holds.retain(|_, until| *until > now);
        let ended = self
            .current
            .as_ref()
            .is_none_or(|session| session.expires_at <= now);
        if (ended || self.holds.is_empty()) && self.next.is_some() {
            self.current = self.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::session::Keys;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_348_800 + minute * 60).expect("within range")
    }

    fn session(from: i64, to: i64) -> Arc<Session> {
        Arc::new(Session {
            env: "test".to_owned(),
            access_level: "view".to_owned(),
            account_id: "1".to_owned(),
            arn: format!("session of minute {from}"),
            role: String::new(),
            source_identity: String::new(),
            issued_at: at(from),
            expires_at: at(to),
            capped: None,
            keys: Keys {
                access_key_id: String::new(),
                secret_access_key: "s".into(),
                session_token: "t".into(),
            },
        })
    }

    fn with(first: &Arc<Session>) -> State {
        let mut state = State::default();
        state.record(Ok(Arc::clone(first)), first.issued_at);
        state
    }

    fn pick_issued_at(state: &mut State, minute: i64) -> Option<Timestamp> {
        state.pick(at(minute)).map(|session| session.issued_at)
    }

    #[test]
    fn five_minutes_before_the_end_it_is_due_or_a_fifth_of_a_short_life() {
        assert!(!is_due(&session(0, 60), at(54)) && is_due(&session(0, 60), at(55)));
        assert!(!is_due(&session(0, 15), at(11)) && is_due(&session(0, 15), at(12)));
    }

    #[test]
    fn a_new_session_takes_the_place_of_the_old_one() {
        let mut state = with(&session(0, 60));
        state.record(Ok(session(55, 115)), at(55));
        assert_eq!(pick_issued_at(&mut state, 55), Some(at(55)));
    }

    #[test]
    fn a_failed_renewal_leaves_the_old_one_until_it_ends() {
        let mut state = with(&session(0, 60));
        state.record(Err(IdentityError::NoName), at(55));
        assert!(state.failure().is_some() && state.tries() == 2);
        assert_eq!(pick_issued_at(&mut state, 59), Some(at(0)));
        assert_eq!(pick_issued_at(&mut state, 60), None);
    }

    #[test]
    fn who_waited_is_told_what_another_found_and_asks_no_more() {
        let mut state = with(&session(0, 60));
        let done = |state: &State, seen, need| {
            state.outcome_since(seen, need, Duration::from_secs(2), at(1))
        };
        assert!(matches!(done(&state, 0, Duration::ZERO), Some(Ok(_))));
        assert!(
            done(&state, 1, Duration::ZERO).is_none(),
            "nothing happened since"
        );
        assert!(
            done(&state, 0, Duration::from_hours(1)).is_none(),
            "it does not last that long"
        );
        state.record(Err(IdentityError::NoName), at(0));
        assert!(matches!(done(&state, 1, Duration::ZERO), Some(Err(_))));
        assert!(done(&state, 2, Duration::ZERO).is_none(), "an old failure");
        state.record(Err(IdentityError::NoName), at(1));
        assert!(
            matches!(done(&state, 3, Duration::ZERO), Some(Err(_))),
            "a fresh one"
        );
    }

    #[test]
    fn a_held_session_is_not_swapped_until_the_last_hold_is_over() {
        let mut state = with(&session(0, 60));
        let (first, _) = state.hold(at(50), at(0)).expect("held");
        let (second, _) = state.hold(at(58), at(0)).expect("held");
        state.record(Ok(session(40, 100)), at(40));
        assert_eq!(
            (pick_issued_at(&mut state, 40), state.held_until(at(40))),
            (Some(at(0)), Some(at(58)))
        );
        state.release(second);
        assert_eq!(pick_issued_at(&mut state, 41), Some(at(0)));
        state.release(first);
        assert_eq!(pick_issued_at(&mut state, 42), Some(at(40)));
    }

    #[test]
    fn a_hold_promises_no_more_than_was_asked_for() {
        let mut state = with(&session(0, 60));
        assert!(
            state.hold(at(61), at(0)).is_none(),
            "it does not last that long"
        );
        state.hold(at(30), at(0)).expect("held");
        state.record(Ok(session(20, 80)), at(20));
        assert_eq!(
            (
                pick_issued_at(&mut state, 29),
                pick_issued_at(&mut state, 30)
            ),
            (Some(at(0)), Some(at(20)))
        );
    }
}
