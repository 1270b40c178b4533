//! What a message is: which transaction it belongs to, and whether it takes a settlement back.

use super::names;
use super::part::Places;
use super::parts::Parts;
use crate::core::checks::Checks;

/// The transactions that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transaction {
    /// 2303.
    Quote,
    /// 2304.
    Settle,
    /// 2305.
    Reverse,
    /// 5203.
    Query,
    /// 5204: fee lines of a settlement.
    QueryLines,
    /// 2301: fee lines of a stay.
    UploadLines,
    /// 4101, and 4103 which mends it.
    List,
}

/// How a message is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Basic insurance has settled.
    Settlement,
    /// What basic insurance would settle.
    Quote,
    /// A settlement was taken back.
    Reversal(Reason),
    /// Fee lines, or the stay, or both.
    Supplement,
    /// A settlement list.
    List,
}

/// Why a message is a reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It takes a settlement back.
    Reverses,
    /// It is a settlement that says of itself that it was taken back.
    WasReversed,
}

/// A message's transaction and kind. `None` where a problem says what is missing.
pub(super) fn of(
    parts: &Parts<'_>,
    infno: Option<&str>,
    checks: &mut Checks,
) -> Option<(Option<Transaction>, Kind)> {
    let transaction = transaction(parts, infno, checks);
    let takes_back = is_reversal_record(parts, checks);
    let kind = match transaction {
        _ if takes_back && !parts.has_setlinfo => return refuse_missing(parts, checks),
        Some(Transaction::QueryLines | Transaction::UploadLines) => lines(parts, checks)?,
        Some(Transaction::List) if parts.has_list => Kind::List,
        Some(Transaction::List) => {
            checks.refuse("input.setlinfo", "is required");
            return None;
        }
        _ if parts.has_setlinfo => settled(parts, transaction, checks),
        Some(Transaction::Quote | Transaction::Reverse) => return refuse_missing(parts, checks),
        None if parts.has_list => Kind::List,
        None if parts.rows.is_some() => lines(parts, checks)?,
        _ if is_supplement(parts) => Kind::Supplement,
        _ => return refuse_missing(parts, checks),
    };
    Some((transaction, kind))
}

/// Which transaction this belongs to. Every place that says so must say the same.
fn transaction(parts: &Parts<'_>, infno: Option<&str>, checks: &mut Checks) -> Option<Transaction> {
    let mut told = Vec::new();
    if let Some(infno) = infno.filter(|infno| !infno.is_empty()) {
        told.push(("infno".to_owned(), infno.into()));
    }
    for part in [&parts.source, &parts.root, &parts.request] {
        told.extend(Places(&[part]).short(names::INFNO, checks));
    }
    for (field, infno) in &told {
        if named(infno).is_none() {
            let read = "must be 2303, 2304, 2305, 5203, 5204, 2301, 4101 or 4103: other \
                        transactions are not read";
            checks.refuse(field, read);
        } else if *infno != told[0].1 {
            checks.refuse(field, format!("must be the same transaction as {}", told[0].0));
        }
    }
    told.first().and_then(|(_, infno)| named(infno))
}

fn named(infno: &str) -> Option<Transaction> {
    Some(match infno {
        "2303" => Transaction::Quote,
        "2304" => Transaction::Settle,
        "2305" => Transaction::Reverse,
        "5203" => Transaction::Query,
        "5204" => Transaction::QueryLines,
        "2301" => Transaction::UploadLines,
        "4101" | "4103" => Transaction::List,
        _ => return None,
    })
}

fn lines(parts: &Parts<'_>, checks: &mut Checks) -> Option<Kind> {
    let some = parts.rows.as_ref().is_some_and(|rows| !rows.is_empty());
    if some || (!parts.has_output && is_supplement(parts)) {
        return Some(Kind::Supplement);
    }
    let problem = if parts.has_output { "must hold fee lines" } else { "is required" };
    checks.refuse("output", problem);
    None
}

/// A composite record without a settlement: its stay, its lines, or both.
fn is_supplement(parts: &Parts<'_>) -> bool {
    !parts.has_output && (parts.root.has("mdtrtinfo") || parts.root.has("feedetail"))
}

fn refuse_missing<T>(parts: &Parts<'_>, checks: &mut Checks) -> Option<T> {
    if parts.has_output {
        checks.refuse("output.setlinfo", "is required");
    } else if parts.root.has("input") {
        let problem = "is required: this is a request, and only its answer says what was settled";
        checks.refuse("output", problem);
    } else {
        checks.refuse("output", "is required");
    }
    None
}

/// Whether a composite record says that it takes a settlement back.
fn is_reversal_record(parts: &Parts<'_>, checks: &mut Checks) -> bool {
    let Some((field, kind)) = Places(&[&parts.root]).stated(names::RECORD_TYPE, checks) else {
        return false;
    };
    if !matches!(&*kind, "original" | "reversal") {
        checks.refuse(&field, "must be original or reversal");
    }
    kind == "reversal"
}

/// Whether what was settled is a settlement, a quote or a reversal.
fn settled(parts: &Parts<'_>, transaction: Option<Transaction>, checks: &mut Checks) -> Kind {
    let is_quote = transaction == Some(Transaction::Quote);
    match reversal(parts, transaction, checks) {
        None if is_quote => Kind::Quote,
        None => Kind::Settlement,
        Some((field, _)) if is_quote => {
            checks.refuse(&field, "says that this is a reversal, which a quote cannot be");
            Kind::Quote
        }
        Some((_, reason)) => Kind::Reversal(reason),
    }
}

/// Whether a message is a reversal, and the field that says so (`domain.md` 1.9).
fn reversal(
    parts: &Parts<'_>,
    transaction: Option<Transaction>,
    checks: &mut Checks,
) -> Option<(String, Reason)> {
    let setlinfo = Places(&[&parts.setlinfo]);
    let total = setlinfo.written(names::TOTAL, checks);
    let total = total.filter(|(_, text)| is_negative(text));
    let original = setlinfo.stated(names::ORIGINAL_ID, checks);
    let flag = setlinfo.short(names::REFUND_FLAG, checks);
    if let Some((field, flag)) = &flag
        && !matches!(&**flag, "0" | "1")
    {
        checks.refuse(field, "must be 0 or 1");
    }
    let told = (transaction == Some(Transaction::Reverse)).then(|| "infno".to_owned());
    let record = is_reversal_record(parts, checks).then(|| names::RECORD_TYPE[0].to_owned());
    let reverses =
        told.or(record).or(original.map(|(field, _)| field)).or(total.map(|(field, _)| field));
    let was_reversed = flag.filter(|(_, flag)| flag == "1");
    let was_reversed = was_reversed.map(|(field, _)| (field, Reason::WasReversed));
    reverses.map(|field| (field, Reason::Reverses)).or(was_reversed)
}

/// Whether an amount is below nothing. What is no amount is a problem of its own.
pub(super) fn is_negative(amount: &str) -> bool {
    amount.starts_with('-') && amount.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}
