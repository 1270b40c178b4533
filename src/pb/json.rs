//! A settlement or an event as it stands in a file: a JSON object with the field names of the API.
//! Guesses nothing: a name it does not know is an error. Errors name fields and columns, never a
//! value.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use super::{Cause, InsuredEvent, Settlement};

const NO_FEN: &str = "must be fen, an integer or its digits as a text";
const NO_INSTANT: &str = "must be an instant such as 2024-10-19T11:20:33+08:00";
const NO_CAUSE: &str = "must be CAUSE_DISEASE or CAUSE_ACCIDENT";
/// The longest name of a field that an error repeats.
const NAME_MAX: usize = 40;

/// What is wrong with a settlement or an event in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The path of the field, such as `settlement.lines[3].total_fen`.
    pub(crate) field: String,
    /// What is wrong with it, and where.
    pub(crate) problem: String,
}

/// Reads one settlement. What is absent is not known, as on the wire.
pub(crate) fn settlement(text: &[u8]) -> Result<Settlement, Wrong> {
    read("settlement", text)
}

/// Reads one event, likewise.
pub(crate) fn event(text: &[u8]) -> Result<InsuredEvent, Wrong> {
    read("event", text)
}

fn read<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, Wrong> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| wrong(what, error.path(), error.inner()))?;
    match reader.end() {
        Ok(()) => Ok(read),
        Err(error) => Err(told(what.to_owned(), "must end with its object", &error)),
    }
}

/// An amount in fen: `16832075` or `"16832075"`, since an int64 is a text in the JSON of protobuf.
pub(super) fn fen<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    whole(<&RawValue>::deserialize(from)?).ok_or_else(|| D::Error::custom(NO_FEN))
}

/// An amount that may be null, which is the same as absent: it was not said.
pub(super) fn optional_fen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    if raw.get() == "null" {
        return Ok(None);
    }
    whole(raw).map(Some).ok_or_else(|| D::Error::custom(NO_FEN))
}

/// An instant in RFC 3339, or null where it is not known.
pub(super) fn instant<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<prost_types::Timestamp>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    if raw.get() == "null" {
        return Ok(None);
    }
    let text: Option<String> = serde_json::from_str(raw.get()).ok();
    let instant = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let instant = instant.ok_or_else(|| D::Error::custom(NO_INSTANT))?;
    // Before 1970 the fraction counts down, and on the wire it must not.
    let is_before = instant.subsec_nanosecond() < 0;
    Ok(Some(prost_types::Timestamp {
        seconds: instant.as_second() - i64::from(is_before),
        nanos: instant.subsec_nanosecond() + if is_before { 1_000_000_000 } else { 0 },
    }))
}

/// A cause by its name; null and `CAUSE_UNSPECIFIED` are not known.
pub(super) fn cause<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    if raw.get() == "null" {
        return Ok(Cause::Unspecified.into());
    }
    let name: Option<String> = serde_json::from_str(raw.get()).ok();
    let cause = name.and_then(|name| Cause::from_str_name(&name));
    cause.map(i32::from).ok_or_else(|| D::Error::custom(NO_CAUSE))
}

/// A whole number by its text, so that none ever becomes a float.
fn whole(raw: &RawValue) -> Option<i64> {
    let text = raw.get();
    let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    // `parse` would take a sign that JSON does not.
    if digits.starts_with('+') { None } else { digits.parse().ok() }
}

/// The parser's own text quotes what it met, so only its kind and its place are told.
fn wrong(what: &str, path: &Path, error: &serde_json::Error) -> Wrong {
    let text = error.to_string();
    let twice = text.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next());
    let problem = match error.classify() {
        Category::Data if text.starts_with(NO_FEN) => NO_FEN,
        Category::Data if text.starts_with(NO_INSTANT) => NO_INSTANT,
        Category::Data if text.starts_with(NO_CAUSE) => NO_CAUSE,
        Category::Data if text.starts_with("unknown field") => "is no field of the API",
        Category::Data if twice.is_some() => "is given twice",
        Category::Data => "has a value of the wrong kind",
        Category::Syntax | Category::Eof | Category::Io => "is broken JSON",
    };
    let mut field = what.to_owned();
    for segment in path {
        match segment {
            Segment::Seq { index } => field = format!("{field}[{index}]"),
            Segment::Map { key } if is_name(key) => field = format!("{field}.{key}"),
            // A name that looks like none of ours may be anything, a person's too.
            Segment::Map { .. } => field = format!("{field}.?"),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    if let Some(name) = twice.filter(|name| is_name(name)) {
        field = format!("{field}.{name}");
    }
    told(field, problem, error)
}

fn told(field: String, problem: &str, error: &serde_json::Error) -> Wrong {
    Wrong { field, problem: format!("{problem}; column {}", error.column()) }
}

fn is_name(key: &str) -> bool {
    key.len() <= NAME_MAX && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::{FundPayment, Line, MemberIdentity};

    #[test]
    fn a_settlement_is_read_with_the_names_of_the_api() {
        let text = r#"{"source":"370200","settlement_id":"S-1","total_fen":"16832075",
            "settle_time":"2024-10-19T11:20:33.5+08:00","member":{"cert_no":"1"},
            "fund_total_fen":11061681,"cash_fen":null,"funds":[{"fund_code":"1","amount_fen":2}],
            "lines":[{"line_no":"F1","total_fen":"-3","in_scope_fen":"4"}]}"#;
        let line = Line {
            line_no: "F1".to_owned(),
            total_fen: -3,
            in_scope_fen: Some(4),
            ..Line::default()
        };
        let expected = Settlement {
            source: "370200".to_owned(),
            settlement_id: "S-1".to_owned(),
            total_fen: 16_832_075,
            settle_time: Some(prost_types::Timestamp {
                seconds: 1_729_308_033,
                nanos: 500_000_000,
            }),
            member: Some(MemberIdentity { cert_no: "1".to_owned(), ..MemberIdentity::default() }),
            fund_total_fen: Some(11_061_681),
            funds: vec![FundPayment { fund_code: "1".to_owned(), amount_fen: 2 }],
            lines: vec![line],
            ..Settlement::default()
        };
        assert_eq!(settlement(text.as_bytes()), Ok(expected));
        let before = settlement(br#"{"settle_time":"1969-12-31T23:59:59.5Z"}"#).unwrap();
        let time = prost_types::Timestamp { seconds: -1, nanos: 500_000_000 };
        assert_eq!(before.settle_time, Some(time));
    }

    #[test]
    fn an_event_is_read_with_the_names_of_the_api() {
        let text = r#"{"source":"370200","event_id":"E-1","member":{"cert_no":"1"},
            "kind":"death","event_date":"2024-09-11","cause":"CAUSE_ACCIDENT",
            "documents":[{"kind":"death_certificate","reference":"archive/1"}]}"#;
        let read = event(text.as_bytes()).unwrap();
        assert_eq!((read.cause(), read.event_date.as_str()), (Cause::Accident, "2024-09-11"));
        assert_eq!(read.documents[0].reference, "archive/1");
        assert_eq!(event(br#"{"cause":null}"#).unwrap(), InsuredEvent::default());
        let wrong = event(br#"{"cause":"3702"}"#).unwrap_err();
        assert_eq!(wrong.field, "event.cause");
        assert!(wrong.problem.starts_with(NO_CAUSE), "{}", wrong.problem);
        let wrong = event(br#"{"documents":[{"refrence":"3702"}]}"#).unwrap_err();
        assert_eq!(wrong.field, "event.documents[0].refrence");
    }

    /// One settlement a row: its text, the field that must be named, and the start of why.
    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let cases = [
            (r#"{"total_fen":1.5}"#, "settlement.total_fen", NO_FEN),
            (r#"{"total_fen":1e3}"#, "settlement.total_fen", NO_FEN),
            (r#"{"total_fen":"+1"}"#, "settlement.total_fen", NO_FEN),
            (r#"{"total_fen":null}"#, "settlement.total_fen", NO_FEN),
            (r#"{"total_fen":9223372036854775808}"#, "settlement.total_fen", NO_FEN),
            (r#"{"cash_fen":"370299194903120017X"}"#, "settlement.cash_fen", NO_FEN),
            (r#"{"lines":[{},{"total_fen":[]}]}"#, "settlement.lines[1].total_fen", NO_FEN),
            (r#"{"settle_time":"370299"}"#, "settlement.settle_time", NO_INSTANT),
            (r#"{"settle_time":"2024-10-19"}"#, "settlement.settle_time", NO_INSTANT),
            (r#"{"totl_fen":1}"#, "settlement.totl_fen", "is no field"),
            (r#"{"member":{"370299":1}}"#, "settlement.member.?", "is no field"),
            (r#"{"source":"1","source":"1"}"#, "settlement.source", "is given twice"),
            (r#"{"member":{"cert_no":370299194903120017}}"#, "settlement.member.cert_no", "has a"),
            (r#"{"source":["370299"]}"#, "settlement.source", "has a value of the wrong kind"),
            (r#"{"source":"370299"#, "settlement.source", "is broken JSON"),
            (r#"{} 370299"#, "settlement", "must end with its object"),
        ];
        for (text, field, problem) in cases {
            let wrong = settlement(text.as_bytes()).unwrap_err();
            assert_eq!(wrong.field, field, "{text}");
            assert!(wrong.problem.starts_with(problem), "{text}: {}", wrong.problem);
            assert!(!format!("{wrong:?}").contains("3702"), "{wrong:?}");
        }
    }
}
