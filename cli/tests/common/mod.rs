//! Running the binary in a place of its own: nothing of the machine's settings gets in.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod embedded;
pub(crate) mod hostile;
pub(crate) mod killing;
pub(crate) mod stub;
pub(crate) mod terminal;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A place with a data directory, a working folder and a home of its own.
pub(crate) struct Place {
    temp: tempfile::TempDir,
}

pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("{error}: exit {}\n{}\n{}", self.code, self.out, self.err)
        })
    }

    /// Panics unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(temp.path().join("home")).expect("made");
        std::fs::create_dir(temp.path().join("work")).expect("made");
        Self { temp }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.temp.path().join("data")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.temp.path().join("home")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.temp.path().join("work")
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payops"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.temp.path().join("home"))
            .env("USER", "tester")
            .env("PAYOPS_DATA_DIR", self.data_dir())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(
                std::env::var("PAYOPS_RECORD_AWS_CALLS")
                    .map(|file| ("PAYOPS_RECORD_AWS_CALLS", file)),
            )
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.command(args).output().expect("started").into()
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Done {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("ended");
        writer.join().unwrap();
        output.into()
    }

    /// Starts the platform and waits until it is ready.
    pub(crate) fn up(&self, args: &[&str]) -> Up {
        let mut all = vec!["local", "up", "-o", "json"];
        all.extend(args);
        let mut child = self
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).expect("read");
        if line.is_empty() {
            let done: Done = child.wait_with_output().expect("ended").into();
            panic!("the platform did not start: {}", done.err);
        }
        let ready = serde_json::from_str(&line).expect("JSON");
        Up {
            child: Some(child),
            ready,
            data_dir: self.data_dir(),
        }
    }
}

pub(crate) struct Up {
    child: Option<Child>,
    pub(crate) ready: Value,
    data_dir: PathBuf,
}

impl Up {
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What it says, from now on the caller's to read.
    pub(crate) fn stderr(&mut self) -> std::process::ChildStderr {
        self.child.as_mut().unwrap().stderr.take().unwrap()
    }

    pub(crate) fn stop(mut self) -> i32 {
        signal(self.pid(), "TERM");
        let status = self.child.take().unwrap().wait().expect("ended");
        status.code().unwrap_or(-1)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = &self.data_dir;
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .expect("kill");
    assert!(status.success());
}

/// Waits until `what` gives something, at most a minute.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{what} did not happen within a minute"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) fn line(key: &str, amount: i64, source: &str) -> String {
    format!(
        "{{\"idempotency_key\":\"{key}\",\"amount\":{amount},\"currency\":\"EUR\",\"source\":\"{source}\",\"reference\":\"REF-{key}\",\"customer\":{{\"email\":\"anna.{key}@example.com\"}}}}\n"
    )
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
