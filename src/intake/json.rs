//! JSON read lazily and literally: a value keeps its text until somebody asks for it, so a number
//! never becomes a float and what nobody asks for costs nothing. Refuses to guess between two
//! values under one key.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One object, its values not yet read.
#[derive(Debug, Default)]
pub(super) struct Object<'m> {
    fields: HashMap<Cow<'m, str>, Field<'m>>,
}

#[derive(Debug, Clone, Copy)]
struct Field<'m> {
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
        // The parser's own message may quote the input, so only the position is told.
        serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                "must be a JSON object".to_owned()
            } else {
                let (line, column) = (error.line(), error.column());
                format!("must be JSON; it is broken at line {line}, column {column}")
            }
        })
    }

    /// The value under `key`; `None` where it is absent or null.
    pub(super) fn get(&self, key: &str) -> Result<Option<&'m RawValue>, &'static str> {
        match self.fields.get(key) {
            Some(field) if field.repeated => Err("is given twice with different values"),
            Some(field) if field.raw.get() != "null" => Ok(Some(field.raw)),
            _ => Ok(None),
        }
    }
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
        let mut object = Object::default();
        while let Some((Text(key), raw)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            match object.fields.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(Field { raw, repeated: false });
                }
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.repeated |= known.raw.get() != raw.get();
                }
            }
        }
        Ok(object)
    }
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
