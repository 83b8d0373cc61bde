//! Colours by what they mean. Every meaning also has a glyph or a word of its own, so that
//! nothing is lost without colour.

use ratatui::style::{Color, Modifier, Style};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    #[default]
    Dark,
    Light,
    NoColour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Dim,
    Strong,
    Accent,
    Good,
    Warn,
    Bad,
    Mark,
    Selected,
    Banner,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Theme(pub(crate) ThemeName);

impl Theme {
    pub(crate) fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let coloured = |dark: Color, light: Color| match self.0 {
            ThemeName::Dark => plain.fg(dark),
            ThemeName::Light => plain.fg(light),
            ThemeName::NoColour => plain,
        };
        let bare = self.0 == ThemeName::NoColour;
        match tone {
            Tone::Plain => plain,
            Tone::Dim if bare => plain.add_modifier(Modifier::DIM),
            Tone::Dim => coloured(Color::Indexed(245), Color::Indexed(242)),
            Tone::Strong => plain.add_modifier(Modifier::BOLD),
            Tone::Accent => coloured(Color::Cyan, Color::Blue).add_modifier(Modifier::BOLD),
            Tone::Good => coloured(Color::Green, Color::Indexed(28)),
            Tone::Warn if bare => plain.add_modifier(Modifier::BOLD),
            Tone::Warn => coloured(Color::Yellow, Color::Indexed(130)),
            Tone::Bad => coloured(Color::LightRed, Color::Red).add_modifier(Modifier::BOLD),
            Tone::Banner if bare => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
            Tone::Banner => plain
                .fg(Color::White)
                .bg(Color::Red)
                .add_modifier(Modifier::BOLD),
            Tone::Mark | Tone::Selected if bare => plain.add_modifier(Modifier::REVERSED),
            Tone::Mark => coloured(Color::Black, Color::Black).bg(Color::Yellow),
            Tone::Selected => match self.0 {
                ThemeName::Light => plain.bg(Color::Indexed(252)).add_modifier(Modifier::BOLD),
                _ => plain.bg(Color::Indexed(237)).add_modifier(Modifier::BOLD),
            },
        }
    }

    /// The block that names the environment: red where writes are protected, yellow before it,
    /// green in tests.
    pub(crate) fn environment(self, name: &str, protected: bool) -> Style {
        if self.0 == ThemeName::NoColour {
            return Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        }
        let style = Style::new().add_modifier(Modifier::BOLD);
        if protected {
            style.fg(Color::White).bg(Color::Red)
        } else if name.contains("preprod") || name.contains("staging") {
            style.fg(Color::Black).bg(Color::Yellow)
        } else {
            style.fg(Color::Black).bg(Color::Green)
        }
    }
}
