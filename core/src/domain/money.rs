//! Amounts: whole minor units tied to an ISO 4217 currency. No floats, no bare integers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The largest amount of one payment, in minor units: twelve digits, so that sums of a
/// billion payments still fit an `i64`… and a mistyped amount is caught.
pub const AMOUNT_MINOR_MAX: i64 = 999_999_999_999;

/// A currency that payments can be made in: an active ISO 4217 code that has minor units.
///
/// Codes without minor units (gold `XAU`, test `XTS`, "none" `XXX`) are not currencies to pay in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimal places of the minor unit: EUR 2, JPY 0, KWD 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency;
        let upper = code.bytes().all(|b| b.is_ascii_uppercase());
        if code.len() != 3 || !upper {
            return Err(MoneyError::CurrencyForm);
        }
        let currency = iso_currency::Currency::from_code(code).ok_or_else(unknown)?;
        match currency.exponent() {
            Some(_) => Ok(Self(currency)),
            None => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(code: String) -> Result<Self, MoneyError> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A positive amount of one currency, at most [`AMOUNT_MINOR_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "MoneyParts", into = "MoneyParts")]
pub struct Money {
    minor: i64,
    currency: Currency,
}

#[derive(Serialize, Deserialize)]
struct MoneyParts {
    minor: i64,
    currency: Currency,
}

impl TryFrom<MoneyParts> for Money {
    type Error = MoneyError;
    fn try_from(parts: MoneyParts) -> Result<Self, MoneyError> {
        Self::new(parts.minor, parts.currency)
    }
}

impl From<Money> for MoneyParts {
    fn from(money: Money) -> Self {
        Self {
            minor: money.minor,
            currency: money.currency,
        }
    }
}

impl Money {
    /// `minor` units of `currency`; refused when not in `1..=AMOUNT_MINOR_MAX`.
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor <= 0 {
            return Err(MoneyError::NotPositive);
        }
        if minor > AMOUNT_MINOR_MAX {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self { minor, currency })
    }

    /// Reads an amount as people write it: `12.50` with `EUR`, `1250` with `JPY`.
    ///
    /// The number of decimals must be none or exactly the currency's: `10.5` EUR and
    /// `10.00` JPY are refused, since guessing what was meant moves the decimal point.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
            return Err(MoneyError::NotANumber);
        }
        let decimals = u32::try_from(fraction.len()).map_err(|_| MoneyError::NotANumber)?;
        if decimals != 0 && decimals != exponent {
            return Err(MoneyError::WrongExponent {
                currency,
                decimals: exponent,
            });
        }
        let scale = 10_i64.checked_pow(exponent).ok_or(MoneyError::TooLarge)?;
        let whole: i64 = whole.parse().map_err(|_| MoneyError::TooLarge)?;
        let fraction: i64 = if fraction.is_empty() {
            0
        } else {
            fraction.parse().map_err(|_| MoneyError::TooLarge)?
        };
        let minor = whole
            .checked_mul(scale)
            .and_then(|m| m.checked_add(fraction));
        Self::new(minor.ok_or(MoneyError::TooLarge)?, currency)
    }

    /// The amount in minor units; always positive.
    #[must_use]
    pub fn minor(self) -> i64 {
        self.minor
    }

    #[must_use]
    pub fn currency(self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", major(self.minor, self.currency), self.currency)
    }
}

/// `minor` units written with the currency's decimals and no code: `12.50`, `-0.05`, `1250`.
#[must_use]
pub fn major(minor: i64, currency: Currency) -> String {
    let exponent = usize::try_from(currency.exponent()).unwrap_or(0);
    let sign = if minor < 0 { "-" } else { "" };
    let digits = minor.unsigned_abs().to_string();
    if exponent == 0 {
        return format!("{sign}{digits}");
    }
    let width = exponent.saturating_add(1);
    let padded = format!("{digits:0>width$}");
    let (whole, fraction) = padded.split_at(padded.len().saturating_sub(exponent));
    format!("{sign}{whole}.{fraction}")
}

/// Why something is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("the amount must be at least 1 minor unit")]
    NotPositive,
    #[error("the amount is over the limit of {AMOUNT_MINOR_MAX} minor units")]
    TooLarge,
    #[error("a currency code has three upper-case letters, such as EUR")]
    CurrencyForm,
    /// Not a currency of ISO 4217 that has minor units.
    #[error("not an ISO 4217 currency that payments can be made in")]
    UnknownCurrency,
    /// Text that is not a decimal number.
    #[error("not a decimal number such as 12 or 12.50")]
    NotANumber,
    /// The number of decimals is not the currency's.
    #[error("{currency} has {decimals} decimals")]
    WrongExponent { currency: Currency, decimals: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, expected: Result<(i64, &str), MoneyError>) {
        let currency: Currency = code.parse().expect("a currency");
        let got = Money::parse_major(text, currency);
        assert_eq!(
            got.map(|m| (m.minor(), m.to_string())),
            expected.map(|(m, s)| (m, s.to_owned()))
        );
    }

    #[test]
    fn major_units_follow_the_exponent() {
        check("12.50", "EUR", Ok((1250, "12.50 EUR")));
        check("12", "EUR", Ok((1200, "12.00 EUR")));
        check("0.05", "EUR", Ok((5, "0.05 EUR")));
        check("1250", "JPY", Ok((1250, "1250 JPY")));
        check("1.250", "KWD", Ok((1250, "1.250 KWD")));
    }

    #[test]
    fn a_wrong_number_of_decimals_is_refused() {
        let eur = "EUR".parse().expect("EUR");
        let jpy = "JPY".parse().expect("JPY");
        check(
            "10.5",
            "EUR",
            Err(MoneyError::WrongExponent {
                currency: eur,
                decimals: 2,
            }),
        );
        check(
            "10.00",
            "JPY",
            Err(MoneyError::WrongExponent {
                currency: jpy,
                decimals: 0,
            }),
        );
    }

    #[test]
    fn odd_amounts_are_refused() {
        check("0", "EUR", Err(MoneyError::NotPositive));
        check("-1", "EUR", Err(MoneyError::NotANumber));
        check("1e3", "EUR", Err(MoneyError::NotANumber));
        check("1.", "EUR", Err(MoneyError::NotANumber));
        check("9223372036854775808", "JPY", Err(MoneyError::TooLarge));
        check("99999999999999999", "EUR", Err(MoneyError::TooLarge));
    }

    #[test]
    fn currencies_are_exact_codes_with_minor_units() {
        for bad in ["eur", "eur ", "EU", "", "€€€"] {
            assert_eq!(
                bad.parse::<Currency>(),
                Err(MoneyError::CurrencyForm),
                "{bad}"
            );
        }
        for bad in ["XYZ", "XAU", "XXX", "XTS"] {
            assert_eq!(
                bad.parse::<Currency>(),
                Err(MoneyError::UnknownCurrency),
                "{bad}"
            );
        }
        let exponents: Vec<u32> = ["EUR", "JPY", "KWD", "CLP", "ISK", "BHD", "CHF", "INR"]
            .iter()
            .map(|c| c.parse::<Currency>().expect("known").exponent())
            .collect();
        assert_eq!(exponents, [2, 0, 3, 0, 0, 3, 2, 2]);
    }

    #[test]
    fn negative_minor_units_print_their_sign() {
        assert_eq!(major(-5, "EUR".parse().expect("EUR")), "-0.05");
    }
}
