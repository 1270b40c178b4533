//! The forms of files: whichever it is, the same settlements make the same claims, what is refused
//! comes back as it was, and a run that was killed goes on.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use greenlane::pb;
use greenlane::pb::claim_service_client::ClaimServiceClient;
use greenlane::pb::intake_service_client::IntakeServiceClient;
use serde_json::{Value, json};

use super::{MEMBERS, Place, assert_nothing_personal, count_claims, grown_to, message, refusal};
use crate::process::assert_consistent;
use crate::serving::{cert, connect, on_sqlite};

/// The columns of a table: the national name, and what a Chinese header calls it.
pub(super) const COLUMNS: [(&str, &str); 20] = [
    ("setl_id", "结算ID"),
    ("mdtrtarea_admvs", "就医地医保区划"),
    ("fixmedins_code", "定点医药机构编号"),
    ("mdtrt_id", "就诊ID"),
    ("psn_name", "人员姓名"),
    ("psn_cert_type", "证件类型"),
    ("certno", "证件号码"),
    ("gend", "性别"),
    ("insutype", "险种"),
    ("med_type", "医疗类别"),
    ("begntime", "入院日期"),
    ("endtime", "出院日期"),
    ("setl_time", "结算时间"),
    ("medfee_sumamt", "医疗费总额"),
    ("fulamt_ownpay_amt", "全自费"),
    ("inscp_scp_amt", "符合政策范围"),
    ("hifp_pay", "统筹基金"),
    ("fund_pay_sumamt", "基金支付总额"),
    ("psn_part_amt", "个人负担总金额"),
    ("psn_cash_pay", "个人现金支出"),
];

/// The cells of the nth settlement. Every fiftieth is of nobody on the roster.
pub(super) fn cells(n: usize) -> Vec<String> {
    let (out, scope, fund) = (100 + n % 50, 6000 + n % 700, 1500);
    let (total, personal) = (out + scope, out + scope - fund);
    let person = if n % 50 == 49 { 90_000_000 } else { n % MEMBERS };
    let yuan = |amount: usize| format!("{amount}.{:02}", if amount == fund { 0 } else { n % 100 });
    let cents = |amount: usize| format!("{amount}.00");
    let (total, personal) = (yuan(total), yuan(personal));
    [
        format!("S-{n}"),
        "370200".to_owned(),
        "H37029999001".to_owned(),
        format!("V-{n}"),
        "测试员".to_owned(),
        "01".to_owned(),
        cert(person),
        "1".to_owned(),
        "390".to_owned(),
        "21".to_owned(),
        "2024-03-01".to_owned(),
        "2024-03-15".to_owned(),
        format!("2024-03-15 11:{:02}:26", n % 60),
        total,
        yuan(out),
        cents(scope),
        cents(fund),
        cents(fund),
        personal.clone(),
        personal,
    ]
    .into()
}

fn row(n: usize) -> String {
    cells(n).join(",")
}

pub(super) fn header(is_chinese: bool) -> String {
    COLUMNS.map(|(name, chinese)| if is_chinese { chinese } else { name }).join(",")
}

fn table(is_chinese: bool, numbers: std::ops::Range<usize>) -> String {
    let rows: String = numbers.map(|n| row(n) + "\r\n").collect();
    header(is_chinese) + "\r\n" + &rows
}

/// The nth settlement as a push of the bureau.
pub(super) fn object(n: usize) -> Value {
    let facts = COLUMNS.iter().zip(cells(n)).map(|((name, _), cell)| (name, json!(cell)));
    facts.map(|(name, cell)| ((*name).to_owned(), cell)).collect()
}

fn ndjson(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|n| object(n).to_string() + "\n").collect()
}

fn array(numbers: std::ops::Range<usize>) -> String {
    serde_json::to_string_pretty(&numbers.map(object).collect::<Vec<_>>()).unwrap()
}

pub(super) fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn packed(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Every claim by its settlement, without what differs from ledger to ledger.
async fn claims(place: &Place) -> BTreeMap<String, String> {
    let mut client = ClaimServiceClient::new(connect(&place.server.address).await);
    let mut claims = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListClaimsRequest {
            page_size: 1000,
            page_token,
            ..pb::ListClaimsRequest::default()
        };
        let page = client.list_claims(request).await.unwrap().into_inner();
        for mut claim in page.claims {
            for payout in &mut claim.payouts {
                payout.payout_id = String::new();
                payout.create_time = None;
            }
            let what = format!(
                "{:?} {:?} {:?} {:?} {:?} {:?}",
                claim.state(),
                claim.route(),
                claim.review_reasons,
                claim.settlement,
                claim.decision,
                claim.payouts.iter().map(|it| it.amount_fen).collect::<Vec<_>>()
            );
            let id = claim.settlement.unwrap().settlement_id;
            assert_eq!(claims.insert(id, what), None);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return claims;
        }
    }
}

pub(super) async fn rejects_on_the_server(place: &Place) -> Vec<pb::Reject> {
    let mut client = IntakeServiceClient::new(connect(&place.server.address).await);
    let request = pb::ListRejectsRequest { page_size: 100, ..pb::ListRejectsRequest::default() };
    client.list_rejects(request).await.unwrap().into_inner().rejects
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_settlements_make_the_same_claims_in_whatever_form() {
    const COUNT: usize = 5000;
    let third = COUNT / 3;
    let parts = || {
        vec![
            ("a/1.ndjson", ndjson(0..third).into_bytes()),
            ("a/2.csv", gb18030(&table(true, third..2 * third))),
            ("b.json", array(2 * third..COUNT).into_bytes()),
        ]
    };
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("day.ndjson", ndjson(0..COUNT).into_bytes()),
        ("utf8.csv", table(false, 0..COUNT).into_bytes()),
        ("mark.csv", format!("\u{feff}{}", table(true, 0..COUNT)).into_bytes()),
        ("gb18030.csv", gb18030(&table(true, 0..COUNT))),
        ("day.json", array(0..COUNT).into_bytes()),
        ("day.zip", packed(&parts())),
    ];
    let found = std::sync::Mutex::new(Vec::new());
    for (name, content) in files.into_iter().chain([("folder", Vec::new())]) {
        on_sqlite(async |database| {
            let place = Place::prepare(&database).await;
            if name == "folder" {
                std::fs::create_dir_all(place.path("folder/a")).unwrap();
                for (part, content) in parts() {
                    place.write(&format!("folder/{part}"), content);
                }
            } else {
                place.write(name, &content);
            }
            let ended = place.ingest(&[name]).await;
            assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
            assert!(ended.out.starts_with("5,000 lines: 5,000 accepted"), "{name}: {ended:?}");
            assert_eq!(place.rows(&format!("{name}.results.ndjson")).len(), COUNT);
            let claims = claims(&place).await;
            assert_eq!(claims.len(), COUNT, "{name}");
            found.lock().unwrap().push((name.to_owned(), claims));
        })
        .await;
    }
    let found = found.into_inner().unwrap();
    let (_, expected) = &found[0];
    for (name, claims) in &found[1..] {
        for (id, claim) in claims {
            assert_eq!(claim, &expected[id], "{name}");
        }
    }
    // They differ from each other, or their comparison says nothing.
    assert!(expected.values().any(|it| it.starts_with("Approved Green")));
    assert!(expected.values().any(|it| !it.starts_with("Approved Green")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_header_is_told_as_a_whole_and_nothing_of_its_file_is_sent() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        std::fs::create_dir(place.path("day")).unwrap();
        place.write("day/a.ndjson", ndjson(0..3));
        place.write("day/b.csv", format!("setl_idd,测试员,mdtrt_id,就诊ID\n{}\n", row(3)));
        place.write("day/c.json", array(4..6));
        place.write("day/notes.txt", "x");
        let ended = place.ingest(&["day"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for told in [
            "files of other forms are left out: 1 (notes.txt)",
            "b.csv line 1 column 1: is unknown (did you mean `setl_id`?)",
            "b.csv line 1 column 2: is unknown\n",
            "b.csv line 1 column 4: is given twice: column 3 is the same",
            "b.csv line 1: the column medfee_sumamt (医疗费总额) is missing",
            "b.csv line 1: the column certno (证件号码) or psn_no (人员编号) is missing",
        ] {
            assert!(ended.err.contains(told), "{told}: {ended:?}");
        }
        assert_eq!(count_claims(&database).await, "3", "what stands before it");
        let again = place.ingest(&["day"]).await;
        assert!(again.out.starts_with("3 lines: 3 accepted (0 replayed)"), "{again:?}");
        place.write("day/b.csv", table(true, 3..4));
        let ended = place.ingest(&["day"]).await;
        assert!(ended.out.starts_with("6 lines: 6 accepted (0 replayed)"), "{ended:?}");
        let zip = [("a.csv", b"x".to_vec()), ("b.zip", b"x".to_vec())];
        place.write("nested.zip", packed(&zip));
        let ended = place.ingest(&["nested.zip"]).await;
        assert!(ended.err.contains("b.zip: is an archive in an archive"), "{ended:?}");
        for wrong in [["-", "--format", "zip"], ["day", "--format", "csv"]] {
            assert_eq!(place.ingest(&wrong).await.code, Some(64), "{wrong:?}");
        }
    })
    .await;
}

/// The column that a refusal names, 0 for the whole row, and its field.
type Named = (u64, &'static str);

/// Row by row: what stands in it, what is told if it is bad, and the row mended.
fn bad_rows() -> Vec<(String, Option<Named>, String)> {
    let with = |n: usize, column: &str, cell: &str| {
        let mut cells = cells(n);
        let index = COLUMNS.iter().position(|(name, _)| *name == column).unwrap();
        cell.clone_into(&mut cells[index]);
        cells.join(",")
    };
    let long = "3702991950".repeat(6);
    vec![
        (row(0), None, row(0)),
        (with(1, "medfee_sumamt", "viel"), Some((14, "medfee_sumamt")), row(1)),
        (with(2, "certno", "3.70299E+17"), Some((7, "certno")), row(2)),
        (with(3, "certno", &long), Some((7, "certno")), row(3)),
        (row(4) + ",", Some((0, "row")), row(4)),
        (with(5, "fulamt_ownpay_amt", "-1"), Some((15, "fulamt_ownpay_amt")), row(5)),
        (with(6, "psn_name", "\"测试员\n甲\""), Some((5, "psn_name")), row(6)),
        (with(7, "setl_time", "yesterday"), Some((13, "setl_time")), row(7)),
        (row(8), None, row(8)),
        (with(9, "psn_name", "\"测试员"), Some((5, "psn_name")), row(9)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_below_their_header_and_leave_nothing_behind_once_they_are_mended() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let bad = bad_rows();
        let file = |rows: &mut dyn Iterator<Item = &String>| {
            let rows: String = rows.map(|row| row.clone() + "\r\n").collect();
            gb18030(&(header(true) + "\r\n" + &rows))
        };
        place.write("day.csv", file(&mut bad.iter().map(|(row, ..)| row)));
        let ended = place.ingest(&["day.csv"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.starts_with("10 lines: 2 accepted (0 replayed)"), "{ended:?}");
        assert!(ended.err.contains("day.csv.rejects.csv"), "{ended:?}");
        let (mut line, mut rejects_line) = (2, 2);
        for ((row, why, _), result) in bad.iter().zip(place.rows("day.csv.results.ndjson")) {
            assert_eq!(result["line"], line, "{result}");
            assert!(result.get("column").is_none());
            if let Some((column, field)) = why {
                assert_eq!(refusal(&result).1, [*field], "{result}");
                let told = &result["refused"]["fields"][0];
                if *column > 0 {
                    assert_eq!(told["column"], *column, "{result}");
                    let spelling = COLUMNS[usize::try_from(*column).unwrap() - 1].1;
                    assert_eq!(told["header"], spelling, "{result}");
                }
                assert_eq!(result["rejects_line"], rejects_line, "{result}");
                assert!(result.get("rejects_file").is_none(), "{result}");
                rejects_line += 1 + row.matches('\n').count();
            }
            line += 1 + row.matches('\n').count();
        }
        let refused = || bad.iter().filter(|(_, why, _)| why.is_some());
        // The quote that is never closed takes the end of the file with it.
        let mut expected = file(&mut refused().map(|(row, ..)| row));
        expected.extend_from_slice(b"\r\n");
        let rejects = std::fs::read(place.path("day.csv.rejects.csv")).unwrap();
        assert!(rejects == expected, "every row as it was, below its header");
        assert!(!place.path("day.csv.rejects.ndjson").exists());
        assert_eq!(rejects_on_the_server(&place).await.len(), 5, "what was sent and refused");

        place.write("day.csv.rejects.csv", file(&mut refused().map(|(.., mended)| mended)));
        let ended = place.ingest(&["day.csv.rejects.csv"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.starts_with("8 lines: 8 accepted (0 replayed)"), "{ended:?}");
        assert_eq!(rejects_on_the_server(&place).await, []);
        assert_eq!(count_claims(&database).await, "10");
        let again = place.ingest(&["day.csv"]).await;
        assert!(again.out.starts_with("already finished"), "{again:?}");
        assert_consistent(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_come_back_on_one_line_and_leave_nothing_behind_once_they_are_mended() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let sample = message("04_2304_case_b").trim().to_owned();
        let wrong_amount =
            sample.replace("\"medfee_sumamt\": 168320.75", "\"medfee_sumamt\": \"?\"");
        let wrong_cert = object(1).to_string().replace(&cert(1), &"37".repeat(40));
        assert!(wrong_amount != sample && wrong_cert.contains(&"37".repeat(40)));
        let broken = "{\"setl_id\":\n  \"S-2\",, \"a\": 1}";
        let text =
            format!("[{},\n  {wrong_amount}, {wrong_cert},\n{broken} {}", object(0), object(3));
        place.write("day.json", &text);
        let ended = place.ingest(&["day.json"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.starts_with("5 lines: 1 accepted"), "{ended:?}");
        let rows = place.rows("day.json.results.ndjson");
        let places: Vec<String> =
            rows.iter().map(|row| format!("{}:{}", row["line"], row["column"])).collect();
        let third = format!("2:{}", wrong_amount.len() + 5);
        assert_eq!(places, ["1:2", "2:3", &third, "3:null", "4:19"]);
        assert_eq!(refusal(&rows[1]).1, ["output.setlinfo.medfee_sumamt"]);
        assert_eq!(refusal(&rows[2]).1, ["certno"]);
        let told = rows[3]["refused"]["fields"][0]["problem"].as_str().unwrap();
        assert!(told.ends_with("it is broken at line 4 column 9"), "{told}");
        let told = &rows[4]["refused"]["fields"][0];
        assert_eq!((&told["line"], &told["column"]), (&json!(4), &json!(19)));
        assert_eq!(told["problem"], "a comma is missing");
        let rejects = place.read("day.json.rejects.ndjson");
        let on_one_line = broken.replace('\n', " ");
        assert_eq!(
            rejects,
            format!("{wrong_amount}\n{wrong_cert}\n{on_one_line}\n{}\n", object(3))
        );
        assert_eq!(rejects_on_the_server(&place).await.len(), 2);
        let mended = [sample, object(1).to_string(), object(2).to_string(), object(3).to_string()];
        place.write("day.json.rejects.ndjson", mended.join("\n"));
        let ended = place.ingest(&["day.json.rejects.ndjson"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(rejects_on_the_server(&place).await, []);
        assert_eq!(count_claims(&database).await, "5");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_other_headers_have_rejects_of_their_own() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        std::fs::create_dir(place.path("day")).unwrap();
        place.write("day/1.csv", table(false, 0..1) + "x\n");
        place.write("day/2.csv", gb18030(&(table(true, 1..2) + "甲\n")));
        place.write("day/3.csv", table(false, 2..3) + "y\n");
        place.write("day/4.json", "[{]");
        let ended = place.ingest(&["day"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.starts_with("7 lines: 3 accepted"), "{ended:?}");
        let rows = place.rows("day.results.ndjson");
        let refused = rows.iter().filter(|row| row["refused"].is_object());
        let places: Vec<String> = refused
            .map(|row| format!("{} {} {}", row["file"], row["rejects_file"], row["rejects_line"]))
            .map(|text| text.replace('"', ""))
            .collect();
        assert_eq!(
            places,
            [
                "1.csv null 2",
                "2.csv day.rejects-2.csv 2",
                "3.csv null 3",
                "4.json day.rejects.ndjson 1"
            ]
        );
        assert_eq!(place.read("day.rejects.csv"), header(false) + "\r\nx\r\ny\r\n");
        let second = std::fs::read(place.path("day.rejects-2.csv")).unwrap();
        assert!(second == gb18030(&(header(true) + "\r\n甲\r\n")));
        assert_eq!(place.read("day.rejects.ndjson"), "{]\n");
        // Somebody's notes are not written over by the next run.
        let (results, rejects) = ("--results", "--rejects");
        place.write("r-2.csv", "my own notes");
        let ended = place.ingest(&["day", results, "again", rejects, "r"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("r-2.csv: stands there without its results"), "{ended:?}");
        assert_eq!(place.read("r-2.csv"), "my own notes");
    })
    .await;
}

/// Every hundredth row has a cell too many, and every hundredth after those a day that is none.
fn mixed_row(n: usize) -> String {
    match n % 100 {
        7 => row(n) + ",",
        57 => row(n).replace("2024-03-01", "2024-13-01"),
        _ => row(n),
    }
}

fn mixed_table(numbers: std::ops::Range<usize>) -> String {
    let rows: String = numbers.map(|n| mixed_row(n) + "\n").collect();
    header(true) + "\n" + &rows
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_archives_go_on_after_kills_and_account_for_each_record_once() {
    const COUNT: usize = 3000;
    let third = COUNT / 3;
    let bad = || (0..COUNT).filter(|n| [7, 57].contains(&(n % 100)));
    let member = |start: usize| gb18030(&mixed_table(start..start + third));
    let zip = [("1.csv", member(0)), ("2.csv", member(third)), ("3.csv", member(2 * third))];
    for (name, content) in [("day.csv", gb18030(&mixed_table(0..COUNT))), ("day.zip", packed(&zip))]
    {
        on_sqlite(async |database| {
            let place = Place::prepare(&database).await;
            place.write(name, &content);
            let results = format!("{name}.results.ndjson");
            let rejects = place.path(&format!("{name}.rejects.csv"));
            let mut known = 1;
            for round in 0..3 {
                let mut child = place.spawn(&[name]);
                grown_to(&place.path(&results), known + 200).await;
                child.kill().await.unwrap();
                let written = place.read(&results);
                known = written.lines().count();
                assert!(known < COUNT, "the kill must come in the middle: {known}");
                if round == 1 {
                    // What a kill leaves that comes between the two files, and inside a row.
                    place.write(&results, written + "{\"file\":\"1.c");
                    let mut kept = std::fs::read(&rejects).unwrap();
                    kept.extend_from_slice(b"a row without its result\nand half a r");
                    std::fs::write(&rejects, kept).unwrap();
                }
            }
            let ended = place.ingest(&[name]).await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.out.starts_with("3,000 lines: 2,940 accepted ("), "{ended:?}");
            let rows = place.rows(&results);
            assert_eq!(rows.len(), COUNT);
            for (n, row) in rows.iter().enumerate() {
                let is_bad = [7, 57].contains(&(n % 100));
                assert_eq!(row["refused"].is_object(), is_bad, "{row}");
                let line = if name == "day.csv" { n + 2 } else { n % third + 2 };
                assert_eq!(row["line"], line, "{row}");
                if !is_bad {
                    assert_eq!(row["settlement_id"], format!("S-{n}"), "{row}");
                }
            }
            let rows: String = bad().map(|n| mixed_row(n) + "\n").collect();
            let expected = gb18030(&(header(true) + "\n" + &rows));
            assert!(std::fs::read(&rejects).unwrap() == expected, "every reject once, in order");
            assert_eq!(count_claims(&database).await, "2940");
            assert_consistent(&database).await;
            assert_nothing_personal(&place.read(&results));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_has_the_form_that_is_said() {
    on_sqlite(async |database| {
        let place = Place::prepare(&database).await;
        let ended = place.ingest_text(&table(true, 0..2), &["-", "--format", "csv"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let more = ["-", "--format", "json", "--results", "r", "--rejects", "j"];
        let ended = place.ingest_text(&array(2..4), &more).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        place.write("table.txt", gb18030(&table(true, 4..6)));
        let asked = ["table.txt", "--format", "csv", "--encoding", "gb18030"];
        assert_eq!(place.ingest(&asked).await.code, Some(0));
        place.write("t.csv", gb18030(&table(true, 6..7)));
        let ended = place.ingest(&["t.csv", "--encoding", "utf-8"]).await;
        assert!(ended.err.contains("t.csv line 1 column 1: is not UTF-8"), "{ended:?}");
        assert_eq!(count_claims(&database).await, "6");
    })
    .await;
}
