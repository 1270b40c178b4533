//! Reads what hospitals, platforms and bureaus send, by the profile of the sender: settlements
//! (2304, 5203, a bureau's push) and quotes (2303), and what comes about them apart: reversals
//! (2305), fee lines (5204, 2301), settlement lists (4101), the stay. Refuses what it would have to
//! guess; never judges whether the amounts agree, which is the core's work.

mod about;
mod dictionary;
pub mod file;
mod findings;
mod json;
mod kind;
mod lines;
mod money;
mod names;
mod part;
mod parts;
mod profile;
pub mod pull;
mod reader;
mod reversal;
mod settlement;
mod supplement;
mod time;

use std::sync::Arc;

use crate::core::checks::Problem;
use crate::core::settlement::{FollowUp, Reversal, Settlement};

pub use profile::{Institution, Profile, ReversalDialect};

/// The largest message that is taken, in bytes: a stay of many weeks with all its fee lines.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A message as it came.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Who delivered it; no part of any key.
    pub sender: &'a str,
    /// The bytes as sent: the platform's answer, a composite record, a push, or a request that is
    /// itself the record (4101).
    pub payload: &'a [u8],
    /// The transaction that was asked for, if the sender says so apart from the message.
    pub infno: Option<&'a str>,
    /// The request that `payload` answers, with its envelope.
    pub request_payload: Option<&'a [u8]>,
}

/// What a readable message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Basic insurance has settled.
    Settlement(Box<Settlement>),
    /// What basic insurance would settle (2303). It moves nothing; `settlement_id` is mostly
    /// empty.
    Quote(Box<Settlement>),
    /// Something about a settlement that came apart from it.
    FollowUp(FollowUp),
    /// A settlement that says of itself that it was taken back (`refd_setl_flag`), which may be the
    /// first that is heard of it.
    TakenBack {
        /// What was settled.
        settlement: Box<Settlement>,
        /// That it was taken back.
        reversal: Arc<Reversal>,
    },
    /// The platform refused, so there is nothing to decide.
    NoSettlement {
        /// What it answered, in our words: its own text may name a person.
        detail: String,
    },
}

/// Why a message cannot be read: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read: {}", listed(.problems))]
pub struct Unreadable {
    /// At least one problem. Fields bear the sender's names.
    pub problems: Vec<Problem>,
    /// What the message is about, as far as it could be read.
    pub about: About,
}

/// What a message is about, as far as it could be read. Holds no personal value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The platform that issued the ids.
    pub source: Option<String>,
    /// The settlement.
    pub settlement_id: Option<String>,
    /// What it says of it; `None` where that could not be told.
    pub topic: Option<Topic>,
}

/// What a message says of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// What was settled.
    Settlement,
    /// That it was taken back.
    Reversal,
    /// Facts about it.
    Supplement,
}

fn listed(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}

/// Reads a message by its sender's profile. Total: any bytes give a reading or all their problems.
pub fn read(message: &Message<'_>, profile: &Profile) -> Result<Reading, Unreadable> {
    reader::read(message, profile)
}

/// Reads a message by the national profile.
#[cfg(test)]
fn read_national(message: &Message<'_>) -> Result<Reading, Unreadable> {
    read(message, &Profile::national())
}

#[cfg(test)]
mod dialects;
#[cfg(test)]
mod follow_ups;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tree;
