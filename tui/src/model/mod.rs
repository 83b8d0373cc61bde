//! All that the screen knows.

mod cursor;
mod env;
mod filter;
mod marks;
mod overlay;
mod pane;
mod route;
mod steer;

use std::collections::BTreeMap;
use std::sync::Arc;

use payops_core::Timestamp;
use payops_core::port::Clock;
use ratatui::layout::Size;

pub(crate) use cursor::{Cursor, ItemKey};
pub use env::{Cluster, RolloutId};
pub(crate) use env::{ClusterState, EnvState, Feed};
pub(crate) use filter::{Filter, matching, ranked};
pub(crate) use marks::Marks;
pub(crate) use overlay::{
    Choice, Confirm, Field, Notice, Overlay, Prompt, PromptFor, Task, TaskState, Write,
};
pub(crate) use pane::{Look, Pane, after};
pub(crate) use route::Route;
pub use route::Tab;
pub(crate) use steer::{
    Agreeing, Consent, ConsentField, ElevateField, Elevating, Number, Planning, Replaying, Reviewed,
};

use crate::effect::Effect;
use crate::environments::EnvInfo;
use crate::theme::{Theme, ThemeName};
use crate::views;

#[derive(Clone)]
pub struct Options {
    pub theme: ThemeName,
    pub read_only: bool,
    pub start: Tab,
    /// The environment that comes first; the first of the list when `None`.
    pub env: Option<String>,
    pub clock: Arc<dyn Clock>,
}

/// All that the screen knows. [`crate::update`] alone changes it.
#[derive(Debug)]
pub struct Model {
    pub(crate) now: Timestamp,
    pub(crate) size: Size,
    pub(crate) theme: Theme,
    pub(crate) read_only: bool,
    pub(crate) envs: Vec<EnvState>,
    /// The environment that queues, payments and dead letters are of.
    pub(crate) active: usize,
    /// Where one is, and how one came there: the last is on screen.
    pub(crate) trail: Vec<Route>,
    pub(crate) back: Vec<Vec<Route>>,
    pub(crate) forward: Vec<Vec<Route>>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) notice: Option<Notice>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) marks: Marks,
    /// Writes that were sent and not answered, by their numbers.
    pub(crate) writes: BTreeMap<u64, Write>,
    pub(crate) leaving: bool,
    requests: u64,

    pub(crate) overview: views::overview::State,
    pub(crate) rollouts: views::rollouts::State,
    pub(crate) rollout: views::rollout::State,
    pub(crate) queues: views::queues::State,
    pub(crate) dead_letters: views::dead_letters::State,
    pub(crate) letter: views::letter::State,
    pub(crate) payments: views::payments::State,
    pub(crate) payment: views::payment::State,
    pub(crate) alarms: views::alarms::State,
    pub(crate) audit: views::audit::State,
    pub(crate) task_list: views::tasks::State,
}

impl Model {
    /// The screen before anything was asked, and what to ask first.
    #[must_use]
    pub fn new(
        environments: Vec<EnvInfo>,
        options: &Options,
        columns: u16,
        rows: u16,
    ) -> (Self, Vec<Effect>) {
        let active = options
            .env
            .as_ref()
            .and_then(|name| environments.iter().position(|env| env.name == *name))
            .unwrap_or(0);
        let mut model = Self {
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
            writes: BTreeMap::new(),
            leaving: false,
            requests: 0,
            overview: views::overview::State::default(),
            rollouts: views::rollouts::State::default(),
            rollout: views::rollout::State::default(),
            queues: views::queues::State::default(),
            dead_letters: views::dead_letters::State::default(),
            letter: views::letter::State::default(),
            payments: views::payments::State::default(),
            payment: views::payment::State::default(),
            alarms: views::alarms::State::default(),
            audit: views::audit::State::default(),
            task_list: views::tasks::State::default(),
        };
        let effects = crate::update::settled(&mut model);
        (model, effects)
    }

    pub(crate) fn next_request(&mut self) -> u64 {
        self.requests = self.requests.saturating_add(1);
        self.requests
    }

    pub(crate) fn route(&self) -> &Route {
        const HOME: &Route = &Route::Overview;
        self.trail.last().unwrap_or(HOME)
    }

    pub(crate) fn env(&self) -> Option<&EnvState> {
        self.envs.get(self.active)
    }

    /// The name of that environment when questions can be asked there.
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

    /// Says something in the last line for a few seconds.
    pub(crate) fn say(&mut self, notice: Notice) {
        self.notice = Some(notice);
    }

    /// When it should be told the time next: something on screen moves then. `None` when nothing
    /// does.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        let notice = self.notice.as_ref().map(|notice| notice.until);
        [notice, self.marks.next(), views::wake(self)]
            .into_iter()
            .flatten()
            .min()
    }
}
