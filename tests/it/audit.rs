//! The auditor: reads a whole database past the store, on connections that saw nothing before, and
//! checks that it is what its logs say. Any lost, doubled or interleaved write shows here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greenlane::core::book::{Because, Book, Cause, Command, Departure, Effect, Seen};
use greenlane::core::claim::{Claim, ClaimId};
use greenlane::core::day::Moment;
use greenlane::core::decision::{CounterKey, Counters};
use greenlane::core::event::{ClaimEvent, Event, MergeEvent, event_hash, facts_digest};
use greenlane::core::figures::{Figure, FigureKind};
use greenlane::core::member::Roster;
use greenlane::core::plan::document;
use greenlane::core::plan::{Plan, Plans};
use greenlane::core::settlement::FollowUp;
use greenlane::store::{ClaimCursor, ClaimFilter};

use crate::support::Database;
use crate::world::open_store;

/// What a database holds, after every check.
pub(crate) struct Audit {
    /// All claims, by number.
    pub(crate) claims: BTreeMap<ClaimId, Claim>,
    /// All members, as a replay of their lanes leaves them.
    pub(crate) books: BTreeMap<String, Book>,
    /// The log of each lane.
    pub(crate) lanes: Vec<Vec<Event>>,
}

impl Audit {
    /// The claim of a settlement; there must be exactly one.
    #[track_caller]
    pub(crate) fn claim(&self, settlement_id: &str) -> &Claim {
        let mut found = self.claims.values();
        let found = found.find(|claim| claim.settlement.settlement_id == settlement_id);
        found.unwrap_or_else(|| panic!("no claim of settlement {settlement_id}"))
    }

    /// How often a settlement changed a claim: once, and once more for each supplement.
    pub(crate) fn changes(&self, settlement_id: &str) -> usize {
        let is_change = |event: &&Event| match event {
            Event::Claim(it) => it.settlement_id == settlement_id && it.cause != Cause::Redecided,
            _ => false,
        };
        self.lanes.iter().flatten().filter(is_change).count()
    }
}

/// Checks everything. Nobody may write meanwhile.
pub(crate) async fn audit(database: &Database) -> Audit {
    let (lanes, facts) = chains(database).await;
    let documents = documents(database).await;
    let mut replay = Replay {
        logs: &lanes,
        lanes: lanes.iter().map(|_| LaneReplay::default()).collect(),
        documents: &documents,
        facts: &facts,
        departures: BTreeMap::new(),
    };
    replay.run();
    let mut books = BTreeMap::new();
    for (lane, replayed) in (0..).zip(replay.lanes) {
        let plans = documents.values().filter(|it| matches!(it, Published::Plan(_))).count();
        assert_eq!(replayed.plans.all().count(), plans, "lane {lane} names every plan");
        for (member, book) in replayed.books {
            assert!(books.insert(member, (lane, book)).is_none(), "a member has one lane");
        }
    }
    let claims = claims(database).await;
    let replayed = books.values().flat_map(|(_, book)| &book.claims);
    let replayed: BTreeMap<_, _> = replayed.map(|claim| (claim.id, (**claim).clone())).collect();
    assert_eq!(claims.len(), replayed.len());
    for (id, claim) in &claims {
        assert_eq!(Some(claim), replayed.get(id), "claim {id} is what its lane's log says");
    }
    keys(database, &claims).await;
    tables(database, &books).await;
    let books = books.into_iter().map(|(member, (_, book))| (member, book)).collect();
    let strip = |log: Vec<Logged>| log.into_iter().map(|logged| logged.event).collect();
    Audit { claims, books, lanes: lanes.into_iter().map(strip).collect() }
}

/// One entry of a log.
struct Logged {
    position: i64,
    time: Moment,
    event: Event,
}

type Facts = BTreeMap<(u16, i64), String>;

/// Positions without gaps, times that never run back, hashes that close, digests that match.
async fn chains(database: &Database) -> (Vec<Vec<Logged>>, Facts) {
    let heads: Vec<(i32, i64, String, i64, i64)> = database
        .rows("select lane, position, hash, time_us, documents_revision from lane order by lane")
        .await;
    let revision: Vec<(i64,)> = database.rows("select documents_revision from ledger").await;
    let mut lanes: Vec<Vec<Logged>> = heads.iter().map(|_| Vec::new()).collect();
    let mut ends = vec![(0, String::new(), 0); heads.len()];
    let events: Vec<(i32, i64, i64, String, String)> = database
        .rows("select lane, position, time_us, hash, body from event order by lane, position")
        .await;
    for (lane, position, time, hash, body) in events {
        let number = u16::try_from(lane).unwrap();
        let end = &mut ends[usize::from(number)];
        assert_eq!(position, end.0 + 1, "lane {lane} has no gaps");
        assert!(time >= end.2, "time never runs backwards in lane {lane}");
        let time = Moment::from_micros(time);
        let redone = event_hash(&end.1, number, position, time, &body);
        assert_eq!(hash, redone, "the chain of lane {lane} holds at {position}");
        *end = (position, hash, time.micros());
        let event = serde_json::from_str(&body).unwrap();
        lanes[usize::from(number)].push(Logged { position, time, event });
    }
    for ((lane, position, hash, time, documents_revision), end) in heads.into_iter().zip(ends) {
        let (end_position, end_hash, end_time) = end;
        assert_eq!((position, hash), (end_position, end_hash), "the head of lane {lane}");
        assert!(time >= end_time);
        assert_eq!(documents_revision, revision[0].0, "lane {lane} knows every document");
    }
    (lanes, facts(database).await)
}

/// Facts by position. Their digests are checked here, their use in [`Replay`].
async fn facts(database: &Database) -> Facts {
    let rows: Vec<(i32, i64, String, String, String)> = database
        .rows(
            "select f.lane, f.position, f.salt, f.body, e.body from fact f \
             left join event e on e.lane = f.lane and e.position = f.position",
        )
        .await;
    let mut facts = Facts::new();
    for (lane, position, salt, body, event) in rows {
        let digest = match serde_json::from_str(&event).unwrap() {
            Event::Claim(claim) => claim.facts.or(claim.texts),
            Event::Member(member) => Some(member.facts),
            Event::Document(_) | Event::Merge(_) => None,
        };
        assert_eq!(digest, Some(facts_digest(&salt, &body)), "facts of {lane}/{position}");
        facts.insert((u16::try_from(lane).unwrap(), position), body);
    }
    facts
}

/// What decisions stand on.
enum Published {
    Plan(Arc<Plan>),
    Figure(Figure),
}

async fn documents(database: &Database) -> BTreeMap<String, Published> {
    let rows: Vec<(String, String, String)> =
        database.rows("select kind, hash, body from document where kind <> 'profile'").await;
    let read = |(kind, hash, body): (String, String, String)| {
        let figure = |kind| Published::Figure(Figure::read(kind, &body).unwrap());
        let read = match &*kind {
            "baseline" => figure(FigureKind::Baseline),
            "shared_accounts" => figure(FigureKind::SharedAccounts),
            "calendar" => figure(FigureKind::Calendar),
            _ => {
                let plan = document::read(&body).unwrap();
                assert_eq!(plan.hash, hash);
                Published::Plan(Arc::new(plan))
            }
        };
        (hash, read)
    };
    rows.into_iter().map(read).collect()
}

/// The lanes lived again from their logs alone. Each by itself, but one that takes in a member of
/// another waits until that one has let go of it.
struct Replay<'a> {
    logs: &'a [Vec<Logged>],
    lanes: Vec<LaneReplay>,
    documents: &'a BTreeMap<String, Published>,
    facts: &'a Facts,
    /// What left a member, by lane and position of its event.
    departures: BTreeMap<(u16, i64), Arc<Departure>>,
}

#[derive(Default)]
struct LaneReplay {
    at: usize,
    plans: Plans,
    books: BTreeMap<String, Book>,
}

impl Replay<'_> {
    fn run(&mut self) {
        for lane in 0..u16::try_from(self.logs.len()).unwrap() {
            while self.step(lane) {}
        }
    }

    /// Gives the next cause of a lane to a fresh book; what the book answers is what follows in the
    /// log. `false` at its end.
    fn step(&mut self, lane: u16) -> bool {
        let index = usize::from(lane);
        let log = &self.logs[index];
        let at = self.lanes[index].at;
        let Some(first) = log.get(at) else { return false };
        let mut next = at;
        let (member, command) = match &first.event {
            Event::Document(document) => {
                match self.documents.get(&document.hash) {
                    Some(Published::Plan(plan)) => self.lanes[index].plans.publish(plan.clone()),
                    Some(Published::Figure(figure)) => {
                        self.lanes[index].plans.publish_figure(figure.clone());
                    }
                    None => assert_eq!(document.document, "profile"),
                }
                self.lanes[index].at += 1;
                return true;
            }
            Event::Merge(it) => match it.closed {
                None => (it.member.clone(), self.leave(lane, first.position, it, &log[at + 1..])),
                Some((from, position)) => {
                    // The marker itself is no effect.
                    next += 1;
                    while !self.departures.contains_key(&(from, position)) {
                        assert!(self.step(from), "the other lane let go of the member");
                    }
                    let departure = self.departures[&(from, position)].clone();
                    (it.into.clone(), Command::Join { departure })
                }
            },
            Event::Member(it) => {
                let roster: Roster = self.read(lane, first.position);
                // Nobody imports an empty roster: a settlement's person was seen first.
                if roster == Roster::default() {
                    (it.member.clone(), self.command(lane, &log[at + 1]))
                } else {
                    (it.member.clone(), Command::Enrol { import: Arc::new(roster) })
                }
            }
            Event::Claim(it) => (it.member.clone(), self.command(lane, first)),
        };
        let replay = &mut self.lanes[index];
        let mut book = replay.books.remove(&member).unwrap_or_else(|| Book::new(member.clone()));
        let effects = book.apply(&command, first.time, &replay.plans);
        let effects = effects.expect("what was recorded is not refused");
        assert!(!effects.is_empty(), "what was recorded twice: {:?}", first.event);
        for effect in effects {
            self.follow(lane, &mut book, effect, &log[next]);
            next += 1;
        }
        let replay = &mut self.lanes[index];
        replay.books.insert(member, book);
        replay.at = next;
        true
    }

    fn leave(&mut self, lane: u16, position: i64, merge: &MergeEvent, rest: &[Logged]) -> Command {
        let moved = |logged: &Logged| match &logged.event {
            Event::Claim(it) if it.cause == Cause::Moved && it.member == merge.member => {
                Some((ClaimId { lane, number: it.claim }, it.moved_to?))
            }
            _ => None,
        };
        let numbers: BTreeMap<ClaimId, ClaimId> = rest.iter().map_while(moved).collect();
        let book = &self.lanes[usize::from(lane)].books[&merge.member];
        let departure = book.departure(&numbers, merge.cleared.clone());
        self.departures.insert((lane, position), Arc::new(departure));
        Command::Leave {
            into: merge.into.clone(),
            numbers: Arc::new(numbers),
            cleared: merge.cleared.clone(),
        }
    }

    fn command(&self, lane: u16, logged: &Logged) -> Command {
        let Event::Claim(event) = &logged.event else { panic!("a claim follows its member") };
        let claim_id = ClaimId { lane, number: event.claim };
        if event.because == Some(Because::Plan) {
            return Command::Publish;
        }
        assert_ne!(event.cause, Cause::Redecided, "a redecision follows its cause");
        if let Some(act) = &event.act {
            let texts = event.texts.as_ref().map(|_| self.read(lane, logged.position));
            let texts = Arc::new(texts.unwrap_or_default());
            return Command::Review { claim_id, act: act.clone(), texts };
        }
        if let Some(reversal) = &event.reversal {
            assert_eq!(event.cause, Cause::Reversed);
            return Command::FollowUp(FollowUp::Reversal(reversal.clone()), Seen::default());
        }
        let (person_unclear, invoice_of) = (event.person_unclear, event.invoice_of);
        Command::Submit {
            claim_id,
            settlement: Arc::new(self.read(lane, logged.position)),
            seen: Seen { person_unclear, invoice_of: [invoice_of, None], has_neighbours: false },
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, lane: u16, position: i64) -> T {
        serde_json::from_str(&self.facts[&(lane, position)]).unwrap()
    }

    /// What the replay does is what was recorded, to the last step and counter.
    fn follow(&self, lane: u16, book: &mut Book, effect: Effect, logged: &Logged) {
        match (effect, &logged.event) {
            (Effect::Member(roster), Event::Member(event)) => {
                assert_eq!(event.member, book.member_id);
                assert_eq!(*roster, self.read(lane, logged.position));
            }
            (Effect::Merged { into, .. }, Event::Merge(event)) => assert_eq!(into, event.into),
            (Effect::Claim(mut change), Event::Claim(event)) => {
                let known = book.claims.iter().find(|known| known.id == change.claim.id);
                let revision = known.map_or(0, |known| known.revision);
                if revision > change.claim.revision {
                    Arc::make_mut(&mut change.claim).revision = revision;
                }
                assert_eq!(change.facts_changed, event.facts.is_some());
                let (facts, texts) = (event.facts.clone(), event.texts.clone());
                assert_eq!(ClaimEvent::of(&change, facts, texts), **event);
                let known = book.claims.iter_mut().find(|known| known.id == change.claim.id);
                let recorded = Claim { revision: logged.position, ..(*change.claim).clone() };
                *known.unwrap() = Arc::new(recorded);
            }
            (effect, event) => panic!("{effect:?} was recorded as {event:?}"),
        }
    }
}

/// All claims, page by page, from a server that starts now.
async fn claims(database: &Database) -> BTreeMap<ClaimId, Claim> {
    let store = open_store(database).await;
    let (mut claims, mut after) = (BTreeMap::new(), None);
    loop {
        let page = store.claims_page(&ClaimFilter::default(), after, 500).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(ClaimCursor { create_time: last.create_time, id: last.id });
        claims.extend(page.into_iter().map(|claim| (claim.id, claim)));
    }
    store.close().await;
    claims
}

/// Every claim has its key, and no key is without a claim.
async fn keys(database: &Database, claims: &BTreeMap<ClaimId, Claim>) {
    let rows: Vec<(String, String, i32, i64, String)> = database
        .rows("select source, settlement_id, lane, claim_no, member_id from settlement_key")
        .await;
    let count = rows.len();
    let stored: BTreeSet<_> = rows.into_iter().collect();
    let of_claim = |claim: &Claim| {
        let (source, id) = (claim.settlement.source.clone(), &claim.settlement.settlement_id);
        (source, id.clone(), i32::from(claim.id.lane), claim.id.number, claim.member_id.clone())
    };
    // The key of a claim that moved is that of the one in its place.
    let keyed = claims.values().filter(|claim| claim.moved_to.is_none());
    let keyed: BTreeSet<_> = keyed.map(of_claim).collect();
    assert_eq!(count, keyed.len(), "one key for each claim");
    assert_eq!(stored, keyed);
}

/// Members and counters are what the logs add up to.
async fn tables(database: &Database, books: &BTreeMap<String, (u16, Book)>) {
    let members: Vec<(i32, String)> =
        database.rows("select lane, member_id from member order by member_id").await;
    let logged = books.iter().map(|(member, (lane, _))| (i32::from(*lane), member.clone()));
    assert_eq!(members, logged.collect::<Vec<_>>());
    let counters: Vec<(String, String, String, String, i64, i64, i64)> = database
        .rows(
            "select member_id, plan_id, period_start, responsibility, deductible_fen, \
             burden_fen, paid_fen from counter",
        )
        .await;
    let stored: BTreeSet<_> = counters.into_iter().collect();
    let of_book = |book: &Book| {
        let row = |(key, used): (&CounterKey, &Counters)| {
            (
                book.member_id.clone(),
                key.plan_id.clone(),
                key.period_start.to_string(),
                key.responsibility.clone(),
                used.deductible.fen(),
                used.burden.fen(),
                used.paid.fen(),
            )
        };
        book.counters.iter().map(row).collect::<Vec<_>>()
    };
    let logged = books.values().flat_map(|(_, book)| of_book(book));
    assert_eq!(stored, logged.collect(), "counters");
}
