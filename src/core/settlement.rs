//! The settlement (结算): what basic insurance settled for one stay. Facts, never replaced; a fact
//! that was absent may be added later, a fact that was there may not change.

use serde::{Deserialize, Serialize};

use super::day::{Day, Moment, Span};
use super::money::Fen;
use super::personal::Personal;

mod burden;
mod cause;
mod compare;
mod insured_event;

pub use burden::{Buckets, Contradiction, TOLERANCE};
pub use cause::{Cause, has_prefix};
pub use compare::Comparison;
pub use insured_event::{DOCUMENTS_MAX, DocumentReference, InsuredEvent, is_word};

/// `fund_pay_type` of what is no fund's money: the personal and the family account, and what the
/// hospital bears or waives (`domain.md` 1.11).
const NOT_FUNDS: [&str; 6] = ["310200", "310201", "390500", "999996", "630100", "630101"];

/// Whether a `fund_pay_type` names a fund. Account and hospital money have fields of their own.
pub fn is_fund(fund_code: &str) -> bool {
    !NOT_FUNDS.contains(&fund_code)
}

/// What basic insurance settled for one stay (national transactions 2304 and 5203).
///
/// Amounts are as stated by the sender; `None` means not stated. `total` is always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The platform that issued the settlement id: a region of six digits (结算平台).
    pub source: String,
    /// The id, unique only inside `source` (结算ID, `setl_id`).
    pub settlement_id: String,
    /// The stay, shared by interim settlements (就诊ID, `mdtrt_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit_id: Option<String>,
    /// Whose stay it was, as the sender knows the person.
    pub person: Person,
    /// The institution (定点医药机构编号, `fixmedins_code`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hospital_code: Option<String>,
    /// The institution's level, two digits (医院等级, `hosp_lv`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hospital_level: Option<String>,
    /// Where the person was treated, six digits (就医地, `mdtrtarea_admvs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Where the person is insured, six digits (参保地, `insuplc_admdvs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insured_region: Option<String>,
    /// 险种, `insutype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insurance_type: Option<String>,
    /// 医疗类别, `med_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medical_category: Option<String>,
    /// The first day of the stay (入院日期).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission_date: Option<Day>,
    /// The last day of the stay (出院日期).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discharge_date: Option<Day>,
    /// When basic insurance settled (结算时间, `setl_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_time: Option<Moment>,
    /// Discharge diagnoses, main one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// 发票号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_no: Option<String>,
    /// Basic insurance took no part: the person paid the whole bill (未经医保结算).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_basic_insurance: bool,
    /// What happened, where there is no bill at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<InsuredEvent>,
    /// What was stated about money.
    pub amounts: Amounts,
    /// What each fund paid. Account and hospital money are not funds (`domain.md` 1.11).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub funds: Vec<FundPayment>,
    /// Fee lines (费用明细), in the sender's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// A person as a settlement names them. Every part is personal and prints as `***`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// 证件类型, `psn_cert_type`: 01 identity card, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_type: Option<String>,
    /// 证件号码, `certno`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_no: Option<Personal>,
    /// 姓名. Bears on no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal>,
    /// 人员编号, unique inside the insured region, `psn_no`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psn_no: Option<Personal>,
    /// 社保卡号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_no: Option<Personal>,
}

/// The amounts of a settlement, as stated. Field names of the national interface in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amounts {
    /// The bill (`medfee_sumamt`).
    pub total: Fen,
    /// Out of catalogue, 全自费 (`fulamt_ownpay_amt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_catalogue: Option<Fen>,
    /// Over the limit price, 超限价 (`overlmt_selfpay`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<Fen>,
    /// Advance self-pay, 先行自付 (`preselfpay_amt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance_self_pay: Option<Fen>,
    /// In scope, gross of what funds paid, 符合政策范围 (`inscp_scp_amt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_scope: Option<Fen>,
    /// The deductible of basic insurance, 起付线 (`act_pay_dedc`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_deductible: Option<Fen>,
    /// What all funds paid, without the personal account (`fund_pay_sumamt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund_total: Option<Fen>,
    /// What the hospital bears, 医院负担 (`hosp_part_amt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hospital_borne: Option<Fen>,
    /// What the person bears, 个人负担 (`psn_part_amt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_total: Option<Fen>,
    /// Of it from the personal account, 个人账户 (`acct_pay`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Fen>,
    /// Of it in cash, 现金 (`psn_cash_pay`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash: Option<Fen>,
}

/// A diagnosis. Health data: both parts print as `***`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// ICD-10 code as stated.
    pub code: Personal,
    /// Its name as stated, perhaps empty.
    #[serde(default)]
    pub name: Personal,
}

/// What one fund paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundPayment {
    /// `fund_pay_type`, or the name of the summary field where no details were sent.
    pub fund_code: String,
    /// What it paid.
    pub amount: Fen,
}

/// One fee line with its split (`domain.md` 1.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The sender's line number (`feedetl_sn`).
    pub line_no: String,
    /// National item code (`med_list_codg`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_code: Option<Personal>,
    /// The hospital's name of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_name: Option<Personal>,
    /// 收费类别, `med_chrgitm_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge_class: Option<String>,
    /// 收费项目等级: 01 甲, 02 乙, 03 丙/自费.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue_level: Option<String>,
    /// The day of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_date: Option<Day>,
    /// The line's amount.
    pub total: Fen,
    /// Of it out of catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_catalogue: Option<Fen>,
    /// Of it over the limit price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<Fen>,
    /// Of it advance self-pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance_self_pay: Option<Fen>,
    /// Of it in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_scope: Option<Fen>,
}

impl Settlement {
    /// The stay; `None` without both dates.
    pub fn stay(&self) -> Option<Span> {
        Some(Span { start: self.admission_date?, end: Some(self.discharge_date?) })
    }

    /// The days of the stay, counting the first and not the last (算头不算尾), at least one; `None`
    /// without both dates.
    pub fn stay_days(&self) -> Option<u16> {
        let days = self.discharge_date?.days_since(self.admission_date?);
        Some(u16::try_from(days.max(1)).unwrap_or(u16::MAX))
    }
}

impl Line {
    /// The part out of catalogue: as stated, else what no other part explains. A line without any
    /// split is out of catalogue whole.
    pub fn out_of_catalogue(&self) -> Fen {
        let others = [self.over_limit, self.advance_self_pay, self.in_scope];
        let others: Fen = others.into_iter().flatten().sum();
        self.out_of_catalogue.unwrap_or_else(|| self.total.minus_up_to(others))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn fen(fen: i64) -> Fen {
        Fen::new(fen).unwrap()
    }

    /// A settlement of `total` of which `burden` stays with the person, out of catalogue whole.
    pub(crate) fn settlement(id: &str, total: i64, burden: i64) -> Settlement {
        Settlement {
            source: "370200".into(),
            settlement_id: id.into(),
            visit_id: None,
            person: Person { psn_no: Some(Personal::new("p1")), ..Person::default() },
            hospital_code: Some("H37029999001".into()),
            hospital_level: None,
            region: None,
            insured_region: None,
            insurance_type: None,
            medical_category: Some("21".into()),
            admission_date: None,
            discharge_date: None,
            settle_time: Moment::parse_local("2024-03-15 10:15:06"),
            diagnoses: vec![],
            invoice_no: None,
            without_basic_insurance: false,
            event: None,
            amounts: Amounts {
                total: fen(total),
                fund_total: Some(fen(total - burden)),
                personal_total: Some(fen(burden)),
                ..Amounts::default()
            },
            funds: vec![],
            lines: vec![],
        }
    }

    fn broken(settlement: &Settlement) -> Vec<String> {
        settlement.contradictions().into_iter().map(|found| found.identity).collect()
    }

    /// The real 2304 message of `domain.md` 1.7: a hospital-borne part outside the scope.
    fn real_message() -> Settlement {
        let mut real = settlement("real", 2_344_246, 415_206);
        real.amounts = Amounts {
            total: fen(2_344_246),
            out_of_catalogue: Some(fen(253_397)),
            over_limit: Some(fen(139_689)),
            advance_self_pay: Some(fen(70_344)),
            in_scope: Some(fen(1_880_816)),
            basic_deductible: None,
            fund_total: Some(fen(1_878_539)),
            hospital_borne: Some(fen(50_501)),
            personal_total: Some(fen(415_206)),
            account: Some(fen(17_004)),
            cash: Some(fen(398_202)),
        };
        real
    }

    #[test]
    fn a_real_message_holds_all_identities_and_its_buckets_add_up() {
        let real = real_message();
        assert_eq!(broken(&real), Vec::<String>::new());
        assert_eq!(real.burden(), Some(fen(415_206)));
        let buckets = real.buckets(fen(415_206));
        assert_eq!(buckets.burden(), fen(415_206));
        assert_eq!(buckets.advance_self_pay, fen(70_344 - 48_224), "the floor cuts advance");
        assert_eq!(buckets.in_scope(), Fen::ZERO);
    }

    #[test]
    fn each_identity_is_checked_with_its_tolerance() {
        let with = |change: fn(&mut Amounts)| {
            let mut settlement = real_message();
            change(&mut settlement.amounts);
            broken(&settlement)
        };
        assert_eq!(with(|it| it.total = it.total + TOLERANCE), Vec::<String>::new());
        assert_eq!(with(|it| it.total = it.total + fen(2)), ["I1", "I3"]);
        assert_eq!(with(|it| it.cash = Some(fen(398_204))), ["I2"]);
        assert_eq!(with(|it| it.in_scope = Some(fen(1_880_813))), ["I3"]);
        assert_eq!(with(|it| it.personal_total = None), Vec::<String>::new());
        let mut funds = real_message();
        funds.funds = vec![FundPayment { fund_code: "330100".into(), amount: fen(1) }];
        assert_eq!(broken(&funds), ["I4"]);
        let mut beyond = settlement("x", 100, 0);
        beyond.amounts.personal_total = None;
        beyond.amounts.fund_total = Some(fen(200));
        assert_eq!(broken(&beyond), ["I1"]);
        let mut alone = settlement("x", 100, 100);
        alone.amounts.fund_total = None;
        alone.amounts.personal_total = Some(fen(500));
        assert_eq!(broken(&alone), ["I1"]);
    }

    #[test]
    fn a_new_fact_supplements_and_a_changed_one_conflicts() {
        let known = settlement("a", 1_000, 400);
        let mut again = known.clone();
        again.person.name = Some(Personal::new("named"));
        assert!(matches!(known.compare(&again), Comparison::Supplement(_)));
        assert_eq!(known.compare(&known), Comparison::Same);
        let mut shorter = known.clone();
        shorter.medical_category = None;
        assert_eq!(known.compare(&shorter), Comparison::Same, "an absent fact changes nothing");
        let mut more = known.clone();
        more.invoice_no = Some("1".into());
        let Comparison::Supplement(merged) = shorter.compare(&more) else { panic!("supplement") };
        assert_eq!(merged.invoice_no.as_deref(), Some("1"));
        assert_eq!(merged.medical_category.as_deref(), Some("21"));
        let mut other = more.clone();
        other.amounts.total = fen(1_001);
        other.invoice_no = Some("2".into());
        let fields = more.compare(&other);
        assert_eq!(fields, Comparison::Conflict(vec!["invoice_no", "total_fen"]));
    }

    #[test]
    fn another_order_or_spelling_is_the_same_content() {
        let fund = |code: &str, amount| FundPayment { fund_code: code.into(), amount: fen(amount) };
        let mut known = settlement("a", 1_000, 400);
        known.funds = vec![fund("310100", 400), fund("330100", 200)];
        known.person.cert_no = Some(Personal::new("37029919490312001X"));
        let mut again = known.clone();
        again.funds.reverse();
        again.person.cert_no = Some(Personal::new("37029919490312001x"));
        assert_eq!(known.compare(&again), Comparison::Same);
        again.funds[0].amount = fen(201);
        assert_eq!(known.compare(&again), Comparison::Conflict(vec!["funds"]));
    }

    #[test]
    fn debug_output_shows_nothing_personal() {
        let mut settlement = settlement("a", 1_000, 400);
        settlement.person.name = Some(Personal::new("甲"));
        settlement.diagnoses =
            vec![Diagnosis { code: Personal::new("I50.9"), name: Personal::new("心力衰竭") }];
        let shown = format!("{settlement:?}");
        assert!(
            !shown.contains('甲') && !shown.contains("I50") && !shown.contains("p1"),
            "{shown}"
        );
    }
}
