//! The views, as tabs and as routes to their details.

use payops_core::domain::id::PaymentId;

use super::RolloutId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    #[default]
    Overview,
    Rollouts,
    Queues,
    DeadLetters,
    Payments,
    Alarms,
    Audit,
    Tasks,
}

impl Tab {
    /// All, in the order of their keys, from `1`.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Rollouts,
        Self::Queues,
        Self::DeadLetters,
        Self::Payments,
        Self::Alarms,
        Self::Audit,
        Self::Tasks,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Rollouts => "rollouts",
            Self::Queues => "queues",
            Self::DeadLetters => "dead letters",
            Self::Payments => "payments",
            Self::Alarms => "alarms",
            Self::Audit => "audit",
            Self::Tasks => "tasks",
        }
    }

    pub(crate) fn route(self) -> Route {
        match self {
            Self::Overview => Route::Overview,
            Self::Rollouts => Route::Rollouts,
            Self::Queues => Route::Queues,
            Self::DeadLetters => Route::DeadLetters,
            Self::Payments => Route::Payments,
            Self::Alarms => Route::Alarms,
            Self::Audit => Route::Audit,
            Self::Tasks => Route::Tasks,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Overview,
    Rollouts,
    Rollout(RolloutId),
    Queues,
    DeadLetters,
    DeadLetter(String),
    Payments,
    Payment(PaymentId),
    Alarms,
    Audit,
    Tasks,
}

impl Route {
    pub(crate) fn tab(&self) -> Tab {
        match self {
            Self::Overview => Tab::Overview,
            Self::Rollouts | Self::Rollout(_) => Tab::Rollouts,
            Self::Queues => Tab::Queues,
            Self::DeadLetters | Self::DeadLetter(_) => Tab::DeadLetters,
            Self::Payments | Self::Payment(_) => Tab::Payments,
            Self::Alarms => Tab::Alarms,
            Self::Audit => Tab::Audit,
            Self::Tasks => Tab::Tasks,
        }
    }

    pub(crate) fn title(&self) -> String {
        match self {
            Self::Rollout(id) => id.key.to_string(),
            Self::Payment(id) => id.to_string(),
            Self::DeadLetter(id) => id.clone(),
            other => other.tab().as_str().to_owned(),
        }
    }
}
