//! The order in which ports are called. Each use case can be cut off between any two calls and
//! taken up again, by itself or by another process, without losing or doubling anything.

mod accept;
mod change;
mod consume;
mod dead_letters;
mod dispatch;
mod gauge;
mod notify;
mod project;
mod reconcile;
mod replay;
mod resolve;
mod search;
mod ship;
mod work;

pub use accept::{Accept, AcceptError, Answer, Render};
pub use change::{ChangeError, Changes, Requester};
pub use consume::{Consumed, Consumer, Handler};
pub use dead_letters::{
    DeadLetter, DeadLetterContents, DeadLetterList, DeadLetters, DeadLettersError,
};
pub use dispatch::{Dispatcher, Relay, SweepCounts, Sweeper};
pub use gauge::{OldestProcessing, RollingReconciler};
pub use notify::Notifier;
pub use project::Projector;
pub use reconcile::{ReconcileProgress, Reconciler, Report};
pub use replay::{Control, PlanRequest, ReplayError, ReplaySummary, Replayer};
pub use resolve::{ResolveError, Resolver};
pub use search::{PaymentSearch, SearchError, SearchResult};
pub use ship::OverBus;
pub use work::Worker;
