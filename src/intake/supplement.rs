//! Facts about a settlement that came apart from it: fee lines, the stay, a settlement list. What
//! the profile fills in for a silent settlement is no fact and stays out.

use std::sync::Arc;

use super::findings::Findings;
use super::names::{self, Names};
use super::part::{Part, Places};
use super::parts::Parts;
use super::settlement::{days, discharge_way, interim, invoice_no, main_diagnosis, pay_location};
use super::{Reading, lines};
use crate::core::checks::{Checks, limits};
use crate::core::settlement::{Diagnosis, FollowUp, Person, Settlement, Supplement};

/// Reads lines, stay or both.
pub(super) fn read(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Reading {
    let apart = lines::apart(parts, findings);
    let mut ids = Ids { settlement_id: apart.settlement_id, visit_id: apart.visit_id };
    ids.meet(&parts.stay, &mut findings.checks);
    ids.meet(&parts.asked, &mut findings.checks);
    let holder = match (&parts.rows, parts.root.has("mdtrtinfo")) {
        (Some(_), _) => format!("{}[0].{}", parts.root.field("output"), names::VISIT_ID[0]),
        (None, true) => parts.stay.field(names::VISIT_ID[0]),
        (None, false) => format!("{}[0].{}", parts.root.field("feedetail"), names::VISIT_ID[0]),
    };
    ids.require(&holder, &mut findings.checks);
    let stay = Places(&[&parts.stay]);
    let (admission_date, discharge_date) = days(stay, &mut findings.checks);
    let whose = Places(&[&parts.stay, &parts.asked]);
    let facts = Settlement {
        person: Person {
            cert_no: whose.personal(names::CERT_NO, limits::CERT_NO_MAX, &mut findings.checks),
            psn_no: whose.personal(names::PERSON_NO, limits::PSN_NO_MAX, &mut findings.checks),
            ..Person::default()
        },
        hospital_level: findings
            .coded(Places(&[&parts.source, &parts.stay]), names::HOSPITAL_LEVEL),
        insurance_type: findings.coded(stay, names::INSURANCE_TYPE),
        medical_category: findings.coded(stay, names::MEDICAL_CATEGORY),
        admission_date,
        discharge_date,
        diagnoses: main_diagnosis(parts, &mut findings.checks),
        invoice_no: invoice_no(parts, &mut findings.checks),
        discharge_way: discharge_way(parts, findings),
        pay_location: pay_location(parts, findings),
        interim: interim(parts, &mut findings.checks),
        lines: apart.lines,
        ..Settlement::silent()
    };
    follow_up(parts, ids, facts, findings)
}

/// Reads a settlement list (4101). Its level (`hi_setl_lv`) is not the institution's.
pub(super) fn read_list(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Reading {
    let list = Places(&[&parts.list]);
    let checks = &mut findings.checks;
    let mut ids = Ids::default();
    ids.meet(&parts.list, checks);
    ids.require(&parts.list.field(names::VISIT_ID[0]), checks);
    let (admission_date, discharge_date) = days(list, checks);
    let facts = Settlement {
        person: Person {
            cert_no: list.personal(names::CERT_NO, limits::CERT_NO_MAX, checks),
            name: list.personal(names::PERSON_NAME, limits::NAME_MAX, checks),
            psn_no: list.personal(names::PERSON_NO, limits::PSN_NO_MAX, checks),
            ..Person::default()
        },
        admission_date,
        discharge_date,
        diagnoses: listed_diagnoses(parts, checks),
        invoice_no: invoice_no(parts, checks),
        ..Settlement::silent()
    };
    follow_up(parts, ids, facts, findings)
}

fn follow_up(
    parts: &Parts<'_>,
    ids: Ids,
    facts: Settlement,
    findings: &mut Findings<'_>,
) -> Reading {
    let envelope = parts.envelope();
    let facts = Settlement {
        source: parts.source_region(findings),
        settlement_id: ids.settlement_id.unwrap_or_default(),
        visit_id: ids.visit_id,
        hospital_code: parts.hospital_code(&mut findings.checks),
        region: Places(&envelope).region(names::REGION, &mut findings.checks),
        insured_region: parts.insured_region(&mut findings.checks),
        sender: findings.notes(),
        ..facts
    };
    Reading::FollowUp(FollowUp::Supplement(Arc::new(Supplement { facts })))
}

/// The diagnoses of a list, main ones first, else in the sender's order.
fn listed_diagnoses(parts: &Parts<'_>, checks: &mut Checks) -> Vec<Diagnosis> {
    let holders = [&parts.input, &parts.list, &parts.asked];
    let Some(holder) = holders.into_iter().find(|part| part.has("diseinfo")) else {
        return Vec::new();
    };
    let rows = holder.rows("diseinfo", limits::DIAGNOSES_MAX, checks);
    let mut listed: Vec<(bool, Diagnosis)> = Vec::new();
    for row in &rows {
        let row = Places(&[row]);
        let code = row.personal(names::LISTED_CODE, limits::DIAGNOSIS_CODE_MAX, checks);
        let name = row.personal(names::LISTED_NAME, limits::DIAGNOSIS_NAME_MAX, checks);
        let flag = row.short(names::MAIN_FLAG, checks);
        let is_other = flag.is_none_or(|(_, flag)| flag != "1");
        let name = name.unwrap_or_default();
        listed.extend(code.map(|code| (is_other, Diagnosis { code, name })));
    }
    listed.sort_by_key(|(is_other, _)| *is_other);
    listed.into_iter().map(|(_, diagnosis)| diagnosis).collect()
}

/// What a supplement belongs to.
#[derive(Default)]
struct Ids {
    settlement_id: Option<String>,
    visit_id: Option<String>,
}

impl Ids {
    /// Takes what a part says about it; parts must not differ.
    fn meet(&mut self, part: &Part<'_>, checks: &mut Checks) {
        let place = Places(&[part]);
        let id = |names: Names, max: usize, checks: &mut Checks| place.code(names, max, checks);
        let settlement = id(names::SETTLEMENT_ID, limits::SETTLEMENT_ID_MAX, checks);
        let visit = id(names::VISIT_ID, limits::VISIT_ID_MAX, checks);
        let both = [
            (&mut self.settlement_id, settlement, names::SETTLEMENT_ID),
            (&mut self.visit_id, visit, names::VISIT_ID),
        ];
        for (known, stated, names) in both {
            match (&known, stated) {
                (Some(known), Some(stated)) if *known != stated => {
                    checks.refuse(&part.field(names[0]), "must be the same everywhere");
                }
                (None, stated) => *known = stated,
                _ => {}
            }
        }
    }

    fn require(&self, field: &str, checks: &mut Checks) {
        if self.settlement_id.is_none() && self.visit_id.is_none() {
            let problem = format!("is required, or {}", names::SETTLEMENT_ID[0]);
            checks.refuse(field, problem);
        }
    }
}
