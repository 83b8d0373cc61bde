//! Lambda batches, called directly.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::bus::WORK;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Status;
use payops_core::domain::work_item::{HandlerOutcome, attribute};
use payops_core::port::{Clock as _, Outgoing, PortResult, QueueAdmin as _, Queues as _, Received};
use payops_core::usecase::{Consumer, Handler};
use payops_testkit::ManualClock;
use payops_testkit::fault::{Chances, Chaos, Plan, faulty};
use payops_worker::{BatchSettings, handle_batch};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Barrier;

use crate::platform::Platform;

pub(crate) fn record(message: &Received) -> Value {
    json!({
        "messageId": message.message_id, "receiptHandle": message.receipt, "body": message.body, "eventSource": "aws:sqs",
        "attributes": {
            "ApproximateReceiveCount": message.receive_count.to_string(), "SentTimestamp": message.sent_at.as_millisecond().to_string(),
        },
        "messageAttributes": message.attributes.iter()
            .map(|(name, value)| (name.clone(), json!({"stringValue": value, "dataType": "String"})))
            .collect::<serde_json::Map<_, _>>(),
    })
}

struct Scene {
    platform: Platform,
    clock: ManualClock,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = ManualClock::new();
        Self {
            platform: Platform::open(folder.path(), Arc::new(clock.clone())).await,
            clock,
            _folder: folder,
        }
    }

    async fn receive(&self) -> Vec<Received> {
        self.platform
            .queues
            .receive(WORK, 10, Duration::from_mins(3), Duration::ZERO)
            .await
            .expect("received")
    }

    async fn send(&self, body: &str) -> String {
        self.platform
            .queues
            .send(
                WORK,
                Outgoing {
                    body: body.to_owned(),
                    ..Outgoing::default()
                },
            )
            .await
            .expect("sent")
    }

    fn deadline(&self) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(30)
    }

    /// Hands the messages over as Lambda does, deletes those that are not handed back, as Lambda
    /// does, and says which are.
    async fn invoke(
        &self,
        consumer: &Consumer,
        messages: &[Received],
        deadline: Timestamp,
    ) -> BTreeSet<String> {
        let event = json!({"Records": messages.iter().map(record).collect::<Vec<_>>()});
        let response = handle_batch(
            consumer,
            &self.clock,
            event,
            deadline,
            BatchSettings::default(),
        )
        .await
        .expect("an answer");
        let back: BTreeSet<String> = response
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect();
        for message in messages
            .iter()
            .filter(|message| !back.contains(&message.message_id))
        {
            self.platform
                .queues
                .delete(WORK, std::slice::from_ref(&message.receipt))
                .await
                .expect("deleted");
        }
        back
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_by_itself() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let good = platform.accept("good", "tok_visa").await;
    let declined = platform.accept("declined", "tok_declined").await;
    let poison = platform.accept("poison", "tok_poison").await;
    let panics = scene.send("PANIC").await;
    scene.send("garbage, not an envelope").await;
    let messages = scene.receive().await;
    assert_eq!(messages.len(), 5);
    let poison_message = messages
        .iter()
        .find(|message| message.body.contains(poison.as_str()))
        .expect("there")
        .message_id
        .clone();
    let back = scene
        .invoke(&platform.panicky(), &messages, scene.deadline())
        .await;
    assert_eq!(back, BTreeSet::from([panics.clone(), poison_message]));
    assert_eq!(platform.payment(&good).await.status, Status::Completed);
    assert_eq!(platform.payment(&declined).await.status, Status::Failed);
    assert_eq!(platform.payment(&poison).await.status, Status::Processing);
    assert_eq!(platform.acquirer.stats().await.expect("read").charges, 1);
    // The garbage is in the dead-letter queue with its reason; the other two wait for their
    // back-off.
    assert_eq!(platform.depths().await, (2, 1));
    let dead = platform
        .queues
        .browse("payments-work-dlq", 10)
        .await
        .expect("read");
    assert_eq!(
        dead.messages[0]
            .attributes
            .get(attribute::CLASS)
            .map(String::as_str),
        Some("not_an_event")
    );
    assert_eq!(scene.receive().await.len(), 0, "not before their back-off");
    scene.clock.advance(Duration::from_secs(5));
    assert_eq!(
        scene.receive().await.len(),
        2,
        "the back-off was set, shorter than the visibility"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_ends_in_the_dead_letter_queue_with_its_reason() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let poison = platform.accept("poison", "tok_poison").await;
    let mut invocations = 0;
    while platform.depths().await.0 > 0 {
        let messages = scene.receive().await;
        if !messages.is_empty() {
            scene
                .invoke(&platform.consumer(), &messages, scene.deadline())
                .await;
            invocations += 1;
        }
        scene.clock.advance(Duration::from_mins(4));
        assert!(invocations <= 5, "more receives than allowed");
    }
    assert_eq!((invocations, platform.depths().await), (5, (0, 1)));
    let payment = platform.payment(&poison).await;
    assert_eq!(
        (payment.status, payment.dead.expect("buried").class),
        (Status::Processing, "provider_unavailable".to_owned())
    );
    let dead = platform
        .queues
        .browse("payments-work-dlq", 10)
        .await
        .expect("read");
    assert_eq!(
        dead.messages[0]
            .attributes
            .get(attribute::RECEIVES)
            .map(String::as_str),
        Some("5")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_cannot_be_sent_is_handed_back() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let garbage = scene.send("garbage").await;
    let good = platform.accept("good", "tok_visa").await;
    let messages = scene.receive().await;
    let chaos = Arc::new(Chaos::new(Plan::Nothing));
    let consumer = Consumer {
        queues: faulty(Arc::clone(&platform.queues), &chaos),
        ..platform.consumer()
    };
    let none = Chances {
        fail: 0,
        throttle: 0,
        lose_answer: 0,
        crash_before: 0,
        crash_after: 0,
    };
    chaos.set(Plan::Dice {
        chances: Chances { fail: 1000, ..none },
        seed: 1,
    });
    let back = scene.invoke(&consumer, &messages, scene.deadline()).await;
    assert_eq!(back, BTreeSet::from([garbage]));
    assert_eq!(
        platform.payment(&good).await.status,
        Status::Completed,
        "its neighbour needed no queue"
    );
    assert_eq!(platform.depths().await, (1, 0));
    assert!(chaos.faults()["fail"] > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_near_the_deadline() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let id = platform.accept("late", "tok_visa").await;
    let messages = scene.receive().await;
    let back = scene
        .invoke(
            &platform.consumer(),
            &messages,
            scene.clock.now() + SignedDuration::from_secs(3),
        )
        .await;
    assert_eq!(back.len(), 1);
    let payment = platform.payment(&id).await;
    assert_eq!(
        (payment.version, payment.attempt),
        (1, None),
        "not even claimed"
    );
}

/// A handler that turns the clock on while it works: the next record finds the deadline near.
struct Slow(Arc<dyn Handler>, ManualClock);

#[async_trait]
impl Handler for Slow {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        self.1.advance(Duration::from_secs(25));
        self.0.handle(message).await
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        self.0.mark_dead(message, class, reason).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_begun_comes_back_at_once_and_has_lost_no_receive() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let (poison, filler) = (
        platform.accept("poison", "tok_poison").await,
        platform.accept("filler", "tok_visa").await,
    );
    let settings = BatchSettings {
        concurrency: 1,
        ..BatchSettings::default()
    };
    let usual = platform.consumer();
    let slow = Consumer {
        handler: Arc::new(Slow(Arc::clone(&usual.handler), scene.clock.clone())),
        ..platform.consumer()
    };
    let of = |messages: Vec<Received>, id: &PaymentId| {
        messages
            .into_iter()
            .find(|message| message.body.contains(id.as_str()))
            .expect("received")
    };
    let first = scene.receive().await;
    let (ahead, mut behind) = (of(first.clone(), &filler), of(first, &poison));
    // The queue is done with the one ahead; only its record takes part.
    platform
        .queues
        .delete(WORK, std::slice::from_ref(&ahead.receipt))
        .await
        .expect("deleted");
    let sent_at = behind.sent_at;
    let limit = usual.limits.receives_max;
    // Far more often than the limit allows it is received and not begun, and each time it is there
    // again.
    for _ in 0..limit * 3 {
        let event = json!({"Records": [record(&ahead), record(&behind)]});
        let response = handle_batch(&slow, &scene.clock, event, scene.deadline(), settings)
            .await
            .expect("an answer");
        assert!(
            response.batch_item_failures.is_empty(),
            "given back, not failed"
        );
        let again = scene.receive().await;
        assert_eq!(again.len(), 1, "one message, visible at once");
        behind = of(again, &poison);
        assert_eq!(
            (
                behind.receive_count,
                behind.attributes[attribute::BEGUN].as_str()
            ),
            (1, "0")
        );
    }
    assert_eq!(
        platform.payment(&poison).await.attempt,
        None,
        "nothing was begun"
    );
    // What counts from now on is work: as many tries as any message has, then dead with the reason.
    let mut tries = 0;
    while platform.depths().await.0 > 0 {
        scene
            .invoke(&usual, std::slice::from_ref(&behind), scene.deadline())
            .await;
        tries += 1;
        scene.clock.advance(Duration::from_mins(4));
        if let Some(next) = scene.receive().await.into_iter().next() {
            behind = next;
        }
    }
    assert_eq!((tries, platform.depths().await), (limit, (0, 1)));
    let dead = platform
        .queues
        .browse("payments-work-dlq", 10)
        .await
        .expect("read")
        .messages
        .remove(0);
    assert_eq!(dead.attributes[attribute::RECEIVES], limit.to_string());
    assert_eq!(dead.attributes[attribute::FIRST_SEEN], sent_at.to_string());
    assert!(!dead.attributes.contains_key(attribute::BEGUN));
}

#[tokio::test(flavor = "multi_thread")]
async fn receives_in_which_work_was_begun_still_count_after_one_in_which_it_was_not() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    platform.accept("poison", "tok_poison").await;
    let usual = platform.consumer();
    let limit = usual.limits.receives_max;
    for _ in 0..limit - 1 {
        let messages = scene.receive().await;
        assert_eq!(
            scene
                .invoke(&usual, &messages, scene.deadline())
                .await
                .len(),
            1
        );
        scene.clock.advance(Duration::from_mins(4));
    }
    let message = scene.receive().await.remove(0);
    assert!(usual.give_back(&message).await.expect("given back"));
    assert!(
        !usual.give_back(&message).await.expect("asked"),
        "the receipt is spent"
    );
    let message = scene.receive().await;
    assert_eq!(message[0].receive_count, 1);
    assert_eq!(
        scene.invoke(&usual, &message, scene.deadline()).await.len(),
        0
    );
    assert_eq!(platform.depths().await, (0, 1), "this was its last try");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_given_back_is_a_failure() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let (first, second) = (
        platform.accept("first", "tok_visa").await,
        platform.accept("second", "tok_visa").await,
    );
    let messages = scene.receive().await;
    let chaos = Arc::new(Chaos::new(Plan::Nothing));
    let usual = platform.consumer();
    let slow: Arc<dyn Handler> = Arc::new(Slow(Arc::clone(&usual.handler), scene.clock.clone()));
    let consumer = Consumer {
        handler: slow,
        queues: faulty(Arc::clone(&platform.queues), &chaos),
        ..usual
    };
    let none = Chances {
        fail: 0,
        throttle: 0,
        lose_answer: 0,
        crash_before: 0,
        crash_after: 0,
    };
    chaos.set(Plan::Dice {
        chances: Chances { fail: 1000, ..none },
        seed: 1,
    });
    let settings = BatchSettings {
        concurrency: 1,
        ..BatchSettings::default()
    };
    let event = json!({"Records": messages.iter().map(record).collect::<Vec<_>>()});
    let response = handle_batch(&consumer, &scene.clock, event, scene.deadline(), settings)
        .await
        .expect("an answer");
    assert_eq!(response.batch_item_failures.len(), 1);
    let statuses = [
        platform.payment(&first).await.status,
        platform.payment(&second).await.status,
    ];
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == Status::Completed)
            .count(),
        1,
        "{statuses:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_largest_batch_is_begun_side_by_side() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    for number in 0..10 {
        platform.accept(&format!("k{number}"), "tok_visa").await;
    }
    let messages = scene.receive().await;
    assert_eq!(messages.len(), 10);
    // Nobody goes on before all ten are there.
    let together = Consumer {
        handler: Arc::new(Together(Barrier::new(10))),
        ..platform.consumer()
    };
    let all = scene.invoke(&together, &messages, scene.deadline());
    let back = tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .expect("begun side by side");
    assert_eq!(back, BTreeSet::new());
}

struct Together(Barrier);

#[async_trait]
impl Handler for Together {
    async fn handle(&self, _: &Received) -> HandlerOutcome {
        self.0.wait().await;
        HandlerOutcome::Done
    }

    async fn mark_dead(&self, _: &Received, _: &str, _: &str) -> PortResult<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_takes_too_long_is_cut_off_and_its_neighbours_are_answered() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let slow = platform.accept("slow", "tok_slow").await;
    let good = platform.accept("good", "tok_visa").await;
    let messages = scene.receive().await;
    let settings = BatchSettings {
        start_reserve: SignedDuration::ZERO,
        answer_reserve: SignedDuration::from_millis(900),
        concurrency: 5,
    };
    let event = json!({"Records": messages.iter().map(record).collect::<Vec<_>>()});
    let deadline = scene.clock.now() + SignedDuration::from_secs(1);
    let response = handle_batch(
        &platform.consumer(),
        &scene.clock,
        event,
        deadline,
        settings,
    )
    .await
    .expect("an answer");
    let slow_message = messages
        .iter()
        .find(|message| message.body.contains(slow.as_str()))
        .expect("there");
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(
        response.batch_item_failures[0].item_identifier,
        slow_message.message_id
    );
    assert_eq!(platform.payment(&good).await.status, Status::Completed);
    // The next invocation takes it up, with the same key: one charge.
    scene.clock.advance(Duration::from_mins(4));
    let messages = scene.receive().await;
    scene
        .invoke(
            &platform.consumer(),
            &messages
                .into_iter()
                .filter(|m| m.body.contains(slow.as_str()))
                .collect::<Vec<_>>(),
            scene.deadline(),
        )
        .await;
    assert_eq!(platform.payment(&slow).await.status, Status::Completed);
    assert_eq!(platform.acquirer.stats().await.expect("read").charges, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_no_messages_do_not_fail_the_others() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let id = platform.accept("good", "tok_visa").await;
    let mut records: Vec<Value> = scene.receive().await.iter().map(record).collect();
    records.insert(0, json!("nonsense"));
    records.push(json!({"messageId": "broken", "attributes": 7}));
    let consumer = platform.consumer();
    let event = json!({"Records": records});
    let response = handle_batch(
        &consumer,
        &scene.clock,
        event,
        scene.deadline(),
        BatchSettings::default(),
    )
    .await
    .expect("an answer");
    let back: Vec<String> = response
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect();
    assert_eq!(back, ["broken"]);
    assert_eq!(platform.payment(&id).await.status, Status::Completed);
    for odd in [json!(null), json!({}), json!({"Records": 7})] {
        assert!(
            handle_batch(
                &consumer,
                &scene.clock,
                odd,
                scene.deadline(),
                BatchSettings::default()
            )
            .await
            .is_err()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_again_changes_nothing() {
    let scene = Scene::new().await;
    let platform = &scene.platform;
    let id = platform.accept("good", "tok_visa").await;
    let messages = scene.receive().await;
    scene
        .invoke(&platform.consumer(), &messages, scene.deadline())
        .await;
    let before = platform.payment(&id).await;
    for _ in 0..3 {
        assert_eq!(
            scene
                .invoke(&platform.consumer(), &messages, scene.deadline())
                .await,
            BTreeSet::new()
        );
    }
    assert_eq!(platform.payment(&id).await, before);
    assert_eq!(platform.acquirer.stats().await.expect("read").charges, 1);
}
