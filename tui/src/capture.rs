//! The same loop without a terminal: keys come from a script, and the screen is returned as text
//! or as a picture. The captures in the documentation are made with it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures::future::OptionFuture;
use payops_core::operations::Operations;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use tokio::time::{Instant, sleep, timeout_at};

use crate::model::{Model, Options};
use crate::msg::Msg;
use crate::runtime::{EffectRunner, batch, channel, time_until_wake};
use crate::update::start;
use crate::views::view;

const WAIT_MAX: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("line {line}: {text}: a line is `wait TEXT`, `gone TEXT`, `key NAME` or `type TEXT`")]
    Script { line: usize, text: String },
    /// A text did not appear, or did not disappear.
    #[error("line {line}: timed out: {text}")]
    Waited {
        line: usize,
        text: String,
        screen: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    pub buffer: Buffer,
}

enum Line {
    Wait { text: String, present: bool },
    Keys(Vec<KeyEvent>),
}

/// Runs a script and returns the last screen. Its lines:
/// `wait TEXT` (until it is on screen), `gone TEXT` (until it is not), `key NAME` (such as `p`,
/// `enter`, `esc`, `ctrl-r`), `type TEXT`; empty lines and those that begin with `#` are
/// skipped.
pub async fn capture(
    operations: Arc<dyn Operations>,
    options: Options,
    script: &str,
    width: u16,
    height: u16,
) -> Result<Captured, CaptureError> {
    let lines = parse(script)?;
    let (mut model, effects) = start(operations.environments(), &options, width, height);
    let (to, mut from) = channel();
    let mut runner = EffectRunner::new(operations, Arc::clone(&options.clock), to);
    runner.run_all(effects);
    let mut buffer = draw_buffer(&model, width, height);
    for (number, source, line) in lines {
        match line {
            Line::Keys(keys) => {
                for key in keys {
                    let effects = batch(&mut model, &*options.clock, Msg::Key(key), &mut from);
                    runner.run_all(effects);
                }
            }
            Line::Wait {
                text: expected,
                present,
            } => {
                let deadline = Instant::now() + WAIT_MAX;
                loop {
                    runner.reap();
                    buffer = draw_buffer(&model, width, height);
                    if text(&buffer).contains(&expected) == present {
                        break;
                    }
                    let wake: OptionFuture<_> = time_until_wake(&model, options.clock.now())
                        .map(sleep)
                        .into();
                    let next = async {
                        tokio::select! {
                            Some(msg) = from.recv() => msg,
                            Some(()) = wake => Msg::Tick(options.clock.now()),
                        }
                    };
                    let Ok(msg) = timeout_at(deadline, next).await else {
                        return Err(CaptureError::Waited {
                            line: number,
                            text: source,
                            screen: text(&buffer),
                        });
                    };
                    let effects = batch(&mut model, &*options.clock, msg, &mut from);
                    runner.run_all(effects);
                }
            }
        }
        buffer = draw_buffer(&model, width, height);
    }
    Ok(Captured { buffer })
}

pub(crate) fn draw_buffer(model: &Model, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| view(model, frame));
    terminal.backend().buffer().clone()
}

fn parse(script: &str) -> Result<Vec<(usize, String, Line)>, CaptureError> {
    let mut out = Vec::new();
    for (number, source) in (1..).zip(script.lines()) {
        let source = source.trim();
        if source.is_empty() || source.starts_with('#') {
            continue;
        }
        let wrong = || CaptureError::Script {
            line: number,
            text: source.to_owned(),
        };
        let (verb, rest) = source.split_once(' ').ok_or_else(wrong)?;
        let line = match verb {
            "wait" => Line::Wait {
                text: rest.to_owned(),
                present: true,
            },
            "gone" => Line::Wait {
                text: rest.to_owned(),
                present: false,
            },
            "key" => Line::Keys(vec![key(rest).ok_or_else(wrong)?]),
            "type" => Line::Keys(
                rest.chars()
                    .map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
                    .collect(),
            ),
            _ => return Err(wrong()),
        };
        out.push((number, source.to_owned(), line));
    }
    Ok(out)
}

pub(crate) fn key(name: &str) -> Option<KeyEvent> {
    let (modifiers, name) = match name.strip_prefix("ctrl-") {
        Some(name) => (KeyModifiers::CONTROL, name),
        None => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        name => {
            let mut chars = name.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => KeyCode::Char(c),
                _ => return None,
            }
        }
    };
    Some(KeyEvent::new(code, modifiers))
}

/// The screen as lines of text, without trailing spaces.
#[must_use]
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut line = String::new();
        let mut hidden = 0;
        for x in buffer.area.left()..buffer.area.right() {
            let symbol = buffer.cell((x, y)).map_or(" ", |cell| cell.symbol());
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            // A wide character covers the cell after it.
            hidden = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Width and height of a character in the picture, in pixels.
const CELL: (f32, f32) = (8.4, 18.0);

#[must_use]
pub fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (f32::from(buffer.area.width), f32::from(buffer.area.height));
    let (width, height) = (columns * CELL.0, rows * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
            font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"14\">\n<rect \
            width=\"100%\" height=\"100%\" fill=\"#15181c\"/>\n"
    );
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let Some(cell) = buffer.cell((buffer.area.x + x, buffer.area.y + y)) else {
                continue;
            };
            let (left, top) = (f32::from(x) * CELL.0, f32::from(y) * CELL.1);
            let (mut fg, mut bg) = (rgb(cell.fg, "#d5d9de"), rgb(cell.bg, "#15181c"));
            if cell.modifier.contains(Modifier::REVERSED) {
                std::mem::swap(&mut fg, &mut bg);
            }
            if bg != "#15181c" {
                let _ = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{}\" \
                        fill=\"{bg}\"/>",
                    CELL.0 + 0.2,
                    CELL.1
                );
            }
            if cell.symbol().trim().is_empty() {
                continue;
            }
            let bold = if cell.modifier.contains(Modifier::BOLD) {
                " font-weight=\"bold\""
            } else {
                ""
            };
            let symbol = cell
                .symbol()
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text x=\"{left:.1}\" y=\"{:.1}\" fill=\"{fg}\"{bold}>{symbol}</text>",
                top + 14.0
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn rgb(colour: Color, default: &str) -> String {
    let named = match colour {
        Color::Black => "#15181c",
        Color::Red => "#c0392b",
        Color::LightRed => "#ff6b5e",
        Color::Green => "#5fbf77",
        Color::Yellow => "#e5c04b",
        Color::Blue => "#4a90d9",
        Color::Cyan => "#4fc1d0",
        Color::White => "#ffffff",
        Color::Indexed(shade @ 232..=255) => {
            let level = 8 + 10 * (shade - 232);
            return format!("#{level:02x}{level:02x}{level:02x}");
        }
        Color::Indexed(28) => "#008700",
        Color::Indexed(130) => "#af5f00",
        Color::Rgb(r, g, b) => return format!("#{r:02x}{g:02x}{b:02x}"),
        _ => default,
    };
    named.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_parsed_line_by_line() {
        let script = "# a comment\nwait NEEDS A PERSON\n\nkey ctrl-r\ntype ab\n";
        let lines = parse(script).unwrap_or_default();
        assert_eq!(
            lines.iter().map(|(number, ..)| *number).collect::<Vec<_>>(),
            [2, 4, 5]
        );
        assert!(matches!(&lines[2].2, Line::Keys(keys) if keys.len() == 2));
        assert!(matches!(
            parse("key nonsense"),
            Err(CaptureError::Script { line: 1, .. })
        ));
        assert!(parse("press x").is_err());
    }

    #[test]
    fn pictures_hold_what_is_on_screen() {
        let mut buffer = Buffer::with_lines(["a<b"]);
        buffer.set_style(buffer.area, ratatui::style::Style::new().fg(Color::Cyan));
        let picture = svg(&buffer);
        assert!(
            picture.contains("fill=\"#4fc1d0\">&lt;</text>"),
            "{picture}"
        );
        assert_eq!(text(&buffer), "a<b\n");
    }
}
