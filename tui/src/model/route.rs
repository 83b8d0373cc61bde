//! Places on the screen.

use payops_core::domain::id::PaymentId;

use super::RolloutId;

/// The eight views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// What needs a human, and how things stand.
    #[default]
    Overview,
    /// Rollouts of all clusters.
    Rollouts,
    /// Queues.
    Queues,
    /// Dead letters.
    DeadLetters,
    /// Payments.
    Payments,
    /// Alarms.
    Alarms,
    /// What was done, by whom.
    Audit,
    /// Background tasks.
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

    /// Its name.
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

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The overview.
    Overview,
    /// All rollouts.
    Rollouts,
    /// One rollout.
    Rollout(RolloutId),
    /// All queues.
    Queues,
    /// Dead letters.
    DeadLetters,
    /// One dead letter, by its id.
    Letter(String),
    /// The payment search.
    Payments,
    /// One payment.
    Payment(PaymentId),
    /// Alarms.
    Alarms,
    /// The audit.
    Audit,
    /// Background tasks.
    Tasks,
}

impl Route {
    /// The view that it belongs to.
    pub(crate) fn tab(&self) -> Tab {
        match self {
            Self::Overview => Tab::Overview,
            Self::Rollouts | Self::Rollout(_) => Tab::Rollouts,
            Self::Queues => Tab::Queues,
            Self::DeadLetters | Self::Letter(_) => Tab::DeadLetters,
            Self::Payments | Self::Payment(_) => Tab::Payments,
            Self::Alarms => Tab::Alarms,
            Self::Audit => Tab::Audit,
            Self::Tasks => Tab::Tasks,
        }
    }

    /// Its crumb.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Rollout(id) => id.key.to_string(),
            Self::Payment(id) => id.to_string(),
            Self::Letter(id) => id.clone(),
            other => other.tab().as_str().to_owned(),
        }
    }
}
