//! Signs of states: each has a glyph of its own, so that nothing is lost without colour.

use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::payment::Status;
use payops_core::domain::rollout::{Phase, RunPhase};

use crate::theme::Tone;

pub(crate) fn phase_sign(phase: Phase) -> (&'static str, Tone) {
    match phase {
        Phase::Healthy => ("✔", Tone::Good),
        Phase::Progressing => ("◌", Tone::Accent),
        Phase::Paused => ("‖", Tone::Warn),
        Phase::Degraded => ("✖", Tone::Bad),
        Phase::Unknown => ("?", Tone::Dim),
    }
}

/// The sign of an analysis run, a metric or a measurement.
pub(crate) fn run_sign(phase: RunPhase) -> (&'static str, Tone) {
    match phase {
        RunPhase::Pending => ("○", Tone::Dim),
        RunPhase::Running => ("◌", Tone::Accent),
        RunPhase::Successful => ("✔", Tone::Good),
        RunPhase::Failed => ("✖", Tone::Bad),
        RunPhase::Error => ("!", Tone::Bad),
        RunPhase::Inconclusive => ("?", Tone::Warn),
    }
}

pub(crate) fn payment_sign(status: Status, dead: bool) -> (&'static str, Tone) {
    match status {
        _ if dead => ("✖", Tone::Bad),
        Status::Completed | Status::Refunded | Status::PartiallyRefunded => ("✔", Tone::Good),
        Status::Processing => ("◌", Tone::Accent),
        Status::Failed => ("✖", Tone::Bad),
        Status::Review => ("⚠", Tone::Warn),
        Status::Canceled => ("○", Tone::Dim),
    }
}

pub(crate) fn outcome_sign(outcome: AuditOutcome) -> (&'static str, Tone) {
    match outcome {
        AuditOutcome::Begun => ("◌", Tone::Dim),
        AuditOutcome::Done => ("✔", Tone::Good),
        AuditOutcome::Failed => ("✖", Tone::Bad),
        AuditOutcome::Refused => ("⊘", Tone::Warn),
    }
}
