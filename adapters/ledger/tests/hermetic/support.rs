//! A PostgreSQL server of this machine for tests, from nothing: a folder of its own, a free port of
//! 127.0.0.1, gone with the last test that holds it. It never touches a server that runs already.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot have its server says so: by panicking, or where it was not run"
)]

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

const NOT_RUN: &str = "postgres: not run, binaries missing (apt-get install postgresql)";
const UID_WHEN_ROOT: u32 = 65_534;
const START_MAX: Duration = Duration::from_mins(1);

pub(crate) struct Cluster {
    port: u16,
    databases: AtomicU32,
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

/// The server that the tests of this process share, and an empty database of it; `None`, said
/// aloud, when the machine has no PostgreSQL.
pub(crate) async fn database() -> Option<(Arc<Cluster>, SecretString)> {
    let Some(cluster) = cluster().await else {
        println!("{NOT_RUN}");
        return None;
    };
    let url = cluster.database().await;
    Some((cluster, url))
}

async fn cluster() -> Option<Arc<Cluster>> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let bin = binaries()?;
    let started = tokio::task::spawn_blocking(move || {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Cluster::start(&bin));
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    });
    let cluster = started.await.expect("the server starts");
    cluster.ready().await;
    Some(cluster)
}

impl Cluster {
    fn start(bin: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let root = std::fs::metadata(dir.path()).expect("the folder").uid() == 0;
        let data = dir.path().join("data");
        if root {
            chown(dir.path(), Some(UID_WHEN_ROOT), None).expect("gives the folder away");
        }
        let init = command(bin, "initdb", root)
            .args([
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .current_dir(dir.path())
            .output()
            .expect("initdb runs");
        assert!(
            init.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&init.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut server = command(bin, "postgres", root);
        server
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""]);
        server
            .args(["-c", "fsync=off", "-c", "max_connections=60"])
            .current_dir(dir.path());
        let (stop, stopped) = channel();
        // The kernel ends the server with the thread that started it, so that thread stays until
        // the end.
        let keeper = std::thread::spawn(move || keep(server, dir, &stopped));
        Self {
            port,
            databases: AtomicU32::new(0),
            stop: Some(stop),
            keeper: Some(keeper),
        }
    }

    async fn ready(&self) {
        let since = Instant::now();
        while let Err(error) = PgConnection::connect(&self.address("postgres")).await {
            assert!(
                since.elapsed() < START_MAX,
                "the server does not answer: {error}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn address(&self, database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    async fn database(&self) -> SecretString {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(&self.address("postgres"))
            .await
            .expect("connects");
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(statement)
            .execute(&mut admin)
            .await
            .expect("makes a database");
        SecretString::from(self.address(&name))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Runs the server until nobody holds `stopped`'s other end; then removes its folder.
fn keep(mut server: Command, dir: TempDir, stopped: &Receiver<()>) {
    let mut child: Child = server
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("postgres starts");
    let _ = stopped.recv();
    let _ = child.kill();
    let _ = child.wait();
    drop(dir);
}

/// A program of PostgreSQL's, under another user where we are root, ended by the kernel when we
/// end.
fn command(bin: &Path, program: &str, root: bool) -> Command {
    let has_setpriv = Command::new("setpriv")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    let mut command = Command::new(bin.join(program));
    if has_setpriv {
        command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if root {
            let id = UID_WHEN_ROOT.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        }
        command.arg("--").arg(bin.join(program));
    } else if root {
        command.uid(UID_WHEN_ROOT).gid(UID_WHEN_ROOT);
    }
    command.stdin(Stdio::null());
    command
}

/// The folder of `initdb` and `postgres`: on PATH, as `pg_config` says, or Debian's, newest version
/// first.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let config = Command::new("pg_config").arg("--bindir").output().ok();
    let config = config.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    let has_both = |dir: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|program| dir.join(program).is_file())
    };
    path.into_iter()
        .chain(config)
        .chain(debian.into_iter().rev())
        .find(has_both)
}
