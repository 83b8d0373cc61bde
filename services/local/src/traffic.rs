//! Traffic for the demo: payments posted to the environments' own APIs, a mix of good and bad.

use std::sync::Arc;
use std::time::Duration;

use payops_core::port::Random;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use payops_ops::backend::local::ReadyEnv;

/// Most posts under way at once.
const OPEN_MAX: usize = 64;
/// How often one post is tried while the API does not answer; always with the same key.
const TRIES: u32 = 5;

const SOURCES: [(&str, u64); 7] = [
    ("tok_visa", 560),
    ("tok_mastercard", 265),
    ("tok_declined", 80),
    ("tok_slow", 40),
    ("tok_flaky", 30),
    ("tok_timeout_charged", 20),
    ("tok_poison", 5),
];

/// Currencies with the largest amount of the mix, in minor units.
const CURRENCIES: [(&str, u64); 5] = [
    ("EUR", 20_000),
    ("USD", 25_000),
    ("GBP", 15_000),
    ("JPY", 30_000),
    ("KWD", 90_000),
];

const PEOPLE: [&str; 8] = [
    "anna", "björn", "maría", "o'brien", "li.wei", "priya", "kofi", "noor",
];

/// Posts `per_second` payments a second until `stop`, eight in ten to the first environment and
/// one in ten to each other.
pub(crate) async fn run(
    environments: Vec<ReadyEnv>,
    per_second: f64,
    random: Arc<dyn Random>,
    stop: CancellationToken,
) {
    if per_second <= 0.0 || environments.is_empty() {
        return;
    }
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build();
    let Ok(client) = client.inspect_err(
        |error| tracing::error!(%error, "no traffic: the HTTP client could not be made"),
    ) else {
        return;
    };
    let open = Arc::new(Semaphore::new(OPEN_MAX));
    let tasks = TaskTracker::new();
    // Several posts a tick above 50 a second: timers are not made for less than some milliseconds.
    let batch = (per_second / 50.0).ceil().max(1.0);
    let mut ticks = interval(Duration::from_secs_f64(batch / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    let mut posted = 0.0_f64;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        // By the clock, not by ticks: a busy machine misses some.
        let owed = start.elapsed().as_secs_f64() * per_second;
        while posted < owed {
            posted += 1.0;
            let Ok(permit) = Arc::clone(&open).try_acquire_owned() else {
                continue;
            };
            let Some(env) = pick(&environments, random.next_u64()) else {
                continue;
            };
            let (env, body, key) = (
                env.clone(),
                body(&*random),
                format!(
                    "traffic-{:016x}{:016x}",
                    random.next_u64(),
                    random.next_u64()
                ),
            );
            let client = client.clone();
            tasks.spawn(async move {
                post(&client, &env.api_url, &env.api_key, &key, &body).await;
                drop(permit);
            });
        }
    }
    tasks.close();
    // What is under way has its key: an answer that nobody hears harms nobody.
    drop(tokio::time::timeout(Duration::from_secs(2), tasks.wait()).await);
}

fn pick(environments: &[ReadyEnv], dice: u64) -> Option<&ReadyEnv> {
    let place = match dice % 10 {
        8 => 1,
        9 => 2,
        _ => 0,
    };
    environments.get(place).or_else(|| environments.first())
}

fn body(random: &dyn Random) -> Value {
    let mut dice = random.next_u64() % 1000;
    let mut source = "tok_visa";
    for (name, share) in SOURCES {
        if dice < share {
            source = name;
            break;
        }
        dice -= share;
    }
    let choose = |count: usize| usize::try_from(random.next_u64()).unwrap_or(0) % count;
    let (currency, largest) = CURRENCIES[choose(CURRENCIES.len())];
    let person = PEOPLE[choose(PEOPLE.len())];
    let number = random.next_u64() % 100_000;
    json!({
        "amount": 1 + random.next_u64() % largest, "currency": currency, "source": source, "reference": format!("INV-{number:05}"),
        "customer": {"email": format!("{person}.{number}@example.com")}, "metadata": {"channel": "demo"},
    })
}

async fn post(
    client: &reqwest::Client,
    url: &str,
    api_key: &SecretString,
    key: &str,
    body: &Value,
) {
    for attempt in 1..=TRIES {
        let sent = client
            .post(format!("{url}/v1/payments"))
            .bearer_auth(api_key.expose_secret())
            .header("idempotency-key", key)
            .json(body)
            .send()
            .await;
        match sent {
            Ok(answer) if !answer.status().is_server_error() => return,
            Ok(answer) => tracing::debug!(
                status = answer.status().as_u16(),
                attempt,
                "the API did not take a demo payment"
            ),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), attempt, "the API did not answer a \
                    demo payment");
            }
        }
        tokio::time::sleep(Duration::from_millis(200) * attempt).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up() {
        assert_eq!(SOURCES.iter().map(|(_, share)| share).sum::<u64>(), 1000);
    }
}
