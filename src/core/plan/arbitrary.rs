//! Random plans that are sound by construction, for the laws of documents and decisions.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{
    AccountMoney, Attribution, BaseMax, Benefit, Bucket, CapPer, ClaimFree, ClaimOrder, ClassRange,
    Condition, DayLimit, Deductible, Exclusion, Fact, FixedSum, Group, Indemnity, ItemCap, Keyword,
    Limit, LineSelector, LinesAbsent, LowerRate, PaymentMode, Per, PerDiem, Plan, RecoveryMode,
    Responsibility, Share, Tier, Waiting,
};
use crate::core::clocks::{ClockKind, ClockRule, ClockRules, Unit};
use crate::core::day::{Day, PeriodStart};
use crate::core::money::{Fen, Rate, Rounding};
use crate::core::rules::{Action, QuantityMax, Rule, Test, catalogue};
use crate::core::settlement::{Cause, Quantity};

fn amount(least: i64, most: i64) -> impl Strategy<Value = Fen> {
    (least..=most).prop_map(|fen| Fen::new(fen).unwrap())
}

/// A rate of so many ten-thousandths.
pub(crate) fn rate_of(ten_thousandths: u32) -> Rate {
    let text = format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000);
    Rate::parse(&text).unwrap()
}

/// A rate between two others in ten-thousandths.
fn rate(least: u32, most: u32) -> impl Strategy<Value = Rate> {
    (least..=most).prop_map(rate_of)
}

fn texts(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let some = subsequence(of, 1..=of.len());
    let some = some.prop_map(|list| list.into_iter().map(str::to_owned).collect());
    prop_oneof![3 => Just(Vec::new()), 1 => some]
}

fn classes() -> impl Strategy<Value = Vec<ClassRange>> {
    let grades = option::of((1u8..=5, 5u8..=10));
    let range = (select(vec!["a", "b", "c"]), grades)
        .prop_map(|(class, grades)| ClassRange { class: class.into(), grades });
    prop_oneof![4 => Just(Vec::new()), 1 => vec(range, 1..3)]
}

prop_compose! {
    /// A condition that can hold, of a bill.
    fn condition()(
        medical_categories in texts(&["21", "22"]),
        (diagnoses, not_diagnoses) in
            prop_oneof![(texts(&["I50", "S72"]), Just(vec![])), (Just(vec![]), texts(&["I50"]))],
        causes in prop_oneof![
            4 => Just(vec![]), 1 => Just(vec![Cause::Disease]), 1 => Just(vec![Cause::Accident]),
        ],
        hospital_levels in texts(&["02", "05"]),
        hospital_codes in texts(&["H37029999001"]),
        (regions, not_regions) in
            prop_oneof![(texts(&["3702"]), Just(vec![])), (Just(vec![]), texts(&["3702"]))],
        classes in classes(),
        pre_existing in prop_oneof![4 => Just(None), 1 => any::<bool>().prop_map(Some)],
        basic_insurance in prop_oneof![4 => Just(None), 1 => any::<bool>().prop_map(Some)],
    ) -> Condition {
        Condition {
            medical_categories, diagnoses, not_diagnoses, causes, hospital_levels, hospital_codes,
            regions, not_regions, classes, pre_existing, basic_insurance, circumstances: vec![],
        }
    }
}

/// A condition that is always true half of the time.
fn when() -> impl Strategy<Value = Condition> {
    prop_oneof![Just(Condition::default()), condition()]
}

fn some_condition() -> impl Strategy<Value = Condition> {
    condition().prop_filter("looks at something", |it| !it.is_always())
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let per = subsequence(
        vec![Per::Claim, Per::Day, Per::Stay, Per::Cause, Per::Period, Per::Lifetime],
        0..=3,
    );
    let each = |per: Vec<Per>| {
        let limits: Vec<_> = per
            .into_iter()
            .map(|per| {
                (amount(1, 30_000_000), when()).prop_map(move |(amount, when)| Limit {
                    amount,
                    per,
                    when,
                })
            })
            .collect();
        limits
    };
    per.prop_flat_map(each)
}

fn deductible() -> impl Strategy<Value = Deductible> {
    let of_period = (amount(4, 3_000_000), 0usize..=2).prop_map(|(amount, steps)| {
        let step = |index: u8| ClaimFree {
            years: index + 1,
            amount: Fen::new(amount.fen() / i64::from(index + 2)).unwrap(),
        };
        let claim_free = (0..u8::try_from(steps).unwrap()).map(step).collect();
        Deductible { amount, per: Per::Period, claim_free }
    });
    let other = (amount(1, 500_000), select(vec![Per::Claim, Per::Stay, Per::Cause]))
        .prop_map(|(amount, per)| Deductible { amount, per, claim_free: vec![] });
    prop_oneof![of_period, other]
}

fn share() -> impl Strategy<Value = Share> {
    let tiers =
        (vec((1i64..2_000_000, 1u32..=10_000), 1..4), 1u32..=10_000).prop_map(|(steps, last)| {
            let mut end = 0;
            let mut tiers: Vec<Tier> = steps
                .into_iter()
                .map(|(width, it)| {
                    end += width;
                    Tier { up_to: Fen::new(end), rate: rate_of(it) }
                })
                .collect();
            tiers.push(Tier { up_to: None, rate: rate_of(last) });
            tiers
        });
    let per = select(vec![Per::Period, Per::Claim, Per::Stay]);
    prop_oneof![
        3 => rate(1, 10_000).prop_map(Share::Rate),
        2 => (per, tiers).prop_map(|(per, tiers)| Share::Tiers { per, tiers }),
        1 => rate(1, 10_000).prop_map(Share::RaiseTo),
    ]
}

/// Lower rates that lower something: below the lowest there is.
fn lower_rates(share: &Share) -> BoxedStrategy<Vec<LowerRate>> {
    let highest = match share {
        Share::Rate(rate) => *rate,
        Share::Tiers { tiers, .. } => tiers.iter().map(|tier| tier.rate).max().unwrap(),
        Share::RaiseTo(_) => return Just(vec![]).boxed(),
    };
    let lower =
        (rate(0, 9_999), some_condition()).prop_map(|(rate, when)| LowerRate { rate, when });
    vec(lower, 0..3)
        .prop_map(move |list| list.into_iter().filter(|it| it.rate < highest).collect())
        .boxed()
}

fn indemnity() -> impl Strategy<Value = Indemnity> {
    let base = subsequence(Bucket::ALL.to_vec(), 1..=5);
    let items = option::weighted(0.2, selector());
    let most = || option::weighted(0.3, amount(1, 500_000));
    (base, items, option::of(deductible()), share(), most(), most())
        .prop_flat_map(|(base, items, deductible, share, base_above, borne_above)| {
            let lower_rates = lower_rates(&share);
            (Just((base, items, deductible, share, base_above, borne_above)), lower_rates)
        })
        .prop_map(|((mut base, items, deductible, share, base_above, borne_above), lower_rates)| {
            let raises = matches!(share, Share::RaiseTo(_));
            if raises && !base.contains(&Bucket::InScopeCopay) {
                base.push(Bucket::InScopeCopay);
            }
            let least = deductible.as_ref().map(|it| it.amount).unwrap_or_default();
            let per = deductible.as_ref().map_or(Per::Claim, |it| it.per);
            let per = if per == Per::Cause { Per::Period } else { per };
            let base_max = base_above.map(|it| BaseMax { amount: least + it, per });
            let out_of_pocket_max = borne_above.map(|it| least + it);
            Indemnity { base, items, base_max, deductible, share, lower_rates, out_of_pocket_max }
        })
}

fn selector() -> impl Strategy<Value = LineSelector> {
    let marks = (texts(&["X1", "X2"]), texts(&["01", "08"]), texts(&["陪护"]));
    marks.prop_map(|(item_codes, charge_classes, keywords)| {
        let keywords = keywords.into_iter().map(Keyword::new).collect();
        let lines = LineSelector { item_codes, charge_classes, keywords };
        if lines.is_empty() {
            LineSelector { item_codes: vec!["X1".into()], ..lines }
        } else {
            lines
        }
    })
}

fn per_diem() -> impl Strategy<Value = PerDiem> {
    let per = vec![Per::Claim, Per::Stay, Per::Cause, Per::Period, Per::Lifetime];
    let limits = (vec(1u16..200, 2), subsequence(per, 0..=2)).prop_map(|(days, per)| {
        days.into_iter().zip(per).map(|(days, per)| DayLimit { days, per }).collect()
    });
    (amount(1, 50_000), 0u16..5, limits).prop_map(|(amount, after_days, day_limits)| PerDiem {
        amount,
        after_days,
        day_limits,
    })
}

fn fixed_sum() -> impl Strategy<Value = FixedSum> {
    (select(vec!["death", "disability"]), amount(1, 5_000_000), any::<bool>()).prop_map(
        |(event, amount, is_graded)| {
            let grade = |tenth: i32| Rate::parse(&format!("0.{tenth}")).unwrap();
            let grades = if is_graded { (1..=9).rev().map(grade).collect() } else { vec![] };
            FixedSum { event: event.into(), amount, grades }
        },
    )
}

fn responsibility() -> impl Strategy<Value = Responsibility> {
    let of_bill = |benefit: BoxedStrategy<Benefit>| {
        let unless = option::of(some_condition());
        let waiting = (1u16..366, unless).prop_map(|(days, unless)| Waiting { days, unless });
        (when(), option::weighted(0.2, waiting), benefit, limits()).prop_map(
            |(when, waiting, benefit, limits)| Responsibility {
                id: String::new(),
                name: "责任 \"一\"".into(),
                when,
                waiting,
                benefit,
                limits,
            },
        )
    };
    let most = option::of((amount(1, 5_000_000), select(vec![Per::Period, Per::Lifetime])));
    let of_event = (classes(), texts(&["driving"]), fixed_sum(), most).prop_map(
        |(classes, circumstances, benefit, most)| Responsibility {
            id: String::new(),
            name: "身故".into(),
            when: Condition { classes, circumstances, ..Condition::default() },
            waiting: None,
            benefit: Benefit::FixedSum(benefit),
            limits: most
                .map(|(amount, per)| Limit { amount, per, when: Condition::default() })
                .into_iter()
                .collect(),
        },
    );
    prop_oneof![
        6 => of_bill(indemnity().prop_map(Benefit::Indemnity).boxed()),
        1 => of_bill(per_diem().prop_map(Benefit::PerDiem).boxed()),
        1 => of_event,
    ]
}

/// A group of all indemnities that share what none of them has alone.
fn group(responsibilities: &[Responsibility]) -> BoxedStrategy<Vec<Group>> {
    let is_indemnity = |it: &&Responsibility| matches!(it.benefit, Benefit::Indemnity(_));
    let members: Vec<&Responsibility> = responsibilities.iter().filter(is_indemnity).collect();
    if members.len() < 2 {
        return Just(vec![]).boxed();
    }
    let any_has = |has: fn(&Indemnity) -> bool| {
        members.iter().any(|it| matches!(&it.benefit, Benefit::Indemnity(it) if has(it)))
    };
    let has_deductible = any_has(|it| it.deductible.is_some());
    let has_most = any_has(|it| it.out_of_pocket_max.is_some());
    let ids: Vec<String> = members.iter().map(|it| it.id.clone()).collect();
    (option::of(deductible()), option::of(amount(0, 500_000)), limits())
        .prop_map(move |(deductible, borne_above, limits)| {
            let deductible = deductible.filter(|_| !has_deductible);
            let least = deductible.as_ref().map(|it| it.amount).unwrap_or_default();
            let most = borne_above.filter(|_| !has_most).map(|it| least + it + Fen::ONE);
            let shares = deductible.is_some() || most.is_some() || !limits.is_empty();
            let group = Group {
                id: "all".into(),
                name: "合计".into(),
                responsibilities: ids.clone(),
                deductible,
                out_of_pocket_max: most,
                limits,
            };
            if shares { vec![group] } else { vec![] }
        })
        .boxed()
}

/// Whether nothing earlier takes the whole base, as a sound plan has it.
fn is_reached(earlier: &[Responsibility], ours: &Responsibility) -> bool {
    let Benefit::Indemnity(benefit) = &ours.benefit else { return true };
    let takes = |bucket: &Bucket| {
        earlier.iter().any(|it| match &it.benefit {
            Benefit::Indemnity(theirs) => {
                let applies = it.when.is_always() || it.when == ours.when;
                applies
                    && theirs.items.is_none()
                    && it.waiting.is_none()
                    && theirs.base.contains(bucket)
            }
            _ => false,
        })
    };
    !benefit.base.iter().all(takes)
}

fn responsibilities() -> impl Strategy<Value = Vec<Responsibility>> {
    vec(responsibility(), 1..6).prop_map(|list| {
        let mut kept: Vec<Responsibility> = Vec::new();
        for responsibility in list {
            if is_reached(&kept, &responsibility) {
                let id = format!("r{}", kept.len());
                kept.push(Responsibility { id, ..responsibility });
            }
        }
        kept
    })
}

/// Some of all rules, each with what it needs.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let complete = |test: Test| match test {
        Test::LengthOutlier { deviations, .. } => {
            Test::LengthOutlier { baseline: "city".into(), deviations }
        }
        Test::CostOutlier { deviations, .. } => {
            Test::CostOutlier { baseline: "city".into(), deviations }
        }
        Test::SharedAccount { persons, .. } => {
            Test::SharedAccount { accounts: "city".into(), persons }
        }
        Test::CumulativeCeiling { .. } => {
            Test::CumulativeCeiling { amount: Fen::from_yuan(150_000) }
        }
        Test::Quantity { .. } => Test::Quantity {
            items: vec![QuantityMax {
                name: "床位费".into(),
                lines: LineSelector { charge_classes: vec!["01".into()], ..Default::default() },
                most: Quantity::parse("1.5").unwrap(),
                per: CapPer::Day,
            }],
        },
        other => other,
    };
    let all: Vec<Test> = catalogue().into_iter().map(|it| complete(it.test)).collect();
    let count = all.len();
    let actions = vec(select(vec![Action::Review, Action::Flag, Action::Deny]), count);
    (subsequence(all, 0..=count), actions).prop_map(|(tests, actions)| {
        tests.into_iter().zip(actions).map(|(test, action)| Rule { action, test }).collect()
    })
}

/// Some clocks.
fn clocks() -> impl Strategy<Value = ClockRules> {
    let clock = |kind: ClockKind| {
        let unit = select(vec![Unit::Hours, Unit::Days, Unit::WorkingDays]);
        (1u16..=366, unit, rate(0, 10_000), amount(1, 1_000_000)).prop_map(
            move |(limit, unit, warn_at, most)| ClockRule {
                kind,
                limit,
                unit,
                warn_at,
                up_to: (kind == ClockKind::SmallClaim).then_some(most),
            },
        )
    };
    let kinds = subsequence(ClockKind::ALL.to_vec(), 0..=ClockKind::ALL.len());
    let clocks = kinds.prop_flat_map(move |kinds| kinds.into_iter().map(clock).collect::<Vec<_>>());
    (option::of(Just("cn".to_owned())), clocks)
        .prop_map(|(calendar, clocks)| ClockRules { calendar, clocks })
}

/// A random plan that is sound.
pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let parts = responsibilities().prop_flat_map(|list| {
        let groups = group(&list);
        (Just(list), groups)
    });
    let exclusion = selector().prop_map(|lines| Exclusion { name: "不予支付".into(), lines });
    let cap =
        (selector(), amount(0, 300_000), select(vec![CapPer::Line, CapPer::Day, CapPer::Claim]))
            .prop_map(|(lines, amount, per)| ItemCap { name: "床位".into(), lines, amount, per });
    let settings = (
        select(vec![Rounding::HalfUp, Rounding::HalfEven, Rounding::Down]),
        select(vec![AccountMoney::OwnMoney, AccountMoney::NotCounted]),
        select(vec![LinesAbsent::Eligible, LinesAbsent::Review]),
        option::weighted(0.2, 1u16..3660),
        texts(&["620100"]),
        select(vec!["01-01", "07-01"]),
        select(vec![Attribution::Settlement, Attribution::Discharge, Attribution::Admission]),
        (
            select(vec![PaymentMode::Transfer, PaymentMode::HospitalDeducts]),
            select(vec![ClaimOrder::Processed, ClaimOrder::ServiceDate]),
            any::<bool>(),
            option::weighted(0.2, amount(0, 100_000_000)),
            rules(),
            clocks(),
        ),
        option::of(Just(Day::parse("2199-12-31").unwrap())),
        amount(0, 100_000_000),
    );
    (parts, vec(exclusion, 0..2), vec(cap, 0..2), settings).prop_map(
        |((responsibilities, groups), exclusions, item_caps, settings)| {
            let (rounding, account_money, lines_absent, filing_days, later_payers, start, ..) =
                settings.clone();
            let (.., attribution, after, end_date, green_ceiling) = settings;
            let (payment_mode, claim_order, is_offset, four_eyes_above, rules, clocks) = after;
            let recovery = match payment_mode {
                PaymentMode::Transfer if is_offset => RecoveryMode::Offset,
                _ => RecoveryMode::Collect,
            };
            Plan {
                plan_id: "random".into(),
                version: "1".into(),
                name: "随机方案".into(),
                start_date: Day::parse("2020-01-01").unwrap(),
                end_date,
                period_start: PeriodStart::parse(start).unwrap(),
                attribution,
                payment_mode,
                claim_order,
                recovery,
                rounding,
                account_money,
                lines_absent,
                filing_days,
                renewal_gap_days: 0,
                later_payers,
                required_facts: vec![Fact::Stay, Fact::Diagnosis],
                responsibilities,
                groups,
                exclusions,
                item_caps,
                green_ceiling,
                four_eyes_above,
                rules,
                clocks,
                hash: String::new(),
            }
        },
    )
}
