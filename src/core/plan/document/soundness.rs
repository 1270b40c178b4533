//! Plans that read well and make no sense: what can never pay, never bind or never be counted.

use super::reader::Reader;
use crate::core::money::{Fen, Rate};
use crate::core::plan::{
    Benefit, Bucket, CapPer, Condition, Deductible, Fact, Group, Indemnity, Limit, PaymentMode,
    Per, Plan, RecoveryMode, Responsibility, Share,
};

/// Reports every impossible or useless combination at the place that has to change.
pub(super) fn check(plan: &Plan, reader: &mut Reader<'_>) {
    let mut soundness = Soundness { plan, reader };
    soundness.whole();
    for (index, responsibility) in plan.responsibilities.iter().enumerate() {
        soundness.responsibility(index, responsibility);
    }
    for (index, group) in plan.groups.iter().enumerate() {
        soundness.group(index, group);
    }
}

/// Of what something decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Bill,
    Event,
    Both,
}

fn of_kind(responsibility: &Responsibility) -> Of {
    match responsibility.benefit {
        Benefit::Indemnity(_) | Benefit::PerDiem(_) => Of::Bill,
        Benefit::FixedSum(_) => Of::Event,
    }
}

struct Soundness<'a, 'r, 'd> {
    plan: &'a Plan,
    reader: &'r mut Reader<'d>,
}

impl<'a> Soundness<'a, '_, '_> {
    fn tell(&mut self, path: &str, problem: &str, hint: &str) {
        self.reader.problem(path, problem, hint);
    }

    fn whole(&mut self) {
        let plan = self.plan;
        if plan.end_date.is_some_and(|end| end < plan.start_date) {
            self.tell("end_date", "lies before start_date", "the last day is the later one");
        }
        if plan.recovery == RecoveryMode::Offset
            && plan.payment_mode == PaymentMode::HospitalDeducts
        {
            let hint = "what the hospital deducted cannot pay the person's debt: \"collect\"";
            self.tell("recovery", "needs payment_mode = \"transfer\"", hint);
        }
        let by_group = |group: &Group| {
            group.deductible.as_ref().is_some_and(|it| !it.claim_free.is_empty())
                || group.limits.iter().any(|limit| limit.when.pre_existing.is_some())
        };
        let is_used =
            plan.responsibilities.iter().any(looks_at_renewal) || plan.groups.iter().any(by_group);
        if plan.renewal_gap_days > 0 && !is_used {
            let hint = "it serves waiting periods, claim_free and pre_existing only";
            self.tell("renewal_gap_days", "is of no use in this plan", hint);
        }
        for (index, cap) in plan.item_caps.iter().enumerate() {
            if cap.per == CapPer::Day {
                self.need_fact(&format!("item_caps[{index}].per"), Fact::Stay);
            }
        }
        let ids: Vec<_> = super::kinds(plan).collect();
        for (index, (path, id, _)) in ids.iter().enumerate() {
            if ids[..index].iter().any(|(_, earlier, _)| earlier == id) {
                // Counters carry the id: two benefits must not share one by accident.
                self.tell(path, "is the id of an earlier one", "counters are kept by id");
            }
        }
    }

    /// Something needs a fact that the plan does not require.
    fn need_fact(&mut self, path: &str, fact: Fact) {
        if !self.plan.required_facts.contains(&fact) {
            let name = crate::core::decision::code(&fact);
            let problem = format!("needs the fact {name}, which claims may lack");
            self.tell(path, &problem, &format!("add \"{name}\" to required_facts"));
        }
    }

    fn responsibility(&mut self, index: usize, responsibility: &Responsibility) {
        let path = format!("responsibilities[{index}]");
        let of = of_kind(responsibility);
        self.condition(&format!("{path}.when"), &responsibility.when, of);
        if let Some(unless) = responsibility.waiting.as_ref().and_then(|it| it.unless.as_ref()) {
            self.condition(&format!("{path}.waiting.unless"), unless, of);
        }
        self.limits(&path, &responsibility.limits, of);
        match &responsibility.benefit {
            Benefit::Indemnity(benefit) => {
                self.indemnity(&path, benefit);
                if self.is_taken(index, responsibility, benefit) {
                    let hint = "earlier responsibilities take all of its base: give it a bucket, \
                                items or a condition of its own, or put it first";
                    self.tell(&path, "can never be reached", hint);
                }
            }
            Benefit::PerDiem(benefit) => {
                self.need_fact(&format!("{path}.per_diem"), Fact::Stay);
                for (number, limit) in benefit.day_limits.iter().enumerate() {
                    let path = format!("{path}.per_diem.day_limits[{number}]");
                    if limit.per == Per::Cause {
                        self.need_fact(&format!("{path}.per"), Fact::Diagnosis);
                    }
                    let earlier = &benefit.day_limits[..number];
                    if earlier.iter().any(|it| it.per == limit.per) {
                        self.tell(&path, "limits the same thing twice", "keep the smaller one");
                    }
                }
            }
            Benefit::FixedSum(benefit) => {
                if !benefit.grades.is_empty() && benefit.grades.iter().all(|it| *it == Rate::ZERO) {
                    self.tell(&format!("{path}.fixed_sum.grades"), "can never pay", "");
                }
            }
        }
    }

    fn indemnity(&mut self, path: &str, benefit: &Indemnity) {
        if let Some(deductible) = &benefit.deductible {
            self.deductible(&format!("{path}.deductible"), deductible);
            // Where the deductible is borne anew inside the span of the maximum, or once in it, no
            // claim of the span ever goes beyond it.
            let least = deductible.claim_free.last().map_or(deductible.amount, |it| it.amount);
            let is_whole = |per: Per| per == deductible.per || is_inside(deductible.per, per);
            let max = benefit.base_max.as_ref();
            if max.is_some_and(|max| is_whole(max.per) && max.amount <= least) {
                let hint = "what counts must be more than what stays with the person";
                self.tell(&format!("{path}.base_max"), "is not above the deductible", hint);
            }
            let most = benefit.out_of_pocket_max;
            self.out_of_pocket(path, most, Some(deductible));
        }
        self.share(path, benefit);
        for (number, lower) in benefit.lower_rates.iter().enumerate() {
            let path = format!("{path}.lower_rates[{number}]");
            self.condition(&format!("{path}.when"), &lower.when, Of::Bill);
            if lower.when.is_always() {
                let hint = "without a condition the rate itself is never used";
                self.tell(&path, "always applies", hint);
            }
            if highest_rate(&benefit.share).is_some_and(|highest| lower.rate >= highest) {
                self.tell(&format!("{path}.rate"), "lowers nothing", "it must be below the rate");
            }
        }
    }

    fn share(&mut self, path: &str, benefit: &Indemnity) {
        match &benefit.share {
            Share::Rate(rate) => {
                if *rate == Rate::ZERO {
                    self.tell(&format!("{path}.rate"), "can never pay", "");
                }
            }
            Share::Tiers { tiers, .. } => {
                let at = format!("{path}.tiers");
                let mut from = Fen::ZERO;
                for (number, tier) in tiers.iter().enumerate() {
                    let is_last = number + 1 == tiers.len();
                    let at = format!("{at}[{number}]");
                    match tier.up_to {
                        Some(up_to) if up_to <= from => {
                            let hint = "each tier ends above the one before it";
                            self.tell(&format!("{at}.up_to"), "overlaps the tier before", hint);
                        }
                        Some(_) if is_last => {
                            let hint = "leave up_to out of the last tier";
                            self.tell(&format!("{at}.up_to"), "leaves what is above unpaid", hint);
                        }
                        None if !is_last => {
                            self.tell(&at, "has no end and is not the last", "write up_to");
                        }
                        _ => {}
                    }
                    from = tier.up_to.unwrap_or(from);
                }
                if tiers.iter().all(|tier| tier.rate == Rate::ZERO) {
                    self.tell(&at, "can never pay", "");
                }
            }
            Share::RaiseTo(rate) => {
                if *rate == Rate::ZERO {
                    self.tell(&format!("{path}.raise_to"), "can never pay", "");
                }
                if !benefit.base.contains(&Bucket::InScopeCopay) {
                    let hint = "it raises what is reimbursed in scope: add \"in_scope_copay\"";
                    self.tell(&format!("{path}.base"), "lacks what raise_to looks at", hint);
                }
                if !benefit.lower_rates.is_empty() {
                    let at = format!("{path}.lower_rates");
                    self.tell(&at, "is of no use beside raise_to", "");
                }
            }
        }
    }

    fn deductible(&mut self, path: &str, deductible: &Deductible) {
        if deductible.per == Per::Cause {
            self.need_fact(&format!("{path}.per"), Fact::Diagnosis);
        }
        if !deductible.claim_free.is_empty() && deductible.per != Per::Period {
            let hint = "claim-free periods lower a deductible of the period";
            self.tell(&format!("{path}.claim_free"), "needs per = \"period\"", hint);
        }
        let (mut years, mut amount) = (0, deductible.amount);
        for (number, step) in deductible.claim_free.iter().enumerate() {
            if step.years <= years || step.amount >= amount {
                let path = format!("{path}.claim_free[{number}]");
                let hint = "years grow and amounts fall from entry to entry";
                self.tell(&path, "gives nothing more than what stands before", hint);
            }
            (years, amount) = (step.years, step.amount);
        }
    }

    fn out_of_pocket(&mut self, path: &str, most: Option<Fen>, deductible: Option<&Deductible>) {
        let of_period = deductible.filter(|it| it.per == Per::Period);
        if let (Some(most), Some(deductible)) = (most, of_period)
            && most < deductible.amount
        {
            let hint = "the deductible alone would be more than the most a person bears";
            self.tell(&format!("{path}.out_of_pocket_max"), "is below the deductible", hint);
        }
    }

    fn limits(&mut self, path: &str, limits: &[Limit], of: Of) {
        for (number, limit) in limits.iter().enumerate() {
            let path = format!("{path}.limits[{number}]");
            self.condition(&format!("{path}.when"), &limit.when, of);
            if of != Of::Bill && limit.per.is_of_claims() {
                let hint = "an event has neither stay nor cause: claim, period or lifetime";
                self.tell(&format!("{path}.per"), "is not counted here", hint);
            }
            match limit.per {
                Per::Day => self.need_fact(&format!("{path}.per"), Fact::Stay),
                Per::Cause => self.need_fact(&format!("{path}.per"), Fact::Diagnosis),
                Per::Claim | Per::Stay | Per::Period | Per::Lifetime => {}
            }
            let is_same = |earlier: &Limit| earlier.per == limit.per && earlier.when == limit.when;
            if limits[..number].iter().any(is_same) {
                self.tell(&path, "limits the same thing twice", "keep the smaller one");
            }
        }
    }

    fn condition(&mut self, path: &str, when: &Condition, of: Of) {
        self.stated(path, when, of);
        let looks_at_diagnosis = when.pre_existing.is_some()
            || !when.diagnoses.is_empty()
            || !when.not_diagnoses.is_empty();
        if looks_at_diagnosis {
            self.need_fact(path, Fact::Diagnosis);
        }
        let contradicts = |wanted: &[String], unwanted: &[String]| {
            let is_unwanted =
                |text: &String| unwanted.iter().any(|prefix| text.starts_with(prefix.as_str()));
            !wanted.is_empty() && wanted.iter().all(is_unwanted)
        };
        if contradicts(&when.diagnoses, &when.not_diagnoses)
            || contradicts(&when.regions, &when.not_regions)
        {
            self.tell(path, "can never hold", "it wants what it rules out");
        }
    }

    /// What a condition looks at must be something that is stated at all.
    fn stated(&mut self, path: &str, when: &Condition, of: Of) {
        if of == Of::Bill && !when.circumstances.is_empty() {
            let hint = "only events of a fixed_sum have circumstances";
            self.tell(&format!("{path}.circumstances"), "can never hold", hint);
        }
        let of_event = Condition {
            causes: when.causes.clone(),
            classes: when.classes.clone(),
            circumstances: when.circumstances.clone(),
            ..Condition::default()
        };
        if of == Of::Event && of_event != *when {
            let hint = "an event states causes and circumstances, a member has classes";
            self.tell(path, "asks what no event states", hint);
        }
    }

    /// Whether earlier responsibilities that always apply when this one does take its whole base.
    fn is_taken(&self, index: usize, ours: &Responsibility, benefit: &Indemnity) -> bool {
        let takes = |earlier: &'a Responsibility| match &earlier.benefit {
            Benefit::Indemnity(theirs)
                if theirs.items.is_none()
                    && earlier.waiting.is_none()
                    && (earlier.when.is_always() || earlier.when == ours.when) =>
            {
                &theirs.base[..]
            }
            _ => &[],
        };
        let earlier = &self.plan.responsibilities[..index];
        benefit.base.iter().all(|bucket| earlier.iter().any(|it| takes(it).contains(bucket)))
    }

    fn group(&mut self, index: usize, group: &Group) {
        let path = format!("groups[{index}]");
        let members = self.plan.responsibilities.iter();
        let members = members.filter(|it| group.responsibilities.contains(&it.id)).map(of_kind);
        let members: Vec<Of> = members.collect();
        let of = match members[..] {
            [first, ..] if members.iter().all(|it| *it == first) => first,
            _ => Of::Both,
        };
        self.limits(&path, &group.limits, of);
        if group.deductible.is_none()
            && group.out_of_pocket_max.is_none()
            && group.limits.is_empty()
        {
            self.tell(&path, "shares nothing", "name deductible, out_of_pocket_max or limits");
        }
        if let Some(deductible) = &group.deductible {
            self.deductible(&format!("{path}.deductible"), deductible);
        }
        self.out_of_pocket(&path, group.out_of_pocket_max, group.deductible.as_ref());
        let at = format!("{path}.responsibilities");
        if group.responsibilities.len() < 2 {
            self.tell(&at, "must name at least two", "one alone has keys of its own");
        }
        for (number, id) in group.responsibilities.iter().enumerate() {
            let at = format!("{at}[{number}]");
            if group.responsibilities[..number].contains(id) {
                self.tell(&at, "is named twice", "");
            }
            match self.plan.responsibilities.iter().find(|it| it.id == *id) {
                None => self.tell(&at, "is no responsibility of this plan", ""),
                Some(responsibility) => self.shared(index, group, &at, responsibility),
            }
        }
    }

    /// What a responsibility shares it must not have from elsewhere too.
    fn shared(&mut self, index: usize, group: &Group, at: &str, member: &Responsibility) {
        let earlier = self.plan.groups[..index].iter();
        let earlier: Vec<&Group> =
            earlier.filter(|it| it.responsibilities.contains(&member.id)).collect();
        let Benefit::Indemnity(benefit) = &member.benefit else {
            if group.deductible.is_some() || group.out_of_pocket_max.is_some() {
                let hint = "only an indemnity has a deductible or an out-of-pocket maximum";
                self.tell(at, "cannot share it", hint);
            }
            return;
        };
        let has_deductible =
            benefit.deductible.is_some() || earlier.iter().any(|it| it.deductible.is_some());
        if group.deductible.is_some() && has_deductible {
            self.tell(at, "has another deductible", "keep one");
        }
        let has_most = benefit.out_of_pocket_max.is_some()
            || earlier.iter().any(|it| it.out_of_pocket_max.is_some());
        if group.out_of_pocket_max.is_some() && has_most {
            self.tell(at, "has another out-of-pocket maximum", "keep one");
        }
    }
}

/// Whether every span of one kind lies inside a span of another kind.
fn is_inside(inner: Per, outer: Per) -> bool {
    match inner {
        Per::Claim | Per::Day => matches!(outer, Per::Stay | Per::Period),
        Per::Stay => outer == Per::Period,
        Per::Cause | Per::Period | Per::Lifetime => false,
    }
}

/// Whether it matters since when a member is covered without a break.
fn looks_at_renewal(responsibility: &Responsibility) -> bool {
    let by_condition = |when: &Condition| when.pre_existing.is_some();
    let by_benefit = match &responsibility.benefit {
        Benefit::Indemnity(it) => {
            it.deductible.as_ref().is_some_and(|it| !it.claim_free.is_empty())
                || it.lower_rates.iter().any(|lower| by_condition(&lower.when))
        }
        Benefit::PerDiem(_) | Benefit::FixedSum(_) => false,
    };
    responsibility.waiting.is_some()
        || by_condition(&responsibility.when)
        || by_benefit
        || responsibility.limits.iter().any(|limit| by_condition(&limit.when))
}

/// The highest rate that a share has; none where it has none of its own.
fn highest_rate(share: &Share) -> Option<Rate> {
    match share {
        Share::Rate(rate) => Some(*rate),
        Share::Tiers { tiers, .. } => tiers.iter().map(|tier| tier.rate).max(),
        Share::RaiseTo(_) => None,
    }
}
