//! The plan of an action on a rollout.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use payops_core::domain::display::age_since;
use payops_core::domain::rollout::RolloutAction;

use super::confirmation;
use crate::model::{Model, RolloutDialog};
use crate::theme::Tone;
use crate::views::popup::{
    draw_popup, fact_lines, facts_room, line_at, lines_height, split_bottom,
};

pub(crate) fn draw_rollout(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    dialog: &RolloutDialog,
) {
    let theme = model.theme;
    let (plan, protected) = (&dialog.plan, dialog.confirmation.phrase.is_some());
    let room = facts_room(area);
    let fact = |label: &str, text: &str, tone: Tone| fact_lines(theme, room, label, text, tone);
    let mut lines = fact("now", &plan.now, Tone::Plain);
    lines.extend(fact("after", &plan.after, Tone::Strong));
    lines.extend(
        plan.warnings
            .iter()
            .flat_map(|warning| fact("⚠ warning", warning, Tone::Warn)),
    );
    let seen = age_since(dialog.seen_at, model.now);
    let bound = if plan.action == RolloutAction::Abort {
        format!("the revision under way (seen {seen} ago), whatever its step is by then")
    } else {
        format!(
            "resourceVersion {} (seen {seen} ago): refused if it changed since",
            plan.resource_version
        )
    };
    lines.extend(fact("bound to", &bound, Tone::Plain));
    lines.extend(fact("equivalent", &dialog.equivalent, Tone::Dim));
    let rows = if protected { 5 } else { 2 };
    let env = dialog.id.env.to_uppercase();
    let title = format!("{} {} in {env}", plan.action.as_str(), plan.key);
    let inner = draw_popup(
        model,
        frame,
        area,
        &title,
        lines_height(&lines, area) + rows,
    );
    // However small the screen is, what is typed stays visible.
    let (top, bottom) = split_bottom(inner, rows.min(inner.height));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), top);
    if !protected {
        frame.render_widget(
            Line::styled(
                "y or Enter confirms, Esc cancels.",
                theme.style(Tone::Strong),
            ),
            line_at(bottom, 1),
        );
        return;
    }
    confirmation::draw(model, frame, bottom, &dialog.confirmation);
}
