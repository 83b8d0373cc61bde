//! A cluster that goes and comes back elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A cluster at one place, which tells that it is cut and then nothing more, unless it is the last.
struct At {
    place: usize,
    is_last: bool,
}

#[async_trait]
impl Rollouts for At {
    fn cluster(&self) -> &'static str {
        "prod"
    }

    fn driver(&self) -> String {
        format!("place {}", self.place)
    }

    fn can(&self, _: &RolloutAction) -> bool {
        true
    }

    fn equivalent(&self, action: &RolloutAction, key: &RolloutKey) -> String {
        payops_kube::equivalent(action, key)
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        if self.is_last {
            Ok(Vec::new())
        } else {
            Err(PortError::new(ErrorKind::Unavailable, "no connection"))
        }
    }

    async fn get(&self, _: &RolloutKey) -> PortResult<Option<Rollout>> {
        Ok(None)
    }

    async fn related(&self, _: &Rollout, _: Depth) -> PortResult<Related> {
        Ok(Related::default())
    }

    fn watch(&self) -> RolloutWatch {
        let first = if self.is_last {
            Watched::All(Vec::new())
        } else {
            Watched::Cut {
                why: "no connection".to_owned(),
                retry_in: Duration::from_hours(1),
            }
        };
        stream::iter([first]).chain(stream::pending()).boxed()
    }

    fn watch_related(&self, _: &Rollout, _: Depth) -> BoxStream<'static, PortResult<()>> {
        stream::pending().boxed()
    }
}

#[async_trait]
impl RolloutActions for At {
    async fn execute(&self, _: &RolloutPlan) -> PortResult<Executed> {
        Ok(Executed::Gone)
    }
}

/// A cluster whose file is `file`; each time it is reached, it is at another place.
fn cluster(file: PathBuf) -> ReconnectingCluster {
    let reached = Arc::new(AtomicUsize::new(0));
    let connect: Connect = Arc::new(move || {
        let text = std::fs::read_to_string(file.clone()).unwrap_or_default();
        let place = reached.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match text.as_str() {
                "" => Err(PortError::new(ErrorKind::NotFound, "no platform runs here")),
                text => Ok(Arc::new(At {
                    place,
                    is_last: text == "new",
                }) as Arc<dyn RolloutActions>),
            }
        })
    });
    ReconnectingCluster::new("prod", "a file".to_owned(), false, None, connect)
}

fn with_file(file: PathBuf) -> ReconnectingCluster {
    ReconnectingCluster {
        file: Some(file.clone()),
        ..cluster(file)
    }
}

fn write(file: &std::path::Path, text: &str, second: u64) {
    std::fs::write(file, text).expect("written");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    std::fs::File::options()
        .write(true)
        .open(file)
        .and_then(|file| file.set_modified(time))
        .expect("dated");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_comes_back_elsewhere_is_found_there() {
    let temp = tempfile::tempdir().expect("a folder");
    let file = temp.path().join("kubeconfig");
    write(&file, "old", 1);
    let cluster = with_file(file.clone());
    let mut watch = cluster.watch();
    assert!(matches!(watch.next().await, Some(Watched::Cut { why, .. }) if why == "no connection"));
    assert!(cluster.list().await.is_err());
    write(&file, "new", 2);
    // Long before the hour is over after which the old place is tried again.
    let told = tokio::time::timeout(Duration::from_secs(5), watch.next())
        .await
        .expect("in time");
    assert!(matches!(told, Some(Watched::All(_))), "{told:?}");
    assert!(
        cluster.list().await.is_ok(),
        "calls go to the new place too"
    );
}

#[tokio::test(start_paused = true)]
async fn why_it_is_cut_is_told_as_well_as_it_is_known() {
    let temp = tempfile::tempdir().expect("a folder");
    let file = temp.path().join("kubeconfig");
    let cluster = with_file(file.clone());
    let mut watch = cluster.watch();
    for seconds in [1, 2, 4] {
        let told = watch.next().await;
        let expected = Duration::from_secs(seconds);
        assert!(
            matches!(&told, Some(Watched::Cut { why, retry_in }) if why == "no platform runs \
                here" && *retry_in == expected),
            "{told:?}"
        );
    }
    write(&file, "new", 2);
    assert!(matches!(watch.next().await, Some(Watched::All(_))));
}
