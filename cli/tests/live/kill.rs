//! `payops dlq replay` against an SQS emulator, killed again and again (`PAYOPS_KILLS=50`). Not run
//! without the variables that `live/run` sets.
use payops_aws::setup::{Names, create_all};
use payops_aws::{AwsConfig, Clients, SqsQueues, load};
use payops_core::domain::bus::WORK;
use payops_core::port::QueueAdmin as _;
use payops_testkit::fresh_salt;

use crate::common::embedded::DEAD;
use crate::common::{Place, killing};

#[expect(
    clippy::print_stdout,
    reason = "a suite that was not run must say so, and what it found"
)]
fn say(words: &str) {
    println!("{words}");
}

#[test]
fn every_letter_comes_and_what_comes_twice_is_named() {
    let Some(endpoint) = std::env::var("PAYOPS_LIVE_AWS_ENDPOINT")
        .ok()
        .filter(|value| !value.is_empty())
    else {
        return say("not run: PAYOPS_LIVE_AWS_ENDPOINT is unset (start with live/run)");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let own = format!("k{:x}", fresh_salt());
    let (table, bucket, bus, prefix) = (
        format!("{own}-table"),
        format!("{own}-bucket"),
        format!("{own}-bus"),
        format!("{own}-"),
    );
    let audit_bus = format!("{bus}-audit");
    let names = Names {
        table: table.clone(),
        bucket: bucket.clone(),
        bus: bus.clone(),
        queue_prefix: prefix.clone(),
        max_receives: 1000,
    };
    let queues = runtime.block_on(async {
        let config = AwsConfig {
            region: "eu-west-1".to_owned(),
            endpoint_url: Some(endpoint.clone()),
            ..AwsConfig::default()
        };
        let clients: Clients = load(&config).await;
        create_all(&clients, &names).await.unwrap();
        let made = clients.events.create_event_bus().name(&audit_bus);
        made.send().await.unwrap();
        SqsQueues::with_prefix(clients.sqs.clone(), &prefix, None)
    });
    let place = Place::new();
    let file = format!(
        "[environments.emulator]\nkind = \"aws\"\nregion = \"eu-west-1\"\naccount_id = \"000000000000\"\nendpoint_url = \"{endpoint}\"\n\
         table = \"{table}\"\nbucket = \"{bucket}\"\nbus = \"{bus}\"\naudit_bus = \"{audit_bus}\"\nqueues = \
             {{ prefix = \"{prefix}\" }}\n"
    );
    place.file("payops.toml", file);
    let command = || {
        let mut command = place.command(&[
            "dlq",
            "replay",
            WORK,
            "--lanes",
            "1",
            "--yes",
            "--reason",
            "it is up again",
            "-o",
            "json",
        ]);
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    };
    let journals = place.home().join(".local/state/payops/replays/emulator");
    // Each leaves letters hidden for a while: fifty take minutes.
    let kills = killing::kills(15);
    let mut letters = 0;
    let mut refill = || {
        runtime.block_on(killing::add_dead_letter(&queues, letters..letters + 1_000));
        letters += 1_000;
    };
    refill();
    let ended = killing::kill(
        (kills, 7, 80),
        &journals,
        || killing::silent(&mut command()),
        &mut refill,
    );
    // The one that is cut off comes to its end; what died since, or is still hidden by killed
    // processes, stays where it is for the next.
    let done = command().output().unwrap();
    assert!(
        matches!(done.status.code(), Some(0 | 6)),
        "{}\n{}",
        String::from_utf8_lossy(&done.stderr),
        String::from_utf8_lossy(&done.stdout)
    );
    let delivered = runtime.block_on(killing::delivered(&queues));
    let left = runtime.block_on(queues.stats(DEAD)).unwrap();
    let left = usize::try_from(left.visible + left.in_flight).unwrap();
    assert!(
        delivered.len() > letters / 4,
        "{} of {letters}",
        delivered.len()
    );
    let twice_named = killing::named(&journals);
    let twice = delivered.values().filter(|times| times.len() > 1).count();
    say(&format!(
        "{letters} letters, {left} left, {kills} kills, {ended} ended by themselves, {twice} came \
            twice, {} named",
        twice_named.len()
    ));
    killing::check(letters - left, &delivered, &twice_named);
}
