//! A settlement as the wire knows it.

use super::{day, revealed, text, timestamp};
use crate::core::money::Fen;
use crate::core::settlement::{
    LatePayment, Line, Person, Reversal, SenderPayout, Settlement, UnknownCode,
};
use crate::pb;

/// Every fact of a settlement; reading it again gives the same settlement.
pub(crate) fn settlement(facts: &Settlement) -> pb::Settlement {
    let amounts = &facts.amounts;
    let fen = |amount: Option<Fen>| amount.map(Fen::fen);
    let diagnosis = |it: &crate::core::settlement::Diagnosis| pb::Diagnosis {
        code: it.code.reveal().to_owned(),
        name: it.name.reveal().to_owned(),
    };
    let fund = |it: &crate::core::settlement::FundPayment| pb::FundPayment {
        fund_code: it.fund_code.clone(),
        amount_fen: it.amount.fen(),
    };
    pb::Settlement {
        source: facts.source.clone(),
        settlement_id: facts.settlement_id.clone(),
        visit_id: text(facts.visit_id.as_ref()),
        member: Some(person(&facts.person)),
        hospital_code: text(facts.hospital_code.as_ref()),
        hospital_level: text(facts.hospital_level.as_ref()),
        region: text(facts.region.as_ref()),
        insured_region: text(facts.insured_region.as_ref()),
        insurance_type: text(facts.insurance_type.as_ref()),
        medical_category: text(facts.medical_category.as_ref()),
        admission_date: day(facts.admission_date),
        discharge_date: day(facts.discharge_date),
        settle_time: facts.settle_time.map(timestamp),
        diagnoses: facts.diagnoses.iter().map(diagnosis).collect(),
        total_fen: amounts.total.fen(),
        out_of_catalogue_fen: fen(amounts.out_of_catalogue),
        over_limit_fen: fen(amounts.over_limit),
        advance_self_pay_fen: fen(amounts.advance_self_pay),
        in_scope_fen: fen(amounts.in_scope),
        basic_deductible_fen: fen(amounts.basic_deductible),
        funds: facts.funds.iter().map(fund).collect(),
        fund_total_fen: fen(amounts.fund_total),
        hospital_borne_fen: fen(amounts.hospital_borne),
        personal_total_fen: fen(amounts.personal_total),
        account_fen: fen(amounts.account),
        cash_fen: fen(amounts.cash),
        lines: facts.lines.iter().map(line).collect(),
        invoice_no: text(facts.invoice_no.as_ref()),
        without_basic_insurance: facts.without_basic_insurance,
        interim: facts.interim,
        sender_payout: facts.sender.payout.as_ref().map(sender_payout),
        personal_again_fen: fen(amounts.personal_again),
        tolerance_fen: fen(facts.sender.tolerance),
        unknown_codes: facts.sender.unknown_codes.iter().map(unknown_code).collect(),
        late_payments: facts.late_payments.iter().map(late_payment).collect(),
        discharge_way: text(facts.discharge_way.as_ref()),
        pay_location: text(facts.pay_location.as_ref()),
    }
}

fn late_payment(payment: &LatePayment) -> pb::LatePayment {
    pb::LatePayment {
        payment_id: payment.payment_id.clone(),
        fund_code: payment.fund_code.clone(),
        amount_fen: payment.amount.fen(),
    }
}

fn sender_payout(payout: &SenderPayout) -> pb::SenderPayout {
    let fen = |amount: Option<Fen>| amount.map(Fen::fen);
    pb::SenderPayout {
        total_fen: payout.total.fen(),
        in_catalogue_fen: fen(payout.in_catalogue),
        out_of_catalogue_fen: fen(payout.out_of_catalogue),
        in_catalogue_deductible_fen: fen(payout.in_catalogue_deductible),
        out_of_catalogue_deductible_fen: fen(payout.out_of_catalogue_deductible),
    }
}

fn unknown_code(unknown: &UnknownCode) -> pb::UnknownCode {
    pb::UnknownCode { field: unknown.field.clone(), code: unknown.code.clone() }
}

/// What took a settlement back.
pub(super) fn reversal(reversal: &Reversal) -> pb::Reversal {
    pb::Reversal {
        source: reversal.source.clone(),
        settlement_id: text(reversal.original_id.as_ref()),
        reversal_id: text(reversal.reversal_id.as_ref()),
        visit_id: text(reversal.visit_id.as_ref()),
        total_fen: reversal.total.map_or(0, Fen::fen),
        reverse_time: reversal.reverse_time.map(timestamp),
    }
}

pub(super) fn person(person: &Person) -> pb::MemberIdentity {
    pb::MemberIdentity {
        cert_type: text(person.cert_type.as_ref()),
        cert_no: revealed(person.cert_no.as_ref()),
        name: revealed(person.name.as_ref()),
        psn_no: revealed(person.psn_no.as_ref()),
        card_no: revealed(person.card_no.as_ref()),
    }
}

fn line(line: &Line) -> pb::Line {
    let fen = |amount: Option<Fen>| amount.map(Fen::fen);
    pb::Line {
        line_no: line.line_no.clone(),
        item_code: revealed(line.item_code.as_ref()),
        item_name: revealed(line.item_name.as_ref()),
        charge_class: text(line.charge_class.as_ref()),
        catalogue_level: text(line.catalogue_level.as_ref()),
        service_date: day(line.service_date),
        total_fen: line.total.fen(),
        out_of_catalogue_fen: fen(line.out_of_catalogue),
        over_limit_fen: fen(line.over_limit),
        advance_self_pay_fen: fen(line.advance_self_pay),
        in_scope_fen: fen(line.in_scope),
        quantity: line.quantity.map(|it| it.to_string()).unwrap_or_default(),
    }
}
