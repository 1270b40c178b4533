//! What may stand in a file, where the outcome of each line goes, and what is refused as a whole.

use greenlane::pb::ErrorReason as Reason;
use serde_json::{Value, json};

use super::{Place, assert_each_line_once, count_claims, message, reason, refusal, settlement};
use crate::process::run;
use crate::serving::on_sqlite;
use crate::world::fixture;

fn with(n: usize, key: &str, value: Value) -> String {
    let mut settlement = settlement(n);
    settlement[key] = value;
    settlement.to_string()
}

/// Lines that cannot be used, each with the reason and the fields that must be told, and itself
/// mended.
fn bad_lines() -> Vec<(String, Reason, Vec<&'static str>, String)> {
    let good = |n| settlement(n).to_string();
    let sample = message("21_2304_above_green_ceiling");
    let amount = "\"medfee_sumamt\": ";
    assert!(sample.contains(amount), "the sample has changed");
    vec![
        ("370299194903120017 测试员".into(), Reason::MessageUnreadable, vec!["line"], good(100)),
        ("[\"370299194903120017\"]".into(), Reason::MessageUnreadable, vec!["line"], good(101)),
        (
            with(102, "totl_fen", json!(1)),
            Reason::InvalidField,
            vec!["settlement.totl_fen"],
            good(102),
        ),
        (
            with(103, "member", json!({"cert_no": 370_299_194_903_120_017_u64})),
            Reason::InvalidField,
            vec!["settlement.member.cert_no"],
            good(103),
        ),
        (
            with(104, "total_fen", json!("370299194903120017X")),
            Reason::InvalidField,
            vec!["settlement.total_fen"],
            good(104),
        ),
        (
            format!("{}{}", good(105), " ".repeat(4 * 1024 * 1024)),
            Reason::MessageTooLarge,
            vec![],
            good(105),
        ),
        // Short enough for a line, but not with its envelope.
        (
            format!("{{\"a\":\"{}\"}}", "x".repeat(4 * 1024 * 1024 - 8)),
            Reason::MessageTooLarge,
            vec![],
            good(106),
        ),
        (
            with(107, "total_fen", json!(-5)),
            Reason::InvalidField,
            vec!["settlement.total_fen"],
            good(107),
        ),
        (
            sample.replace(amount, "\"medfee_sumamt\": \"viel\", \"x\": "),
            Reason::InvalidField,
            vec!["output.setlinfo.medfee_sumamt"],
            sample,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_handed_back_and_nothing_is_left_behind_once_it_is_mended() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let bad = bad_lines();
        let first = message("18_composite_ingest_case_a_stay1");
        let mut lines = vec![format!("\u{feff}{first}"), format!("{}\r", settlement(1))];
        lines.extend([String::new(), "  ".to_owned()]);
        lines.extend(bad.iter().map(|(line, ..)| line.clone()));
        lines.extend([message("09_2304_error_response"), settlement(2).to_string()]);
        let input = lines.join("\n");
        let file = place.write("day.ndjson", &input);
        let ended = place.ingest(&[&file, "--sender", "H37029999001", "--infno", "2304"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let summary = "13 lines: 3 accepted (0 replayed), 1 without settlement, 9 refused\n";
        assert!(ended.out.starts_with(summary), "{ended:?}");
        assert!(ended.out.contains("day.ndjson.results.ndjson"), "{ended:?}");

        let rows = place.rows("day.ndjson.results.ndjson");
        let lines: Vec<u64> = rows.iter().map(|row| row["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], "blank ones are none");
        assert!(rows.iter().all(|row| row["file"] == "day.ndjson"));
        let first = &rows[0];
        assert_eq!(
            (&first["payout_fen"], &first["patient_share_fen"]),
            (&json!(3_220_718), &json!(500_000))
        );
        assert_eq!((&first["state"], &first["route"]), (&json!("APPROVED"), &json!("GREEN")));
        assert_eq!((&first["source"], &first["replayed"]), (&json!("370200"), &json!(false)));
        assert_eq!(first["settlement_id"], "370200G0000008800001");
        assert_eq!(rows[1]["settlement_id"], "S-1");
        assert_eq!(rows[11]["no_settlement"], "the platform answered infcode -1");
        let rejects = place.read("day.ndjson.rejects.ndjson");
        let handed_back: Vec<&str> = rejects.lines().collect();
        assert_eq!(handed_back.len(), bad.len());
        for (index, ((line, why, fields, _), row)) in bad.iter().zip(&rows[2..]).enumerate() {
            let (told, named) = refusal(row);
            assert_eq!((told, &named[..fields.len()]), (reason(*why), &fields[..]), "{row}");
            assert_eq!(row["rejects_line"].as_u64().unwrap(), index as u64 + 1);
            assert!(handed_back[index] == line, "line {index} is handed back as it was");
        }

        let mended: Vec<&str> = bad.iter().map(|(.., mended)| mended.as_str()).collect();
        let file = place.write("day.ndjson.rejects.ndjson", mended.join("\n"));
        let ended = place.ingest(&[&file]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let summary = "9 lines: 9 accepted (0 replayed), 0 without settlement, 0 refused\n";
        assert!(ended.out.starts_with(summary), "{ended:?}");
        assert!(!place.path("day.ndjson.rejects.ndjson.rejects.ndjson").exists());
        // The first run stays finished, and what was mended stays as it is.
        let ended =
            place.ingest(&["day.ndjson", "--sender", "H37029999001", "--infno", "2304"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.starts_with("already finished"), "{ended:?}");
        assert_eq!(place.read("day.ndjson.rejects.ndjson").lines().count(), bad.len());
        assert_eq!(count_claims(&database).await, "12");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_sent_in_the_order_of_its_names() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        std::fs::create_dir(place.path("day")).unwrap();
        let ended = place.ingest(&["day"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.err.contains("has no *.ndjson, *.jsonl, *.json, *.csv or *.zip"),
            "{ended:?}"
        );
        place.write("day/b.ndjson", format!("\u{feff}{}\n{}\n", settlement(3), settlement(4)));
        place.write("day/a.jsonl", format!("{}\n{}", settlement(1), settlement(2)));
        for other in ["day/c.txt", "day/a.jsonl.results.ndjson", "day/a.jsonl.rejects.ndjson"] {
            place.write(other, "no line of ours\n");
        }
        let ended = place.ingest(&["day/"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let told: Vec<String> = place
            .rows("day.results.ndjson")
            .iter()
            .map(|row| format!("{}:{} {}", row["file"], row["line"], row["settlement_id"]))
            .map(|text| text.replace('"', ""))
            .collect();
        assert_eq!(told, ["a.jsonl:1 S-1", "a.jsonl:2 S-2", "b.ndjson:1 S-3", "b.ndjson:2 S-4"]);
        // A file that comes later is what is left to do.
        place.write("day/c.ndjson", settlement(5).to_string());
        let ended = place.ingest(&["day"]).await;
        assert!(ended.out.starts_with("5 lines: 5 accepted (0 replayed)"), "{ended:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_a_file_like_any_other() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let text = format!("{}\nno json\n", settlement(1));
        let ended = place.ingest_text(&text, &["-"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(place.rows("ingest.results.ndjson").len(), 2);
        assert_eq!(place.read("ingest.rejects.ndjson"), "no json\n");
        let again = place.ingest_text(&text, &["-"]).await;
        assert!(again.out.starts_with("already finished"), "{again:?}");
        assert_eq!(again.code, Some(1), "as the run that finished");
        let more = format!("{text}{}\n", settlement(2));
        let ended = place.ingest_text(&more, &["-"]).await;
        assert!(ended.out.starts_with("3 lines: 2 accepted (0 replayed)"), "{ended:?}");
        let empty = place.ingest_text("", &["-", "--results", "none", "--rejects", "n"]).await;
        assert_eq!(empty.code, Some(0), "{empty:?}");
        assert!(empty.out.contains("0 lines: 0 accepted"), "{empty:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_other_input_are_refused_and_left_alone() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let text = format!("{}\n{}\nno json\n", settlement(1), settlement(2));
        place.write("a.ndjson", &text);
        assert_eq!(place.ingest(&["a.ndjson"]).await.code, Some(1));
        let results = place.read("a.ndjson.results.ndjson");
        let other = text.replace("S-2", "S-3");
        place.write("b.ndjson", &other);
        place.write("notes.txt", "my own notes\n");
        place.write("short.txt", "my own");
        place.write("old.rejects.ndjson", "370299194903120017\n");
        let results_name = "a.ndjson.results.ndjson";
        let cases: [(&[&str], &str); 6] = [
            (&["b.ndjson", "--results", results_name], "has the results of a.ndjson"),
            (&["a.ndjson", "--sender", "H1"], "another --sender"),
            (&["a.ndjson", "--infno", "2304"], "another --sender or --infno"),
            (&["a.ndjson", "--results", "notes.txt"], "no results file"),
            (&["a.ndjson", "--results", "short.txt"], "no results file"),
            (&["b.ndjson", "--rejects", "old.rejects.ndjson"], "stands there without its results"),
        ];
        for (arguments, why) in cases {
            let ended = place.ingest(arguments).await;
            assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
            assert!(ended.err.contains(why), "{arguments:?}: {ended:?}");
        }
        // Under the same name, changed in a line that is accounted for, and cut short.
        for changed in [&other, &text[..=text.find('\n').unwrap()]] {
            place.write("a.ndjson", changed);
            let ended = place.ingest(&["a.ndjson"]).await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.err.contains("results of other input"), "{ended:?}");
        }
        assert_eq!(place.read(results_name), results);
        assert_eq!(place.read("notes.txt"), "my own notes\n");
        assert_eq!(place.read("short.txt"), "my own");
        assert_eq!(place.read("old.rejects.ndjson"), "370299194903120017\n");
        assert_eq!(count_claims(&database).await, "2");
    })
    .await;
}

/// The rest of an input must not be sent beside rejects that somebody has begun to correct.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_that_were_changed_before_the_end_are_refused_and_left_alone() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let text = format!("no json\n{}\n", settlement(1));
        place.write("a.ndjson", &text);
        assert_eq!(place.ingest(&["a.ndjson"]).await.code, Some(1));
        place.write("a.ndjson", format!("{text}{}\n", settlement(2)));
        place.write("a.ndjson.rejects.ndjson", settlement(3).to_string());
        let ended = place.ingest(&["a.ndjson"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("was changed before its run had ended"), "{ended:?}");
        assert_eq!(place.read("a.ndjson.rejects.ndjson"), settlement(3).to_string());
        place.write("a.ndjson.rejects.ndjson", "no json\n");
        let ended = place.ingest(&["a.ndjson"]).await;
        assert!(ended.out.starts_with("3 lines: 2 accepted (0 replayed)"), "{ended:?}");
        assert_each_line_once(&place.rows("a.ndjson.results.ndjson"), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_words_exit_64_and_touch_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.ndjson");
    std::fs::write(&file, fixture("messages/04_2304_case_b.json")).unwrap();
    let file = file.to_str().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["ingest"], "FILE|DIR|-"),
        (&["ingest", file, "--sender", ""], "--sender"),
        (&["ingest", file, "--infno", "abcd"], "--infno"),
        (&["ingest", file, "--give-up-after", "0"], "--give-up-after"),
        (&["ingest", file, "--server", "nowhere"], "--server"),
        (&["ingest", file, "--results", file], "--results"),
        (&["ingest", file, "--rejects", file], "--rejects"),
    ];
    for (arguments, named) in cases {
        let ended = run(arguments, &[]).await;
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(named), "{arguments:?}: {ended:?}");
    }
    let missing = run(&["ingest", "/nowhere.ndjson"], &[]).await;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.err.contains("/nowhere.ndjson"), "{missing:?}");
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_do_not_share_a_results_file() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let mut first = place.spawn(&["-", "--results", "r", "--rejects", "j"]);
        let mut stdin = first.stdin.take().unwrap();
        let line = format!("{}\n", settlement(1));
        tokio::io::AsyncWriteExt::write_all(&mut stdin, line.as_bytes()).await.unwrap();
        super::grown_to(&place.path("r"), 2).await;
        let second = place.ingest_text(&line, &["-", "--results", "r", "--rejects", "j"]).await;
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(second.err.contains("another run writes to it"), "{second:?}");
        drop(stdin);
        let first = super::ended(first).await;
        assert_eq!(first.code, Some(0), "{first:?}");
    })
    .await;
}
