//! The lines around a view: header, crumbs and tabs, banner, footer.

use payops_core::domain::access::AccessLevel;
use payops_core::domain::display::{age, age_since};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr as _;

use super::banner::banner;
use super::routes::view_of;
use super::view::Freshness;
use crate::keymap::{Binding, Command, GLOBAL, view_bindings};
use crate::model::{EnvState, Model, Tab, TaskStatus};
use crate::redact::redact;
use crate::text::{clip, clip_before_name};
use crate::theme::Tone;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScreenLayout {
    pub(crate) header: Rect,
    pub(crate) crumbs: Rect,
    /// Where the banner is; of no height when there is none.
    pub(crate) banner: Rect,
    pub(crate) body: Rect,
    pub(crate) footer: Rect,
}

/// Screens of so many rows have empty lines around the view.
const ROOMY: u16 = 20;
const WIDE: u16 = 118;
/// A reason is shown where so many columns of it fit.
const WHY_MIN: usize = 8;
/// The label of a reason that is not beside the access level.
const WHY: &str = "elevated: ";

pub(crate) fn layout(model: &Model, area: Rect) -> ScreenLayout {
    let line = |y: u16| Rect {
        y: area.y.saturating_add(y),
        height: 1.min(area.height.saturating_sub(y)),
        ..area
    };
    let banner = u16::from(banner(model).is_some());
    // The banner replaces an empty line.
    let top = 2 + banner.max(u16::from(area.height >= ROOMY));
    let body = Rect {
        y: area.y.saturating_add(top),
        height: area.height.saturating_sub(top + 1),
        ..area
    };
    ScreenLayout {
        header: line(0),
        crumbs: line(1),
        banner: Rect {
            height: banner,
            ..line(2)
        },
        body,
        footer: line(area.height.saturating_sub(1)),
    }
}

pub(crate) fn draw_header(model: &Model, frame: &mut Frame<'_>, layout: &ScreenLayout) {
    let theme = model.theme;
    let mut spans = vec![Span::styled(" payops  ", theme.style(Tone::Strong))];
    // A rollout belongs to its own environment, whichever is active.
    let env = model
        .env_on_screen()
        .and_then(|place| model.envs.get(place));
    if let Some(env) = env {
        let block = theme.environment(&env.info.name, env.info.protected);
        spans.push(Span::styled(
            format!("▌{}▐", env.info.name.to_uppercase()),
            block,
        ));
        let place = [env.info.account.as_deref(), env.info.region.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        spans.push(Span::raw(format!(" {place}")));
        let who = env
            .details
            .value()
            .map(|details| details.who.as_str())
            .unwrap_or_default();
        spans.push(Span::raw(format!("   {who}")));
        if let Some((words, tone)) = access_words(model, env, layout.header.width) {
            spans.push(Span::raw(" · "));
            spans.push(Span::styled(words, theme.style(tone)));
        }
    }
    let fresh = freshness_line(model);
    let mut left = Line::from(spans);
    let mut why = env.and_then(|env| elevation_reason(model, env));
    // On narrow screens the line below has room for it: the tabs are not there then.
    if layout.header.width >= WIDE
        && let Some(why) = why.take()
    {
        let room =
            usize::from(layout.header.width).saturating_sub(left.width() + fresh.width() + 3);
        if room >= WHY_MIN {
            left.push_span(Span::raw(clip(&format!(": {why}"), room)));
        }
    }
    let room = usize::from(layout.header.width).saturating_sub(left.width());
    frame.render_widget(left, layout.header);
    if fresh.width() + 1 < room {
        frame.render_widget(
            fresh.alignment(Alignment::Right),
            inset_right(layout.header),
        );
    }
    draw_crumbs(model, frame, layout.crumbs, why.as_deref());
    if let Some(banner) = banner(model).filter(|_| layout.banner.height > 0) {
        frame.buffer_mut().set_style(layout.banner, banner.style);
        frame.render_widget(banner, layout.banner);
    }
}

/// The access level, and for how long it is held.
fn access_words(model: &Model, env: &EnvState, width: u16) -> Option<(String, Tone)> {
    if model.read_only {
        return Some(("read-only".to_owned(), Tone::Plain));
    }
    let access = env.access.value()?;
    let left = env.elevation_remaining(model.now);
    let level = match left {
        None if env.info.protected => AccessLevel::View,
        None => access.level.min(AccessLevel::Operate),
        Some(_) => access.level,
    };
    let left = left
        .map(|left| format!(" {} left", age(left)))
        .unwrap_or_default();
    Some(match level {
        AccessLevel::View if width >= WIDE => ("view (operate: press E)".to_owned(), Tone::Plain),
        AccessLevel::View => ("view (E: operate)".to_owned(), Tone::Plain),
        AccessLevel::Operate if left.is_empty() => ("operate".to_owned(), Tone::Plain),
        AccessLevel::Operate => (format!("operate{left}"), Tone::Warn),
        AccessLevel::BreakGlass => (format!("BREAK-GLASS{left}"), Tone::Banner),
    })
}

/// The reason of the elevation, while there is one.
fn elevation_reason(model: &Model, env: &EnvState) -> Option<String> {
    env.elevation_remaining(model.now)
        .filter(|_| !model.read_only)?;
    env.access.value()?.reason.as_deref().map(redact)
}

fn inset_right(area: Rect) -> Rect {
    Rect {
        width: area.width.saturating_sub(1),
        ..area
    }
}

fn freshness_line(model: &Model) -> Line<'static> {
    let mut spans = Vec::new();
    for (name, fresh) in view_of(model.route()).freshness(model) {
        if fresh == Freshness::Absent {
            continue;
        }
        if !spans.is_empty() {
            spans.push(Span::styled(" · ", model.theme.style(Tone::Dim)));
        }
        let (text, tone) = match fresh {
            Freshness::At(at) => (format!("{name} {}", age_since(at, model.now)), Tone::Dim),
            Freshness::Live => (format!("{name} live"), Tone::Dim),
            Freshness::Cut(since) => (
                format!("⚠ {name} cut {}", age_since(since, model.now)),
                Tone::Warn,
            ),
            Freshness::Loading | Freshness::Absent => (format!("{name} ◌"), Tone::Dim),
        };
        spans.push(Span::styled(text, model.theme.style(tone)));
    }
    Line::from(spans)
}

/// What can be clicked in the second line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    Crumb(usize),
    Tab(Tab),
}

const CRUMB: &str = " › ";

/// The crumbs with their first and last column.
fn crumb_spans(model: &Model) -> Vec<(u16, u16, String)> {
    let mut x = 1;
    model
        .trail
        .iter()
        .map(|route| {
            let title = route.title();
            let end = x + u16::try_from(title.width()).unwrap_or(0);
            let place = (x, end, title);
            x = end + u16::try_from(CRUMB.width()).unwrap_or(0);
            place
        })
        .collect()
}

fn tab_spans(width: u16) -> Vec<(u16, u16, Tab, String)> {
    let titles: Vec<(Tab, String)> = Tab::ALL
        .into_iter()
        .zip(1..)
        .map(|(tab, number)| (tab, format!("{number} {}", tab.as_str())))
        .collect();
    let all: u16 = titles
        .iter()
        .map(|(_, title)| u16::try_from(title.width()).unwrap_or(0) + 2)
        .sum();
    if width < WIDE {
        return Vec::new();
    }
    let mut x = width.saturating_sub(all);
    titles
        .into_iter()
        .map(|(tab, title)| {
            let end = x + u16::try_from(title.width()).unwrap_or(0);
            let place = (x, end, tab, title);
            x = end + 2;
            place
        })
        .collect()
}

pub(crate) fn hit(model: &Model, x: u16) -> Option<Hit> {
    let within = |from: u16, to: u16| (from..to).contains(&x);
    let crumb = crumb_spans(model)
        .into_iter()
        .position(|(from, to, _)| within(from, to))
        .map(Hit::Crumb);
    let tab = || {
        tab_spans(model.size.width)
            .into_iter()
            .find(|(from, to, ..)| within(*from, *to))
            .map(|(_, _, tab, _)| Hit::Tab(tab))
    };
    crumb.or_else(tab)
}

fn draw_crumbs(model: &Model, frame: &mut Frame<'_>, area: Rect, why: Option<&str>) {
    let theme = model.theme;
    let crumbs = crumb_spans(model);
    let mut spans = vec![Span::raw(" ")];
    for (place, (.., title)) in crumbs.iter().enumerate() {
        let last = place + 1 == crumbs.len();
        spans.push(Span::styled(
            title.clone(),
            theme.style(if last { Tone::Accent } else { Tone::Plain }),
        ));
        if !last {
            spans.push(Span::styled(CRUMB, theme.style(Tone::Dim)));
        }
    }
    let view = view_of(model.route());
    let filter = model
        .filter()
        .filter(|filter| !view.draws_filter() && (filter.open || filter.is_on()));
    if let Some(filter) = filter {
        spans.push(Span::styled(format!("{CRUMB}/"), theme.style(Tone::Accent)));
        let typed: usize = spans.iter().map(Span::width).sum();
        let room = usize::from(area.width).saturating_sub(typed + 1).max(1);
        let scroll = filter.input.visual_scroll(room);
        spans.push(Span::raw(clip(
            &filter.text().chars().skip(scroll).collect::<String>(),
            room,
        )));
        if filter.open {
            let x = typed + filter.input.visual_cursor().saturating_sub(scroll);
            let x = area.x.saturating_add(u16::try_from(x).unwrap_or(u16::MAX));
            frame.set_cursor_position((x.min(area.right().saturating_sub(1)), area.y));
        }
    }
    let line = Line::from(spans);
    let used = u16::try_from(line.width()).unwrap_or(u16::MAX);
    frame.render_widget(line, area);
    let tabs = tab_spans(area.width);
    if tabs.first().is_some_and(|(from, ..)| *from > used + 1) {
        for (from, _, tab, title) in tabs {
            let tone = if tab == model.route().tab() {
                Tone::Accent
            } else {
                Tone::Dim
            };
            frame
                .buffer_mut()
                .set_string(area.x + from, area.y, title, theme.style(tone));
        }
    }
    let room = usize::from(area.width.saturating_sub(used)).saturating_sub(WHY.width() + 3);
    if let Some(why) = why.filter(|_| room >= WHY_MIN) {
        let why = Line::from(vec![
            Span::styled(WHY, theme.style(Tone::Dim)),
            Span::raw(clip(why, room)),
        ]);
        frame.render_widget(
            Paragraph::new(why).alignment(Alignment::Right),
            Rect {
                x: area.x + used,
                width: area.width - used - 1,
                ..area
            },
        );
    }
}

/// The last line: keys or a notice on the left, tasks on the right.
pub(crate) fn draw_footer(model: &Model, frame: &mut Frame<'_>, layout: &ScreenLayout) {
    let area = layout.footer;
    let tasks = task_status(model);
    let tasks_width = tasks.as_ref().map_or(0, |line| line.width() + 2);
    let room = usize::from(area.width).saturating_sub(tasks_width);
    let left = match &model.notice {
        Some(notice) => {
            let text = clip_before_name(&notice.text, room.saturating_sub(1));
            Line::styled(format!(" {text}"), model.theme.style(notice.tone))
        }
        None => key_hints(model, room),
    };
    frame.render_widget(left, area);
    if let Some(tasks) = tasks {
        frame.render_widget(
            Paragraph::new(tasks).alignment(Alignment::Right),
            inset_right(area),
        );
    }
}

/// The keys that matter here, as many as fit; help is always among them.
fn key_hints(model: &Model, room: usize) -> Line<'static> {
    let theme = model.theme;
    let own = view_bindings(model.route());
    let filterable = model.filter().is_some();
    let rollout = model.selected_rollout();
    let is_denied = |command: Command| match (command, &rollout) {
        (Command::Rollout(command), Some(id)) => model
            .find_cluster(id)
            .and_then(|cluster| cluster.find_denial(&id.key.namespace, command.action()))
            .is_some(),
        _ => false,
    };
    let in_footer = |binding: &&Binding| {
        binding.footer
            && (filterable || binding.command != Command::Filter)
            && !is_denied(binding.command)
    };
    // A command that the view binds itself is shown once, in the view's words.
    let general = GLOBAL
        .iter()
        .filter(|binding| !own.iter().any(|own| own.command == binding.command));
    let entries = own
        .iter()
        .filter(in_footer)
        .chain(general.filter(in_footer));
    let mut entries: Vec<(String, &'static str)> = entries
        .filter_map(|binding| Some((binding.keys.first()?.to_string(), binding.words)))
        .collect();
    let help = entries.pop();
    entries.push(("1-8".to_owned(), "views"));
    let width = |(key, words): &(String, &str)| key.width() + 1 + words.width() + 3;
    let mut left = room
        .saturating_sub(1)
        .saturating_sub(help.as_ref().map_or(0, width));
    let mut spans = vec![Span::raw(" ")];
    let fitting = entries.into_iter().take_while(|entry| {
        let fits = width(entry) <= left;
        left = left.saturating_sub(width(entry));
        fits
    });
    for (key, words) in fitting.collect::<Vec<_>>().into_iter().chain(help) {
        spans.push(Span::styled(key, theme.style(Tone::Accent)));
        spans.push(Span::styled(format!(" {words}   "), Style::new()));
    }
    Line::from(spans)
}

fn task_status(model: &Model) -> Option<Line<'static>> {
    let running: Vec<(u64, Option<u64>)> = model
        .tasks
        .iter()
        .filter_map(|task| {
            if let TaskStatus::Running { done, total, .. } = task.status {
                Some((done, total))
            } else {
                None
            }
        })
        .collect();
    let (done, total) = running.first()?;
    let share = total
        .filter(|total| *total > 0)
        .map(|total| format!(" {} %", done.saturating_mul(100) / total))
        .unwrap_or_default();
    Some(Line::styled(
        format!("tasks {} ◐{share}", running.len()),
        model.theme.style(Tone::Accent),
    ))
}
