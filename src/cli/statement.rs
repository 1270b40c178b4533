//! Answers of the server as people read them: what was decided, why, what is to be done.

use std::fmt::Write;

use crate::core::explain::Language;
use crate::core::money::Fen;
use crate::pb;

mod benefit;
pub(super) mod columns;
mod funds;
mod history;

pub(super) use benefit::of_claim_in_full;
pub(super) use history::of_history;

/// Yuan from the fen of an answer. The server never sends a negative amount.
pub(super) fn yuan(fen: i64) -> String {
    Fen::new(fen).map_or_else(|| format!("{fen} fen"), |fen| fen.to_string())
}

/// A named value of a program as people read it: amounts in yuan, without their unit in the name.
pub(super) fn in_yuan(name: &str, value: &str, between: &str) -> String {
    match (name.strip_suffix("_fen"), value.parse()) {
        (Some(name), Ok(fen)) => format!("{name}{between}{}", yuan(fen)),
        _ => format!("{name}{between}{value}"),
    }
}

/// A claim in short: its decision, step by step, and what is to be done.
pub(super) fn of_claim(claim: &pb::Claim, language: Language) -> String {
    let mut out = String::new();
    let title = language.of("赔案", "claim");
    let of = match &claim.event {
        Some(_) => language.of("事故", "event"),
        None => language.of("结算", "settlement"),
    };
    let id = if claim.claim_id.is_empty() {
        language.of("（试算）", "(quote)")
    } else {
        &claim.claim_id
    };
    let (key, standing) = (key(claim), standing(claim, language));
    let _ = writeln!(out, "{title} {id}  {of} {key}  {standing}");
    if let Some(decision) = &claim.decision {
        for step in &decision.steps {
            let text = language.of(&step.text_zh, &step.text_en);
            let (before, after) = (yuan(step.before_fen), yuan(step.after_fen));
            let _ = writeln!(out, "  {before:>12} → {after:>12}  {text}");
        }
        if let Some(settlement) = &claim.settlement {
            let _ = writeln!(out, "  {}", balance_line(settlement, decision, language));
        }
    }
    for reason in &claim.review_reasons {
        let evidence: Vec<String> =
            reason.evidence.iter().map(|fact| format!("{} {}", fact.key, fact.value)).collect();
        let text = language.of(&reason.text_zh, &reason.text_en);
        let _ = writeln!(out, "  {}: {text} [{}]", reason.code, evidence.join(", "));
    }
    for payout in &claim.payouts {
        let _ = writeln!(out, "  {}", payout_text(payout));
    }
    let next = next_step(claim.next_step(), language);
    let _ = writeln!(out, "  {} {next}", language.of("下一步：", "next:"));
    out
}

/// The key that its sender knows a claim by.
fn key(claim: &pb::Claim) -> String {
    let of_event = claim.event.as_ref().map(|it| format!("{}/{}", it.source, it.event_id));
    let of_settlement =
        claim.settlement.as_ref().map(|it| format!("{}/{}", it.source, it.settlement_id));
    of_event.or(of_settlement).unwrap_or_default()
}

/// An instruction to pay or to recover, in one line.
fn payout_text(payout: &pb::Payout) -> String {
    let kind = bare(payout.kind().as_str_name(), "PAYOUT_KIND_");
    let (id, amount) = (&payout.payout_id, yuan(payout.amount_fen));
    format!("{kind} {id} {amount} {}", payout_state(payout))
}

/// Where a payout is in its life, and what it was set off against.
fn payout_state(payout: &pb::Payout) -> String {
    let state = bare(payout.state().as_str_name(), "PAYOUT_STATE_");
    format!("{state} {}", payout.offset_payout_id).trim_end().to_owned()
}

/// Who acted, and whether anybody checked that.
pub(super) fn actor_text(actor: Option<&pb::Actor>, language: Language) -> String {
    match actor {
        None => "?".to_owned(),
        Some(actor) if actor.is_asserted => {
            format!("{}{}", actor.name, language.of("（未核实）", " (unverified)"))
        }
        Some(actor) => actor.name.clone(),
    }
}

fn bare<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// Where a claim stands.
pub(super) fn standing(claim: &pb::Claim, language: Language) -> String {
    standing_text(claim.state(), claim.route(), &claim.denial_reason, language)
}

/// Where a claim stands, and why if it is denied.
pub(super) fn standing_text(
    state: pb::ClaimState,
    route: pb::Route,
    denial_reason: &str,
    language: Language,
) -> String {
    let word = match state {
        pb::ClaimState::Incomplete => language.of("资料不全", "INCOMPLETE"),
        pb::ClaimState::Pended => language.of("待人工审核", "PENDED for review"),
        pb::ClaimState::InformationRequested => language.of("待补件", "INFORMATION REQUESTED"),
        pb::ClaimState::Approved => match route {
            pb::Route::Green => language.of("绿色通道通过", "APPROVED by the green channel"),
            _ => language.of("审核通过", "APPROVED"),
        },
        pb::ClaimState::Paid => language.of("已支付", "PAID"),
        pb::ClaimState::Denied => language.of("不予赔付", "DENIED"),
        pb::ClaimState::Voided => language.of("已撤销", "VOIDED"),
        pb::ClaimState::Unspecified => "?",
    };
    if denial_reason.is_empty() { word.to_owned() } else { format!("{word} ({denial_reason})") }
}

/// Who bears the bill, in one line that adds up.
fn balance_line(
    settlement: &pb::Settlement,
    decision: &pb::Decision,
    language: Language,
) -> String {
    let others = settlement.total_fen - decision.burden_fen;
    let (total, others) = (yuan(settlement.total_fen), yuan(others));
    let (plan, person) = (yuan(decision.indemnity_fen), yuan(decision.patient_share_fen));
    match language {
        Language::Zh => format!("{total} = 基金及医院 {others} + 本方案 {plan} + 个人 {person}"),
        Language::En => {
            format!("{total} = funds and hospital {others} + plan {plan} + person {person}")
        }
    }
}

/// What is to be done at the window.
pub(super) fn next_step(step: pb::NextStep, language: Language) -> &'static str {
    let (zh, en) = match step {
        pb::NextStep::DeductAtWindow => ("窗口直接扣减赔付金额", "deduct the payout at the window"),
        pb::NextStep::AwaitTransfer => {
            ("个人先付清，赔付将转入其账户", "collect the burden; the payout is transferred")
        }
        pb::NextStep::AwaitReview => {
            ("个人先付清，赔付待人工审核", "collect the burden; a person reviews the claim")
        }
        pb::NextStep::SendMissingFacts => ("补传缺失信息", "send the missing facts"),
        pb::NextStep::SendInformation => ("提交补件", "send the requested material"),
        pb::NextStep::CollectWholeBurden => {
            ("个人负担全部由本人支付", "collect the whole burden; nothing is paid")
        }
        pb::NextStep::None | pb::NextStep::Unspecified => ("无", "nothing to do"),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// A member as the roster has it.
pub(super) fn of_member(member: &pb::Member) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "member {}  {}  {}", member.member_id, member.external_id, member.name);
    let dates = |start: &str, end: &str| {
        if end.is_empty() { format!("from {start}") } else { format!("{start} to {end}") }
    };
    for class in &member.classes {
        let grade = if class.grade > 0 { format!(" grade {}", class.grade) } else { String::new() };
        let dates = dates(&class.start_date, &class.end_date);
        let _ = writeln!(out, "  class {}{grade} {dates}", class.class_code);
    }
    for coverage in &member.coverages {
        let dates = dates(&coverage.start_date, &coverage.end_date);
        let _ = writeln!(out, "  covered by {} {dates}", coverage.plan_id);
    }
    for illness in &member.illnesses {
        let _ = writeln!(out, "  illness {} since {}", illness.diagnosis_code, illness.since_date);
    }
    if member.coverages.is_empty() {
        out.push_str("  no coverage\n");
    }
    out
}

/// What a member has used and has left. What a plan does not bound is left out, besides the
/// deductible and what is paid.
pub(super) fn of_balances(balances: &[pb::Balance]) -> String {
    let mut out = String::new();
    for balance in balances {
        let (plan, responsibility) = (&balance.plan_id, &balance.responsibility);
        let (start, end) = (&balance.period_start, &balance.period_end);
        let name = &balance.name;
        let _ = writeln!(out, "  {plan} {responsibility} {name} {start} to {end}");
        // A benefit without a deductible says nothing of one.
        let deductible = balance.deductible.as_ref().filter(|it| it.limit_fen > Some(0));
        for (name, allowance) in [("deductible", deductible), ("paid", balance.paid.as_ref())] {
            let Some(allowance) = allowance else { continue };
            let _ = writeln!(out, "    {name:<10} {}", allowance_text(allowance));
        }
        if balance.burden_fen > 0 {
            let burden = yuan(balance.burden_fen);
            let _ = writeln!(out, "    {:<10} {burden} eligible, borne by the person", "burden");
        }
        for (name, allowance) in
            [("of at most", &balance.out_of_pocket), ("lifetime", &balance.lifetime)]
        {
            if let Some(allowance) = allowance.as_ref().filter(|it| it.limit_fen.is_some()) {
                let _ = writeln!(out, "    {name:<10} {}", allowance_text(allowance));
            }
        }
        let days = balance.days.unwrap_or_default();
        match (days.limit, days.left) {
            (Some(limit), Some(left)) => {
                let _ = writeln!(out, "    {:<10} {} of {limit}, {left} left", "days", days.used);
            }
            _ if days.used > 0 => {
                let _ = writeln!(out, "    {:<10} {}", "days", days.used);
            }
            _ => {}
        }
    }
    out
}

fn allowance_text(allowance: &pb::Allowance) -> String {
    let used = yuan(allowance.used_fen);
    match (allowance.limit_fen, allowance.left_fen) {
        (Some(limit), Some(left)) => format!("{used} of {}, {} left", yuan(limit), yuan(left)),
        _ => used,
    }
}

/// A refusal inside a stream in one text.
pub(super) fn refusal_text(refusal: &pb::Refusal) -> String {
    let mut text = refusal.message.clone();
    for violation in &refusal.field_violations {
        let _ = write!(text, "; {}: {}", violation.field, violation.description);
    }
    text
}
