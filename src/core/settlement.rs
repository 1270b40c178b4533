//! The settlement (结算): what basic insurance settled for one stay. Facts, never replaced; a fact
//! that was absent may be added later, a fact that was there may not change.

use serde::{Deserialize, Serialize};

use super::day::{Day, Moment, Span};
use super::money::Fen;
use super::personal::Personal;

mod burden;
mod cause;
mod compare;
mod follow_up;
mod insured_event;
mod quantity;
mod sender;

pub use burden::{Buckets, Contradiction, TOLERANCE};
pub use cause::{Cause, has_prefix};
pub use compare::Comparison;
pub use follow_up::{FollowUp, Reversal, Reversed, Supplement};
pub use insured_event::{DOCUMENTS_MAX, DocumentReference, InsuredEvent, is_word};
pub use quantity::Quantity;
pub use sender::{SenderNotes, SenderPayout, UnknownCode};

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
    /// How the stay ended (离院方式, `dscg_way`): 1 on doctor's orders, 5 death, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discharge_way: Option<String>,
    /// Where it was settled (`pay_loc`): 1 at the centre (零星报销), 2 at the institution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_location: Option<String>,
    /// Whether more settlements of the stay follow (中途结算, `mid_setl_flag`): each makes a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interim: Option<bool>,
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
    /// What payers before this plan paid after the settlement (事后补付): not in its amounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late_payments: Vec<LatePayment>,
    /// Fee lines (费用明细), in the sender's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// What the sender says beside the facts.
    #[serde(default, skip_serializing_if = "SenderNotes::is_empty")]
    pub sender: SenderNotes,
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
    /// The same stated again under another name with another value (`psn_pay`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_again: Option<Fen>,
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

/// What a payer paid after the settlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatePayment {
    /// Tells it from the others of the settlement.
    pub payment_id: String,
    /// The fund, as in `funds`.
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
    /// How many of the item (`cnt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
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
    /// A settlement that states nothing, not even what it is about: to begin with.
    pub fn silent() -> Settlement {
        Settlement {
            source: String::new(),
            settlement_id: String::new(),
            visit_id: None,
            person: Person::default(),
            hospital_code: None,
            hospital_level: None,
            region: None,
            insured_region: None,
            insurance_type: None,
            medical_category: None,
            admission_date: None,
            discharge_date: None,
            settle_time: None,
            diagnoses: Vec::new(),
            invoice_no: None,
            discharge_way: None,
            pay_location: None,
            interim: None,
            without_basic_insurance: false,
            event: None,
            amounts: Amounts::default(),
            funds: Vec::new(),
            late_payments: Vec::new(),
            lines: Vec::new(),
            sender: SenderNotes::default(),
        }
    }

    /// Whether there are fee lines and they come to the bill. Each may be rounded by itself, for a
    /// unit price has six decimals.
    pub fn has_all_lines(&self) -> bool {
        let cents = i64::try_from(self.lines.len()).unwrap_or(i64::MAX);
        let listed: Fen = self.lines.iter().map(|line| line.total).sum();
        cents > 0 && self.amounts.total.minus_up_to(listed).fen() <= cents
    }

    /// The day of service (就医日期): of an event its own, of a stay the last one, else the day of
    /// settlement.
    pub fn service_date(&self) -> Option<Day> {
        let event_date = self.event.as_ref().map(|event| event.event_date);
        let settled = || self.settle_time.and_then(Moment::day);
        event_date.or(self.discharge_date).or_else(settled)
    }

    /// The last day that is known of: of discharge, else of settlement, else of admission.
    pub fn last_day(&self) -> Option<Day> {
        let settled = || self.settle_time.and_then(Moment::day);
        self.discharge_date.or_else(settled).or(self.admission_date)
    }

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
pub(crate) mod tests;
