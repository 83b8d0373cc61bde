//! Nothing but the guarded act asks the policy or adds to the audit record.

use std::fs;
use std::path::{Path, PathBuf};

/// Source files of the workspace, tests left out, with the part before their own tests.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut out = Vec::new();
    let mut folders = vec![root.canonicalize().expect("the workspace")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                let is_code = !matches!(name.as_str(), "target" | "tests" | "benches");
                if is_code && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).expect("a source file");
                let code = text
                    .split("#[cfg(test)]\nmod tests")
                    .next()
                    .unwrap_or_default();
                out.push((path, code.to_owned()));
            }
        }
    }
    assert!(out.len() > 300, "only {} source files", out.len());
    out
}

/// The files that hold `text`, by their path in the workspace.
fn holders(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().expect("the workspace");
    let mut out: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| code.contains(text))
        .map(|(path, _)| {
            path.strip_prefix(&root)
                .expect("inside")
                .display()
                .to_string()
        })
        .collect();
    out.sort();
    out
}

#[test]
fn only_the_guarded_act_asks_the_policy() {
    let outside = |text| {
        let mut files = holders(text);
        files.retain(|file| !file.starts_with("core/src/domain/access/"));
        files
    };
    assert_eq!(outside("AccessRequest"), ["ops/src/act.rs"]);
    assert_eq!(outside("policy.decide("), ["ops/src/act.rs"]);
    // Asking what the policy would say, to show it in a plan: no act is decided by the answer.
    assert_eq!(
        outside(".would_refuse("),
        [
            "cli/src/consent.rs",
            "ops/src/dead_letters/for_screen.rs",
            "ops/src/dead_letters/plan.rs",
            "ops/src/dead_letters/queue.rs",
        ]
    );
}

#[test]
fn only_the_guarded_act_adds_to_the_record() {
    for text in [
        "audit::append",
        "audit::{append",
        "append(&self.records_dir()",
    ] {
        let files = holders(text);
        assert!(
            files.iter().all(|file| file == "ops/src/act.rs"),
            "{text}: {files:?}"
        );
    }
    assert_eq!(holders("audit::append("), ["ops/src/act.rs"]);
    // The name of the file, by which it could be written without that function.
    assert_eq!(holders("\"audit.jsonl\""), ["ops/src/audit/mod.rs"]);
    assert_eq!(
        holders("fn append(dir: &Path, entry"),
        ["ops/src/audit/mod.rs"]
    );
    // The port of the record reads, so that whoever is handed it cannot write.
    let port =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/port/audit.rs"));
    assert!(!port.expect("the port").contains("fn append"));
}

#[test]
fn the_command_line_and_the_screen_open_nothing_to_write() {
    for text in ["Access::Write", "RolloutActions"] {
        let files = holders(text);
        let wrong: Vec<&String> = files
            .iter()
            .filter(|file| file.starts_with("cli/") || file.starts_with("tui/"))
            .collect();
        assert!(wrong.is_empty(), "{text} in {wrong:?}");
    }
}
