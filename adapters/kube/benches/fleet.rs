//! How long a large fleet takes to appear: `cargo bench -p payops-kube --bench fleet`. The cluster
//! is the one in this process, with 10,000 rollouts, 20,000 `ReplicaSets` and 30,000 pods.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::StreamExt as _;
use payops_core::port::{Depth, Rollouts as _, Watched};
use payops_kube::KubeRollouts;
use payops_simulator::{Cluster, demo};

const ROLLOUTS: usize = 10_000;

fn fleet(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return;
    };
    let cluster = Cluster::new("bench", Arc::new(jiff::Timestamp::now));
    if let Err(error) = demo::seed_many(&cluster, ROLLOUTS) {
        tracing::error!(%error, "no fleet");
        return;
    }
    // The client needs a runtime to be made in.
    let rollouts =
        runtime.block_on(async { KubeRollouts::from_service(cluster.service(), "bench") });
    let mut group = criterion.benchmark_group("10,000 rollouts");
    group.sample_size(10);
    group.bench_function("list", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(rollouts.list()).map(|all| all.len())));
    });
    group.bench_function("watch until all are told", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut watch = rollouts.watch();
                while let Some(told) = watch.next().await {
                    if let Watched::All(all) = told {
                        return black_box(all.len());
                    }
                }
                0
            })
        });
    });
    let one = runtime
        .block_on(rollouts.list())
        .ok()
        .and_then(|all| all.into_iter().nth(ROLLOUTS / 2));
    if let Some(one) = one {
        group.bench_function("the tree of one, pods too", |bencher| {
            bencher.iter(|| {
                black_box(
                    runtime
                        .block_on(rollouts.related(&one, Depth::Pods))
                        .map(|related| related.replica_sets.len()),
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fleet);
criterion_main!(benches);
