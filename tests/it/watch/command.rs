//! `greenlane watch` as people and programs use it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{nth, send};
use crate::process::{Process, Running, run};
use crate::serving::{connect, on_sqlite, persons};
use crate::support::Database;
use crate::world::open_ledger;

const MEMBERS: usize = 7;

/// A server process with this many events that watchers are told.
async fn serve(database: &Database, events: usize) -> Process {
    open_ledger(database, &persons(MEMBERS)).await.drain().await;
    let process = Process::start(database, &[]).await;
    send(&connect(&process.address).await, (0..events).map(|n| nth(n, MEMBERS))).await;
    process
}

/// The settlements of the events among lines of JSON.
fn settlements(lines: &[String]) -> Vec<String> {
    let read = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["resume_token"].is_string(), "{line}");
        Some(line["event"]["settlement_id"].as_str()?.to_owned())
    };
    lines.iter().filter_map(read).collect()
}

fn ids(range: std::ops::Range<usize>) -> BTreeSet<String> {
    range.map(|n| format!("W-{n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_after_the_other_tells_everything_once() {
    on_sqlite(async |database| {
        let process = serve(&database, 30).await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("place");
        let arguments = [
            "watch",
            "--once",
            "--json",
            "--include-existing",
            "--token-file",
            file.to_str().unwrap(),
        ];
        let channel = connect(&process.address).await;
        for round in 0..3 {
            let ended = run(&arguments, &[("GREENLANE_SERVER", &process.address)]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            let lines: Vec<_> = ended.out.lines().map(str::to_owned).collect();
            let told = settlements(&lines);
            let new = if round == 0 { 0..30 } else { 20 + round * 10..30 + round * 10 };
            assert_eq!(told.len(), new.len(), "round {round}");
            assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), ids(new), "round {round}");
            send(&channel, (30 + round * 10..40 + round * 10).map(|n| nth(n, MEMBERS))).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_by_itself_when_its_server_is_killed_and_comes_back() {
    on_sqlite(async |database| {
        let mut process = serve(&database, 10).await;
        let address = process.address.clone();
        let mut watch = Running::start(&["watch", "--json", "--include-existing"], &address);
        let mut told = Vec::new();
        for life in 1..=3 {
            while told.len() < life * 10 {
                let line = watch.line().await.expect("it goes on");
                told.extend(settlements(&[line]));
            }
            process.kill().await;
            let listen = address.strip_prefix("http://").unwrap();
            process = Process::start_at(listen, &database, &[]).await;
            let new = (life * 10..life * 10 + 10).map(|n| nth(n, MEMBERS));
            send(&connect(&address).await, new).await;
        }
        while told.len() < 40 {
            told.extend(settlements(&[watch.line().await.expect("it goes on")]));
        }
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), ids(0..40));
        assert!(watch.terminate().await.success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_one_line_for_each_event_in_their_language() {
    on_sqlite(async |database| {
        let process = serve(&database, 5).await;
        let server = [("GREENLANE_SERVER", process.address.as_str())];
        let all = ["watch", "--once", "--include-existing"];
        let ended = run(&all, &server).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.out.lines().count(), 5);
        assert!(ended.out.contains("APPROVED by the green channel"), "{}", ended.out);
        assert!(ended.err.contains("--resume-token "), "how to go on: {}", ended.err);
        let chinese = run(&[&all[..], &["--lang", "zh"]].concat(), &server).await;
        assert!(chinese.out.contains("绿色通道通过"), "{}", chinese.out);
        let none = run(&[&all[..], &["--state", "denied"]].concat(), &server).await;
        assert_eq!((none.code, &*none.out), (Some(0), ""));
        let hospital = super::hospital(1);
        let one = [&all[..], &["--hospital", &hospital, "--state", "approved"]].concat();
        assert_eq!(run(&one, &server).await.out.lines().count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_leaves_ends_the_watch_in_silence() {
    on_sqlite(async |database| {
        let process = serve(&database, 5).await;
        let mut watch = Running::start(&["watch", "--include-existing"], &process.address);
        watch.line().await.expect("the first event");
        let channel = connect(&process.address).await;
        let ended = watch.ended();
        let writing = async {
            // Enough for a full pipe, whatever was printed before.
            send(&channel, (5..1000).map(|n| nth(n, MEMBERS))).await;
        };
        let (status, ()) = tokio::join!(ended, writing);
        assert!(status.success(), "{status}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_watched_is_told_and_ends() {
    on_sqlite(async |database| {
        let process = serve(&database, 1).await;
        let cases: [(&[&str], i32, &str); 5] = [
            (&["--state", "lost"], 64, "information-requested"),
            (&["--resume-token", "nonsense"], 1, "ERROR_REASON_TOKEN_FOREIGN"),
            (&["--member-id", "nobody"], 1, "filter.member_id"),
            (&["--resume-token", "x", "--include-existing"], 64, "--include-existing"),
            (&["--server", "http://127.0.0.1:1"], 1, "no server answers"),
        ];
        for (flags, code, why) in cases {
            let arguments = [&["watch", "--once"], flags].concat();
            let ended = run(&arguments, &[("GREENLANE_SERVER", &process.address)]).await;
            assert_eq!(ended.code, Some(code), "{flags:?}: {ended:?}");
            assert!(ended.err.contains(why), "{flags:?}: {ended:?}");
        }
    })
    .await;
}
