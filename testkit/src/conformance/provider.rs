//! What every payment provider does.

use payops_core::domain::id::RefundId;
use payops_core::domain::payment::Charge;
use payops_core::domain::reconcile::{ProviderEntry, ProviderListed, ProviderRefund};
use payops_core::port::{ChargeOutcome, ChargeRequest, Provider, RefundOutcome, RefundRequest};

use super::number;
use crate::{ManualClock, sample};

/// Source tokens that make the provider under test do what is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    pub approve: &'a str,
    pub hard_decline: &'a str,
    /// Declines, and another attempt may do better; `None` where there is no such token.
    pub soft_decline: Option<&'a str>,
    pub unknown: &'a str,
}

pub async fn suite(provider: &dyn Provider, salt: u64, tokens: &Tokens<'_>) {
    sources(provider, tokens).await;
    approve(provider, number(salt, 1), tokens).await;
    decline(
        provider,
        number(salt, 2),
        tokens.hard_decline,
        false,
        tokens,
    )
    .await;
    if let Some(token) = tokens.soft_decline {
        decline(provider, number(salt, 3), token, true, tokens).await;
    }
    refund(provider, number(salt, 4), tokens).await;
    together(provider, number(salt, 5), tokens).await;
    lists(provider, number(salt, 6), tokens).await;
}

fn request(n: u64, attempt: u32, token: &str) -> ChargeRequest {
    let payment = sample::payment(n);
    ChargeRequest {
        key: format!("{}:{attempt}", payment.id),
        payment: payment.id,
        money: payment.money,
        source: token.parse().expect("a token"),
    }
}

async fn sources(provider: &dyn Provider, tokens: &Tokens<'_>) {
    let known = tokens.approve.parse().expect("a token");
    assert!(
        provider.knows_source(&known).await.expect("knows_source"),
        "{} is not known",
        tokens.approve
    );
    let unknown = tokens.unknown.parse().expect("a token");
    assert!(
        !provider.knows_source(&unknown).await.expect("knows_source"),
        "{} is known",
        tokens.unknown
    );
}

async fn approved(provider: &dyn Provider, request: &ChargeRequest) -> Charge {
    match provider.charge(request).await.expect("charge") {
        ChargeOutcome::Approved(charge) => charge,
        other @ ChargeOutcome::Declined { .. } => panic!("not approved: {other:?}"),
    }
}

async fn approve(provider: &dyn Provider, n: u64, tokens: &Tokens<'_>) {
    let request = request(n, 1, tokens.approve);
    assert_eq!(
        provider
            .find_charge(&request.payment)
            .await
            .expect("find_charge"),
        None,
        "no charge before there is one"
    );
    assert_eq!(
        provider.charges(&request.payment).await.expect("charges"),
        [],
        "no charge before there is one"
    );

    let charge = approved(provider, &request).await;
    assert!(!charge.id.is_empty(), "a charge has a name");
    assert_eq!(
        approved(provider, &request).await,
        charge,
        "the same key again gives the same answer"
    );
    assert_eq!(
        provider
            .find_charge(&request.payment)
            .await
            .expect("find_charge")
            .map(|found| found.id),
        Some(charge.id.clone())
    );

    let entries = provider.charges(&request.payment).await.expect("charges");
    assert_eq!(entries.len(), 1, "one key, one charge: {entries:?}");
    assert_eq!(
        (entries[0].id.as_str(), entries[0].minor),
        (charge.id.as_str(), request.money.minor())
    );
    assert_eq!(
        entries[0].currency.to_uppercase(),
        request.money.currency().code()
    );

    let other = sample::payment(n.wrapping_add(1)).id;
    assert_eq!(
        provider.find_charge(&other).await.expect("find_charge"),
        None,
        "another payment has no charge"
    );
}

async fn decline(provider: &dyn Provider, n: u64, token: &str, is_soft: bool, tokens: &Tokens<'_>) {
    let request = request(n, 1, token);
    let first = provider.charge(&request).await.expect("charge");
    let ChargeOutcome::Declined { failure, soft } = &first else {
        panic!("not declined: {first:?}")
    };
    assert_eq!(*soft, is_soft, "{token}: {failure:?}");
    assert!(
        !failure.code.is_empty() && !failure.message.is_empty(),
        "a failure says why: {failure:?}"
    );
    assert_eq!(
        provider.charge(&request).await.expect("charge"),
        first,
        "the same key again gives the same answer"
    );
    assert_eq!(
        provider
            .find_charge(&request.payment)
            .await
            .expect("find_charge"),
        None,
        "a declined charge is none"
    );
    assert_eq!(
        provider.charges(&request.payment).await.expect("charges"),
        [],
        "a declined charge is none"
    );

    let second = self::request(n, 2, tokens.approve);
    let charge = approved(provider, &second).await;
    let found = provider
        .find_charge(&second.payment)
        .await
        .expect("find_charge")
        .expect("found under the second key");
    assert_eq!(found.id, charge.id);
}

async fn refund(provider: &dyn Provider, n: u64, tokens: &Tokens<'_>) {
    let charge_request = request(n, 1, tokens.approve);
    let charge = approved(provider, &charge_request).await;
    let part = payops_core::domain::money::Money::new(400, charge_request.money.currency())
        .expect("an amount");
    let start_ms = u64::try_from(ManualClock::start().as_millisecond()).expect("after 1970");
    let refund = |i: u64| RefundRequest {
        refund: RefundId::from_parts(start_ms.wrapping_add(i), u128::from(n)),
        payment: charge_request.payment.clone(),
        charge_id: charge.id.clone(),
        money: part,
    };
    assert_eq!(
        provider.find_refund(&refund(1)).await.expect("find_refund"),
        None,
        "no refund before there is one"
    );
    let paid = provider.refund(&refund(1)).await.expect("refund");
    let RefundOutcome::Paid { provider_id } = &paid else {
        panic!("refused: {paid:?}")
    };
    assert_eq!(
        provider.refund(&refund(1)).await.expect("refund"),
        paid,
        "once per refund id"
    );
    assert_eq!(
        provider
            .find_refund(&refund(1))
            .await
            .expect("find_refund")
            .as_ref(),
        Some(&paid)
    );

    // If the repeat above had paid out again, this one would be more than is left (10.00 at least).
    let RefundOutcome::Paid {
        provider_id: second,
    } = provider.refund(&refund(2)).await.expect("refund")
    else {
        panic!("refused")
    };
    assert_ne!(&second, provider_id, "another refund is another payout");
    let over = RefundRequest {
        money: charge_request.money,
        ..refund(3)
    };
    let refused = provider.refund(&over).await.expect("refund");
    assert!(
        matches!(refused, RefundOutcome::Refused(_)),
        "more than is left was paid out: {refused:?}"
    );
    assert_eq!(
        provider.find_refund(&over).await.expect("find_refund"),
        None,
        "a refused refund is none"
    );
}

async fn together(provider: &dyn Provider, n: u64, tokens: &Tokens<'_>) {
    let request = request(n, 1, tokens.approve);
    let answers = futures::future::join_all((0..8).map(|_| provider.charge(&request))).await;
    // A provider may refuse a key that is in flight; it may not charge twice.
    let charged = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(ChargeOutcome::Approved(_))))
        .count();
    assert!(charged >= 1, "nobody was answered: {answers:?}");
    let entries = provider.charges(&request.payment).await.expect("charges");
    assert_eq!(
        entries.len(),
        1,
        "eight calls with one key made {entries:?}"
    );
}

/// What stands on a list, to its end, in pages of two.
async fn whole_list(provider: &dyn Provider, refunds: bool) -> Vec<ProviderListed> {
    let mut all = Vec::new();
    let mut from: Option<String> = None;
    for _ in 0..10_000 {
        let page = if refunds {
            provider.scan_refunds(from.as_deref(), 2).await
        } else {
            provider.scan_charges(from.as_deref(), 2).await
        };
        let page = page.expect("a page");
        all.extend(page.entries);
        from = page.next;
        if from.is_none() {
            return all;
        }
    }
    panic!("a list that does not end");
}

/// Every charge and every refund is listed once, with its payment and its amount; a declined one is
/// not.
async fn lists(provider: &dyn Provider, n: u64, tokens: &Tokens<'_>) {
    let requests = [
        request(n, 1, tokens.approve),
        request(n, 2, tokens.approve),
        request(n.wrapping_add(7), 1, tokens.approve),
    ];
    let mut charges = Vec::new();
    for request in &requests {
        charges.push(approved(provider, request).await);
    }
    let declined = request(n.wrapping_add(8), 1, tokens.hard_decline);
    provider.charge(&declined).await.expect("charge");
    let listed = whole_list(provider, false).await;
    for (request, charge) in requests.iter().zip(&charges) {
        let found: Vec<&ProviderListed> = listed
            .iter()
            .filter(|listed| listed.entry.id == charge.id)
            .collect();
        let [found] = found[..] else {
            panic!("{} is listed {} times", charge.id, found.len())
        };
        assert_eq!(
            found.payment.as_deref(),
            Some(request.payment.as_str()),
            "the payment that it is of"
        );
        let entry = (found.entry.minor, found.entry.currency.as_str());
        assert_eq!(
            entry,
            (request.money.minor(), request.money.currency().code())
        );
    }
    assert!(
        !listed
            .iter()
            .any(|listed| listed.payment.as_deref() == Some(declined.payment.as_str())),
        "a declined charge is none"
    );

    let (request, charge) = (&requests[0], &charges[0]);
    assert_eq!(
        provider.refunds(&charge.id).await.expect("refunds"),
        [],
        "no refund before there is one"
    );
    let money =
        payops_core::domain::money::Money::new(300, request.money.currency()).expect("an amount");
    let refund = RefundId::from_parts(
        u64::try_from(ManualClock::start().as_millisecond()).expect("after 1970"),
        u128::from(n),
    );
    let asked = RefundRequest {
        refund: refund.clone(),
        payment: request.payment.clone(),
        charge_id: charge.id.clone(),
        money,
    };
    let RefundOutcome::Paid { provider_id } = provider.refund(&asked).await.expect("refund") else {
        panic!("not paid out")
    };
    let of_charge = provider.refunds(&charge.id).await.expect("refunds");
    let entry = ProviderEntry {
        id: provider_id,
        minor: 300,
        currency: request.money.currency().code().to_owned(),
    };
    assert_eq!(
        of_charge,
        [ProviderRefund {
            entry: entry.clone(),
            refund: Some(refund.to_string()),
            paid: true
        }]
    );
    assert_eq!(
        provider.refunds(&charges[1].id).await.expect("refunds"),
        [],
        "another charge has none"
    );
    let listed = whole_list(provider, true).await;
    let found: Vec<&ProviderListed> = listed
        .iter()
        .filter(|listed| listed.entry.id == entry.id)
        .collect();
    assert_eq!(
        found,
        [&ProviderListed {
            entry,
            payment: Some(request.payment.to_string())
        }]
    );
}
