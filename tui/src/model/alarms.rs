//! Alarms of all environments: those that follow from what is loaded.

use std::collections::BTreeMap;

use payops_core::Timestamp;
use payops_core::domain::alarm::{Alarm, AlarmSubject, EnvSeen, QueueDepth, alarms};
use payops_core::domain::rollout::AnalysisRun;
use payops_core::port::ErrorKind;

use super::{
    Cursor, EnvState, Filter, ItemKey, Model, Pane, PaneState, RolloutId, WatchStatus, queue_depth,
};

#[derive(Debug, Default)]
pub(crate) struct AlarmsState {
    pub(crate) cursor: Cursor,
    pub(crate) filter: Filter,
    pub(crate) rows: Vec<AlarmRow>,
    /// Places in `rows` of those that match the filter.
    pub(crate) matching: Vec<usize>,
    /// Analysis runs of rollouts that are not done, with the number of the last request.
    pub(crate) runs: BTreeMap<RolloutId, (u64, Pane<Vec<AnalysisRun>>)>,
}

#[derive(Debug)]
pub(crate) struct AlarmRow {
    pub(crate) cluster: Option<String>,
    pub(crate) alarm: Alarm,
}

impl AlarmsState {
    pub(crate) fn row(&self, place: usize) -> Option<&AlarmRow> {
        self.matching
            .get(place)
            .and_then(|place| self.rows.get(*place))
    }
}

/// A key for an alarm that stays the same while it lasts.
pub(crate) fn alarm_item(alarm: &Alarm) -> ItemKey {
    let subject = match &alarm.subject {
        AlarmSubject::Queue(name) => name.clone(),
        AlarmSubject::Index => "index".to_owned(),
        AlarmSubject::Environment | AlarmSubject::Rollout(_) => alarm.what.clone(),
    };
    ItemKey::from(format!("alarm:{}/{subject}", alarm.env))
}

/// Alarms of an environment itself and of its queues.
pub(crate) fn queue_alarms(env: &EnvState, now: Timestamp) -> Vec<Alarm> {
    let mut known = EnvSeen {
        env: &env.info.name,
        ..EnvSeen::default()
    };
    if let PaneState::Failed { fault, .. } = env.details.state() {
        known.faults.push(("environment", &fault.text));
    }
    match env.queues.state() {
        PaneState::Failed { fault, .. }
        | PaneState::Ready {
            fault: Some((fault, _)),
            ..
        } if fault.kind != ErrorKind::NotSetUp => known.faults.push(("queues", &fault.text)),
        PaneState::Loading | PaneState::Failed { .. } | PaneState::Ready { .. } => {}
    }
    known.queues = env
        .queue_stats()
        .iter()
        .map(|queue| QueueDepth {
            name: &queue.name,
            depth: queue_depth(queue),
            approximate: queue.approximate,
            oldest: queue.oldest_age,
        })
        .collect();
    alarms(&known, now)
}

impl Model {
    /// Environments that have not answered everything yet.
    pub(crate) fn pending_envs(&self) -> usize {
        let answered = |env: &&EnvState| {
            let failed = matches!(env.details.state(), PaneState::Failed { .. });
            let queues = !matches!(env.queues.state(), PaneState::Loading);
            failed
                || (env.is_open()
                    && queues
                    && env
                        .clusters
                        .iter()
                        .all(|cluster| cluster.watch != WatchStatus::Waiting))
        };
        self.envs.iter().filter(|env| !answered(env)).count()
    }
}
