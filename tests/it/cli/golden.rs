//! `expand --json` and `alarms simulate --json` on every eighth golden case: line by line what the case says.

use serde_json::Value;

use crate::cli::{Folder, run};

/// Each case's command, the list of its answers, and how one of them must look.
async fn check(file: &str, list: &str, command: &[&str], keys: &[&str]) {
    let folder = Folder::new();
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let cases = std::fs::read_to_string(path).expect("a golden file");
    for line in cases.lines().step_by(8) {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| case[name].as_str().expect("a text");
        let ics = folder.file("case.ics", text("ics"));
        let window = ["--from", text("from"), "--to", text("to"), "--tz", text("default_tz"), "--json"];
        let out = run(&[command, &[&ics], &window].concat()).await.fine();
        let wanted = case[list].as_array().expect("a list");
        let found: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(found.len(), wanted.len(), "{}: {out}", text("id"));
        for (found, wanted) in found.iter().zip(wanted) {
            for key in keys {
                // An occurrence that is null in the golden file is not compared; other keys that it leaves out must be absent.
                let free = *key == "occurrence" && wanted[key].is_null();
                assert!(free || found.get(key) == wanted.get(key), "{}: {found} instead of {wanted}", text("id"));
            }
        }
    }
}

#[tokio::test]
async fn expand_prints_the_golden_answers() {
    check("expand.jsonl", "occurrences", &["expand"], &["uid", "start", "recurrence_id", "cancelled"]).await;
}

#[tokio::test]
async fn simulate_prints_the_golden_answers() {
    let keys = ["at", "uid", "occurrence", "action", "description"];
    check("alarms.jsonl", "alarms", &["alarms", "simulate"], &keys).await;
}
