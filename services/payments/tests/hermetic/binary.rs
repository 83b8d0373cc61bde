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
