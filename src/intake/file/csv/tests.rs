use std::io::{BufReader, Cursor};

use super::*;

const HEADER: &str = "setl_id,medfee_sumamt,certno,psn_name,性别";

/// Each row as `line JSON`, or as `line ! problems`; a file error as it is told.
fn rows(bytes: &[u8], encoding: Encoding, capacity: usize) -> Vec<String> {
    let reader = Box::new(BufReader::with_capacity(capacity, Cursor::new(bytes.to_vec())));
    let spool = std::env::temp_dir();
    let mut rows = match Rows::open("f.csv".into(), reader, encoding, false, &spool) {
        Ok(rows) => rows,
        Err(error) => return vec![error.to_string()],
    };
    let mut told = Vec::new();
    while let Some(record) = rows.next(&spool).unwrap() {
        let content = match record.content {
            Content::Json(json) => String::from_utf8(json).unwrap(),
            Content::Unusable(Unusable::Unreadable(flaws) | Unusable::Invalid(flaws)) => {
                let flaws = flaws.iter().map(|it| match it.column {
                    Some(column) => format!("{column} {} {}", it.field, it.problem),
                    None => format!("{} {}", it.field, it.problem),
                });
                format!("! {}", flaws.collect::<Vec<_>>().join("; "))
            }
            Content::Unusable(Unusable::TooLarge) => "! too large".to_owned(),
            Content::Text => panic!("a row is not what is sent"),
        };
        told.push(format!("{} {content}", record.line));
    }
    told
}

#[track_caller]
fn check(body: &str, expected: &[&str]) {
    let file = format!("{HEADER}\n{body}");
    for capacity in [1, 2, 7, 4096] {
        assert_eq!(rows(file.as_bytes(), Encoding::Utf8, capacity), expected, "by {capacity}");
    }
}

#[test]
fn a_row_is_a_flat_object_of_texts() {
    let json = r#"{"setl_id":"S-1","medfee_sumamt":"80.5","certno":"37","psn_name":"甲"}"#;
    check("S-1,80.5,37,甲,男\n", &[&format!("2 {json}")]);
    check(
        "\n\r\n \"S-1\" , 80.5\t,37,甲,1",
        &[r#"4 {"setl_id":"\"S-1\"","medfee_sumamt":"80.5","certno":"37","psn_name":"甲"}"#],
    );
    check(
        "S-1,80.5,37,甲,男\r\nS-2,,,\"a,\"\"b\nc\",",
        &[&format!("2 {json}"), r#"3 {"setl_id":"S-2","psn_name":"a,\"b\nc"}"#],
    );
    check(
        "S,1,2,\"x\r\n\ny\",\rT,1,2,z,\n",
        &[
            r#"2 {"setl_id":"S","medfee_sumamt":"1","certno":"2","psn_name":"x\r\n\ny"}"#,
            r#"5 {"setl_id":"T","medfee_sumamt":"1","certno":"2","psn_name":"z"}"#,
        ],
    );
    check(",,,,\n , ,\t,,\n,,,,,,,\n", &[]);
}

#[test]
fn what_is_wrong_with_a_row_has_its_column() {
    check("S-1,80.5\n", &["2 ! row has 2 cells, and the header has 5"]);
    check("S-1,80.5,1,2,3,4,5\n", &["2 ! row has 7 cells, and the header has 5"]);
    let rounded = "was rounded by a spreadsheet: format the column as text and enter the number \
                   again";
    check(
        "3.70299E+17,8e+5,3.7E-1,1.5E+3,1E+5\n",
        &[&format!("2 ! 1 setl_id {rounded}; 2 medfee_sumamt {rounded}; 3 certno {rounded}")],
    );
    check(
        "12E5,E11.900,1.E+5,37E+5,\n",
        &[r#"2 {"setl_id":"12E5","medfee_sumamt":"E11.900","certno":"1.E+5","psn_name":"37E+5"}"#],
    );
    check(
        "S-1,80.5,1,2,3\nS-2,1,\"37,x,y\nS-3,1,1,1,1\n",
        &[
            r#"2 {"setl_id":"S-1","medfee_sumamt":"80.5","certno":"1","psn_name":"2"}"#,
            "3 ! 3 certno a quote is never closed",
        ],
    );
    let file = [HEADER.as_bytes(), b"\nS-1,1,\xff,\xb2\xe2,\xff\n"].concat();
    assert_eq!(
        rows(&file, Encoding::Utf8, 3),
        ["2 ! 3 certno is not UTF-8; 4 psn_name is not UTF-8"],
        "of a column that is not used nothing is asked"
    );
}

#[test]
fn a_row_that_is_too_long_takes_no_memory_and_hides_no_other() {
    let body = format!("S-1,1,2,{},\nS-2,1,2,3,\n", "x,".repeat(3 * 1024 * 1024));
    let told = rows(format!("{HEADER}\n{body}").as_bytes(), Encoding::Utf8, 4096);
    assert_eq!(told[0], "2 ! too large");
    assert!(told[1].starts_with("3 {\"setl_id\":\"S-2\""));
}

#[test]
fn a_file_without_a_sound_header_has_no_rows() {
    let told = |text: &str| rows(text.as_bytes(), Encoding::Utf8, 9).join("\n");
    assert_eq!(told(""), "f.csv: is empty: the first row is the header");
    assert_eq!(told("\n\n"), "f.csv: is empty: the first row is the header");
    assert_eq!(told("setl_id,\"x\n"), "f.csv line 1: a quote is never closed");
    assert_eq!(told(&",".repeat(600)), "f.csv line 1: has more columns than any header");
    assert!(told("\nS-1,80.5,37,测试员,男\n").starts_with("f.csv line 2 column 1: is unknown"));
    assert!(!told("370299194903120017,测试员").contains("测试员"));
}

#[test]
fn a_table_says_the_same_in_either_encoding() {
    let text =
        "结算ID,医疗费总额,证件号码,人员姓名\nS-1,1.00,37,\"测试员,甲乙㐀\"\nS-2,2,38,联通\n";
    let (gb18030, ..) = encoding_rs::GB18030.encode(text);
    let expected = rows(text.as_bytes(), Encoding::Utf8, 4096);
    assert_eq!(expected.len(), 2);
    for capacity in [1, 2, 3, 4096] {
        assert_eq!(rows(&gb18030, Encoding::Gb18030, capacity), expected);
    }
}
