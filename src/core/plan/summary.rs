//! A plan in words: what a person reads to see whether the document says what was meant.
//!
//! It leaves nothing out that changes an amount, but shortens long lists.

use std::fmt::Display;

use super::{
    AccountMoney, Attribution, Benefit, CapPer, ClaimOrder, Exclusion, Fact, Group, ItemCap,
    LineSelector, LinesAbsent, PaymentMode, Plan, RecoveryMode, Responsibility,
};
use crate::core::explain::Language;
use crate::core::money::Rounding;

mod benefit;
mod condition;
mod rules;

#[cfg(test)]
mod tests;

/// How many entries of a list are shown; a plan may have thousands of item codes.
const SHOWN_MAX: usize = 8;

/// What a plan says, one line each for the whole, every responsibility, every group, what is left
/// out of a bill, and what a person looks at.
pub fn summary(plan: &Plan, language: Language) -> Vec<String> {
    let words = Words(language);
    let mut lines = vec![words.whole(plan)];
    let parts = words.particulars(plan);
    if !parts.is_empty() {
        lines.push(words.parts(&parts));
    }
    lines.extend(plan.responsibilities.iter().map(|it| words.responsibility(it)));
    lines.extend(plan.groups.iter().map(|it| words.group(it)));
    if !plan.exclusions.is_empty() {
        let told = |it: &Exclusion| format!("{} ({})", it.name, words.lines(&it.lines));
        let names: Vec<String> = plan.exclusions.iter().map(told).collect();
        let (count, names) = (names.len(), words.list(&names));
        lines.push(words.of(
            format!("不予支付项目 {count} 类：{names}"),
            format!("never paid, {}: {names}", counted(count, "exclusion")),
        ));
    }
    lines.extend(plan.item_caps.iter().map(|it| words.item_cap(it)));
    let ceiling = plan.green_ceiling;
    lines.push(words.of(
        format!("赔付超过 {ceiling} 须人工审核"),
        format!("a person looks at a payout above {ceiling}"),
    ));
    if let Some(above) = plan.four_eyes_above {
        lines.push(words.of(
            format!("赔付超过 {above} 须双人复核"),
            format!("two persons look at a payout above {above}"),
        ));
    }
    lines.extend(words.rules_and_clocks(plan));
    lines
}

/// The words of one language.
#[derive(Clone, Copy)]
struct Words(Language);

impl Words {
    /// The one of two texts that is in this language.
    fn of<T>(self, zh: T, en: T) -> T {
        self.0.of(zh, en)
    }

    /// Names after each other, the first ones of many.
    fn list(self, names: &[impl AsRef<str>]) -> String {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let comma = self.of("、", ", ");
        match names.get(..SHOWN_MAX) {
            Some(first) if names.len() > SHOWN_MAX => {
                let (first, count) = (first.join(comma), names.len());
                self.of(format!("{first} 等 {count} 项"), format!("{first}, … ({count} in all)"))
            }
            _ => names.join(comma),
        }
    }

    /// Rules after each other.
    fn parts(self, parts: &[String]) -> String {
        parts.join(self.of("；", "; "))
    }

    /// A name and what belongs to it.
    fn named(self, name: &str, id: &str, parts: &[String]) -> String {
        let parts = self.parts(parts);
        self.of(format!("{name}（{id}）：{parts}"), format!("{name} ({id}): {parts}"))
    }

    fn whole(self, plan: &Plan) -> String {
        let Plan { plan_id, version, name, start_date, period_start, .. } = plan;
        let day = match plan.attribution {
            Attribution::Settlement => self.of("结算日", "day of settlement"),
            Attribution::Discharge => self.of("出院日", "day of discharge"),
            Attribution::Admission => self.of("入院日", "day of admission"),
        };
        let paid = match plan.payment_mode {
            PaymentMode::HospitalDeducts => self.of("直赔", "the hospital deducts the payout"),
            PaymentMode::Transfer => self.of("快赔", "paid by transfer"),
        };
        let span = match plan.end_date {
            None => self.of(format!("{start_date} 起"), format!("from {start_date}")),
            Some(end) => {
                self.of(format!("{start_date} 至 {end}"), format!("from {start_date} to {end}"))
            }
        };
        self.of(
            format!("{name}（{plan_id} {version}）：{span}；按{day}归属；年度始于 {period_start}；{paid}"),
            format!(
                "{name} ({plan_id} {version}): {span}; the {day} decides; years begin on \
                 {period_start}; {paid}"
            ),
        )
    }

    /// What differs from the defaults.
    fn particulars(self, plan: &Plan) -> Vec<String> {
        let mut parts = Vec::new();
        match plan.rounding {
            Rounding::HalfUp => {}
            Rounding::HalfEven => parts.push(self.of("银行家舍入", "half a fen rounds to even")),
            Rounding::Down => parts.push(self.of("不足一分舍去", "parts of a fen are cut off")),
        }
        if plan.account_money == AccountMoney::NotCounted {
            parts.push(
                self.of("个人账户支付不计入", "money of the personal account is not counted"),
            );
        }
        if plan.lines_absent == LinesAbsent::Review {
            parts
                .push(self.of("缺费用明细须人工审核", "a person looks when fee lines are missing"));
        }
        if plan.claim_order == ClaimOrder::ServiceDate {
            parts.push(self.of("按就医日期排序理算", "claims are decided by the day of service"));
        }
        if plan.recovery == RecoveryMode::Offset {
            parts.push(self.of("应追回款冲抵后续赔付", "recoveries are set off against payouts"));
        }
        let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        if !plan.required_facts.is_empty() {
            let facts: Vec<&str> = plan.required_facts.iter().map(|it| self.fact(*it)).collect();
            let facts = facts.join(self.of("、", ", "));
            parts.push(self.of(format!("必备信息：{facts}"), format!("needs {facts}")));
        }
        if let Some(days) = plan.filing_days {
            parts.push(self.of(
                format!("出院后 {days} 天内申请"),
                format!("to be filed within {days} days of discharge"),
            ));
        }
        if plan.renewal_gap_days > 0 {
            let days = counted(plan.renewal_gap_days.into(), "day");
            parts.push(self.of(
                format!("中断不超过 {} 天视为续保", plan.renewal_gap_days),
                format!("a gap of up to {days} counts as renewed"),
            ));
        }
        if !plan.later_payers.is_empty() {
            let codes = self.list(&plan.later_payers);
            parts.push(self.of(format!("后位支付方：{codes}"), format!("pay after it: {codes}")));
        }
        parts
    }

    fn fact(self, fact: Fact) -> &'static str {
        match fact {
            Fact::Stay => self.of("入出院日期", "the dates of the stay"),
            Fact::Hospital => self.of("医院", "the hospital"),
            Fact::Lines => self.of("费用明细", "fee lines"),
            Fact::Invoice => self.of("发票号", "the invoice number"),
            Fact::Diagnosis => self.of("诊断", "a diagnosis"),
            Fact::MedicalCategory => self.of("医疗类别", "the medical category"),
            Fact::HospitalLevel => self.of("医院等级", "the hospital's level"),
            Fact::Region => self.of("就医地", "the region of treatment"),
        }
    }

    fn responsibility(self, it: &Responsibility) -> String {
        let mut parts = Vec::new();
        if !it.when.is_always() {
            let when = self.condition(&it.when);
            parts.push(self.of(format!("限{when}"), format!("for {when}")));
        }
        if let Some(waiting) = &it.waiting {
            let days = waiting.days;
            let counted = counted(days.into(), "day");
            parts.push(match &waiting.unless {
                None => self.of(format!("等待期 {days} 天"), format!("waits {counted}")),
                Some(unless) => {
                    let unless = self.condition(unless);
                    self.of(
                        format!("等待期 {days} 天（{unless}除外）"),
                        format!("waits {counted}, but not for {unless}"),
                    )
                }
            });
        }
        match &it.benefit {
            Benefit::Indemnity(it) => self.indemnity(it, &mut parts),
            Benefit::PerDiem(it) => self.per_diem(it, &mut parts),
            Benefit::FixedSum(it) => parts.push(self.fixed_sum(it)),
        }
        parts.extend(it.limits.iter().map(|limit| self.limit(limit)));
        self.named(&it.name, &it.id, &parts)
    }

    fn group(self, it: &Group) -> String {
        let members = self.list(&it.responsibilities);
        let mut parts = vec![self.of(format!("{members} 共用"), format!("{members} share"))];
        parts.extend(it.deductible.as_ref().map(|it| self.deductible(it)));
        parts.extend(it.out_of_pocket_max.map(|max| self.out_of_pocket_max(max)));
        parts.extend(it.limits.iter().map(|limit| self.limit(limit)));
        self.named(&it.name, &it.id, &parts)
    }

    fn item_cap(self, cap: &ItemCap) -> String {
        let ItemCap { name, lines, amount, per } = cap;
        let per = match per {
            CapPer::Line => self.of("每项", " a line"),
            CapPer::Day => self.of("每日", " a day"),
            CapPer::Claim => self.of("每次", " a claim"),
        };
        let lines = self.lines(lines);
        self.of(
            format!("单项限额 {name}：{per}至多计 {amount}（{lines}）"),
            format!("{name} counts up to {amount}{per} ({lines})"),
        )
    }

    fn lines(self, lines: &LineSelector) -> String {
        let marks = [
            (self.of("项目编码", "item codes"), self.list(&lines.item_codes)),
            (self.of("收费类别", "charge classes"), self.list(&lines.charge_classes)),
            (self.of("名称含", "names with"), self.list(&lines.keywords)),
        ];
        let marks = marks.iter().filter(|(_, texts)| !texts.is_empty());
        let marks: Vec<String> = marks.map(|(mark, texts)| format!("{mark} {texts}")).collect();
        marks.join(self.of("，或", ", or "))
    }
}

/// `1 day`, `2 days`.
fn counted(count: usize, what: impl Display) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
