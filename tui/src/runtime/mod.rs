//! The loop: messages in, effects out, a frame when something changed.

mod doing;
mod limits;
mod live;
mod steer;
mod stores;
mod tasks;
mod under_way;

pub(crate) use doing::Doing;
pub use live::{RunError, run};

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::Clock;
use tokio::sync::mpsc;

use crate::effect::Effect;
use crate::model::Model;
use crate::msg::Msg;
use crate::update::{settled, told, update};

const QUEUE: usize = 1024;
const BATCH: usize = 256;
const FRAME: Duration = Duration::from_millis(16);
const TICK_MIN: Duration = Duration::from_millis(50);

pub(crate) fn channel() -> (mpsc::Sender<Msg>, mpsc::Receiver<Msg>) {
    mpsc::channel(QUEUE)
}

/// How long until the model wants to be told the time; `None` when it does not.
pub(crate) fn until_wake(model: &Model, now: Timestamp) -> Option<Duration> {
    let left = model.wake_at()?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default().max(TICK_MIN))
}

/// Takes a message and those that wait behind it; the effects of all.
pub(crate) fn batch(
    model: &mut Model,
    clock: &dyn Clock,
    first: Msg,
    rest: &mut mpsc::Receiver<Msg>,
) -> Vec<Effect> {
    // What is measured from now on is measured from now, not from the last tick.
    let mut effects = update(model, Msg::Tick(clock.now()));
    let waiting = std::iter::from_fn(|| rest.try_recv().ok()).take(BATCH);
    let mut unsettled = false;
    for msg in std::iter::once(first).chain(waiting) {
        match msg {
            // Rows are made anew once for many of these: a cluster may tell thousands at a time.
            Msg::Watch {
                env,
                cluster,
                told: news,
            } => {
                told(model, &env, &cluster, news);
                unsettled = true;
            }
            msg => {
                effects.extend(update(model, msg));
                unsettled = false;
            }
        }
    }
    if unsettled {
        effects.extend(settled(model));
    }
    effects
}
