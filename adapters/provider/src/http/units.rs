//! Stripe's minor units, where they are not those of ISO 4217. Sending ISO's would charge a
//! hundred times too much or too little, and every record would agree with it.
//!
//! Source: Stripe's documentation, "Supported currencies", zero-decimal, three-decimal and
//! special-case currencies.

use payops_core::domain::money::Currency;
use payops_core::port::{ErrorKind, PortError, PortResult};

/// Decimals of Stripe's `amount` in `currency`.
fn exponent(currency: Currency) -> u32 {
    match currency.code() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        // ISK and UGX have no decimals any more, and Stripe still takes them with two.
        _ => 2,
    }
}

/// The `amount` to send for `minor` ISO units.
pub(super) fn to_stripe(minor: i64, currency: Currency) -> PortResult<i64> {
    let refused = |why: &str| {
        PortError::new(
            ErrorKind::Permanent,
            format!("Stripe cannot take this amount of {currency}: {why}"),
        )
    };
    let (iso, stripe) = (currency.exponent(), exponent(currency));
    let amount = if let Some(up) = stripe.checked_sub(iso) {
        10_i64
            .checked_pow(up)
            .and_then(|scale| minor.checked_mul(scale))
            .ok_or_else(|| refused("too large"))?
    } else {
        let scale = 10_i64
            .checked_pow(iso - stripe)
            .ok_or_else(|| refused("too many decimals"))?;
        if minor % scale != 0 {
            return Err(refused("it has more decimals than Stripe supports"));
        }
        minor / scale
    };
    if stripe == 3 && amount % 10 != 0 {
        return Err(refused("the last of its three decimals must be 0"));
    }
    Ok(amount)
}

/// ISO units of Stripe's `amount` in the currency of that code; as it stands for a currency not
/// known here.
pub(super) fn from_stripe(amount: i64, code: &str) -> i64 {
    let Ok(currency) = code.parse::<Currency>() else {
        return amount;
    };
    let (iso, stripe) = (currency.exponent(), exponent(currency));
    let scale = |places: u32| 10_i64.checked_pow(places).unwrap_or(1);
    if stripe >= iso {
        amount / scale(stripe - iso)
    } else {
        amount.saturating_mul(scale(iso - stripe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(minor: i64, code: &str, expected: Option<i64>) {
        let currency = code.parse().expect("a currency");
        let sent = to_stripe(minor, currency).ok();
        assert_eq!(sent, expected, "{minor} {code}");
        if let Some(sent) = sent {
            assert_eq!(from_stripe(sent, code), minor, "and back");
        }
    }

    #[test]
    fn most_currencies_are_sent_as_they_are() {
        check(1250, "EUR", Some(1250));
        check(1250, "JPY", Some(1250));
        check(1250, "KWD", Some(1250));
    }

    #[test]
    fn where_stripe_differs_the_amount_is_scaled_or_refused() {
        check(500, "ISK", Some(50_000));
        check(500, "UGX", Some(50_000));
        check(500, "MGA", Some(5));
        check(550, "MGA", None);
        check(1255, "KWD", None);
    }
}
