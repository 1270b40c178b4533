//! Laws that hold for every file, whatever is in it.

use std::io::{Seek, Write};

use proptest::prelude::*;

use super::*;

/// A record in short: its place, its text, and what can be sent for it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    line: u64,
    column: u64,
    text: Vec<u8>,
    content: String,
}

fn seen(mut record: Record) -> Seen {
    let mut text = Vec::new();
    record.text.write_to(&mut text).unwrap();
    assert_eq!(record.hash, xxhash_rust::xxh3::xxh3_64(&text));
    let content = match record.content {
        Content::Text => "text".to_owned(),
        Content::Json(json) => String::from_utf8(json).unwrap(),
        Content::Unusable(why) => format!("{why:?}"),
    };
    Seen { line: record.line, column: record.column, text, content }
}

/// Everything that stands in a file, read by so many bytes at once.
fn read(form: Form, bytes: &[u8], capacity: usize) -> Result<Vec<Seen>, String> {
    let spool = std::env::temp_dir();
    let reader = Box::new(BufReader::with_capacity(capacity, Cursor::new(bytes.to_vec())));
    let (has_mark, reader) = without_mark(reader).unwrap();
    let name: Arc<str> = "f".into();
    let mut current = match form {
        Form::Csv => match Rows::open(name, reader, Encoding::Utf8, has_mark, &spool) {
            Ok(rows) => Current::Rows(Box::new(rows)),
            Err(error) => return Err(error.to_string()),
        },
        Form::Json => Current::Values(Values::of(name, reader)),
        _ => Current::Lines(Lines::of(name, reader)),
    };
    let mut records = Vec::new();
    loop {
        let record = match &mut current {
            Current::Lines(lines) => lines.next(&spool),
            Current::Values(values) => values.next(&spool),
            Current::Rows(rows) => rows.next(&spool),
        };
        match record.unwrap() {
            Some(record) => records.push(seen(record)),
            None => return Ok(records),
        }
    }
}

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let form = Form::of_name(name).unwrap();
    (folder, Source { name: name.into(), path: Some(path), form, is_in_folder: false })
}

/// Reads everything, up to an error.
fn all(source: Source) -> (Vec<Record>, Option<String>) {
    let mut records = Records::of(vec![source], None, std::env::temp_dir());
    let mut read = Vec::new();
    loop {
        match records.next() {
            Ok(Some(record)) => read.push(record),
            Ok(None) => return (read, None),
            Err(error) => return (read, Some(error.to_string())),
        }
    }
}

const HEADER: &str = "setl_id,medfee_sumamt,certno\n";

/// The letters that decide where something ends, and a few that do not.
fn tricky() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop::sample::select(b"{}[]\",:\\\n\r \tae1\xb2\xe2".to_vec());
    prop::collection::vec(letter, 0..80)
}

proptest! {
    #[test]
    fn a_file_is_cut_alike_by_any_buffer(bytes in tricky(), capacity in 1_usize..9) {
        for form in [Form::Ndjson, Form::Json] {
            prop_assert_eq!(read(form, &bytes, capacity), read(form, &bytes, 4096));
        }
        let table = [HEADER.as_bytes(), &bytes].concat();
        prop_assert_eq!(read(Form::Csv, &table, capacity), read(Form::Csv, &table, 4096));
    }

    /// Nothing is lost between two records but what separates them.
    #[test]
    fn the_texts_of_all_records_are_the_file_without_separators(bytes in tricky()) {
        let joined = |records: Vec<Seen>| {
            records.into_iter().flat_map(|it| it.text).collect::<Vec<u8>>()
        };
        let kept = |bytes: &[u8], separators: &[u8]| {
            bytes.iter().copied().filter(|it| !separators.contains(it)).collect::<Vec<u8>>()
        };
        let json = joined(read(Form::Json, &bytes, 5).unwrap());
        let separators = b" \t\r\n,[]";
        prop_assert_eq!(kept(&json, separators), kept(&bytes, separators));
        let rows = joined(read(Form::Csv, &[HEADER.as_bytes(), &bytes].concat(), 5).unwrap());
        let separators = b" \t\r\n,";
        prop_assert_eq!(kept(&rows, separators), kept(&bytes, separators));
    }

    /// Whatever stands in a file, reading ends.
    #[test]
    fn any_bytes_are_read_to_an_end(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        name in prop::sample::select(vec!["f.csv", "f.json", "f.ndjson", "f.zip"]),
    ) {
        let (_folder, source) = written(name, &bytes);
        let _ = all(source);
        let (_folder, source) = written("t.csv", &[HEADER.as_bytes(), &bytes].concat());
        let _ = all(source);
    }

    /// A damaged archive is told or read, and never more.
    #[test]
    fn a_damaged_archive_is_read_to_an_end(at in 0_usize..400, bits in 1_u8..=255) {
        let mut bytes = archive(&[("a.csv", b"setl_id,medfee_sumamt,certno\n1,2,3\n"), ("b.json", b"[{}]")]);
        let at = at % bytes.len();
        bytes[at] ^= bits;
        let (_folder, source) = written("f.zip", &bytes);
        let _ = all(source);
    }

    #[test]
    fn a_table_is_the_same_in_either_encoding(
        cells in prop::collection::vec("[a-z测试员甲乙㐀丢𠀀,\"\n ]{0,6}", 3..30),
    ) {
        let mut text = "结算ID,医疗费总额,证件号码\n".to_owned();
        for row in cells.chunks_exact(3) {
            let row: Vec<String> =
                row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            text = text + &row.join(",") + "\n";
        }
        let (gb18030, ..) = encoding_rs::GB18030.encode(&text);
        let contents = |encoding, bytes: &[u8]| {
            let reader = Box::new(Cursor::new(bytes.to_vec()));
            let spool = std::env::temp_dir();
            let mut rows = Rows::open("f".into(), reader, encoding, false, &spool).unwrap();
            let mut contents = Vec::new();
            while let Some(record) = rows.next(&spool).unwrap() {
                contents.push(seen(record).content);
            }
            contents
        };
        prop_assert_eq!(
            contents(Encoding::Gb18030, &gb18030),
            contents(Encoding::Utf8, text.as_bytes())
        );
    }
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn forms_are_told_by_names_and_members_by_theirs() {
    let members: [(&str, &[u8]); 3] = [
        ("b/t.CSV", "\u{feff}结算ID,医疗费总额,证件号码\n1,2,3\n".as_bytes()),
        ("a.json", b"[{}, {}]"),
        ("c.ndjson", b"{}\n\n{}"),
    ];
    let (folder, source) = written("day.zip", &archive(&members));
    let places = |records: &[Record]| -> Vec<String> {
        records.iter().map(|it| format!("{}:{}:{}", it.file, it.line, it.column)).collect()
    };
    let (records, error) = all(source.clone());
    assert_eq!(error, None);
    let expected = ["a.json:1:2", "a.json:1:6", "b/t.CSV:2:1", "c.ndjson:1:1", "c.ndjson:3:1"];
    assert_eq!(places(&records), expected);
    // In a folder a member has its archive's name, too, also where that is all there is: tomorrow
    // there may be more.
    let found = find(folder.path(), &[]).unwrap();
    let mut records = Records::of(found.sources, None, folder.path().to_owned());
    assert_eq!(&*records.next().unwrap().unwrap().file, "day.zip/a.json");
}

/// What is in the first rows must not be sent when the header of the file is wrong.
#[test]
fn an_error_of_a_file_ends_the_reading_and_names_it() {
    let (_folder, source) = written("t.csv", b"id,amount\n1,2\n");
    let (records, error) = all(source);
    assert!(records.is_empty());
    assert!(error.unwrap().starts_with("t.csv line 1 column 1: is unknown"));
    let (_folder, source) = written("t.csv", b"setl_id,medfee_sumamt,certno\n1,2,\xff\xff\n");
    let (_, error) = all(source);
    assert_eq!(error.unwrap(), "t.csv line 2 column 5: is neither UTF-8 nor GB18030 from here on");
    let (name, path) = ("x".into(), Some("/nowhere".into()));
    let nowhere = Source { name, path, form: Form::Json, is_in_folder: true };
    let (_folder, sound) = written("a.json", b"{}");
    let mut records = Records::of(vec![nowhere, sound], None, std::env::temp_dir());
    let error = records.next().err().unwrap().to_string();
    assert!(error.starts_with("x: cannot be read"), "{error}");
    assert!(records.next().unwrap().is_none(), "what comes after it does not overtake it");
}

/// An array of any length is read with the memory of one element.
#[test]
fn a_record_that_is_too_long_is_kept_in_a_file() {
    let long = format!("[\"{}\", {{}}]", "x".repeat(crate::intake::MESSAGE_BYTES_MAX));
    let (_folder, source) = written("a.json", long.as_bytes());
    let (records, error) = all(source);
    assert_eq!((records.len(), error), (2, None));
    assert!(matches!(&records[0].text, Text::TooLong(_)));
    assert!(matches!(&records[0].content, Content::Unusable(Unusable::TooLarge)));
    let Text::TooLong(mut file) = records.into_iter().next().unwrap().text else { panic!() };
    assert_eq!(file.seek(std::io::SeekFrom::End(0)).unwrap(), long.len() as u64 - 6);
}
