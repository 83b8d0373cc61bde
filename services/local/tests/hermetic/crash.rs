//! Every crash point: the process "dies" before and after every call that it makes to the
//! outside, starts again, works everything off, and all invariants hold.

use std::time::Duration;

use crate::world::checker::{Answers, violations};
use crate::world::{World, caller, key, request};
use futures::future::BoxFuture;
use payops_core::domain::request::{CancelPayment, CreateRefund};
use payops_core::usecase::Requester;
use payops_testkit::fault::Plan;

/// What a client does, and the platform with it. Each step may be done again.
type Scenario = for<'a> fn(&'a World, &'a mut Answers, u64) -> BoxFuture<'a, ()>;

/// Accepts, and remembers the answer. A client that got none asks again later.
async fn pay(
    world: &World,
    answers: &mut Answers,
    n: u64,
    source: &str,
) -> Option<payops_core::domain::id::PaymentId> {
    let name = format!("{source}-{n}");
    let answer = world.accept(&name, &request(source, 1000)).await.ok()?;
    answers.insert(name, answer.clone());
    Some(answer.payment)
}

async fn work(world: &World) {
    // Errors leave messages in their queues; the drain takes them up. Retries come after a while.
    for _ in 0..6 {
        drop(world.work_off().await);
        if world.is_quiet().await {
            break;
        }
        world.clock.advance(Duration::from_secs(11));
    }
}

macro_rules! charge_scenario {
    ($name:ident, $source:literal) => {
        fn $name<'a>(world: &'a World, answers: &'a mut Answers, n: u64) -> BoxFuture<'a, ()> {
            Box::pin(async move {
                pay(world, answers, n, $source).await;
                work(world).await;
            })
        }
    };
}

charge_scenario!(approved, "tok_visa");
charge_scenario!(declined, "tok_declined");
charge_scenario!(charged_then_timed_out, "tok_timeout_charged");
charge_scenario!(flaky, "tok_flaky");
charge_scenario!(poison, "tok_poison");

fn canceled<'a>(world: &'a World, answers: &'a mut Answers, n: u64) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let Some(id) = pay(world, answers, n, "tok_mastercard").await else {
            return;
        };
        let by = Requester::Merchant(caller());
        let cancel = CancelPayment { reason: None };
        drop(
            world
                .changes()
                .cancel(&by, &id, &key(&format!("cancel-{n}")), &cancel, &|_| {
                    String::new()
                })
                .await,
        );
        work(world).await;
    })
}

fn refunded<'a>(world: &'a World, answers: &'a mut Answers, n: u64) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let Some(id) = pay(world, answers, n, "tok_visa").await else {
            return;
        };
        work(world).await;
        let by = Requester::Merchant(caller());
        for (name, minor) in [("part", Some(400)), ("rest", None)] {
            let refund = CreateRefund {
                minor,
                reason: None,
            };
            let asked = world
                .changes()
                .refund(&by, &id, &key(&format!("{name}-{n}")), &refund, &|_| {
                    String::new()
                })
                .await;
            if let Ok((_, outbox)) = asked {
                drop(world.dispatcher().dispatch(&outbox).await);
            }
            work(world).await;
        }
    })
}

/// Runs `scenario` once per call it makes and side of that call; how many points were covered.
async fn enumerate(scenario: Scenario, clients_ask_again: bool) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 7).await;
    let mut answers = Answers::new();
    world.chaos.set(Plan::Nothing);
    scenario(&world, &mut answers, 0).await;
    let calls = world.chaos.calls();
    world.drain().await;
    let mut points = 0;
    let mut number = 1;
    for call in 0..calls.len() {
        for after in [false, true] {
            world.chaos.set(Plan::CrashAt { call, after });
            let mut heard = Answers::new();
            let died = world
                .chaos
                .until_crash(scenario(&world, &mut heard, number))
                .await
                .is_none();
            answers.append(&mut heard);
            world.chaos.calm();
            if clients_ask_again {
                scenario(&world, &mut answers, number).await;
            }
            world.drain().await;
            points += usize::from(died);
            number += 1;
        }
        // Looking at everything after each point would take the square of the time.
        if call % 32 == 31 {
            check(&world, &answers, clients_ask_again, &calls, call).await;
        }
    }
    check(&world, &answers, clients_ask_again, &calls, calls.len()).await;
    assert!(
        points >= calls.len(),
        "only {points} of {} points were reached",
        2 * calls.len()
    );
    points
}

async fn check(
    world: &World,
    answers: &Answers,
    clients_ask_again: bool,
    calls: &[&str],
    call: usize,
) {
    let nobody = Answers::new();
    let mut found = violations(world, if clients_ask_again { answers } else { &nobody }).await;
    for answer in answers.values().filter(|_| !clients_ask_again) {
        if world
            .stores
            .ports
            .store
            .get(&answer.payment)
            .await
            .expect("the store works")
            .is_none()
        {
            found.push(format!(
                "{} was told to a client and is gone",
                answer.payment
            ));
        }
    }
    assert!(
        found.is_empty(),
        "up to call {call} ({:?}): {found:#?}",
        calls.get(call)
    );
}

macro_rules! crash_tests {
    ($($name:ident: $scenario:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let points = enumerate($scenario, true).await + enumerate($scenario, false).await;
                println!("crash points covered, {}: {points}", stringify!($scenario));
            }
        )*
    };
}

crash_tests! {
    an_approved_payment_survives_every_crash: approved;
    a_declined_payment_survives_every_crash: declined;
    a_charge_whose_answer_is_lost_survives_every_crash: charged_then_timed_out;
    a_flaky_provider_and_every_crash: flaky;
    poison_and_every_crash: poison;
    a_canceled_payment_survives_every_crash: canceled;
    refunds_survive_every_crash: refunded;
}

/// The literal form: the future of the whole scenario is dropped after k polls, for every k.
#[tokio::test]
async fn dropping_the_future_at_every_await_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 11).await;
    let mut answers = Answers::new();
    let mut polls = 0_u64;
    loop {
        let mut heard = Answers::new();
        let done = {
            let mut scenario = approved(&world, &mut heard, polls);
            let mut left = polls;
            std::future::poll_fn(move |context| {
                use std::task::Poll;
                match scenario.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending if left == 0 => Poll::Ready(false),
                    Poll::Pending => {
                        left -= 1;
                        Poll::Pending
                    }
                }
            })
            .await
        };
        answers.append(&mut heard);
        approved(&world, &mut answers, polls).await;
        world.drain().await;
        polls += 1;
        if done || polls > 400 {
            break;
        }
    }
    let found = violations(&world, &answers).await;
    assert!(found.is_empty(), "{found:#?}");
    assert!(polls > 10, "only {polls} awaits were reached");
    println!("awaits at which the future was dropped: {polls}");
}
