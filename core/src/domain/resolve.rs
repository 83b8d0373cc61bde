//! A payment in review: what an operator says of it is weighed against what the provider says.
//!
//! An operator's word counts where the provider cannot be asked, and never against a charge that
//! the provider lists: money that was taken is given back by a refund, not by calling it failed.

use serde_json::json;

use super::id::PaymentId;
use super::pan::contains_card_number;
use super::payment::{Charge, Payment};
use super::reconcile::ProviderEntry;
use super::request::BadRequest;
use super::sha256_hex;
use super::text::check_printable;
use crate::Timestamp;

const REASON_BYTES_MAX: usize = 500;
/// Longest name of a charge, in bytes.
const CHARGE_ID_BYTES_MAX: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    Charged {
        /// The provider's name for the charge; needed where the provider does not tell it.
        charge_id: Option<String>,
    },
    /// The provider took nothing, and will not.
    NotCharged,
}

/// A request to bring a payment in review to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvePayment {
    pub settlement: Settlement,
    pub reason: String,
    /// Whether the operator's word stands for a charge that the provider does not list, or
    /// cannot be asked about.
    pub force: bool,
}

impl ResolvePayment {
    pub fn new(settlement: Settlement, reason: &str, force: bool) -> Result<Self, BadRequest> {
        let bad = |param: &str, why: String| BadRequest {
            code: if param == "reason" {
                "invalid_reason"
            } else {
                "invalid_charge_id"
            },
            message: format!("`{param}` {why}"),
            param: Some(param.to_owned()),
        };
        let check = |param: &str, text: &str, max: usize| {
            check_printable(text, max).map_err(|error| bad(param, error.to_string()))?;
            if contains_card_number(text) {
                Err(bad(
                    param,
                    "contains what looks like a card number".to_owned(),
                ))
            } else {
                Ok(())
            }
        };
        check("reason", reason.trim(), REASON_BYTES_MAX)?;
        if let Settlement::Charged {
            charge_id: Some(id),
        } = &settlement
        {
            check("charge_id", id, CHARGE_ID_BYTES_MAX)?;
            if id.contains(char::is_whitespace) {
                return Err(bad("charge_id", "contains spaces".to_owned()));
            }
        }
        Ok(Self {
            settlement,
            reason: reason.trim().to_owned(),
            force,
        })
    }

    /// Names what was asked for: the same request under the same key has the same fingerprint.
    #[must_use]
    pub fn fingerprint(&self, payment: &PaymentId) -> String {
        let (word, charge) = match &self.settlement {
            Settlement::Charged { charge_id } => ("charged", charge_id.as_deref()),
            Settlement::NotCharged => ("not_charged", None),
        };
        sha256_hex(
            json!({"payment": payment, "as": word, "charge": charge, "reason": self.reason})
                .to_string()
                .as_bytes(),
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderAnswer {
    /// It is not asked from here.
    NotAsked,
    /// It does not answer, or has not settled a charge.
    NoAnswer(String),
    Charges {
        /// The first of them, in full.
        first: Option<Charge>,
        all: Vec<ProviderEntry>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveOutcome {
    Charged(Charge),
    NotCharged,
}

impl ResolveOutcome {
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Charged(_) => "charged",
            Self::NotCharged => "not_charged",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    Provider,
    Operator,
}

impl Basis {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Operator => "operator",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    pub outcome: ResolveOutcome,
    pub basis: Basis,
}

/// Why an operator's word is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    #[error("the provider lists {charges}, so the money was taken")]
    Charged { charges: String },
    #[error("the provider lists no charge for it")]
    NoCharge,
    #[error("the provider lists {charges}, not the charge that you named")]
    OtherCharge { charges: String },
    /// It was charged more than once, and none was named.
    #[error("it was charged more than once: {charges}")]
    Several { charges: String },
    #[error("the provider lists {charge}, but the payment is {payment}")]
    OtherAmount { charge: String, payment: String },
    /// Nobody named the charge, and the provider does not tell it.
    #[error("the charge ID at the provider is required")]
    NoChargeId,
    #[error("the provider gave no definite answer: {why}")]
    NoAnswer { why: String },
}

/// Whether the operator's word is taken at `now`, and on what it rests.
pub fn weigh(
    payment: &Payment,
    request: &ResolvePayment,
    said: ProviderAnswer,
    now: Timestamp,
) -> Result<Resolution, Contradiction> {
    let sure = |outcome| {
        Ok(Resolution {
            outcome,
            basis: Basis::Provider,
        })
    };
    let on_word = |charge_id: &Option<String>| {
        let id = charge_id.clone().ok_or(Contradiction::NoChargeId)?;
        Ok(Resolution {
            outcome: ResolveOutcome::Charged(Charge {
                id,
                card: None,
                at: now,
            }),
            basis: Basis::Operator,
        })
    };
    match (&request.settlement, said) {
        (Settlement::NotCharged, ProviderAnswer::NotAsked) => Ok(Resolution {
            outcome: ResolveOutcome::NotCharged,
            basis: Basis::Operator,
        }),
        // What is not known is never a failure, whoever says so: it is asked again later.
        (Settlement::NotCharged, ProviderAnswer::NoAnswer(why)) => {
            Err(Contradiction::NoAnswer { why })
        }
        (Settlement::NotCharged, ProviderAnswer::Charges { all, .. }) if all.is_empty() => {
            sure(ResolveOutcome::NotCharged)
        }
        (Settlement::NotCharged, ProviderAnswer::Charges { all, .. }) => {
            Err(Contradiction::Charged {
                charges: describe_charges(&all),
            })
        }
        (Settlement::Charged { charge_id }, ProviderAnswer::NotAsked) => on_word(charge_id),
        (Settlement::Charged { charge_id }, ProviderAnswer::NoAnswer(why)) => {
            if request.force {
                on_word(charge_id)
            } else {
                Err(Contradiction::NoAnswer { why })
            }
        }
        (Settlement::Charged { charge_id }, ProviderAnswer::Charges { all, .. })
            if all.is_empty() =>
        {
            if request.force {
                on_word(charge_id)
            } else {
                Err(Contradiction::NoCharge)
            }
        }
        (Settlement::Charged { charge_id }, ProviderAnswer::Charges { first, all }) => {
            let entry = find_named(charge_id.as_deref(), &all)?;
            if entry.minor != payment.money.minor()
                || entry.currency != payment.money.currency().code()
            {
                let charge = describe_charges(std::slice::from_ref(entry));
                return Err(Contradiction::OtherAmount {
                    charge,
                    payment: payment.money.to_string(),
                });
            }
            let bare = Charge {
                id: entry.id.clone(),
                card: None,
                at: now,
            };
            sure(ResolveOutcome::Charged(
                first.filter(|charge| charge.id == entry.id).unwrap_or(bare),
            ))
        }
    }
}

/// The charge that is meant, of those that the provider lists.
fn find_named<'a>(
    charge_id: Option<&str>,
    all: &'a [ProviderEntry],
) -> Result<&'a ProviderEntry, Contradiction> {
    match (charge_id, all) {
        (Some(id), all) => {
            all.iter()
                .find(|entry| entry.id == id)
                .ok_or_else(|| Contradiction::OtherCharge {
                    charges: describe_charges(all),
                })
        }
        (None, [one]) => Ok(one),
        (None, all) => Err(Contradiction::Several {
            charges: describe_charges(all),
        }),
    }
}

fn describe_charges(charges: &[ProviderEntry]) -> String {
    let one = |entry: &ProviderEntry| format!("charge {} of {}", entry.id, entry.amount());
    charges.iter().map(one).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::apikey::Caller;
    use crate::domain::limits::PaymentLimits;
    use crate::domain::request::CreatePayment;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn payment() -> Payment {
        let body = br#"{"amount":1250,"currency":"EUR","source":"tok_visa","customer":{"email":"a@example.com"}}"#;
        let request = CreatePayment::parse(body).expect("a request");
        let caller = Caller {
            merchant: "acme".parse().expect("a merchant"),
            live: true,
        };
        Payment::new_accepted(
            PaymentId::from_parts(1, 1),
            &caller,
            &request,
            NOW,
            &PaymentLimits::default(),
        )
        .0
    }

    fn entry(id: &str, minor: i64, currency: &str) -> ProviderEntry {
        ProviderEntry {
            id: id.to_owned(),
            minor,
            currency: currency.to_owned(),
        }
    }

    fn listed(all: &[ProviderEntry]) -> ProviderAnswer {
        let first = all.first().map(|entry| Charge {
            id: entry.id.clone(),
            card: None,
            at: NOW,
        });
        ProviderAnswer::Charges {
            first,
            all: all.to_vec(),
        }
    }

    fn judged(
        word: Settlement,
        force: bool,
        said: ProviderAnswer,
    ) -> Result<(&'static str, &'static str), Contradiction> {
        let request = ResolvePayment::new(word, "ticket 7", force).expect("a good request");
        weigh(&payment(), &request, said, NOW)
            .map(|found| (found.outcome.as_str(), found.basis.as_str()))
    }

    fn charged(id: Option<&str>) -> Settlement {
        Settlement::Charged {
            charge_id: id.map(str::to_owned),
        }
    }

    #[test]
    fn not_charged_never_stands_against_a_charge_or_a_doubt() {
        let one = [entry("ch_1", 1250, "EUR")];
        for force in [false, true] {
            let contradicted = judged(Settlement::NotCharged, force, listed(&one));
            assert_eq!(
                contradicted,
                Err(Contradiction::Charged {
                    charges: "charge ch_1 of 12.50 EUR".to_owned()
                })
            );
            let unclear = judged(
                Settlement::NotCharged,
                force,
                ProviderAnswer::NoAnswer("down".to_owned()),
            );
            assert_eq!(
                unclear,
                Err(Contradiction::NoAnswer {
                    why: "down".to_owned()
                })
            );
        }
        assert_eq!(
            judged(Settlement::NotCharged, false, listed(&[])),
            Ok(("not_charged", "provider"))
        );
        assert_eq!(
            judged(Settlement::NotCharged, false, ProviderAnswer::NotAsked),
            Ok(("not_charged", "operator"))
        );
    }

    #[test]
    fn charged_must_be_the_charge_that_the_provider_lists() {
        let one = [entry("ch_1", 1250, "EUR")];
        assert_eq!(
            judged(charged(None), false, listed(&one)),
            Ok(("charged", "provider"))
        );
        assert_eq!(
            judged(charged(Some("ch_1")), false, listed(&one)),
            Ok(("charged", "provider"))
        );
        for force in [false, true] {
            assert!(matches!(
                judged(charged(Some("ch_2")), force, listed(&one)),
                Err(Contradiction::OtherCharge { .. })
            ));
            for other in [entry("ch_1", 1249, "EUR"), entry("ch_1", 1250, "USD")] {
                assert!(matches!(
                    judged(charged(None), force, listed(&[other])),
                    Err(Contradiction::OtherAmount { .. })
                ));
            }
        }
        let two = [entry("ch_1", 1250, "EUR"), entry("ch_2", 1250, "EUR")];
        assert!(matches!(
            judged(charged(None), true, listed(&two)),
            Err(Contradiction::Several { .. })
        ));
        assert_eq!(
            judged(charged(Some("ch_2")), false, listed(&two)),
            Ok(("charged", "provider"))
        );
    }

    #[test]
    fn a_charge_that_the_provider_does_not_tell_of_needs_its_name_and_force() {
        let down = || ProviderAnswer::NoAnswer("down".to_owned());
        assert_eq!(
            judged(charged(Some("ch_1")), false, listed(&[])),
            Err(Contradiction::NoCharge)
        );
        assert!(matches!(
            judged(charged(Some("ch_1")), false, down()),
            Err(Contradiction::NoAnswer { .. })
        ));
        for said in [listed(&[]), down()] {
            assert_eq!(
                judged(charged(None), true, said.clone()),
                Err(Contradiction::NoChargeId)
            );
            assert_eq!(
                judged(charged(Some("ch_1")), true, said),
                Ok(("charged", "operator"))
            );
        }
        assert_eq!(
            judged(charged(None), false, ProviderAnswer::NotAsked),
            Err(Contradiction::NoChargeId)
        );
        assert_eq!(
            judged(charged(Some("ch_1")), false, ProviderAnswer::NotAsked),
            Ok(("charged", "operator"))
        );
    }

    #[test]
    fn no_card_number_gets_in() {
        let reason = ResolvePayment::new(Settlement::NotCharged, "card 4242424242424242", false)
            .expect_err("refused");
        assert_eq!(reason.param.as_deref(), Some("reason"));
        assert!(!reason.to_string().contains("4242"));
        for id in ["", "4242 4242 4242 4242", "ch 1", "ch\n1"] {
            assert!(
                ResolvePayment::new(charged(Some(id)), "x", false).is_err(),
                "{id:?}"
            );
        }
        assert!(
            ResolvePayment::new(Settlement::NotCharged, " ", false).is_err(),
            "a decision needs a reason"
        );
    }
}
