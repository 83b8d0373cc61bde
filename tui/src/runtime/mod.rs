//! The loop: messages in, effects out, a frame when something changed.

mod effects;
mod environments;
mod limits;
mod live;
mod requests;
mod task_results;
mod tasks;
mod unfinished;

pub(crate) use effects::EffectRunner;
pub use live::{RunError, run};

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::Clock;
use tokio::sync::mpsc;

use crate::effect::Effect;
use crate::model::Model;
use crate::msg::Msg;
use crate::update::{handle_watch, settle, update, wake_at};

const QUEUE: usize = 1024;
const BATCH: usize = 256;
const FRAME: Duration = Duration::from_millis(16);
const TICK_MIN: Duration = Duration::from_millis(50);

pub(crate) fn channel() -> (mpsc::Sender<Msg>, mpsc::Receiver<Msg>) {
    mpsc::channel(QUEUE)
}

/// How long until the model needs a tick; `None` when it does not need one.
pub(crate) fn time_until_wake(model: &Model, now: Timestamp) -> Option<Duration> {
    let left = wake_at(model)?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default().max(TICK_MIN))
}

/// Handles a message and those that wait behind it; returns the effects of all.
pub(crate) fn batch(
    model: &mut Model,
    clock: &dyn Clock,
    first: Msg,
    rest: &mut mpsc::Receiver<Msg>,
) -> Vec<Effect> {
    // Times are measured from now, not from the last tick.
    let mut effects = update(model, Msg::Tick(clock.now()));
    let waiting = std::iter::from_fn(|| rest.try_recv().ok()).take(BATCH);
    let mut unsettled = false;
    for msg in std::iter::once(first).chain(waiting) {
        match msg {
            // Rows are computed once for many of these: a cluster may send thousands at a time.
            Msg::Watch {
                env,
                cluster,
                event,
            } => {
                handle_watch(model, &env, &cluster, event);
                unsettled = true;
            }
            msg => {
                effects.extend(update(model, msg));
                unsettled = false;
            }
        }
    }
    if unsettled {
        effects.extend(settle(model));
    }
    effects
}
