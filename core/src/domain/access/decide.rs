//! The decision. What never changes comes first, what the asker can mend at once comes last, so
//! that nobody is sent to elevate for what is denied or frozen anyway.

use super::approval::approvers;
use super::rules::{covers, name};
use super::{
    Above, AccessLevel, AccessRequest, Action, FourEyes, PolicyDecision, PolicyRefusal,
    PolicyRules, ReasonError, parse_reason,
};
use crate::domain::money::Money;

impl PolicyRules {
    #[must_use]
    pub fn decide(&self, ask: &AccessRequest<'_>) -> PolicyDecision {
        match self.judge(ask) {
            Ok(despite_freeze) => PolicyDecision::Allowed { despite_freeze },
            Err(refusal) => PolicyDecision::Refused(refusal),
        }
    }

    fn judge(&self, ask: &AccessRequest<'_>) -> Result<bool, PolicyRefusal> {
        if ask.protected && ask.action == Action::QueuePurge {
            return Err(PolicyRefusal::NeverHere {
                action: ask.action,
                env: ask.env.to_owned(),
            });
        }
        let needs = self.find_required_level(ask)?;
        let despite_freeze = check_freeze(ask)?;
        check_level(ask, needs)?;
        check_reason(ask)?;
        self.check_approvals(ask)?;
        Ok(despite_freeze)
    }

    /// The level it needs by the rules, if they permit it. A deny beats an allow; the mildest allow
    /// counts.
    fn find_required_level(&self, ask: &AccessRequest<'_>) -> Result<AccessLevel, PolicyRefusal> {
        let refused = |rule| PolicyRefusal::NotAllowed {
            who: ask.who.to_owned(),
            action: ask.action,
            env: ask.env.to_owned(),
            rule,
        };
        let judged = ask.action.judged_as();
        let applies = |who: &[String], what: &[String], places: &[String]| {
            let is_about = |action| covers(what, places, action, ask.env);
            self.names(who, ask.who) && (is_about(ask.action) || judged.is_some_and(is_about))
        };
        let file = self.file();
        if let Some(place) = file
            .deny
            .iter()
            .position(|rule| applies(&rule.who, &rule.what, &rule.places))
        {
            return Err(refused(Some(name("deny", place))));
        }
        if file.allow.is_empty() || judged.is_none() {
            return Ok(ask.action.needs());
        }
        let allowed = file
            .allow
            .iter()
            .filter(|rule| applies(&rule.who, &rule.what, &rule.places));
        let level = allowed
            .map(|rule| rule.level.unwrap_or_default())
            .min()
            .ok_or_else(|| refused(None))?;
        // Who approves needs no more than to be allowed the act itself.
        let asked = if judged == Some(ask.action) {
            level
        } else {
            AccessLevel::View
        };
        Ok(asked.max(ask.action.needs()))
    }

    fn check_approvals(&self, ask: &AccessRequest<'_>) -> Result<(), PolicyRefusal> {
        let Some((needed, above, rule)) = self.find_four_eyes_rule(ask) else {
            return Ok(());
        };
        let have = ask
            .plan_sha256
            .map_or(0, |plan| approvers(ask.approvals, ask.who, plan, ask.now));
        let have = u32::try_from(have).unwrap_or(u32::MAX);
        if have >= needed {
            return Ok(());
        }
        Err(PolicyRefusal::NeedsApproval {
            action: ask.action,
            env: ask.env.to_owned(),
            needed,
            have,
            above,
            rule,
        })
    }

    /// Of the `[[four_eyes]]` whose limit is passed the one that asks for the most approvals: how
    /// many, the limit, its name.
    fn find_four_eyes_rule(&self, ask: &AccessRequest<'_>) -> Option<(u32, Above, String)> {
        if ask.action.judged_as() != Some(ask.action) {
            return None;
        }
        let all = self.file().four_eyes.iter().enumerate();
        let rules: Vec<(usize, &FourEyes)> = all
            .filter(|(_, rule)| covers(&rule.what, &rule.places, ask.action, ask.env))
            .collect();
        let limit_in_currency = rules.iter().any(|(_, rule)| {
            rule.currency.is_some() && rule.currency == ask.amount.map(Money::currency)
        });
        let passed = rules.iter().filter_map(|(place, rule)| {
            Some((
                rule.approvals,
                find_exceeded_limit(rule, ask, limit_in_currency)?,
                name("four_eyes", *place),
            ))
        });
        // Of equals the first.
        passed.reduce(|most, next| if next.0 > most.0 { next } else { most })
    }
}

/// The limit of a rule that is passed, if one is. What is not known passes any limit.
fn find_exceeded_limit(
    rule: &FourEyes,
    ask: &AccessRequest<'_>,
    limit_in_currency: bool,
) -> Option<Above> {
    let count = rule
        .above
        .filter(|above| ask.count.is_none_or(|count| count > *above))
        .map(Above::Count);
    let money = rule
        .above_minor
        .zip(rule.currency)
        .and_then(|(minor, currency)| match ask.amount {
            None => ask
                .action
                .pays()
                .then_some(Above::Amount { minor, currency }),
            Some(amount) if amount.currency() == currency => u64::try_from(amount.minor())
                .is_ok_and(|asked| asked > minor)
                .then_some(Above::Amount { minor, currency }),
            Some(amount) => (!limit_in_currency).then_some(Above::NoLimitIn(amount.currency())),
        });
    let always = (rule.above.is_none() && rule.above_minor.is_none()).then_some(Above::Always);
    count.or(money).or(always)
}

/// Whether it is done in spite of a freeze; an error when the freeze stops it.
fn check_freeze(ask: &AccessRequest<'_>) -> Result<bool, PolicyRefusal> {
    let Some(freeze) = ask.freeze.filter(|freeze| freeze.is_active(ask.now)) else {
        return Ok(false);
    };
    if !ask.action.stops_in_a_freeze() {
        return Ok(false);
    }
    if ask.current_level() == AccessLevel::BreakGlass {
        return Ok(true);
    }
    Err(if ask.action == Action::FreezeSet {
        PolicyRefusal::AlreadyFrozen {
            env: ask.env.to_owned(),
            by: freeze.by.clone(),
            reason: freeze.reason.clone(),
            since: freeze.since,
        }
    } else {
        PolicyRefusal::frozen(ask.env, freeze)
    })
}

fn check_level(ask: &AccessRequest<'_>, needs: AccessLevel) -> Result<(), PolicyRefusal> {
    let has = ask.current_level();
    if has >= needs {
        return Ok(());
    }
    let env = ask.env.to_owned();
    let ended = ask
        .own_elevation()
        .filter(|elevation| elevation.level >= needs);
    Err(match ended {
        Some(elevation) => PolicyRefusal::ElevationEnded {
            env,
            needs,
            at: elevation.ends_at(),
        },
        None => PolicyRefusal::NotElevated {
            action: ask.action,
            env,
            needs,
            has,
        },
    })
}

/// A reason that is given must be fit for the record, needed or not.
fn check_reason(ask: &AccessRequest<'_>) -> Result<(), PolicyRefusal> {
    let given = ask.reason.filter(|reason| !reason.trim().is_empty());
    let needed = ask.action.always_needs_a_reason() || (ask.protected && ask.action.writes());
    let elevation = || {
        ask.active_elevation()
            .map(|elevation| elevation.reason.as_str())
    };
    let problem = match given.or_else(elevation) {
        Some(reason) => parse_reason(reason).err(),
        None => needed.then_some(ReasonError::Blank),
    };
    problem.map_or(Ok(()), |problem| {
        Err(PolicyRefusal::NeedsReason { problem })
    })
}
