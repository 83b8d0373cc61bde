//! Taking an environment from Terraform's outputs: shown first, written once, and never a secret.
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::common::{Place, read};

const ROLE: &str = "arn:aws:iam::471122334455:role/payops-view";

fn outputs() -> String {
    let whole = json!({
        "environment": "preprod", "account_id": "471122334455", "region": "eu-west-1", "table": "payops-preprod", "bucket": "archive",
        "bus": "payops", "audit_bus": "records", "queue_prefix": "preprod-", "ledger_secret_arn": "payops/ledger", "colour": "blue",
        "opensearch_url": "https://search", "cluster_name": "payops-preprod", "roles": {"view": ROLE},
    });
    json!({
        "payops": {"sensitive": false, "type": "dynamic", "value": whole},
        "vpc_id": {"sensitive": false, "type": "string", "value": "vpc-1"},
        "db_password": {"sensitive": true, "type": "string", "value": "hunter2"},
    })
    .to_string()
}

/// What `config explain` says of a setting: its value and where it comes from.
fn explained(place: &Place, name: &str) -> (Value, Value) {
    let rows = place
        .run(&["config", "explain", "-o", "json"])
        .exits(0)
        .json();
    let row = rows
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row["name"] == name)
        .cloned()
        .unwrap_or_default();
    (row["value"].clone(), row["source"].clone())
}

#[test]
fn outputs_become_an_environment_and_explain_says_where_from() {
    let place = Place::new();
    let file = place.file("out.json", outputs());
    let import = ["config", "import", file.to_str().expect("UTF-8")];
    let with = |more: &[&str]| place.run(&[&import[..], more].concat());
    let toml = place.work().join("payops.toml");
    let done = with(&["--dry-run"]).exits(0);
    assert!(
        done.out.contains("+ table = \"payops-preprod\"") && !toml.exists(),
        "{}",
        done.out
    );
    assert!(
        done.err
            .contains("ignored, because they are not settings: db_password, payops.colour, vpc_id"),
        "{}",
        done.err
    );
    let done = with(&[]).exits(3);
    assert!(
        done.err.contains("add --yes") && !toml.exists(),
        "{}",
        done.err
    );
    with(&["--yes"]).exits(0);
    let source = json!(toml.display().to_string());
    for (name, value) in [
        ("table", "payops-preprod"),
        ("audit_bus", "records"),
        ("queues.prefix", "preprod-"),
        ("ledger_url_secret", "payops/ledger"),
        ("roles.view", ROLE),
        ("account_id", "471122334455"),
    ] {
        assert_eq!(
            explained(&place, &format!("environments.preprod.{name}")),
            (json!(value), source.clone()),
            "{name}"
        );
    }
    assert!(!read(&toml).contains("hunter2"));
    let again = with(&[]).exits(0);
    assert!(again.out.contains("already up to date"), "{}", again.out);
}

#[test]
fn a_file_that_is_there_keeps_its_comments_its_mode_and_its_other_environments() {
    let place = Place::new();
    let text = "# The team's file.\n[environments.preprod]\nkind = \"aws\"\ntable = \"old\" # \
        renamed in May\nindex = \"payments\"\n\n[environments.lab]\nkind = \"embedded\"\n";
    let toml = place.file("payops.toml", text);
    std::fs::set_permissions(&toml, std::fs::Permissions::from_mode(0o640)).expect("set");
    let done = place
        .run_with_input(
            &["config", "import", "-", "--yes", "-o", "json"],
            outputs().as_bytes(),
        )
        .exits(0);
    let diff: Vec<String> = serde_json::from_value(done.json()["diff"].clone()).expect("lines");
    assert!(
        diff.contains(&"- table = \"old\" # renamed in May".to_owned())
            && done.json()["changed"] == true,
        "{diff:?}"
    );
    let now = read(&toml);
    for kept in [
        "# The team's file.\n",
        "table = \"payops-preprod\" # renamed in May\n",
        "index = \"payments\"\n",
        "[environments.lab]\n",
    ] {
        assert!(now.contains(kept), "{kept}: {now}");
    }
    assert_eq!(
        std::fs::metadata(&toml)
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o640
    );
    let files = std::fs::read_dir(place.work()).expect("read").count();
    assert_eq!(files, 1, "nothing is left beside it");
    // Another name makes another environment.
    place
        .run_with_input(
            &["config", "import", "-", "--yes", "--env", "staging"],
            outputs().as_bytes(),
        )
        .exits(0);
    assert!(read(&toml).starts_with(&now) && read(&toml).contains("[environments.staging]"));
}

#[test]
fn what_is_no_output_changes_nothing() {
    let place = Place::new();
    let sensitive =
        json!({"table": {"sensitive": true, "type": "string", "value": "hunter2"}}).to_string();
    let lab = place.file("lab.toml", "[environments.preprod]\nkind = \"embedded\"\n");
    for (input, args, code, told) in [
        ("", &[] as &[&str], 2, "the input is empty"),
        ("account_id = \"1\"\n", &[], 2, "the input is not JSON"),
        ("{}", &[], 2, "the input contains no outputs"),
        (
            "{\"table\": \"t\"}",
            &[],
            2,
            "looks like a single output, not all of them",
        ),
        (
            sensitive.as_str(),
            &["--env", "preprod"],
            3,
            "output `table` is marked as sensitive",
        ),
        (
            &outputs(),
            &["--env", "a,b"],
            2,
            "the outputs describe one environment",
        ),
        (
            &outputs(),
            &["--env", "a.b"],
            2,
            "`a.b` is not a valid environment name",
        ),
        (
            &outputs(),
            &["--to", lab.to_str().expect("UTF-8")],
            2,
            "is of kind embedded",
        ),
        (
            &outputs(),
            &["--to", "no/where.toml"],
            1,
            "could not be written",
        ),
    ] {
        let args = [&["config", "import", "-", "--yes"], args].concat();
        let done = place.run_with_input(&args, input.as_bytes()).exits(code);
        assert!(
            done.err.contains(told) && !done.err.contains("hunter2"),
            "{told}: {}",
            done.err
        );
    }
    place.run(&["config", "import"]).exits(2);
    place.run(&["config", "import", "not-there.json"]).exits(2);
    place
        .run(&["config", "import", "-", "--yes", "--dry-run"])
        .exits(2);
    assert!(!place.work().join("payops.toml").exists());
}
