//! What comes about a settlement apart from it: reversals and supplements of the wire.

use super::settlement::{Id, read, source};
use super::{Problems, missing, moment};
use crate::core::checks::{Checks, limits};
use crate::core::settlement::{Reversal, Supplement};
use crate::pb;

/// Reads facts about a settlement; fields are named from the request on.
pub(in crate::grpc) fn supplement(
    message: Option<&pb::Settlement>,
) -> Result<Supplement, Problems> {
    let Some(message) = message else { return Err(missing("settlement")) };
    let mut checks = Checks::default();
    let facts = checks.nested("settlement", |checks| {
        if message.settlement_id.is_empty() && message.visit_id.is_empty() {
            checks.refuse("settlement_id", "is required, or visit_id");
        }
        read(message, Id::Supplement, checks)
    });
    checks.done(Supplement { facts })
}

/// Reads a reversal; fields are named from the request on.
pub(in crate::grpc) fn reversal(message: Option<&pb::Reversal>) -> Result<Reversal, Problems> {
    let Some(message) = message else { return Err(missing("reversal")) };
    let mut checks = Checks::default();
    let reversal = checks.nested("reversal", |checks| {
        let mut id = |field: &str, text: &str| checks.code(field, text, limits::SETTLEMENT_ID_MAX);
        let original_id = id("settlement_id", &message.settlement_id);
        let reversal_id = id("reversal_id", &message.reversal_id);
        let visit_id = checks.code("visit_id", &message.visit_id, limits::VISIT_ID_MAX);
        let total = checks.fen("total_fen", message.total_fen).filter(|_| message.total_fen != 0);
        if message.settlement_id.is_empty() {
            if message.reversal_id.is_empty() && message.visit_id.is_empty() {
                checks.refuse("settlement_id", "is required, or reversal_id, or visit_id");
            }
            if message.total_fen == 0 {
                checks.refuse("total_fen", "is required without a settlement_id");
            }
            // By the stay alone a repeated reversal could not be told from another one.
            if message.reversal_id.is_empty() && message.reverse_time.is_none() {
                checks
                    .refuse("reversal_id", "is required without a settlement_id, or reverse_time");
            }
        }
        Reversal {
            source: source(&message.source, checks),
            original_id,
            reversal_id,
            visit_id,
            total,
            reverse_time: moment(checks, "reverse_time", message.reverse_time.as_ref()),
        }
    });
    checks.done(reversal)
}
