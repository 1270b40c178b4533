//! The explanation of benefit (理算说明): everything about one claim, on one page.

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::columns::{hanging, padded};
use super::{bare, funds, in_yuan, key, next_step, payout_state, standing, yuan};
use crate::core::decision::AdjustmentReason;
use crate::core::explain::{Language, adjustment_text};
use crate::pb;

mod clocks;
mod review;

/// A claim with every figure, why it is so, and what is to be done.
pub(in crate::cli) fn of_claim_in_full(claim: &pb::Claim, language: Language) -> String {
    let mut page = Page { claim, language, out: String::new() };
    page.head();
    page.prior_payers();
    if let Some(decision) = &claim.decision {
        page.steps(&decision.steps);
        page.adjustments(decision);
        page.lines(decision);
        page.counters(&decision.counters);
    }
    page.payouts();
    page.reasons();
    page.flags();
    page.review();
    page.clocks();
    page.next();
    page.out
}

/// A page on its way.
struct Page<'a> {
    claim: &'a pb::Claim,
    language: Language,
    out: String,
}

impl Page<'_> {
    fn word(&self, zh: &'static str, en: &'static str) -> &'static str {
        self.language.of(zh, en)
    }

    fn heading(&mut self, zh: &str, en: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(self.language.of(zh, en));
        self.out.push('\n');
    }

    fn row(&mut self, left: &str, text: &str) {
        self.out.push_str(&hanging(&format!("  {left}"), text));
    }

    /// An amount on the right of its column, and what it is.
    fn amount(&mut self, fen: i64, text: &str) {
        self.row(&format!("{:>15}  ", yuan(fen)), text);
    }

    /// A fact of the head; one that is not known is left out.
    fn fact(&mut self, zh: &str, en: &str, value: &str) {
        if !value.is_empty() {
            let name = padded(self.language.of(zh, en), 14);
            self.row(&name, value);
        }
    }

    fn head(&mut self) {
        let claim = self.claim;
        self.heading("理算说明", "Explanation of benefit");
        let quote = self.word("试算，未登记", "a quote, not recorded");
        let id = if claim.claim_id.is_empty() { quote } else { &claim.claim_id };
        self.fact("赔案", "claim", id);
        let what =
            if claim.event.is_some() { ("事故", "event") } else { ("结算", "settlement") };
        self.fact(what.0, what.1, &key(claim));
        self.fact("状态", "standing", &standing(claim, self.language));
        self.fact("已并入赔案", "replaced by", &claim.moved_to_claim_id);
        self.fact("参保对象", "member", &claim.member_id);
        if let Some(settlement) = &claim.settlement {
            let (first, last) = (&settlement.admission_date, &settlement.discharge_date);
            self.fact("入院日期", "admission", first);
            self.fact("出院日期", "discharge", last);
            self.fact("医院", "hospital", &settlement.hospital_code);
            if settlement.without_basic_insurance {
                let none = self.word("未经医保结算", "took no part");
                self.fact("基本医保", "basic insurance", none);
            }
        }
        if let Some(reversal) = &claim.reversal {
            // A reversal without an id of its own was asked for by the settlement's.
            let own = &reversal.reversal_id;
            self.fact("撤销结算", "reversed by", if own.is_empty() { "-" } else { own });
        }
        if let Some(event) = &claim.event {
            self.fact("出险日期", "happened on", &event.event_date);
            self.fact("事故类型", "kind", &event.kind);
        }
        let plan = format!("{} {}", claim.plan_id, claim.plan_version);
        self.fact("方案版本", "plan", plan.trim());
        if let Some(decision) = &claim.decision {
            self.fact("归属日期", "decided as of", &decision.attribution_date);
            if !decision.period_start.is_empty() {
                let to = self.word("至", "to");
                let period = format!("{} {to} {}", decision.period_start, decision.period_end);
                self.fact("保单年度", "period", &period);
            }
        }
    }

    /// Who paid before the plan, each fund by its code.
    fn prior_payers(&mut self) {
        let Some(settlement) = &self.claim.settlement else { return };
        self.heading("先行支付", "Prior payers");
        for fund in &settlement.funds {
            let name = funds::name(&fund.fund_code, self.language);
            let text = format!("{:<8}{name}", fund.fund_code);
            self.amount(fund.amount_fen, &text);
        }
        if settlement.funds.is_empty() {
            let all = self.word("全部基金", "all funds");
            self.amount(settlement.fund_total_fen.unwrap_or_default(), all);
        }
        if let Some(borne) = settlement.hospital_borne_fen.filter(|fen| *fen > 0) {
            let text = self.word("医院负担", "borne by the hospital");
            self.amount(borne, text);
        }
    }

    /// The claim's own chain, then each responsibility's under a heading of its own.
    fn steps(&mut self, steps: &[pb::Step]) {
        for chain in steps.chunk_by(|one, next| one.responsibility == next.responsibility) {
            let first = &chain[0];
            match first.responsibility.as_str() {
                "" if first.code == "PAYOUT" => self.heading("合计", "Sum"),
                "" if self.claim.event.is_some() => self.heading("赔案本身", "The claim itself"),
                "" => self.heading("从账单到合规费用", "From the bill to what counts"),
                id => self.heading(&format!("保险责任 {id}"), &format!("Responsibility {id}")),
            }
            for step in chain {
                let (before, after) = (yuan(step.before_fen), yuan(step.after_fen));
                let text = self.language.of(&step.text_zh, &step.text_en);
                self.row(&format!("{before:>15} → {after:>13}  "), text);
            }
        }
    }

    /// Who bears the bill. The rows add up to it.
    fn adjustments(&mut self, decision: &pb::Decision) {
        let Some(settlement) = &self.claim.settlement else { return };
        self.heading("账单由谁承担", "Who bears the bill");
        for adjustment in &decision.adjustments {
            let text = adjusted(adjustment, self.language);
            self.amount(adjustment.amount_fen, &text);
        }
        let plan = self.word("本方案赔付", "the plan");
        self.amount(decision.indemnity_fen, plan);
        self.row(&format!("{:->15}", ""), "");
        let bill = self.word("账单合计", "the bill");
        self.amount(settlement.total_fen, bill);
        let share = self.word("其中由个人承担", "of it the person's share");
        self.amount(decision.patient_share_fen, share);
        if decision.fixed_benefit_fen > 0 {
            let text = self.word(
                "另付定额给付，与账单无关",
                "beside it in fixed sums, whatever the bill says",
            );
            self.amount(decision.fixed_benefit_fen, text);
        }
    }

    fn lines(&mut self, decision: &pb::Decision) {
        if decision.lines.is_empty() {
            return;
        }
        let facts = self.claim.settlement.as_ref().map_or(&[][..], |it| &it.lines[..]);
        self.heading("费用明细：金额、赔付", "Lines: amount, paid");
        for line in &decision.lines {
            let named = facts.iter().find(|it| it.line_no == line.line_no);
            let name = named.map(|it| it.item_name.as_str()).unwrap_or_default();
            let (total, paid) = (yuan(line.total_fen), yuan(line.payout_fen));
            let left = format!("{total:>15}   {paid:>13}  ");
            self.row(&left, &format!("{} {name}", line.line_no));
            for adjustment in &line.adjustments {
                let text = adjusted(adjustment, self.language);
                self.row(&format!("{:>31}  ", yuan(adjustment.amount_fen)), &text);
            }
        }
    }

    fn counters(&mut self, counters: &[pb::CounterChange]) {
        let mut used = counters.iter().filter(|row| row.before > 0 || row.after > 0).peekable();
        if used.peek().is_none() {
            return;
        }
        self.heading("累计：之前 → 之后", "Counters: before → after");
        for row in used {
            let counted = |value: i64| match row.unit.as_str() {
                "fen" => yuan(value),
                _ => value.to_string(),
            };
            let (before, after) = (counted(row.before), counted(row.after));
            let name = match row.counter.as_str() {
                "deductible" => self.word("免赔额", "deductible"),
                "burden" => self.word("个人负担", "borne by the person"),
                "paid" => self.word("已赔付", "paid"),
                "days" => self.word("给付天数", "days"),
                other => other,
            };
            let text = format!("{} {name}", row.responsibility);
            self.row(&format!("{before:>15} → {after:>13}  "), &text);
        }
    }

    fn payouts(&mut self) {
        let claim = self.claim;
        if claim.payouts.is_empty() {
            return;
        }
        self.heading("赔付指令", "Payouts");
        for payout in &claim.payouts {
            let kind = bare(payout.kind().as_str_name(), "PAYOUT_KIND_");
            let state = payout_state(payout);
            self.amount(payout.amount_fen, &format!("{kind} {state} {}", payout.payout_id));
        }
    }

    /// What is to be done. An event has no window where money is collected.
    fn next(&mut self) {
        let step = self.claim.next_step();
        self.heading("下一步", "Next");
        let text = match step {
            pb::NextStep::AwaitReview if self.claim.event.is_some() => {
                self.word("材料待人工核对", "a person looks at the documents")
            }
            pb::NextStep::AwaitTransfer if self.claim.event.is_some() => {
                self.word("赔付将转入其账户", "the payout is transferred")
            }
            pb::NextStep::CollectWholeBurden if self.claim.event.is_some() => {
                self.word("不予赔付", "nothing is paid")
            }
            _ => next_step(step, self.language),
        };
        self.row("", text);
    }

    fn reasons(&mut self) {
        let claim = self.claim;
        if claim.review_reasons.is_empty() {
            return;
        }
        // Those of a denied claim are the rules that denied it.
        if claim.state() == pb::ClaimState::Denied {
            self.heading("拒赔依据的规则", "Which rules denied it");
        } else {
            self.heading("须人工处理的原因", "Why a person must look");
        }
        for reason in &claim.review_reasons {
            let text = self.language.of(&reason.text_zh, &reason.text_en);
            self.row(&format!("{}  ", reason.code), text);
            for fact in &reason.evidence {
                self.row("  ", &in_yuan(&fact.key, &fact.value, " "));
            }
        }
    }
}

/// Who bears an adjustment, why, and by which code of X12.
fn adjusted(adjustment: &pb::Adjustment, language: Language) -> String {
    let group = bare(adjustment.group().as_str_name(), "ADJUSTMENT_GROUP_");
    let who = match adjustment.group() {
        pb::AdjustmentGroup::Pr => language.of("个人", "person"),
        pb::AdjustmentGroup::Co => language.of("医院", "hospital"),
        pb::AdjustmentGroup::Oa | pb::AdjustmentGroup::Unspecified => {
            language.of("其他支付方", "other payer")
        }
    };
    let carc = match adjustment.carc.as_str() {
        "" => String::new(),
        carc => format!("CARC {carc}"),
    };
    let reason = StrDeserializer::<ValueError>::new(&adjustment.reason_code);
    let label = AdjustmentReason::deserialize(reason)
        .map_or("", |reason| adjustment_text(reason, language));
    let code = &adjustment.reason_code;
    let text = format!("{group} {}{code:<22}{}{label}", padded(who, 12), padded(&carc, 10));
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
