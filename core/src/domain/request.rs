//! Requests, parsed once: from bytes that anybody may have sent to values that are right.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::apikey::Caller;
use super::id::PaymentId;
use super::money::{Currency, Money, MoneyError};
use super::pan::contains_card_number;
use super::sha256_hex;
use super::text::{Email, Reference, Source, TextError, check_printable};
use crate::Timestamp;

/// The largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
pub const METADATA_MAX: usize = 50;
pub const METADATA_NAME_MAX: usize = 40;
pub const METADATA_VALUE_MAX: usize = 500;

/// Why a request is refused. Never quotes a value: it may be a card number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    pub code: &'static str,
    pub message: String,
    /// Which member is at fault, such as `customer.email`.
    pub param: Option<String>,
}

impl BadRequest {
    fn new(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: (!param.is_empty()).then(|| param.to_owned()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePayment {
    pub money: Money,
    pub source: Source,
    pub reference: Option<Reference>,
    pub email: Email,
    pub metadata: BTreeMap<String, String>,
}

/// A request for a refund: `None` is all that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRefund {
    /// How much, in minor units of the payment's currency.
    pub minor: Option<i64>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelPayment {
    pub reason: Option<String>,
}

impl CreatePayment {
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let mut members = Members::read(
            body,
            &[
                "amount",
                "currency",
                "source",
                "reference",
                "customer",
                "metadata",
            ],
        )?;
        let currency = members.text("currency")?;
        let currency: Currency = currency.parse().map_err(|error: MoneyError| {
            BadRequest::new("invalid_currency", "currency", error.to_string())
        })?;
        let minor = amount(&members.required("amount")?, "amount", Some(currency))?;
        let money = Money::new(minor, currency).map_err(|error| money_error(error, "amount"))?;
        let source = members.parse_member::<Source>("source", "invalid_source")?;
        let reference = members.optional_parsed::<Reference>("reference", "invalid_reference")?;
        let mut customer = Members::of(members.required("customer")?, "customer", &["email"])?;
        let email = customer.parse_member::<Email>("email", "invalid_email")?;
        let metadata = metadata(members.take("metadata"))?;
        Ok(Self {
            money,
            source,
            reference,
            email,
            metadata,
        })
    }

    /// Names what was asked for, whatever the spacing and order of the JSON was: the same
    /// request under the same key has the same fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        sha256_hex(self.canonical_members().to_string().as_bytes())
    }

    /// The document that is archived for the payment: everything that was asked for, and no
    /// card data, since only a token was. The same payment gives the same bytes.
    #[must_use]
    pub fn archive_document(&self, id: &PaymentId, caller: &Caller, at: Timestamp) -> String {
        let mut members = self.canonical_members();
        if let Some(members) = members.as_object_mut() {
            members.insert("schema".to_owned(), json!(1));
            members.insert("id".to_owned(), json!(id));
            members.insert("merchant".to_owned(), json!(caller.merchant));
            members.insert("live".to_owned(), json!(caller.live));
            members.insert("created_at".to_owned(), json!(at));
        }
        members.to_string()
    }

    fn canonical_members(&self) -> Value {
        json!({
            "amount": self.money.minor(), "currency": self.money.currency(), "source": self.source,
            "reference": self.reference, "customer": {"email": self.email},
            "metadata": self.metadata,
        })
    }
}

impl CreateRefund {
    /// Reads a request body; an empty one asks for all that is left.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let mut members = Members::read(
            if body.is_empty() { b"{}" } else { body },
            &["amount", "reason"],
        )?;
        let minor = match members.take("amount") {
            None => None,
            Some(value) => Some(amount(&value, "amount", None)?),
        };
        if minor.is_some_and(|minor| minor <= 0) {
            return Err(money_error(MoneyError::NotPositive, "amount"));
        }
        Ok(Self {
            minor,
            reason: members.take_sentence("reason")?,
        })
    }

    /// Names what was asked for; see [`CreatePayment::fingerprint`].
    #[must_use]
    pub fn fingerprint(&self, payment: &PaymentId) -> String {
        sha256_hex(
            json!({"payment": payment, "amount": self.minor, "reason": self.reason})
                .to_string()
                .as_bytes(),
        )
    }
}

impl CancelPayment {
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let mut members = Members::read(if body.is_empty() { b"{}" } else { body }, &["reason"])?;
        Ok(Self {
            reason: members.take_sentence("reason")?,
        })
    }

    /// Names what was asked for; see [`CreatePayment::fingerprint`].
    #[must_use]
    pub fn fingerprint(&self, payment: &PaymentId) -> String {
        sha256_hex(
            json!({"payment": payment, "reason": self.reason})
                .to_string()
                .as_bytes(),
        )
    }
}

fn amount(value: &Value, param: &str, currency: Option<Currency>) -> Result<i64, BadRequest> {
    let example = match currency {
        Some(currency) => {
            let exponent = currency.exponent();
            format!(
                "an integer in minor units ({currency} has {exponent} decimals, so 1250 is {})",
                super::money::major(1250, currency)
            )
        }
        None => "an integer in minor units of the payment's currency".to_owned(),
    };
    match value {
        Value::Number(number) if number.is_i64() => number
            .as_i64()
            .ok_or_else(|| money_error(MoneyError::TooLarge, param)),
        Value::Number(number) if number.is_u64() => Err(money_error(MoneyError::TooLarge, param)),
        _ => Err(BadRequest::new(
            "invalid_amount",
            param,
            format!("`{param}` must be {example}"),
        )),
    }
}

fn money_error(error: MoneyError, param: &str) -> BadRequest {
    let code = if error == MoneyError::TooLarge {
        "amount_too_large"
    } else {
        "amount_too_small"
    };
    BadRequest::new(code, param, error.to_string())
}

fn reject_card(text: &str, param: &str) -> Result<(), BadRequest> {
    if contains_card_number(text) {
        return Err(BadRequest::new(
            "card_number_not_allowed",
            param,
            format!(
                "`{param}` contains what looks like a card number; send a token in `source`, and \
                    no card numbers anywhere"
            ),
        ));
    }
    Ok(())
}

fn metadata(value: Option<Value>) -> Result<BTreeMap<String, String>, BadRequest> {
    let bad = |param: &str, message: String| BadRequest::new("invalid_metadata", param, message);
    let members = match value {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(members)) => members,
        Some(_) => {
            return Err(bad(
                "metadata",
                "`metadata` must be an object of strings".to_owned(),
            ));
        }
    };
    if members.len() > METADATA_MAX {
        return Err(bad(
            "metadata",
            format!("`metadata` has more than {METADATA_MAX} fields"),
        ));
    }
    let mut out = BTreeMap::new();
    for (name, value) in members {
        reject_card(&name, "metadata")?;
        check_printable(&name, METADATA_NAME_MAX)
            .map_err(|error| bad("metadata", format!("a name in `metadata` {error}")))?;
        let param = format!("metadata.{name}");
        let Value::String(text) = value else {
            return Err(bad(&param, format!("`{param}` must be a string")));
        };
        reject_card(&text, &param)?;
        if text.len() > METADATA_VALUE_MAX {
            return Err(bad(
                &param,
                format!("`{param}` is longer than {METADATA_VALUE_MAX} bytes"),
            ));
        }
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        {
            return Err(bad(
                &param,
                format!("`{param}` contains control characters"),
            ));
        }
        out.insert(name, text);
    }
    Ok(out)
}

/// The members of a JSON object, each taken once, all of them known.
struct Members {
    path: &'static str,
    members: Map<String, Value>,
}

impl Members {
    fn read(body: &[u8], known: &[&str]) -> Result<Self, BadRequest> {
        if body.len() > BODY_BYTES_MAX {
            return Err(BadRequest::new(
                "body_too_large",
                "",
                format!("the body is longer than {BODY_BYTES_MAX} bytes"),
            ));
        }
        let Strict(value) = serde_json::from_slice(body).map_err(|error| {
            let duplicate = error.is_data();
            let (code, what) = if duplicate {
                ("duplicate_field", "duplicate field")
            } else {
                ("invalid_json", "the body is not valid JSON")
            };
            // The parser's own words quote nothing of the body but may name a member; the place is
            // enough.
            let deep = if error.to_string().starts_with("recursion limit") {
                ": nested too deeply"
            } else {
                ""
            };
            BadRequest::new(
                code,
                "",
                format!(
                    "{what}{deep}, at line {} column {}",
                    error.line(),
                    error.column()
                ),
            )
        })?;
        Self::of(value, "", known)
    }

    fn of(value: Value, path: &'static str, known: &[&str]) -> Result<Self, BadRequest> {
        let Value::Object(members) = value else {
            let what = if path.is_empty() {
                "the body".to_owned()
            } else {
                format!("`{path}`")
            };
            return Err(BadRequest::new(
                "not_an_object",
                path,
                format!("{what} must be a JSON object"),
            ));
        };
        let this = Self { path, members };
        if let Some(name) = this
            .members
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            let shown: String = name
                .chars()
                .filter(char::is_ascii_graphic)
                .take(40)
                .collect();
            reject_card(name, "a field name")?;
            let param = this.param(&shown);
            return Err(BadRequest::new(
                "unknown_field",
                &param,
                format!(
                    "`{param}` is not a known field; fields are {}",
                    known.join(", ")
                ),
            ));
        }
        Ok(this)
    }

    fn param(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// The member, if it stands there and is not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn required(&mut self, name: &str) -> Result<Value, BadRequest> {
        let param = self.param(name);
        self.take(name).ok_or_else(|| {
            BadRequest::new("missing_field", &param, format!("`{param}` is missing"))
        })
    }

    fn text(&mut self, name: &str) -> Result<String, BadRequest> {
        let param = self.param(name);
        match self.required(name)? {
            Value::String(text) => reject_card(&text, &param).map(|()| text),
            _ => Err(BadRequest::new(
                "wrong_type",
                &param,
                format!("`{param}` must be a string"),
            )),
        }
    }

    fn parse_member<T: std::str::FromStr<Err = TextError>>(
        &mut self,
        name: &str,
        code: &'static str,
    ) -> Result<T, BadRequest> {
        let param = self.param(name);
        self.text(name)?
            .parse()
            .map_err(|error: TextError| BadRequest::new(code, &param, format!("`{param}` {error}")))
    }

    fn optional_parsed<T: std::str::FromStr<Err = TextError>>(
        &mut self,
        name: &str,
        code: &'static str,
    ) -> Result<Option<T>, BadRequest> {
        if self.members.get(name).is_none_or(Value::is_null) {
            Ok(None)
        } else {
            self.parse_member(name, code).map(Some)
        }
    }

    fn take_sentence(&mut self, name: &str) -> Result<Option<String>, BadRequest> {
        if self.members.get(name).is_none_or(Value::is_null) {
            return Ok(None);
        }
        let param = self.param(name);
        let text = self.text(name)?;
        check_printable(&text, 500).map_err(|error| {
            BadRequest::new("invalid_reason", &param, format!("`{param}` {error}"))
        })?;
        Ok(Some(text))
    }
}

/// A JSON value in which no object names a member twice: of two amounts, nobody can say
/// which was meant.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if out.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate field"));
            }
        }
        Ok(Value::Object(out))
    }
}

/// A new random text of `bytes`, for request ids and the like.
#[must_use]
pub fn request_id(random: u64) -> String {
    format!("req_{}", hex::encode(random.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"amount":1250,"currency":"EUR","source":"tok_visa","reference":"INV-1","customer":{"email":"a@example.com"},"metadata":{}}"#;

    fn with(member: &str, value: &str) -> String {
        let mut body: Value = serde_json::from_str(GOOD).expect("JSON");
        body[member] = serde_json::from_str(value).expect("a JSON value");
        body.to_string()
    }

    #[track_caller]
    fn check(body: &str, code: &str, param: Option<&str>) {
        let error = CreatePayment::parse(body.as_bytes()).expect_err("refused");
        assert_eq!(
            (error.code, error.param.as_deref()),
            (code, param),
            "{error}"
        );
    }

    #[test]
    fn a_good_request_is_read() {
        let request = CreatePayment::parse(GOOD.as_bytes()).expect("good");
        assert_eq!(request.money.minor(), 1250);
        let spaced = GOOD.replace(',', " ,\n");
        assert_eq!(
            CreatePayment::parse(spaced.as_bytes())
                .expect("good")
                .fingerprint(),
            request.fingerprint()
        );
        let other = with("amount", "1251");
        assert_ne!(
            CreatePayment::parse(other.as_bytes())
                .expect("good")
                .fingerprint(),
            request.fingerprint()
        );
    }

    #[test]
    fn amounts_are_positive_integers_within_bounds() {
        for bad in ["10.5", "\"10\"", "1e3", "10.0", "true", "[1]", "-0.0"] {
            check(&with("amount", bad), "invalid_amount", Some("amount"));
        }
        check(&with("amount", "0"), "amount_too_small", Some("amount"));
        check(&with("amount", "-5"), "amount_too_small", Some("amount"));
        for big in [
            "9223372036854775808",
            "9223372036854775807",
            "1000000000000",
        ] {
            check(&with("amount", big), "amount_too_large", Some("amount"));
        }
        check(&with("amount", "null"), "missing_field", Some("amount"));
    }

    #[test]
    fn other_members_are_checked() {
        check(
            &with("currency", "\"eur \""),
            "invalid_currency",
            Some("currency"),
        );
        check(
            &with("currency", "\"XYZ\""),
            "invalid_currency",
            Some("currency"),
        );
        check(
            &with("customer", "{}"),
            "missing_field",
            Some("customer.email"),
        );
        check(
            &with("customer", "{\"email\":\"x@\\r\\nBcc: y@example.com\"}"),
            "invalid_email",
            Some("customer.email"),
        );
        check(
            &with("source", "\"4000\""),
            "invalid_source",
            Some("source"),
        );
        check(
            &with("status", "\"completed\""),
            "unknown_field",
            Some("status"),
        );
        check(
            &with("merchant", "\"other\""),
            "unknown_field",
            Some("merchant"),
        );
        check(
            &with("metadata", "{\"a\":1}"),
            "invalid_metadata",
            Some("metadata.a"),
        );
        check(
            &with("metadata", &format!("{{\"a\":\"{}\"}}", "x".repeat(501))),
            "invalid_metadata",
            Some("metadata.a"),
        );
    }

    #[test]
    fn bodies_that_are_no_request_are_refused() {
        for bad in ["", "{", "nonsense", "{\"amount\":1"] {
            check(bad, "invalid_json", None);
        }
        for bad in ["[]", "null", "7"] {
            check(bad, "not_an_object", None);
        }
        check(
            &GOOD.replace("{\"amount\"", "{\"amount\":1,\"amount\""),
            "duplicate_field",
            None,
        );
        check(
            &format!("{}1{}", "[".repeat(200), "]".repeat(200)),
            "invalid_json",
            None,
        );
    }

    #[test]
    fn card_numbers_are_refused_and_never_quoted() {
        for (member, value) in [
            ("reference", "\"4242 4242 4242 4242\""),
            ("metadata", "{\"note\":\"4242424242424242\"}"),
            ("source", "\"tok_4242424242424242\""),
        ] {
            let error = CreatePayment::parse(with(member, value).as_bytes()).expect_err("refused");
            assert_eq!(error.code, "card_number_not_allowed");
            assert!(!format!("{error:?}").contains("4242"), "{error:?}");
        }
        let name =
            CreatePayment::parse(with("4242424242424242", "1").as_bytes()).expect_err("refused");
        assert!(!format!("{name:?}").contains("4242"), "{name:?}");
    }

    #[test]
    fn refunds_may_be_whole_or_partial() {
        assert_eq!(CreateRefund::parse(b"").expect("whole").minor, None);
        assert_eq!(
            CreateRefund::parse(b"{\"amount\":5}")
                .expect("partial")
                .minor,
            Some(5)
        );
        assert_eq!(
            CreateRefund::parse(b"{\"amount\":0}")
                .expect_err("refused")
                .code,
            "amount_too_small"
        );
        assert_eq!(
            CreateRefund::parse(b"{\"amount\":1.5}")
                .expect_err("refused")
                .code,
            "invalid_amount"
        );
    }
}
