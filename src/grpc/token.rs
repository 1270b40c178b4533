//! Tokens: opaque places, bound to the ledger and, in a list, to the method and its filters.
//!
//! A token is a version byte, the place, and a hash over both and everything it is bound to, in
//! base64url. It holds positions only, nothing secret, so the hash needs no key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use prost::encoding::{decode_varint, encode_varint};
use xxhash_rust::xxh3::xxh3_64;

use super::status::Fault;
use crate::core::claim::ClaimId;
use crate::core::day::Moment;
use crate::feed::{Cursor, Mark};
use crate::pb;
use crate::store::{ClaimCursor, QueueCursor};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 8;
/// Above any token of ours, which grow with the lanes; longer ones are not even decoded.
const TOKEN_CHARS_MAX: usize = 8192;

/// What tokens are bound to.
#[derive(Clone)]
pub(super) struct Scope(Vec<u8>);

impl Scope {
    /// The claims of a ledger under these filters.
    pub(super) fn of_claims(ledger_id: &str, request: &pb::ListClaimsRequest) -> Scope {
        let filters =
            pb::ListClaimsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        Scope([b"claims|", ledger_id.as_bytes(), b"|", &filters.encode_to_vec()].concat())
    }

    /// The plans of a ledger.
    pub(super) fn of_plans(ledger_id: &str) -> Scope {
        Scope([b"plans|", ledger_id.as_bytes()].concat())
    }

    /// The rejects of a ledger under these filters.
    pub(super) fn of_rejects(ledger_id: &str, request: &pb::ListRejectsRequest) -> Scope {
        let filters =
            pb::ListRejectsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        Scope([b"rejects|", ledger_id.as_bytes(), b"|", &filters.encode_to_vec()].concat())
    }

    /// What waits in a ledger under these filters.
    pub(super) fn of_parked(ledger_id: &str, request: &pb::ListParkedRequest) -> Scope {
        let filters =
            pb::ListParkedRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        Scope([b"parked|", ledger_id.as_bytes(), b"|", &filters.encode_to_vec()].concat())
    }

    /// The queue of a ledger under these filters.
    pub(super) fn of_reviews(ledger_id: &str, request: &pb::ListReviewsRequest) -> Scope {
        let filters =
            pb::ListReviewsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        Scope([b"reviews|", ledger_id.as_bytes(), b"|", &filters.encode_to_vec()].concat())
    }

    /// The events of a ledger, whatever the filter.
    pub(super) fn of_events(ledger_id: &str) -> Scope {
        Scope([b"events|", ledger_id.as_bytes()].concat())
    }

    /// The token for a place.
    pub(super) fn seal(&self, place: &[u8]) -> String {
        let mut token = Vec::with_capacity(1 + place.len() + HASH_BYTES);
        token.push(VERSION);
        token.extend_from_slice(place);
        token.extend_from_slice(&self.hash(&token));
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The place of a page token of this list; `None` for an empty token, the first page.
    pub(super) fn open(&self, token: &str) -> Result<Option<Vec<u8>>, Fault> {
        if token.is_empty() {
            return Ok(None);
        }
        let place = self.place(token).ok_or_else(Fault::page_token_invalid)?;
        Ok(Some(place))
    }

    /// The token that watches go on with behind a cursor.
    pub(super) fn resume_token(&self, cursor: &Cursor) -> String {
        let mut place = Vec::with_capacity(cursor.marks().len() * 8);
        put_marks(cursor, &mut place);
        self.seal(&place)
    }

    /// The cursor of a resume token of a ledger with so many lanes.
    pub(super) fn read_resume_token(&self, token: &str, lanes: u16) -> Result<Cursor, Fault> {
        let place = self.place(token).ok_or_else(Fault::token_foreign)?;
        take_marks(&place, lanes).ok_or_else(Fault::token_foreign)
    }

    fn place(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
        let (version, place) = signed.split_first()?;
        (*version == VERSION && hash == self.hash(signed)).then(|| place.to_vec())
    }

    fn hash(&self, signed: &[u8]) -> [u8; HASH_BYTES] {
        xxh3_64(&[signed, b"|", &self.0].concat()).to_be_bytes()
    }
}

/// Where a list of claims goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClaimsPlace {
    /// Behind this claim.
    pub(super) after: ClaimCursor,
    /// Where the lanes ended when the first page was asked for.
    pub(super) heads: Cursor,
}

impl ClaimsPlace {
    /// Time, lane and number of the claim, then the heads.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&self.after.create_time.micros().to_be_bytes());
        bytes.extend_from_slice(&self.after.id.lane.to_be_bytes());
        bytes.extend_from_slice(&self.after.id.number.to_be_bytes());
        put_marks(&self.heads, &mut bytes);
        bytes
    }

    /// The place of its bytes, in a ledger with so many lanes.
    pub(super) fn read(bytes: &[u8], lanes: u16) -> Result<ClaimsPlace, Fault> {
        let read = || {
            let (time, rest) = bytes.split_first_chunk()?;
            let (lane, rest) = rest.split_first_chunk()?;
            let (number, rest) = rest.split_first_chunk()?;
            let number = i64::from_be_bytes(*number);
            let after = ClaimCursor {
                create_time: Moment::from_micros(i64::from_be_bytes(*time)),
                id: ClaimId { lane: u16::from_be_bytes(*lane), number },
            };
            Some(ClaimsPlace { after, heads: take_marks(rest, lanes)? })
        };
        read().ok_or_else(Fault::page_token_invalid)
    }
}

/// Where a page of the queue ends.
pub(super) struct QueuePlace(pub(super) QueueCursor);

impl QueuePlace {
    /// What the order is by, then lane and number of the claim.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let QueueCursor { key, id } = self.0;
        [&key.to_be_bytes()[..], &id.lane.to_be_bytes(), &id.number.to_be_bytes()].concat()
    }

    /// The place of its bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<QueuePlace, Fault> {
        let read = || {
            let (key, rest) = bytes.split_first_chunk()?;
            let (lane, rest) = rest.split_first_chunk()?;
            let number: &[u8; 8] = rest.try_into().ok()?;
            let id =
                ClaimId { lane: u16::from_be_bytes(*lane), number: i64::from_be_bytes(*number) };
            Some(QueuePlace(QueueCursor { key: i64::from_be_bytes(*key), id }))
        };
        read().ok_or_else(Fault::page_token_invalid)
    }
}

/// For each lane its position, and the check of the event there if there is one.
fn put_marks(cursor: &Cursor, bytes: &mut Vec<u8>) {
    for mark in cursor.marks() {
        encode_varint(mark.position.unsigned_abs(), bytes);
        if mark.position > 0 {
            bytes.extend_from_slice(&mark.check.to_be_bytes());
        }
    }
}

fn take_marks(mut bytes: &[u8], lanes: u16) -> Option<Cursor> {
    let mut marks = Vec::with_capacity(usize::from(lanes));
    for _ in 0..lanes {
        let position = i64::try_from(decode_varint(&mut bytes).ok()?).ok()?;
        let check = if position > 0 {
            let (check, rest) = bytes.split_first_chunk()?;
            bytes = rest;
            u32::from_be_bytes(*check)
        } else {
            0
        };
        marks.push(Mark { position, check });
    }
    bytes.is_empty().then(|| Cursor::of(marks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> ClaimsPlace {
        let after = ClaimCursor {
            create_time: Moment::from_micros(1_710_468_906_000_000),
            id: ClaimId { lane: 3, number: 18_442 },
        };
        ClaimsPlace { after, heads: cursor() }
    }

    fn cursor() -> Cursor {
        let mark = |position, check| Mark { position, check };
        Cursor::of(vec![mark(18_442, 0xdead_beef), mark(0, 0), mark(i64::MAX, 1)])
    }

    fn scope(plan_id: &str, page_size: i32) -> Scope {
        let request = pb::ListClaimsRequest {
            plan_id: plan_id.to_owned(),
            page_size,
            page_token: "any".to_owned(),
            ..pb::ListClaimsRequest::default()
        };
        Scope::of_claims("ledger", &request)
    }

    #[test]
    fn a_token_reads_as_it_was_written_whatever_the_page_size() {
        let token = scope("plan", 10).seal(&place().bytes());
        let bytes = scope("plan", 50).open(&token).unwrap().unwrap();
        assert_eq!(ClaimsPlace::read(&bytes, 3).unwrap(), place());
        assert!(scope("plan", 10).open("").unwrap().is_none());
    }

    #[test]
    fn foreign_and_garbled_tokens_are_refused() {
        let token = scope("plan", 10).seal(&place().bytes());
        assert!(scope("other", 10).open(&token).is_err(), "other filters");
        let other = Scope::of_claims("other", &pb::ListClaimsRequest::default());
        assert!(other.open(&token).is_err(), "another ledger");
        assert!(Scope::of_plans("ledger").open(&token).is_err(), "another list");
        for index in 0..token.len() {
            let mut garbled = token.clone().into_bytes();
            garbled[index] = if garbled[index] == b'A' { b'B' } else { b'A' };
            let garbled = String::from_utf8(garbled).unwrap();
            assert!(scope("plan", 10).open(&garbled).is_err(), "character {index}");
            assert!(scope("plan", 10).open(&token[..index]).is_err() || index == 0);
        }
        for text in ["A", "AQ", "!", "第一页", &"A".repeat(5000)] {
            assert!(scope("plan", 10).open(text).is_err(), "{text:?}");
        }
        let short = scope("plan", 10).seal(b"short");
        let short = scope("plan", 10).open(&short).unwrap().unwrap();
        assert!(ClaimsPlace::read(&short, 3).is_err());
    }

    #[test]
    fn a_resume_token_fits_its_ledger_and_no_other() {
        let scope = Scope::of_events("ledger");
        let token = scope.resume_token(&cursor());
        assert_eq!(scope.read_resume_token(&token, 3).unwrap(), cursor());
        for lanes in [2, 4] {
            assert!(scope.read_resume_token(&token, lanes).is_err(), "{lanes} lanes");
        }
        assert!(Scope::of_events("other").read_resume_token(&token, 3).is_err());
        for text in ["A", "!", "第一页", &token[1..], &"A".repeat(9000)] {
            assert!(scope.read_resume_token(text, 3).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_longest_token_is_read() {
        let mark = Mark { position: i64::MAX, check: u32::MAX };
        let cursor = Cursor::of(vec![mark; 256]);
        let scope = Scope::of_events("ledger");
        assert_eq!(scope.read_resume_token(&scope.resume_token(&cursor), 256).unwrap(), cursor);
    }
}
