//! What the binary does without any platform: help, mistakes, exit codes, completions.

use std::process::Stdio;

use crate::common::Place;

#[test]
fn alone_it_says_what_to_do_next() {
    let done = Place::new().run(&[]).exits(2);
    assert_eq!(done.out, "");
    assert!(
        done.err.contains("payops demo --headless") && done.err.contains("payops dlq list"),
        "{}",
        done.err
    );
}

#[test]
fn help_goes_to_stdout_and_mistakes_to_stderr() {
    let place = Place::new();
    for args in [
        &["--help"][..],
        &["payment", "create", "--help"],
        &["--version"],
    ] {
        let done = place.run(args).exits(0);
        assert!(!done.out.is_empty() && done.err.is_empty(), "{args:?}");
    }
    for args in [
        &["nonsense"][..],
        &["payment"],
        &["payment", "get"],
        &["queue", "list", "-o", "xml"],
        &["payment", "create", "--amount", "1"],
    ] {
        let done = place.run(args).exits(2);
        assert!(done.out.is_empty() && !done.err.is_empty(), "{args:?}");
    }
}

#[test]
fn completions_and_manual_pages_are_made_from_the_command_line() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = place.run(&["completions", shell]).exits(0);
        assert!(
            done.out.contains("payops") && done.out.contains("reconcile"),
            "{shell}"
        );
    }
    assert!(place.run(&["man"]).exits(0).out.contains(".TH payops 1"));
    let dir = place.work().join("man");
    place.run(&["man", "--dir", dir.to_str().unwrap()]).exits(0);
    assert!(dir.join("payops-dlq-replay.1").exists() && dir.join("payops.1").exists());
}

#[test]
fn without_a_platform_each_command_says_what_to_do() {
    let place = Place::new();
    for args in [
        &["queue", "list"][..],
        &["local", "status"],
        &["payment", "search", "x"],
        &["dlq", "list", "-o", "json"],
    ] {
        let done = place.run(args).exits(5);
        assert!(done.out.is_empty(), "{args:?}: {}", done.out);
        assert!(
            done.err.contains("hint: ") && done.err.contains("payops local up"),
            "{args:?}: {}",
            done.err
        );
    }
    let json = place.run(&["queue", "list", "-o", "json"]).exits(5);
    let last: serde_json::Value = serde_json::from_str(json.err.lines().last().unwrap()).unwrap();
    assert_eq!(
        (
            last["error"]["kind"].as_str(),
            last["error"]["exit"].as_u64()
        ),
        (Some("not_found"), Some(5))
    );
    assert!(!place.data_dir().exists(), "looking makes nothing");
}

#[test]
fn mistakes_of_single_values_are_named() {
    let place = Place::new();
    let create = |currency: &str, amount: &str| {
        place
            .run(&[
                "payment",
                "create",
                "--amount",
                amount,
                "--currency",
                currency,
                "--source",
                "tok_visa",
                "--email",
                "a@example.com",
            ])
            .exits(2)
            .err
    };
    assert!(create("EUR", "12.5").contains("EUR has 2 decimals"));
    assert!(create("JPY", "12.00").contains("JPY has 0 decimals"));
    assert!(create("eur", "12").contains("three upper-case letters"));
    assert!(
        place
            .run(&["payment", "get", "pay_1"])
            .exits(2)
            .err
            .contains("not a payment ID")
    );
    assert!(
        place
            .run(&["queue", "list", "--env", "prd"])
            .exits(2)
            .err
            .contains("environments are prod, preprod, test")
    );
    assert!(
        place
            .run(&["queue", "list", "--reveal"])
            .exits(3)
            .err
            .contains("--reason")
    );
    assert!(
        place
            .run(&[
                "payment",
                "cancel",
                "pay_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "--env",
                "prod,test"
            ])
            .exits(2)
            .err
            .contains("one environment")
    );
    assert!(
        place
            .run(&["payment", "search", "colour:red"])
            .exits(2)
            .err
            .contains("fields are id, email")
    );
}

#[test]
fn the_file_says_which_environments_there_are() {
    let place = Place::new();
    place.file(
        "payops.toml",
        "[environments.prod]\nkind = \"aws\"\naccount_id = \
        \"471122334455\"\napi_key_env = \"X_KEY\"\n[environments.lab]\nkind = \"embedded\"\n",
    );
    let done = place.run(&["queue", "list"]).exits(2);
    assert!(done.err.contains("declares lab, prod"), "{}", done.err);
    let explained = place
        .command(&["config", "explain", "-o", "json"])
        .env("X_KEY", "sk_live_secret")
        .output()
        .unwrap();
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(!text.contains("sk_live_secret"), "{text}");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let row = |name: &str| {
        rows.iter()
            .find(|row| row["name"] == name)
            .unwrap_or_else(|| panic!("{name} in {text}"))
    };
    assert_eq!(row("environments.prod.account_id")["value"], "471122334455");
    assert_eq!(row("environments.prod.api_key")["value"], "•••");
    assert!(
        row("data_dir")["source"]
            .as_str()
            .unwrap()
            .contains("PAYOPS_DATA_DIR")
    );
    place.file(
        "payops.toml",
        "[environments.prod]\nkind = \"aws\"\ntabel = \"x\"\n",
    );
    assert!(place.run(&["queue", "list"]).exits(2).err.contains("tabel"));
}

#[test]
fn fields_of_the_search_are_listed() {
    let done = Place::new()
        .run(&["payment", "search", "--fields", "-o", "json"])
        .exits(0);
    assert_eq!(done.json()[0]["field"], "id");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::new();
    let mut child = place
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = place
        .command(&["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the output"));
}

/// The words of a command up to a pipe, a redirection or `&&`; quotes group words.
fn split_command(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('|' | '>' | '&' | '\\' | '#', None) => break,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of a document: lines of its blocks, and spans of code.
pub(crate) fn commands_of(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut is_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
            continue;
        }
        let spans: Vec<&str> = if is_block {
            vec![line.trim()]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for span in spans {
            let span = span.trim_start_matches("$ ");
            let span = span.trim_start_matches("target/debug/");
            if let Some(command) = span.strip_prefix("payops ") {
                found.push(split_command(command));
            }
        }
    }
    found
}

#[test]
fn every_command_in_the_documents_is_one() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut commands = std::collections::BTreeSet::new();
    for folder in [".", "docs", "docs/runbooks"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|end| end == "md") && !path.ends_with("CHANGELOG.md") {
                let text = std::fs::read_to_string(&path).expect("a document");
                commands.extend(commands_of(&text));
            }
        }
    }
    assert!(commands.len() > 60, "{commands:?}");
    let place = Place::new();
    for command in commands {
        // With --help nothing runs; unknown commands, options and values are refused all the same.
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.first() {
            Some(&"COMMAND") => continue,
            Some(&"help") => {}
            _ => words.push("--help"),
        }
        let done = place.run(&words);
        assert_eq!(done.code, 0, "{command:?}: {}", done.err);
    }
}

/// The texts between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn architecture_names_files_and_functions_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("a document");
    let folders = [
        "core/",
        "ops/",
        "cli/",
        "tui/",
        "adapters/",
        "services/",
        "testkit/",
    ];
    let mut paths = 0;
    for path in quoted(&text) {
        if folders.iter().any(|folder| path.starts_with(folder)) && !path.contains([' ', '{', '*'])
        {
            assert!(root.join(path).exists(), "{path}");
            paths += 1;
        }
    }
    assert!(paths > 60, "only {paths} paths");
    // A step of a walk: `1. `file`, `function` and `function`: what happens there`.
    let mut steps = 0;
    for line in text.lines() {
        let Some((number, step)) = line.split_once(". `") else {
            continue;
        };
        let Some((step, _)) = step.split_once(": ").or_else(|| step.split_once(':')) else {
            continue;
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let step = format!("`{step}");
        let names = quoted(&step);
        let code = std::fs::read_to_string(root.join(names[0])).expect("a source file");
        for name in &names[1..] {
            let name = name.rsplit("::").next().expect("a name");
            let is_there = ["fn ", "struct ", "impl ", " for "].iter().any(|word| {
                code.match_indices(&format!("{word}{name}"))
                    .any(|(at, found)| {
                        !code[at + found.len()..]
                            .starts_with(|c: char| c.is_alphanumeric() || c == '_')
                    })
            });
            assert!(is_there, "{} in {}", name, names[0]);
        }
        steps += 1;
    }
    assert!(steps > 30, "only {steps} steps");
}

#[test]
fn a_hint_is_never_the_command_that_just_failed() {
    let place = Place::new();
    let file = place.file("payops.toml", "default_env = \"a\"\n\ncolour = 1\n");
    let done = place.run(&["config", "explain"]).exits(2);
    assert!(
        !done.err.contains("\\u{a}") && done.err.contains("\n    3 | colour = 1\n"),
        "{}",
        done.err
    );
    let hint = format!(
        "hint: correct line 3 of {}; docs/config.md lists the settings\n",
        file.display()
    );
    assert!(done.err.ends_with(&hint), "{}", done.err);
    std::fs::remove_file(file).expect("removed");
    let done = place.run(&["dlq", "list", "--filter", "@old"]).exits(5);
    assert!(
        done.err.ends_with(
            "hint: no filters are saved; save one with: payops dlq filter save old 'age > \
             duration(\"1h\")'\n"
        ),
        "{}",
        done.err
    );
    let done = place.run(&["dlq", "filter", "list"]).exits(0);
    assert_eq!(
        (done.out.as_str(), done.err.as_str()),
        ("", "no filters are saved\n")
    );
    let done = place.run(&["dlq", "filter", "list", "-o", "json"]).exits(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("[]\n", ""));
    let done = place.run(&["account", "login", "--env", "prod"]).exits(3);
    assert_eq!(
        done.err,
        "error: an elevation in prod requires a reason\nhint: add --reason TEXT\n"
    );
    let done = place.run(&["config", "explain"]).exits(0);
    assert!(
        done.out.contains("default (PAYOPS_API_KEY is not set)"),
        "{}",
        done.out
    );
    for topic in [&["help", "errors"][..], &["errors"]] {
        let done = place.run(topic).exits(0);
        assert!(done.out.contains("mfa_needed"), "{}", done.out);
    }
}
