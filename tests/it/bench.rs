//! `greenlane bench` on a small scale: it measures everything and leaves nothing behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::process::{command, run_within};
use crate::support::{Database, on_postgres};

/// A debug build starts half a dozen servers for it, beside other tests.
const RUN_MAX: Duration = Duration::from_mins(5);

/// Runs every part and returns what it wrote.
async fn measured(database_url: &str, json: &Path) -> Value {
    let json_path = json.to_str().unwrap();
    let arguments = [
        "bench",
        "--database",
        database_url,
        "--claims",
        "200",
        "--stored",
        "300",
        "--seconds",
        "1",
        "--idle-watchers",
        "50",
        "--json",
        json_path,
    ];
    let ended = run_within(RUN_MAX, &arguments, &[]).await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    eprintln!("{}", ended.out);
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

fn figure(run: &Value, name: &str) -> f64 {
    run[name].as_f64().unwrap_or_else(|| panic!("{name} of {run} is no number"))
}

/// What holds on any machine, however slow.
fn assert_sane(measured: &Value, modes: &[&str]) {
    let runs = measured["runs"].as_array().unwrap();
    let found: BTreeSet<&str> = runs.iter().map(|run| run["mode"].as_str().unwrap()).collect();
    assert_eq!(found, modes.iter().copied().collect());
    for run in runs.iter().filter(|run| run["mode"] != "idle") {
        assert!(figure(run, "claims_per_s") > 0.0, "{run}");
        if run["mode"].as_str().unwrap().starts_with("ingest") {
            assert_eq!(run["claims"], 200, "those of the stream: {run}");
            assert!(figure(run, "ratio") > 0.0, "{run}");
        } else {
            assert!(figure(run, "p50_ms") <= figure(run, "p99_ms"), "{run}");
        }
        assert_eq!(run["approved"], run["claims"], "{run}");
    }
    for (mode, callers) in [("stream", 1), ("unary", 1), ("unary", 16), ("unary", 64)] {
        let of_both_stages: Vec<&Value> =
            runs.iter().filter(|run| run["mode"] == mode && run["callers"] == callers).collect();
        assert_eq!(of_both_stages.len(), 2, "{mode} {callers}");
        for run in of_both_stages {
            assert!(figure(run, "claims") > 0.0, "{run}");
            assert!(figure(run, "ratio") > 0.0, "{run}");
        }
    }
    let stream = |index: usize| runs.iter().filter(|run| run["mode"] == "stream").nth(index);
    assert_eq!(stream(0).unwrap()["stored"], 0, "the first one finds empty tables");
    assert_eq!(stream(1).unwrap()["stored"], 300);
    let idle = runs.iter().find(|run| run["mode"] == "idle").unwrap();
    assert!(figure(idle, "rss_bytes") > figure(idle, "rss_before_bytes"), "{idle}");
    let bytes_per_claim = figure(measured, "bytes_per_claim");
    assert!((1_000.0..20_000.0).contains(&bytes_per_claim), "{bytes_per_claim}");
    assert!(figure(&measured["table_bytes"], "event") > 0.0);
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn everything_is_measured_on_sqlite_and_nothing_stays_behind() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.db");
    std::fs::write(&ledger, "somebody's ledger").unwrap();
    let before = names_in(directory.path());
    let out = tempfile::tempdir().unwrap();
    let json = out.path().join("figures.json");
    let measured = measured(&format!("sqlite://{}", ledger.display()), &json).await;
    let modes = [
        "baseline",
        "grow",
        "stream",
        "ingest_ndjson",
        "ingest_csv",
        "unary",
        "unary_beside_stream",
        "chain",
        "watch",
        "idle",
    ];
    assert_sane(&measured, &modes);
    assert_eq!(names_in(directory.path()), before);
    assert_eq!(std::fs::read_to_string(&ledger).unwrap(), "somebody's ledger");
}

#[tokio::test]
async fn everything_is_measured_on_postgres_and_nothing_stays_behind() {
    const TABLES: &str = "select count(*)::text from pg_class c \
         join pg_namespace n on n.oid = c.relnamespace where n.nspname = current_schema()";
    on_postgres(async |database: Database| {
        let out = tempfile::tempdir().unwrap();
        let measured = measured(&database.url, &out.path().join("figures.json")).await;
        let modes = [
            "baseline",
            "grow",
            "stream",
            "ingest_ndjson",
            "ingest_csv",
            "unary",
            "unary_beside_stream",
            "chain",
            "watch",
            "watch_other_process",
            "idle",
        ];
        assert_sane(&measured, &modes);
        assert_eq!(database.text(TABLES).await, "0", "the given schema is not touched");
        assert_no_schemas(&database).await;
    })
    .await;
}

/// Other benches may run at the same time in other processes, but none of this one's is left.
async fn assert_no_schemas(database: &Database) {
    const SCHEMAS: &str = "select coalesce(string_agg(nspname, ' '), '') from pg_namespace \
         where nspname like 'greenlane_bench_%'";
    assert_eq!(database.text(SCHEMAS).await, "");
}

/// Who gives up in the middle must not have to clean up by hand.
#[tokio::test]
async fn an_interrupted_run_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("ledger.db").display());
    let arguments = ["bench", "--database", &url, "--only", "stream,unary", "--seconds", "1"];
    let mut bench = command(&arguments, &[]).spawn().unwrap();
    let mut lines = BufReader::new(bench.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it prints runs").starts_with("stream") {}
    assert_eq!(names_in(directory.path()).len(), 1, "its throw-away directory");
    let pid = bench.id().unwrap();
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {pid}")]).status().await;
    assert!(kill.unwrap().success());
    let ended = tokio::time::timeout(RUN_MAX, bench.wait()).await.expect("it ends").unwrap();
    assert_eq!(ended.code(), Some(1));
    assert_eq!(names_in(directory.path()), BTreeSet::new());
}

#[tokio::test]
async fn what_cannot_work_is_said() {
    let cases = [
        (vec!["--database", "mysql://h/db"], 64, "must be sqlite://<path>"),
        (vec!["--database", "sqlite:///no/such/place/x.db"], 1, "cannot make a throw-away ledger"),
        (vec!["--database", "sqlite://x.db", "--claims", "0"], 64, "0 is not in 1..="),
        (vec!["--database", "postgres://127.0.0.1:1/x"], 1, "the database cannot be reached"),
    ];
    for (more, code, text) in cases {
        let mut arguments = vec!["bench"];
        arguments.extend(more);
        let ended = run_within(RUN_MAX, &arguments, &[]).await;
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert!(ended.err.contains(text), "{}", ended.err);
    }
}
