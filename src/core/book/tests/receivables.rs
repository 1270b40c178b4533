//! What is still owed: set off against what is due next, or waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::reviews::Desk;
use super::*;
use crate::core::payout::{PayoutKind, PayoutState};
use crate::core::plan::RecoveryMode;
use crate::core::review::Deed;

/// A desk whose plan sets off, with one claim of 4,000.00 that was sent and then reversed.
fn desk_with_debt() -> (Desk, ClaimId) {
    let mut desk = Desk::new(|plan| {
        plan.recovery = RecoveryMode::Offset;
        plan.green_ceiling = fen(10_000_000);
    });
    let a = desk.bill("a", 900_000);
    desk.send_payouts();
    desk.reverse("a");
    (desk, a)
}

#[test]
fn what_is_owed_is_set_off_against_the_next_payout() {
    let (mut desk, a) = desk_with_debt();
    let sent = (PayoutKind::Payment, 400_000, PayoutState::Sent);
    let owed = (PayoutKind::Recovery, 400_000, PayoutState::Instructed);
    assert_eq!(desk.payouts(a), [sent, owed]);
    assert_eq!(desk.book.receivable, fen(400_000));
    let b = desk.bill("b", 600_000);
    assert_eq!(desk.payouts(b), [(PayoutKind::Payment, 100_000, PayoutState::Offset)]);
    let cancelled = (PayoutKind::Recovery, 400_000, PayoutState::Cancelled);
    let part = (PayoutKind::Recovery, 100_000, PayoutState::Offset);
    let rest = (PayoutKind::Recovery, 300_000, PayoutState::Instructed);
    assert_eq!(desk.payouts(a), [sent, cancelled, part, rest]);
    // The book without history asks for it while anything is owed.
    desk.book.is_full = false;
    let command = |number| Command::Submit {
        claim_id: ClaimId { lane: 0, number },
        settlement: Arc::new(settlement("c", 700_000, 700_000)),
        seen: Seen::default(),
    };
    assert!(matches!(desk.apply(&command(3)), Err(Refusal::NeedsHistory)));
    desk.book.is_full = true;
    desk.apply(&command(3)).unwrap();
    let c = ClaimId { lane: 0, number: 3 };
    let set_off = (PayoutKind::Payment, 300_000, PayoutState::Offset);
    assert_eq!(desk.payouts(c), [(PayoutKind::Payment, 400_000, PayoutState::Instructed), set_off]);
    assert_eq!(desk.book.receivable, fen(0));
    let with = desk.claim(c).payouts[1].offset_with.unwrap();
    assert_eq!((with.claim, with.number), (a, 4));
}

#[test]
fn a_plan_that_collects_sets_nothing_off() {
    let mut desk = Desk::new(|plan| plan.green_ceiling = fen(10_000_000));
    let a = desk.bill("a", 900_000);
    desk.send_payouts();
    desk.reverse("a");
    let b = desk.bill("b", 600_000);
    assert_eq!(desk.payouts(b), [(PayoutKind::Payment, 100_000, PayoutState::Instructed)]);
    assert_eq!(desk.payouts(a)[1], (PayoutKind::Recovery, 400_000, PayoutState::Instructed));
}

#[test]
fn what_is_owed_goes_along_when_two_members_are_one() {
    let (mut leaving, a) = desk_with_debt();
    let new = ClaimId { lane: 0, number: 7 };
    let numbers: BTreeMap<_, _> = leaving.book.leaving().map(|id| (id, new)).collect();
    let departure = Arc::new(leaving.book.departure(&numbers, BTreeSet::new()));
    let leave =
        Command::Leave { into: "n".into(), numbers: Arc::new(numbers), cleared: BTreeSet::new() };
    leaving.apply(&leave).unwrap();
    assert_eq!(leaving.book.receivable, fen(0));
    let is_open = |it: &(PayoutKind, i64, PayoutState)| it.2 == PayoutState::Instructed;
    assert!(!leaving.payouts(a).iter().any(is_open), "nothing is waited for here");
    let mut desk = Desk::new(|_| {});
    desk.plans = leaving.plans.clone();
    let b = desk.bill("b", 600_000);
    assert_eq!(desk.payouts(b), [(PayoutKind::Payment, 100_000, PayoutState::Instructed)]);
    desk.apply(&Command::Join { departure }).unwrap();
    assert_eq!(desk.payouts(b).last(), Some(&(PayoutKind::Payment, 100_000, PayoutState::Offset)));
    assert_eq!(desk.book.receivable, fen(300_000));
}

#[test]
fn words_about_a_reversed_claim_do_not_change_when_it_was_reversed() {
    let (mut desk, a) = desk_with_debt();
    let reversed = desk.claim(a).update_time;
    desk.act(a, Deed::Comment).unwrap();
    desk.bill("b", 600_000);
    assert_eq!(desk.claim(a).update_time, reversed, "nor does a set-off");
}
