//! What an endpoint answers: the envelope, and in it a page of records. Names what is wrong with it
//! without a word of what it says: that may name a person.

use serde_json::value::RawValue;

use super::schedule::Place;
use super::settings::PagedBy;
use crate::core::checks::Checks;
use crate::intake::json::{self, Object, Scalar};
use crate::intake::names;
use crate::intake::part::{Part, Places};
use crate::intake::reader;
use crate::intake::time;

/// Under which an answer may hold its records; `setlinfo` is that of one.
const LISTS: [&str; 3] = ["data", "setlinfo", "result"];

/// An id that is longer is none, and would not fit into a cursor.
const ID_BYTES_MAX: usize = 200;

/// Why an answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is cut short or no envelope at all.
    #[error("the answer {0}")]
    Broken(String),
    /// The endpoint refused.
    #[error("{0}")]
    Refused(String),
    /// What it holds is no page of records.
    #[error("the answer's output {0}")]
    NoPage(&'static str),
}

/// An answer out of its envelope. Holds personal values, so it has no `Debug`.
pub struct Answer {
    /// What it holds: JSON, or what encryption made of it.
    pub output: String,
    /// Its signature (`cainfo`).
    pub signature: Option<String>,
}

/// Records, in the order in which the endpoint gave them.
#[derive(Default)]
pub struct Page {
    /// The records.
    pub rows: Vec<Row>,
}

/// A record as the endpoint wrote it. Holds personal values, so it has no `Debug`.
pub struct Row {
    /// Its JSON: a settlement, or one with what belongs to it.
    pub text: String,
    /// Where it stands; none where it does not say so.
    pub place: Option<Place>,
}

impl Answer {
    /// Opens the envelope.
    pub fn read(bytes: &[u8]) -> Result<Answer, Unusable> {
        let mut checks = Checks::default();
        let root = Part::document(bytes, "answer", "", &mut checks);
        let Some(root) = root else {
            let problems = checks.done(()).err().unwrap_or_default();
            let told = problems.first().map(|it| it.problem.clone()).unwrap_or_default();
            return Err(Unusable::Broken(told));
        };
        if let Some(refused) = reader::failure(&root, &mut checks) {
            return Err(Unusable::Refused(refused));
        }
        let broken = |told: &str| Unusable::Broken(told.to_owned());
        if !root.has(names::INFCODE[0]) {
            return Err(broken("has no infcode"));
        }
        let output = match root.raw("output", &mut checks) {
            None => String::new(),
            Some(raw) => match json::scalar(raw) {
                Ok(Scalar::Text(text)) => text.into_owned(),
                _ => raw.get().to_owned(),
            },
        };
        let signature = Places(&[&root]).stated(&["cainfo"], &mut checks);
        Ok(Answer { output, signature: signature.map(|(_, text)| text.into_owned()) })
    }
}

impl Page {
    /// Reads the records of an output, which is JSON by now.
    pub fn read(output: &str, paged_by: PagedBy) -> Result<Page, Unusable> {
        if matches!(output.trim(), "" | "null") {
            return Ok(Page::default());
        }
        let raw = json::value(output).map_err(|_| Unusable::NoPage("is no JSON"))?;
        let rows = if raw.get().starts_with('[') { list(raw)? } else { listed(raw)? };
        let rows = rows
            .into_iter()
            .map(|row| Row { text: row.get().to_owned(), place: place(row, paged_by) });
        Ok(Page { rows: rows.collect() })
    }
}

fn list(raw: &RawValue) -> Result<Vec<&RawValue>, Unusable> {
    json::rows(raw).map_err(|_| Unusable::NoPage("is no list of records"))
}

/// The records of an output that is an object.
fn listed(raw: &RawValue) -> Result<Vec<&RawValue>, Unusable> {
    let unknown = || Unusable::NoPage("holds no list of records");
    let output = Object::parse(raw.get()).map_err(|_| unknown())?;
    for name in LISTS {
        match output.get(name).map_err(|_| unknown())? {
            Some(found) if found.get().starts_with('[') => return list(found),
            // The answer to a query for one settlement.
            Some(found) if name == "setlinfo" && found.get().starts_with('{') => {
                return Ok(vec![raw]);
            }
            _ => {}
        }
    }
    let is_silent = LISTS.iter().any(|name| output.spelling(name).is_some());
    if is_silent { Ok(Vec::new()) } else { Err(unknown()) }
}

fn place(row: &RawValue, paged_by: PagedBy) -> Option<Place> {
    let mut unheard = Checks::default();
    let record = Part::document(row.get().as_bytes(), "record", "", &mut unheard)?;
    let nested = record.child("setlinfo", &mut unheard);
    let places = [&nested, &record];
    let places = Places(&places);
    let (_, id) = places.stated(names::SETTLEMENT_ID, &mut unheard)?;
    let field: &'static [&'static str] = match paged_by {
        PagedBy::OptTime => &["opt_time"],
        PagedBy::SetlTime => names::SETTLE_TIME,
    };
    let (_, time) = places.stated(field, &mut unheard)?;
    if ID_BYTES_MAX < id.len() {
        return None;
    }
    Some(Place { time: time::moment(&time)?, id: id.into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn page(answer: &str) -> Result<Vec<String>, String> {
        let answer = Answer::read(answer.as_bytes()).map_err(|error| error.to_string())?;
        let page = Page::read(&answer.output, PagedBy::OptTime).map_err(|it| it.to_string())?;
        let place = |place: &Place| format!("{} {}", place.time.local(), place.id);
        Ok(page.rows.iter().map(|row| row.place.as_ref().map_or("-".into(), place)).collect())
    }

    #[test]
    fn records_are_found_wherever_platforms_put_them() {
        let record = r#"{"setl_id": 7, "optTime": "2024-06-03 10:15:06"}"#;
        let nested = format!(r#"{{"setlinfo": {record}, "setldetail": []}}"#);
        let told = Ok(vec!["2024-06-03 10:15:06 7".to_owned()]);
        for output in [
            format!("[{record}]"),
            format!(r#"{{"data": [{record}]}}"#),
            format!(r#"{{"setlinfo": [{record}]}}"#),
            format!(r#"{{"data": [{nested}]}}"#),
            nested.clone(),
        ] {
            assert_eq!(page(&format!(r#"{{"infcode": 0, "output": {output}}}"#)), told, "{output}");
            let text = serde_json::Value::from(output.clone());
            assert_eq!(page(&format!(r#"{{"infcode": "0", "output": {text}}}"#)), told, "{output}");
        }
        for silent in ["null", "\"\"", "[]", r#"{"data": []}"#, r#"{"data": null}"#] {
            assert_eq!(page(&format!(r#"{{"infcode": 0, "output": {silent}}}"#)), Ok(vec![]));
        }
        let placeless = r#"{"infcode": 0, "output": [{"setl_id": 7}, 3, {"opt_time": "x"}]}"#;
        assert_eq!(page(placeless), Ok(vec!["-".to_owned(); 3]), "handed over all the same");
    }

    #[test]
    fn an_answer_of_no_use_says_why_and_nothing_else() {
        let why = |answer: &str| page(answer).unwrap_err();
        assert_eq!(
            why(r#"{"infcode": 0, "output": [{"psn_name": "测试"#),
            "the answer must be JSON; it is broken at line 1, column 46"
        );
        assert_eq!(
            why("<html>502</html>"),
            "the answer must be JSON; it is broken at line 1, column 1"
        );
        assert_eq!(why("{}"), "the answer has no infcode");
        let refused = r#"{"infcode": -1, "err_msg": "人员 测试员 不存在", "output": null}"#;
        assert_eq!(why(refused), "the platform answered infcode -1");
        assert_eq!(
            why(r#"{"infcode": 0, "output": 3}"#),
            "the answer's output holds no list of records"
        );
        assert_eq!(why(r#"{"infcode": 0, "output": "x"}"#), "the answer's output is no JSON");
        assert_eq!(
            why(r#"{"infcode": 0, "output": {}}"#),
            "the answer's output holds no list of records"
        );
    }
}
