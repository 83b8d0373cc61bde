//! All that the screen knows: plain state, which `update` alone changes and the views only read.

mod alarms;
mod audit;
mod cursor;
mod dead_letter;
mod dead_letters;
mod dialogs;
mod env;
mod filter;
mod marks;
mod overlay;
mod overview;
mod pane;
mod payment;
mod payments;
mod queues;
mod rollout;
mod rollouts;
mod route;
mod screen;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use payops_core::Timestamp;
use payops_core::operations::EnvInfo;
use payops_core::port::Clock;
use ratatui::layout::{Rect, Size};

pub(crate) use alarms::{AlarmRow, AlarmsState, alarm_item, queue_alarms};
pub(crate) use audit::{AuditState, audit_text};
pub(crate) use cursor::{Cursor, ItemKey};
pub(crate) use dead_letter::DeadLetterState;
pub(crate) use dead_letters::{DeadLettersState, ListInputs};
pub(crate) use dialogs::{
    ConfirmDialog, Confirmation, ConfirmationField, ElevateDialog, ElevateField, Fact,
    PendingAction, PlanState, ReplayDialog, ReplayOption, ReviewedPlan, RolloutDialog,
    remaining_messages,
};
pub use env::{ClusterInfo, EnvDetails, RolloutId};
pub(crate) use env::{ClusterState, EnvState, NamespaceRights, WatchStatus};
pub(crate) use filter::{Filter, match_places, rank_places};
pub(crate) use marks::Marks;
pub(crate) use overlay::{Notice, Overlay, Prompt, PromptPurpose};
pub(crate) use overview::{Need, OverviewState};
pub(crate) use pane::{Pane, PaneState, after};
pub use payment::PaymentDetails;
pub(crate) use payment::PaymentState;
pub(crate) use payments::{PaymentsState, payment_item};
pub(crate) use queues::{
    DepthSamples, QueuesState, dead_letter_queue_of, is_dead_letter_queue, queue_depth, queue_item,
};
pub(crate) use rollout::{RolloutState, TreeNode};
pub(crate) use rollouts::{RolloutRow, RolloutsState};
pub(crate) use route::Route;
pub use route::Tab;
pub use tasks::TaskUpdate;
pub(crate) use tasks::{Task, TaskListState, TaskStatus};

use crate::theme::{Theme, ThemeName, Tone};

#[derive(Clone)]
pub struct Options {
    pub theme: ThemeName,
    pub read_only: bool,
    pub start: Tab,
    /// The environment that comes first; the first of the list when `None`.
    pub env: Option<String>,
    pub clock: Arc<dyn Clock>,
}

/// All that the screen knows. Only [`crate::start`] makes one, and `update` changes it.
#[derive(Debug)]
pub struct Model {
    pub(crate) now: Timestamp,
    pub(crate) size: Size,
    pub(crate) theme: Theme,
    pub(crate) read_only: bool,
    pub(crate) envs: Vec<EnvState>,
    /// The environment whose queues, payments and dead letters are shown.
    pub(crate) active: usize,
    /// The routes from the first view to the one on screen, which is the last.
    pub(crate) trail: Vec<Route>,
    pub(crate) back: Vec<Vec<Route>>,
    pub(crate) forward: Vec<Vec<Route>>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) notice: Option<Notice>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) marks: Marks,
    /// Actions that were sent and not answered, by the number of their request.
    pub(crate) pending_actions: BTreeMap<u64, PendingAction>,
    /// Whether quitting was refused once because something is running.
    pub(crate) quit_requested: bool,
    last_request: u64,

    pub(crate) overview: OverviewState,
    pub(crate) rollouts: RolloutsState,
    pub(crate) rollout: RolloutState,
    pub(crate) queues: QueuesState,
    pub(crate) dead_letters: DeadLettersState,
    pub(crate) dead_letter: DeadLetterState,
    pub(crate) payments: PaymentsState,
    pub(crate) payment: PaymentState,
    pub(crate) alarms: AlarmsState,
    pub(crate) audit: AuditState,
    pub(crate) task_list: TaskListState,
}

impl Model {
    /// The screen before anything was requested.
    pub(crate) fn new(
        environments: Vec<EnvInfo>,
        options: &Options,
        columns: u16,
        rows: u16,
    ) -> Self {
        let active = options
            .env
            .as_ref()
            .and_then(|name| environments.iter().position(|env| env.name == *name))
            .unwrap_or(0);
        Self {
            now: options.clock.now(),
            size: Size::new(columns, rows),
            theme: Theme(options.theme),
            read_only: options.read_only,
            envs: environments.into_iter().map(EnvState::new).collect(),
            active,
            trail: vec![options.start.route()],
            back: Vec::new(),
            forward: Vec::new(),
            overlay: None,
            notice: None,
            tasks: Vec::new(),
            marks: Marks::default(),
            pending_actions: BTreeMap::new(),
            quit_requested: false,
            last_request: 0,
            overview: OverviewState::default(),
            rollouts: RolloutsState::default(),
            rollout: RolloutState::default(),
            queues: QueuesState::default(),
            dead_letters: DeadLettersState::default(),
            dead_letter: DeadLetterState::default(),
            payments: PaymentsState::default(),
            payment: PaymentState::default(),
            alarms: AlarmsState::default(),
            audit: AuditState::default(),
            task_list: TaskListState::default(),
        }
    }

    pub(crate) fn next_request(&mut self) -> u64 {
        self.last_request = self.last_request.saturating_add(1);
        self.last_request
    }

    pub(crate) fn route(&self) -> &Route {
        const HOME: &Route = &Route::Overview;
        self.trail.last().unwrap_or(HOME)
    }

    pub(crate) fn area(&self) -> Rect {
        Rect {
            x: 0,
            y: 0,
            width: self.size.width,
            height: self.size.height,
        }
    }

    pub(crate) fn env(&self) -> Option<&EnvState> {
        self.envs.get(self.active)
    }

    /// The name of the active environment, once it is open.
    pub(crate) fn open_env(&self) -> Option<String> {
        self.env()
            .filter(|env| env.is_open())
            .map(|env| env.info.name.clone())
    }

    pub(crate) fn env_named(&self, name: &str) -> Option<&EnvState> {
        self.envs.iter().find(|env| env.info.name == name)
    }

    pub(crate) fn env_named_mut(&mut self, name: &str) -> Option<&mut EnvState> {
        self.envs.iter_mut().find(|env| env.info.name == name)
    }

    /// Shows a message in the last line for a few seconds.
    pub(crate) fn notify(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice::new(tone, text, self.now));
    }
}
