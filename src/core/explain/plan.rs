//! What a plan does, in words: a line for each responsibility and each rule around them.

use super::Language;
use crate::core::decision::code;
use crate::core::plan::{
    Benefit, Bucket, Condition, Deductible, Indemnity, Limit, Per, Plan, Responsibility, Share,
};

/// What a plan does, one line each.
pub fn plan_lines(plan: &Plan, language: Language) -> Vec<String> {
    let words = Words(language);
    let mut lines = vec![words.head(plan)];
    lines.extend(plan.responsibilities.iter().map(|it| words.responsibility(it)));
    for group in &plan.groups {
        let members = group.responsibilities.join(", ");
        let mut told = vec![words.pick("共用", "share").to_owned() + " " + &members];
        told.extend(group.deductible.as_ref().map(|it| words.deductible(it)));
        told.extend(group.out_of_pocket_max.map(|most| words.most_borne(&most.to_string())));
        told.extend(group.limits.iter().map(|limit| words.limit(limit)));
        lines.push(format!("{} {}: {}", group.id, group.name, told.join("; ")));
    }
    let names = |names: Vec<&str>| names.join(words.pick("、", ", "));
    if !plan.exclusions.is_empty() {
        let excluded = names(plan.exclusions.iter().map(|it| it.name.as_str()).collect());
        lines.push(format!("{}: {excluded}", words.pick("不予支付", "never paid")));
    }
    for cap in &plan.item_caps {
        let per = code(&cap.per);
        lines.push(format!(
            "{} {} / {per}",
            cap.name,
            words.pick("限额 ", "up to ").to_owned() + &cap.amount.to_string()
        ));
    }
    lines
}

#[derive(Clone, Copy)]
struct Words(Language);

impl Words {
    fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self.0 {
            Language::Zh => zh,
            Language::En => en,
        }
    }

    fn head(self, plan: &Plan) -> String {
        let (name, start, period) = (&plan.name, plan.start_date, plan.period_start);
        let (ceiling, attribution) = (plan.green_ceiling, code(&plan.attribution));
        match self.0 {
            Language::Zh => format!(
                "{name}：{start} 起生效，保单年度自 {period}，归属日 {attribution}，绿色通道上限 {ceiling}"
            ),
            Language::En => format!(
                "{name}: from {start}, periods begin on {period}, by day of {attribution}, green up to \
                 {ceiling}"
            ),
        }
    }

    fn responsibility(self, it: &Responsibility) -> String {
        let mut told = match &it.benefit {
            Benefit::Indemnity(benefit) => self.indemnity(benefit),
            Benefit::PerDiem(benefit) => {
                let (amount, after) = (benefit.amount, benefit.after_days);
                let days = benefit.day_limits.iter().map(|limit| match self.0 {
                    Language::Zh => format!("{}至多 {} 天", self.span(limit.per), limit.days),
                    Language::En => format!("at most {} days {}", limit.days, self.span(limit.per)),
                });
                let daily = match self.0 {
                    Language::Zh => format!("每日 {amount}，免赔 {after} 天"),
                    Language::En => format!("{amount} a day after {after} days"),
                };
                std::iter::once(daily).chain(days).collect()
            }
            Benefit::FixedSum(benefit) => {
                let (event, amount) = (&benefit.event, benefit.amount);
                let graded = match (benefit.grades.len(), self.0) {
                    (0, _) => String::new(),
                    (count, Language::Zh) => format!("，按 {count} 个等级"),
                    (count, Language::En) => format!(" by {count} grades"),
                };
                vec![match self.0 {
                    Language::Zh => format!("{event} 定额 {amount}{graded}"),
                    Language::En => format!("{amount} for {event}{graded}"),
                }]
            }
        };
        told.extend(it.limits.iter().map(|limit| self.limit(limit)));
        if let Some(waiting) = &it.waiting {
            let days = waiting.days;
            told.push(match self.0 {
                Language::Zh => format!("等待期 {days} 天"),
                Language::En => format!("waits {days} days"),
            });
        }
        let when = if it.when.is_always() { String::new() } else { condition(&it.when) };
        format!("{} {}{when}: {}", it.id, it.name, told.join("; "))
    }

    fn indemnity(self, benefit: &Indemnity) -> Vec<String> {
        let base: Vec<&str> = benefit.base.iter().map(|bucket| self.bucket(*bucket)).collect();
        let mut told = vec![base.join(" + ")];
        if let Some(max) = &benefit.base_max {
            let (amount, span) = (max.amount, self.span(max.per));
            told.push(match self.0 {
                Language::Zh => format!("{span}基数至多 {amount}"),
                Language::En => format!("of it at most {amount} {span}"),
            });
        }
        told.extend(benefit.deductible.as_ref().map(|it| self.deductible(it)));
        told.push(self.share(&benefit.share));
        for lower in &benefit.lower_rates {
            told.push(format!("{}{}", lower.rate, condition(&lower.when)));
        }
        told.extend(benefit.out_of_pocket_max.map(|most| self.most_borne(&most.to_string())));
        told
    }

    fn share(self, share: &Share) -> String {
        match (share, self.0) {
            (Share::Rate(rate), Language::Zh) => format!("赔付 {rate}"),
            (Share::Rate(rate), Language::En) => format!("pays {rate}"),
            (Share::RaiseTo(rate), Language::Zh) => format!("报销比例补足至 {rate}"),
            (Share::RaiseTo(rate), Language::En) => format!("raises what is reimbursed to {rate}"),
            (Share::Tiers { per, tiers }, _) => {
                let tier = |it: &crate::core::plan::Tier| match it.up_to {
                    Some(up_to) => format!("≤ {up_to}: {}", it.rate),
                    None => format!("> : {}", it.rate),
                };
                let tiers: Vec<String> = tiers.iter().map(tier).collect();
                format!("{} {}", self.span(*per), tiers.join(", "))
            }
        }
    }

    fn deductible(self, deductible: &Deductible) -> String {
        let (amount, span) = (deductible.amount, self.span(deductible.per));
        let free = deductible.claim_free.iter().map(|step| match self.0 {
            Language::Zh => format!("，{} 年无赔付 {}", step.years, step.amount),
            Language::En => {
                format!(", {} after {} years without a payout", step.amount, step.years)
            }
        });
        let free: String = free.collect();
        match self.0 {
            Language::Zh => format!("{span}起付线 {amount}{free}"),
            Language::En => format!("deductible {amount} {span}{free}"),
        }
    }

    fn limit(self, limit: &Limit) -> String {
        let (amount, span) = (limit.amount, self.span(limit.per));
        let when = if limit.when.is_always() { String::new() } else { condition(&limit.when) };
        match self.0 {
            Language::Zh => format!("{span}限额 {amount}{when}"),
            Language::En => format!("at most {amount} {span}{when}"),
        }
    }

    fn most_borne(self, amount: &str) -> String {
        match self.0 {
            Language::Zh => format!("个人年度至多负担 {amount}"),
            Language::En => format!("a person bears at most {amount} a year"),
        }
    }

    fn span(self, per: Per) -> &'static str {
        let (zh, en) = match per {
            Per::Claim => ("单次", "a claim"),
            Per::Day => ("每日", "a day"),
            Per::Stay => ("每次住院", "a stay"),
            Per::Cause => ("同一病因", "a cause"),
            Per::Period => ("年度", "a year"),
            Per::Lifetime => ("终身", "in a lifetime"),
        };
        self.pick(zh, en)
    }

    fn bucket(self, bucket: Bucket) -> &'static str {
        let (zh, en) = match bucket {
            Bucket::OutOfCatalogue => ("全自费", "out of catalogue"),
            Bucket::OverLimit => ("超限价", "over the limit price"),
            Bucket::AdvanceSelfPay => ("先行自付", "advance self-pay"),
            Bucket::BasicDeductible => ("基本医保起付线", "basic deductible"),
            Bucket::InScopeCopay => ("统筹后自付", "in-scope co-payment"),
        };
        self.pick(zh, en)
    }
}

/// What a condition looks at, by the names of its keys.
fn condition(when: &Condition) -> String {
    let listed = [
        ("medical_categories", &when.medical_categories),
        ("diagnoses", &when.diagnoses),
        ("not_diagnoses", &when.not_diagnoses),
        ("hospital_levels", &when.hospital_levels),
        ("hospital_codes", &when.hospital_codes),
        ("regions", &when.regions),
        ("not_regions", &when.not_regions),
        ("circumstances", &when.circumstances),
    ];
    let listed = listed.into_iter().filter(|(_, values)| !values.is_empty());
    let mut told: Vec<String> =
        listed.map(|(key, values)| format!("{key} {}", values.join("|"))).collect();
    if !when.causes.is_empty() {
        let causes: Vec<String> = when.causes.iter().map(code).collect();
        told.push(format!("causes {}", causes.join("|")));
    }
    if !when.classes.is_empty() {
        let classes = when.classes.iter().map(|range| match range.grades {
            Some((first, last)) => format!("{} {first}–{last}", range.class),
            None => range.class.clone(),
        });
        told.push(format!("classes {}", classes.collect::<Vec<_>>().join("|")));
    }
    told.extend(when.pre_existing.map(|it| format!("pre_existing {it}")));
    told.extend(when.basic_insurance.map(|it| format!("basic_insurance {it}")));
    format!(" [{}]", told.join(", "))
}
