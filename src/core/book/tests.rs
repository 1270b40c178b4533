#[cfg(test)]
mod follow_ups;
#[cfg(test)]
mod model;
#[cfg(test)]
mod receivables;
#[cfg(test)]
mod reviews;

use std::sync::Arc;

use super::*;
use crate::core::adjudicate::tests::plan;
use crate::core::day::{Day, Span};
use crate::core::decision::Denial;
use crate::core::member::{Coverage, Payee};
use crate::core::personal::Personal;
use crate::core::route::ReasonCode;
use crate::core::settlement::tests::{fen, settlement};

fn plans() -> Plans {
    let mut plans = Plans::default();
    plans.publish(Arc::new(plan(500_000, "1", 30_000_000)));
    plans
}

fn covered(from: &str, has_payee: bool) -> Roster {
    let span = Span { start: Day::parse(from).unwrap(), end: None };
    let payee = Payee {
        kind: "MEMBER".into(),
        account_name: Personal::new("甲"),
        account_no: Personal::new("62"),
        bank_code: String::new(),
    };
    Roster {
        coverages: vec![Coverage { plan_id: "plan".into(), span }],
        payee: has_payee.then_some(payee),
        ..Roster::default()
    }
}

struct Play {
    book: Book,
    clock: i64,
}

impl Play {
    fn new() -> Play {
        Play { book: Book::new("m".into()), clock: 0 }
    }

    fn apply(&mut self, command: &Command) -> Result<Vec<Effect>, Refusal> {
        self.clock += 1;
        let mut book = self.book.clone();
        let effects = book.apply(command, Moment::from_micros(self.clock), &plans())?;
        self.book = book;
        Ok(effects)
    }

    fn enrol(&mut self, import: Roster) -> Vec<Effect> {
        self.apply(&Command::Enrol { import: Arc::new(import) }).unwrap()
    }

    fn submit(&mut self, settlement: Settlement) -> Result<Vec<Effect>, Refusal> {
        let number = i64::try_from(self.book.claims.len()).unwrap() + 1;
        self.apply(&Command::Submit {
            claim_id: ClaimId { lane: 0, number },
            settlement: Arc::new(settlement),
            seen: Seen::default(),
        })
    }

    fn standing(&self) -> Vec<(ClaimState, i64)> {
        self.book.claims.iter().map(|claim| (claim.state(), claim.payout().fen())).collect()
    }

    fn paid(&self) -> i64 {
        self.book.counters.values().map(|counters| counters.paid.fen()).sum()
    }
}

#[test]
fn a_person_without_coverage_is_denied_and_decided_anew_on_enrolment() {
    let mut play = Play::new();
    play.submit(settlement("a", 1_000_000, 600_000)).unwrap();
    play.submit(settlement("b", 1_000_000, 300_000)).unwrap();
    assert_eq!(play.standing(), [(ClaimState::Denied, 0), (ClaimState::Denied, 0)]);
    assert_eq!(play.book.claims[0].evaluation.denial, Some(Denial::NotEligible));
    play.enrol(covered("2023-07-01", true));
    assert_eq!(play.standing(), [(ClaimState::Approved, 100_000), (ClaimState::Approved, 300_000)]);
    assert_eq!(play.paid(), 400_000);
    assert_eq!(play.book.claims[0].payouts[0].amount, fen(100_000));
}

#[test]
fn the_same_settlement_again_changes_nothing_and_another_content_is_refused() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    play.submit(settlement("a", 1_000_000, 600_000)).unwrap();
    let before = play.book.clone();
    assert!(play.submit(settlement("a", 1_000_000, 600_000)).unwrap().is_empty());
    assert_eq!(play.book.claims, before.claims);
    let refusal = play.submit(settlement("a", 1_000_000, 700_000)).unwrap_err();
    let fields = vec!["fund_total_fen", "personal_total_fen"];
    let claim_id = ClaimId { lane: 0, number: 1 };
    assert_eq!(refusal, Refusal::Conflict { claim_id, fields });
}

#[test]
fn a_supplement_decides_its_claim_and_the_later_ones_again() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    let mut unknown = settlement("a", 1_000_000, 400_000);
    unknown.settle_time = None;
    play.submit(unknown).unwrap();
    play.submit(settlement("b", 1_000_000, 600_000)).unwrap();
    assert_eq!(play.standing(), [(ClaimState::Incomplete, 0), (ClaimState::Approved, 100_000)]);
    let effects = play.submit(settlement("a", 1_000_000, 400_000)).unwrap();
    assert_eq!(effects.len(), 2);
    assert_eq!(play.standing(), [(ClaimState::Approved, 0), (ClaimState::Approved, 500_000)]);
    assert_eq!(play.paid(), 500_000);
    let payouts = &play.book.claims[1].payouts;
    assert_eq!(payouts[0].state, crate::core::payout::PayoutState::Cancelled);
    assert_eq!(payouts[1].amount, fen(500_000));
}

#[test]
fn a_shallow_book_asks_for_the_history_before_it_decides_again() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    play.book.is_full = false;
    assert_eq!(play.submit(settlement("a", 1_000, 600)).map(|effects| effects.len()), Ok(1));
    let mut more = settlement("a", 1_000, 600);
    more.invoice_no = Some("1".into());
    assert_eq!(play.submit(more).unwrap_err(), Refusal::NeedsHistory);
    let again = Command::Enrol { import: Arc::new(covered("2023-01-01", true)) };
    assert!(matches!(play.apply(&again), Err(Refusal::Overlap(_))));
    let again = Command::Enrol {
        import: Arc::new(Roster { name: Some(Personal::new("甲")), ..Roster::default() }),
    };
    assert_eq!(play.apply(&again).unwrap_err(), Refusal::NeedsHistory);
}

#[test]
fn a_claim_under_review_holds_its_counters_and_is_released_by_a_payee() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", false));
    play.submit(settlement("a", 1_000_000, 600_000)).unwrap();
    play.submit(settlement("b", 1_000_000, 300_000)).unwrap();
    assert_eq!(play.standing(), [(ClaimState::Pended, 100_000), (ClaimState::Pended, 300_000)]);
    assert!(play.book.claims.iter().all(|claim| claim.payouts.is_empty()));
    assert_eq!(play.paid(), 400_000, "two claims never spend one allowance");
    play.enrol(covered("2023-07-01", true));
    assert_eq!(play.standing(), [(ClaimState::Approved, 100_000), (ClaimState::Approved, 300_000)]);
    assert_eq!(play.paid(), 400_000);
}

#[test]
fn an_approved_claim_that_loses_its_coverage_waits_for_a_person() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    play.submit(settlement("a", 1_000_000, 600_000)).unwrap();
    let mut ended = covered("2023-07-01", true);
    ended.coverages[0].span.end = Day::parse("2023-12-31");
    play.enrol(ended);
    assert_eq!(play.standing(), [(ClaimState::Pended, 0)]);
    let named = Roster { name: Some(Personal::new("甲")), ..Roster::default() };
    play.enrol(named);
    assert_eq!(play.standing(), [(ClaimState::Pended, 0)], "however often it is decided again");
    let claim = &play.book.claims[0];
    assert_eq!(claim.evaluation.reasons[0].code, ReasonCode::DecisionWithdrawn);
    assert_eq!(claim.payouts[0].state, crate::core::payout::PayoutState::Cancelled);
    assert_eq!(play.paid(), 0);
}

#[test]
fn contradictions_and_unclear_persons_have_no_figure_and_hold_nothing() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    let mut contradictory = settlement("a", 1_000_000, 600_000);
    contradictory.amounts.fund_total = Some(fen(1));
    play.submit(contradictory).unwrap();
    play.apply(&Command::Submit {
        claim_id: ClaimId { lane: 0, number: 2 },
        settlement: Arc::new(settlement("b", 1_000_000, 600_000)),
        seen: Seen { person_unclear: true, ..Seen::default() },
    })
    .unwrap();
    assert_eq!(play.standing(), [(ClaimState::Pended, 0), (ClaimState::Pended, 0)]);
    assert!(play.book.claims.iter().all(|claim| claim.evaluation.decision.is_none()));
    assert_eq!(play.paid(), 0);
}

#[test]
fn deciding_again_from_any_claim_on_changes_nothing_that_stands() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    for (id, burden) in [("a", 300_000), ("b", 900_000), ("c", 20_000_000), ("d", 50_000)] {
        play.submit(settlement(id, 100_000_000, burden)).unwrap();
    }
    let counters = play.book.counters.clone();
    for first in 0..=4 {
        let effects =
            play.book.decide_again(first, None, Because::Roster, Moment::from_micros(99), &plans());
        assert!(effects.unwrap().is_empty(), "from claim {first} on");
        assert_eq!(play.book.counters, counters);
    }
}

#[test]
fn another_certificate_than_the_rosters_is_reviewed_and_holds_nothing() {
    let mut play = Play::new();
    let certificate = |no: &str| Some(Personal::new(no));
    play.enrol(Roster {
        cert_no: certificate("37029919490312001X"),
        ..covered("2023-07-01", true)
    });
    let named = |id: &str, no: &str| {
        let mut settlement = settlement(id, 1_000_000, 600_000);
        settlement.person.cert_no = certificate(no);
        settlement
    };
    play.submit(named("a", "37029919490312001x")).unwrap();
    play.submit(named("b", "370299195001010016")).unwrap();
    assert_eq!(play.standing(), [(ClaimState::Approved, 100_000), (ClaimState::Pended, 0)]);
    let reasons = &play.book.claims[1].evaluation.reasons;
    assert_eq!(reasons[0].code, ReasonCode::PersonUnclear);
}

#[test]
fn one_member_never_has_two_keys_of_the_bureau() {
    let mut play = Play::new();
    let keyed = |id: &str| Roster { external_id: Some(id.into()), ..covered("2023-07-01", true) };
    play.enrol(keyed("RJ-1"));
    let other = Command::Enrol { import: Arc::new(keyed("RJ-2")) };
    assert_eq!(play.apply(&other).unwrap_err(), Refusal::AnotherPerson);
}

#[test]
fn routes_to_the_burden_that_disagree_are_reviewed_with_the_figure_of_each() {
    let mut play = Play::new();
    play.enrol(covered("2023-07-01", true));
    let mut twice_stated = settlement("a", 1_000_000, 600_000);
    twice_stated.amounts.personal_again = Some(fen(599_998));
    play.submit(twice_stated.clone()).unwrap();
    let reason = play.book.claims[0].evaluation.reasons[0].clone();
    assert_eq!(reason.code, ReasonCode::AmountsContradict);
    let figures: Vec<_> =
        reason.evidence.iter().map(|(route, fen)| (route.as_str(), fen.as_str())).collect();
    let expected = [
        ("personal_total_fen", "600000"),
        ("personal_again_fen", "599998"),
        ("total_less_funds_fen", "600000"),
    ];
    assert_eq!(figures, expected);
    let mut tolerant = Settlement { settlement_id: "b".into(), ..twice_stated };
    tolerant.sender.tolerance = Some(fen(2));
    play.submit(tolerant).unwrap();
    assert_eq!(play.standing()[1], (ClaimState::Approved, 100_000), "as the profile allows");
}

#[test]
fn another_payout_of_the_sender_is_reviewed_with_both_chains() {
    use crate::core::settlement::SenderPayout;
    let submit = |theirs: i64| {
        let mut play = Play::new();
        play.enrol(covered("2023-07-01", true));
        let mut pushed = settlement("a", 1_000_000, 600_000);
        let total = fen(theirs);
        let in_catalogue_deductible = Some(fen(500_000));
        pushed.sender.payout =
            Some(SenderPayout { total, in_catalogue_deductible, ..SenderPayout::default() });
        play.submit(pushed).unwrap();
        play.book.claims[0].clone()
    };
    assert_eq!(submit(100_000).state(), ClaimState::Approved);
    assert_eq!(submit(100_001).state(), ClaimState::Approved, "within a fen");
    let differs = submit(90_000);
    assert_eq!(differs.state(), ClaimState::Pended);
    assert_eq!(differs.payout(), fen(100_000), "ours is the figure that is held");
    let reason = &differs.evaluation.reasons[0];
    assert_eq!(reason.code, ReasonCode::SenderPayoutDiffers);
    let evidence: Vec<_> =
        reason.evidence.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected = [
        ("payout_fen", "100000"),
        ("deductible_fen", "500000"),
        ("sender_payout_fen", "90000"),
        ("sender_in_catalogue_deductible_fen", "500000"),
    ];
    assert_eq!(evidence, expected);
}
