//! Decisions in words that a member can check by hand, in Chinese and English.

use super::decision::{AdjustmentReason, Denial, Step, TierShare, Why};
use super::plan::Per;
use super::route::Reason;

mod en;
mod operands;
mod reasons;
mod zh;

/// The language of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

impl Language {
    /// The one of two texts that is in this language.
    pub fn of<T>(self, zh: T, en: T) -> T {
        match self {
            Language::Zh => zh,
            Language::En => en,
        }
    }
}

/// The stable code of a step.
pub fn step_code(why: &Why) -> &'static str {
    match why {
        Why::PriorPayers { .. } => "PRIOR_PAYERS",
        Why::AccountMoney { .. } => "ACCOUNT_MONEY",
        Why::ExcludedLines { .. } => "EXCLUDED_LINES",
        Why::ItemMax { .. } => "ITEM_MAX",
        Why::Denied { .. } => "DENIED",
        Why::Base { .. } => "BASE",
        Why::BaseMax { .. } => "BASE_MAX",
        Why::Deductible { .. } => "DEDUCTIBLE",
        Why::Rate { .. } => "RATE",
        Why::Tiers { .. } => "TIERS",
        Why::RaiseTo { .. } => "RAISE_TO",
        Why::OutOfPocketMax { .. } => "OUT_OF_POCKET_MAX",
        Why::PerDiem { .. } => "PER_DIEM",
        Why::DayLimit { .. } => "DAY_LIMIT",
        Why::FixedSum { .. } => "FIXED_SUM",
        Why::Limit { .. } => "LIMIT",
        Why::ReallyBorne { .. } => "REALLY_BORNE",
        Why::Reviewed { .. } => "REVIEWED",
        Why::Payout => "PAYOUT",
    }
}

/// The operands of a step by name: amounts in fen, rates as decimals, spans by their name in a plan
/// document, everything needed to redo the arithmetic besides the amounts before and after.
pub fn operands(why: &Why) -> Vec<(&'static str, String)> {
    operands::of(why)
}

/// What a step did, in one sentence.
pub fn step_text(step: &Step, language: Language) -> String {
    match language {
        Language::Zh => zh::step(step),
        Language::En => en::step(step),
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
        (Denial::ServiceNotCovered, Language::Zh) => "不在保险责任范围内",
        (Denial::ServiceNotCovered, Language::En) => {
            "the plan does not cover this kind of treatment or event"
        }
        (Denial::ClassNotCovered, Language::Zh) => "该优抚类别不在保险责任内",
        (Denial::ClassNotCovered, Language::En) => "the plan does not cover the person's class",
        (Denial::HospitalNotCovered, Language::Zh) => "该医院不在保险责任内",
        (Denial::HospitalNotCovered, Language::En) => "the plan does not cover this hospital",
        (Denial::RegionNotCovered, Language::Zh) => "该就医地不在保险责任内",
        (Denial::RegionNotCovered, Language::En) => "the plan does not cover treatment there",
        (Denial::PreExisting, Language::Zh) => "既往症不在保险责任内",
        (Denial::PreExisting, Language::En) => "the plan does not cover a pre-existing illness",
        (Denial::WaitingPeriod, Language::Zh) => "仍在等待期内",
        (Denial::WaitingPeriod, Language::En) => "the waiting period has not ended",
        (Denial::FilingLimit, Language::Zh) => "超过申请时效",
        (Denial::FilingLimit, Language::En) => "the claim came in after the filing limit",
        (
            Denial::Duplicate
            | Denial::NotNecessary
            | Denial::NotProved
            | Denial::OtherLiability
            | Denial::Excluded
            | Denial::OtherPerson
            | Denial::Untrue
            | Denial::Rule,
            language,
        ) => reviewer_text(denial, language),
    }
}

/// Why a reviewer denies.
fn reviewer_text(denial: Denial, language: Language) -> &'static str {
    let (zh, en) = match denial {
        Denial::Duplicate => ("该费用已申请过赔付", "the same expense was claimed before"),
        Denial::NotNecessary => ("费用不必要或不合理", "the expense was not necessary"),
        Denial::NotProved => ("材料不足以证明", "the material does not prove the claim"),
        Denial::OtherLiability => ("应由第三方负担", "somebody else has to pay"),
        Denial::Excluded => ("属于责任免除", "an exclusion of the terms applies"),
        Denial::OtherPerson => ("非参保人本人的费用", "the bill is not that of the member"),
        Denial::Untrue => ("申请内容不实", "what was claimed is not true"),
        Denial::Rule => ("审核规则不予通过", "a rule of the plan does not let it pass"),
        _ => ("审核人员拒赔", "a reviewer denied it"),
    };
    language.of(zh, en)
}

/// Why a part of a bill is not paid, as a label.
pub fn adjustment_text(reason: AdjustmentReason, language: Language) -> &'static str {
    use AdjustmentReason as R;
    let (zh, en) = match reason {
        R::PriorPayer => ("先行支付", "paid by others"),
        R::HospitalBorne => ("医院负担", "borne by the hospital"),
        R::NonCoveredItem => ("不予支付项目", "excluded item"),
        R::ItemMax => ("超出单项限额", "beyond the item's limit"),
        R::AccountMoney => ("个人账户支付", "from the personal account"),
        R::BaseMax => ("超出基数封顶", "beyond what counts"),
        R::NonCoveredBase => ("不在保险责任内", "not covered"),
        R::Deductible => ("起付线", "deductible"),
        R::Coinsurance => ("按比例自付", "the person's share"),
        R::BenefitMax => ("超出限额", "beyond a limit"),
        R::Reviewed => ("人工核减", "set by a reviewer"),
        R::Denied(denial) => denial_label(denial),
    };
    language.of(zh, en)
}

fn denial_label(denial: Denial) -> (&'static str, &'static str) {
    match denial {
        Denial::NotEligible => ("无保障", "no coverage"),
        Denial::BeforeCoverage => ("早于保障期", "before the coverage"),
        Denial::AfterCoverage => ("不在保障期内", "after the coverage"),
        Denial::PlanNotInForce => ("方案未生效", "no plan in force"),
        Denial::ServiceNotCovered => ("医疗类别不在责任内", "treatment not covered"),
        Denial::ClassNotCovered => ("优抚类别不在责任内", "class not covered"),
        Denial::HospitalNotCovered => ("医院不在责任内", "hospital not covered"),
        Denial::RegionNotCovered => ("就医地不在责任内", "region not covered"),
        Denial::PreExisting => ("既往症", "pre-existing illness"),
        Denial::WaitingPeriod => ("等待期", "waiting period"),
        Denial::FilingLimit => ("超过申请时效", "filed too late"),
        Denial::Duplicate => ("重复申请", "claimed before"),
        Denial::NotNecessary => ("不必要费用", "not necessary"),
        Denial::NotProved => ("材料不足", "not proved"),
        Denial::OtherLiability => ("第三方责任", "somebody else pays"),
        Denial::Excluded => ("责任免除", "excluded"),
        Denial::OtherPerson => ("非本人费用", "of another person"),
        Denial::Untrue => ("不实申请", "not true"),
        Denial::Rule => ("审核规则", "rule of the plan"),
    }
}

/// Why a person must look, or what was noted: a sentence with the evidence in it.
pub fn reason_text(reason: &Reason, language: Language) -> String {
    reasons::text(reason, language)
}
