//! What only an operator can end: payments in review; and refunds that the provider takes days for.

use std::sync::{Arc, Mutex, PoisonError};

use crate::world::{World, caller, key, request};
use async_trait::async_trait;
use payops_core::domain::event::EventKind;
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::{Command, TransitionRefusal};
use payops_core::domain::payment::{Charge, Failure, Payment, RefundState, Status};
use payops_core::domain::reconcile::{ProviderEntry, ProviderRefund};
use payops_core::domain::request::CreateRefund;
use payops_core::domain::resolve::{Contradiction, ResolvePayment, Settlement};
use payops_core::domain::text::Source;
use payops_core::port::{
    Change, ChargeOutcome, ChargeRequest, Committed, PortResult, Provider, ProviderPage,
    RefundOutcome, RefundRequest,
};
use payops_core::usecase::{ChangeError, Requester, ResolveError, Resolver, Sweeper};

fn failure() -> Failure {
    Failure {
        code: "outcome_unknown".to_owned(),
        message: "no answer".to_owned(),
    }
}

/// Commits what `command` does to the payment as it stands; the change that was written.
async fn commit(world: &World, id: &PaymentId, command: Command) -> Change {
    let before = world.payment(id).await;
    let change = world.change(&before, command);
    assert_eq!(
        world.ports.store.commit(&change).await.expect("works"),
        Committed::Done
    );
    world
        .dispatcher()
        .dispatch(&change.outbox)
        .await
        .expect("dispatched");
    change
}

fn claim() -> Command {
    Command::Claim {
        owner: "lost".to_owned(),
        hop: serde_json::Value::Null,
    }
}

/// A payment of whose charge nobody knows anything: its worker was lost, after or before the
/// charge.
async fn in_review(world: &World, charged: bool) -> (PaymentId, Payment) {
    let id = world
        .accept("k", &request("tok_visa", 1250))
        .await
        .expect("accepted")
        .payment;
    let claimed = commit(world, &id, claim()).await.payment;
    if charged {
        let attempt = claimed.attempt.as_ref().expect("an attempt");
        let request = ChargeRequest {
            payment: id.clone(),
            key: attempt.provider_key.clone(),
            money: claimed.money,
            source: claimed.source.clone(),
        };
        world
            .stores
            .ports
            .provider
            .as_ref()
            .expect("a provider")
            .charge(&request)
            .await
            .expect("charged");
    }
    commit(world, &id, Command::SendToReview(failure())).await;
    (id, claimed)
}

fn resolver(world: &World, is_asked: bool) -> Resolver {
    Resolver {
        changes: world.changes(),
        provider: world.ports.provider.clone().filter(|_| is_asked),
    }
}

fn charged(id: Option<&str>, force: bool) -> ResolvePayment {
    ResolvePayment::new(
        Settlement::Charged {
            charge_id: id.map(str::to_owned),
        },
        "the bank says so",
        force,
    )
    .expect("a good request")
}

fn not_charged(force: bool) -> ResolvePayment {
    ResolvePayment::new(Settlement::NotCharged, "the bank says so", force).expect("a good request")
}

async fn resolve(
    world: &World,
    id: &PaymentId,
    request: &ResolvePayment,
    name: &str,
) -> Result<bool, ResolveError> {
    let resolver = resolver(world, true);
    let (answer, rows) = resolver
        .resolve("otto", id, &key(name), request, &|_| "{}".to_owned())
        .await?;
    world
        .dispatcher()
        .dispatch(&rows)
        .await
        .expect("dispatched");
    Ok(answer.replayed)
}

async fn kinds(world: &World, id: &PaymentId) -> Vec<EventKind> {
    world
        .stores
        .ports
        .store
        .events(id)
        .await
        .expect("events")
        .iter()
        .map(|event| event.kind)
        .collect()
}

async fn check_whole(world: &World) {
    assert_eq!(
        world
            .reconciler()
            .run(&|_| {})
            .await
            .expect("a report")
            .breaks,
        []
    );
}

#[tokio::test]
async fn a_charged_payment_in_review_is_completed_and_all_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 5).await;
    let (id, _) = in_review(&world, true).await;
    for force in [false, true] {
        let refused = resolve(&world, &id, &not_charged(force), "wrong")
            .await
            .expect_err("the provider charged it");
        assert!(
            matches!(
                refused,
                ResolveError::Contradicted(Contradiction::Charged { .. })
            ),
            "{refused:?}"
        );
        let refused = resolve(&world, &id, &charged(Some("ch_sim_99"), force), "other")
            .await
            .expect_err("another charge");
        assert!(
            matches!(
                refused,
                ResolveError::Contradicted(Contradiction::OtherCharge { .. })
            ),
            "{refused:?}"
        );
    }
    assert_eq!(
        world.payment(&id).await.status,
        Status::Review,
        "a refusal changes nothing"
    );

    assert!(
        !resolve(&world, &id, &charged(None, false), "right")
            .await
            .expect("resolved")
    );
    world.drain().await;
    let payment = world.payment(&id).await;
    assert_eq!(
        (payment.status, payment.refundable_minor, payment.failure),
        (Status::Completed, 1250, None)
    );
    assert!(
        payment.charge.expect("a charge").card.is_some(),
        "the provider's own charge, not the operator's word"
    );
    let kinds = kinds(&world, &id).await;
    for kind in [
        EventKind::Resolved,
        EventKind::Completed,
        EventKind::Ledger,
        EventKind::Indexed,
        EventKind::Receipt,
    ] {
        assert_eq!(
            kinds.iter().filter(|found| **found == kind).count(),
            1,
            "{kind:?} in {kinds:?}"
        );
    }
    check_whole(&world).await;

    assert!(
        resolve(&world, &id, &charged(None, false), "right")
            .await
            .expect("answered as before"),
        "the same request again"
    );
    let late = resolve(&world, &id, &charged(None, false), "later")
        .await
        .expect_err("it has come to its end");
    assert!(
        matches!(
            late,
            ResolveError::Change(ChangeError::Refused(TransitionRefusal::Status {
                status: Status::Completed
            }))
        ),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_payment_in_review_that_was_not_charged_fails_and_all_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 5).await;
    let (id, _) = in_review(&world, false).await;
    let refused = resolve(&world, &id, &charged(Some("ch_x"), false), "wrong")
        .await
        .expect_err("no charge is listed");
    assert!(
        matches!(refused, ResolveError::Contradicted(Contradiction::NoCharge)),
        "{refused:?}"
    );
    resolve(&world, &id, &not_charged(false), "right")
        .await
        .expect("resolved");
    world.drain().await;
    let payment = world.payment(&id).await;
    assert_eq!((payment.status, payment.charge), (Status::Failed, None));
    let kinds = kinds(&world, &id).await;
    for kind in [
        EventKind::Resolved,
        EventKind::Failed,
        EventKind::Indexed,
        EventKind::FailureNotice,
    ] {
        assert_eq!(
            kinds.iter().filter(|found| **found == kind).count(),
            1,
            "{kind:?} in {kinds:?}"
        );
    }
    assert!(
        !kinds.contains(&EventKind::Receipt) && !kinds.contains(&EventKind::Ledger),
        "{kinds:?}"
    );
    check_whole(&world).await;
}

#[tokio::test]
async fn a_charge_on_an_operators_word_alone_is_a_break_until_the_provider_lists_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 5).await;
    let (id, _) = in_review(&world, false).await;
    resolve(&world, &id, &charged(Some("ch_by_hand"), true), "forced")
        .await
        .expect("resolved");
    world.drain().await;
    let breaks = world
        .reconciler()
        .run(&|_| {})
        .await
        .expect("a report")
        .breaks;
    assert_eq!(breaks.len(), 1, "{breaks:#?}");
    assert!(breaks[0].detail.contains("ch_by_hand"), "{breaks:#?}");
}

#[tokio::test]
async fn of_two_operators_at_once_one_decides() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 5).await;
    let (id, _) = in_review(&world, false).await;
    let version = world.payment(&id).await.version;
    // Neither is held up by the provider: each has its own word, and they differ.
    let resolver = resolver(&world, false);
    let (one, two) = (charged(Some("ch_1"), false), not_charged(false));
    let (k1, k2) = (key("one"), key("two"));
    let render = |_: &Payment| "{}".to_owned();
    let results = tokio::join!(
        resolver.resolve("anna", &id, &k1, &one, &render),
        resolver.resolve("otto", &id, &k2, &two, &render)
    );
    assert_eq!(
        usize::from(results.0.is_ok()) + usize::from(results.1.is_ok()),
        1,
        "{results:?}"
    );
    let lost = results.0.err().or(results.1.err()).expect("one lost");
    assert!(
        matches!(
            lost,
            ResolveError::Change(ChangeError::Refused(TransitionRefusal::Status { .. }))
        ),
        "{lost:?}"
    );
    assert_eq!(world.payment(&id).await.version, version + 1);
    let told = kinds(&world, &id)
        .await
        .into_iter()
        .filter(|kind| *kind == EventKind::Resolved)
        .count();
    assert_eq!(told, 1);
}

#[tokio::test]
async fn a_late_worker_and_an_operator_do_not_write_over_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 5).await;
    let (id, lost) = in_review(&world, false).await;
    // A replayed message: a worker asks the provider right now.
    let asking = commit(&world, &id, claim()).await.payment;
    let held = resolve(&world, &id, &not_charged(false), "early")
        .await
        .expect_err("a worker holds it");
    assert!(
        matches!(
            held,
            ResolveError::Change(ChangeError::Refused(TransitionRefusal::Leased { .. }))
        ),
        "{held:?}"
    );
    world.clock.advance(std::time::Duration::from_mins(2));
    resolve(&world, &id, &not_charged(false), "again")
        .await
        .expect("its lease has ended");
    let charge = Charge {
        id: "ch_late".to_owned(),
        card: None,
        at: world.now(),
    };
    for late in [lost, asking] {
        let outdated = world.change(&late, Command::Approved(charge.clone()));
        assert_eq!(
            world.ports.store.commit(&outdated).await.expect("works"),
            Committed::Stale
        );
    }
    world.drain().await;
    assert_eq!(world.payment(&id).await.status, Status::Failed);
    check_whole(&world).await;
}

#[derive(Clone, Copy)]
enum Bank {
    Takes,
    Pays,
    Fails,
}

/// A provider whose refunds are under way until the bank says otherwise.
struct Slow {
    inner: Arc<dyn Provider>,
    bank: Mutex<Bank>,
}

impl Slow {
    fn set(&self, bank: Bank) {
        *self.bank.lock().unwrap_or_else(PoisonError::into_inner) = bank;
    }

    async fn settle(&self, request: &RefundRequest) -> PortResult<RefundOutcome> {
        let bank = *self.bank.lock().unwrap_or_else(PoisonError::into_inner);
        match bank {
            Bank::Takes => Ok(RefundOutcome::Pending {
                provider_id: "re_slow".to_owned(),
            }),
            Bank::Pays => self.inner.refund(request).await,
            Bank::Fails => Ok(RefundOutcome::Refused(Failure {
                code: "expired_or_canceled_card".to_owned(),
                message: "no".to_owned(),
            })),
        }
    }
}

#[async_trait]
impl Provider for Slow {
    async fn knows_source(&self, source: &Source) -> PortResult<bool> {
        self.inner.knows_source(source).await
    }

    async fn charge(&self, request: &ChargeRequest) -> PortResult<ChargeOutcome> {
        self.inner.charge(request).await
    }

    async fn find_charge(&self, payment: &PaymentId) -> PortResult<Option<Charge>> {
        self.inner.find_charge(payment).await
    }

    async fn refund(&self, request: &RefundRequest) -> PortResult<RefundOutcome> {
        self.settle(request).await
    }

    async fn find_refund(&self, request: &RefundRequest) -> PortResult<Option<RefundOutcome>> {
        self.settle(request).await.map(Some)
    }

    async fn charges(&self, payment: &PaymentId) -> PortResult<Vec<ProviderEntry>> {
        self.inner.charges(payment).await
    }

    async fn refunds(&self, charge_id: &str) -> PortResult<Vec<ProviderRefund>> {
        self.inner.refunds(charge_id).await
    }

    async fn scan_charges(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.inner.scan_charges(from, limit).await
    }

    async fn scan_refunds(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.inner.scan_refunds(from, limit).await
    }
}

/// A refund that the bank takes days for, and then ends as `bank` has it; the payment after that.
async fn slow_refund(bank: Bank) -> (Payment, Vec<EventKind>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::open(folder.path(), 5).await;
    let slow = Arc::new(Slow {
        inner: world.ports.provider.clone().expect("a provider"),
        bank: Mutex::new(Bank::Takes),
    });
    world.ports.provider = Some(Arc::clone(&slow) as Arc<dyn Provider>);
    let id = world
        .accept("k", &request("tok_visa", 1250))
        .await
        .expect("accepted")
        .payment;
    world.drain().await;
    let (by, asked) = (
        Requester::Merchant(caller()),
        CreateRefund {
            minor: Some(400),
            reason: None,
        },
    );
    let changes = world.changes();
    let (_, rows) = changes
        .refund(&by, &id, &key("r"), &asked, &|_| String::new())
        .await
        .expect("asked for");
    world
        .dispatcher()
        .dispatch(&rows)
        .await
        .expect("dispatched");
    // Three days, on each of which the sweeper has it asked about.
    for _ in 0..3 {
        world.work_off().await.expect("works");
        let payment = world.payment(&id).await;
        assert_eq!(
            (
                payment.refunds[0].state,
                payment.refundable_minor,
                payment.refunded_minor()
            ),
            (RefundState::Pending, 850, 0)
        );
        assert_eq!(
            (payment.dead, payment.status),
            (None, Status::Completed),
            "no dead letter, and not paid out"
        );
        assert!(world.is_quiet().await, "no message waits for it");
        world.clock.advance(std::time::Duration::from_hours(24));
        let (swept, failure) = Sweeper {
            dispatcher: world.dispatcher(),
            limits: world.limits.clone(),
        }
        .run_once()
        .await;
        assert_eq!((swept.redriven, failure.is_none()), (1, true));
    }
    slow.set(bank);
    world.drain().await;
    check_whole(&world).await;
    let (payment, kinds) = (world.payment(&id).await, kinds(&world, &id).await);
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == EventKind::RefundPending)
            .count(),
        1,
        "told once: {kinds:?}"
    );
    (payment, kinds)
}

#[tokio::test]
async fn a_refund_that_takes_days_is_paid_out_at_the_end() {
    let (payment, kinds) = slow_refund(Bank::Pays).await;
    assert_eq!(
        (
            payment.status,
            payment.refunded_minor(),
            payment.refundable_minor
        ),
        (Status::PartiallyRefunded, 400, 850)
    );
    assert!(
        kinds.contains(&EventKind::RefundSucceeded) && kinds.contains(&EventKind::RefundNotice),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_refund_that_fails_days_later_gives_the_money_back() {
    let (payment, kinds) = slow_refund(Bank::Fails).await;
    assert_eq!(
        (
            payment.status,
            payment.refunded_minor(),
            payment.refundable_minor
        ),
        (Status::Completed, 0, 1250)
    );
    assert_eq!(payment.refunds[0].state, RefundState::Failed);
    assert!(
        kinds.contains(&EventKind::RefundFailed) && !kinds.contains(&EventKind::RefundNotice),
        "{kinds:?}"
    );
}
