//! Reading responsibilities, groups, exclusions and item caps.

use super::reader::{Reader, Table, Value};
use crate::core::money::{Fen, Rate};
use crate::core::plan::{
    BaseMax, Benefit, Bucket, Condition, Exclusion, FixedSum, Group, Indemnity, ItemCap, Per,
    PerDiem, Responsibility, Share, Waiting,
};

/// What marks each kind of benefit, besides the keys of an indemnity.
const KINDS: &str = "name base and rate, per_diem, or fixed_sum";

impl<'d> Reader<'d> {
    pub(super) fn responsibility(&mut self, value: Value<'d>) -> Option<Responsibility> {
        let mut table = self.inner(value)?;
        let id = self.need(&mut table, "id", "write id = \"inpatient\"");
        let id = id.and_then(|id| self.id(&id));
        let name = self.need(&mut table, "name", "name it for people");
        let name = name.and_then(|name| self.text(&name));
        let mut when = self.condition_of(&mut table, "when");
        // Short for the key in `when`; documents that were published with it stay readable.
        let categories = self.texts(&mut table, "medical_categories");
        if !categories.is_empty() && !when.medical_categories.is_empty() {
            let path = format!("{}.medical_categories", table.path);
            self.problem(&path, "stands in `when` too", "keep the one in `when`");
        }
        when.medical_categories.extend(categories);
        let waiting = self.take(&mut table, "waiting").and_then(|value| self.waiting(value));
        let limits = self.each(&mut table, "limits", Reader::limit);
        let benefit = self.benefit(&mut table);
        self.close(table);
        let (id, name, benefit) = (id?, name?, benefit?);
        Some(Responsibility { id, name, when, waiting, benefit, limits })
    }

    fn waiting(&mut self, value: Value<'d>) -> Option<Waiting> {
        let mut table = self.inner(value)?;
        let days = self.need(&mut table, "days", "write days = 30");
        let days = days.and_then(|days| self.count(&days, 1, 366));
        let unless = table.has("unless").then(|| self.condition_of(&mut table, "unless"));
        if unless.as_ref().is_some_and(Condition::is_always) {
            let path = format!("{}.unless", table.path);
            self.problem(&path, "excepts everything", "name what is paid for from the first day");
        }
        self.close(table);
        Some(Waiting { days: days?, unless })
    }

    fn benefit(&mut self, table: &mut Table<'d>) -> Option<Benefit> {
        let per_diem = self.take(table, "per_diem");
        let fixed_sum = self.take(table, "fixed_sum");
        let path = table.path.clone();
        if per_diem.is_some() && fixed_sum.is_some() {
            self.problem(&path, "is two kinds of benefit", KINDS);
            return None;
        }
        let indemnity = self.indemnity(table, per_diem.is_none() && fixed_sum.is_none());
        if let (Some(_), Some(of_kind)) = (&indemnity, per_diem.as_ref().or(fixed_sum.as_ref())) {
            self.problem(&of_kind.path, "stands beside keys of an indemnity", KINDS);
            return None;
        }
        match (per_diem, fixed_sum) {
            (Some(value), _) => self.per_diem(value).map(Benefit::PerDiem),
            (_, Some(value)) => self.fixed_sum(value).map(Benefit::FixedSum),
            (None, None) => indemnity.map(Benefit::Indemnity),
        }
    }

    /// The keys of an indemnity; `None` also where there are none of them.
    fn indemnity(&mut self, table: &mut Table<'d>, is_needed: bool) -> Option<Indemnity> {
        let before = table.len();
        let base =
            if is_needed { self.need(table, "base", KINDS) } else { self.take(table, "base") };
        let has_base = base.is_some();
        let base = base.map(|base| self.base(base)).unwrap_or_default();
        let items = self.take(table, "items").and_then(|value| {
            let mut table = self.inner(value)?;
            let lines = self.lines(&mut table);
            self.close(table);
            Some(lines)
        });
        let base_max = self.take(table, "base_max").and_then(|value| self.base_max(value));
        let deductible = self.take(table, "deductible").and_then(|value| self.deductible(value));
        let share = self.share(table, is_needed && has_base);
        let lower_rates = self.each(table, "lower_rates", Reader::lower_rate);
        let out_of_pocket_max = self.some_amount_of(table, "out_of_pocket_max");
        if table.len() == before && !is_needed {
            return None;
        }
        let share = if is_needed { share? } else { share.unwrap_or(Share::Rate(Rate::ONE)) };
        Some(Indemnity { base, items, base_max, deductible, share, lower_rates, out_of_pocket_max })
    }

    fn base(&mut self, value: Value<'d>) -> Vec<Bucket> {
        let path = value.path.clone();
        let mut base = Vec::new();
        for entry in self.list(value) {
            let Some(bucket) = self.choice(&entry) else { continue };
            if base.contains(&bucket) {
                self.problem(&entry.path, "names a bucket twice", "");
            }
            base.push(bucket);
        }
        if base.is_empty() {
            self.problem(&path, "must name at least one bucket", "\"in_scope_copay\", say");
        }
        base
    }

    fn base_max(&mut self, value: Value<'d>) -> Option<BaseMax> {
        let mut table = self.inner(value)?;
        let amount = self.need(&mut table, "amount", "write amount = \"50000.00\"");
        let amount = amount.and_then(|amount| self.some_amount(&amount));
        let per = self.per(&mut table, "per", &[Per::Claim, Per::Stay, Per::Period]);
        self.close(table);
        Some(BaseMax { amount: amount?, per: per? })
    }

    /// The one of `rate`, `tiers` and `raise_to` that is there.
    fn share(&mut self, table: &mut Table<'d>, is_needed: bool) -> Option<Share> {
        let rate = self.take(table, "rate");
        let tiers = self.take(table, "tiers");
        let tiers_per = self.take(table, "tiers_per");
        let raise_to = self.take(table, "raise_to");
        let path = table.path.clone();
        if let (Some(per), None) = (&tiers_per, &tiers) {
            self.problem(&per.path, "is of no use without tiers", "");
        }
        match (rate, tiers, raise_to) {
            (Some(rate), None, None) => self.rate(&rate).map(Share::Rate),
            (None, Some(tiers), None) => {
                let allowed = [Per::Claim, Per::Stay, Per::Period];
                let per =
                    tiers_per.map_or(Some(Per::Period), |per| self.allowed_per(&per, &allowed));
                let entries = self.list(tiers).into_iter();
                let tiers = entries.filter_map(|entry| self.tier(entry)).collect();
                Some(Share::Tiers { per: per?, tiers })
            }
            (None, None, Some(rate)) => self.rate(&rate).map(Share::RaiseTo),
            (None, None, None) => {
                if is_needed {
                    let hint = "write one of rate, tiers and raise_to";
                    self.problem(&path, "does not say what share it pays", hint);
                }
                None
            }
            _ => {
                let hint = "keep one of rate, tiers and raise_to";
                self.problem(&path, "says twice what share it pays", hint);
                None
            }
        }
    }

    fn per_diem(&mut self, value: Value<'d>) -> Option<PerDiem> {
        let mut table = self.inner(value)?;
        let amount = self.need(&mut table, "amount", "write amount = \"100.00\"");
        let amount = amount.and_then(|amount| self.some_amount(&amount));
        let after_days = self.take(&mut table, "after_days");
        let after_days = after_days.map_or(Some(0), |days| self.count(&days, 0, 366));
        let day_limits = self.each(&mut table, "day_limits", Reader::day_limit);
        self.close(table);
        Some(PerDiem { amount: amount?, after_days: after_days?, day_limits })
    }

    fn fixed_sum(&mut self, value: Value<'d>) -> Option<FixedSum> {
        let mut table = self.inner(value)?;
        let event = self.need(&mut table, "event", "write event = \"disability\"");
        let event = event.and_then(|event| self.word(&event));
        let amount = self.need(&mut table, "amount", "write amount = \"17000.00\"");
        let amount = amount.and_then(|amount| self.some_amount(&amount));
        let grades: Vec<Rate> = self.each(&mut table, "grades", |reader, it| reader.rate(&it));
        if grades.len() > 10 {
            let path = format!("{}.grades", table.path);
            self.problem(&path, "names more than ten grades", "grade 1 comes first");
        }
        self.close(table);
        Some(FixedSum { event: event?, amount: amount?, grades })
    }

    pub(super) fn group(&mut self, value: Value<'d>) -> Option<Group> {
        let mut table = self.inner(value)?;
        let id = self.need(&mut table, "id", "write id = \"all\"");
        let id = id.and_then(|id| self.id(&id));
        let name = self.need(&mut table, "name", "name it for people");
        let name = name.and_then(|name| self.text(&name));
        let responsibilities =
            self.each(&mut table, "responsibilities", |reader, value| reader.id(&value));
        let deductible =
            self.take(&mut table, "deductible").and_then(|value| self.deductible(value));
        let out_of_pocket_max = self.some_amount_of(&mut table, "out_of_pocket_max");
        let limits = self.each(&mut table, "limits", Reader::limit);
        self.close(table);
        let (id, name) = (id?, name?);
        Some(Group { id, name, responsibilities, deductible, out_of_pocket_max, limits })
    }

    pub(super) fn exclusion(&mut self, value: Value<'d>) -> Option<Exclusion> {
        let mut table = self.inner(value)?;
        let name = self.need(&mut table, "name", "name it for people");
        let name = name.and_then(|name| self.text(&name));
        let lines = self.lines(&mut table);
        self.close(table);
        Some(Exclusion { name: name?, lines })
    }

    pub(super) fn item_cap(&mut self, value: Value<'d>) -> Option<ItemCap> {
        let mut table = self.inner(value)?;
        let name = self.need(&mut table, "name", "name it for people");
        let name = name.and_then(|name| self.text(&name));
        let lines = self.lines(&mut table);
        let amount = self.need(&mut table, "amount", "write amount = \"1500.00\"");
        let amount = amount.and_then(|amount| self.amount(&amount));
        let per = self.need(&mut table, "per", "write per = \"claim\"");
        let per = per.and_then(|per| self.choice(&per));
        self.close(table);
        Some(ItemCap { name: name?, lines, amount: amount?, per: per? })
    }

    fn some_amount_of(&mut self, table: &mut Table<'d>, key: &'static str) -> Option<Fen> {
        let value = self.take(table, key)?;
        self.some_amount(&value)
    }
}
