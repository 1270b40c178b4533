//! A settlement or a quote: an answer of the platform, bare, in a composite record, or a push.

use super::findings::Findings;
use super::kind::Kind;
use super::part::{Part, Places};
use super::parts::Parts;
use super::{Reading, lines, money, names};
use crate::core::checks::{Checks, limits};
use crate::core::day::Day;
use crate::core::settlement::{Diagnosis, Person, SenderNotes, Settlement};

/// Reads what was settled, or what would be.
pub(super) fn read(parts: &Parts<'_>, kind: Kind, findings: &mut Findings<'_>) -> Reading {
    let setlinfo = Places(&[&parts.setlinfo]);
    parts.refuse_foreign_parts(&mut findings.checks);
    parts.refuse_another_settlement(&mut findings.checks);
    if kind == Kind::Settlement {
        setlinfo.require(names::SETTLEMENT_ID, &mut findings.checks);
    }
    setlinfo.require(names::TOTAL, &mut findings.checks);
    require_person(&parts.setlinfo, &mut findings.checks);
    let settlement = Box::new(settlement(parts, findings));
    match kind {
        Kind::Quote => Reading::Quote(settlement),
        _ => Reading::Settlement(settlement),
    }
}

fn settlement(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Settlement {
    let setlinfo = Places(&[&parts.setlinfo]);
    let anywhere = Places(&[&parts.setlinfo, &parts.stay, &parts.asked]);
    let checks = &mut findings.checks;
    let settlement_id = setlinfo.code(names::SETTLEMENT_ID, limits::SETTLEMENT_ID_MAX, checks);
    let visit_id = anywhere.code(names::VISIT_ID, limits::VISIT_ID_MAX, checks);
    let (admission_date, discharge_date) =
        days(Places(&[&parts.stay, &parts.setlinfo, &parts.asked]), checks);
    let payout = money::payout(parts, checks);
    let own = settlement_id.clone().unwrap_or_default();
    let mut settlement = Settlement {
        source: parts.source_region(findings),
        settlement_id: settlement_id.unwrap_or_default(),
        visit_id,
        person: person(setlinfo, findings),
        hospital_code: parts.hospital_code(&mut findings.checks),
        hospital_level: findings
            .coded(Places(&[&parts.source, &parts.setlinfo, &parts.stay]), names::HOSPITAL_LEVEL),
        region: Places(&parts.envelope()).region(names::REGION, &mut findings.checks),
        insured_region: parts.insured_region(&mut findings.checks),
        insurance_type: findings.coded(anywhere, names::INSURANCE_TYPE),
        medical_category: findings.coded(anywhere, names::MEDICAL_CATEGORY),
        admission_date,
        discharge_date,
        settle_time: setlinfo.moment(names::SETTLE_TIME, &mut findings.checks),
        diagnoses: main_diagnosis(parts, &mut findings.checks),
        invoice_no: invoice_no(parts, &mut findings.checks),
        discharge_way: discharge_way(parts, findings),
        pay_location: pay_location(parts, findings),
        interim: interim(parts, &mut findings.checks),
        without_basic_insurance: false,
        event: None,
        amounts: money::amounts(&parts.setlinfo, findings),
        funds: money::funds(parts, findings),
        late_payments: Vec::new(),
        lines: lines::of_composite(parts, &own, findings),
        sender: SenderNotes::default(),
    };
    settlement.sender = SenderNotes { payout, ..findings.notes() };
    fill_in(&mut settlement, findings);
    settlement
}

/// What the profile knows where the message is silent.
fn fill_in(settlement: &mut Settlement, findings: &Findings<'_>) {
    let profile = findings.profile;
    let mut filled_in = Vec::new();
    let mut fill_in = |name: &str, fact: &mut Option<String>, known: Option<&String>| {
        if fact.is_none() && known.is_some() {
            *fact = known.cloned();
            filled_in.push(name.to_owned());
        }
    };
    fill_in("hospital_code", &mut settlement.hospital_code, profile.hospital_code.as_ref());
    let code = settlement.hospital_code.as_ref();
    if let Some(known) = code.and_then(|code| profile.institutions.get(code)) {
        fill_in("hospital_level", &mut settlement.hospital_level, known.level.as_ref());
        fill_in("region", &mut settlement.region, known.region.as_ref());
    }
    settlement.sender.filled_in = filled_in;
}

/// First and last day of the stay.
pub(super) fn days(places: Places<'_, '_>, checks: &mut Checks) -> (Option<Day>, Option<Day>) {
    let admission = places.day(names::ADMISSION, checks);
    let discharge = places.day(names::DISCHARGE, checks);
    if let (Some((_, first)), Some((field, last))) = (&admission, &discharge) {
        checks.day_order(field, Some(*first), Some(*last));
    }
    (admission.map(|(_, day)| day), discharge.map(|(_, day)| day))
}

fn require_person(setlinfo: &Part<'_>, checks: &mut Checks) {
    let places = Places(&[setlinfo]);
    if !places.state(names::CERT_NO) && !places.state(names::PERSON_NO) {
        let [field, other] = [names::CERT_NO[0], names::PERSON_NO[0]];
        checks.refuse(&setlinfo.field(field), format!("is required, or {other}"));
    }
}

fn person(places: Places<'_, '_>, findings: &mut Findings<'_>) -> Person {
    let cert_type = findings.coded(places, names::CERT_TYPE);
    let checks = &mut findings.checks;
    Person {
        cert_type,
        cert_no: places.personal(names::CERT_NO, limits::CERT_NO_MAX, checks),
        name: places.personal(names::PERSON_NAME, limits::NAME_MAX, checks),
        psn_no: places.personal(names::PERSON_NO, limits::PSN_NO_MAX, checks),
        card_no: None,
    }
}

/// The main diagnosis. A name without a code is not one: rules go by code.
pub(super) fn main_diagnosis(parts: &Parts<'_>, checks: &mut Checks) -> Vec<Diagnosis> {
    let stated = [&parts.stay, &parts.setlinfo].into_iter().find_map(|part| {
        let place = Places(&[part]);
        let code = place.personal(names::DIAGNOSIS_CODE, limits::DIAGNOSIS_CODE_MAX, checks);
        let name = place.personal(names::DIAGNOSIS_NAME, limits::DIAGNOSIS_NAME_MAX, checks);
        code.map(|code| Diagnosis { code, name: name.unwrap_or_default() })
    });
    stated.into_iter().collect()
}

/// The invoice's number alone, without `bill_code`: `invono` of the other transactions has no
/// code, and the same invoice must not look like another one.
pub(super) fn invoice_no(parts: &Parts<'_>, checks: &mut Checks) -> Option<String> {
    let places = Places(&[&parts.setlinfo, &parts.list, &parts.stay, &parts.asked]);
    places.code(names::INVOICE_NO, limits::INVOICE_NO_MAX, checks)
}

/// How the stay ended.
pub(super) fn discharge_way(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let places = Places(&[&parts.stay, &parts.setlinfo, &parts.list, &parts.asked]);
    places.code(names::DISCHARGE_WAY, limits::CODE_MAX, &mut findings.checks)
}

/// Where it was settled.
pub(super) fn pay_location(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let places = Places(&[&parts.setlinfo, &parts.stay, &parts.asked]);
    places.code(names::PAY_LOCATION, limits::CODE_MAX, &mut findings.checks)
}

/// Whether more settlements of the stay follow; `None` where the flag is neither.
pub(super) fn interim(parts: &Parts<'_>, checks: &mut Checks) -> Option<bool> {
    let places = Places(&[&parts.stay, &parts.setlinfo, &parts.asked]);
    let (_, flag) = places.short(names::INTERIM_FLAG, checks)?;
    match &*flag {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}
