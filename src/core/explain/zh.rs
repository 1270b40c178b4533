//! 中文: what a step did, in the words of a statement.

use super::{Per, Step, TierShare, Why, denial_text};
use crate::core::decision::Lowered;
use crate::core::explain::Language;
use crate::core::plan::CapPer;

/// What a step did, in one sentence.
pub(super) fn step(step: &Step) -> String {
    let Step { before, after, why } = step;
    match why {
        Why::PriorPayers { funds, hospital, later } => {
            let borne = if hospital.is_zero() {
                String::new()
            } else {
                format!("，医院负担 {hospital}")
            };
            let after_us = if later.is_zero() {
                String::new()
            } else {
                format!("（含后位支付方已付 {later}）")
            };
            format!("医疗费总额 {before}，各项基金支付 {funds}{borne}，个人负担 {after}{after_us}")
        }
        Why::AccountMoney { account } => {
            format!("个人账户支付 {account} 不计入，余 {after}")
        }
        Why::ExcludedLines { ineligible, lines } => {
            format!("不予支付项目 {ineligible}（明细 {}），合规负担 {after}", lines.join("、"))
        }
        Why::ItemMax { item, limit, per, days, amount, .. } => {
            let unit = match (per, days) {
                (CapPer::Day, Some(days)) => format!("每日 {limit} × {days} 天"),
                (CapPer::Day, None) => format!("每日 {limit}"),
                (CapPer::Line, _) => format!("每项 {limit}"),
                (CapPer::Claim, _) => format!("{limit}"),
            };
            let beyond = *before - *after;
            format!("{item}限额 {unit}，本次 {amount}，超出 {beyond}，合规负担 {after}")
        }
        Why::Denied { denial } => format!("不予赔付：{}", denial_text(*denial, Language::Zh)),
        Why::Base { name, .. } if name.is_empty() => format!("本责任的计算基数 {after}"),
        Why::Base { name, .. } => format!("{name}：计算基数 {after}"),
        Why::Payout => format!("本次赔付 {after}"),
        _ => of_benefit(step),
    }
}

fn of_benefit(step: &Step) -> String {
    let after = &step.after;
    match &step.why {
        Why::BaseMax { limit, per, used, .. } => {
            format!(
                "{}计算基数封顶 {limit}{}，计入 {after}",
                each(*per),
                so_far(*per, "已计入", used)
            )
        }
        Why::Deductible { limit, used, taken, per, group, claim_free_years, .. } => {
            let shared = shared(group.as_ref());
            let free = claim_free_years
                .map(|years| format!("（连续 {years} 年无赔付优惠）"))
                .unwrap_or_default();
            let used = so_far(*per, "已用", used);
            format!(
                "{}起付线 {limit}{shared}{free}{used}，本次扣除 {taken}，余 {after}",
                each(*per)
            )
        }
        Why::Rate { rate, lowered, .. } => {
            format!("赔付比例 {rate}{}，应赔 {after}", because(*lowered))
        }
        Why::Tiers { used, per, shares, lowered, .. } => {
            let share = |it: &TierShare| format!("{} × {}", it.amount, it.rate);
            let shares: Vec<String> = shares.iter().map(share).collect();
            let used = so_far(*per, "已累计", used);
            format!("分段赔付{used}，{}{}，应赔 {after}", shares.join(" + "), because(*lowered))
        }
        Why::RaiseTo { rate, expense, .. } => {
            format!("政策范围内费用 {expense} 的报销比例补足至 {rate}，应赔 {after}")
        }
        Why::OutOfPocketMax { limit, used, borne, group, .. } => {
            let shared = shared(group.as_ref());
            let used = so_far(Per::Period, "已负担", used);
            format!("个人年度负担上限 {limit}{shared}{used}，本次负担 {borne}，应赔 {after}")
        }
        Why::PerDiem { name, daily, days, unpaid_days, .. } => {
            format!("{name}：住院 {days} 天，免赔 {unpaid_days} 天，每日 {daily}，应付 {after}")
        }
        Why::DayLimit { limit, per, used, .. } => {
            format!(
                "{}津贴至多 {limit} 天{}，应付 {after}",
                each(*per),
                so_far(*per, "已付天数", used)
            )
        }
        Why::FixedSum { name, sum, rate, .. } => {
            format!("{name}：保险金额 {sum} × {rate}，应付 {after}")
        }
        Why::Limit { limit, used, per, group, .. } => {
            let kind = match per {
                Per::Claim => "单次限额",
                Per::Day => "按日限额",
                Per::Stay => "每次住院限额",
                Per::Cause => "同一病因限额",
                Per::Period => "年度限额",
                Per::Lifetime => "终身限额",
            };
            let shared = shared(group.as_ref());
            format!("{kind} {limit}{shared}{}，限额内 {after}", so_far(*per, "已赔", used))
        }
        Why::ReallyBorne { borne, .. } => {
            format!("不超过实际负担，实际负担尚余 {borne}，应赔 {after}")
        }
        Why::Reviewed { .. } => format!("人工核定 {after}（规则理算 {}）", step.before),
        Why::PriorPayers { .. }
        | Why::AccountMoney { .. }
        | Why::ExcludedLines { .. }
        | Why::ItemMax { .. }
        | Why::Denied { .. }
        | Why::Base { .. }
        | Why::Payout => String::new(),
    }
}

/// Of what something is the most, where it is not the year's.
fn each(per: Per) -> &'static str {
    match per {
        Per::Claim => "单次",
        Per::Day => "每日",
        Per::Stay => "每次住院",
        Per::Cause => "同一病因",
        Per::Period => "",
        Per::Lifetime => "终身",
    }
}

/// What is used up in a span, where it spans more than one claim.
fn so_far(per: Per, verb: &str, used: &dyn std::fmt::Display) -> String {
    let span = match per {
        Per::Claim | Per::Day if used.to_string().bytes().all(|it| b"0.".contains(&it)) => {
            return String::new();
        }
        Per::Claim | Per::Day => "本次",
        Per::Stay => "本次住院",
        Per::Cause => "同一病因",
        Per::Period => "本年度",
        Per::Lifetime => "历年",
    };
    format!("，{span}{verb} {used}")
}

fn shared(group: Option<&String>) -> &'static str {
    if group.is_some() { "（各责任共用）" } else { "" }
}

fn because(lowered: Option<Lowered>) -> &'static str {
    match lowered {
        None => "",
        Some(Lowered::PreExisting) => "（既往症）",
        Some(Lowered::WithoutBasicInsurance) => "（未经医保结算）",
        Some(Lowered::Class) => "（按优抚类别）",
        Some(Lowered::Hospital) => "（按医院）",
        Some(Lowered::Region) => "（按就医地）",
        Some(Lowered::Service) => "（按诊疗类别）",
    }
}
