//! The blue-green strategy: which service serves which revision, and until when the pods that
//! nobody uses any more stand.

use jiff::SignedDuration;

use super::steps::short;
use super::{Related, Rollout, Weights};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlueGreen {
    /// Whether the active service switches without anybody's promotion.
    pub auto_promotion: bool,
    /// How long the pause before the switch lasts, if it ends by itself.
    pub auto_promotion_after: Option<SignedDuration>,
    /// The service of all users.
    pub active_service: String,
    pub preview_service: Option<String>,
    /// Hash of the version that the active service selects; empty before the first.
    pub active_hash: String,
    pub preview_hash: String,
    /// How many pods the new version has before the switch, if not all.
    pub preview_replicas: Option<u32>,
    /// How long the old version's pods stand after the switch.
    pub scale_down_delay: SignedDuration,
    /// How long the new version's pods stand after an abort; `None` for ever.
    pub abort_scale_down_delay: Option<SignedDuration>,
    pub pre_promotion_analysis: bool,
    pub post_promotion_analysis: bool,
}

impl BlueGreen {
    /// All users are on one version, so that the weight of the newest is all or nothing.
    pub(super) fn weights(&self, rollout: &Rollout) -> Option<Weights> {
        if self.active_hash.is_empty() {
            return None;
        }
        let share = if self.active_hash == rollout.current_hash {
            1000
        } else {
            0
        };
        Some(Weights {
            desired: share,
            set: share,
            observed: Some(share),
        })
    }

    /// Whether the active service serves the newest version.
    pub(super) fn is_switched(&self, rollout: &Rollout) -> bool {
        !self.active_hash.is_empty() && self.active_hash == rollout.current_hash
    }

    fn preview(&self) -> Option<&str> {
        self.preview_service.as_deref()
    }

    /// Which service serves which revision now: `active service api serves revision 1, preview
    /// service api-preview serves revision 2`.
    #[must_use]
    pub fn describe(&self, rollout: &Rollout, related: Option<&Related>) -> String {
        let name = |hash: &str| revision(rollout, related, hash);
        let serves = |word: &str, service: &str, hash: &str| {
            if hash.is_empty() {
                format!("{word} service {service} serves no revision yet")
            } else {
                format!("{word} service {service} serves {}", name(hash))
            }
        };
        let mut out = serves("active", &self.active_service, &self.active_hash);
        if let Some(preview) = self.preview() {
            out.push_str(", ");
            out.push_str(&serves("preview", preview, &self.preview_hash));
        }
        for set in related
            .into_iter()
            .flat_map(|related| &related.replica_sets)
        {
            if let (Some(at), true) = (set.scale_down_at, set.desired > 0) {
                out.push_str(", pods of ");
                out.push_str(&name(&set.hash));
                out.push_str(" stand until ");
                out.push_str(&at.to_string());
            }
        }
        out
    }

    /// What the switch to the newest version does; `when` says what comes before it.
    pub(super) fn describe_switch(
        &self,
        rollout: &Rollout,
        related: Option<&Related>,
        when: &str,
        judged: bool,
    ) -> String {
        let (old, new) = (
            revision(rollout, related, &self.active_hash),
            revision(rollout, related, &rollout.current_hash),
        );
        let preview = self
            .preview()
            .map(|preview| format!("; preview service {preview} serves {new} too"))
            .unwrap_or_default();
        let after = if judged && self.post_promotion_analysis {
            "; the post-promotion analysis then decides whether it stays"
        } else {
            ""
        };
        format!(
            "active service {} switches from {old} to {new}{when}{preview}{after}; {}",
            self.active_service,
            self.describe_old_pods(&old)
        )
    }

    fn describe_old_pods(&self, old: &str) -> String {
        if self.scale_down_delay.is_zero() {
            return format!("the pods of {old} go at once");
        }
        format!(
            "the pods of {old} stand for {}, and until then going back is instant",
            short(self.scale_down_delay)
        )
    }

    pub(super) fn describe_abort(&self, rollout: &Rollout, related: Option<&Related>) -> String {
        let name = |hash: &str| revision(rollout, related, hash);
        let (stable, new) = (name(&rollout.stable_hash), name(&rollout.current_hash));
        let service = if self.active_hash == rollout.stable_hash {
            format!("active service {} stays on {stable}", self.active_service)
        } else {
            format!(
                "active service {} switches back from {} to {stable}",
                self.active_service,
                name(&self.active_hash)
            )
        };
        let preview = self
            .preview()
            .map(|preview| format!("; preview service {preview} stays on {new}"))
            .unwrap_or_default();
        let pods = self.abort_scale_down_delay.map_or_else(
            || format!("the pods of {new} stay"),
            |delay| format!("the pods of {new} stand for {}", short(delay)),
        );
        format!("{service}{preview}; {pods}")
    }

    /// What becomes of a version that is begun (`new`), up to where it comes to rest.
    pub(super) fn describe_start(
        &self,
        rollout: &Rollout,
        related: Option<&Related>,
        new: &str,
    ) -> String {
        let active = revision(rollout, related, &self.active_hash);
        let preview = self.preview().map_or_else(
            || "its pods start beside the others".to_owned(),
            |preview| format!("preview service {preview} serves {new}"),
        );
        let analysis = if self.pre_promotion_analysis {
            " and the pre-promotion analysis passes"
        } else {
            ""
        };
        let service = &self.active_service;
        match (self.auto_promotion_after, self.auto_promotion) {
            (Some(after), _) => format!(
                "{preview}; active service {service} stays on {active} until a promotion, or for {} \
                    after its pods are ready{analysis}",
                short(after)
            ),
            (None, true) => format!(
                "{preview}; active service {service} switches to it once its pods are \
                    ready{analysis}"
            ),
            (None, false) => {
                format!("{preview}; active service {service} stays on {active} until a promotion")
            }
        }
    }
}

/// A version by its revision, where that is known.
pub(super) fn revision(rollout: &Rollout, related: Option<&Related>, hash: &str) -> String {
    let number = related
        .and_then(|related| related.revision_of(hash))
        .or_else(|| rollout.revision.filter(|_| hash == rollout.current_hash));
    match number {
        Some(number) => format!("revision {number}"),
        None if hash == rollout.stable_hash => "the stable version".to_owned(),
        None if hash == rollout.current_hash => "the newest version".to_owned(),
        None => format!("version {hash}"),
    }
}
