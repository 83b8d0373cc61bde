//! The search box: its grammar, and what a query means.
//!
//! Words are joined by AND. `field:value` asks one field, `-` before a clause turns it round,
//! `"…"` keeps spaces, `a..b` and `>a` are ranges. A bare word is tried against everything it
//! could be: id, e-mail address, reference, last four digits, amount.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::doc::PaymentDoc;
use super::money::Currency;
use super::payment::Status;
use crate::Timestamp;

/// The fields that `field:value` knows, with what each takes.
pub const FIELDS: [(&str, &str); 12] = [
    ("id", "a payment ID, or its start"),
    ("email", "an e-mail address, or its start"),
    ("last4", "the card's last four digits"),
    ("reference", "a reference, or its start"),
    (
        "status",
        "processing, completed, failed, canceled, review, partially_refunded, refunded",
    ),
    (
        "amount",
        "minor units (1250) or with decimals (12.50); 10..20, >10",
    ),
    ("currency", "an ISO 4217 code"),
    ("merchant", "a merchant's id"),
    (
        "created",
        "a date, today, yesterday, 7d; 2026-11-01..2026-11-22, >2026-11-01",
    ),
    ("failure", "a failure code"),
    (
        "dead",
        "true or false: whether its message is a dead letter",
    ),
    ("live", "true or false"),
];

/// One thing that a document either is or is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    Id(String),
    /// The address starts so, without regard to case.
    Email(String),
    Last4(String),
    /// The reference starts so, without regard to case.
    Reference(String),
    Status(Status),
    /// The amount in minor units is within.
    Amount {
        min: i64,
        max: i64,
    },
    Currency(Currency),
    Merchant(String),
    /// Accepted at or after `from` and before `to`.
    Created {
        from: Timestamp,
        to: Timestamp,
    },
    Failure(String),
    /// Lies in a dead-letter queue, or does not.
    Dead(bool),
    /// Moves real money, or does not.
    Live(bool),
    Any(Vec<Term>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Whether the term must not hold.
    pub negated: bool,
    pub term: Term,
}

/// A query: every clause must hold. An empty one holds for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchQuery {
    pub clauses: Vec<Clause>,
}

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A field that there is not.
    #[error("unknown field `{field}`; fields are {known}")]
    Field { field: String, known: String },
    /// A value that the field does not take.
    #[error("`{field}` expects {takes}")]
    Value {
        field: &'static str,
        takes: &'static str,
    },
    /// A quotation mark without its partner.
    #[error("unclosed quotation mark")]
    Quote,
}

impl SearchQuery {
    /// Reads a query; `now` gives "today" its meaning (UTC).
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, QueryError> {
        let words = split_words(text)?;
        let clauses = words
            .into_iter()
            .map(|word| parse_clause(&word, now))
            .collect::<Result<_, _>>()?;
        Ok(Self { clauses })
    }

    /// Whether `doc` is what the query asks for.
    #[must_use]
    pub fn matches(&self, doc: &PaymentDoc) -> bool {
        self.clauses
            .iter()
            .all(|clause| clause.term.matches(doc) != clause.negated)
    }
}

impl Term {
    /// Whether the term holds for `doc`.
    #[must_use]
    pub fn matches(&self, doc: &PaymentDoc) -> bool {
        let starts =
            |held: &str, start: &str| held.to_lowercase().starts_with(&start.to_lowercase());
        match self {
            Self::Id(start) => doc.id.as_str().starts_with(start.as_str()),
            Self::Email(start) => starts(&doc.email, start),
            Self::Last4(last4) => doc.last4.as_ref() == Some(last4),
            Self::Reference(start) => doc
                .reference
                .as_ref()
                .is_some_and(|reference| starts(reference, start)),
            Self::Status(status) => doc.status == *status,
            Self::Amount { min, max } => (*min..=*max).contains(&doc.amount_minor),
            Self::Currency(currency) => doc.currency == *currency,
            Self::Merchant(merchant) => doc.merchant.as_str() == merchant,
            Self::Created { from, to } => doc.created_at >= *from && doc.created_at < *to,
            Self::Failure(code) => doc.failure.as_ref() == Some(code),
            Self::Dead(dead) => doc.dead == *dead,
            Self::Live(live) => doc.live == *live,
            Self::Any(terms) => terms.iter().any(|term| term.matches(doc)),
        }
    }
}

/// A word, and the byte offset of its first colon that stands outside quotes.
struct Word {
    text: String,
    colon: Option<usize>,
}

fn split_words(text: &str) -> Result<Vec<Word>, QueryError> {
    let mut out = Vec::new();
    let mut word: Option<Word> = None;
    let mut quoted = false;
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
            word.get_or_insert(Word {
                text: String::new(),
                colon: None,
            });
        } else if c.is_whitespace() && !quoted {
            out.extend(word.take());
        } else {
            let word = word.get_or_insert(Word {
                text: String::new(),
                colon: None,
            });
            if c == ':' && !quoted && word.colon.is_none() {
                word.colon = Some(word.text.len());
            }
            word.text.push(c);
        }
    }
    if quoted {
        return Err(QueryError::Quote);
    }
    out.extend(word);
    out.retain(|word| !word.text.is_empty());
    Ok(out)
}

fn parse_clause(word: &Word, now: Timestamp) -> Result<Clause, QueryError> {
    let negated = word.text.len() > 1 && word.text.starts_with('-');
    let skip = usize::from(negated);
    let body = word.text.get(skip..).unwrap_or_default();
    let colon = word.colon.and_then(|colon| colon.checked_sub(skip));
    let term = match colon.and_then(|colon| body.split_at_checked(colon)) {
        Some((field, value)) => field_term(field, value.strip_prefix(':').unwrap_or(value), now)?,
        None => parse_bare_word(body),
    };
    Ok(Clause { negated, term })
}

fn parse_bare_word(word: &str) -> Term {
    let mut any = vec![
        Term::Email(word.to_owned()),
        Term::Reference(word.to_owned()),
    ];
    if word.starts_with("pay_") {
        any.push(Term::Id(word.to_owned()));
    }
    if word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()) {
        any.push(Term::Last4(word.to_owned()));
    }
    if let Some(minor) = minor(word) {
        any.push(Term::Amount {
            min: minor,
            max: minor,
        });
    }
    Term::Any(any)
}

fn field_term(field: &str, value: &str, now: Timestamp) -> Result<Term, QueryError> {
    let known = FIELDS.into_iter().find(|(name, _)| *name == field);
    let Some((field, takes)) = known else {
        let known = FIELDS.map(|(name, _)| name).join(", ");
        return Err(QueryError::Field {
            field: field.chars().take(40).collect(),
            known,
        });
    };
    let error = QueryError::Value { field, takes };
    if value.is_empty() {
        return Err(error);
    }
    let flag = || value.parse::<bool>().map_err(|_| error.clone());
    Ok(match field {
        "id" => Term::Id(value.to_owned()),
        "email" => Term::Email(value.to_owned()),
        "last4" if value.len() == 4 && value.bytes().all(|b| b.is_ascii_digit()) => {
            Term::Last4(value.to_owned())
        }
        "reference" => Term::Reference(value.to_owned()),
        "status" => Term::Status(Status::from_name(value).ok_or(error)?),
        "amount" => amount(value).ok_or(error)?,
        "currency" => Term::Currency(value.to_uppercase().parse().map_err(|_| error)?),
        "merchant" => Term::Merchant(value.to_owned()),
        "created" => parse_created(value, now).ok_or(error)?,
        "failure" => Term::Failure(value.to_owned()),
        "dead" => Term::Dead(flag()?),
        "live" => Term::Live(flag()?),
        _ => return Err(error),
    })
}

/// `1250` as it stands, `12.50` without its point: the decimals are those of the currency.
fn minor(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    format!("{whole}{fraction}").parse().ok()
}

fn amount(value: &str) -> Option<Term> {
    let (min, max) = match parse_bounds(value) {
        Bounds::Between(low, high) => (
            low.map_or(Some(0), minor)?,
            high.map_or(Some(i64::MAX), minor)?,
        ),
        Bounds::Over { from, inclusive } => {
            (minor(from)?.checked_add(i64::from(!inclusive))?, i64::MAX)
        }
        Bounds::Under { to, inclusive } => (0, minor(to)?.checked_sub(i64::from(!inclusive))?),
        Bounds::Exactly(value) => (minor(value)?, minor(value)?),
    };
    Some(Term::Amount { min, max })
}

fn parse_created(value: &str, now: Timestamp) -> Option<Term> {
    let (from, to) = match parse_bounds(value) {
        Bounds::Between(low, high) => (
            low.map_or(Some(Timestamp::MIN), |low| Some(moment(low, now)?.0))?,
            high.map_or(Some(Timestamp::MAX), |high| Some(moment(high, now)?.1))?,
        ),
        Bounds::Over { from, inclusive } => {
            let (start, end) = moment(from, now)?;
            (if inclusive { start } else { end }, Timestamp::MAX)
        }
        Bounds::Under { to, inclusive } => {
            let (start, end) = moment(to, now)?;
            (Timestamp::MIN, if inclusive { end } else { start })
        }
        Bounds::Exactly(value) => moment(value, now)?,
    };
    Some(Term::Created { from, to })
}

enum Bounds<'a> {
    Between(Option<&'a str>, Option<&'a str>),
    Over { from: &'a str, inclusive: bool },
    Under { to: &'a str, inclusive: bool },
    Exactly(&'a str),
}

fn parse_bounds(value: &str) -> Bounds<'_> {
    let some = |text: &'static str| move |value: &str| value.starts_with(text);
    let rest = |count: usize| value.get(count..).unwrap_or_default();
    if let Some((low, high)) = value.split_once("..") {
        let side = |text| Some(text).filter(|text: &&str| !text.is_empty());
        Bounds::Between(side(low), side(high))
    } else if some(">=")(value) {
        Bounds::Over {
            from: rest(2),
            inclusive: true,
        }
    } else if some(">")(value) {
        Bounds::Over {
            from: rest(1),
            inclusive: false,
        }
    } else if some("<=")(value) {
        Bounds::Under {
            to: rest(2),
            inclusive: true,
        }
    } else if some("<")(value) {
        Bounds::Under {
            to: rest(1),
            inclusive: false,
        }
    } else {
        Bounds::Exactly(value)
    }
}

/// The span of time that a word names: a day, the last so many days, hours or minutes, or an
/// instant.
fn moment(word: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let today = now.to_zoned(TimeZone::UTC).date();
    match word {
        "today" => return day(today),
        "yesterday" => return day(today.yesterday().ok()?),
        _ => {}
    }
    if let Ok(date) = word.parse::<Date>()
        && word.len() == 10
    {
        return day(date);
    }
    if let Ok(at) = word.parse::<Timestamp>() {
        return Some((
            at,
            at.checked_add(jiff::SignedDuration::from_millis(1)).ok()?,
        ));
    }
    let unit = word.chars().last()?;
    let count: i64 = word
        .strip_suffix(unit)?
        .parse()
        .ok()
        .filter(|count| *count > 0)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let span = jiff::SignedDuration::from_secs(count.checked_mul(seconds)?);
    Some((now.checked_sub(span).ok()?, Timestamp::MAX))
}

fn day(date: Date) -> Option<(Timestamp, Timestamp)> {
    let start = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T15:00:00Z".parse().expect("a time")
    }

    #[track_caller]
    fn check(text: &str, expected: &[(bool, Term)]) {
        let query = SearchQuery::parse(text, now()).expect("a query");
        let clauses: Vec<_> = query
            .clauses
            .into_iter()
            .map(|clause| (clause.negated, clause.term))
            .collect();
        assert_eq!(clauses, expected, "{text}");
    }

    #[test]
    fn fields_negation_and_quotes() {
        check("status:failed", &[(false, Term::Status(Status::Failed))]);
        check("-status:failed", &[(true, Term::Status(Status::Failed))]);
        check(
            "reference:\"INV 1\"",
            &[(false, Term::Reference("INV 1".into()))],
        );
        check("  ", &[]);
    }

    #[test]
    fn amounts_and_ranges() {
        check(
            "amount:12.50",
            &[(
                false,
                Term::Amount {
                    min: 1250,
                    max: 1250,
                },
            )],
        );
        check(
            "amount:10..20",
            &[(false, Term::Amount { min: 10, max: 20 })],
        );
        check(
            "amount:>10",
            &[(
                false,
                Term::Amount {
                    min: 11,
                    max: i64::MAX,
                },
            )],
        );
        check("amount:<=10", &[(false, Term::Amount { min: 0, max: 10 })]);
    }

    #[test]
    fn days_are_utc() {
        let t = |text: &str| text.parse::<Timestamp>().expect("a time");
        check(
            "created:yesterday",
            &[(
                false,
                Term::Created {
                    from: t("2026-11-21T00:00:00Z"),
                    to: t("2026-11-22T00:00:00Z"),
                },
            )],
        );
        check(
            "created:2026-11-01..2026-11-02",
            &[(
                false,
                Term::Created {
                    from: t("2026-11-01T00:00:00Z"),
                    to: t("2026-11-03T00:00:00Z"),
                },
            )],
        );
        check(
            "created:2h",
            &[(
                false,
                Term::Created {
                    from: t("2026-11-22T13:00:00Z"),
                    to: Timestamp::MAX,
                },
            )],
        );
    }

    #[test]
    fn a_bare_word_is_tried_as_everything_it_could_be() {
        let any = vec![
            Term::Email("4242".into()),
            Term::Reference("4242".into()),
            Term::Last4("4242".into()),
            Term::Amount {
                min: 4242,
                max: 4242,
            },
        ];
        check("4242", &[(false, Term::Any(any))]);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| {
            SearchQuery::parse(text, now())
                .expect_err("refused")
                .to_string()
        };
        assert!(error("colour:red").contains("fields are id, email"));
        assert!(error("status:done").contains("processing, completed"));
        assert!(error("amount:x").contains("minor units"));
        assert!(error("\"a").contains("quotation"));
        assert!(error("created:32d..x").contains("created"));
    }
}
