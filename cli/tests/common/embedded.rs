//! The stores of an embedded platform, as another process would use them.

use payops_core::port::{Attributes, Outgoing, Ports};
use payops_local::Access;

use super::Place;

pub(crate) const DEAD: &str = "payments-work-dlq";

/// Does something with the ports of an environment, as another process would.
pub(crate) fn with_ports<T>(place: &Place, env: &str, work: impl AsyncFnOnce(Ports) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let ports = payops_local::open(&place.data_dir(), env, Access::Write)
            .await
            .unwrap();
        work(ports).await
    })
}

/// Makes the stores of a platform that does not run.
pub(crate) fn stopped() -> Place {
    let place = Place::new();
    assert_eq!(place.up(&[]).stop(), 0, "SIGTERM drains and exits 0");
    place
}

/// Puts messages into the dead-letter queue of `prod`.
pub(crate) fn add_dead_letter(place: &Place, bodies: impl IntoIterator<Item = String>) {
    add_dead_letters_in(
        place,
        "prod",
        bodies.into_iter().map(|body| (body, Vec::new())),
    );
}

/// Puts messages with attributes into the dead-letter queue of an environment.
pub(crate) fn add_dead_letters_in(
    place: &Place,
    env: &str,
    letters: impl IntoIterator<Item = (String, Vec<(&'static str, String)>)>,
) {
    with_ports(place, env, async |ports| {
        for (body, attributes) in letters {
            let attributes = attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Attributes>();
            ports
                .queues
                .send(
                    DEAD,
                    Outgoing {
                        body,
                        attributes,
                        ..Outgoing::default()
                    },
                )
                .await
                .unwrap();
        }
    });
}

/// Messages in a queue of `prod`, hidden ones included.
pub(crate) fn depth(place: &Place, queue: &str) -> u64 {
    let queues = place.run(&["queue", "list", "-o", "json"]).exits(0).json();
    let row = queues
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == queue)
        .unwrap()
        .clone();
    row["visible"].as_u64().unwrap() + row["in_flight"].as_u64().unwrap()
}
