//! A settlement of the wire becomes one of the core.

use std::collections::HashSet;

use super::{Problems, missing, moment};
use crate::core::checks::{Checks, limits};
use crate::core::money::Fen;
use crate::core::personal::Personal;
use crate::core::settlement::{
    Amounts, Diagnosis, FundPayment, LatePayment, Line, Person, SenderNotes, SenderPayout,
    Settlement, is_fund,
};
use crate::pb;

/// Whether a settlement must have its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum Id {
    /// It is to be recorded.
    Required,
    /// A quote: no id may exist yet.
    Optional,
    /// Facts about one that is named by its stay as well: neither person nor bill is needed.
    Supplement,
}

/// Reads a settlement; fields are named from the request on.
pub(in crate::grpc) fn settlement(
    message: Option<&pb::Settlement>,
    id: Id,
) -> Result<Settlement, Problems> {
    let Some(message) = message else { return Err(missing("settlement")) };
    let mut checks = Checks::default();
    let settlement = checks.nested("settlement", |checks| read(message, id, checks));
    checks.done(settlement)
}

/// Reads the facts that are stated.
pub(super) fn read(message: &pb::Settlement, id: Id, checks: &mut Checks) -> Settlement {
    let source = source(&message.source, checks);
    let settlement_id = match id {
        Id::Required => {
            checks.required_code("settlement_id", &message.settlement_id, limits::SETTLEMENT_ID_MAX)
        }
        Id::Optional | Id::Supplement => {
            let id = &message.settlement_id;
            checks.code("settlement_id", id, limits::SETTLEMENT_ID_MAX).unwrap_or_default()
        }
    };
    let admission_date = checks.day("admission_date", &message.admission_date);
    let discharge_date = checks.day("discharge_date", &message.discharge_date);
    checks.day_order("discharge_date", admission_date, discharge_date);
    let hospital_code = &message.hospital_code;
    let category = &message.medical_category;
    Settlement {
        source,
        settlement_id,
        visit_id: checks.code("visit_id", &message.visit_id, limits::VISIT_ID_MAX),
        person: match (&message.member, id) {
            (None, Id::Supplement) => Person::default(),
            (member, _) => person(member.as_ref(), checks),
        },
        hospital_code: checks.code("hospital_code", hospital_code, limits::HOSPITAL_CODE_MAX),
        hospital_level: checks.code("hospital_level", &message.hospital_level, limits::CODE_MAX),
        region: checks.region("region", &message.region),
        insured_region: checks.region("insured_region", &message.insured_region),
        insurance_type: checks.code("insurance_type", &message.insurance_type, limits::CODE_MAX),
        medical_category: checks.code("medical_category", category, limits::CODE_MAX),
        admission_date,
        discharge_date,
        settle_time: moment(checks, "settle_time", message.settle_time.as_ref()),
        diagnoses: diagnoses(&message.diagnoses, checks),
        invoice_no: checks.code("invoice_no", &message.invoice_no, limits::INVOICE_NO_MAX),
        discharge_way: checks.code("discharge_way", &message.discharge_way, limits::CODE_MAX),
        pay_location: checks.code("pay_location", &message.pay_location, limits::CODE_MAX),
        interim: message.interim,
        without_basic_insurance: message.without_basic_insurance,
        event: None,
        amounts: amounts(message, id, checks),
        funds: funds(&message.funds, checks),
        late_payments: late_payments(&message.late_payments, checks),
        lines: lines(&message.lines, checks),
        sender: sender(message.sender_payout.as_ref(), checks),
    }
}

/// Who issued the id.
pub(super) fn source(source: &str, checks: &mut Checks) -> String {
    if source.is_empty() {
        checks.refuse("source", "is required");
    }
    checks.region("source", source).unwrap_or_default()
}

/// Whose settlement or event it is.
pub(super) fn person(member: Option<&pb::MemberIdentity>, checks: &mut Checks) -> Person {
    let Some(member) = member else {
        checks.refuse("member", "is required");
        return Person::default();
    };
    checks.nested("member", |checks| {
        if member.cert_no.is_empty() && member.card_no.is_empty() && member.psn_no.is_empty() {
            checks.refuse("", "must have a cert_no, a card_no or a psn_no");
        }
        let mut personal = |field: &str, value: &str, max: usize| {
            checks.text(field, value, max).map(Personal::new)
        };
        let cert_no = personal("cert_no", &member.cert_no, limits::CERT_NO_MAX);
        let name = personal("name", &member.name, limits::NAME_MAX);
        let psn_no = personal("psn_no", &member.psn_no, limits::PSN_NO_MAX);
        let card_no = personal("card_no", &member.card_no, limits::CERT_NO_MAX);
        let cert_type = checks.code("cert_type", &member.cert_type, limits::CODE_MAX);
        Person { cert_type, cert_no, name, psn_no, card_no }
    })
}

fn amounts(message: &pb::Settlement, id: Id, checks: &mut Checks) -> Amounts {
    let is_forgotten = message.total_fen == 0 && message.personal_total_fen != Some(0);
    if is_forgotten && id != Id::Supplement {
        let problem = "is required and must be above zero, unless personal_total_fen is zero";
        checks.refuse("total_fen", problem);
    }
    let mut stated = |field: &str, fen: Option<i64>| fen.and_then(|fen| checks.fen(field, fen));
    Amounts {
        total: stated("total_fen", Some(message.total_fen)).unwrap_or_default(),
        out_of_catalogue: stated("out_of_catalogue_fen", message.out_of_catalogue_fen),
        over_limit: stated("over_limit_fen", message.over_limit_fen),
        advance_self_pay: stated("advance_self_pay_fen", message.advance_self_pay_fen),
        in_scope: stated("in_scope_fen", message.in_scope_fen),
        basic_deductible: stated("basic_deductible_fen", message.basic_deductible_fen),
        fund_total: stated("fund_total_fen", message.fund_total_fen),
        hospital_borne: stated("hospital_borne_fen", message.hospital_borne_fen),
        personal_total: stated("personal_total_fen", message.personal_total_fen),
        personal_again: None,
        account: stated("account_fen", message.account_fen),
        cash: stated("cash_fen", message.cash_fen),
    }
}

/// What the sender itself computed.
fn sender(payout: Option<&pb::SenderPayout>, checks: &mut Checks) -> SenderNotes {
    let payout = payout.map(|payout| {
        checks.nested("sender_payout", |checks| {
            let mut stated =
                |field: &str, fen: Option<i64>| fen.and_then(|fen| checks.fen(field, fen));
            SenderPayout {
                total: stated("total_fen", Some(payout.total_fen)).unwrap_or_default(),
                in_catalogue: stated("in_catalogue_fen", payout.in_catalogue_fen),
                out_of_catalogue: stated("out_of_catalogue_fen", payout.out_of_catalogue_fen),
                in_catalogue_deductible: stated(
                    "in_catalogue_deductible_fen",
                    payout.in_catalogue_deductible_fen,
                ),
                out_of_catalogue_deductible: stated(
                    "out_of_catalogue_deductible_fen",
                    payout.out_of_catalogue_deductible_fen,
                ),
            }
        })
    });
    SenderNotes { payout, ..SenderNotes::default() }
}

/// Rules go by code, so a name without one is no diagnosis.
fn diagnoses(rows: &[pb::Diagnosis], checks: &mut Checks) -> Vec<Diagnosis> {
    if !checks.at_most("diagnoses", rows.len(), limits::DIAGNOSES_MAX) {
        return Vec::new();
    }
    let read = |(index, row): (usize, &pb::Diagnosis)| {
        checks.item("diagnoses", index, |checks| Diagnosis {
            code: Personal::new(checks.required_text(
                "code",
                &row.code,
                limits::DIAGNOSIS_CODE_MAX,
            )),
            name: Personal::new(
                checks.text("name", &row.name, limits::DIAGNOSIS_NAME_MAX).unwrap_or_default(),
            ),
        })
    };
    rows.iter().enumerate().map(read).collect()
}

/// What funds paid. Rows of zero say nothing, and account and hospital money is no fund's: left
/// out as in a message, so that both roads bring the same facts.
fn funds(rows: &[pb::FundPayment], checks: &mut Checks) -> Vec<FundPayment> {
    if !checks.at_most("funds", rows.len(), limits::FUNDS_MAX) {
        return Vec::new();
    }
    let read = |(index, row): (usize, &pb::FundPayment)| {
        checks.item("funds", index, |checks| FundPayment {
            fund_code: checks.required_text("fund_code", &row.fund_code, limits::FUND_CODE_MAX),
            amount: checks.fen("amount_fen", row.amount_fen).unwrap_or_default(),
        })
    };
    let mut funds: Vec<FundPayment> = rows.iter().enumerate().map(read).collect();
    funds.retain(|fund| fund.amount > Fen::ZERO && is_fund(&fund.fund_code));
    funds
}

/// What was paid after the settlement, each payment with an id of its own.
fn late_payments(rows: &[pb::LatePayment], checks: &mut Checks) -> Vec<LatePayment> {
    if !checks.at_most("late_payments", rows.len(), limits::FUNDS_MAX) {
        return Vec::new();
    }
    let mut ids = HashSet::with_capacity(rows.len());
    let read = |(index, row): (usize, &pb::LatePayment)| {
        checks.item("late_payments", index, |checks| {
            let id = &row.payment_id;
            if !id.is_empty() && !ids.insert(id.clone()) {
                checks.refuse("payment_id", "must be unique inside the settlement");
            }
            if row.amount_fen == 0 {
                checks.refuse("amount_fen", "must be above zero");
            }
            LatePayment {
                payment_id: checks.required_code("payment_id", id, limits::LINE_NO_MAX),
                fund_code: checks.required_text("fund_code", &row.fund_code, limits::FUND_CODE_MAX),
                amount: checks.fen("amount_fen", row.amount_fen).unwrap_or_default(),
            }
        })
    };
    rows.iter().enumerate().map(read).collect()
}

fn lines(rows: &[pb::Line], checks: &mut Checks) -> Vec<Line> {
    if !checks.at_most("lines", rows.len(), limits::LINES_MAX) {
        return Vec::new();
    }
    let mut numbers = HashSet::with_capacity(rows.len());
    let read = |(index, row)| {
        checks.item("lines", index, |checks| {
            let line = line(row, checks);
            if !line.line_no.is_empty() && !numbers.insert(row.line_no.as_str()) {
                checks.refuse("line_no", "must be unique inside the settlement");
            }
            line
        })
    };
    rows.iter().enumerate().map(read).collect()
}

fn line(row: &pb::Line, checks: &mut Checks) -> Line {
    let line_no = checks.required_code("line_no", &row.line_no, limits::LINE_NO_MAX);
    let item_code = checks.text("item_code", &row.item_code, limits::ITEM_CODE_MAX);
    let item_name = checks.text("item_name", &row.item_name, limits::ITEM_NAME_MAX);
    let charge_class = checks.code("charge_class", &row.charge_class, limits::CODE_MAX);
    let catalogue_level = checks.code("catalogue_level", &row.catalogue_level, limits::CODE_MAX);
    let service_date = checks.day("service_date", &row.service_date);
    let quantity = checks.quantity("quantity", &row.quantity);
    let mut stated = |field: &str, fen: Option<i64>| fen.and_then(|fen| checks.fen(field, fen));
    Line {
        line_no,
        item_code: item_code.map(Personal::new),
        item_name: item_name.map(Personal::new),
        charge_class,
        catalogue_level,
        service_date,
        quantity,
        total: stated("total_fen", Some(row.total_fen)).unwrap_or_default(),
        out_of_catalogue: stated("out_of_catalogue_fen", row.out_of_catalogue_fen),
        over_limit: stated("over_limit_fen", row.over_limit_fen),
        advance_self_pay: stated("advance_self_pay_fen", row.advance_self_pay_fen),
        in_scope: stated("in_scope_fen", row.in_scope_fen),
    }
}
