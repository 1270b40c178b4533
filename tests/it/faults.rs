//! What breaks around the ledger and inside it: connections, writers, commands, rows.

use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::future::join_all;
use greenlane::clock;
use greenlane::core::day::Moment;
use greenlane::core::money::Fen;
use greenlane::core::settlement::Settlement;
use greenlane::ledger::{ImpactBound, Ledger, LedgerError, Mode, Pending, Queue};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::{Audit, audit};
use crate::support::{Database, Dice, on_every_backend, on_own_postgres};
use crate::world::{enrol, open_ledger, shipped_plan, start_ledger, start_ledger_with, stay};

const PERSONS: u32 = 12;
const CALLERS: u32 = 16;
/// How often a caller repeats before giving up. Far more than it ever takes.
const ATTEMPTS_MAX: u32 = 10_000;

/// Callers that repeat until they are answered, and how far they are.
struct Load {
    callers: JoinSet<()>,
    progress: watch::Receiver<u32>,
    repeats: Arc<AtomicU32>,
}

fn load(ledgers: &[Ledger], stays_each: u32) -> Load {
    let (progress, watched) = watch::channel(0);
    let repeats = Arc::new(AtomicU32::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let ledger = ledgers[usize::try_from(caller).unwrap() % ledgers.len()].clone();
        let (progress, repeats) = (progress.clone(), repeats.clone());
        callers.spawn(async move {
            for number in 0..stays_each {
                let stay = stay((caller + number) % PERSONS, &format!("s{caller}-{number}"), 7_000);
                submit(&ledger, stay, &repeats).await;
                progress.send_modify(|count| *count += 1);
            }
        });
    }
    Load { callers, progress: watched, repeats }
}

/// Repeats what may be repeated, as the errors tell.
async fn submit(ledger: &Ledger, stay: Settlement, repeats: &AtomicU32) {
    for _ in 0..ATTEMPTS_MAX {
        match ledger.submit(stay.clone(), Mode::Record).await {
            Ok(_) => return,
            Err(
                LedgerError::Unavailable | LedgerError::OutcomeUnknown | LedgerError::Contended,
            ) => {
                repeats.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            Err(other) => panic!("{}: {other:?}", stay.settlement_id),
        }
    }
    panic!("{} was never answered", stay.settlement_id);
}

impl Load {
    /// Waits for so many answers; whether they came before the load ended.
    async fn reaches(&mut self, count: u32) -> bool {
        self.progress.wait_for(|done| *done >= count).await.is_ok()
    }
}

fn paid(audit: &Audit) -> Fen {
    let counters = audit.books.values().flat_map(|book| book.counters.values());
    counters.map(|used| used.paid).sum()
}

/// If this fails an answer before the breakdown was a lie, or a repeat after it was paid twice.
#[tokio::test(flavor = "multi_thread")]
async fn connections_killed_from_outside_lose_nothing_and_double_nothing() {
    const STAYS_EACH: u32 = 100;
    const ANSWERS_BETWEEN: u32 = 40;
    const KILL: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
         where datname = current_database() and application_name = 'greenlane'";
    on_own_postgres(async |database| {
        let ledgers = [open_ledger(&database, &[]).await, start_ledger(&database).await];
        enrol(&ledgers[0], 0..PERSONS).await;
        let mut load = load(&ledgers, STAYS_EACH);
        let mut killer = sqlx::PgConnection::connect(&database.url).await.unwrap();
        let (mut strikes, mut sessions) = (0, 0_i64);
        while load.reaches(strikes * ANSWERS_BETWEEN).await {
            let struck = sqlx::query_scalar(KILL).fetch_one(&mut killer);
            sessions += struck.await.unwrap_or(0_i64);
            strikes += 1;
            if strikes * ANSWERS_BETWEEN > CALLERS * STAYS_EACH {
                break;
            }
        }
        load.callers.join_all().await;
        let repeats = load.repeats.load(Ordering::Relaxed);
        eprintln!("{sessions} sessions killed in {strikes} strikes, {repeats} answers to repeat");
        assert!(repeats > 0, "nobody noticed");
        let audit = audit(&database).await;
        assert_eq!(audit.claims.len(), usize::try_from(CALLERS * STAYS_EACH).unwrap());
        assert!(ledgers.iter().all(Ledger::is_serving));
        for ledger in &ledgers {
            ledger.drain().await;
        }
    })
    .await;
}

/// A way to the server on which every third commit is carried out and its answer lost. Gives the port.
async fn lossy_way(to: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let commits = Arc::new(AtomicU32::new(0));
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&to).await.unwrap();
            tokio::spawn(carry(near, far, commits.clone()));
        }
    });
    port
}

/// Carries bytes until either side ends, or a commit's answer is to be lost.
async fn carry(mut near: TcpStream, mut far: TcpStream, commits: Arc<AtomicU32>) -> io::Result<()> {
    const COMMIT: &[u8] = b"COMMIT\0";
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            count = near.read(&mut asked) => {
                let asked = &asked[..count?];
                far.write_all(asked).await?;
                let is_commit = asked.ends_with(COMMIT);
                if asked.is_empty() {
                    return Ok(());
                }
                if is_commit && commits.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
                    // The answer means that it happened; nobody else shall learn of it.
                    assert!(far.read(&mut answered).await? > 0);
                    return Ok(());
                }
            }
            count = far.read(&mut answered) => {
                let answered = &answered[..count?];
                near.write_all(answered).await?;
                if answered.is_empty() {
                    return Ok(());
                }
            }
        }
    }
}

/// If this fails a caller who did as told was paid twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_a_lost_answer_finds_what_was_committed() {
    const STAYS_EACH: u32 = 10;
    on_own_postgres(async |database| {
        let setup = open_ledger(&database, &[]).await;
        enrol(&setup, 0..PERSONS).await;
        setup.drain().await;
        let straight = PgConnectOptions::from_str(&database.url).unwrap();
        let to = format!("{}:{}", straight.get_host(), straight.get_port());
        let lossy = straight.host("127.0.0.1").port(lossy_way(to).await);
        let url = lossy.to_url_lossy().to_string();
        let ledger = start_ledger(&Database { url, is_postgres: true }).await;
        let load = load(std::slice::from_ref(&ledger), STAYS_EACH);
        load.callers.join_all().await;
        let repeats = load.repeats.load(Ordering::Relaxed);
        eprintln!("{repeats} answers to repeat");
        assert!(repeats > 20, "no answer was lost");
        let audit = audit(&database).await;
        assert_eq!(audit.claims.len(), usize::try_from(CALLERS * STAYS_EACH).unwrap());
        ledger.drain().await;
    })
    .await;
}

/// Makes the next reading of the clock the last one of its task.
static CLOCK_IS_BROKEN: AtomicBool = AtomicBool::new(false);

fn breakable_clock() -> Moment {
    assert!(!CLOCK_IS_BROKEN.swap(false, Ordering::Relaxed), "the clock broke, on purpose");
    clock::now()
}

/// The clock is read inside a lane's transaction, outside of any command.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_dies_is_started_again_and_its_callers_repeat() {
    const STAYS_EACH: u32 = 25;
    const DEATHS: u32 = 8;
    on_every_backend(async |database| {
        let ledger = start_ledger_with(&database, breakable_clock).await;
        ledger.publish(shipped_plan(), Mode::Record, ImpactBound::NONE).await.unwrap();
        enrol(&ledger, 0..PERSONS).await;
        let mut load = load(std::slice::from_ref(&ledger), STAYS_EACH);
        for death in 0..DEATHS {
            assert!(load.reaches(death * CALLERS * STAYS_EACH / (DEATHS + 1)).await);
            CLOCK_IS_BROKEN.store(true, Ordering::Relaxed);
        }
        load.callers.join_all().await;
        assert!(load.repeats.load(Ordering::Relaxed) >= DEATHS / 2, "nobody died");
        let audit = audit(&database).await;
        assert_eq!(audit.claims.len(), usize::try_from(CALLERS * STAYS_EACH).unwrap());
        ledger.drain().await;
    })
    .await;
}

/// Neighbours in one batch, with a culprit among them: it alone is refused, and its key is free.
async fn refused_alone(database: &Database, name: &str, spoil: impl Fn(&mut Settlement)) {
    let ledger = open_ledger(database, &[]).await;
    enrol(&ledger, 0..PERSONS).await;
    let good = |number: u32| stay(number % PERSONS, &format!("{name}-{number}"), 600_000);
    for culprit in [0, 17, 39] {
        let from = culprit * 100;
        let mut settlements: Vec<_> = (from..from + 40).map(good).collect();
        let culprit = usize::try_from(culprit).unwrap();
        spoil(&mut settlements[culprit]);
        let answers = ledger.send(settlements, Queue::Bulk, Mode::Record).await;
        let answers = join_all(answers.into_iter().map(Pending::outcome)).await;
        for (index, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(submitted) if index != culprit => assert!(!submitted.replayed),
                Err(LedgerError::CommandFailed) if index == culprit => {}
                answer => panic!("{name}, {index} beside {culprit}: {answer:?}"),
            }
        }
        let repaired = good(from + u32::try_from(culprit).unwrap());
        assert!(!ledger.submit(repaired, Mode::Record).await.unwrap().replayed, "its key is free");
    }
    ledger.drain().await;
    let audit = audit(database).await;
    assert_eq!(audit.claims.len(), 120);
    assert!(paid(&audit) > Fen::ZERO);
}

type Change = fn(&mut Settlement);

/// Too long for an index, also when compressed.
fn endless() -> String {
    let mut dice = Dice::seeded();
    std::iter::repeat_with(|| char::from(b'0' + u8::try_from(dice.roll(64)).unwrap()))
        .take(20_000)
        .collect()
}

/// The API refuses these values before; if one comes through, it must not take others along.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_database_refuses_goes_alone() {
    let spoils: [(&str, Change); 4] = [
        ("invoice", |it| it.invoice_no = Some(endless())),
        ("visit", |it| it.visit_id = Some(endless())),
        ("key", |it| it.settlement_id = endless()),
        ("nul", |it| it.hospital_code = Some("H\0".into())),
    ];
    for (name, spoil) in spoils {
        on_own_postgres(async |database| refused_alone(&database, name, spoil).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_panics_is_refused_alone() {
    on_every_backend(async |database| {
        refused_alone(&database, "panic", |it| {
            // Their sum does not fit, which is an invariant of money.
            it.amounts.cash = Fen::new(i64::MAX);
            it.amounts.account = Fen::new(i64::MAX);
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_of_nobody_is_refused_alone() {
    on_every_backend(async |database| {
        refused_alone(&database, "nobody", |it| {
            it.person.cert_no = None;
            it.person.psn_no = None;
        })
        .await;
    })
    .await;
}
