//! What people do to a claim, and what becomes of it when something else changes.

use proptest::prelude::*;

use super::*;
use crate::core::decision::Counters;
use crate::core::payout::{PayoutKind, PayoutState};
use crate::core::plan::{Benefit, Bucket, ClaimOrder, Condition, Limit, Per, Plan, Share};
use crate::core::review::{Act, Actor, Deed, Texts};
use crate::core::settlement::{FollowUp, Reversal};

/// A desk with a plan of its own.
pub(super) struct Desk {
    pub(super) book: Book,
    pub(super) plans: Plans,
    clock: i64,
}

impl Desk {
    /// A covered member; the plan has a deductible of 5,000.00, a limit of 300,000.00 and a ceiling
    /// of 1,000.00, changed as the test wants it.
    pub(super) fn new(change: impl FnOnce(&mut Plan)) -> Desk {
        let mut plan = plan(500_000, "1", 30_000_000);
        plan.green_ceiling = fen(100_000);
        change(&mut plan);
        let mut plans = Plans::default();
        plans.publish(Arc::new(plan));
        let mut desk = Desk { book: Book::new("m".into()), plans, clock: 0 };
        let import = Arc::new(covered("2023-07-01", true));
        desk.apply(&Command::Enrol { import }).unwrap();
        desk
    }

    pub(super) fn apply(&mut self, command: &Command) -> Result<Vec<Effect>, Refusal> {
        self.clock += 1;
        let mut book = self.book.clone();
        let effects = book.apply(command, Moment::from_micros(self.clock), &self.plans)?;
        self.book = book;
        Ok(effects)
    }

    pub(super) fn submit(&mut self, settlement: Settlement) -> ClaimId {
        let number = i64::try_from(self.book.claims.len()).unwrap() + 1;
        let claim_id = ClaimId { lane: 0, number };
        let settlement = Arc::new(settlement);
        self.apply(&Command::Submit { claim_id, settlement, seen: Seen::default() }).unwrap();
        claim_id
    }

    pub(super) fn bill(&mut self, id: &str, burden: i64) -> ClaimId {
        self.submit(settlement(id, burden, burden))
    }

    pub(super) fn act_as(
        &mut self,
        name: &str,
        claim_id: ClaimId,
        deed: Deed,
    ) -> Result<usize, Refusal> {
        let actor = Actor { name: name.into(), is_asserted: true };
        let act = Arc::new(Act { actor, deed, revision: None });
        let texts = Arc::new(Texts::default());
        self.apply(&Command::Review { claim_id, act, texts }).map(|effects| effects.len())
    }

    pub(super) fn act(&mut self, claim_id: ClaimId, deed: Deed) -> Result<usize, Refusal> {
        self.act_as("a", claim_id, deed)
    }

    pub(super) fn reverse(&mut self, id: &str) {
        let reversal = Reversal {
            source: "370200".into(),
            original_id: Some(id.into()),
            reversal_id: None,
            visit_id: None,
            total: None,
            reverse_time: None,
        };
        let what = FollowUp::Reversal(Arc::new(reversal));
        self.apply(&Command::FollowUp(what, Seen::default())).unwrap();
    }

    pub(super) fn send_payouts(&mut self) {
        for claim in &mut self.book.claims {
            for payout in &mut Arc::make_mut(claim).payouts {
                if payout.state == PayoutState::Instructed {
                    payout.state = PayoutState::Sent;
                }
            }
        }
    }

    pub(super) fn claim(&self, id: ClaimId) -> &Claim {
        self.book.claims.iter().find(|claim| claim.id == id).unwrap()
    }

    /// State and payout of each claim, in the order of the book.
    pub(super) fn standing(&self) -> Vec<(ClaimState, i64)> {
        self.book.claims.iter().map(|claim| (claim.state(), claim.payout().fen())).collect()
    }

    pub(super) fn used(&self) -> Counters {
        self.book.counters.values().copied().fold(Counters::default(), Counters::plus)
    }

    /// The payouts of a claim: direction, amount, state.
    pub(super) fn payouts(&self, id: ClaimId) -> Vec<(PayoutKind, i64, PayoutState)> {
        let payouts = self.claim(id).payouts.iter();
        payouts.map(|it| (it.kind, it.amount.fen(), it.state)).collect()
    }
}

fn refused(outcome: Result<usize, Refusal>) -> ReviewRefusal {
    match outcome {
        Err(Refusal::Review(refusal)) => refusal,
        other => panic!("not refused by the desk: {other:?}"),
    }
}

const WHOLE: Deed = Deed::Approve { amount: None };

fn amount(amount: i64) -> Deed {
    Deed::Approve { amount: Some(fen(amount)) }
}

fn deny() -> Deed {
    Deed::Deny { denial: Some(Denial::NotNecessary) }
}

#[test]
fn an_approval_pays_what_was_held() {
    let mut desk = Desk::new(|_| {});
    let id = desk.bill("a", 900_000);
    assert_eq!(desk.standing(), [(ClaimState::Pended, 400_000)]);
    assert_eq!(desk.used().paid, fen(400_000), "held");
    desk.act(id, WHOLE).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Approved, 400_000)]);
    assert_eq!(desk.used().paid, fen(400_000));
    let paid = (PayoutKind::Payment, 400_000, PayoutState::Instructed);
    assert_eq!(desk.payouts(id), [paid]);
    let claim = desk.claim(id);
    assert!(claim.evaluation.reasons.is_empty(), "everything was looked at");
    assert_eq!(claim.evaluation.route, crate::core::route::Route::Review);
    assert_eq!(
        desk.act(id, WHOLE),
        Err(ReviewRefusal::State { state: ClaimState::Approved }.into())
    );
}

#[test]
fn a_smaller_amount_posts_itself_and_is_no_expense_that_stayed_with_the_person() {
    let mut desk = Desk::new(|_| {});
    let (first, second) = (desk.bill("a", 900_000), desk.bill("b", 400_000));
    desk.act(first, amount(250_000)).unwrap();
    let claim = desk.claim(first).clone();
    assert_eq!(claim.payout(), fen(250_000));
    let step = &claim.evaluation.decision.as_ref().unwrap().steps;
    assert!(step.iter().any(|it| crate::core::explain::step_code(&it.why) == "REVIEWED"));
    let adjusted = crate::core::decision::AdjustmentReason::Reviewed;
    assert_eq!(claim.evaluation.decision.as_ref().unwrap().adjusted(adjusted), fen(150_000));
    let posted = &claim.evaluation.decision.as_ref().unwrap().counters[0].after;
    assert_eq!((posted.burden, posted.paid), (fen(500_000), fen(250_000)));
    assert_eq!(desk.claim(second).payout(), fen(400_000), "the deductible was borne all the same");
}

#[test]
fn a_larger_amount_goes_as_far_as_base_and_limits() {
    let mut desk = Desk::new(|plan| plan.responsibilities[0].limits[0].amount = fen(700_000));
    let id = desk.bill("a", 900_000);
    let beyond = |most| ReviewRefusal::BeyondLimits { most: fen(most) };
    assert_eq!(refused(desk.act(id, amount(700_001))), beyond(700_000), "the limit");
    desk.act(id, amount(650_000)).unwrap();
    let decision = desk.claim(id).evaluation.decision.clone().unwrap();
    assert_eq!(decision.payout(), fen(650_000));
    let adjusted: crate::core::money::Fen = decision.adjustments.iter().map(|it| it.amount).sum();
    assert_eq!(adjusted + decision.payout(), decision.total);
    let mut desk = Desk::new(|_| {});
    let id = desk.bill("a", 900_000);
    assert_eq!(refused(desk.act(id, amount(900_001))), beyond(900_000), "the bill");
}

#[test]
fn a_denial_frees_what_was_held_and_the_later_claims_take_it() {
    let mut desk = Desk::new(|_| {});
    let (first, _) = (desk.bill("a", 900_000), desk.bill("b", 550_000));
    assert_eq!(desk.standing()[1], (ClaimState::Pended, 550_000));
    assert_eq!(desk.act(first, deny()), Ok(2));
    assert_eq!(desk.standing(), [(ClaimState::Denied, 0), (ClaimState::Approved, 50_000)]);
    assert_eq!(desk.claim(first).evaluation.denial, Some(Denial::NotNecessary));
    let adjustments = &desk.claim(first).evaluation.decision.as_ref().unwrap().adjustments;
    assert_eq!(adjustments.last().unwrap().reason.carc(), "50");
    // What a person denied stays denied, whatever the roster says.
    let import = Arc::new(covered("2022-01-01", true));
    let ended = Roster {
        coverages: import
            .coverages
            .iter()
            .cloned()
            .map(|mut it| {
                it.span.end = Day::parse("2022-12-31");
                it
            })
            .collect(),
        ..Roster::default()
    };
    desk.apply(&Command::Enrol { import: Arc::new(ended) }).unwrap();
    assert_eq!(desk.standing()[0], (ClaimState::Denied, 0));
    let without = Deed::Deny { denial: None };
    let second = desk.book.claims[1].id;
    desk.act(second, Deed::Reopen).unwrap();
    assert_eq!(refused(desk.act(second, without)), ReviewRefusal::NoDenial);
}

/// If this fails a person's amount stands on a figure that nobody saw.
#[test]
fn an_amount_goes_back_to_a_person_when_the_figure_under_it_changes() {
    let mut desk = Desk::new(|_| {});
    let (_, second) = (desk.bill("a", 600_000), desk.bill("b", 900_000));
    desk.act(second, amount(700_000)).unwrap();
    desk.send_payouts();
    desk.reverse("a");
    assert_eq!(desk.standing()[1], (ClaimState::Pended, 400_000), "the rules give this now");
    let claim = desk.claim(second);
    assert_eq!(claim.review.ruling, None);
    let codes: Vec<_> = claim.evaluation.reasons.iter().map(|it| it.code).collect();
    assert_eq!(codes, [ReasonCode::AboveCeiling, ReasonCode::FigureChanged]);
    let evidence = &claim.evaluation.reasons[1].evidence;
    let evidence: Vec<_> = evidence.iter().map(|(key, fen)| (&**key, &**fen)).collect();
    let expected =
        [("approved_fen", "700000"), ("figure_before_fen", "900000"), ("figure_fen", "400000")];
    assert_eq!(evidence, expected);
    let sent = (PayoutKind::Payment, 700_000, PayoutState::Sent);
    assert_eq!(desk.payouts(second), [sent], "nothing moves before a person has ruled");
    desk.act(second, WHOLE).unwrap();
    let back = (PayoutKind::Recovery, 300_000, PayoutState::Instructed);
    assert_eq!(desk.payouts(second), [sent, back]);
}

#[test]
fn a_whole_approval_follows_the_figure_within_the_ceiling() {
    let mut desk = Desk::new(|plan| plan.green_ceiling = fen(300_000));
    let (_, second) = (desk.bill("a", 300_000), desk.bill("b", 900_000));
    assert_eq!(desk.standing()[1], (ClaimState::Pended, 700_000));
    desk.act(second, WHOLE).unwrap();
    desk.reverse("a");
    assert_eq!(desk.standing()[1], (ClaimState::Approved, 400_000), "less needs nobody");
    // 300.00 more is within the ceiling, though the whole is above it.
    let third = desk.bill("c", 300_000);
    assert_eq!(desk.claim(third).state(), ClaimState::Approved);
    let mut desk = Desk::new(|plan| {
        plan.green_ceiling = fen(300_000);
        plan.claim_order = ClaimOrder::ServiceDate;
    });
    let on = |id: &str, day: &str, burden| Settlement {
        discharge_date: Day::parse(day),
        ..settlement(id, burden, burden)
    };
    let late = desk.submit(on("late", "2024-06-01", 1_200_000));
    desk.act(late, WHOLE).unwrap();
    assert_eq!(desk.claim(late).payout(), fen(700_000));
    let early = desk.submit(on("early", "2024-05-01", 400_000));
    assert_eq!(desk.claim(early).payout(), fen(0), "it takes the deductible");
    assert_eq!(desk.claim(late).payout(), fen(1_100_000));
    assert_eq!(desk.claim(late).state(), ClaimState::Pended, "400.00 more is above the ceiling");
}

#[test]
fn information_is_asked_for_once_and_its_answer_goes_to_a_person() {
    let mut desk = Desk::new(|_| {});
    let id = desk.bill("a", 900_000);
    desk.act(id, Deed::RequestInformation).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::InformationRequested, 400_000)]);
    let forbidden = ReviewRefusal::State { state: ClaimState::InformationRequested };
    assert_eq!(refused(desk.act(id, WHOLE)), forbidden);
    desk.act(id, Deed::ProvideInformation).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Pended, 400_000)]);
    assert_eq!(refused(desk.act(id, Deed::RequestInformation)), ReviewRefusal::AskedBefore);
    let import = Arc::new(Roster { name: Some(Personal::new("乙")), ..Roster::default() });
    desk.apply(&Command::Enrol { import }).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Pended, 400_000)], "whatever else happens");
    desk.act(id, WHOLE).unwrap();
    desk.act(id, Deed::Reopen).unwrap();
    assert!(desk.act(id, Deed::RequestInformation).is_ok(), "another look, another question");
}

#[test]
fn what_somebody_works_on_nobody_else_rules_on() {
    let mut desk = Desk::new(|_| {});
    let id = desk.bill("a", 900_000);
    let take = |name: &str| Deed::Assign { assignee: Some(name.into()), only_free: true };
    desk.act_as("b", id, take("b")).unwrap();
    let taken = ReviewRefusal::Assigned { assignee: "b".into() };
    assert_eq!(refused(desk.act_as("a", id, take("a"))), taken);
    for deed in [WHOLE, deny(), Deed::RequestInformation] {
        assert_eq!(refused(desk.act_as("a", id, deed)), taken);
    }
    let over = Deed::Assign { assignee: Some("a".into()), only_free: false };
    desk.act_as("a", id, over).unwrap();
    assert!(desk.act_as("a", id, WHOLE).is_ok());
    assert_eq!(desk.claim(id).review.assignee, None, "the desk is cleared");
}

#[test]
fn above_the_plans_amount_four_eyes_look() {
    let mut desk = Desk::new(|plan| plan.four_eyes_above = Some(fen(400_000)));
    let below = desk.bill("a", 900_000);
    desk.act_as("a", below, WHOLE).unwrap();
    assert_eq!(desk.claim(below).state(), ClaimState::Approved, "not above it");
    let id = desk.bill("b", 400_001);
    desk.act_as("a", id, WHOLE).unwrap();
    assert_eq!(desk.claim(id).state(), ClaimState::Pended);
    assert_eq!(desk.claim(id).review.proposal.as_ref().unwrap().amount, fen(400_001));
    assert_eq!(refused(desk.act_as("a", id, WHOLE)), ReviewRefusal::SecondPerson);
    let take = Deed::Assign { assignee: Some("a".into()), only_free: true };
    assert_eq!(refused(desk.act_as("a", id, take)), ReviewRefusal::SecondPerson);
    desk.act_as("b", id, amount(400_000)).unwrap();
    assert_eq!(desk.claim(id).payout(), fen(400_000), "less needs one person");
    desk.act_as("b", id, Deed::Reopen).unwrap();
    desk.act_as("b", id, WHOLE).unwrap();
    desk.reverse("a");
    assert_eq!(desk.claim(id).review.proposal, None, "another figure, another proposal");
}

/// A later decision never lifts a claim above what the green channel or one person may let through.
#[test]
fn what_is_decided_again_needs_the_eyes_that_the_amount_needs() {
    let desk_with = |ceiling, limit| {
        Desk::new(move |plan| {
            plan.green_ceiling = fen(ceiling);
            plan.four_eyes_above = Some(fen(400_000));
            let responsibility = &mut plan.responsibilities[0];
            responsibility.limits[0].amount = fen(limit);
            let Benefit::Indemnity(benefit) = &mut responsibility.benefit else { unreachable!() };
            benefit.deductible = None;
        })
    };
    let mut desk = desk_with(250_000, 700_000);
    for id in ["a", "b", "c"] {
        desk.bill(id, 200_000);
    }
    let late = desk.bill("late", 290_000);
    assert_eq!(desk.standing()[3], (ClaimState::Approved, 100_000), "what the limit leaves");
    desk.reverse("a");
    assert_eq!(desk.standing()[3], (ClaimState::Pended, 290_000), "in one step of 1,900.00");
    desk.act(late, WHOLE).unwrap();
    desk.bill("d", 10_000);
    assert_eq!(desk.standing()[3], (ClaimState::Approved, 290_000), "a person approved that much");
    let mut desk = desk_with(300_000, 850_000);
    let (first, second) = (desk.bill("a", 500_000), desk.bill("b", 450_000));
    desk.act(second, WHOLE).unwrap();
    assert_eq!(desk.standing()[1], (ClaimState::Approved, 350_000), "one person is enough");
    desk.act(first, deny()).unwrap();
    assert_eq!(desk.standing()[1], (ClaimState::Pended, 450_000), "two have to look at that");
}

#[test]
fn what_nobody_can_let_pass_stays() {
    let mut desk = Desk::new(|_| {});
    let id = desk.bill("a", 900_000);
    desk.act(id, WHOLE).unwrap();
    let mut ended = covered("2023-07-01", true);
    ended.coverages[0].span.end = Day::parse("2023-12-31");
    desk.apply(&Command::Enrol { import: Arc::new(ended) }).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Pended, 0)]);
    let denial = Denial::AfterCoverage;
    assert_eq!(refused(desk.act(id, WHOLE)), ReviewRefusal::DeniedByRules { denial });
    desk.act(id, Deed::RequestInformation).unwrap();
    desk.act(id, Deed::ProvideInformation).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Pended, 0)], "still nobody has taken it back");
    desk.act(id, Deed::Deny { denial: None }).unwrap();
    assert_eq!(desk.claim(id).evaluation.denial, Some(denial), "as the rules say");
    let mut desk = Desk::new(|_| {});
    desk.book.roster = Arc::new(covered("2023-07-01", false));
    let id = desk.bill("a", 900_000);
    let reasons = vec![ReasonCode::PayeeMissing];
    assert_eq!(refused(desk.act(id, WHOLE)), ReviewRefusal::Unapprovable { reasons });
}

#[test]
fn a_claim_without_a_figure_is_approved_with_a_stated_amount_only() {
    let mut desk = Desk::new(|_| {});
    let mut contradictory = settlement("a", 1_000_000, 600_000);
    contradictory.amounts.fund_total = Some(fen(1));
    let id = desk.submit(contradictory);
    assert_eq!(desk.claim(id).evaluation.decision, None);
    assert_eq!(refused(desk.act(id, WHOLE)), ReviewRefusal::NoFigure);
    desk.act(id, amount(100_000)).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Approved, 100_000)]);
    assert_eq!(desk.used().paid, fen(100_000), "it holds what it pays");
}

#[test]
fn reasons_that_hide_behind_another_pass_with_a_stated_amount_too() {
    let mut desk = Desk::new(|_| {});
    let mut contradictory = settlement("a", 1_000_000, 600_000);
    contradictory.amounts.fund_total = Some(fen(1));
    let (claim_id, settlement) = (ClaimId { lane: 0, number: 1 }, Arc::new(contradictory));
    desk.apply(&Command::Submit {
        claim_id,
        settlement,
        seen: Seen { person_unclear: true, ..Seen::default() },
    })
    .unwrap();
    assert_eq!(desk.claim(claim_id).evaluation.reasons.len(), 1, "one hides the other");
    desk.act(claim_id, amount(100_000)).unwrap();
    assert_eq!(desk.standing(), [(ClaimState::Approved, 100_000)]);
}

/// Two claims, one allowance: in every order of rulings the limit holds and nothing is stranded.
#[test]
fn two_claims_on_one_allowance_never_overspend_it_and_strand_nothing() {
    let limit = 1_000_000;
    let deeds = || [WHOLE, amount(200_000), deny()];
    for (one, other) in deeds().into_iter().flat_map(|one| deeds().map(|it| (one.clone(), it))) {
        for first_is_first in [true, false] {
            let mut desk = Desk::new(|plan| {
                plan.responsibilities[0].limits[0].amount = fen(limit);
            });
            let (a, b) = (desk.bill("a", 1_300_000), desk.bill("b", 900_000));
            assert_eq!(
                desk.standing(),
                [(ClaimState::Pended, 800_000), (ClaimState::Pended, 200_000)]
            );
            let order =
                if first_is_first { [(a, &one), (b, &other)] } else { [(b, &other), (a, &one)] };
            for (id, deed) in order {
                let outcome = desk.act(id, deed.clone());
                assert!(outcome.is_ok(), "{outcome:?}");
                assert!(desk.used().paid <= fen(limit), "overspent");
            }
            for round in 0..3 {
                let waiting = desk.book.claims.iter().find(|it| it.state() == ClaimState::Pended);
                let Some(id) = waiting.map(|it| it.id) else { break };
                assert!(round < 2, "a claim is stranded");
                desk.act(id, WHOLE).unwrap();
            }
            let paid = desk.standing().iter().map(|(_, fen)| fen).sum::<i64>();
            assert_eq!(desk.used().paid.fen(), paid, "what is held is what is paid");
        }
    }
}

prop_compose! {
    /// A plan at rate 1 without anything by claim, stay or cause: each responsibility has its own
    /// bucket, deductible, maximum and limit of the period.
    fn rate_one()(
        amounts in prop::collection::vec((0i64..900_000, 1i64..5_000_000, any::<bool>()), 1..4),
        order in prop::sample::select(vec![ClaimOrder::Processed, ClaimOrder::ServiceDate]),
    ) -> Plan {
        let mut plan = plan(500_000, "1", 30_000_000);
        plan.claim_order = order;
        let buckets = [Bucket::InScopeCopay, Bucket::OutOfCatalogue, Bucket::AdvanceSelfPay];
        let like = plan.responsibilities.remove(0);
        for (index, (deductible, limit, has_max)) in amounts.into_iter().enumerate() {
            let mut responsibility = like.clone();
            responsibility.id = format!("r{index}");
            let per = Per::Period;
            responsibility.limits = vec![Limit { amount: fen(limit), per, when: Condition::default() }];
            let Benefit::Indemnity(benefit) = &mut responsibility.benefit else { unreachable!() };
            benefit.base = vec![buckets[index]];
            benefit.deductible.as_mut().unwrap().amount = fen(deductible + 1);
            benefit.out_of_pocket_max = has_max.then(|| fen(deductible / 2 + 1));
            assert!(matches!(benefit.share, Share::Rate(_)));
            plan.responsibilities.push(responsibility);
        }
        plan
    }
}

fn total_of(plan: &Plan, bills: &[Settlement]) -> i64 {
    let mut desk = Desk::new(|it| *it = plan.clone());
    for bill in bills {
        desk.submit(bill.clone());
    }
    desk.book.claims.iter().map(|claim| claim.payout().fen()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No order of any set of settlements changes the period's total.
    #[test]
    fn at_rate_one_the_order_of_settlements_does_not_change_the_total(
        plan in rate_one(),
        (bills, shuffled) in prop::collection::vec(
            (1i64..3_000_000, 0i64..=100, 0i64..=100, 1i8..=12, 1i8..=28), 1..8,
        ).prop_map(|rows| {
            let bill = |(index, (burden, out, advance, month, day)): (usize, (i64, i64, i64, i8, i8))| {
                let mut bill = settlement(&format!("s{index}"), burden, burden);
                let text = format!("2024-{month:02}-{day:02}");
                bill.discharge_date = Day::parse(&text);
                bill.settle_time = Moment::parse_local(&text);
                bill.amounts.out_of_catalogue = Some(fen(burden * out / 200));
                bill.amounts.advance_self_pay = Some(fen(burden * advance / 200));
                bill
            };
            rows.into_iter().enumerate().map(bill).collect::<Vec<_>>()
        }).prop_flat_map(|bills| (Just(bills.clone()), Just(bills).prop_shuffle())),
    ) {
        prop_assert_eq!(total_of(&plan, &bills), total_of(&plan, &shuffled));
    }
}
