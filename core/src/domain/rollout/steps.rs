//! The steps of a canary.

use jiff::SignedDuration;

use crate::domain::display::percent;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseLength {
    UntilPromoted,
    For(SignedDuration),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// In thousandths of all traffic.
    SetWeight(u32),
    Pause(PauseLength),
    /// Run an analysis and wait for it; names of its templates.
    Analysis(Vec<String>),
    Experiment,
    SetCanaryScale,
    SetHeaderRoute,
    SetMirrorRoute,
    Plugin(String),
    /// A step that this version does not know, by its key.
    Other(String),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SetWeight(weight) => f.write_str(&percent(*weight)),
            Self::Pause(PauseLength::UntilPromoted) => f.write_str("pause"),
            Self::Pause(PauseLength::For(length)) => write!(f, "pause {}", short(*length)),
            Self::Analysis(templates) if templates.is_empty() => f.write_str("analysis"),
            Self::Analysis(templates) => write!(f, "analysis {}", templates.join(" + ")),
            Self::Experiment => f.write_str("experiment"),
            Self::SetCanaryScale => f.write_str("canary scale"),
            Self::SetHeaderRoute => f.write_str("header route"),
            Self::SetMirrorRoute => f.write_str("mirror route"),
            Self::Plugin(name) => write!(f, "plugin {name}"),
            Self::Other(key) => f.write_str(key),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Done,
    Current,
    Failed,
    Ahead,
}

/// `90s`, `15m`, `2h`: the largest unit that loses nothing.
pub(super) fn short(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    match (seconds.checked_rem(3600), seconds.checked_rem(60)) {
        (Some(0), _) if seconds > 0 => {
            format!("{}h", seconds.checked_div(3600).unwrap_or_default())
        }
        (_, Some(0)) if seconds > 0 => format!("{}m", seconds.checked_div(60).unwrap_or_default()),
        _ => format!("{seconds}s"),
    }
}
