//! Which controller reacts for which route.

use super::alarms::AlarmsController;
use super::audit::AuditController;
use super::controller::Controller;
use super::dead_letter::DeadLetterController;
use super::dead_letters::DeadLettersController;
use super::overview::OverviewController;
use super::payment::PaymentController;
use super::payments::PaymentsController;
use super::queues::QueuesController;
use super::rollout::RolloutController;
use super::rollouts::RolloutsController;
use super::tasks::TasksController;
use crate::model::Route;

pub(super) fn controller_of(route: &Route) -> &'static dyn Controller {
    match route {
        Route::Overview => &OverviewController,
        Route::Rollouts => &RolloutsController,
        Route::Rollout(_) => &RolloutController,
        Route::Queues => &QueuesController,
        Route::DeadLetters => &DeadLettersController,
        Route::DeadLetter(_) => &DeadLetterController,
        Route::Payments => &PaymentsController,
        Route::Payment(_) => &PaymentController,
        Route::Alarms => &AlarmsController,
        Route::Audit => &AuditController,
        Route::Tasks => &TasksController,
    }
}
