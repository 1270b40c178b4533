//! Decisions in words that a member can check by hand, in Chinese and English.

use super::decision::{Denial, Step, Why};
use super::route::{Reason, ReasonCode};

/// The language of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

/// The stable code of a step.
pub fn step_code(why: &Why) -> &'static str {
    match why {
        Why::PriorPayers { .. } => "PRIOR_PAYERS",
        Why::ExcludedLines { .. } => "EXCLUDED_LINES",
        Why::Denied { .. } => "DENIED",
        Why::Base { .. } => "BASE",
        Why::Deductible { .. } => "DEDUCTIBLE",
        Why::Rate { .. } => "RATE",
        Why::PeriodLimit { .. } => "PERIOD_LIMIT",
        Why::Payout => "PAYOUT",
    }
}

/// The operands of a step by name: amounts in fen, rates as decimals, everything needed to redo
/// the arithmetic besides the amounts before and after.
pub fn operands(why: &Why) -> Vec<(&'static str, String)> {
    let fen = |amount: &super::money::Fen| amount.fen().to_string();
    match why {
        Why::PriorPayers { funds, hospital } => {
            vec![("funds_fen", fen(funds)), ("hospital_fen", fen(hospital))]
        }
        Why::ExcludedLines { ineligible, lines } => {
            vec![("ineligible_fen", fen(ineligible)), ("lines", lines.join(","))]
        }
        Why::Denied { denial } => vec![("denial", super::decision::code(denial))],
        Why::Deductible { limit, used, taken, .. } => {
            vec![("limit_fen", fen(limit)), ("used_fen", fen(used)), ("taken_fen", fen(taken))]
        }
        Why::Rate { rate, .. } => vec![("rate", rate.decimal())],
        Why::PeriodLimit { limit, used, .. } => {
            let left = limit.minus_up_to(*used);
            vec![("limit_fen", fen(limit)), ("used_fen", fen(used)), ("left_fen", fen(&left))]
        }
        Why::Base { .. } | Why::Payout => Vec::new(),
    }
}

/// What a step did, in one sentence.
pub fn step_text(step: &Step, language: Language) -> String {
    let Step { before, after, why } = step;
    match (why, language) {
        (Why::PriorPayers { funds, hospital }, Language::Zh) => {
            let rest = format!("医疗费总额 {before}，各项基金支付 {funds}");
            let borne = format!("医院负担 {hospital}，个人负担 {after}");
            if hospital.fen() == 0 {
                format!("{rest}，个人负担 {after}")
            } else {
                format!("{rest}，{borne}")
            }
        }
        (Why::PriorPayers { funds, hospital }, Language::En) => {
            let bill = format!("of the bill of {before} the funds paid {funds}");
            if hospital.fen() == 0 {
                format!("{bill}; {after} is left to the person")
            } else {
                format!("{bill} and the hospital bears {hospital}; {after} is left to the person")
            }
        }
        (Why::ExcludedLines { ineligible, lines }, Language::Zh) => {
            format!("不予支付项目 {ineligible}（明细 {}），合规负担 {after}", lines.join("、"))
        }
        (Why::ExcludedLines { ineligible, lines }, Language::En) => {
            let lines = lines.join(", ");
            format!("excluded items of {ineligible} (lines {lines}); {after} is eligible")
        }
        (Why::Denied { denial }, Language::Zh) => {
            format!("不予赔付：{}", denial_text(*denial, language))
        }
        (Why::Denied { denial }, Language::En) => {
            format!("nothing is paid: {}", denial_text(*denial, language))
        }
        (Why::Base { .. }, Language::Zh) => format!("本责任的计算基数 {after}"),
        (Why::Base { .. }, Language::En) => format!("{after} is the base of this benefit"),
        (Why::Deductible { limit, used, taken, .. }, Language::Zh) => {
            format!("起付线 {limit}，本年度已用 {used}，本次扣除 {taken}，余 {after}")
        }
        (Why::Deductible { limit, used, taken, .. }, Language::En) => format!(
            "deductible of {limit} a year, {used} already borne, {taken} taken now; {after} is left"
        ),
        (Why::Rate { rate, .. }, Language::Zh) => format!("赔付比例 {rate}，应赔 {after}"),
        (Why::Rate { rate, .. }, Language::En) => format!("the plan pays {rate}: {after}"),
        (Why::PeriodLimit { limit, used, .. }, Language::Zh) => {
            format!("年度限额 {limit}，本年度已赔 {used}，限额内 {after}")
        }
        (Why::PeriodLimit { limit, used, .. }, Language::En) => {
            format!("limit of {limit} a year, {used} already paid; {after} is within it")
        }
        (Why::Payout, Language::Zh) => format!("本次赔付 {after}"),
        (Why::Payout, Language::En) => format!("payout {after}"),
    }
}

/// Why nothing is paid.
pub fn denial_text(denial: Denial, language: Language) -> &'static str {
    match (denial, language) {
        (Denial::NotEligible, Language::Zh) => "不在参保名册，无保障",
        (Denial::NotEligible, Language::En) => "the person has no coverage",
        (Denial::BeforeCoverage, Language::Zh) => "结算日早于保障期",
        (Denial::BeforeCoverage, Language::En) => "the date lies before the coverage",
        (Denial::AfterCoverage, Language::Zh) => "结算日不在保障期内",
        (Denial::AfterCoverage, Language::En) => "the date lies after the coverage",
        (Denial::PlanNotInForce, Language::Zh) => "当日无生效的方案版本",
        (Denial::PlanNotInForce, Language::En) => "no version of the plan is in force on that date",
        (Denial::ServiceNotCovered, Language::Zh) => "该医疗类别不在保险责任内",
        (Denial::ServiceNotCovered, Language::En) => {
            "the plan does not cover this kind of treatment"
        }
    }
}

/// Why a person must look.
pub fn reason_text(reason: &Reason, language: Language) -> &'static str {
    match (reason.code, language) {
        (ReasonCode::PersonUnclear, Language::Zh) => "证件与人员编号指向不同的人",
        (ReasonCode::PersonUnclear, Language::En) => {
            "certificate and numbers name different persons"
        }
        (ReasonCode::AmountsContradict, Language::Zh) => "结算金额互相矛盾",
        (ReasonCode::AmountsContradict, Language::En) => "the stated amounts contradict each other",
        (ReasonCode::FactMissing, Language::Zh) => "缺少理算所需的信息",
        (ReasonCode::FactMissing, Language::En) => "a fact needed for the decision is missing",
        (ReasonCode::AboveCeiling, Language::Zh) => "赔付金额超过绿色通道上限",
        (ReasonCode::AboveCeiling, Language::En) => {
            "the payout is above the green channel's ceiling"
        }
        (ReasonCode::PayeeMissing, Language::Zh) => "缺少收款账户",
        (ReasonCode::PayeeMissing, Language::En) => "no payee is known",
        (ReasonCode::DecisionWithdrawn, Language::Zh) => "后到信息推翻了原决定，需人工确认",
        (ReasonCode::DecisionWithdrawn, Language::En) => {
            "later facts take back a decision that stood; a person must confirm"
        }
    }
}
