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
        if ask.protected && ask.deed == Action::DlqPurge {
            return Err(PolicyRefusal::NeverHere {
                deed: ask.deed,
                env: ask.env.to_owned(),
            });
        }
        let needs = self.permitted(ask)?;
        let despite_freeze = thawed(ask)?;
        entitled(ask, needs)?;
        reasoned(ask)?;
        self.approved(ask)?;
        Ok(despite_freeze)
    }

    /// The duty it needs by the rules, if they permit it. A deny beats an allow; the mildest allow
    /// counts.
    fn permitted(&self, ask: &AccessRequest<'_>) -> Result<AccessLevel, PolicyRefusal> {
        let refused = |rule| PolicyRefusal::NotAllowed {
            who: ask.who.to_owned(),
            deed: ask.deed,
            env: ask.env.to_owned(),
            rule,
        };
        let applies = |who: &[String], what: &[String], places: &[String]| {
            self.names(who, ask.who) && covers(what, places, ask.deed, ask.env)
        };
        let file = self.file();
        if let Some(place) = file
            .deny
            .iter()
            .position(|rule| applies(&rule.who, &rule.what, &rule.places))
        {
            return Err(refused(Some(name("deny", place))));
        }
        if file.allow.is_empty() {
            return Ok(ask.deed.needs());
        }
        let allowed = file
            .allow
            .iter()
            .filter(|rule| applies(&rule.who, &rule.what, &rule.places));
        let duty = allowed
            .map(|rule| rule.duty.unwrap_or_default())
            .min()
            .ok_or_else(|| refused(None))?;
        Ok(duty.max(ask.deed.needs()))
    }

    fn approved(&self, ask: &AccessRequest<'_>) -> Result<(), PolicyRefusal> {
        let Some((needed, above, rule)) = self.second_person(ask) else {
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
            deed: ask.deed,
            env: ask.env.to_owned(),
            needed,
            have,
            above,
            rule,
        })
    }

    /// Of the `[[four_eyes]]` whose limit is passed the one that asks for the most approvals: how
    /// many, the limit, its name.
    fn second_person(&self, ask: &AccessRequest<'_>) -> Option<(u32, Above, String)> {
        let all = self.file().four_eyes.iter().enumerate();
        let rules: Vec<(usize, &FourEyes)> = all
            .filter(|(_, rule)| covers(&rule.what, &rule.places, ask.deed, ask.env))
            .collect();
        let limit_in_currency = rules.iter().any(|(_, rule)| {
            rule.currency.is_some() && rule.currency == ask.amount.map(Money::currency)
        });
        let passed = rules.iter().filter_map(|(place, rule)| {
            Some((
                rule.approvals,
                passed(rule, ask, limit_in_currency)?,
                name("four_eyes", *place),
            ))
        });
        // Of equals the first.
        passed.reduce(|most, next| if next.0 > most.0 { next } else { most })
    }
}

/// The limit of a rule that is passed, if one is. What is not known passes any limit.
fn passed(rule: &FourEyes, ask: &AccessRequest<'_>, limit_in_currency: bool) -> Option<Above> {
    let count = rule
        .above
        .filter(|above| ask.count.is_none_or(|count| count > *above))
        .map(Above::Count);
    let money = rule
        .above_minor
        .zip(rule.currency)
        .and_then(|(minor, currency)| match ask.amount {
            None => ask.deed.pays().then_some(Above::Amount { minor, currency }),
            Some(amount) if amount.currency() == currency => u64::try_from(amount.minor())
                .is_ok_and(|asked| asked > minor)
                .then_some(Above::Amount { minor, currency }),
            Some(amount) => (!limit_in_currency).then_some(Above::NoLimitIn(amount.currency())),
        });
    let always = (rule.above.is_none() && rule.above_minor.is_none()).then_some(Above::Always);
    count.or(money).or(always)
}

/// Whether it is done in spite of a freeze; an error when the freeze stops it.
fn thawed(ask: &AccessRequest<'_>) -> Result<bool, PolicyRefusal> {
    let Some(freeze) = ask.freeze.filter(|freeze| freeze.active(ask.now)) else {
        return Ok(false);
    };
    if !ask.deed.stops_in_a_freeze() {
        return Ok(false);
    }
    if ask.acts_with() == AccessLevel::BreakGlass {
        return Ok(true);
    }
    Err(PolicyRefusal::Frozen {
        env: ask.env.to_owned(),
        by: freeze.by.clone(),
        reason: freeze.reason.clone(),
        since: freeze.since,
        until: freeze.until,
    })
}

fn entitled(ask: &AccessRequest<'_>, needs: AccessLevel) -> Result<(), PolicyRefusal> {
    let has = ask.acts_with();
    if has >= needs {
        return Ok(());
    }
    let env = ask.env.to_owned();
    let ended = ask
        .own_elevation()
        .filter(|elevation| elevation.duty >= needs);
    Err(match ended {
        Some(elevation) => PolicyRefusal::ElevationEnded {
            env,
            needs,
            at: elevation.ends_at(),
        },
        None => PolicyRefusal::NotElevated {
            deed: ask.deed,
            env,
            needs,
            has,
        },
    })
}

/// A reason that is given must be fit for the record, needed or not.
fn reasoned(ask: &AccessRequest<'_>) -> Result<(), PolicyRefusal> {
    let given = ask.reason.filter(|reason| !reason.trim().is_empty());
    let needed = ask.deed.always_needs_a_reason() || (ask.protected && ask.deed.writes());
    let elevation = || ask.elevated().map(|elevation| elevation.reason.as_str());
    let problem = match given.or_else(elevation) {
        Some(reason) => parse_reason(reason).err(),
        None => needed.then_some(ReasonError::Blank),
    };
    problem.map_or(Ok(()), |problem| {
        Err(PolicyRefusal::NeedsReason { problem })
    })
}
