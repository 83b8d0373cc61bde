//! The HTTP provider against a server of this process: the contract, and every way an answer can
//! fail to come.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::time::Duration;

use crate::support::{Fake, KEY};
use payops_core::domain::id::RefundId;
use payops_core::port::{
    ChargeOutcome, ChargeRequest, ErrorKind, PortError, Provider as _, RefundOutcome, RefundRequest,
};
use payops_provider::HttpProvider;
use payops_testkit::conformance::provider::{Tokens, suite};
use payops_testkit::sample;
use secrecy::SecretString;

fn provider(url: &str) -> HttpProvider {
    HttpProvider::new(url, &SecretString::from(KEY), Duration::from_secs(20)).expect("an address")
}

fn request(n: u64, token: &str) -> ChargeRequest {
    let payment = sample::payment(n);
    ChargeRequest {
        key: format!("{}:1", payment.id),
        payment: payment.id,
        money: payment.money,
        source: token.parse().expect("a token"),
    }
}

async fn charge(fake: &Fake, token: &str) -> Result<ChargeOutcome, PortError> {
    provider(&fake.url).charge(&request(1, token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let fake = Fake::start().await;
    let tokens = Tokens {
        approve: "pm_card_visa",
        hard_decline: "pm_declined",
        soft_decline: Some("pm_soft"),
        unknown: "pm_nobody",
    };
    suite(&provider(&fake.url), 1, &tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_without_search_and_filters() {
    let fake = Fake::start().await;
    fake.with(|books| (books.search, books.created_filter) = (false, false));
    let tokens = Tokens {
        approve: "tok_visa",
        hard_decline: "pm_declined",
        soft_decline: None,
        unknown: "tok_nobody",
    };
    suite(&provider(&fake.url), 1, &tokens).await;
}

#[tokio::test]
async fn a_charge_is_asked_for_as_documented() {
    let fake = Fake::start().await;
    let ChargeOutcome::Approved(charge) = charge(&fake, "pm_card_visa").await.expect("charges")
    else {
        panic!("declined")
    };
    assert_eq!(charge.id, "pi_0");
    assert_eq!(charge.at.as_second(), 1_795_400_001);
    let card = charge.card.expect("a card");
    assert_eq!((card.brand.as_str(), card.last4.as_str()), ("visa", "4242"));
    let (method, path, body) = fake.with(|books| books.calls[0].clone());
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/v1/payment_intents")
    );
    let payment = sample::payment(1);
    let expected = format!(
        "amount={}&currency=eur&confirm=true&payment_method_types%5B%5D=card&metadata%5Bpayment_id%5D={}&metadata%5Bprovider_key%5D={}%3A1&expand%5B%5D=latest_charge&expand%5B%5D=payment_method&payment_method=pm_card_visa",
        payment.money.minor(),
        payment.id,
        payment.id
    );
    assert_eq!(body, expected);
    provider(&fake.url)
        .charge(&request(2, "tok_visa"))
        .await
        .expect("charges");
    let body = fake.with(|books| books.calls.last().expect("a call").2.clone());
    assert!(
        body.ends_with(
            "payment_method_data%5Btype%5D=card&payment_method_data%5Bcard%5D%5Btoken%5D=tok_visa"
        ),
        "{body}"
    );
}

#[track_caller]
fn check_fails<T: std::fmt::Debug>(result: Result<T, PortError>, kind: ErrorKind) {
    let error = result.expect_err("it fails");
    assert_eq!(error.kind, kind, "{}", error.chain());
    assert!(
        !format!("{error:?} {}", error.chain()).contains(KEY),
        "the key is echoed: {error:?}"
    );
}

#[tokio::test]
async fn each_status_says_whether_there_may_have_been_a_charge() {
    let fake = Fake::start().await;
    let expected = [
        ("pm_409", ErrorKind::Ambiguous),
        ("pm_429", ErrorKind::Throttled),
        ("pm_500", ErrorKind::Ambiguous),
        ("pm_junk", ErrorKind::Ambiguous),
        ("pm_403", ErrorKind::Denied),
        ("pm_404", ErrorKind::Permanent),
        ("pm_processing", ErrorKind::Ambiguous),
    ];
    for (n, (token, kind)) in (1..).zip(expected) {
        check_fails(provider(&fake.url).charge(&request(n, token)).await, kind);
    }
    let error = provider(&fake.url)
        .charge(&request(90, "pm_404"))
        .await
        .expect_err("refused");
    assert!(
        error.message.contains("resource_missing"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_wrong_key_is_denied_and_not_printed() {
    let fake = Fake::start().await;
    let canary = "sk_live_canary_two";
    let provider = HttpProvider::new(
        &fake.url,
        &SecretString::from(canary),
        Duration::from_secs(20),
    )
    .expect("an address");
    let error = provider
        .charge(&request(1, "pm_card_visa"))
        .await
        .expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(!format!("{error:?} {} {provider:?}", error.chain()).contains("canary"));
    for (url, key) in [
        ("ftp://x", "sk"),
        ("nonsense", "sk"),
        ("http://127.0.0.1", "sk_with\nbreak"),
    ] {
        let error = HttpProvider::new(url, &SecretString::from(key), Duration::from_secs(1))
            .expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Permanent);
        assert!(!error.chain().contains("break"));
    }
}

#[tokio::test]
async fn a_charge_that_is_not_answered_in_time_is_ambiguous_and_found_again() {
    let fake = Fake::start().await;
    let hasty = HttpProvider::new(
        &fake.url,
        &SecretString::from(KEY),
        Duration::from_millis(300),
    )
    .expect("an address");
    check_fails(
        hasty.charge(&request(1, "pm_hang")).await,
        ErrorKind::Ambiguous,
    );
    let patient = provider(&fake.url);
    let found = patient
        .find_charge(&sample::payment(1).id)
        .await
        .expect("finds")
        .expect("it was charged");
    let ChargeOutcome::Approved(again) = patient
        .charge(&request(1, "pm_hang"))
        .await
        .expect("the same key")
    else {
        panic!("declined")
    };
    assert_eq!(found.id, again.id);
    assert_eq!(
        patient
            .charges(&sample::payment(1).id)
            .await
            .expect("lists")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_lost_connection_is_ambiguous_and_a_refused_one_is_not() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        for half in [
            &b""[..],
            &b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"id\":"[..],
            &b""[..],
        ] {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut read = [0_u8; 4096];
            assert!(stream.read(&mut read).await.expect("reads") > 0);
            stream.write_all(half).await.expect("writes");
        }
    });
    let provider = provider(&url);
    // Dropped without an answer, then cut short in the midst of one.
    for _ in 0..2 {
        check_fails(
            provider.charge(&request(1, "pm_card_visa")).await,
            ErrorKind::Ambiguous,
        );
    }
    // Reading changes nothing, so a lost answer is only a reason to read again.
    check_fails(
        provider.find_charge(&sample::payment(1).id).await,
        ErrorKind::Unavailable,
    );
    server.await.expect("served");
    // Nobody listens any more.
    check_fails(
        provider.charge(&request(1, "pm_card_visa")).await,
        ErrorKind::Unavailable,
    );
}

#[tokio::test]
async fn a_charge_that_waits_for_the_customer_is_ended() {
    let fake = Fake::start().await;
    for _ in 0..2 {
        let outcome = charge(&fake, "pm_action").await.expect("a definite answer");
        let ChargeOutcome::Declined {
            failure,
            soft: false,
        } = outcome
        else {
            panic!("not declined: {outcome:?}")
        };
        assert_eq!(failure.code, "authentication_required");
        assert_eq!(
            fake.with(|books| books.intents[0]["status"].clone()),
            "canceled"
        );
    }
    assert_eq!(fake.with(|books| books.intents.len()), 1);
}

#[tokio::test]
async fn an_old_search_result_is_read_again() {
    let fake = Fake::start().await;
    charge(&fake, "pm_card_visa").await.expect("charges");
    fake.with(|books| books.search_is_old = true);
    let found = provider(&fake.url)
        .find_charge(&sample::payment(1).id)
        .await
        .expect("finds");
    assert_eq!(found.map(|charge| charge.id), Some("pi_0".to_owned()));
}

#[tokio::test]
async fn a_charge_under_way_is_not_passed_off_as_none() {
    let fake = Fake::start().await;
    charge(&fake, "pm_processing")
        .await
        .expect_err("not settled");
    check_fails(
        provider(&fake.url)
            .find_charge(&sample::payment(1).id)
            .await,
        ErrorKind::Unavailable,
    );
    fake.with(|books| books.intents[0]["status"] = serde_json::json!("requires_payment_method"));
    assert_eq!(
        provider(&fake.url)
            .find_charge(&sample::payment(1).id)
            .await
            .expect("settled"),
        None
    );
}

#[tokio::test]
async fn lists_are_paged_to_their_end() {
    let fake = Fake::start().await;
    fake.with(|books| books.search = false);
    let provider = provider(&fake.url);
    for n in 0..7 {
        provider
            .charge(&request(n, "pm_card_visa"))
            .await
            .expect("charges");
    }
    for n in 0..7 {
        let found = provider
            .charges(&sample::payment(n).id)
            .await
            .expect("lists");
        assert_eq!(found.len(), 1, "{n}");
        assert_eq!(
            (found[0].minor, found[0].currency.as_str()),
            (sample::payment(n).money.minor(), "EUR")
        );
    }
}

#[tokio::test]
async fn two_charges_of_one_payment_are_both_listed() {
    let fake = Fake::start().await;
    let provider = provider(&fake.url);
    provider
        .charge(&request(1, "pm_card_visa"))
        .await
        .expect("charges");
    provider
        .charge(&ChargeRequest {
            key: "another".into(),
            ..request(1, "pm_card_visa")
        })
        .await
        .expect("charges");
    assert_eq!(
        provider
            .charges(&sample::payment(1).id)
            .await
            .expect("lists")
            .len(),
        2
    );
}

#[tokio::test]
async fn a_refund_that_is_not_settled_is_neither_paid_nor_refused() {
    let fake = Fake::start().await;
    let provider = provider(&fake.url);
    provider
        .charge(&request(1, "pm_refund_pending"))
        .await
        .expect("charges");
    let refund = RefundRequest {
        refund: RefundId::from_parts(1, 1),
        payment: sample::payment(1).id,
        charge_id: "pi_0".into(),
        money: sample::payment(1).money,
    };
    let pending = RefundOutcome::Pending {
        provider_id: "re_0".into(),
    };
    assert_eq!(
        provider.refund(&refund).await.expect("an answer"),
        pending,
        "under way is not paid out"
    );
    assert_eq!(
        provider.find_refund(&refund).await.expect("finds"),
        Some(pending.clone())
    );
    let listed = provider.refunds("pi_0").await.expect("lists");
    assert_eq!(
        listed.iter().map(|refund| refund.paid).collect::<Vec<_>>(),
        [false],
        "on its way"
    );
    fake.with(|books| books.refunds[0]["status"] = serde_json::json!("requires_action"));
    assert_eq!(
        provider.find_refund(&refund).await.expect("finds"),
        Some(pending.clone()),
        "not settled either"
    );
    for status in ["failed", "canceled"] {
        fake.with(|books| {
            books.refunds[0]["status"] = serde_json::json!(status);
            books.refunds[0]["failure_reason"] = serde_json::json!("expired_or_canceled_card");
        });
        let found = provider.find_refund(&refund).await.expect("finds");
        let Some(RefundOutcome::Refused(failure)) = found else {
            panic!("{status}: {found:?}")
        };
        assert_eq!(failure.code, "expired_or_canceled_card");
        assert_eq!(
            provider.refunds("pi_0").await.expect("lists"),
            [],
            "nothing was paid out"
        );
        assert_eq!(
            provider
                .scan_refunds(None, 10)
                .await
                .expect("lists")
                .entries,
            []
        );
    }
    fake.with(|books| {
        books.refunds[0]["failure_reason"] = serde_json::json!("Not a code, but <words>");
    });
    let Some(RefundOutcome::Refused(failure)) = provider.find_refund(&refund).await.expect("finds")
    else {
        panic!("not refused")
    };
    assert_eq!(failure.code, "refund_failed");
    fake.with(|books| books.refunds[0]["status"] = serde_json::json!("succeeded"));
    let paid = provider.find_refund(&refund).await.expect("finds");
    assert_eq!(
        paid,
        Some(RefundOutcome::Paid {
            provider_id: "re_0".to_owned()
        })
    );
    let more = RefundRequest {
        refund: RefundId::from_parts(2, 2),
        ..refund.clone()
    };
    let refused = provider.refund(&more).await.expect("a definite answer");
    assert!(
        matches!(refused, RefundOutcome::Refused(ref failure) if failure.code == "refund_too_large"),
        "{refused:?}"
    );
    let unknown = RefundRequest {
        refund: RefundId::from_parts(3, 3),
        charge_id: "pi_9".into(),
        ..refund
    };
    check_fails(provider.refund(&unknown).await, ErrorKind::Permanent);
}

#[tokio::test]
async fn money_moved_by_hand_at_the_provider_is_listed_under_its_payment() {
    let fake = Fake::start().await;
    let provider = provider(&fake.url);
    provider
        .charge(&request(1, "pm_card_visa"))
        .await
        .expect("charges");
    fake.with(|books| {
        books.intents.push(serde_json::json!({
            "id": "pi_hand", "amount": 700, "currency": "jpy", "created": 1_795_400_000_i64, "status": "succeeded", "metadata": {},
        }));
        books
            .refunds
            .push(serde_json::json!({"id": "re_hand", "payment_intent": "pi_0", "amount": 5, "currency": "eur", "status": "pending"}));
    });
    let charges = provider
        .scan_charges(None, 10)
        .await
        .expect("lists")
        .entries;
    let by_hand = charges
        .iter()
        .find(|listed| listed.entry.id == "pi_hand")
        .expect("listed");
    assert_eq!(
        (
            by_hand.payment.as_deref(),
            by_hand.entry.minor,
            by_hand.entry.currency.as_str()
        ),
        (None, 700, "JPY")
    );
    let refunds = provider
        .scan_refunds(None, 10)
        .await
        .expect("lists")
        .entries;
    let payment = sample::payment(1).id.to_string();
    assert_eq!(
        refunds
            .iter()
            .map(|listed| listed.payment.clone())
            .collect::<Vec<_>>(),
        [Some(payment)],
        "the label is the charge's"
    );
    let of_charge = provider.refunds("pi_0").await.expect("lists");
    assert_eq!(
        (of_charge[0].refund.clone(), of_charge[0].paid),
        (None, false)
    );
}
