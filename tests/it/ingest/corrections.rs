//! A rejects file that was corrected and is sent again: it leaves no reject behind on the server, and
//! takes out none that it does not correct.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::Connection;

use super::forms::{COLUMNS, cells, gb18030, header, object, rejects_on_the_server};
use super::interruption::KILL;
use super::{Place, count_claims, ended, grown_to, refusal};
use crate::process::{assert_consistent, run};
use crate::serving::on_sqlite;
use crate::support::on_own_postgres;

/// A record by what it says, whatever the form of its file.
#[derive(Clone)]
enum Said {
    /// The nth settlement, with other values in these columns.
    Settlement(usize, Vec<(&'static str, &'static str)>),
    /// Nothing that can be read: JSON goes to the server, a row does not.
    Nonsense,
    /// Nothing that can be sent.
    Unsendable,
}

fn good(n: usize) -> Said {
    Said::Settlement(n, Vec::new())
}

fn with(n: usize, column: &'static str, value: &'static str) -> Said {
    Said::Settlement(n, vec![(column, value)])
}

fn nameless(n: usize) -> Said {
    with(n, "setl_id", "")
}

/// The two forms in which rejects come back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ndjson,
    Csv,
}

const FORMS: [Form; 2] = [Form::Ndjson, Form::Csv];

impl Form {
    /// The name of the input, or of the rejects of the nth run.
    fn name(self, runs: usize) -> String {
        let ending = if self == Form::Csv { "csv" } else { "ndjson" };
        format!("day.{ending}{}", format!(".rejects.{ending}").repeat(runs))
    }

    fn record(self, said: &Said) -> String {
        match (self, said) {
            (Form::Ndjson, Said::Settlement(n, others)) => {
                let mut object = object(*n);
                for (column, value) in others {
                    object[*column] = json!(value);
                }
                object.to_string()
            }
            (Form::Csv, Said::Settlement(n, others)) => {
                let mut cells = cells(*n);
                for (column, value) in others {
                    let index = COLUMNS.iter().position(|(name, _)| name == column).unwrap();
                    (*value).clone_into(&mut cells[index]);
                }
                cells.join(",")
            }
            (Form::Ndjson, Said::Nonsense) => "{\"x\": 1}".to_owned(),
            (Form::Csv, Said::Nonsense | Said::Unsendable) => "甲,".to_owned(),
            (Form::Ndjson, Said::Unsendable) => "{".to_owned(),
        }
    }

    fn file(self, said: &[Said]) -> Vec<u8> {
        let records: String = said.iter().map(|it| self.record(it) + "\n").collect();
        match self {
            Form::Ndjson => records.into_bytes(),
            Form::Csv => gb18030(&(header(true) + "\n" + &records)),
        }
    }
}

/// Writes a file and sends it; gives what it was told, and what came of each record.
async fn sent(
    place: &Place,
    name: &str,
    content: Vec<u8>,
    options: &[&str],
) -> (crate::process::Ended, Vec<Value>) {
    place.write(name, content);
    let ended = place.ingest(&[&[name], options].concat()).await;
    (ended, place.rows(&format!("{name}.results.ndjson")))
}

fn reject_ids(rows: &[Value]) -> BTreeSet<String> {
    let ids = rows.iter().filter_map(|row| row["refused"]["reject_id"].as_str());
    ids.map(str::to_owned).collect()
}

async fn ids_on_the_server(place: &Place) -> BTreeSet<String> {
    rejects_on_the_server(place).await.into_iter().map(|it| it.reject_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_wrong_is_made_good_by_its_correction() {
    const PROFILE: &str =
        "profile_id = \"H1\"\nversion = \"1\"\nname = \"H1\"\nsource = \"370200\"\n";
    for form in FORMS {
        on_sqlite(async |database| {
            let place = Place::prepare(&database).await;
            let profile = place.write("h1.toml", PROFILE);
            let server = [("GREENLANE_SERVER", place.server.address.as_str())];
            let published = run(&["source", "publish", &profile], &server).await;
            assert_eq!(published.code, Some(0), "{published:?}");
            let first = [
                good(0),
                nameless(1),
                with(2, "setl_id", "S-2-370299194903120017-370299194903120017"),
                good(3),
                with(3, "medfee_sumamt", "7777.77"),
                Said::Nonsense,
                with(5, "mdtrtarea_admvs", ""),
                Said::Unsendable,
            ];
            let (ended, rows) = sent(&place, &form.name(0), form.file(&first), &[]).await;
            assert!(ended.out.starts_with("8 lines: 2 accepted"), "{ended:?}");
            assert_eq!(refusal(&rows[4]).0, "SETTLEMENT_CONFLICT");
            let listed = rejects_on_the_server(&place).await;
            let about: Vec<(&str, &str)> =
                listed.iter().map(|it| (&*it.source, &*it.settlement_id)).collect();
            let mut expected = vec![("370200", ""), ("370200", ""), ("370200", "S-3")];
            expected.extend((form == Form::Ndjson).then_some(("", "")));
            expected.push(("", "S-5"));
            assert_eq!(about, expected);
            assert_eq!(reject_ids(&rows), ids_on_the_server(&place).await);

            // The one whose platform nobody knew stays as it was: the sender knows it.
            let mended =
                [good(1), good(2), good(3), good(4), with(5, "mdtrtarea_admvs", ""), good(6)];
            let corrected = form.file(&mended);
            let (ended, rows) = sent(&place, &form.name(1), corrected, &["--sender", "H1"]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.out.starts_with("6 lines: 6 accepted (1 replayed)"), "{ended:?}");
            assert_eq!(rows.len(), 6);
            assert_eq!(rejects_on_the_server(&place).await, []);
            assert_eq!(count_claims(&database).await, "7");
            assert_consistent(&database).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_wrong_is_one_reject_with_its_new_reasons() {
    for form in FORMS {
        on_sqlite(async |database| {
            let place = Place::prepare(&database).await;
            let first = [nameless(1), nameless(2), nameless(3)];
            let (ended, rows) = sent(&place, &form.name(0), form.file(&first), &[]).await;
            assert!(ended.out.contains(" 3 refused"), "{ended:?}");
            let id = |row: &Value| row["refused"]["reject_id"].as_str().unwrap().to_owned();
            let (second, third) = (id(&rows[1]), id(&rows[2]));

            let again = [good(1), with(2, "setl_time", "2024-13-01"), Said::Unsendable];
            let (ended, rows) = sent(&place, &form.name(1), form.file(&again), &[]).await;
            assert!(ended.out.starts_with("3 lines: 1 accepted"), "{ended:?}");
            let listed = rejects_on_the_server(&place).await;
            assert_eq!(reject_ids(&rows), [second, third].into());
            assert_eq!(reject_ids(&rows), ids_on_the_server(&place).await, "one for each");
            let fields = &listed[0].refusal.as_ref().unwrap().field_violations;
            assert_eq!((fields.len(), &*fields[0].field), (1, "setl_time"));
            assert_eq!((&*listed[0].settlement_id, listed[0].attempts), ("S-2", 2));

            let (ended, _) = sent(&place, &form.name(2), form.file(&[good(2), good(3)]), &[]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert_eq!(rejects_on_the_server(&place).await, []);
            assert_eq!(count_claims(&database).await, "3");
        })
        .await;
    }
}

/// The records behind the one that is gone would take out the rejects of each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lacks_a_record_says_so_and_takes_out_nothing() {
    for form in FORMS {
        on_sqlite(async |database| {
            let place = Place::prepare(&database).await;
            let first = [nameless(1), nameless(2), nameless(3)];
            let (_, rows) = sent(&place, &form.name(0), form.file(&first), &[]).await;
            let corrected = form.file(&[good(2), good(3)]);
            let (ended, _) = sent(&place, &form.name(1), corrected, &[]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            let told = format!("has 2 records and {}.results.ndjson tells of 3", form.name(0));
            assert!(ended.err.contains(&told), "{ended:?}");
            assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
            assert_eq!(ids_on_the_server(&place).await, reject_ids(&rows));
            assert_eq!(count_claims(&database).await, "2");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_of_a_run_corrects_its_own_rejects() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        std::fs::create_dir(place.path("day")).unwrap();
        let file = |is_chinese: bool, said: &[Said]| {
            let rows: String = said.iter().map(|it| Form::Csv.record(it) + "\n").collect();
            header(is_chinese) + "\n" + &rows
        };
        place.write("day/1.csv", file(false, &[nameless(1), nameless(2)]));
        place.write("day/2.ndjson", Form::Ndjson.file(&[nameless(3), nameless(4)]));
        place.write("day/3.csv", file(true, &[nameless(5), nameless(6)]));
        let ended = place.ingest(&["day"]).await;
        assert!(ended.out.contains(" 6 refused"), "{ended:?}");
        let rows = place.rows("day.results.ndjson");
        let mut left = reject_ids(&rows);
        assert_eq!(left.len(), 6);
        for (name, content, own) in [
            ("day.rejects.ndjson", Form::Ndjson.file(&[good(3), good(4)]), 2..4),
            ("day.rejects-2.csv", file(true, &[good(5), good(6)]).into_bytes(), 4..6),
            ("day.rejects.csv", file(false, &[good(1), good(2)]).into_bytes(), 0..2),
        ] {
            let (ended, _) = sent(&place, name, content, &[]).await;
            assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{name}: {ended:?}");
            for id in reject_ids(&rows[own]) {
                left.remove(&id);
            }
            assert_eq!(ids_on_the_server(&place).await, left, "{name}");
        }
        assert_eq!(count_claims(&database).await, "6");
    })
    .await;
}

/// Nobody knows of which run such a file is, so it is not even spoken of.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_under_another_name_are_sent_like_any_file() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        place.write("day.csv", Form::Csv.file(&[nameless(1), nameless(2)]));
        let ended = place.ingest(&["day.csv", "--rejects", "mine.csv"]).await;
        assert!(ended.out.contains(" 2 refused"), "{ended:?}");
        let (ended, _) = sent(&place, "mine.csv", Form::Csv.file(&[good(1)]), &[]).await;
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
        let text = String::from_utf8(Form::Ndjson.file(&[good(2)])).unwrap();
        let ended = place.ingest_text(&text, &["-"]).await;
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
        // Named as rejects of that run would be, but it had no JSON to reject.
        let content = Form::Ndjson.file(&[good(1), good(2)]);
        let (ended, _) = sent(&place, "day.csv.rejects.ndjson", content, &[]).await;
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
        assert_eq!(rejects_on_the_server(&place).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_that_is_killed_goes_on_and_leaves_nothing_behind() {
    const COUNT: usize = 600;
    for form in FORMS {
        on_sqlite(async |database| {
            let place = Place::prepare(&database).await;
            let first: Vec<Said> = (0..COUNT).map(nameless).collect();
            let (ended, _) = sent(&place, &form.name(0), form.file(&first), &[]).await;
            assert!(ended.out.contains(" 600 refused"), "{ended:?}");
            let mended: Vec<Said> = (0..COUNT).map(good).collect();
            place.write(&form.name(1), form.file(&mended));
            let results = format!("{}.results.ndjson", form.name(1));
            let mut known = 1;
            for _ in 0..2 {
                let mut child = place.spawn(&[&form.name(1)]);
                grown_to(&place.path(&results), known + 100).await;
                child.kill().await.unwrap();
                known = place.read(&results).lines().count();
                assert!(known < COUNT, "the kill must come in the middle: {known}");
            }
            let ended = place.ingest(&[&form.name(1)]).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.out.starts_with("600 lines: 600 accepted ("), "{ended:?}");
            assert_eq!(rejects_on_the_server(&place).await, []);
            assert_eq!(count_claims(&database).await, "600");
            assert_consistent(&database).await;
        })
        .await;
    }
}

/// A record is taken in one transaction and its reject taken out in another: what becomes of the
/// second must not be forgotten because the first has succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn a_correction_beside_killed_connections_leaves_nothing_behind() {
    const COUNT: usize = 600;
    on_own_postgres(async |database| {
        let place = Place::prepare(&database).await;
        let form = Form::Ndjson;
        let first: Vec<Said> = (0..COUNT).map(nameless).collect();
        let (ended_first, _) = sent(&place, &form.name(0), form.file(&first), &[]).await;
        assert!(ended_first.out.contains(" 600 refused"), "{ended_first:?}");
        let mended: Vec<Said> = (0..COUNT).map(good).collect();
        place.write(&form.name(1), form.file(&mended));
        let results = format!("{}.results.ndjson", form.name(1));
        let child = place.spawn(&[&form.name(1)]);
        let mut killer = sqlx::PgConnection::connect(&database.url).await.unwrap();
        let mut known = 0;
        while known < COUNT {
            grown_to(&place.path(&results), known + 1).await;
            known = place.read(&results).lines().count();
            sqlx::query(KILL).execute(&mut killer).await.unwrap();
        }
        let ended = ended(child).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.err.contains("; trying again"), "nobody noticed: {ended:?}");
        assert_eq!(rejects_on_the_server(&place).await, []);
        assert_eq!(count_claims(&database).await, "600");
        assert_consistent(&database).await;
    })
    .await;
}
