//! Callers that hang up. Their transactions are not theirs, so nothing of them stays behind.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use greenlane::ledger::{Identity, ImpactBound, Ledger, LedgerError, Mode};

use crate::audit::audit;
use crate::support::{Database, Dice, on_own_postgres};
use crate::world::{cert_no, enrol, open_ledger, shipped_plan, start_ledger, stay};

const CALLERS: u32 = 1_000;
/// Few, because an answer must be able to come in time: what a caller has sent is carried out also
/// when they are gone, so impatient ones only make the queue longer.
const CALLERS_AT_ONCE: usize = 3;
const PATIENCE_MAX_US: u64 = 50_000;
const PERSONS: u32 = 24;

/// One caller: how long they wait, and how they leave.
struct Caller {
    number: u32,
    patience: Duration,
    is_aborted: bool,
}

/// Waits for a submit and for some of everything else; gives whether the submit was answered.
async fn call(ledger: Ledger, caller: Caller) -> bool {
    let Caller { number, patience, is_aborted } = caller;
    let (answered, is_answered) = std::sync::mpsc::channel();
    let work = async move {
        let of = |mode| ledger.submit(stay(number % PERSONS, &key(number), 10_000), mode);
        if number % 5 == 0 {
            of(Mode::Preview).await.unwrap();
        }
        if number % 37 == 0 {
            ledger.publish(another_plan(number), Mode::Preview, ImpactBound::NONE).await.unwrap();
        }
        let submitted = of(Mode::Record).await.unwrap();
        assert!(!submitted.replayed);
        answered.send(()).unwrap();
        let identity = Identity::certificate(None, &cert_no(number % PERSONS));
        let member = ledger.find_member(&identity).await.unwrap();
        assert_eq!(member.as_ref(), Some(&submitted.claim.member_id));
        ledger.book(&submitted.claim.member_id).await.unwrap();
        ledger.store().claim(submitted.claim.id).await.unwrap().unwrap();
    };
    if is_aborted {
        let task = tokio::spawn(work);
        let abort = task.abort_handle();
        tokio::select! {
            ended = task => ended.unwrap(),
            () = tokio::time::sleep(patience) => abort.abort(),
        }
    } else {
        // The future is dropped here, between two polls.
        let _ = tokio::time::timeout(patience, work).await;
    }
    is_answered.try_recv().is_ok()
}

fn key(number: u32) -> String {
    format!("s{number}")
}

fn another_plan(number: u32) -> String {
    let version = shipped_plan().replace("2023.1", &format!("next.{number}"));
    version.replace("2023-07-01", &format!("{}-01-01", 2100 + number % 90))
}

/// Waits until no session of this database is at work, and fails when one stays in a transaction.
/// The server itself ends such a session after ten seconds only.
async fn all_sessions_are_idle(database: &Database) {
    const BUSY: &str = "select coalesce(string_agg(state || ': ' || query, '; '), '') \
         from pg_stat_activity where datname = current_database() \
         and backend_type = 'client backend' and pid <> pg_backend_pid() and state <> 'idle'";
    let mut busy = String::new();
    let idle = async {
        loop {
            busy = database.text(BUSY).await;
            if busy.is_empty() {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(5), idle).await;
    assert!(in_time.is_ok(), "a session was left {busy}");
}

/// If this fails somebody's answer lied, or a connection keeps a lane locked for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_who_hang_up_leave_nothing_behind() {
    let mut dice = Dice::seeded();
    let callers: Vec<(u64, bool)> =
        (0..CALLERS).map(|_| (dice.roll(PATIENCE_MAX_US), dice.roll(2) == 0)).collect();
    on_own_postgres(async |database| {
        let ledgers = [open_ledger(&database, &[]).await, start_ledger(&database).await];
        enrol(&ledgers[0], 0..PERSONS).await;
        let calls = (0..).zip(&callers).map(|(number, (patience_us, is_aborted))| {
            let ledger = ledgers[usize::try_from(number).unwrap() % 2].clone();
            let (patience, is_aborted) = (Duration::from_micros(*patience_us), *is_aborted);
            let caller = Caller { number, patience, is_aborted };
            async move { (number, call(ledger, caller).await) }
        });
        let calls = futures::stream::iter(calls).buffer_unordered(CALLERS_AT_ONCE);
        let answered: BTreeSet<u32> = calls
            .filter_map(async |(number, is_answered)| is_answered.then_some(number))
            .collect()
            .await;
        let unanswered = callers.len() - answered.len();
        eprintln!("{} were answered, {unanswered} were not", answered.len());
        assert!(answered.len() > 50 && unanswered > 50, "nobody hung up, or everybody did");
        all_sessions_are_idle(&database).await;

        let recorded: BTreeSet<String> = keys(&database).await;
        for number in &answered {
            assert!(recorded.contains(&key(*number)), "caller {number} was answered");
        }
        let mut late = 0;
        for number in 0..CALLERS {
            let again = stay(number % PERSONS, &key(number), 10_000);
            let again = ledgers[0].submit(again, Mode::Record).await.unwrap();
            assert_eq!(again.replayed, recorded.contains(&key(number)), "caller {number}");
            late += u32::from(!again.replayed);
        }
        eprintln!("{late} had never arrived");
        all_sessions_are_idle(&database).await;
        assert_eq!(audit(&database).await.claims.len(), callers.len());
        for ledger in &ledgers {
            ledger.drain().await;
            let closed = ledger.submit(stay(0, "late", 1), Mode::Record).await.err();
            assert!(matches!(closed, Some(LedgerError::ShuttingDown)), "{closed:?}");
        }
    })
    .await;
}

async fn keys(database: &Database) -> BTreeSet<String> {
    let keys: Vec<(String,)> = database.rows("select settlement_id from settlement_key").await;
    keys.into_iter().map(|(key,)| key).collect()
}
