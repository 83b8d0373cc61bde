//! Faults on demand: proxies around every port that fail, lose answers, or let the whole process
//! "die" at a chosen call, before or after the call had its effect.
//!
//! A crash is a future that never goes on. [`Chaos::until_crash`] drops everything that was under
//! way at that moment, which is what the end of a process does to it.

mod ports;

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use payops_core::port::{ErrorKind, PortError, PortResult, Random as _};
use tokio::sync::Notify;

use crate::SeededRandom;
pub use ports::faulty;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    Nothing,
    /// The process dies at this call (from 0), before or after its effect.
    CrashAt {
        call: usize,
        /// Whether the call has its effect first.
        after: bool,
    },
    Dice {
        chances: Chances,
        seed: u64,
    },
}

/// How often each fault happens, in thousandths of all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chances {
    pub fail: u64,
    pub throttle: u64,
    pub lose_answer: u64,
    pub crash_before: u64,
    pub crash_after: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    Fail(ErrorKind),
    LoseAnswer,
    CrashBefore,
    CrashAfter,
}

struct State {
    plan: Plan,
    dice: SeededRandom,
    calls: Vec<&'static str>,
    crashed: bool,
    faults: std::collections::BTreeMap<&'static str, usize>,
}

pub struct Chaos {
    state: Mutex<State>,
    died: Notify,
}

impl Default for Chaos {
    fn default() -> Self {
        Self::new(Plan::Nothing)
    }
}

impl Chaos {
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let seed = if let Plan::Dice { seed, .. } = &plan {
            *seed
        } else {
            0
        };
        let state = State {
            plan,
            dice: SeededRandom::new(seed),
            calls: Vec::new(),
            crashed: false,
            faults: std::collections::BTreeMap::new(),
        };
        Self {
            state: Mutex::new(state),
            died: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what goes wrong from here on, and starts counting anew. A crash is over with it.
    pub fn set(&self, plan: Plan) {
        let mut state = self.state();
        if let Plan::Dice { seed, .. } = &plan {
            state.dice = SeededRandom::new(*seed);
        }
        state.plan = plan;
        state.calls.clear();
        state.crashed = false;
    }

    /// Ends a crash and goes on with the same dice.
    pub fn restart(&self) {
        self.state().crashed = false;
    }

    pub fn calm(&self) {
        self.set(Plan::Nothing);
    }

    /// The calls made since the plan was set, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<&'static str> {
        self.state().calls.clone()
    }

    #[must_use]
    pub fn faults(&self) -> std::collections::BTreeMap<&'static str, usize> {
        self.state().faults.clone()
    }

    /// Runs `work` until it ends or the process "dies": then it is dropped where it stands, and
    /// the answer is `None`.
    pub async fn until_crash<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let died = self.died.notified();
        tokio::select! {
            biased;
            () = died => None,
            done = work => Some(done),
        }
    }

    fn fate(&self, call: &'static str) -> Fate {
        let mut state = self.state();
        let number = state.calls.len();
        state.calls.push(call);
        let fate = match &state.plan {
            _ if state.crashed => Fate::CrashBefore,
            Plan::CrashAt { call, after } if *call == number => {
                if *after {
                    Fate::CrashAfter
                } else {
                    Fate::CrashBefore
                }
            }
            Plan::Nothing | Plan::CrashAt { .. } => Fate::Fine,
            Plan::Dice { chances, .. } => {
                let chances = *chances;
                roll(chances, state.dice.next_u64() % 1000)
            }
        };
        let name = match fate {
            Fate::Fine => return fate,
            Fate::Fail(ErrorKind::Throttled) => "throttle",
            Fate::Fail(_) => "fail",
            Fate::LoseAnswer => "lose_answer",
            Fate::CrashBefore => "crash_before",
            Fate::CrashAfter => "crash_after",
        };
        *state.faults.entry(name).or_default() += 1;
        fate
    }

    async fn die(&self) -> ! {
        self.state().crashed = true;
        self.died.notify_waiters();
        std::future::pending::<()>().await;
        unreachable!("a pending future does not end")
    }

    pub(crate) async fn around<T>(
        &self,
        call: &'static str,
        work: impl Future<Output = PortResult<T>>,
    ) -> PortResult<T> {
        match self.fate(call) {
            Fate::Fine => work.await,
            Fate::Fail(kind) => Err(PortError::new(kind, format!("{call} failed on purpose"))),
            Fate::LoseAnswer => {
                work.await?;
                Err(PortError::new(
                    ErrorKind::Ambiguous,
                    format!("the answer of {call} was lost on purpose"),
                ))
            }
            Fate::CrashBefore => self.die().await,
            Fate::CrashAfter => {
                // Whatever it answers, nobody lives to hear it.
                drop(work.await);
                self.die().await
            }
        }
    }
}

fn roll(chances: Chances, dice: u64) -> Fate {
    let mut bound = 0;
    let mut within = |chance: u64| {
        bound += chance;
        dice < bound
    };
    if within(chances.fail) {
        Fate::Fail(ErrorKind::Unavailable)
    } else if within(chances.throttle) {
        Fate::Fail(ErrorKind::Throttled)
    } else if within(chances.lose_answer) {
        Fate::LoseAnswer
    } else if within(chances.crash_before) {
        Fate::CrashBefore
    } else if within(chances.crash_after) {
        Fate::CrashAfter
    } else {
        Fate::Fine
    }
}
