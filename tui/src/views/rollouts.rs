//! All rollouts of all clusters, those that wait for a human first.

use std::sync::Arc;

use payops_core::Timestamp;
use payops_core::domain::rollout::{Phase, Rollout, Waiting};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Freshness, View};
use crate::effect::Effect;
use crate::keymap::{Binding, Command, Key, Verb};
use crate::model::{Cursor, Feed, Filter, ItemKey, Model, RolloutId, Route, after, matching};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, countdown, image, percent};
use crate::widgets::{state, words};

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) revision: u64,
    pub(crate) filter: Filter,
    pub(crate) cursor: Cursor,
    /// All rows, in order, of the revision in `made`.
    rows: Vec<Row>,
    shown: Vec<usize>,
    made: Option<u64>,
    filtered: Option<(u64, String)>,
}

/// One rollout, with what it is sorted and found by.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: RolloutId,
    pub(crate) item: ItemKey,
    pub(crate) rollout: Arc<Rollout>,
    human: bool,
    words: String,
}

pub(crate) struct Rollouts;

/// Keys that act on a rollout, here and in its details.
pub(crate) const ACTIONS: &[Binding] = &[
    Binding::shown(&[Key::ch('p')], Command::Rollout(Verb::Promote), "promote"),
    Binding::shown(
        &[Key::ch('P')],
        Command::Rollout(Verb::PromoteFull),
        "promote full",
    ),
    Binding::new(&[Key::ch('s')], Command::Rollout(Verb::Skip), "skip step"),
    Binding::shown(&[Key::ch('a')], Command::Rollout(Verb::Abort), "abort"),
    Binding::shown(&[Key::ch('r')], Command::Rollout(Verb::Retry), "retry"),
    Binding::shown(&[Key::ch('u')], Command::Rollout(Verb::Undo), "undo"),
    Binding::new(
        &[Key::ch('z')],
        Command::Rollout(Verb::PauseResume),
        "pause or resume",
    ),
    Binding::new(&[Key::ch('R')], Command::Rollout(Verb::Restart), "restart"),
    Binding::new(
        &[Key::ch('i')],
        Command::Rollout(Verb::SetImage),
        "set image",
    ),
    Binding::new(
        &[Key::ch('x')],
        Command::Rollout(Verb::Terminate),
        "end analysis or experiment",
    ),
    Binding::shown(&[Key::ch('w')], Command::Why, "why"),
];

const COLUMNS: &[Column] = &[
    Column::text("ENV", 7),
    Column::text("CLUSTER", 11).rank(6),
    Column::text("ROLLOUT", 24).flex(2),
    Column::text("PHASE", 13),
    Column::number("STEP", 4).rank(1),
    Column::number("DESIRED", 7).rank(5),
    Column::number("SET", 5).rank(3),
    Column::number("OBSERVED", 8).rank(4),
    Column::text("WAITS FOR", 16).flex(2).rank(2),
    Column::text("ANALYSIS", 12).rank(7),
    Column::text("IMAGES", 18).flex(2).rank(8),
];

pub(crate) fn sign(phase: Phase) -> (&'static str, Tone) {
    match phase {
        Phase::Healthy => ("✔", Tone::Good),
        Phase::Progressing => ("◌", Tone::Accent),
        Phase::Paused => ("‖", Tone::Warn),
        Phase::Degraded => ("✖", Tone::Bad),
        Phase::Unknown => ("?", Tone::Dim),
    }
}

/// What it waits for, in a few words, and how that is meant.
pub(crate) fn waits(rollout: &Rollout, now: Timestamp) -> (String, Tone) {
    match rollout.waiting() {
        Waiting::No => (String::new(), Tone::Plain),
        Waiting::Time { until } => (
            format!("goes on in {}", countdown(until.duration_since(now))),
            Tone::Plain,
        ),
        Waiting::Human { why, since } => {
            let since = since
                .map(|since| format!(" {}", age(since, now)))
                .unwrap_or_default();
            (format!("{why}{since}"), Tone::Warn)
        }
    }
}

/// `3/7`; nothing without steps.
pub(crate) fn step(rollout: &Rollout) -> String {
    let count = rollout.steps().len();
    match rollout.step_index {
        Some(index) if count > 0 => format!("{}/{count}", (index + 1).min(count)),
        _ => String::new(),
    }
}

/// The rows of all environments; the overview shows some of them.
pub(crate) fn rows(model: &Model) -> &[Row] {
    &model.rollouts.rows
}

impl Row {
    pub(crate) fn human(&self) -> bool {
        self.human
    }
}

pub(crate) fn selected(model: &Model) -> Option<RolloutId> {
    row(model, model.rollouts.cursor.row).map(|row| row.id.clone())
}

fn row(model: &Model, place: usize) -> Option<&Row> {
    model
        .rollouts
        .shown
        .get(place)
        .and_then(|place| model.rollouts.rows.get(*place))
}

pub(crate) fn prepare(model: &mut Model) {
    let revision = model.rollouts.revision;
    if model.rollouts.made != Some(revision) {
        let clusters = model
            .envs
            .iter()
            .flat_map(|env| env.clusters.iter().map(move |cluster| (env, cluster)));
        let rollouts = clusters.flat_map(|(env, cluster)| {
            cluster
                .rollouts
                .values()
                .map(move |rollout| (env, cluster, rollout))
        });
        let mut rows: Vec<Row> = rollouts
            .map(|(env, cluster, rollout)| make(&env.info.name, &cluster.name, rollout))
            .collect();
        // Environments and clusters stand in their order, names in theirs: the sort is stable.
        rows.sort_by_key(|row| !row.human);
        model.rollouts.rows = rows;
        model.rollouts.made = Some(revision);
    }
    filter(&mut model.rollouts);
}

fn make(env: &str, cluster: &str, rollout: &Arc<Rollout>) -> Row {
    let id = RolloutId {
        env: env.to_owned(),
        cluster: cluster.to_owned(),
        key: rollout.key.clone(),
    };
    let images = rollout
        .images
        .iter()
        .map(|image| words::image(&image.image))
        .collect::<Vec<_>>()
        .join(" ");
    let words = format!(
        "{env} {cluster} {} {} {images}",
        rollout.key,
        rollout.phase().0.as_str()
    );
    Row {
        item: id.item(),
        id,
        rollout: Arc::clone(rollout),
        human: rollout.waits_for_human(),
        words,
    }
}

/// Filters; when only more was typed, only what was shown is looked at again.
fn filter(state: &mut State) {
    let text = state.filter.text().to_owned();
    let of = (state.revision, text.clone());
    if state.filtered.as_ref() == Some(&of) {
        return;
    }
    let narrower = state.filtered.as_ref().is_some_and(|(revision, before)| {
        *revision == state.revision
            && !before.is_empty()
            && text.starts_with(before.as_str())
            && plain(&text)
    });
    let within: Vec<usize> = if narrower {
        std::mem::take(&mut state.shown)
    } else {
        (0..state.rows.len()).collect()
    };
    let texts = within
        .into_iter()
        .filter_map(|place| Some((place, state.rows.get(place)?.words.as_str())));
    state.shown = matching(&text, texts);
    state.filtered = Some(of);
}

/// Whether more typed can only narrow it: not so with `!` and its like.
fn plain(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '_'))
}

pub(crate) fn freshness(model: &Model) -> Vec<(&'static str, Freshness)> {
    let feeds: Vec<&Feed> = model
        .envs
        .iter()
        .flat_map(|env| &env.clusters)
        .map(|cluster| &cluster.feed)
        .collect();
    let cut = feeds
        .iter()
        .filter_map(|feed| {
            if let Feed::Cut { since, .. } = feed {
                Some(*since)
            } else {
                None
            }
        })
        .min();
    let fresh = match cut {
        Some(since) => Freshness::Cut(since),
        None if feeds.iter().all(|feed| **feed == Feed::Waiting) => Freshness::Loading,
        None => Freshness::Live,
    };
    vec![("clusters", fresh)]
}

/// Lines about environments and clusters that do not answer: one each, so that no other is hidden.
pub(crate) fn troubles(model: &Model) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = Vec::new();
    for env in &model.envs {
        let name = env.info.name.to_uppercase();
        match env.opened.look() {
            crate::model::Look::Failed { fault, retry_at } => {
                let text = format!(
                    " ✖ {name} ({}): {}",
                    state::again(retry_at, model.now),
                    fault.text
                );
                lines.push(Line::styled(text, theme.style(Tone::Bad)));
            }
            crate::model::Look::Loading => lines.push(Line::styled(
                format!(" ◌ {name}: opening…"),
                theme.style(Tone::Dim),
            )),
            crate::model::Look::Ready { .. } => {}
        }
        for cluster in &env.clusters {
            match &cluster.feed {
                Feed::Waiting => lines.push(Line::styled(
                    format!(" ◌ {name} {}: loading…", cluster.name),
                    theme.style(Tone::Dim),
                )),
                Feed::Cut {
                    why,
                    since,
                    retry_at,
                } => {
                    let again = words::short(retry_at.duration_since(model.now));
                    let since = age(*since, model.now);
                    let stands = if cluster.rollouts.is_empty() {
                        format!("no answer for {since}")
                    } else {
                        format!("as of {since} ago")
                    };
                    let text = format!(
                        " ⚠ {name} {}: {stands}, again in {again} (Ctrl-R now): {why}",
                        cluster.name
                    );
                    lines.push(Line::styled(text, theme.style(Tone::Warn)));
                }
                Feed::Live => {}
            }
        }
    }
    lines
}

/// Draws those lines at the top of `area`; the rest of it is returned.
pub(crate) fn draw_troubles(model: &Model, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let lines = troubles(model);
    let rest = below_troubles(area, lines.len());
    let shown = usize::from(area.height - rest.height);
    for (y, line) in (area.y..).zip(lines.iter().take(shown)) {
        frame.render_widget(
            table::clipped(line, usize::from(area.width)),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
    rest
}

/// What is left below so many lines; at least half of it.
fn below_troubles(area: Rect, lines: usize) -> Rect {
    let taken = u16::try_from(lines)
        .unwrap_or(u16::MAX)
        .min(area.height / 2);
    Rect {
        y: area.y + taken,
        height: area.height - taken,
        ..area
    }
}

pub(crate) fn next_second(model: &Model) -> Timestamp {
    after(model.now, std::time::Duration::from_secs(1))
}

impl View for Rollouts {
    fn bindings(&self) -> &'static [Binding] {
        ACTIONS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(id) = selected(model) else {
            return Vec::new();
        };
        match command {
            Command::Enter => global::push(model, Route::Rollout(id)),
            Command::Copy => return vec![Effect::Copy(id.key.to_string())],
            Command::Why => super::rollout::why(model, &id),
            _ => {}
        }
        Vec::new()
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let moving = !troubles(model).is_empty()
            || model
                .rollouts
                .rows
                .iter()
                .any(|row| row.rollout.waiting() != Waiting::No);
        moving.then(|| next_second(model))
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        freshness(model)
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.rollouts.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.rollouts.filter)
    }

    fn prepare(&self, model: &mut Model) {
        prepare(model);
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            table::rows_area(below_troubles(body, troubles(model).len())),
            model.rollouts.shown.len(),
        ))
    }

    fn item(&self, model: &Model, place: usize) -> Option<ItemKey> {
        row(model, place).map(|row| ItemKey::clone(&row.item))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.rollouts.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let area = draw_troubles(model, frame, body);
        let all = model.rollouts.rows.len();
        if model.rollouts.shown.is_empty() {
            let live = model
                .envs
                .iter()
                .flat_map(|env| &env.clusters)
                .any(|cluster| cluster.feed == Feed::Live);
            if all > 0 {
                state::empty(
                    model,
                    frame,
                    area,
                    false,
                    &format!("none of {all} rollouts matches; Esc takes the filter away"),
                );
            } else if live {
                state::empty(
                    model,
                    frame,
                    area,
                    true,
                    "no rollouts in these clusters: nothing is delivered step by step",
                );
            } else if model
                .envs
                .iter()
                .all(|env| env.is_open() && env.clusters.is_empty())
            {
                state::empty(
                    model,
                    frame,
                    area,
                    false,
                    "no cluster is configured: payops config explain",
                );
            }
            return;
        }
        let list = (&model.rollouts.cursor, model.rollouts.shown.len());
        table::draw(model, frame, area, COLUMNS, list, |place| {
            row(model, place)
                .map(|row| cells(model, row))
                .unwrap_or_default()
        });
    }
}

fn cells(model: &Model, row: &Row) -> Vec<Line<'static>> {
    let (theme, rollout) = (model.theme, &row.rollout);
    let (phase, _) = rollout.phase();
    let (glyph, tone) = sign(phase);
    let weights = rollout.weights();
    let (waits, waits_tone) = waits(rollout, model.now);
    let marked = |field, text: String, tone: Tone| {
        let style = theme.style(if model.marks.is_marked(&row.item, field) {
            Tone::Mark
        } else {
            tone
        });
        Line::from(Span::styled(text, style))
    };
    let run = rollout
        .step_analysis
        .as_ref()
        .or(rollout.background_analysis.as_ref());
    let (analysis, analysis_tone) = run.map_or((String::new(), Tone::Plain), |run| {
        let (glyph, tone) = super::rollout::run_sign(run.phase);
        (format!("{glyph} {}", run.phase.as_str()), tone)
    });
    let images = rollout
        .images
        .iter()
        .map(|held| image(&held.image))
        .collect::<Vec<_>>()
        .join(" ");
    let moving = !rollout.is_fully_promoted();
    let weight = |value: Option<u32>| {
        if moving {
            value.map_or_else(|| "?".to_owned(), percent)
        } else {
            String::new()
        }
    };
    vec![
        Line::raw(row.id.env.to_uppercase()),
        Line::raw(row.id.cluster.clone()),
        Line::raw(row.id.key.to_string()),
        marked("phase", format!("{glyph} {}", phase.as_str()), tone),
        marked(
            "step",
            if moving { step(rollout) } else { String::new() },
            Tone::Plain,
        ),
        Line::raw(weight(Some(weights.desired))),
        marked("weight", weight(Some(weights.set)), Tone::Plain),
        Line::raw(weight(weights.observed)),
        // The title says already that it waits for it.
        Line::styled(
            waits
                .strip_prefix("waits for ")
                .unwrap_or(&waits)
                .to_owned(),
            theme.style(waits_tone),
        ),
        Line::styled(analysis, theme.style(analysis_tone)),
        marked("image", images, Tone::Plain),
    ]
}
