//! What becomes of an ingest when it, or its server, is ended in the middle.

use std::time::Duration;

use sqlx::Connection;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::{Place, assert_each_line_once, count_claims, ended, grown_to, refusal, settlement};
use crate::process::{Process, assert_consistent, terminate};
use crate::serving::on_sqlite;
use crate::support::on_own_postgres;

const RESULTS: &str = "day.ndjson.results.ndjson";
const REJECTS: &str = "day.ndjson.rejects.ndjson";
/// Ends every connection of the server.
pub(super) const KILL: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
     where datname = current_database() and application_name = 'greenlane'";

/// Every hundredth line is none, and every hundredth after those is refused by the server.
fn line(n: usize) -> String {
    match n % 100 {
        7 => format!("line {n} is no json"),
        57 => {
            let mut settlement = settlement(n);
            settlement["total_fen"] = (-1).into();
            settlement.to_string()
        }
        _ => settlement(n).to_string(),
    }
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|n| line(n) + "\n").collect()
}

async fn write_lines(stdin: &mut ChildStdin, numbers: std::ops::Range<usize>) {
    stdin.write_all(lines(numbers).as_bytes()).await.unwrap();
}

/// Results and rejects of `count` lines: each once, and those that are refused as they were.
#[track_caller]
fn assert_all_accounted_for(place: &Place, (results, rejects): (&str, &str), count: usize) {
    let rows = place.rows(results);
    assert_each_line_once(&rows, count);
    let mut expected = String::new();
    for (n, row) in rows.iter().enumerate() {
        if [7, 57].contains(&(n % 100)) {
            expected = expected + &line(n) + "\n";
            let place = expected.lines().count() as u64;
            assert_eq!(row["rejects_line"].as_u64(), Some(place), "{row}");
            assert!(!refusal(row).0.is_empty());
        } else {
            assert_eq!(row["settlement_id"], format!("S-{n}"), "{row}");
            assert!(row["claim_id"].is_string(), "{row}");
        }
    }
    assert!(place.read(rejects) == expected, "every reject once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_goes_on_where_it_was_and_accounts_for_each_line_once() {
    const LINES: usize = 4000;
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        place.write("day.ndjson", lines(0..LINES));
        let mut known = 1;
        for round in 0..3 {
            let mut child = place.spawn(&["day.ndjson"]);
            grown_to(&place.path(RESULTS), known + 200).await;
            child.kill().await.unwrap();
            let results = place.read(RESULTS);
            known = results.lines().count();
            assert!(known < LINES, "the kill must come in the middle: {known}");
            if round == 1 {
                // What a kill leaves that comes between the two files, and inside a row.
                place.write(RESULTS, results + "{\"file\":\"day.ndj");
                let rejects = place.read(REJECTS);
                place.write(REJECTS, rejects + "a line without its row\nand half a li");
            }
        }
        let ended = place.ingest(&["day.ndjson"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let summary = "4,000 lines: 3,920 accepted (";
        assert!(ended.out.starts_with(summary), "{ended:?}");
        assert_all_accounted_for(&place, (RESULTS, REJECTS), LINES);
        assert_eq!(count_claims(&database).await, "3920");
        assert_consistent(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_comes_back_is_gone_on_with() {
    on_sqlite(async |database| {
        let mut place = Place::prepare(&database).await;
        let mut child = place.spawn(&["-"]);
        let mut stdin = child.stdin.take().unwrap();
        let address = place.server.address.strip_prefix("http://").unwrap().to_owned();
        for round in 0..2 {
            let start = 1000 * round;
            write_lines(&mut stdin, start..start + 600).await;
            grown_to(&place.path("ingest.results.ndjson"), start + 100).await;
            place.server.kill().await;
            write_lines(&mut stdin, start + 600..start + 1000).await;
            place.server = Process::start_at(&address, &database, &[]).await;
        }
        write_lines(&mut stdin, 2000..2100).await;
        drop(stdin);
        let ended = ended(child).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("the connection was lost; trying again"), "{ended:?}");
        assert!(ended.out.starts_with("2,100 lines: 2,058 accepted ("), "{ended:?}");
        let files = ("ingest.results.ndjson", "ingest.rejects.ndjson");
        assert_all_accounted_for(&place, files, 2100);
        assert_eq!(count_claims(&database).await, "2058");
        assert_consistent(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shuts_down_is_waited_for() {
    on_sqlite(async |database| {
        let mut place = Place::prepare(&database).await;
        let mut child = place.spawn(&["-"]);
        let mut stdin = child.stdin.take().unwrap();
        write_lines(&mut stdin, 0..300).await;
        grown_to(&place.path("ingest.results.ndjson"), 100).await;
        let address = place.server.address.strip_prefix("http://").unwrap().to_owned();
        place.server.end().await;
        write_lines(&mut stdin, 300..600).await;
        drop(stdin);
        place.server = Process::start_at(&address, &database, &[]).await;
        let ended = ended(child).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_all_accounted_for(&place, ("ingest.results.ndjson", "ingest.rejects.ndjson"), 600);
        assert_eq!(count_claims(&database).await, "588");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_is_given_up_and_the_next_run_goes_on() {
    on_sqlite(async |database| {
        let mut place = Place::prepare(&database).await;
        let address = place.server.address.strip_prefix("http://").unwrap().to_owned();
        let mut child = place.spawn(&["-", "--give-up-after", "1"]);
        let mut stdin = child.stdin.take().unwrap();
        write_lines(&mut stdin, 0..100).await;
        grown_to(&place.path("ingest.results.ndjson"), 101).await;
        place.server.kill().await;
        write_lines(&mut stdin, 100..200).await;
        drop(stdin);
        let given_up = ended(child).await;
        assert_eq!(given_up.code, Some(1), "{given_up:?}");
        assert!(given_up.err.contains("gave up"), "{given_up:?}");
        assert!(given_up.err.contains("the same command again"), "{given_up:?}");
        let away = place.ingest_text(&lines(0..200), &["-"]).await;
        assert_eq!(away.code, Some(1), "{away:?}");
        assert!(away.err.contains("no server answers"), "{away:?}");
        place.server = Process::start_at(&address, &database, &[]).await;
        let ended = place.ingest_text(&lines(0..200), &["-"]).await;
        assert!(ended.out.starts_with("200 lines: 196 accepted ("), "{ended:?}");
        assert_all_accounted_for(&place, ("ingest.results.ndjson", "ingest.rejects.ndjson"), 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_stops_it_gets_what_was_answered_and_is_told_how_to_go_on() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let mut child = place.spawn(&["-"]);
        let mut stdin = child.stdin.take().unwrap();
        write_lines(&mut stdin, 0..150).await;
        grown_to(&place.path("ingest.results.ndjson"), 151).await;
        terminate(&child).await;
        // Standard input stays open: the signal alone must end it.
        let output = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await;
        let output = output.expect("it ends").unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains("stopped; say the same command again to go on"), "{err}");
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.starts_with("150 lines: 147 accepted (0 replayed)"), "{out}");
        drop(stdin);
        let ended = place.ingest_text(&lines(0..200), &["-"]).await;
        assert!(ended.out.starts_with("200 lines: 196 accepted (0 replayed)"), "{ended:?}");
        assert_all_accounted_for(&place, ("ingest.results.ndjson", "ingest.rejects.ndjson"), 200);
    })
    .await;
}

/// An answer that leaves the outcome open is none: taken for a refusal, it would hand lines that
/// nothing is wrong with to a person.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_connections_are_killed_costs_repeats_and_no_line() {
    const LINES: usize = 4000;
    on_own_postgres(async |database| {
        let place = Place::prepare(&database).await;
        place.write("day.ndjson", lines(0..LINES));
        let child = place.spawn(&["day.ndjson"]);
        let mut killer = sqlx::PgConnection::connect(&database.url).await.unwrap();
        let mut known = 0;
        while known < LINES {
            // Rows come in batches, so each strike falls into another moment of the server.
            grown_to(&place.path(RESULTS), known + 1).await;
            known = place.read(RESULTS).lines().count();
            sqlx::query(KILL).execute(&mut killer).await.unwrap();
        }
        let ended = ended(child).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.starts_with("4,000 lines: 3,920 accepted ("), "{ended:?}");
        assert!(ended.err.contains("; trying again"), "nobody noticed: {ended:?}");
        assert_all_accounted_for(&place, (RESULTS, REJECTS), LINES);
        assert_eq!(count_claims(&database).await, "3920");
        assert_consistent(&database).await;
    })
    .await;
}
