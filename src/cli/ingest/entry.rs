//! What a line is: a hospital's message, a settlement, or nothing that can be sent.

use std::borrow::Cow;
use std::fmt;

use prost::Message as _;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use tokio::sync::OwnedSemaphorePermit;

use super::lines::{Line, Text};
use super::row::{Field, Refused};
use crate::grpc::status::MESSAGE_BYTES_MAX;
use crate::pb::{self, ErrorReason};

/// What is said of every message, apart from the messages.
#[derive(Clone)]
pub(super) struct Envelope {
    pub(super) sender: String,
    pub(super) infno: String,
}

/// A line on its way.
pub(super) struct Entry {
    pub(super) line: Line,
    pub(super) content: Content,
    /// What it takes of the memory, until it is accounted for.
    _held: OwnedSemaphorePermit,
}

/// What a line holds.
pub(super) enum Content {
    /// A hospital's message; the bytes stay in the line.
    Message,
    /// A settlement in the names of the API.
    Settlement(Box<pb::Settlement>),
    /// Nothing that can be sent, and why.
    Unusable(Refused),
}

impl Entry {
    /// Finds out what a line is.
    pub(super) fn of(line: Line, envelope: &Envelope, held: OwnedSemaphorePermit) -> Entry {
        let content = match &line.raw.text {
            Text::TooLong(_) => Content::Unusable(too_large()),
            Text::Whole(text) => content(text),
        };
        let mut entry = Entry { line, content, _held: held };
        // The whole request counts, and one that is too large would end the stream.
        if entry.request(envelope).is_some_and(|it| MESSAGE_BYTES_MAX < it.encoded_len()) {
            entry.content = Content::Unusable(too_large());
        }
        entry
    }

    /// What is sent for it; `None` where nothing can be.
    pub(super) fn request(&self, envelope: &Envelope) -> Option<pb::SubmitSettlementsRequest> {
        let mut request = pb::SubmitSettlementsRequest::default();
        match (&self.content, &self.line.raw.text) {
            (Content::Message, Text::Whole(text)) => {
                request.message = Some(pb::SubmitMessageRequest {
                    sender: envelope.sender.clone(),
                    payload: text.trim_ascii().to_vec(),
                    infno: envelope.infno.clone(),
                    ..pb::SubmitMessageRequest::default()
                });
            }
            (Content::Settlement(settlement), _) => {
                request.settlement = Some(pb::Settlement::clone(settlement));
            }
            (Content::Unusable(_) | Content::Message, _) => return None,
        }
        Some(request)
    }

    /// Whether it goes to the server.
    pub(super) fn is_sendable(&self) -> bool {
        !matches!(self.content, Content::Unusable(_))
    }
}

fn content(text: &[u8]) -> Content {
    match serde_json::from_slice::<Keys>(text) {
        Err(error) => {
            let problem = if error.is_data() {
                "must be a JSON object".to_owned()
            } else {
                // The parser's own text may quote the input, so only the place is told.
                format!("must be a JSON object; it is broken at column {}", error.column())
            };
            let field = Field { field: "line".to_owned(), problem };
            let message = "the line is no JSON object";
            Content::Unusable(refused(ErrorReason::MessageUnreadable, message, vec![field]))
        }
        Ok(keys) if keys.settlement_id && keys.total_fen => match pb::json::settlement(text) {
            Ok(settlement) => Content::Settlement(Box::new(settlement)),
            Err(wrong) => {
                let field = Field { field: wrong.field, problem: wrong.problem };
                let message = "1 field is invalid";
                Content::Unusable(refused(ErrorReason::InvalidField, message, vec![field]))
            }
        },
        Ok(_) => Content::Message,
    }
}

fn too_large() -> Refused {
    let message = format!("a message may have at most {MESSAGE_BYTES_MAX} bytes");
    refused(ErrorReason::MessageTooLarge, &message, Vec::new())
}

fn refused(reason: ErrorReason, message: &str, fields: Vec<Field>) -> Refused {
    Refused { reason: reason.as_str_name().to_owned(), message: message.to_owned(), fields }
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
    fn a_line_is_told_by_its_top_keys() {
        let kind = |text: &str| match content(text.as_bytes()) {
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
}
