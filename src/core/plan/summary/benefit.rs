//! The rules of benefits in words.

use super::{Words, counted};
use crate::core::money::Fen;
use crate::core::plan::{
    Bucket, Deductible, FixedSum, Indemnity, Limit, Per, PerDiem, Share, Tier,
};

impl Words {
    pub(super) fn indemnity(self, it: &Indemnity, parts: &mut Vec<String>) {
        parts.push(self.base(&it.base));
        if let Some(items) = &it.items {
            let lines = self.lines(items);
            parts.push(self.of(format!("仅计{lines}"), format!("only {lines}")));
        }
        if let Some(max) = &it.base_max {
            let (amount, span) = (max.amount, self.span(max.per));
            parts.push(
                self.of(
                    format!("{span}至多计入 {amount}"),
                    format!("at most {amount}{span} counts"),
                ),
            );
        }
        parts.extend(it.deductible.as_ref().map(|it| self.deductible(it)));
        parts.push(self.share(&it.share));
        for lower in &it.lower_rates {
            let (rate, when) = (lower.rate, self.condition(&lower.when));
            parts.push(self.of(format!("{when}为 {rate}"), format!("{rate} for {when}")));
        }
        parts.extend(it.out_of_pocket_max.map(|max| self.out_of_pocket_max(max)));
    }

    fn base(self, base: &[Bucket]) -> String {
        if Bucket::ALL.iter().all(|bucket| base.contains(bucket)) {
            return self.of("个人负担全额", "of all that is borne").to_owned();
        }
        let names: Vec<&str> = base
            .iter()
            .map(|bucket| match bucket {
                Bucket::OutOfCatalogue => self.of("全自费", "out of catalogue"),
                Bucket::OverLimit => self.of("超限价", "over the limit price"),
                Bucket::AdvanceSelfPay => self.of("先行自付", "advance self-pay"),
                Bucket::BasicDeductible => self.of("医保起付线", "basic deductible"),
                Bucket::InScopeCopay => self.of("统筹后自付", "in-scope co-payment"),
            })
            .collect();
        let names = names.join(self.of("、", ", "));
        self.of(names.clone(), format!("of {names}"))
    }

    fn share(self, share: &Share) -> String {
        match share {
            Share::Rate(rate) => self.of(format!("赔付 {rate}"), format!("pays {rate}")),
            Share::RaiseTo(rate) => self.of(
                format!("政策范围内报销比例补足至 {rate}"),
                format!("raises what is reimbursed in scope to {rate}"),
            ),
            Share::Tiers { per, tiers } => {
                let span = self.span(*per);
                let tiers: Vec<String> = tiers.iter().map(|tier| self.tier(*tier)).collect();
                let tiers = tiers.join(self.of("，", ", "));
                self.of(format!("{span}分段赔付：{tiers}"), format!("pays by tiers{span}: {tiers}"))
            }
        }
    }

    fn tier(self, tier: Tier) -> String {
        let rate = tier.rate;
        match tier.up_to {
            Some(up_to) => self.of(format!("{up_to} 以内 {rate}"), format!("{rate} up to {up_to}")),
            None => self.of(format!("以上 {rate}"), format!("{rate} above")),
        }
    }

    pub(super) fn deductible(self, it: &Deductible) -> String {
        let (amount, span) = (it.amount, self.span(it.per));
        let free = it.claim_free.iter().map(|free| {
            let (years, amount) = (free.years, free.amount);
            self.of(
                format!("，连续 {years} 年无赔付为 {amount}"),
                format!(", {amount} after {} without a payout", counted(years.into(), "year")),
            )
        });
        let free: String = free.collect();
        self.of(format!("{span}起付线 {amount}{free}"), format!("deductible {amount}{span}{free}"))
    }

    pub(super) fn out_of_pocket_max(self, max: Fen) -> String {
        self.of(format!("个人年度负担上限 {max}"), format!("a person bears at most {max} a year"))
    }

    pub(super) fn per_diem(self, it: &PerDiem, parts: &mut Vec<String>) {
        let (amount, after) = (it.amount, it.after_days);
        parts.push(match after {
            0 => self.of(format!("住院每日 {amount}"), format!("{amount} a day in hospital")),
            _ => self.of(
                format!("住院每日 {amount}，每次住院免赔 {after} 天"),
                format!(
                    "{amount} a day in hospital after the first {}",
                    counted(after.into(), "day")
                ),
            ),
        });
        parts.extend(it.day_limits.iter().map(|limit| {
            let (days, span) = (limit.days, self.span(limit.per));
            let counted = counted(days.into(), "day");
            self.of(format!("{span}至多 {days} 天"), format!("at most {counted}{span}"))
        }));
    }

    pub(super) fn fixed_sum(self, it: &FixedSum) -> String {
        let FixedSum { event, amount, grades } = it;
        let rates: Vec<String> = grades.iter().map(ToString::to_string).collect();
        let rates = rates.join(self.of("、", ", "));
        if grades.is_empty() {
            return self.of(format!("{event} 给付 {amount}"), format!("{amount} for {event}"));
        }
        self.of(
            format!("{event} 给付 {amount}，自 1 级起为 {rates}"),
            format!("{amount} for {event}, from grade 1 on {rates}"),
        )
    }

    pub(super) fn limit(self, limit: &Limit) -> String {
        let (amount, span) = (limit.amount, self.span(limit.per));
        let when = if limit.when.is_always() {
            String::new()
        } else {
            let when = self.condition(&limit.when);
            self.of(format!("（{when}）"), format!(" for {when}"))
        };
        self.of(format!("{span}限额 {amount}{when}"), format!("limit {amount}{span}{when}"))
    }

    /// A span; in English it stands after the amount.
    fn span(self, per: Per) -> &'static str {
        match per {
            Per::Claim => self.of("单次", " a claim"),
            Per::Day => self.of("每日", " a day"),
            Per::Stay => self.of("每次住院", " a stay"),
            Per::Cause => self.of("同一病因", " a cause"),
            Per::Period => self.of("年度", " a year"),
            Per::Lifetime => self.of("终身", " in a lifetime"),
        }
    }
}
