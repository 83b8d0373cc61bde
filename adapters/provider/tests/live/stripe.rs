//! The HTTP provider against the Stripe server of the live suite. That server ignores idempotency
//! keys and refunds without limit, so the whole contract cannot be checked there; the hermetic tests do.

use std::time::Duration;

use payops_core::domain::id::RefundId;
use payops_core::port::{
    ChargeOutcome, ChargeRequest, ErrorKind, Provider as _, RefundOutcome, RefundRequest,
};
use payops_provider::HttpProvider;
use payops_testkit::{fresh_salt, sample};
use secrecy::SecretString;

#[tokio::test]
async fn charges_finds_and_refunds() {
    let (Ok(url), Ok(key)) = (
        std::env::var("PAYOPS_LIVE_STRIPE_URL"),
        std::env::var("PAYOPS_LIVE_STRIPE_KEY"),
    ) else {
        return println!("not run: PAYOPS_LIVE_STRIPE_URL and PAYOPS_LIVE_STRIPE_KEY are not set");
    };
    let provider = HttpProvider::new(&url, &SecretString::from(key), Duration::from_secs(20))
        .expect("an address");
    let payment = sample::payment(fresh_salt());
    let request = |attempt: u32, token: &str| ChargeRequest {
        payment: payment.id.clone(),
        key: format!("{}:{attempt}", payment.id),
        money: payment.money,
        source: token.parse().expect("a token"),
    };
    assert!(
        provider
            .knows_source(&"pm_card_visa".parse().expect("a token"))
            .await
            .expect("asks")
    );
    assert!(
        !provider
            .knows_source(&"pm_card_nobody".parse().expect("a token"))
            .await
            .expect("asks")
    );
    assert_eq!(
        provider.find_charge(&payment.id).await.expect("looks"),
        None
    );

    let declined = provider
        .charge(&request(1, "pm_card_chargeCustomerFail"))
        .await
        .expect("an answer");
    let ChargeOutcome::Declined {
        failure,
        soft: false,
    } = declined
    else {
        panic!("not declined: {declined:?}")
    };
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("card_declined", "Your card was declined.")
    );
    assert_eq!(
        provider.find_charge(&payment.id).await.expect("looks"),
        None,
        "a declined charge is none"
    );

    let approved = provider
        .charge(&request(2, "pm_card_visa"))
        .await
        .expect("an answer");
    let ChargeOutcome::Approved(charge) = approved else {
        panic!("not approved: {approved:?}")
    };
    assert_eq!(
        charge.card.as_ref().map(|card| card.last4.as_str()),
        Some("4242")
    );
    assert_eq!(
        provider.find_charge(&payment.id).await.expect("looks"),
        Some(charge.clone())
    );
    let entries = provider.charges(&payment.id).await.expect("lists");
    assert_eq!(
        entries
            .iter()
            .map(|entry| (entry.minor, entry.currency.as_str()))
            .collect::<Vec<_>>(),
        [(payment.money.minor(), "EUR")]
    );

    let unknown = provider
        .charge(&request(3, "pm_card_nobody"))
        .await
        .expect_err("no such method");
    assert_eq!(unknown.kind, ErrorKind::Permanent);

    let refund = RefundRequest {
        refund: RefundId::from_parts(payment.id.created_ms(), u128::from(fresh_salt())),
        payment: payment.id.clone(),
        charge_id: charge.id,
        money: payment.money,
    };
    assert_eq!(provider.find_refund(&refund).await.expect("looks"), None);
    let paid = provider.refund(&refund).await.expect("an answer");
    assert!(matches!(paid, RefundOutcome::Paid { .. }), "{paid:?}");
    assert_eq!(
        provider.find_refund(&refund).await.expect("looks"),
        Some(paid)
    );
}

#[tokio::test]
async fn a_wrong_key_is_denied() {
    let Ok(url) = std::env::var("PAYOPS_LIVE_STRIPE_URL") else {
        return println!("not run: PAYOPS_LIVE_STRIPE_URL is not set");
    };
    let provider = HttpProvider::new(
        &url,
        &SecretString::from("nonsense"),
        Duration::from_secs(20),
    )
    .expect("an address");
    let error = provider
        .find_charge(&sample::payment(1).id)
        .await
        .expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
}
