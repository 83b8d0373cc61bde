//! The binary's edges: help, and settings that are not usable.

use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payops-payments"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("started")
}

#[test]
fn help_prints_every_variable() {
    let output = run(&["--help"], &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success());
    for name in [
        "PAYOPS_LISTEN",
        "PAYOPS_TABLE",
        "PAYOPS_BUS",
        "PAYOPS_PROVIDER_URL",
        "PAYOPS_WAIT",
        "PAYOPS_SWEEP_EVERY",
    ] {
        assert!(text.contains(name), "{name} in\n{text}");
    }
}

#[test]
fn every_problem_is_said_at_once_and_nothing_starts() {
    let output = run(&["now"], &[("PAYOPS_WAIT", "1m"), ("PAYOPS_TABLE", " ")]);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{text}");
    for problem in [
        "arguments are not supported",
        "PAYOPS_TABLE is not set",
        "PAYOPS_BUCKET",
        "PAYOPS_BUS",
        "PAYOPS_SEARCH_URL",
        "PAYOPS_WAIT must be",
    ] {
        assert_eq!(text.matches(problem).count(), 1, "{problem} in\n{text}");
    }
    assert!(output.stdout.is_empty());
}

fn migrate(variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_payops-migrate"))
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("started")
}

#[test]
fn a_migration_tells_settings_that_are_wrong_from_a_database_that_is_away() {
    let output = migrate(&[]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("PAYOPS_TABLE is not set"), "{text}");

    // A port that nobody listens on: it is free again when the listener is dropped.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let url = format!("postgres://payops:secret@127.0.0.1:{port}/ledger");
    let output = migrate(&[("PAYOPS_TABLE", "payops"), ("PAYOPS_LEDGER_URL", &url)]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("payops-migrate: "), "{text}");
    assert!(
        !text.contains("secret"),
        "the password is not printed: {text}"
    );
}
