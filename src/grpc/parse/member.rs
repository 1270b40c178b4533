//! A row of the roster becomes what the core knows of a person.

use super::limits as own;
use super::{Problems, missing};
use crate::core::checks::{Checks, limits};
use crate::core::day::{Day, Span};
use crate::core::member::{Class, Coverage, Illness, Payee, Roster};
use crate::core::personal::Personal;
use crate::grpc::names::payee_kind_name;
use crate::pb;

/// Reads one member of an import; `member_id` is ours and ignored.
pub(in crate::grpc) fn roster(message: Option<&pb::Member>) -> Result<Roster, Problems> {
    let Some(message) = message else { return Err(missing("member")) };
    let mut checks = Checks::default();
    let roster = checks.nested("member", |checks| read(message, checks));
    checks.done(roster)
}

fn read(message: &pb::Member, checks: &mut Checks) -> Roster {
    let id = checks.required_text("external_id", &message.external_id, own::EXTERNAL_ID_MAX);
    let cert_type = checks.code("cert_type", &message.cert_type, limits::CODE_MAX);
    let cert_no = checks.required_text("cert_no", &message.cert_no, limits::CERT_NO_MAX);
    let name = checks.required_text("name", &message.name, limits::NAME_MAX);
    Roster {
        external_id: Some(id),
        cert_type,
        cert_no: Some(Personal::new(cert_no)),
        name: Some(Personal::new(name)),
        classes: classes(&message.classes, checks),
        coverages: coverages(&message.coverages, checks),
        illnesses: illnesses(&message.illnesses, checks),
        death_date: checks.day("death_date", &message.death_date),
        payee: message.payee.as_ref().map(|it| checks.nested("payee", |checks| payee(it, checks))),
        aliases: Vec::new(),
    }
}

fn classes(rows: &[pb::MemberClass], checks: &mut Checks) -> Vec<Class> {
    if !checks.at_most("classes", rows.len(), own::CLASSES_MAX) {
        return Vec::new();
    }
    let read = |(index, row): (usize, &pb::MemberClass)| {
        checks.item("classes", index, |checks| {
            // Without a code: from then on the person has no class.
            let code = checks.text("class_code", &row.class_code, own::CLASS_CODE_MAX);
            if !(0..=10).contains(&row.grade) {
                checks.refuse("grade", "must be 1 to 10, or 0 for a class without grades");
            }
            Class {
                class_code: Personal::new(code.unwrap_or_default()),
                grade: u8::try_from(row.grade).ok().filter(|grade| *grade > 0),
                span: span(&row.start_date, &row.end_date, checks),
            }
        })
    };
    rows.iter().enumerate().map(read).collect()
}

fn coverages(rows: &[pb::Coverage], checks: &mut Checks) -> Vec<Coverage> {
    if !checks.at_most("coverages", rows.len(), own::COVERAGES_MAX) {
        return Vec::new();
    }
    let read = |(index, row): (usize, &pb::Coverage)| {
        checks.item("coverages", index, |checks| Coverage {
            plan_id: checks.required_code("plan_id", &row.plan_id, own::PLAN_ID_MAX),
            span: span(&row.start_date, &row.end_date, checks),
        })
    };
    rows.iter().enumerate().map(read).collect()
}

fn illnesses(rows: &[pb::Illness], checks: &mut Checks) -> Vec<Illness> {
    if !checks.at_most("illnesses", rows.len(), own::ILLNESSES_MAX) {
        return Vec::new();
    }
    let read = |(index, row): (usize, &pb::Illness)| {
        checks.item("illnesses", index, |checks| {
            let code = &row.diagnosis_code;
            let code = checks.required_code("diagnosis_code", code, limits::DIAGNOSIS_CODE_MAX);
            Illness {
                diagnosis_code: Personal::new(code),
                since_date: required_day("since_date", &row.since_date, checks),
            }
        })
    };
    rows.iter().enumerate().map(read).collect()
}

/// A day that must be there; where it is wrong, any will do.
pub(super) fn required_day(field: &str, value: &str, checks: &mut Checks) -> Day {
    if value.is_empty() {
        checks.refuse(field, "is required");
    }
    checks.day(field, value).unwrap_or(Day::EARLIEST)
}

fn span(start: &str, end: &str, checks: &mut Checks) -> Span {
    if start.is_empty() {
        checks.refuse("start_date", "is required");
    }
    let first = checks.day("start_date", start);
    let last = checks.day("end_date", end);
    if let (Some(first), Some(last)) = (first, last)
        && last < first
    {
        checks.refuse("end_date", "must not be before start_date");
    }
    Span { start: first.unwrap_or(Day::EARLIEST), end: last }
}

fn payee(message: &pb::Payee, checks: &mut Checks) -> Payee {
    let kind = pb::PayeeKind::try_from(message.kind).ok().and_then(payee_kind_name);
    if kind.is_none() {
        checks.refuse("kind", "must be a known kind other than PAYEE_KIND_UNSPECIFIED");
    }
    let bank_code = checks.code("bank_code", &message.bank_code, own::BANK_CODE_DIGITS);
    let is_number = |code: &String| {
        code.len() == own::BANK_CODE_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit())
    };
    if bank_code.as_ref().is_some_and(|code| !is_number(code)) {
        checks.refuse("bank_code", "must be twelve digits");
    }
    let (holder, account) = (&message.account_name, &message.account_no);
    let account_name = if message.kind == pb::PayeeKind::Hospital as i32 {
        checks.text("account_name", holder, own::ACCOUNT_NAME_MAX).unwrap_or_default()
    } else {
        checks.required_text("account_name", holder, own::ACCOUNT_NAME_MAX)
    };
    Payee {
        kind: kind.unwrap_or_default().to_owned(),
        account_name: Personal::new(account_name),
        account_no: Personal::new(checks.required_text("account_no", account, own::ACCOUNT_NO_MAX)),
        bank_code: bank_code.unwrap_or_default(),
    }
}
