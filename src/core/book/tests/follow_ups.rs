//! Reversals, supplements and replacements, in whatever order they come.

use proptest::prelude::*;

use super::*;
use crate::core::money::Fen;
use crate::core::payout::{Payout, PayoutKind, PayoutState};
use crate::core::settlement::{FollowUp, Reversal, Supplement};

/// A settlement of a stay, covered out of pocket whole.
fn of_visit(id: &str, visit: &str, burden: i64) -> Settlement {
    Settlement { visit_id: Some(visit.into()), ..settlement(id, burden + 1_000, burden) }
}

fn reversal(original: Option<&str>, own: Option<&str>, visit: &str, total: i64) -> Reversal {
    Reversal {
        source: "370200".into(),
        original_id: original.map(str::to_owned),
        reversal_id: own.map(str::to_owned),
        visit_id: Some(visit.into()),
        total: Fen::new(total),
        reverse_time: None,
    }
}

impl Play {
    fn covered() -> Play {
        let mut play = Play::new();
        play.enrol(covered("2023-07-01", true));
        play
    }

    fn reverse(&mut self, reversal: Reversal) -> Result<usize, Refusal> {
        let what = FollowUp::Reversal(Arc::new(reversal));
        self.apply(&Command::FollowUp(what, Seen::default())).map(|effects| effects.len())
    }

    fn supplement(&mut self, facts: Settlement) -> Result<usize, Refusal> {
        let what = FollowUp::Supplement(Arc::new(Supplement { facts }));
        self.apply(&Command::FollowUp(what, Seen::default())).map(|effects| effects.len())
    }

    /// Every payout that is instructed is handed to the bank.
    fn send_payouts(&mut self) {
        for claim in &mut self.book.claims {
            for payout in &mut Arc::make_mut(claim).payouts {
                if payout.state == PayoutState::Instructed {
                    payout.state = PayoutState::Sent;
                }
            }
        }
    }

    /// What was paid for a claim less what was or will be recovered.
    fn net(claim: &Claim) -> i64 {
        let counts = |it: &&Payout| !matches!(it.state, PayoutState::Cancelled);
        let signed = |it: &Payout| match it.kind {
            PayoutKind::Payment => it.amount.fen(),
            PayoutKind::Recovery => -it.amount.fen(),
        };
        claim.payouts.iter().filter(counts).map(signed).sum()
    }
}

#[test]
fn a_reversal_frees_what_was_held_and_the_later_claims_are_decided_again() {
    for sent in [false, true] {
        let mut play = Play::covered();
        play.submit(of_visit("a", "v1", 600_000)).unwrap();
        play.submit(of_visit("b", "v2", 300_000)).unwrap();
        assert_eq!(play.paid(), 400_000);
        if sent {
            play.send_payouts();
        }
        assert_eq!(play.reverse(reversal(Some("a"), None, "v1", 601_000)), Ok(2));
        assert_eq!(play.standing(), [(ClaimState::Voided, 0), (ClaimState::Approved, 0)]);
        assert_eq!(play.paid(), 0, "the deductible is free again, and b uses it up");
        assert_eq!(play.book.claims.iter().map(|it| Play::net(it)).sum::<i64>(), 0);
        let kinds: Vec<_> =
            play.book.claims[0].payouts.iter().map(|it| (it.kind, it.state)).collect();
        let expected = if sent {
            vec![
                (PayoutKind::Payment, PayoutState::Sent),
                (PayoutKind::Recovery, PayoutState::Instructed),
            ]
        } else {
            vec![(PayoutKind::Payment, PayoutState::Cancelled)]
        };
        assert_eq!(kinds, expected);
    }
}

#[test]
fn a_reversal_finds_its_settlement_by_every_name_it_may_give() {
    let finds = |reversal: Reversal| {
        let mut play = Play::covered();
        play.submit(of_visit("a", "v1", 600_000)).unwrap();
        play.submit(of_visit("b", "v1", 300_000)).unwrap();
        play.submit(of_visit("c", "v2", 600_000)).unwrap();
        let outcome = play.reverse(reversal.clone());
        let again = play.reverse(reversal);
        if outcome.is_ok() {
            assert_eq!(again, Ok(0), "reversing twice changes nothing");
        }
        let voided = play.book.claims.iter().filter(|it| it.state() == ClaimState::Voided);
        let voided: Vec<String> = voided.map(|it| it.settlement.settlement_id.clone()).collect();
        outcome.map(|_| voided.join(","))
    };
    assert_eq!(finds(reversal(Some("a"), Some("x"), "v1", 601_000)).as_deref(), Ok("a"));
    assert_eq!(finds(reversal(None, Some("b"), "v1", 301_000)).as_deref(), Ok("b"), "an echo");
    assert_eq!(finds(reversal(None, Some("x"), "v1", 601_000)).as_deref(), Ok("a"), "by the stay");
    assert_eq!(finds(reversal(None, None, "v1", 601_000)).as_deref(), Ok("a"));
    let nothing = Err(Refusal::NothingFits);
    assert_eq!(finds(reversal(Some("z"), None, "v1", 601_000)), nothing, "another is named");
    assert_eq!(finds(reversal(None, Some("x"), "v1", 601_001)), nothing, "another total");
    assert_eq!(finds(reversal(None, Some("x"), "v9", 601_000)), nothing, "another stay");
    let foreign = Reversal { source: "110000".into(), ..reversal(Some("a"), None, "v1", 601_000) };
    assert_eq!(finds(foreign), nothing, "another platform");
    let id = |number| ClaimId { lane: 0, number };
    let differs = |claim_id, field| Err(Refusal::ReversalDiffers { claim_id, field });
    assert_eq!(finds(reversal(Some("a"), None, "v1", 500_000)), differs(id(1), "total_fen"));
    assert_eq!(finds(reversal(Some("c"), None, "v1", 601_000)), differs(id(3), "visit_id"));
}

#[test]
fn two_settlements_of_a_stay_with_one_total_are_not_guessed_between() {
    let mut play = Play::covered();
    play.submit(of_visit("a", "v1", 600_000)).unwrap();
    play.submit(of_visit("b", "v1", 600_000)).unwrap();
    let by_stay = reversal(None, Some("x"), "v1", 601_000);
    assert_eq!(play.reverse(by_stay.clone()), Err(Refusal::NothingFits));
    play.reverse(reversal(Some("a"), Some("y"), "v1", 601_000)).unwrap();
    assert!(play.reverse(by_stay).is_ok(), "one of them is left");
    assert_eq!(play.standing(), [(ClaimState::Voided, 0), (ClaimState::Voided, 0)]);
}

/// A reversal that was applied must not take the corrected settlement back when it comes again.
#[test]
fn a_repeated_reversal_leaves_the_replacement_alone() {
    let mut play = Play::covered();
    play.submit(of_visit("a", "v1", 600_000)).unwrap();
    let taken_back = reversal(None, Some("x"), "v1", 601_000);
    play.reverse(taken_back.clone()).unwrap();
    play.submit(of_visit("b", "v1", 600_000)).unwrap();
    assert_eq!(play.reverse(taken_back), Ok(0));
    assert_eq!(play.standing(), [(ClaimState::Voided, 0), (ClaimState::Approved, 100_000)]);
    assert_eq!(play.reverse(reversal(None, Some("y"), "v1", 601_000)), Ok(1));
    assert_eq!(play.paid(), 0);
}

#[test]
fn a_replacement_takes_the_place_of_what_it_replaces() {
    let mut play = Play::covered();
    play.submit(of_visit("a", "v1", 600_000)).unwrap();
    play.submit(of_visit("c", "v2", 300_000)).unwrap();
    play.reverse(reversal(Some("a"), None, "v1", 601_000)).unwrap();
    assert_eq!(play.standing(), [(ClaimState::Voided, 0), (ClaimState::Approved, 0)]);
    let effects = play.submit(of_visit("b", "v1", 700_000)).unwrap();
    assert_eq!(effects.len(), 2, "the replacement, and what came after its place");
    let order = |play: &Play| {
        let ids = play.book.claims.iter().map(|it| it.settlement.settlement_id.clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(order(&play), ["a", "b", "c"]);
    let standing =
        [(ClaimState::Voided, 0), (ClaimState::Approved, 200_000), (ClaimState::Approved, 300_000)];
    assert_eq!(play.standing(), standing);
    // The replacement before the reversal comes to the same.
    let mut early = Play::covered();
    early.submit(of_visit("a", "v1", 600_000)).unwrap();
    early.submit(of_visit("c", "v2", 300_000)).unwrap();
    early.submit(of_visit("b", "v1", 700_000)).unwrap();
    early.reverse(reversal(Some("a"), None, "v1", 601_000)).unwrap();
    assert_eq!((order(&early), early.standing()), (order(&play), play.standing()));
}

#[test]
fn interim_settlements_of_one_stay_stand_beside_each_other() {
    let interim =
        |id: &str, burden| Settlement { interim: Some(true), ..of_visit(id, "v1", burden) };
    let mut play = Play::covered();
    play.submit(interim("a", 600_000)).unwrap();
    play.submit(of_visit("c", "v2", 100_000)).unwrap();
    play.submit(interim("b", 300_000)).unwrap();
    assert_eq!(play.paid(), 500_000, "all of them are claims");
    play.reverse(reversal(Some("a"), None, "v1", 601_000)).unwrap();
    let ids = |play: &Play| {
        let ids = play.book.claims.iter().map(|it| it.settlement.settlement_id.clone());
        ids.collect::<String>()
    };
    assert_eq!(ids(&play), "acb", "b was there beside a and replaces nothing");
    play.submit(interim("d", 650_000)).unwrap();
    assert_eq!(ids(&play), "adcb", "d came after the reversal");
    play.submit(interim("e", 100_000)).unwrap();
    assert_eq!(ids(&play), "adcbe", "one settlement replaces one");
}

#[test]
fn a_shallow_book_asks_for_the_history_only_after_a_reversal() {
    let mut play = Play::covered();
    play.submit(of_visit("a", "v1", 600_000)).unwrap();
    play.book.is_full = false;
    assert!(play.submit(of_visit("b", "v2", 300_000)).is_ok());
    let taken_back = reversal(Some("a"), None, "v1", 601_000);
    assert_eq!(play.reverse(taken_back.clone()), Err(Refusal::NeedsHistory));
    play.book.is_full = true;
    play.reverse(taken_back).unwrap();
    play.book.is_full = false;
    let refusal = play.submit(of_visit("c", "v1", 300_000)).unwrap_err();
    assert_eq!(refusal, Refusal::NeedsHistory, "it may replace something");
}

#[test]
fn facts_that_come_apart_are_facts() {
    let mut play = Play::covered();
    play.submit(of_visit("a", "v1", 600_000)).unwrap();
    play.submit(of_visit("c", "v2", 300_000)).unwrap();
    let facts = |id: &str, visit: Option<&str>| {
        let mut facts = settlement(id, 0, 0);
        facts.amounts = crate::core::settlement::Amounts::default();
        facts.person = crate::core::settlement::Person::default();
        facts.visit_id = visit.map(str::to_owned);
        facts.settle_time = None;
        facts.invoice_no = Some("1".into());
        facts
    };
    assert_eq!(play.supplement(facts("a", None)), Ok(1));
    assert_eq!(play.supplement(facts("a", Some("v1"))), Ok(0), "all of it is known");
    assert_eq!(play.supplement(facts("", Some("v2"))), Ok(1), "by the stay alone");
    assert_eq!(play.supplement(facts("", Some("v9"))), Err(Refusal::NothingFits));
    assert_eq!(play.supplement(facts("z", Some("v1"))), Err(Refusal::NothingFits));
    let other = Settlement { invoice_no: Some("2".into()), ..facts("", Some("v2")) };
    let claim_id = ClaimId { lane: 0, number: 2 };
    let conflict = Refusal::Conflict { claim_id, fields: vec!["invoice_no"] };
    assert_eq!(play.supplement(other), Err(conflict));
    play.reverse(reversal(Some("a"), None, "v1", 601_000)).unwrap();
    let more = Settlement { hospital_level: Some("02".into()), ..facts("a", None) };
    assert_eq!(play.supplement(more), Ok(0), "what was taken back learns nothing");
    play.submit(of_visit("d", "v2", 100)).unwrap();
    let more = Settlement { hospital_level: Some("02".into()), ..facts("", Some("v2")) };
    assert_eq!(play.supplement(more), Err(Refusal::NothingFits), "which of the two?");
}

/// The corrected bill of the stay may come to the same: what was settled later is not meant.
#[test]
fn nothing_is_taken_back_before_it_is_settled() {
    let at = |time: &str| Moment::parse_local(time);
    let settled =
        |id: &str, time: &str| Settlement { settle_time: at(time), ..of_visit(id, "v1", 600_000) };
    let taken_back =
        Reversal { reverse_time: at("2024-03-16 09:00:00"), ..reversal(None, None, "v1", 601_000) };
    let mut play = Play::covered();
    play.submit(settled("b", "2024-03-17 09:00:00")).unwrap();
    assert_eq!(play.reverse(taken_back.clone()), Err(Refusal::NothingFits), "a never came");
    play.submit(settled("a", "2024-03-15 09:00:00")).unwrap();
    assert_eq!(play.reverse(taken_back.clone()), Ok(1), "of two the one that was settled before");
    let voided = play.book.claims.iter().filter(|it| it.state() == ClaimState::Voided);
    let voided: Vec<_> = voided.map(|it| it.settlement.settlement_id.as_str()).collect();
    assert_eq!(voided, ["a"]);
    assert_eq!(play.reverse(taken_back), Ok(0), "again, without an id of its own");
}

#[test]
fn lines_of_a_stay_belong_to_the_interim_settlement_they_lie_in() {
    let day = |text: &str| Day::parse(text);
    let interim = |id: &str, first: &str, last: &str| Settlement {
        interim: Some(true),
        admission_date: day(first),
        discharge_date: day(last),
        ..of_visit(id, "v1", 600_000)
    };
    let lines = |days: &[&str]| {
        let line = |(no, text): (usize, &&str)| crate::core::settlement::Line {
            service_date: day(text),
            ..crate::core::adjudicate::tests::line(&no.to_string(), "药", 100, 0)
        };
        Settlement {
            source: "370200".into(),
            visit_id: Some("v1".into()),
            lines: days.iter().enumerate().map(line).collect(),
            ..Settlement::silent()
        }
    };
    let mut play = Play::covered();
    play.submit(interim("a", "2024-03-01", "2024-03-10")).unwrap();
    assert_eq!(play.supplement(lines(&["2024-03-12"])), Err(Refusal::NothingFits));
    assert_eq!(play.supplement(lines(&["2024-03-09", "2024-03-12"])), Err(Refusal::NothingFits));
    play.submit(interim("b", "2024-03-11", "2024-03-20")).unwrap();
    assert!(play.supplement(lines(&["2024-03-12"])).is_ok());
    assert_eq!(play.book.claims[1].settlement.lines.len(), 1);
}

/// One message about one of three stays.
#[derive(Debug, Clone)]
enum Told {
    Settled(&'static str, usize, i64),
    Reversed(Reversal),
    Invoiced(&'static str),
    Sent,
}

/// A stay that is settled, taken back in one of the ways there are, and settled anew.
fn stay(number: usize, burden: i64, corrected: i64, way: u8) -> Vec<Told> {
    let (visit, [first, own, second]) =
        [("v0", ["a0", "r0", "b0"]), ("v1", ["a1", "r1", "b1"]), ("v2", ["a2", "r2", "b2"])]
            [number];
    let total = burden + 1_000;
    let taken_back = match way % 4 {
        0 => reversal(Some(first), Some(own), visit, total),
        1 => reversal(None, Some(first), visit, total),
        2 => reversal(None, Some(own), visit, total),
        _ => return vec![Told::Settled(first, number, burden), Told::Invoiced(first)],
    };
    vec![
        Told::Settled(first, number, burden),
        Told::Reversed(taken_back),
        Told::Settled(second, number, corrected),
        Told::Invoiced(second),
        Told::Sent,
    ]
}

/// Carries messages out; those that fit nothing yet wait, as in the ledger.
fn carry_out(play: &mut Play, told: &[Told]) {
    let mut waiting: Vec<Told> = Vec::new();
    for message in told {
        waiting.push(message.clone());
        loop {
            let before = waiting.len();
            waiting.retain(|message| match message {
                Told::Settled(id, number, burden) => {
                    let visit = ["v0", "v1", "v2"][*number];
                    play.submit(of_visit(id, visit, *burden)).unwrap();
                    false
                }
                Told::Reversed(reversal) => {
                    play.reverse(reversal.clone()) == Err(Refusal::NothingFits)
                }
                Told::Invoiced(id) => {
                    let mut facts = of_visit(id, "", 0);
                    facts.visit_id = None;
                    facts.amounts = crate::core::settlement::Amounts::default();
                    facts.invoice_no = Some("1".into());
                    play.supplement(facts) == Err(Refusal::NothingFits)
                }
                Told::Sent => {
                    play.send_payouts();
                    false
                }
            });
            if waiting.len() == before {
                break;
            }
        }
    }
    assert!(waiting.is_empty(), "nothing waits for ever: {waiting:?}");
}

prop_compose! {
    fn any_history()(
        burdens in prop::array::uniform3((1_000i64..2_000_000, 1_000i64..2_000_000, any::<u8>())),
    )(
        told in Just((0..3).flat_map(|number| {
            let (burden, corrected, way) = burdens[number];
            // A correction that keeps the total cannot be told from the original by its total.
            stay(number, burden, corrected + 2_000_000, way)
        }).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) -> Vec<Told> {
        let repeated: Vec<Told> = again.iter().map(|index| index.get(&told).clone()).collect();
        told.into_iter().chain(repeated).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever the order, with repetitions, and with payouts sent in between: counters and money
    /// are those of a book that only ever saw what stands.
    #[test]
    fn any_order_of_messages_ends_where_a_clean_history_does(told in any_history()) {
        let mut play = Play::covered();
        carry_out(&mut play, &told);
        let mut clean = Play::covered();
        let stands = |claim: &&Arc<Claim>| claim.state() != ClaimState::Voided;
        for claim in play.book.claims.iter().filter(stands) {
            clean.submit((*claim.settlement).clone()).unwrap();
        }
        let used = |play: &Play| {
            let mut used = play.book.counters.clone();
            used.retain(|_, counters| *counters != crate::core::decision::Counters::default());
            used
        };
        prop_assert_eq!(used(&play), used(&clean));
        let left: Vec<_> = play.book.claims.iter().filter(stands).collect();
        for (claim, expected) in left.iter().zip(&clean.book.claims) {
            prop_assert_eq!(claim.payout(), expected.payout());
        }
        for claim in &play.book.claims {
            prop_assert_eq!(Play::net(claim), claim.payout().fen(), "{:?}", claim.payouts);
        }
    }
}
