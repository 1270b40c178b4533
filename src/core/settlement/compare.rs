//! A settlement sent again under a known key: the same, more, or something else.

use std::collections::HashMap;

use super::{Diagnosis, FundPayment, LatePayment, Line, SenderNotes, Settlement};
use crate::core::money::Fen;

/// What a settlement with a known key brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing new.
    Same,
    /// Facts that were absent before; the merged settlement.
    Supplement(Box<Settlement>),
    /// Facts that differ, by field name. Never their values: they may be personal.
    Conflict(Vec<&'static str>),
}

impl Settlement {
    /// Compares a settlement sent again under a known key with what is known of it.
    ///
    /// Only facts that bear on a decision count: a name or a hospital's own item name may be
    /// spelled otherwise. An absent fact never contradicts a known one.
    pub fn compare(&self, again: &Settlement) -> Comparison {
        let (mut merged, mut again) = (self.clone(), again.with_certificate_as(self));
        merged.yield_to(&mut again);
        let again = &again;
        let mut changed = Vec::new();
        macro_rules! facts {
            ($($($part:ident).+ => $name:literal),+ $(,)?) => {$(
                match (&merged.$($part).+, &again.$($part).+) {
                    (_, None) => {}
                    (None, new) => merged.$($part).+.clone_from(new),
                    (known, new) => if known != new { changed.push($name) },
                }
            )+};
        }
        facts! {
            visit_id => "visit_id",
            person.cert_type => "member.cert_type",
            person.cert_no => "member.cert_no",
            person.psn_no => "member.psn_no",
            person.card_no => "member.card_no",
            hospital_code => "hospital_code",
            hospital_level => "hospital_level",
            region => "region",
            insured_region => "insured_region",
            insurance_type => "insurance_type",
            medical_category => "medical_category",
            admission_date => "admission_date",
            discharge_date => "discharge_date",
            settle_time => "settle_time",
            invoice_no => "invoice_no",
            discharge_way => "discharge_way",
            pay_location => "pay_location",
            interim => "interim",
            amounts.out_of_catalogue => "out_of_catalogue_fen",
            amounts.over_limit => "over_limit_fen",
            amounts.advance_self_pay => "advance_self_pay_fen",
            amounts.in_scope => "in_scope_fen",
            amounts.basic_deductible => "basic_deductible_fen",
            amounts.fund_total => "fund_total_fen",
            amounts.hospital_borne => "hospital_borne_fen",
            amounts.personal_total => "personal_total_fen",
            amounts.personal_again => "personal_total_fen",
            amounts.account => "account_fen",
            amounts.cash => "cash_fen",
            sender.payout => "sender_payout",
        }
        changed.extend(self.compare_events(again, &mut merged));
        if self.without_basic_insurance != again.without_basic_insurance {
            changed.push("without_basic_insurance");
        }
        if self.amounts.total != again.amounts.total {
            changed.push("total_fen");
        }
        if self.person.name.is_none() {
            merged.person.name.clone_from(&again.person.name);
        }
        match merged_funds(&self.funds, &again.funds) {
            Some(funds) => merged.funds = funds,
            None => changed.push("funds"),
        }
        match merged_payments(&self.late_payments, &again.late_payments) {
            Some(payments) => merged.late_payments = payments,
            None => changed.push("late_payments"),
        }
        match merged_diagnoses(&self.diagnoses, &again.diagnoses) {
            Some(diagnoses) => merged.diagnoses = diagnoses,
            None => changed.push("diagnoses"),
        }
        match merged_lines(&self.lines, &again.lines) {
            Some(lines) => merged.lines = lines,
            None => changed.push("lines"),
        }
        if !changed.is_empty() {
            Comparison::Conflict(changed)
        } else if merged == *self {
            Comparison::Same
        } else {
            Comparison::Supplement(Box::new(merged))
        }
    }
}

impl Settlement {
    /// Merges what another report of an event adds; gives the fields that differ.
    fn compare_events(&self, again: &Settlement, merged: &mut Settlement) -> Vec<&'static str> {
        match (&self.event, &again.event) {
            (Some(known), Some(again)) => match known.merged(again) {
                Ok(event) => {
                    merged.event = Some(event);
                    Vec::new()
                }
                Err(fields) => fields,
            },
            (None, None) => Vec::new(),
            // A bill never becomes an event, nor an event a bill.
            (Some(_), None) | (None, Some(_)) => vec!["event"],
        }
    }

    /// What a profile filled in is no statement: it gives way to one, and never contradicts.
    fn yield_to(&mut self, again: &mut Settlement) {
        let is_filled_in = |sender: &SenderNotes, name: &str| {
            sender.filled_in.iter().any(|filled_in| filled_in == name)
        };
        macro_rules! each {
            ($($part:ident),+) => {$(
                let name = stringify!($part);
                let ours = is_filled_in(&self.sender, name);
                let theirs = is_filled_in(&again.sender, name);
                match (self.$part.is_some(), again.$part.is_some()) {
                    (true, true) if theirs => again.$part = None,
                    (true, true) if ours => {
                        self.$part = None;
                        self.sender.filled_in.retain(|filled_in| filled_in != name);
                    }
                    (false, true) if theirs => self.sender.filled_in.push(name.to_owned()),
                    _ => {}
                }
            )+};
        }
        each!(hospital_code, hospital_level, region);
    }

    /// This settlement with the certificate spelled as in `known`, where only the case differs.
    fn with_certificate_as(&self, known: &Settlement) -> Settlement {
        let mut spelled = self.clone();
        if let (Some(ours), Some(theirs)) = (&self.person.cert_no, &known.person.cert_no)
            && ours.reveal().eq_ignore_ascii_case(theirs.reveal())
        {
            spelled.person.cert_no = Some(theirs.clone());
        }
        spelled
    }
}

impl Line {
    fn same_facts(&self, other: &Line) -> bool {
        // How many it was may be told later.
        let is_known = self.quantity.is_some() && other.quantity.is_some();
        let quantity = if is_known { other.quantity } else { self.quantity };
        let named_alike = Line { item_name: self.item_name.clone(), quantity, ..other.clone() };
        *self == named_alike
    }
}

/// Funds as far as they are known; `None` where two lists say different things. A platform's sums
/// per fund, named by their national fields, give way to its details where they come to the same.
fn merged_funds(known: &[FundPayment], again: &[FundPayment]) -> Option<Vec<FundPayment>> {
    let sorted = |funds: &[FundPayment]| {
        let mut rows: Vec<_> = funds.iter().map(|it| (it.fund_code.clone(), it.amount)).collect();
        rows.sort();
        rows
    };
    let sum = |funds: &[FundPayment]| funds.iter().map(|it| it.amount).sum::<Fen>();
    let are_sums = |funds: &[FundPayment]| funds.iter().all(|it| it.fund_code.ends_with("_pay"));
    if again.is_empty() || sorted(known) == sorted(again) {
        return Some(known.to_vec());
    }
    if known.is_empty() {
        return Some(again.to_vec());
    }
    match (are_sums(known), are_sums(again)) {
        (true, false) if sum(known) == sum(again) => Some(again.to_vec()),
        (false, true) if sum(known) == sum(again) => Some(known.to_vec()),
        _ => None,
    }
}

/// Known payments with those that are new by their id; `None` where an id comes with another content.
fn merged_payments(known: &[LatePayment], again: &[LatePayment]) -> Option<Vec<LatePayment>> {
    let mut merged = known.to_vec();
    for payment in again {
        match known.iter().find(|ours| ours.payment_id == payment.payment_id) {
            Some(ours) if ours != payment => return None,
            Some(_) => {}
            None => merged.push(payment.clone()),
        }
    }
    Some(merged)
}

/// Known diagnoses with those that are new; `None` where the main one, the first, differs.
fn merged_diagnoses(known: &[Diagnosis], again: &[Diagnosis]) -> Option<Vec<Diagnosis>> {
    if let (Some(ours), Some(theirs)) = (known.first(), again.first())
        && !same_code(ours, theirs)
    {
        return None;
    }
    let is_new = |it: &&Diagnosis| !known.iter().any(|ours| same_code(ours, it));
    Some(known.iter().chain(again.iter().filter(is_new)).cloned().collect())
}

fn same_code(one: &Diagnosis, other: &Diagnosis) -> bool {
    one.code.reveal().eq_ignore_ascii_case(other.code.reveal())
}

/// Known lines with those that are new by their number, for they may come in parts; `None` where a
/// number comes with another content.
fn merged_lines(known: &[Line], again: &[Line]) -> Option<Vec<Line>> {
    let by_no: HashMap<&str, usize> =
        known.iter().enumerate().map(|(index, line)| (line.line_no.as_str(), index)).collect();
    let mut merged = known.to_vec();
    for line in again {
        match by_no.get(line.line_no.as_str()) {
            Some(ours) if !known[*ours].same_facts(line) => return None,
            Some(ours) => merged[*ours].quantity = merged[*ours].quantity.or(line.quantity),
            None => merged.push(line.clone()),
        }
    }
    Some(merged)
}
