//! Many callers on one member: one allowance, whoever comes first, and no word of it twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use greenlane::core::claim::{Claim, ClaimState};
use greenlane::core::day::Day;
use greenlane::core::decision::CounterBook;
use greenlane::core::money::Fen;
use greenlane::core::payout::{Payout, PayoutState};
use greenlane::core::settlement::Settlement;
use greenlane::ledger::{Ledger, LedgerError, Mode, Queue, Submitted};
use tokio::task::JoinSet;

use crate::audit::{Audit, audit};
use crate::support::{Database, Dice};
use crate::world::{covered, enrol, on_every_setting, open_ledger, stay};

const CALLERS: usize = 64;
const SETTLEMENTS: u64 = 2_000;
/// On average 300.00: the deductible is used up by the first few, the limit by half of them.
const BURDEN_FEN_MAX: u64 = 60_000;

type Change = fn(&mut Settlement);

/// What a caller may change in a settlement, and what the refusal must name then.
const CHANGES: [(Change, &[&str]); 5] = [
    (|it| it.visit_id = Some("another".into()), &["visit_id"]),
    (|it| it.hospital_code = Some("H37020099999".into()), &["hospital_code"]),
    (|it| it.discharge_date = Day::parse("2024-03-16"), &["discharge_date"]),
    (|it| it.invoice_no = Some("another".into()), &["invoice_no"]),
    (
        |it| {
            it.amounts.total = it.amounts.total + Fen::ONE;
            it.amounts.personal_total = it.amounts.personal_total.map(|part| part + Fen::ONE);
        },
        &["personal_total_fen", "total_fen"],
    ),
];

/// One call: which settlement, with which of [`CHANGES`] (bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    number: u64,
    burden_fen: i64,
    changes: u32,
    /// Without a fact that others state.
    is_brief: bool,
    /// Sent again by the same caller after its answer.
    is_repeated: bool,
}

impl Call {
    fn settlement(self) -> Settlement {
        let mut settlement = stay(1, &format!("s{}", self.number), self.burden_fen);
        settlement.insurance_type = (!self.is_brief).then(|| "310".into());
        for (bit, (change, _)) in CHANGES.iter().enumerate() {
            if self.changes & (1 << bit) != 0 {
                change(&mut settlement);
            }
        }
        settlement
    }
}

/// The fields in which two calls of one settlement differ.
fn differences(one: u32, other: u32) -> BTreeSet<&'static str> {
    let differs = |bit: &usize| (one ^ other) & (1 << bit) != 0;
    (0..CHANGES.len()).filter(differs).flat_map(|bit| CHANGES[bit].1).copied().collect()
}

/// Every settlement, some of them several times, some with other content, roughly in order.
fn script(dice: &mut Dice) -> Vec<Call> {
    let mut calls = Vec::new();
    for number in 0..SETTLEMENTS {
        let burden_fen = i64::try_from(dice.roll(BURDEN_FEN_MAX) + 1).unwrap();
        let copies = [1, 1, 1, 1, 2, 2, 4][usize::try_from(dice.roll(7)).unwrap()];
        for copy in 0..copies {
            let is_changed = copy > 0 && dice.roll(2) == 0;
            let changes = if is_changed { dice.roll(31) + 1 } else { 0 };
            let call = Call {
                number,
                burden_fen,
                changes: u32::try_from(changes).unwrap(),
                is_brief: dice.roll(300) == 0,
                is_repeated: dice.roll(4) == 0,
            };
            // Copies come at once or up to a few hundred calls later.
            let place = number * 100 + dice.roll(if copy % 2 == 0 { 100 } else { 20_000 });
            calls.push((place, call));
        }
    }
    calls.sort_unstable();
    calls.into_iter().map(|(_, call)| call).collect()
}

type Answer = Result<Submitted, LedgerError>;

/// All callers take from one script until it is at its end.
async fn play(ledgers: &[Ledger], calls: Vec<Call>) -> Vec<(Call, Answer)> {
    let (calls, next) = (Arc::new(calls), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let ledger = ledgers[caller % ledgers.len()].clone();
        let (calls, next) = (calls.clone(), next.clone());
        callers.spawn(async move {
            let mut answers = Vec::new();
            while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = ledger.submit(call.settlement(), Mode::Record).await;
                if let (true, Ok(first)) = (call.is_repeated, &answer) {
                    let again = ledger.submit(call.settlement(), Mode::Record).await.unwrap();
                    assert!(again.replayed, "{call:?}");
                    assert_eq!(again.claim.id, first.claim.id, "{call:?}");
                }
                answers.push((*call, answer));
            }
            answers
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

/// Whoever came first has the settlement; the others are told so, in one of two ways.
fn check_answers(answers: Vec<(Call, Answer)>, audit: &Audit) {
    let mut by_number: BTreeMap<u64, Vec<(Call, Answer)>> = BTreeMap::new();
    for (call, answer) in answers {
        by_number.entry(call.number).or_default().push((call, answer));
    }
    let (mut replays, mut conflicts) = (0, 0);
    for (number, answers) in by_number {
        let claim = audit.claim(&format!("s{number}"));
        let accepted = answers.iter().find(|(_, answer)| answer.is_ok()).expect("one is accepted");
        let known = accepted.0.changes;
        let mut written = 0;
        for (call, answer) in answers {
            match answer {
                Ok(submitted) => {
                    assert_eq!(call.changes, known, "{call:?} contradicts what was accepted");
                    assert_eq!(submitted.claim.id, claim.id);
                    written += usize::from(!submitted.replayed);
                    replays += usize::from(submitted.replayed);
                }
                Err(LedgerError::Conflict { claim_id, fields, .. }) => {
                    assert_eq!(claim_id, claim.id);
                    assert_eq!(BTreeSet::from_iter(fields), differences(call.changes, known));
                    assert_ne!(call.changes, known, "{call:?} contradicts nothing");
                    conflicts += 1;
                }
                Err(other) => panic!("{call:?}: {other:?}"),
            }
        }
        assert_eq!(written, audit.changes(&format!("s{number}")), "every write has its answer");
    }
    eprintln!("{replays} replays, {conflicts} conflicts");
    assert!(replays > 100 && conflicts > 100, "the dice left something out");
}

fn instructed(claim: &Claim) -> Fen {
    let stands = |payout: &&Payout| payout.state != PayoutState::Cancelled;
    claim.payouts.iter().filter(stands).map(|payout| payout.amount).sum()
}

/// One after the other, into an empty database.
async fn fed_in_order(claims: &[&Claim]) -> (Vec<Arc<Claim>>, CounterBook) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/ledger.db", directory.path().display());
    let ledger = open_ledger(&Database { url, is_postgres: false }, &[covered(1)]).await;
    let settlements = claims.iter().map(|claim| (*claim.settlement).clone()).collect();
    let mut fresh = Vec::new();
    for pending in ledger.send(settlements, Queue::Bulk, Mode::Record).await {
        fresh.push(pending.outcome().await.unwrap().claim);
    }
    let book = ledger.book(&fresh[0].member_id).await.unwrap().unwrap();
    ledger.drain().await;
    (fresh, book.counters)
}

/// If this fails two claims spent one allowance, or one settlement was paid twice.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_share_one_allowance() {
    let mut dice = Dice::seeded();
    let calls = script(&mut dice);
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], [1]).await;
        let answers = play(ledgers, calls.clone()).await;
        let audit = audit(database).await;
        check_answers(answers, &audit);
        let claims: Vec<&Claim> = audit.claims.values().collect();
        assert_eq!(claims.len(), usize::try_from(SETTLEMENTS).unwrap());
        assert!(claims.iter().all(|claim| claim.state() == ClaimState::Approved));
        let paid: Fen = claims.iter().copied().map(instructed).sum();
        assert_eq!(paid, Fen::parse_yuan("300000.00").unwrap(), "the limit, to the fen");
        let deductible = |claim: &&Claim| claim.evaluation.decision.as_ref().unwrap().deductible();
        let deducted: Fen = claims.iter().map(deductible).sum();
        assert_eq!(deducted, Fen::parse_yuan("5000.00").unwrap(), "the deductible, to the fen");

        let (fresh, counters) = fed_in_order(&claims).await;
        assert_eq!(fresh.len(), claims.len());
        for (claim, alone) in claims.iter().zip(&fresh) {
            assert_eq!(claim.settlement, alone.settlement);
            assert_eq!(claim.evaluation, alone.evaluation, "{}", claim.id);
            assert_eq!(instructed(claim), instructed(alone), "{}", claim.id);
        }
        let books: Vec<_> = audit.books.values().collect();
        assert_eq!(books.len(), 1);
        assert_eq!(books[0].counters, counters);
    })
    .await;
}
