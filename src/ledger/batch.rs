//! One batch in one transaction: lock, read, decide, write, commit (`design.md` 5.1).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::documents::Documents;
use super::queue::{Ask, Job};
use super::record::{Recorded, Recorder};
use super::{Clock, Enrolled, EnrolmentChange, LedgerError, Mode, Submitted};
use crate::core::book::{Book, Command, Effect, Refusal};
use crate::core::claim::ClaimId;
use crate::core::plan::Plans;
use crate::core::settlement::Settlement;
use crate::feed::Entry;
use crate::store::{KeyRow, Store, StoreError, Tx};

/// The answer to one command of a batch that committed.
pub(super) enum Outcome {
    Submitted(Submitted),
    Enrolled(Enrolled),
    Refused(LedgerError),
    /// Not decided: it waited for a command of the same key that recorded nothing, or comes after
    /// one of the same member that did.
    PutBack,
}

/// Why a batch was rolled back as a whole.
pub(super) enum Trouble {
    /// Documents were published that this process has not read.
    Stale,
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

/// A batch that is settled and committed.
pub(super) struct Settled {
    /// The answers, in the order of the commands.
    pub(super) outcomes: Vec<Outcome>,
    /// What watchers are told.
    pub(super) told: Vec<Entry>,
}

type Key = (String, String);

/// Settles commands in order. Nothing is written unless everything is.
pub(super) async fn settle(
    store: &Store,
    documents: &Documents,
    clock: Clock,
    jobs: &[Job],
) -> Result<Settled, Trouble> {
    let mut tx = store.begin().await?;
    let mut lanes: Vec<u16> = jobs.iter().map(|job| job.lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let heads = tx.lock_lanes(&lanes).await?;
    if heads.iter().any(|head| head.documents_revision > documents.revision()) {
        return Err(Trouble::Stale);
    }
    let mut recorder = Recorder::new(heads, clock);
    let claim_ids: Vec<ClaimId> = jobs.iter().map(|job| number(job, &mut recorder)).collect();
    let mut keys = Keys::insert(&mut tx, jobs, &claim_ids).await?;
    let books = read_books(&mut tx, jobs, &keys).await?;
    let mut batch = Batch { tx, recorder, books, plans: documents.plans() };
    let mut outcomes = Vec::with_capacity(jobs.len());
    // Members whose later commands must not overtake one that was put back.
    let mut waiting = HashSet::new();
    for (job, claim_id) in jobs.iter().zip(claim_ids) {
        let outcome = if waiting.contains(&job.member_id) {
            keys.put_back(job)
        } else {
            batch.settle_one(job, claim_id, &mut keys).await?
        };
        if matches!(outcome, Outcome::PutBack) {
            waiting.insert(&job.member_id);
        }
        outcomes.push(outcome);
    }
    let Batch { mut tx, recorder, .. } = batch;
    if recorder.is_empty() {
        // Nothing but replays, refusals and previews: the keys go with the transaction.
        return Ok(Settled { outcomes, told: Vec::new() });
    }
    let unused = keys.unused();
    if !unused.is_empty() {
        tx.delete_keys(&unused).await?;
    }
    let Recorded { rows, told } = recorder.finish();
    tx.write(&rows).await?;
    tx.commit().await?;
    Ok(Settled { outcomes, told })
}

/// The number of a claim that the command may make; an import makes none.
fn number(job: &Job, recorder: &mut Recorder) -> ClaimId {
    match job.ask {
        Ask::Submit { .. } => recorder.next_claim(job.lane),
        Ask::Enrol { .. } => ClaimId { lane: job.lane, number: 0 },
    }
}

/// Who has which settlement key.
struct Keys(BTreeMap<Key, Owner>);

struct Owner {
    row: KeyRow,
    standing: Standing,
}

#[derive(PartialEq, Eq)]
enum Standing {
    /// The key was there before this batch, or its claim is recorded in it.
    Established,
    /// Inserted for a command that has not been settled.
    Waiting,
    /// Inserted for a command that recorded nothing; to be taken out again.
    Unused,
}

impl Keys {
    /// Inserts the batch's keys, sorted. What does not come back exists.
    async fn insert(tx: &mut Tx, jobs: &[Job], ids: &[ClaimId]) -> Result<Keys, StoreError> {
        let mut rows = BTreeMap::new();
        for (job, claim_id) in jobs.iter().zip(ids) {
            let Some(key) = key_of(job) else { continue };
            rows.entry(key).or_insert_with_key(|(source, settlement_id)| KeyRow {
                source: source.clone(),
                settlement_id: settlement_id.clone(),
                claim_id: *claim_id,
                member_id: job.member_id.clone(),
            });
        }
        if rows.is_empty() {
            return Ok(Keys(BTreeMap::new()));
        }
        let sorted: Vec<KeyRow> = rows.values().cloned().collect();
        let existing = tx.insert_keys(&sorted).await?;
        let standing = |row| Owner { row, standing: Standing::Waiting };
        let mut owners: BTreeMap<Key, Owner> =
            rows.into_iter().map(|(key, row)| (key, standing(row))).collect();
        for row in existing {
            let key = (row.source.clone(), row.settlement_id.clone());
            owners.insert(key, Owner { row, standing: Standing::Established });
        }
        Ok(Keys(owners))
    }

    fn owner(&mut self, key: &Key) -> &mut Owner {
        self.0.get_mut(key).expect("every key of the batch was inserted")
    }

    /// The keys that must not survive the batch.
    fn unused(&self) -> Vec<Key> {
        let unused = |(_, owner): &(&Key, &Owner)| owner.standing != Standing::Established;
        self.0.iter().filter(unused).map(|(key, _)| key.clone()).collect()
    }
}

/// The key of a settlement; a quote may have none.
fn key_of(job: &Job) -> Option<Key> {
    match &job.ask {
        Ask::Submit { settlement, .. } if !settlement.settlement_id.is_empty() => {
            Some((settlement.source.clone(), settlement.settlement_id.clone()))
        }
        Ask::Submit { .. } | Ask::Enrol { .. } => None,
    }
}

/// The books of the batch's members, with the claims whose keys came again.
async fn read_books(
    tx: &mut Tx,
    jobs: &[Job],
    keys: &Keys,
) -> Result<HashMap<String, Book>, StoreError> {
    let mut members: Vec<(u16, String)> =
        jobs.iter().map(|job| (job.lane, job.member_id.clone())).collect();
    members.sort_unstable();
    members.dedup();
    let recorded = tx.books(&members).await?;
    let mut books: HashMap<String, Book> =
        recorded.into_iter().map(|book| (book.member_id.clone(), book)).collect();
    let known = keys.0.values().filter(|owner| owner.standing == Standing::Established);
    let of_members = known.filter(|owner| books.contains_key(&owner.row.member_id));
    let ids: Vec<ClaimId> = of_members.map(|owner| owner.row.claim_id).collect();
    if !ids.is_empty() {
        for claim in tx.claims(&ids).await? {
            if let Some(book) = books.get_mut(&claim.member_id) {
                book.claims.push(claim.into());
            }
        }
    }
    for (_, member_id) in members {
        books.entry(member_id.clone()).or_insert_with(|| Book::new(member_id));
    }
    Ok(books)
}

struct Batch {
    tx: Tx,
    recorder: Recorder,
    books: HashMap<String, Book>,
    plans: std::sync::Arc<Plans>,
}

impl Batch {
    /// Settles one command on a copy of its member's book and keeps the copy when it recorded.
    async fn settle_one(
        &mut self,
        job: &Job,
        claim_id: ClaimId,
        keys: &mut Keys,
    ) -> Result<Outcome, StoreError> {
        let key = key_of(job);
        if let Some(key) = &key {
            let owner = keys.owner(key);
            let is_first = owner.row.claim_id == claim_id;
            match owner.standing {
                // The row in the table names the command that recorded nothing.
                Standing::Unused if job.mode == Mode::Record => return Ok(Outcome::PutBack),
                Standing::Established if owner.row.member_id != job.member_id => {
                    let fields = vec!["member"];
                    let claim_id = owner.row.claim_id;
                    return Ok(Outcome::Refused(conflict(key, claim_id, fields)));
                }
                // A preview of an unused key sees what it would see alone.
                Standing::Established | Standing::Unused => {}
                Standing::Waiting => debug_assert!(is_first, "the first command settles the key"),
            }
        }
        let was_on_roster = self.books[&job.member_id].roster.external_id.is_some();
        let applied = self.apply(job, claim_id).await?;
        let (mut book, effects) = match applied {
            Ok(applied) => applied,
            Err(error) => {
                if let Some(key) = &key {
                    keys.release(key);
                }
                return Ok(Outcome::Refused(error));
            }
        };
        let changed = !effects.is_empty();
        if job.mode == Mode::Record {
            let before = &self.books[&job.member_id].counters;
            self.recorder.record(job.lane, &mut book, before, effects);
            if let Some(key) = &key {
                keys.owner(key).standing = Standing::Established;
            }
        } else if let Some(key) = &key {
            keys.release(key);
        }
        let outcome = match &job.ask {
            Ask::Submit { settlement, .. } => submitted(&book, settlement, !changed),
            Ask::Enrol { .. } => Outcome::Enrolled(Enrolled {
                member_id: job.member_id.clone(),
                change: match (was_on_roster, changed) {
                    (false, _) => EnrolmentChange::Created,
                    (true, true) => EnrolmentChange::Changed,
                    (true, false) => EnrolmentChange::Unchanged,
                },
            }),
        };
        if job.mode == Mode::Record {
            self.books.insert(job.member_id.clone(), book);
        }
        Ok(outcome)
    }

    /// Applies the command to a copy of the book. A panic refuses this command only.
    async fn apply(
        &mut self,
        job: &Job,
        claim_id: ClaimId,
    ) -> Result<Result<(Book, Vec<Effect>), LedgerError>, StoreError> {
        let command = match &job.ask {
            Ask::Submit { settlement, person_unclear, .. } => Command::Submit {
                claim_id,
                settlement: settlement.clone(),
                person_unclear: *person_unclear,
            },
            Ask::Enrol { import, .. } => Command::Enrol { import: import.clone() },
        };
        let now = self.recorder.time(job.lane);
        loop {
            let mut book = self.books[&job.member_id].clone();
            let apply = AssertUnwindSafe(|| {
                let effects = book.apply(&command, now, &self.plans);
                (book, effects)
            });
            let Ok((book, effects)) = catch_unwind(apply) else {
                tracing::error!("a command panicked and was refused; the batch goes on");
                return Ok(Err(LedgerError::CommandFailed));
            };
            match effects {
                Ok(effects) => return Ok(Ok((book, effects))),
                Err(Refusal::NeedsHistory) => self.complete(job).await?,
                Err(Refusal::AnotherPerson) => return Ok(Err(LedgerError::IdentityConflict)),
                Err(Refusal::Overlap(overlap)) => return Ok(Err(LedgerError::Overlap(overlap))),
                Err(Refusal::Conflict { claim_id, fields }) => {
                    let key = key_of(job).expect("only a settlement with a key conflicts");
                    return Ok(Err(conflict(&key, claim_id, fields)));
                }
            }
        }
    }

    /// Gives a book its whole history. Claims that this batch changed stay as they are.
    async fn complete(&mut self, job: &Job) -> Result<(), StoreError> {
        let history = self.tx.history(job.lane, &job.member_id).await?;
        let book = self.books.get_mut(&job.member_id).expect("every member has a book");
        for claim in history {
            if book.claims.iter().all(|known| known.id != claim.id) {
                book.claims.push(claim.into());
            }
        }
        book.claims.sort_by_key(|claim| claim.id);
        book.is_full = true;
        Ok(())
    }
}

impl Keys {
    /// The command waits for the next batch, which inserts its key again.
    fn put_back(&mut self, job: &Job) -> Outcome {
        if let Some(key) = key_of(job) {
            self.release(&key);
        }
        Outcome::PutBack
    }

    /// The command recorded nothing: its key goes, unless it was there before.
    fn release(&mut self, key: &Key) {
        let owner = self.owner(key);
        if owner.standing == Standing::Waiting {
            owner.standing = Standing::Unused;
        }
    }
}

fn submitted(book: &Book, settlement: &Settlement, replayed: bool) -> Outcome {
    match book.claim_of(settlement) {
        Some(claim) => Outcome::Submitted(Submitted { claim: claim.clone(), replayed }),
        None => Outcome::Refused(LedgerError::CommandFailed),
    }
}

fn conflict(key: &Key, claim_id: ClaimId, fields: Vec<&'static str>) -> LedgerError {
    let (source_id, settlement_id) = key.clone();
    LedgerError::Conflict { source_id, settlement_id, claim_id, fields }
}
