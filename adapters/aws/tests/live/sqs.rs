//! What the emulator's SQS does not know: redrives by the queue service, and checks of what is sent.
//! Against `ElasticMQ`, which `live/run` starts.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::time::Duration;

use payops_aws::setup::create_queue;
use payops_aws::{AwsConfig, Clients, SqsQueues, load};
use payops_core::port::{
    Attributes, ErrorKind, Outgoing, QueueAdmin as _, Queues as _, Redrive, RedriveStatus,
};
use payops_testkit::conformance::{self, queues};
use payops_testkit::{eventually, fresh_salt};

const LONG: Duration = Duration::from_secs(30);

async fn clients() -> Option<Clients> {
    let endpoint = crate::aws::variable("PAYOPS_LIVE_SQS_ENDPOINT")?;
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(endpoint),
        ..AwsConfig::default()
    };
    Some(load(&config).await)
}

struct Scene {
    queues: SqsQueues,
}

impl Scene {
    /// A queue and its dead-letter queue with `letters` in it.
    async fn new(letters: usize) -> Option<Self> {
        let clients = clients().await?;
        let prefix = format!("q{:x}-", fresh_salt());
        create_queue(&clients.sqs, &prefix, "work", Some(("work-dlq", 3)))
            .await
            .expect("made");
        let queues = SqsQueues::with_prefix(clients.sqs, prefix, None);
        for number in 0..letters {
            let letter = Outgoing {
                body: format!("letter {number}"),
                attributes: Attributes::from([("payops-reason".to_owned(), "down".to_owned())]),
                ..Outgoing::default()
            };
            queues.send("work-dlq", letter).await.expect("sent");
        }
        Some(Self { queues })
    }

    async fn visible(&self, queue: &str) -> u64 {
        self.queues.stats(queue).await.expect("counted").visible
    }

    async fn newest(&self) -> Option<Redrive> {
        let redrives = self.queues.redrives("work-dlq").await.expect("listed");
        redrives.into_iter().next()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_keep_their_contract() {
    let Some(clients) = clients().await else {
        return;
    };
    let salt = fresh_salt();
    let prefix = format!("c{salt:x}-");
    create_queue(&clients.sqs, &prefix, "jobs", Some(("jobs-dlq", 3)))
        .await
        .expect("made");
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), prefix, None);
    let fixture = queues::Fixture {
        queue: "jobs",
        dlq: "jobs-dlq",
        max_receives: 3,
        fifo: None,
        salt,
        advance: None,
    };
    conformance::queues::suite(&queues, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_dead_letter_queue_is_moved_back() {
    let Some(scene) = Scene::new(12).await else {
        return;
    };
    let handle = scene.queues.start_redrive("work-dlq", "work", None).await;
    assert!(!handle.expect("started").is_empty());
    eventually(LONG, "all of them back", || async {
        (scene.visible("work").await == 12).then_some(())
    })
    .await;
    assert_eq!(scene.visible("work-dlq").await, 0);
    let moved = scene.queues.receive("work", 10, LONG, Duration::ZERO).await;
    let moved = moved.expect("received");
    assert_eq!(
        moved[0].attributes.get("payops-reason").map(String::as_str),
        Some("down"),
        "attributes travel along"
    );
    if let Some(newest) = scene.newest().await {
        assert_eq!(
            (newest.status, newest.moved),
            (RedriveStatus::Completed, 12)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_redrive_is_refused_and_a_canceled_one_stops() {
    let Some(scene) = Scene::new(20).await else {
        return;
    };
    let queues = &scene.queues;
    let handle = queues.start_redrive("work-dlq", "work", Some(1)).await;
    let handle = handle.expect("started");
    let running = scene.newest().await.expect("a task");
    assert_eq!(
        (running.status, running.rate_per_second),
        (RedriveStatus::Running, Some(1))
    );
    let second = queues.start_redrive("work-dlq", "work", None).await;
    let error = second.expect_err("one at a time");
    assert!(
        !matches!(error.kind, ErrorKind::Ambiguous | ErrorKind::Denied),
        "{error:?}"
    );
    let moved = queues.cancel_redrive("work-dlq", &handle).await;
    let moved = moved.expect("canceled");
    assert!(moved < 20, "{moved}");
    eventually(LONG, "the end of the move", || async {
        let before = scene.visible("work-dlq").await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        (scene.visible("work-dlq").await == before).then_some(())
    })
    .await;
    assert!(scene.visible("work-dlq").await > 0, "the rest stays");
    assert_eq!(
        scene.visible("work").await + scene.visible("work-dlq").await,
        20,
        "nothing is lost"
    );
    assert!(
        scene
            .queues
            .cancel_redrive("work-dlq", &handle)
            .await
            .is_err(),
        "it is over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqs_does_not_take_is_refused() {
    let Some(scene) = Scene::new(0).await else {
        return;
    };
    let eleven: Attributes = (0..11)
        .map(|number| (format!("a{number}"), "x".to_owned()))
        .collect();
    let message = Outgoing {
        body: "x".to_owned(),
        attributes: eleven,
        ..Outgoing::default()
    };
    let error = scene.queues.send("work", message).await;
    assert_eq!(error.expect_err("eleven").kind, ErrorKind::Permanent);
    let batch = vec![
        Outgoing {
            body: "fine".to_owned(),
            ..Outgoing::default()
        },
        Outgoing {
            body: "\u{b}".to_owned(),
            ..Outgoing::default()
        },
    ];
    // One bad entry may fail all of a batch there, and itself alone at AWS: never the other way
    // round, and what was taken is told.
    let told = scene.queues.send_batch("work", batch).await;
    let sent = told.map_or(0, |results| {
        results.iter().filter(|one| one.is_ok()).count()
    });
    assert_eq!(
        scene.visible("work").await,
        u64::try_from(sent).expect("few")
    );
}
