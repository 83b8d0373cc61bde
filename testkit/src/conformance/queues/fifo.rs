//! FIFO queues: order within a group, one of a group in flight, no doubles for five minutes.

use std::time::Duration;

use payops_core::port::Outgoing;

use super::Kit;

pub(super) async fn suite(kit: &Kit<'_>, fifo: &str) {
    order(kit, fifo).await;
    dedupe(kit, fifo).await;
}

fn message(kit: &Kit<'_>, name: &str, group: &str, dedupe: &str) -> Outgoing {
    let run = super::word(kit.fixture.salt);
    Outgoing {
        group: Some(format!("{group}-{run}")),
        dedupe: Some(format!("{dedupe}-{run}")),
        body: name.to_owned(),
        ..kit.message(name)
    }
}

async fn order(kit: &Kit<'_>, fifo: &str) {
    for (name, group) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")] {
        kit.queues
            .send(fifo, message(kit, name, group, &format!("order-{name}")))
            .await
            .expect("send");
    }
    let first = kit.take_one(fifo).await;
    assert_eq!(first.body, "a1", "the oldest first");
    assert_eq!(first.group, message(kit, "", "a", "").group);
    assert_eq!(first.dedupe, message(kit, "", "a", "order-a1").dedupe);
    let other = kit.take_one(fifo).await;
    assert_eq!(
        other.body, "b1",
        "while one of a group is in flight, only other groups are delivered"
    );
    kit.expect_none(fifo, "a group was delivered while one of it was in flight")
        .await;

    kit.put_back(fifo, &first).await;
    let again = kit.take_one(fifo).await;
    assert_eq!(
        (again.body.as_str(), again.receive_count),
        ("a1", 2),
        "a message that comes back is first of its group again"
    );
    kit.delete(fifo, &[again, other]).await;
    let mut rest = Vec::new();
    while rest.len() < 2 {
        let taken = kit.take(fifo, 1).await;
        rest.extend(taken.iter().map(|message| message.body.clone()));
        kit.delete(fifo, &taken).await;
    }
    assert_eq!(rest, ["a2", "a3"], "in order");
    kit.empty(fifo).await;
}

async fn dedupe(kit: &Kit<'_>, fifo: &str) {
    let first = kit
        .queues
        .send(fifo, message(kit, "once", "d", "dedupe"))
        .await
        .expect("send");
    let second = kit
        .queues
        .send(fifo, message(kit, "twice", "d", "dedupe"))
        .await
        .expect("a double is taken for the first");
    assert_eq!(first, second, "a double has the first one's name");
    let taken = kit.take_one(fifo).await;
    assert_eq!(taken.body, "once");
    kit.delete(fifo, &[taken]).await;
    kit.queues
        .send(fifo, message(kit, "thrice", "d", "dedupe"))
        .await
        .expect("send");
    kit.expect_none(fifo, "a double was taken after the first was deleted")
        .await;
    kit.empty(fifo).await;
    if let Some(advance) = kit.fixture.advance {
        advance(Duration::from_secs(301));
        kit.queues
            .send(fifo, message(kit, "later", "d", "dedupe"))
            .await
            .expect("send");
        let taken = kit.take_one(fifo).await;
        assert_eq!(taken.body, "later", "after five minutes the name is free");
        kit.delete(fifo, &[taken]).await;
        kit.empty(fifo).await;
    }
}
