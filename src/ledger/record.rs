//! From effects to rows: positions, hashes, digests. One recorder for one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Clock;
use crate::core::book::{Book, ClaimChange, Effect};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::clocks::{ClockKind, clocks, most_urgent};
use crate::core::day::Moment;
use crate::core::decision::{CounterKey, Counters};
use crate::core::event::{ClaimEvent, Event, MemberEvent, MergeEvent, event_hash, facts_digest};
use crate::core::money::Fen;
use crate::core::payout::Payout;
use crate::core::plan::Plans;
use crate::feed::{Entry, Told};
use crate::store::{
    ClaimRow, CounterRow, Due, EventRow, FactRow, LaneHead, MemberRow, PayoutRow, Rows,
};

/// Gathers everything that one transaction writes.
pub(super) struct Recorder {
    heads: BTreeMap<u16, LaneHead>,
    events: Vec<EventRow>,
    facts: Vec<FactRow>,
    // Maps, because a row may change twice in a batch and is written once.
    claims: BTreeMap<ClaimId, ClaimRow>,
    earlier: Vec<(ClaimId, i64)>,
    members: BTreeMap<(u16, String), MemberRow>,
    counters: BTreeMap<(u16, String, CounterKey), Counters>,
    payouts: BTreeMap<(ClaimId, u32), Payout>,
    /// The same events for those who watch.
    told: Vec<Entry>,
    /// What the clocks of claims run by.
    plans: Arc<Plans>,
}

/// What one transaction writes, and what watchers are told once it is committed.
pub(super) struct Recorded {
    pub(super) rows: Rows,
    pub(super) told: Vec<Entry>,
}

impl Recorder {
    /// Event time is max(now, the lane's last), set under the lane's lock.
    pub(super) fn new(heads: Vec<LaneHead>, clock: Clock, plans: Arc<Plans>) -> Recorder {
        let now = clock();
        let timed = heads.into_iter().map(|mut head| {
            head.time = head.time.max(now);
            (head.lane, head)
        });
        Recorder {
            heads: timed.collect(),
            events: Vec::new(),
            facts: Vec::new(),
            claims: BTreeMap::new(),
            earlier: Vec::new(),
            members: BTreeMap::new(),
            counters: BTreeMap::new(),
            payouts: BTreeMap::new(),
            told: Vec::new(),
            plans,
        }
    }

    /// The time of this transaction's events in a lane.
    pub(super) fn time(&self, lane: u16) -> Moment {
        self.head(lane).time
    }

    /// What one command did is behind: the next one comes later, so that it can be told from it.
    pub(super) fn step(&mut self, lane: u16) {
        let head = self.head_mut(lane);
        head.time = Moment::from_micros(head.time.micros() + 1);
    }

    /// A number for a new claim.
    pub(super) fn next_claim(&mut self, lane: u16) -> ClaimId {
        let head = self.head_mut(lane);
        head.claims += 1;
        ClaimId { lane, number: head.claims }
    }

    pub(super) fn set_documents_revision(&mut self, lane: u16, revision: i64) {
        self.head_mut(lane).documents_revision = revision;
    }

    /// Whether there is anything to write.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Records what a command changed and tells the book the revisions its claims got. Gives what
    /// watchers will be told.
    pub(super) fn record(
        &mut self,
        lane: u16,
        book: &mut Book,
        before: &Book,
        effects: Vec<Effect>,
    ) -> &[Entry] {
        let told = self.told.len();
        if book.receivable != before.receivable {
            let time = self.time(lane);
            self.member(lane, book, time);
        }
        for effect in effects {
            match effect {
                Effect::Member(roster) => {
                    let position = self.head(lane).position + 1;
                    let member = book.member_id.clone();
                    let facts = self.fact(lane, position, &*roster);
                    let event = Event::Member(MemberEvent { member, facts });
                    self.append(lane, event);
                    let time = self.time(lane);
                    let row = self.member(lane, book, time);
                    row.facts_position = Some(position);
                }
                Effect::Merged { into, cleared } => {
                    let member = book.member_id.clone();
                    let closed = None;
                    self.append(lane, Event::Merge(MergeEvent { member, into, cleared, closed }));
                    let time = self.time(lane);
                    self.member(lane, book, time);
                }
                Effect::Claim(mut change) => {
                    // A command may change a claim more than once.
                    let known = book.claims.iter().find(|known| known.id == change.claim.id);
                    let revision = known.map_or(0, |known| known.revision);
                    if revision > change.claim.revision {
                        Arc::make_mut(&mut change.claim).revision = revision;
                    }
                    if change.claim.state() == ClaimState::Voided {
                        let time = self.time(lane);
                        self.member(lane, book, time).has_voids = true;
                    }
                    let claim = self.claim(lane, *change);
                    let slot = book.claims.iter_mut().find(|known| known.id == claim.id);
                    *slot.expect("a changed claim is in its book") = claim;
                }
            }
        }
        for (key, counters) in &book.counters {
            if before.counters.get(key) != Some(counters) {
                let key = (lane, book.member_id.clone(), key.clone());
                self.counters.insert(key, *counters);
            }
        }
        &self.told[told..]
    }

    /// The member's row, which may change more than once in a batch.
    fn member(&mut self, lane: u16, book: &Book, time: Moment) -> &mut MemberRow {
        let key = (lane, book.member_id.clone());
        let row = self.members.entry(key).or_insert_with_key(|(lane, member_id)| MemberRow {
            lane: *lane,
            member_id: member_id.clone(),
            facts_position: None,
            has_voids: false,
            receivable: Fen::ZERO,
            merged_into: None,
            time,
        });
        row.receivable = book.receivable;
        row.merged_into.clone_from(&book.merged_into);
        row
    }

    fn claim(&mut self, lane: u16, change: ClaimChange) -> Arc<Claim> {
        let position = self.head(lane).position + 1;
        let settlement = change.claim.settlement.clone();
        let facts = change.facts_changed.then(|| self.fact(lane, position, &*settlement));
        let texts = change.act.as_ref().map(|(_, texts)| texts).filter(|it| !it.is_empty());
        let texts = texts.map(|texts| self.fact(lane, position, &**texts));
        let event = Event::Claim(Box::new(ClaimEvent::of(&change, facts, texts)));
        self.append(lane, event);
        let claim = Arc::new(Claim { revision: position, ..(*change.claim).clone() });
        let id = claim.id;
        for payout in change.payouts {
            self.payouts.insert((id, payout.number), payout);
        }
        if change.claim.revision > 0 {
            self.earlier.push((id, change.claim.revision));
        }
        let earlier = self.claims.get(&id).map(|row| (row.facts_position, row.decision_position));
        let (facts, decision) = earlier.unwrap_or_default();
        let row = ClaimRow {
            claim: claim.clone(),
            facts_position: change.facts_changed.then_some(position).or(facts),
            decision_position: change.decides.then_some(position).or(decision),
            revision: position,
            due: due(&claim, &self.plans),
        };
        self.claims.insert(id, row);
        claim
    }

    /// Keeps personal facts beside the event and returns the digest that names them in it.
    fn fact<T: Serialize>(&mut self, lane: u16, position: i64, facts: &T) -> String {
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).expect("the system gives random bytes");
        let salt = hex::encode(salt);
        let body = to_json(facts);
        let digest = facts_digest(&salt, &body);
        self.facts.push(FactRow { lane, position, salt, body });
        digest
    }

    /// Appends an event with the lane's next position, chained to the one before.
    pub(super) fn append(&mut self, lane: u16, event: Event) {
        let body = to_json(&event);
        let head = self.head_mut(lane);
        head.position += 1;
        head.hash = event_hash(&head.hash, lane, head.position, head.time, &body);
        let (position, time, hash) = (head.position, head.time, head.hash.clone());
        self.told.push(Entry::of(lane, position, &hash, time, event));
        self.events.push(EventRow { lane, position, time, hash, body });
    }

    /// Everything to write, ordered so that two runs write alike.
    pub(super) fn finish(self) -> Recorded {
        let counters = self.counters.into_iter().map(|((lane, member_id, key), counters)| {
            CounterRow { lane, member_id, key, counters }
        });
        let payouts = self.payouts.into_iter();
        let rows = Rows {
            heads: self.heads.into_values().collect(),
            events: self.events,
            facts: self.facts,
            claims: self.claims.into_values().collect(),
            earlier: self.earlier,
            members: self.members.into_values().collect(),
            counters: counters.collect(),
            payouts: payouts
                .map(|((claim_id, _), payout)| PayoutRow { claim_id, payout })
                .collect(),
        };
        Recorded { rows, told: self.told }
    }

    fn head(&self, lane: u16) -> &LaneHead {
        &self.heads[&lane]
    }

    fn head_mut(&mut self, lane: u16) -> &mut LaneHead {
        self.heads.get_mut(&lane).expect("a batch locks every lane it writes")
    }
}

/// The clock that runs out first while a claim waits for a person, or a denied person for notice.
pub(super) fn due(claim: &Claim, plans: &Plans) -> Option<Due> {
    let mut clocks = clocks(claim, plans);
    // A payment is waited for by other means than a desk.
    clocks.retain(|it| it.kind != ClockKind::Payment);
    let urgent = most_urgent(&clocks)?;
    Some(Due { clock: urgent.kind, warn: urgent.warn?, time: urgent.due? })
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("core types have only string keys")
}

/// What changed, as it is recorded, besides one claim.
pub(super) fn recorded_changes(
    told: &[Entry],
    besides: Option<ClaimId>,
) -> impl Iterator<Item = Told> {
    let news = told.iter().filter_map(|entry| Some((entry, entry.news.as_ref()?)));
    let others = news.filter(move |(_, news)| Some(news.claim_id) != besides);
    others.map(|(entry, news)| Told::of(entry, news))
}

/// What would change, besides one claim.
pub(super) fn tried_changes(
    lane: u16,
    time: Moment,
    effects: &[Effect],
    besides: Option<ClaimId>,
) -> impl Iterator<Item = Told> {
    let changes = effects.iter().filter_map(|effect| match effect {
        Effect::Claim(change) => Some(change),
        Effect::Member(_) | Effect::Merged { .. } => None,
    });
    let others = changes.filter(move |change| Some(change.claim.id) != besides);
    others.map(move |change| Told::untold(lane, time, ClaimEvent::of(change, None, None)))
}
