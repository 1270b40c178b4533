//! What everything is measured against: the same claims, one SQL transaction each, without server,
//! queue or batch.
//!
//! It shall be as good as this design can be. 64 clients on the database's own connections; on
//! PostgreSQL each owns a lane, so that no lock is ever waited for; on SQLite they share its one
//! writer. Members are found beforehand, which a server has to do for each claim; connections are
//! open and their statements prepared before the clock starts. The statements, the rows and the
//! decision are those of the ledger.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::figures::{Tally, us};
use super::load;
use super::process::DIRECTORY_KEY;
use super::workload::{Workload, certificate};
use crate::cli::Failure;
use crate::cli::bench::{Bounds, told};
use crate::clock;
use crate::core::book::{Command, Effect, Seen};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::decision::{CounterBook, CounterKey, Counters};
use crate::core::event::{ClaimEvent, Event, event_hash, facts_digest};
use crate::core::plan::Plans;
use crate::core::settlement::Settlement;
use crate::ledger::{DirectoryKey, Ledger};
use crate::store::{
    ClaimRow, CounterRow, EventRow, FactRow, KeyRow, LaneHead, Options, PayoutRow, Rows, Store,
    StoreError,
};

/// Clients, and lanes of their ledger.
pub(super) const CLIENTS: u16 = 64;
/// Claims of each client before the clock starts.
const WARM_UP_CLAIMS: u64 = 8;
/// Members that take part at the most: finding out who is who takes a query for each.
const MEMBERS_MAX: u32 = 20_000;

/// A ledger with everything at hand that a client needs.
pub(super) struct Baseline {
    store: Store,
    plans: Arc<Plans>,
    /// Of each client the members of its lane, `(person, member_id)`, by person.
    clients: Vec<Vec<(u32, String)>>,
}

impl Baseline {
    /// Opens a ledger of [`CLIENTS`] lanes that has the plan and the roster.
    pub(super) async fn open(url: &str, workload: &Workload) -> Result<Baseline, Failure> {
        let key = DirectoryKey::new(DIRECTORY_KEY);
        let check = key.check();
        let options = Options { lanes: CLIENTS, directory_key_check: check, readers_max: 2 };
        let open = async || Store::open(url, &options).await.map_err(|error| told(&error));
        // Only to ask it who is who; its tasks must not run beside the clients.
        let ledger =
            Ledger::start(open().await?, key, clock::now).await.map_err(|error| told(&error))?;
        let mut clients = vec![Vec::new(); usize::from(CLIENTS)];
        for person in 0..workload.members().min(MEMBERS_MAX) {
            let member = ledger.find_member(&certificate(person)).await.map_err(Failure::told)?;
            let member = member.ok_or_else(|| Failure::told("a member is not there"))?;
            clients[usize::from(ledger.lane_of(&member))].push((person, member));
        }
        let plans = ledger.plans();
        ledger.drain().await;
        if clients.iter().any(Vec::is_empty) {
            return Err(Failure::told("a lane of the baseline has no members"));
        }
        Ok(Baseline { store: open().await?, plans, clients })
    }

    /// Lets every client settle a few claims, so that the run finds open connections with prepared
    /// statements.
    pub(super) async fn warm_up(&self, workload: &Arc<Workload>) -> Result<(), Failure> {
        let claims = WARM_UP_CLAIMS * u64::from(CLIENTS);
        self.run(workload, super::load::unbounded(claims)).await.map(drop)
    }

    /// Lets the clients settle claims, each one after the other, until the bounds.
    pub(super) async fn run(
        &self,
        workload: &Arc<Workload>,
        bounds: Bounds,
    ) -> Result<Tally, Failure> {
        let last = workload.taken() + bounds.claims;
        let start = Instant::now();
        let mut running = JoinSet::new();
        for (lane, members) in (0..).zip(self.clients.clone()) {
            let (store, plans, workload) =
                (self.store.clone(), self.plans.clone(), workload.clone());
            running.spawn(async move {
                let persons: Vec<u32> = members.iter().map(|(person, _)| *person).collect();
                let mut tally = Tally::default();
                while workload.taken() < last && start.elapsed() < bounds.time {
                    let (settlement, person) = workload.take_of(&persons);
                    let index = persons.binary_search(&person).expect("it is one of them");
                    let member_id = &members[index].1;
                    let sent = Instant::now();
                    let state = settle(&store, &plans, lane, member_id, settlement).await;
                    tally.approved +=
                        u64::from(state.map_err(|error| told(&error))? == ClaimState::Approved);
                    tally.claims += 1;
                    tally.latencies_us.push(us(sent.elapsed()));
                }
                Ok::<Tally, Failure>(tally)
            });
        }
        load::together(running, start).await
    }

    /// Closes the database.
    pub(super) async fn close(self) {
        self.store.close().await;
    }
}

/// Settles one claim in a transaction of its own.
async fn settle(
    store: &Store,
    plans: &Plans,
    lane: u16,
    member_id: &str,
    settlement: Settlement,
) -> Result<ClaimState, StoreError> {
    let settlement = Arc::new(settlement);
    let mut tx = store.begin().await?;
    let mut head = tx.lock_lanes(&[lane]).await?.remove(0);
    let claim_id = ClaimId { lane, number: head.claims + 1 };
    let key = KeyRow {
        source: settlement.source.clone(),
        settlement_id: settlement.settlement_id.clone(),
        claim_id,
        member_id: member_id.to_owned(),
    };
    let taken = tx.insert_keys(&[key]).await?;
    let mut books = tx.books(&[(lane, member_id.to_owned())]).await?;
    let (Some(mut book), true) = (books.pop(), taken.is_empty()) else {
        let key = format!("of member {member_id}");
        return Err(StoreError::Corrupt { table: "settlement_key", key });
    };
    let before = book.counters.clone();
    head.time = head.time.max(clock::now());
    let command = Command::Submit { claim_id, settlement, seen: Seen::default() };
    let effects =
        book.apply(&command, head.time, plans).expect("a new settlement conflicts with none");
    let claim = book.claims.last().expect("a submit makes a claim").clone();
    let mut rows = rows_of(&mut head, effects);
    rows.counters = counters(lane, member_id, &before, &book.counters);
    rows.heads = vec![head];
    tx.write(&rows).await?;
    tx.commit().await?;
    Ok(claim.state())
}

/// The rows of a claim, as the ledger writes them.
fn rows_of(head: &mut LaneHead, effects: Vec<Effect>) -> Rows {
    let mut rows = Rows::default();
    for effect in effects {
        // The roster is imported, so no member is new.
        let Effect::Claim(change) = effect else { continue };
        let (lane, position) = (head.lane, head.position + 1);
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).expect("the system gives random bytes");
        let salt = hex::encode(salt);
        let facts = to_json(&*change.claim.settlement);
        let event = ClaimEvent::of(&change, Some(facts_digest(&salt, &facts)), None);
        let body = to_json(&Event::Claim(Box::new(event)));
        head.position = position;
        head.claims = change.claim.id.number;
        head.hash = event_hash(&head.hash, lane, position, head.time, &body);
        rows.facts.push(FactRow { lane, position, salt, body: facts });
        let (time, hash) = (head.time, head.hash.clone());
        rows.events.push(EventRow { lane, position, time, hash, body });
        let claim_id = change.claim.id;
        let payouts = change.payouts.into_iter();
        rows.payouts.extend(payouts.map(|payout| PayoutRow { claim_id, payout }));
        let claim = Arc::new(Claim { revision: position, ..(*change.claim).clone() });
        let facts_position = Some(position);
        rows.claims.push(ClaimRow {
            claim,
            facts_position,
            decision_position: Some(position),
            revision: position,
            due: None,
        });
    }
    rows
}

fn counters(
    lane: u16,
    member_id: &str,
    before: &CounterBook,
    after: &CounterBook,
) -> Vec<CounterRow> {
    let changed = after.iter().filter(|(key, counters)| before.get(*key) != Some(*counters));
    let row = |(key, counters): (&CounterKey, &Counters)| CounterRow {
        lane,
        member_id: member_id.to_owned(),
        key: key.clone(),
        counters: *counters,
    };
    changed.map(row).collect()
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("core types have only string keys")
}
