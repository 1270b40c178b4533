//! Many members, many lanes, several servers: what happens where two of them meet.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::{join, join_all};
use greenlane::core::claim::ClaimState;
use greenlane::core::day::Moment;
use greenlane::core::event::Event;
use greenlane::core::route::ReasonCode;
use greenlane::ledger::{ImpactBound, Ledger, LedgerError, Mode, Pending, Queue, Submitted};
use tokio::task::JoinSet;

use crate::audit::audit;
use crate::support::{Dice, on_own_postgres};
use crate::world::{enrol, on_every_setting, open_ledger, shipped_plan, start_ledger, stay};

/// How many pairs of callers are on their way at a time.
const PAIRS_AT_ONCE: usize = 8;

fn first_and_last(ledgers: &[Ledger]) -> (&Ledger, &Ledger) {
    (&ledgers[0], &ledgers[ledgers.len() - 1])
}

/// Exactly one of the answers is a claim; the others name the fields.
#[track_caller]
fn one_of(answers: Vec<Result<Submitted, LedgerError>>, fields: &[&str]) -> Submitted {
    let (mut claims, refusals): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(claims.len(), 1, "{refusals:?}");
    let claim = claims.remove(0).unwrap();
    assert!(!claim.replayed);
    for refusal in refusals {
        match refusal {
            Err(LedgerError::Conflict { claim_id, fields: named, .. }) => {
                assert_eq!((claim_id, &*named), (claim.claim.id, fields));
            }
            other => panic!("refused for another reason: {other:?}"),
        }
    }
    claim
}

/// If this fails one stay in hospital is paid to two persons.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_two_persons_at_once_makes_one_claim() {
    const ROUNDS: u32 = 500;
    const PERSONS: u64 = 32;
    let mut dice = Dice::seeded();
    let pairs: Vec<(u32, u32)> = (0..ROUNDS)
        .map(|_| {
            let one = dice.roll(PERSONS);
            let other = (one + 1 + dice.roll(PERSONS - 1)) % PERSONS;
            (u32::try_from(one).unwrap(), u32::try_from(other).unwrap())
        })
        .collect();
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], 0..32).await;
        let (left, right) = first_and_last(ledgers);
        let rounds = (0..).zip(&pairs).map(|(round, (one, other))| async move {
            let id = format!("k{round}");
            let (one, other) = (stay(*one, &id, 10_000), stay(*other, &id, 10_000));
            let (one, other) =
                join(left.submit(one, Mode::Record), right.submit(other, Mode::Record)).await;
            one_of(vec![one, other], &["member"]).claim
        });
        let claims: Vec<_> =
            futures::stream::iter(rounds).buffer_unordered(PAIRS_AT_ONCE).collect().await;
        let audit = audit(database).await;
        assert_eq!(audit.claims.len(), pairs.len());
        for claim in claims {
            assert_eq!(audit.claims[&claim.id].member_id, claim.member_id);
        }
        // Persons are put into lanes by their ids, which are new each time.
        let lanes: BTreeSet<u16> = audit.claims.keys().map(|id| id.lane).collect();
        assert!(lanes.len() > 3, "the pairs met across lanes: {lanes:?}");
    })
    .await;
}

/// Sends the same keys for one person, in this order; gives the answers by key.
async fn send_keys(
    ledger: Ledger,
    person: u32,
    round: u32,
    order: Vec<u32>,
) -> BTreeMap<u32, Result<Submitted, LedgerError>> {
    let stays = order.iter().map(|key| stay(person, &format!("k{round}-{key}"), 10_000)).collect();
    let pending = ledger.send(stays, Queue::Bulk, Mode::Record).await;
    let answers = join_all(pending.into_iter().map(Pending::outcome)).await;
    order.into_iter().zip(answers).collect()
}

/// Every round, four persons' lanes get the same keys at once, in four orders, from two servers,
/// while the roster is still being imported by both. With more than two, some hold keys while they
/// wait for others. If this fails by a deadlock, keys are not taken in one order.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_and_all_lanes_get_by_without_a_deadlock() {
    const ROUNDS: u32 = 20;
    const KEYS: u32 = 100;
    const PERSONS: u32 = 48;
    const OTHERS: &str = "select count(*)::text from pg_stat_activity \
         where datname = current_database() and backend_type = 'client backend' \
         and pid <> pg_backend_pid()";
    const DEADLOCKS: &str = "select deadlocks::text from pg_stat_database \
         where datname = current_database()";
    let mut dice = Dice::seeded();
    let mut order = || {
        let mut keys: Vec<u32> = (0..KEYS).collect();
        dice.shuffle(&mut keys);
        keys
    };
    let orders: Vec<_> = (0..ROUNDS).map(|_| [(); 4].map(|()| order())).collect();
    on_own_postgres(async |database| {
        let ledgers = [open_ledger(&database, &[]).await, start_ledger(&database).await];
        enrol(&ledgers[0], 0..PERSONS / 2).await;
        let rounds = (0..).zip(&orders).map(|(round, orders)| {
            let parties = (0..).zip(orders).map(|(party, order)| {
                let person = (round * 5 + party * 7) % PERSONS;
                let ledger = ledgers[usize::try_from(party % 2).unwrap()].clone();
                tokio::spawn(send_keys(ledger, person, round, order.clone()))
            });
            let parties = join_all(parties);
            async move {
                let mut answers: Vec<_> = parties.await.into_iter().map(Result::unwrap).collect();
                for key in 0..KEYS {
                    let of_key = answers.iter_mut().map(|party| party.remove(&key).unwrap());
                    one_of(of_key.collect(), &["member"]);
                }
            }
        });
        let rounds = futures::stream::iter(rounds).buffer_unordered(2).collect::<()>();
        let imports = join_all(ledgers.iter().map(|ledger| enrol(ledger, PERSONS / 2..PERSONS)));
        join(rounds, imports).await;
        let audit = audit(&database).await;
        assert_eq!(audit.claims.len(), usize::try_from(ROUNDS * KEYS).unwrap());
        assert_eq!(audit.books.len(), usize::try_from(PERSONS).unwrap());
        assert!(audit.claims.values().all(|claim| claim.state() == ClaimState::Approved));
        for ledger in &ledgers {
            ledger.drain().await;
        }
        // A session reports its deadlocks at its end at the latest.
        while database.text(OTHERS).await != "0" {}
        assert_eq!(database.text(DEADLOCKS).await, "0");
    })
    .await;
}

/// If this fails a person has two allowances.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_person_seen_by_all_servers_at_once_is_one_member() {
    const ROUNDS: u32 = 200;
    on_every_setting(async |database, ledgers| {
        let (left, right) = first_and_last(ledgers);
        let rounds = (0..ROUNDS).map(|person| async move {
            let submits = (0..4).map(|copy| {
                let ledger = if copy % 2 == 0 { left } else { right };
                ledger.submit(stay(person, &format!("p{person}-{copy}"), 10_000), Mode::Record)
            });
            let members: BTreeSet<String> = join_all(submits)
                .await
                .into_iter()
                .map(|answer| answer.unwrap().claim.member_id.clone())
                .collect();
            assert_eq!(members.len(), 1, "person {person}");
        });
        futures::stream::iter(rounds).buffer_unordered(PAIRS_AT_ONCE).collect::<()>().await;
        assert_eq!(audit(database).await.books.len(), usize::try_from(ROUNDS).unwrap());
    })
    .await;
}

/// By number alone and by certificate and number: one after the other, in either order, both name
/// one member, so they must when they come at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_person_seen_under_two_names_at_once_is_one_member() {
    const ROUNDS: u32 = 200;
    on_every_setting(async |database, ledgers| {
        let (left, right) = first_and_last(ledgers);
        let rounds = (0..ROUNDS).map(|person| async move {
            let mut by_number = stay(person, &format!("n{person}"), 10_000);
            by_number.person.cert_type = None;
            by_number.person.cert_no = None;
            let by_both = stay(person, &format!("c{person}"), 10_000);
            let (number, both) =
                join(left.submit(by_number, Mode::Record), right.submit(by_both, Mode::Record))
                    .await;
            let (number, both) = (number.unwrap().claim, both.unwrap().claim);
            assert_eq!(number.member_id, both.member_id, "person {person}");
        });
        futures::stream::iter(rounds).buffer_unordered(PAIRS_AT_ONCE).collect::<()>().await;
        let audit = audit(database).await;
        assert_eq!(audit.books.len(), usize::try_from(ROUNDS).unwrap());
        let reasons = audit.claims.values().flat_map(|claim| &claim.evaluation.reasons);
        assert_eq!(reasons.filter(|it| it.code == ReasonCode::PersonUnclear).count(), 0);
    })
    .await;
}

/// A preview takes the key as a submit does, so the two meet.
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_never_keeps_a_key_from_its_submit() {
    const ROUNDS: u32 = 300;
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], 0..16).await;
        let (left, right) = first_and_last(ledgers);
        let rounds = (0..ROUNDS).map(|round| async move {
            let of = |person: u32| stay(person % 16, &format!("k{round}"), 10_000);
            // Some previews ask for another person, in another lane.
            let previews = (0..4).map(|copy| {
                let ledger = if copy % 2 == 0 { left } else { right };
                ledger.submit(of(round + copy / 2), Mode::Preview)
            });
            let is_submitted = round % 3 > 0;
            let submit = async {
                if is_submitted {
                    let submitted = right.submit(of(round), Mode::Record).await.unwrap();
                    assert!(!submitted.replayed, "round {round}");
                }
            };
            let (previews, ()) = join(join_all(previews), submit).await;
            for (copy, preview) in previews.into_iter().enumerate() {
                match preview {
                    Ok(quoted) => assert!(is_submitted || quoted.claim.revision == 0),
                    Err(LedgerError::Conflict { fields, .. }) => {
                        assert_eq!((fields, is_submitted, copy / 2), (vec!["member"], true, 1));
                    }
                    Err(other) => panic!("round {round}: {other:?}"),
                }
            }
            u32::from(is_submitted)
        });
        let rounds = futures::stream::iter(rounds).buffer_unordered(PAIRS_AT_ONCE);
        let submitted = rounds.fold(0, async |sum, one| sum + one).await;
        assert_eq!(audit(database).await.claims.len(), usize::try_from(submitted).unwrap());
    })
    .await;
}

/// A stream's order is a promise: the earlier stay uses the deductible. If this fails a preview of
/// the earlier one made the later one overtake it.
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_under_way_does_not_change_the_order_of_a_stream() {
    const ROUNDS: u32 = 100;
    on_every_setting(async |_, ledgers| {
        enrol(&ledgers[0], [1]).await;
        for round in 0..ROUNDS {
            let of = |part: &str| stay(1, &format!("{part}{round}"), 10_000);
            let previews = vec![of("x"), of("a"), of("x"), of("a")];
            let previews = ledgers[0].send(previews, Queue::Window, Mode::Preview).await;
            let submits = vec![of("a"), of("b"), of("c")];
            let submits = ledgers[0].send(submits, Queue::Window, Mode::Record).await;
            for preview in join_all(previews.into_iter().map(Pending::outcome)).await {
                preview.unwrap();
            }
            let mut claims = Vec::new();
            for submit in join_all(submits.into_iter().map(Pending::outcome)).await {
                let claim = submit.unwrap().claim;
                claims.push((claim.id, claim.revision));
            }
            assert!(claims.is_sorted(), "round {round}: {claims:?}");
        }
    })
    .await;
}

/// The shipped plan once more, as another version.
fn version(version: &str, start_date: &str) -> String {
    shipped_plan().replace("2023.1", version).replace("2023-07-01", start_date)
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_while_submits_run_disturbs_nobody_and_reaches_every_lane() {
    const VERSIONS: u32 = 12;
    const CALLERS: u32 = 16;
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], 0..CALLERS).await;
        let (done, is_done) = tokio::sync::watch::channel(false);
        let mut callers = JoinSet::new();
        for person in 0..CALLERS {
            let ledger = ledgers[usize::try_from(person).unwrap() % ledgers.len()].clone();
            let is_done = is_done.clone();
            callers.spawn(async move {
                let mut count = 0;
                while !*is_done.borrow() {
                    let stay = stay(person, &format!("s{person}-{count}"), 100);
                    assert!(!ledger.submit(stay, Mode::Record).await.unwrap().replayed);
                    count += 1;
                }
                count
            });
        }
        for number in 0..VERSIONS {
            let ledger = &ledgers[usize::try_from(number).unwrap() % ledgers.len()];
            let document = version(&format!("next.{number}"), &format!("{}-01-01", 2100 + number));
            assert!(
                !ledger.publish(document, Mode::Record, ImpactBound::NONE).await.unwrap().unchanged
            );
        }
        done.send(true).unwrap();
        let count: usize = callers.join_all().await.into_iter().sum();
        eprintln!("{count} submits while {VERSIONS} versions were published");
        let audit = audit(database).await;
        assert_eq!(audit.claims.len(), count);
        for (lane, log) in audit.lanes.iter().enumerate() {
            let versions = log.iter().filter_map(|event| match event {
                Event::Document(document) => Some(document.version.clone()),
                _ => None,
            });
            let published = (0..VERSIONS).map(|number| format!("next.{number}"));
            let expected: Vec<String> = std::iter::once("2023.1".into()).chain(published).collect();
            assert_eq!(versions.collect::<Vec<_>>(), expected, "lane {lane}");
        }
    })
    .await;
}

/// If this fails a server decides under rules that are no longer in force.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_published_by_one_server_binds_all_at_once() {
    const PERSONS: u32 = 24;
    on_every_setting(async |database, ledgers| {
        enrol(&ledgers[0], 0..PERSONS).await;
        let (left, right) = first_and_last(ledgers);
        for year in 2030..2042 {
            let (next, start_date) = (format!("next.{year}"), format!("{year}-01-01"));
            left.publish(version(&next, &start_date), Mode::Record, ImpactBound::NONE)
                .await
                .unwrap();
            let submits = (0..PERSONS).map(|person| {
                let mut stay = stay(person, &format!("s{year}-{person}"), 100);
                stay.settle_time = Moment::parse_local(&format!("{year}-03-15 10:15:06"));
                right.submit(stay, Mode::Record)
            });
            for answer in join_all(submits).await {
                let plan = answer.unwrap().claim.evaluation.plan.clone();
                assert_eq!(plan.unwrap().version, next);
            }
        }
        audit(database).await;
    })
    .await;
}

/// If this fails a version has two contents, or two versions share their first day.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_published_by_all_at_once_is_published_once() {
    const ROUNDS: u32 = 10;
    on_every_setting(async |database, ledgers| {
        let (left, right) = first_and_last(ledgers);
        for round in 0..ROUNDS {
            let start_date = format!("{}-01-01", 2100 + round);
            let same = |_| version(&format!("same.{round}"), &start_date);
            let other = |copy| version(&format!("other.{round}.{copy}"), &start_date);
            let documents = (0..4).map(same).chain((0..4).map(other));
            let publishing = documents.enumerate().map(|(copy, document)| {
                let ledger = if copy % 2 == 0 { left } else { right };
                async move {
                    loop {
                        match ledger
                            .publish(document.clone(), Mode::Record, ImpactBound::NONE)
                            .await
                        {
                            Err(LedgerError::Contended) => {}
                            answer => return answer,
                        }
                    }
                }
            });
            let mut news = 0;
            for answer in join_all(publishing).await {
                match answer {
                    Ok(published) => news += u32::from(!published.unchanged),
                    Err(LedgerError::PlanInvalid(problems)) => {
                        assert_eq!(problems[0].key, "start_date");
                    }
                    Err(other) => panic!("round {round}: {other:?}"),
                }
            }
            assert_eq!(news, 1, "round {round}");
        }
        audit(database).await;
        let starts: Vec<(String,)> = database.rows("select start_date from document").await;
        let days: BTreeSet<_> = starts.iter().collect();
        assert_eq!(days.len(), starts.len(), "one version starts on a day");
    })
    .await;
}
