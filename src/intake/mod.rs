//! Reads what hospitals send: the answer of the national platform to a settlement (transaction
//! 2304) or to a quote (2303), bare or inside a composite record with stay and fee lines. Refuses
//! what it would have to guess; never judges whether the amounts agree, which is the core's work.

mod json;
mod names;
mod national;
mod part;

use crate::core::checks::Problem;
use crate::core::settlement::Settlement;

/// A message as it came.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Who delivered it; no part of any key.
    pub sender: &'a str,
    /// The bytes as sent: the platform's answer or the composite record.
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
}

fn listed(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}

/// Reads a message. Total: any bytes give a reading or all their problems.
pub fn read(message: &Message<'_>) -> Result<Reading, Unreadable> {
    national::read(message)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
