//! JSON read lazily and literally: a value keeps its text until somebody asks for it, so a number
//! never becomes a float and what nobody asks for costs nothing. Keys are met whatever their case
//! and underscores. Refuses to guess between two values under one key.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One object, its values not yet read. Its fields are in the order of their folded keys.
#[derive(Debug, Default, Clone)]
pub(super) struct Object<'m> {
    fields: Vec<Field<'m>>,
}

#[derive(Debug, Clone)]
struct Field<'m> {
    /// As the sender spells it.
    key: Cow<'m, str>,
    raw: &'m RawValue,
    /// The key came again with another value.
    repeated: bool,
}

/// A value that has no parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scalar<'m> {
    /// A text, decoded.
    Text(Cow<'m, str>),
    /// A number, as it was written.
    Number(&'m str),
}

impl<'m> Object<'m> {
    /// Reads `text` as one object.
    pub(super) fn parse(text: &'m str) -> Result<Object<'m>, String> {
        serde_json::from_str(text).map_err(|error| told(&error))
    }

    /// The value under `key`; `None` where it is absent or null.
    pub(super) fn get(&self, key: &str) -> Result<Option<&'m RawValue>, &'static str> {
        match self.field(key) {
            Some(field) if field.repeated => Err("is given twice with different values"),
            Some(field) if field.raw.get() != "null" => Ok(Some(field.raw)),
            _ => Ok(None),
        }
    }

    /// The sender's own spelling of `key`.
    pub(super) fn spelling(&self, key: &str) -> Option<&str> {
        self.field(key).map(|field| &*field.key)
    }

    fn field(&self, key: &str) -> Option<&Field<'m>> {
        let place = self.fields.binary_search_by(|field| by_fold(&field.key, key)).ok()?;
        self.fields.get(place)
    }

    /// Puts the fields in order and makes one of those whose keys are the same.
    fn ordered(mut fields: Vec<Field<'m>>) -> Object<'m> {
        fields.sort_by(|one, other| by_fold(&one.key, &other.key));
        let mut merged: Vec<Field<'m>> = Vec::with_capacity(fields.len());
        for field in fields {
            match merged.last_mut() {
                Some(known) if by_fold(&known.key, &field.key).is_eq() => known.meet(field),
                _ => merged.push(field),
            }
        }
        Object { fields: merged }
    }
}

impl<'m> Field<'m> {
    /// The same key again. What says nothing contradicts nothing.
    fn meet(&mut self, again: Field<'m>) {
        if is_silent(self.raw) && !self.repeated {
            *self = again;
        } else if !is_silent(again.raw) {
            self.repeated |= !same_value(self.raw, again.raw);
        }
    }
}

/// The order of two keys without regard to case and underscores.
fn by_fold(one: &str, other: &str) -> Ordering {
    let letters = |byte: &u8| *byte != b'_';
    let one = one.bytes().filter(letters).map(|byte| byte.to_ascii_lowercase());
    let other = other.bytes().filter(letters).map(|byte| byte.to_ascii_lowercase());
    one.cmp(other)
}

fn is_silent(raw: &RawValue) -> bool {
    matches!(raw.get(), "null" | r#""""#)
}

/// Whether two values say the same, in quotes or not, with zeros at the end or not.
fn same_value(one: &RawValue, other: &RawValue) -> bool {
    let plain = |raw| -> Option<String> {
        let text = match scalar(raw).ok()? {
            Scalar::Text(text) => text,
            Scalar::Number(text) => Cow::Borrowed(text),
        };
        let short = text.trim_end_matches('0').trim_end_matches('.');
        Some(if text.contains('.') { short.to_owned() } else { text.into_owned() })
    };
    one.get() == other.get() || plain(one).is_some_and(|it| Some(it) == plain(other))
}

/// The parser's own message may quote the input, so only the position is told.
fn told(error: &serde_json::Error) -> String {
    if error.is_data() {
        return "must be a JSON object".to_owned();
    }
    let (line, column) = (error.line(), error.column());
    format!("must be JSON; it is broken at line {line}, column {column}")
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<'de>, D::Error> {
        from.deserialize_map(ObjectVisitor)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'m>(#[serde(borrow)] Cow<'m, str>);

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some((Text(key), raw)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            fields.push(Field { key, raw, repeated: false });
        }
        Ok(Object::ordered(fields))
    }
}

/// Reads `text` as any one value.
pub(super) fn value(text: &str) -> Result<&RawValue, String> {
    serde_json::from_str(text).map_err(|error| told(&error))
}

/// The rows of an array.
pub(super) fn rows(raw: &RawValue) -> Result<Vec<&RawValue>, &'static str> {
    serde_json::from_str(raw.get()).map_err(|_| "must be a list")
}

/// The text or number of a value that has no parts.
pub(super) fn scalar(raw: &RawValue) -> Result<Scalar<'_>, &'static str> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text)
            .map(|Text(text)| Scalar::Text(text))
            .map_err(|_| "must be a valid Unicode text"),
        Some(b'-' | b'0'..=b'9') => Ok(Scalar::Number(text)),
        _ => Err("must be a text or a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_text() {
        let text = r#" {"a": 0.10, "b": "x\u0041", "\u0063": 1e400, "d": null, "e": [1, {}]} "#;
        let object = Object::parse(text).unwrap();
        let read = |key| scalar(object.get(key).unwrap().unwrap());
        assert_eq!(read("a"), Ok(Scalar::Number("0.10")));
        assert_eq!(read("b"), Ok(Scalar::Text("xA".into())));
        assert_eq!(read("c"), Ok(Scalar::Number("1e400")));
        assert!(object.get("d").unwrap().is_none());
        assert!(read("e").is_err());
        assert_eq!(rows(object.get("e").unwrap().unwrap()).unwrap().len(), 2);
    }

    #[test]
    fn one_key_has_one_value() {
        let object = Object::parse(r#"{"a": 1, "a": 2, "b": 1, "b": 1}"#).unwrap();
        assert!(object.get("a").is_err());
        assert!(object.get("b").unwrap().is_some());
    }

    #[test]
    fn a_key_is_met_whatever_its_spelling() {
        for key in ["medfee_sumamt", "medfeeSumamt", "MEDFEE_SUMAMT", "_MedfeeSumAmt_"] {
            let text = format!(r#"{{"z": 1, "{key}": 2, "a": 3}}"#);
            let object = Object::parse(&text).unwrap();
            assert_eq!(object.get("medfee_sumamt").unwrap().unwrap().get(), "2", "{key}");
            assert_eq!(object.spelling("medfee_sumamt"), Some(key));
        }
    }

    #[test]
    fn two_spellings_may_not_differ() {
        let get = |text: &str| {
            let object = Object::parse(text).unwrap();
            object.get("a_b").map(|raw| raw.map(|raw| raw.get().to_owned()))
        };
        for same in [
            r#"{"a_b": 1.50, "aB": "1.5"}"#,
            r#"{"aB": null, "a_b": 1.50}"#,
            r#"{"a_b": 1.50, "AB": "", "aB": null}"#,
        ] {
            assert_eq!(get(same), Ok(Some("1.50".to_owned())), "{same}");
        }
        for differing in [
            r#"{"a_b": 1.5, "aB": 15}"#,
            r#"{"a_b": 10, "aB": 1}"#,
            r#"{"a_b": 1, "aB": [1]}"#,
            r#"{"a_b": 1, "aB": 2, "AB": 1}"#,
            r#"{"a_b": 1, "aB": 2, "AB": null}"#,
        ] {
            assert!(get(differing).is_err(), "{differing}");
        }
    }

    /// A recursive reader would end the whole process here.
    #[test]
    fn depth_and_private_keys_of_the_parser_do_no_harm() {
        let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(Object::parse(&deep).is_ok());
        let unclosed = "[".repeat(1_000_000);
        assert!(Object::parse(&unclosed).is_err());
        for key in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
            let text = format!(r#"{{"{key}": "x", "a": 1}}"#);
            let object = Object::parse(&text).unwrap();
            assert!(object.get("a").unwrap().is_some());
        }
    }

    #[test]
    fn errors_never_quote_the_input() {
        for text in [r#""370299194903120017""#, r#"{"370299194903120017" "#, "[370299194903120017]"]
        {
            assert!(!Object::parse(text).unwrap_err().contains("370299"), "{text}");
        }
    }
}
