//! What a record is: a hospital's message, a settlement, or nothing that can be sent.

use std::borrow::Cow;
use std::fmt;

use prost::Message as _;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use tokio::sync::OwnedSemaphorePermit;

use super::row::{Field, Refused};
use crate::intake::MESSAGE_BYTES_MAX;
use crate::intake::file::{self, Record, Text, Unusable};
use crate::pb::{self, ErrorReason};

/// What is said of every message, apart from the messages.
#[derive(Clone)]
pub(in crate::cli) struct Envelope {
    pub(in crate::cli) sender: String,
    pub(in crate::cli) infno: String,
}

/// A record on its way.
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) content: Content,
    /// The reject on the server that it corrects.
    pub(super) reject_id: Option<String>,
    /// What it takes of the memory, until it is accounted for.
    _held: OwnedSemaphorePermit,
}

/// What a record holds.
pub(super) enum Content {
    /// A hospital's message; the bytes stay in the record.
    Message,
    /// A settlement in the names of the API.
    Settlement(Box<pb::Settlement>),
    /// Nothing that can be sent, and why.
    Unusable(Refused),
}

impl Entry {
    /// Finds out what a record is.
    pub(super) fn of(
        record: Record,
        envelope: &Envelope,
        reject_id: Option<String>,
        held: OwnedSemaphorePermit,
    ) -> Entry {
        let content = match (&record.content, &record.text) {
            (file::Content::Unusable(why), _) => Content::Unusable(unusable(why)),
            (file::Content::Json(_), _) => Content::Message,
            (file::Content::Text, Text::Whole(text)) => content(text, (record.line, record.column)),
            (file::Content::Text, Text::TooLong(_)) => Content::Unusable(too_large()),
        };
        let mut entry = Entry { record, content, reject_id, _held: held };
        // The whole request counts, and one that is too large would end the stream.
        if entry.request(envelope).is_some_and(|it| MESSAGE_BYTES_MAX < it.encoded_len()) {
            entry.content = Content::Unusable(too_large());
        }
        entry
    }

    /// What is sent for it; `None` where nothing can be.
    pub(super) fn request(&self, envelope: &Envelope) -> Option<pb::SubmitSettlementsRequest> {
        let reject_id = self.reject_id.clone().unwrap_or_default();
        let mut request =
            pb::SubmitSettlementsRequest { reject_id, ..pb::SubmitSettlementsRequest::default() };
        let payload = || match (&self.record.content, &self.record.text) {
            (file::Content::Json(json), _) => Some(json.clone()),
            (_, Text::Whole(text)) => Some(text.trim_ascii().to_vec()),
            (_, Text::TooLong(_)) => None,
        };
        match &self.content {
            Content::Message => {
                request.message = Some(pb::SubmitMessageRequest {
                    sender: envelope.sender.clone(),
                    payload: payload()?,
                    infno: envelope.infno.clone(),
                    ..pb::SubmitMessageRequest::default()
                });
            }
            Content::Settlement(settlement) => {
                request.settlement = Some(pb::Settlement::clone(settlement));
            }
            Content::Unusable(_) => return None,
        }
        Some(request)
    }

    /// Whether it goes to the server.
    pub(super) fn is_sendable(&self) -> bool {
        !matches!(self.content, Content::Unusable(_))
    }
}

/// What a text is that begins at a line and a byte of it.
fn content(text: &[u8], (line, column): (u64, u64)) -> Content {
    match serde_json::from_slice::<Keys>(text) {
        Err(error) => {
            let problem = if error.is_data() {
                "must be a JSON object".to_owned()
            } else {
                // The parser's own text may quote the input, so only the place is told.
                let (line, column) = match error.line() as u64 {
                    0 | 1 => (line, column + error.column() as u64 - 1),
                    more => (line + more - 1, error.column() as u64),
                };
                let place = format!("line {line} column {column}");
                format!("must be a JSON object; it is broken at {place}")
            };
            let message = "the record is no JSON object";
            let fields = vec![Field::new("line", problem)];
            Content::Unusable(refused(ErrorReason::MessageUnreadable, message, fields))
        }
        Ok(keys) if keys.settlement_id && keys.total_fen => match pb::json::settlement(text) {
            Ok(settlement) => Content::Settlement(Box::new(settlement)),
            Err(wrong) => {
                let fields = vec![Field::new(wrong.field, wrong.problem)];
                let message = "1 field is invalid";
                Content::Unusable(refused(ErrorReason::InvalidField, message, fields))
            }
        },
        Ok(_) => Content::Message,
    }
}

/// Why a record could not even be looked at, as a row says it.
fn unusable(why: &Unusable) -> Refused {
    let fields = |flaws: &[file::Flaw]| flaws.iter().cloned().map(Field::of).collect::<Vec<_>>();
    match why {
        Unusable::TooLarge => too_large(),
        Unusable::Unreadable(flaws) => {
            let message = "the record cannot be read";
            refused(ErrorReason::MessageUnreadable, message, fields(flaws))
        }
        Unusable::Invalid(flaws) => {
            let count = flaws.len();
            let are = if count == 1 { "field is" } else { "fields are" };
            let message = format!("{count} {are} invalid");
            refused(ErrorReason::InvalidField, &message, fields(flaws))
        }
    }
}

fn too_large() -> Refused {
    let message = format!("a message may have at most {MESSAGE_BYTES_MAX} bytes");
    refused(ErrorReason::MessageTooLarge, &message, Vec::new())
}

fn refused(reason: ErrorReason, message: &str, fields: Vec<Field>) -> Refused {
    let (reason, message) = (reason.as_str_name().to_owned(), message.to_owned());
    Refused { reason, message, fields, reject_id: None }
}

/// Which of the keys that make a settlement stand at the top of an object.
#[derive(Default)]
struct Keys {
    settlement_id: bool,
    total_fen: bool,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
        from.deserialize_map(KeysVisitor)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'m>(#[serde(borrow)] Cow<'m, str>);

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Keys::default();
        while let Some((Key(key), IgnoredAny)) = map.next_entry::<Key<'de>, IgnoredAny>()? {
            keys.settlement_id |= key == "settlement_id";
            keys.total_fen |= key == "total_fen";
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_by_its_top_keys() {
        let kind = |text: &str| match content(text.as_bytes(), (1, 1)) {
            Content::Message => "message".to_owned(),
            Content::Settlement(_) => "settlement".to_owned(),
            Content::Unusable(refused) => refused.reason,
        };
        assert_eq!(kind(r#"{"output":{"settlement_id":1,"total_fen":2}}"#), "message");
        assert_eq!(kind(r#"{"settlement_id":"S-1"}"#), "message");
        assert_eq!(kind(r#"{"settlement_id":"S-1","total_fen":2}"#), "settlement");
        assert_eq!(kind(r#"{"s\u0065ttlement_id":"S-1","total_fen":2}"#), "settlement");
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(kind(&deep), "message");
        for text in ["[]", "1", "null", "{", "{}{}", "\u{feff}{}", "370299"] {
            assert_eq!(kind(text), "ERROR_REASON_MESSAGE_UNREADABLE", "{text}");
        }
        let wrong = r#"{"settlement_id":"S-1","total_fen":"viel"}"#;
        assert_eq!(kind(wrong), "ERROR_REASON_INVALID_FIELD");
    }

    #[test]
    fn what_is_broken_inside_an_element_has_its_place_in_the_file() {
        let problem = |text: &str, start| match content(text.as_bytes(), start) {
            Content::Unusable(refused) => refused.fields[0].problem.clone(),
            _ => panic!("it is broken"),
        };
        let broken = "must be a JSON object; it is broken at";
        assert_eq!(problem("{\"a\": nul}", (7, 5)), format!("{broken} line 7 column 14"));
        assert_eq!(problem("{\n\"a\" 1}", (7, 5)), format!("{broken} line 8 column 5"));
    }
}
