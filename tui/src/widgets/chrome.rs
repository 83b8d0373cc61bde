//! The lines around a view: where one is, how fresh it is, which keys matter here.

use payops_core::domain::access::AccessLevel;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr as _;

use super::steer;
use super::words::{age, short};
use crate::keymap::{Binding, GLOBAL};
use crate::model::{EnvState, Model, Route, Tab, TaskState};
use crate::theme::Tone;
use crate::views::dead_letters::shown;
use crate::views::{self, Freshness};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) header: Rect,
    pub(crate) crumbs: Rect,
    /// What nobody may overlook; of no height when there is nothing.
    pub(crate) banner: Rect,
    pub(crate) body: Rect,
    pub(crate) footer: Rect,
}

/// Screens of so many rows have empty lines around the view.
const ROOMY: u16 = 20;
const WIDE: u16 = 118;
/// A reason is shown where so many columns of it fit.
const WHY_MIN: usize = 8;
/// Stands before a reason that is not beside the duty.
const WHY: &str = "elevated: ";

pub(crate) fn places(model: &Model, area: Rect) -> Places {
    let line = |y: u16| Rect {
        y: area.y.saturating_add(y),
        height: 1.min(area.height.saturating_sub(y)),
        ..area
    };
    let banner = u16::from(steer::banner(model).is_some());
    // The banner stands where there is an empty line else.
    let top = 2 + banner.max(u16::from(area.height >= ROOMY));
    let body = Rect {
        y: area.y.saturating_add(top),
        height: area.height.saturating_sub(top + 1),
        ..area
    };
    Places {
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

pub(crate) fn header(model: &Model, frame: &mut Frame<'_>, places: &Places) {
    let theme = model.theme;
    let mut spans = vec![Span::styled(" payops  ", theme.style(Tone::Strong))];
    // A rollout is of its own environment, whichever the queues and payments are of.
    let env = if let Route::Rollout(id) = model.route() {
        model.env_named(&id.env)
    } else {
        model.env()
    };
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
            .opened
            .value()
            .map(|opened| opened.who.as_str())
            .unwrap_or_default();
        spans.push(Span::raw(format!("   {who}")));
        if let Some((words, tone)) = duty(model, env, places.header.width) {
            spans.push(Span::raw(" · "));
            spans.push(Span::styled(words, theme.style(tone)));
        }
    }
    let fresh = freshness(model);
    let mut left = Line::from(spans);
    let mut why = env.and_then(|env| why(model, env));
    // Where the header has no room beside it, the line below has: the views' names do not stand
    // there then.
    if places.header.width >= WIDE
        && let Some(why) = why.take()
    {
        let room =
            usize::from(places.header.width).saturating_sub(left.width() + fresh.width() + 3);
        if room >= WHY_MIN {
            left.push_span(Span::raw(super::words::clip(&format!(": {why}"), room)));
        }
    }
    let room = usize::from(places.header.width).saturating_sub(left.width());
    frame.render_widget(left, places.header);
    if fresh.width() + 1 < room {
        frame.render_widget(fresh.alignment(Alignment::Right), shorter(places.header));
    }
    crumbs(model, frame, places.crumbs, why.as_deref());
    if let Some(banner) = steer::banner(model).filter(|_| places.banner.height > 0) {
        frame.buffer_mut().set_style(places.banner, banner.style);
        frame.render_widget(banner, places.banner);
    }
}

/// With which right the user acts, and for how long.
fn duty(model: &Model, env: &EnvState, width: u16) -> Option<(String, Tone)> {
    if model.read_only {
        return Some(("read-only".to_owned(), Tone::Plain));
    }
    let standing = env.standing.value()?;
    let left = env.left(model.now);
    let duty = match left {
        None if env.info.protected => AccessLevel::View,
        None => standing.duty.min(AccessLevel::Operate),
        Some(_) => standing.duty,
    };
    let left = left
        .map(|left| format!(" {} left", short(left)))
        .unwrap_or_default();
    Some(match duty {
        AccessLevel::View if width >= WIDE => ("view (operate: press E)".to_owned(), Tone::Plain),
        AccessLevel::View => ("view (E: operate)".to_owned(), Tone::Plain),
        AccessLevel::Operate if left.is_empty() => ("operate".to_owned(), Tone::Plain),
        AccessLevel::Operate => (format!("operate{left}"), Tone::Warn),
        AccessLevel::BreakGlass => (format!("BREAK-GLASS{left}"), Tone::Banner),
    })
}

/// Why the user has more right than is theirs, while they have it.
fn why(model: &Model, env: &EnvState) -> Option<String> {
    env.left(model.now).filter(|_| !model.read_only)?;
    env.standing.value()?.reason.as_deref().map(shown)
}

fn shorter(area: Rect) -> Rect {
    Rect {
        width: area.width.saturating_sub(1),
        ..area
    }
}

fn freshness(model: &Model) -> Line<'static> {
    let mut spans = Vec::new();
    for (name, fresh) in views::of(model.route()).freshness(model) {
        if !spans.is_empty() {
            spans.push(Span::styled(" · ", model.theme.style(Tone::Dim)));
        }
        let (text, tone) = match fresh {
            Freshness::At(at) => (format!("{name} {}", age(at, model.now)), Tone::Dim),
            Freshness::Live => (format!("{name} live"), Tone::Dim),
            Freshness::Cut(since) => (
                format!("⚠ {name} cut {}", age(since, model.now)),
                Tone::Warn,
            ),
            Freshness::Loading => (format!("{name} ◌"), Tone::Dim),
        };
        spans.push(Span::styled(text, model.theme.style(tone)));
    }
    Line::from(spans)
}

/// What can be clicked in the second line: columns, and where each leads.
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

fn crumbs(model: &Model, frame: &mut Frame<'_>, area: Rect, why: Option<&str>) {
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
    let view = views::of(model.route());
    let filter = view
        .filter(model)
        .filter(|filter| !view.draws_filter() && (filter.open || filter.is_on()));
    if let Some(filter) = filter {
        spans.push(Span::styled(format!("{CRUMB}/"), theme.style(Tone::Accent)));
        let typed: usize = spans.iter().map(Span::width).sum();
        let room = usize::from(area.width).saturating_sub(typed + 1).max(1);
        let scroll = filter.input.visual_scroll(room);
        spans.push(Span::raw(super::words::clip(
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
            Span::raw(super::words::clip(why, room)),
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
pub(crate) fn footer(model: &Model, frame: &mut Frame<'_>, places: &Places) {
    let area = places.footer;
    let tasks = tasks(model);
    let tasks_width = tasks.as_ref().map_or(0, |line| line.width() + 2);
    let room = usize::from(area.width).saturating_sub(tasks_width);
    let left = match &model.notice {
        Some(notice) => {
            let text = super::words::clip(&notice.text, room.saturating_sub(1));
            Line::styled(format!(" {text}"), model.theme.style(notice.tone))
        }
        None => keys(model, room),
    };
    frame.render_widget(left, area);
    if let Some(tasks) = tasks {
        frame.render_widget(
            Paragraph::new(tasks).alignment(Alignment::Right),
            shorter(area),
        );
    }
}

/// The keys that matter here, as many as fit; help is always among them.
fn keys(model: &Model, room: usize) -> Line<'static> {
    let theme = model.theme;
    let own = views::of(model.route()).bindings();
    let filterable = views::of(model.route()).filter(model).is_some();
    let shown = |binding: &&Binding| {
        binding.footer && (filterable || binding.command != crate::keymap::Command::Filter)
    };
    // A command that the view has a row of its own for is shown once, in the view's words.
    let general = GLOBAL
        .iter()
        .filter(|binding| !own.iter().any(|own| own.command == binding.command));
    let entries = own.iter().filter(shown).chain(general.filter(shown));
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

fn tasks(model: &Model) -> Option<Line<'static>> {
    let running: Vec<(u64, Option<u64>)> = model
        .tasks
        .iter()
        .filter_map(|task| {
            if let TaskState::Running { done, total, .. } = task.state {
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
