//! Which view draws which route.

use super::alarms::AlarmsView;
use super::audit::AuditView;
use super::dead_letter::DeadLetterView;
use super::dead_letters::DeadLettersView;
use super::overview::OverviewView;
use super::payment::PaymentView;
use super::payments::PaymentsView;
use super::queues::QueuesView;
use super::rollout::RolloutView;
use super::rollouts::RolloutsView;
use super::tasks::TasksView;
use super::view::View;
use crate::model::Route;

pub(crate) fn view_of(route: &Route) -> &'static dyn View {
    match route {
        Route::Overview => &OverviewView,
        Route::Rollouts => &RolloutsView,
        Route::Rollout(_) => &RolloutView,
        Route::Queues => &QueuesView,
        Route::DeadLetters => &DeadLettersView,
        Route::DeadLetter(_) => &DeadLetterView,
        Route::Payments => &PaymentsView,
        Route::Payment(_) => &PaymentView,
        Route::Alarms => &AlarmsView,
        Route::Audit => &AuditView,
        Route::Tasks => &TasksView,
    }
}
