//! A reversal (2305), in whichever of its dialects (`domain.md` 1.9): a new id with negative
//! amounts, the original echoed under its old id, or a settlement that says it was taken back.

use std::sync::Arc;

use super::findings::Findings;
use super::kind::{Reason, Transaction, is_negative};
use super::part::Places;
use super::parts::Parts;
use super::profile::ReversalDialect;
use super::{Reading, names, time};
use crate::core::checks::{Checks, limits};
use crate::core::day::Moment;
use crate::core::money::Fen;
use crate::core::settlement::{FollowUp, Reversal};

/// The bill that is taken back.
struct Total {
    negative: bool,
    amount: Option<Fen>,
}

/// Reads a reversal.
pub(super) fn read(
    parts: &Parts<'_>,
    transaction: Option<Transaction>,
    reason: Reason,
    findings: &mut Findings<'_>,
) -> Reading {
    let setlinfo = Places(&[&parts.setlinfo]);
    parts.refuse_foreign_parts(&mut findings.checks);
    let dialect = findings.profile.reversal;
    let checks = &mut findings.checks;
    let total = total(parts, checks);
    if dialect == Some(ReversalDialect::Negative)
        && reason == Reason::Reverses
        && total.as_ref().is_some_and(|total| !total.negative)
    {
        let problem = "must be negative, as all reversals of this sender are";
        checks.refuse(&parts.setlinfo.field(names::TOTAL[0]), problem);
    }
    let negative = total.as_ref().is_some_and(|total| total.negative);
    let own = setlinfo.code(names::SETTLEMENT_ID, limits::SETTLEMENT_ID_MAX, checks);
    let named = original(parts, transaction, checks);
    let is_own =
        reason == Reason::WasReversed || (dialect == Some(ReversalDialect::Echo) && !negative);
    let original_id = named.or_else(|| own.clone().filter(|_| is_own && !negative));
    let reversal_id = own.filter(|_| reason == Reason::Reverses || negative);
    let visits = Places(&[&parts.setlinfo, &parts.stay, &parts.asked]);
    let visit_id = visits.code(names::VISIT_ID, limits::VISIT_ID_MAX, checks);
    if original_id.is_none() && reversal_id.is_none() && visit_id.is_none() {
        setlinfo.require(names::SETTLEMENT_ID, checks);
    } else if negative && original_id.is_none() && visit_id.is_none() {
        // Nobody could ever tell what it takes back (F5 in `domain.md` 4.3).
        let problem = format!(
            "is required, or {}: a negative total takes something back",
            names::VISIT_ID[0]
        );
        checks.refuse(&parts.setlinfo.field(names::ORIGINAL_ID[0]), problem);
    }
    let is_echo = !negative && (original_id == reversal_id || original_id.is_none());
    let reverse_time = match reason {
        Reason::WasReversed if !negative => None,
        _ if is_echo => answer_time(parts),
        _ => setlinfo.moment(names::SETTLE_TIME, checks),
    };
    let reversal = Reversal {
        source: parts.source_region(findings),
        original_id,
        reversal_id,
        visit_id,
        total: total.and_then(|total| total.amount),
        reverse_time,
    };
    Reading::FollowUp(FollowUp::Reversal(Arc::new(reversal)))
}

fn total(parts: &Parts<'_>, checks: &mut Checks) -> Option<Total> {
    let (field, text) = Places(&[&parts.setlinfo]).written(names::TOTAL, checks)?;
    let negative = is_negative(&text);
    let digits = text.strip_prefix('-').filter(|_| negative).unwrap_or(&text);
    let amount = checks.yuan(&field, digits);
    if amount.is_some_and(|amount| amount.is_zero()) {
        checks.refuse(&field, "must not be zero in a reversal");
    }
    Some(Total { negative, amount })
}

/// The id of the settlement that is taken back, where it is named.
fn original(
    parts: &Parts<'_>,
    transaction: Option<Transaction>,
    checks: &mut Checks,
) -> Option<String> {
    let setlinfo = Places(&[&parts.setlinfo]);
    let max = limits::SETTLEMENT_ID_MAX;
    let initial = setlinfo.code(names::ORIGINAL_ID, max, checks);
    let own = setlinfo.code(names::SETTLEMENT_ID, max, checks);
    // A query (5203) asks for the row it gets, so it names the reversal itself.
    let is_query = transaction == Some(Transaction::Query);
    let asked = if is_query { None } else { asked(parts, checks) };
    let asked = asked.filter(|(_, asked)| {
        transaction == Some(Transaction::Reverse) || own.as_ref() != Some(asked)
    });
    match (initial, asked) {
        (Some(initial), Some((field, asked))) if initial != asked => {
            checks.refuse(&field, "must be that of the answer");
            Some(initial)
        }
        (initial, asked) => initial.or(asked.map(|(_, asked)| asked)),
    }
}

fn asked(parts: &Parts<'_>, checks: &mut Checks) -> Option<(String, String)> {
    let asked = Places(&[&parts.asked]);
    let (field, _) = asked.stated(names::SETTLEMENT_ID, checks)?;
    let id = asked.code(names::SETTLEMENT_ID, limits::SETTLEMENT_ID_MAX, checks)?;
    Some((field, id))
}

/// When the platform answered. An echo repeats the original's own time of settlement.
fn answer_time(parts: &Parts<'_>) -> Option<Moment> {
    let stated = Places(&[&parts.root]).stated(names::ANSWER_TIME, &mut Checks::default());
    stated.and_then(|(_, text)| time::moment(&text))
}
