//! Page tokens: opaque, bound to the ledger, the method and the filters they came from.
//!
//! A token is a version byte, the cursor, and a hash over both and everything it is bound to, in
//! base64url. It holds a position only, nothing secret, so the hash needs no key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use xxhash_rust::xxh3::xxh3_64;

use super::status::Fault;
use crate::core::claim::ClaimId;
use crate::core::day::Moment;
use crate::pb;
use crate::store::ClaimCursor;

const VERSION: u8 = 1;
const HASH_BYTES: usize = 8;
/// Far above any token of ours; longer ones are not even decoded.
const TOKEN_CHARS_MAX: usize = 1024;

/// What the tokens of one list are bound to.
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

    /// The token for a cursor.
    pub(super) fn seal(&self, cursor: &[u8]) -> String {
        let mut token = Vec::with_capacity(1 + cursor.len() + HASH_BYTES);
        token.push(VERSION);
        token.extend_from_slice(cursor);
        token.extend_from_slice(&self.hash(&token));
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The cursor of a token of this list; `None` for an empty token, the first page.
    pub(super) fn open(&self, token: &str) -> Result<Option<Vec<u8>>, Fault> {
        if token.is_empty() {
            return Ok(None);
        }
        let cursor = self.cursor(token).ok_or_else(Fault::page_token_invalid)?;
        Ok(Some(cursor))
    }

    fn cursor(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
        let (version, cursor) = signed.split_first()?;
        (*version == VERSION && hash == self.hash(signed)).then(|| cursor.to_vec())
    }

    fn hash(&self, signed: &[u8]) -> [u8; HASH_BYTES] {
        xxh3_64(&[signed, b"|", &self.0].concat()).to_be_bytes()
    }
}

/// The bytes of a claim cursor: time, lane, number.
pub(super) fn claim_cursor(cursor: ClaimCursor) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18);
    bytes.extend_from_slice(&cursor.create_time.micros().to_be_bytes());
    bytes.extend_from_slice(&cursor.id.lane.to_be_bytes());
    bytes.extend_from_slice(&cursor.id.number.to_be_bytes());
    bytes
}

/// The claim cursor of its bytes.
pub(super) fn read_claim_cursor(bytes: &[u8]) -> Result<ClaimCursor, Fault> {
    let read = || {
        let (time, rest) = bytes.split_first_chunk()?;
        let (lane, number) = rest.split_first_chunk()?;
        let number = number.try_into().ok()?;
        Some(ClaimCursor {
            create_time: Moment::from_micros(i64::from_be_bytes(*time)),
            id: ClaimId { lane: u16::from_be_bytes(*lane), number: i64::from_be_bytes(number) },
        })
    };
    read().ok_or_else(Fault::page_token_invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> ClaimCursor {
        ClaimCursor {
            create_time: Moment::from_micros(1_710_468_906_000_000),
            id: ClaimId { lane: 3, number: 18_442 },
        }
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
        let token = scope("plan", 10).seal(&claim_cursor(cursor()));
        let bytes = scope("plan", 50).open(&token).unwrap().unwrap();
        let read = read_claim_cursor(&bytes).unwrap();
        assert_eq!((read.create_time, read.id), (cursor().create_time, cursor().id));
        assert!(scope("plan", 10).open("").unwrap().is_none());
    }

    #[test]
    fn foreign_and_garbled_tokens_are_refused() {
        let token = scope("plan", 10).seal(&claim_cursor(cursor()));
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
        assert!(read_claim_cursor(&scope("plan", 10).open(&short).unwrap().unwrap()).is_err());
    }
}
