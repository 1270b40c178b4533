//! A member, what covers them, and what they have used.

use super::{day, revealed, text};
use crate::core::day::Day;
use crate::core::decision::{Denial, code};
use crate::core::entitlement::{Balance, Entitlement};
use crate::core::explain::{Language, denial_text};
use crate::core::member::{Class, Coverage, Illness, Payee, Roster};
use crate::core::money::Fen;
use crate::grpc::names::payee_kind;
use crate::pb;

/// A member as the roster knows them.
pub(in crate::grpc) fn member(member_id: &str, roster: &Roster) -> pb::Member {
    pb::Member {
        member_id: member_id.to_owned(),
        external_id: text(roster.external_id.as_ref()),
        cert_type: text(roster.cert_type.as_ref()),
        cert_no: revealed(roster.cert_no.as_ref()),
        name: revealed(roster.name.as_ref()),
        classes: roster.classes.iter().map(class).collect(),
        coverages: roster.coverages.iter().map(coverage).collect(),
        payee: roster.payee.as_ref().map(payee),
        illnesses: roster.illnesses.iter().map(illness).collect(),
        death_date: day(roster.death_date),
    }
}

fn class(class: &Class) -> pb::MemberClass {
    pb::MemberClass {
        class_code: class.class_code.reveal().to_owned(),
        grade: class.grade.map_or(0, i32::from),
        start_date: class.span.start.to_string(),
        end_date: day(class.span.end),
    }
}

fn coverage(coverage: &Coverage) -> pb::Coverage {
    pb::Coverage {
        plan_id: coverage.plan_id.clone(),
        start_date: coverage.span.start.to_string(),
        end_date: day(coverage.span.end),
    }
}

fn illness(illness: &Illness) -> pb::Illness {
    pb::Illness {
        diagnosis_code: illness.diagnosis_code.reveal().to_owned(),
        since_date: illness.since_date.to_string(),
    }
}

fn payee(payee: &Payee) -> pb::Payee {
    pb::Payee {
        kind: payee_kind(&payee.kind).into(),
        account_name: payee.account_name.reveal().to_owned(),
        account_no: payee.account_no.reveal().to_owned(),
        bank_code: payee.bank_code.clone(),
    }
}

/// Whether a person is covered; without a member nobody has heard of them.
pub(in crate::grpc) fn eligibility(
    member: Option<(&str, &Roster)>,
    entitlement: Option<&Entitlement<'_>>,
    on: Day,
) -> pb::CheckEligibilityResponse {
    let denial = match entitlement {
        None => Some(Denial::NotEligible),
        Some(entitlement) => entitlement.denial,
    };
    let coverages: Vec<pb::Coverage> = entitlement
        .map(|it| it.coverages.iter().map(|it| coverage(it)).collect())
        .unwrap_or_default();
    let classes = member.map(|(_, roster)| roster.classes.iter()).unwrap_or_default();
    let words = |language| match denial {
        Some(denial) => denial_text(denial, language).to_owned(),
        None => coverages.first().map(|it| covered_text(it, language)).unwrap_or_default(),
    };
    pb::CheckEligibilityResponse {
        eligible: denial.is_none(),
        member_id: member.map(|(id, _)| id.to_owned()).unwrap_or_default(),
        classes: classes.filter(|it| it.span.contains(on)).map(class).collect(),
        reason_code: denial.as_ref().map(code).unwrap_or_default(),
        text_zh: words(Language::Zh),
        text_en: words(Language::En),
        coverages,
    }
}

fn covered_text(coverage: &pb::Coverage, language: Language) -> String {
    let pb::Coverage { start_date, end_date, .. } = coverage;
    match (language, end_date.as_str()) {
        (Language::Zh, "") => format!("保障期自 {start_date} 起"),
        (Language::Zh, _) => format!("保障期 {start_date} 至 {end_date}"),
        (Language::En, "") => format!("covered from {start_date} on"),
        (Language::En, _) => format!("covered from {start_date} to {end_date}"),
    }
}

/// What is used and what is left of one responsibility.
pub(in crate::grpc) fn balance(balance: Balance) -> pb::Balance {
    let allowance = |limit: Option<Fen>, used: Fen| pb::Allowance {
        limit_fen: limit.map(Fen::fen),
        used_fen: used.fen(),
        left_fen: limit.map(|limit| limit.minus_up_to(used).fen()),
    };
    let used_days = i64::from(balance.used.days);
    let days = pb::DayAllowance {
        limit: balance.days.map(i64::from),
        used: used_days,
        left: balance.days.map(|limit| (i64::from(limit) - used_days).max(0)),
    };
    // No deductible is one of zero; no limit is no bound.
    let deductible = balance.deductible.unwrap_or_default();
    pb::Balance {
        plan_id: balance.key.plan_id,
        responsibility: balance.key.responsibility,
        period_start: balance.period.start.to_string(),
        period_end: balance.period.end.to_string(),
        deductible: Some(allowance(Some(deductible), balance.used.deductible)),
        paid: Some(allowance(balance.limit, balance.used.paid)),
        burden_fen: balance.used.burden.fen(),
        name: balance.name,
        days: Some(days),
        out_of_pocket: Some(allowance(balance.out_of_pocket_max, balance.used.burden)),
        lifetime: Some(allowance(balance.lifetime_limit, balance.lifetime_paid)),
    }
}
