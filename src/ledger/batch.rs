//! One batch in one transaction: lock, read, decide, write, commit (`design.md` 5.1).

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::documents::Documents;
use super::keys::{Key, Keys, Standing, key_of};
use super::queue::{Ask, Job};
use super::record::{Recorded, Recorder, recorded_changes, tried_changes};
use super::requests::Requests;
use super::surroundings::Surroundings;
use super::waiting::{Completed, Waiting};
use super::{Clock, Enrolled, EnrolmentChange, LedgerError, Mode, Submitted};
use crate::core::book::{Book, Command, Effect, Refusal, ReviewRefusal, Seen};
use crate::core::claim::{ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::plan::Plans;
use crate::core::review::Deed;
use crate::core::settlement::{Comparison, FollowUp, Settlement};
use crate::feed::{Entry, Told};
use crate::store::{ParkedRow, Store, StoreError, Tx};

/// The answer to one command of a batch that committed.
pub(super) enum Outcome {
    Submitted(Submitted),
    Enrolled(Enrolled),
    Refused(LedgerError),
    /// Nothing was done: the member is this one by now.
    Moved(String),
    /// Not decided: it waited for a command of the same key that recorded nothing, or comes after
    /// one of the same member that did.
    PutBack,
}

/// Why a batch was rolled back as a whole.
pub(super) enum Trouble {
    /// Documents were published that this process has not read.
    Stale,
    /// Another server carried out one of its requests meanwhile.
    Overtaken,
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
    let plans = documents.plans();
    let mut recorder = Recorder::new(heads, clock, plans.clone());
    let claim_ids: Vec<ClaimId> = jobs.iter().map(|job| number(job, &mut recorder)).collect();
    let mut keys = Keys::insert(&mut tx, jobs, &claim_ids).await?;
    let books = read_books(&mut tx, jobs, &keys).await?;
    let waiting = Waiting::read(&mut tx, jobs, &keys).await?;
    let requests = Requests::read(&mut tx, jobs).await?;
    let surroundings = Surroundings::read(&mut tx, jobs, &waiting, &plans).await?;
    let mut batch = Batch { tx, recorder, books, plans, waiting, requests, surroundings };
    let mut outcomes = Vec::with_capacity(jobs.len());
    // Members whose later commands must not overtake one that was put back.
    let mut held_up = HashSet::new();
    for (job, claim_id) in jobs.iter().zip(claim_ids) {
        let outcome = if held_up.contains(&job.member_id) {
            keys.put_back(job)
        } else {
            batch.settle_one(job, claim_id, &mut keys).await?
        };
        if matches!(outcome, Outcome::PutBack) {
            held_up.insert(&job.member_id);
        }
        outcomes.push(outcome);
    }
    let Batch { mut tx, recorder, mut waiting, requests, .. } = batch;
    if recorder.is_empty() && waiting.is_untouched() {
        // Nothing but replays, refusals and previews: the keys go with the transaction.
        return Ok(Settled { outcomes, told: Vec::new() });
    }
    let unused = keys.unused();
    if !unused.is_empty() {
        tx.delete_keys(&unused).await?;
    }
    if !requests.write(&mut tx).await? {
        return Err(Trouble::Overtaken);
    }
    waiting.write(&mut tx).await?;
    let Recorded { rows, told } = recorder.finish();
    tx.write(&rows).await?;
    tx.commit().await?;
    Ok(Settled { outcomes, told })
}

/// The number of a claim that the command may make; only a settlement makes one.
fn number(job: &Job, recorder: &mut Recorder) -> ClaimId {
    match job.ask {
        Ask::Submit { .. } => recorder.next_claim(job.lane),
        Ask::FollowUp { .. } | Ask::Enrol { .. } | Ask::Review { .. } => {
            ClaimId { lane: job.lane, number: 0 }
        }
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
    let of_members = keys.established().filter(|row| books.contains_key(&row.member_id));
    let mut ids: Vec<ClaimId> = of_members.map(|row| row.claim_id).collect();
    ids.extend(jobs.iter().filter_map(|job| match &job.ask {
        Ask::Review { claim_id, .. } => Some(*claim_id),
        Ask::Submit { .. } | Ask::FollowUp { .. } | Ask::Enrol { .. } => None,
    }));
    ids.sort_unstable();
    ids.dedup();
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
    plans: Arc<Plans>,
    waiting: Waiting,
    requests: Requests,
    surroundings: Surroundings,
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
        if let Some(outcome) = self.requests.outcome(job, &self.books[&job.member_id]) {
            return Ok(outcome);
        }
        if let Some(outcome) = self.moved(job, keys) {
            return Ok(outcome);
        }
        if let Some(outcome) = self.of_another(job, claim_id, keys).await? {
            return Ok(outcome);
        }
        let was_on_roster = self.books[&job.member_id].roster.external_id.is_some();
        let completed = self.completed(job).await?;
        let settlement = completed.as_ref().map(|it| it.settlement.clone());
        let applied = self.apply(job, claim_id, settlement).await?;
        let (mut book, mut effects) = match applied {
            Ok(applied) => applied,
            Err(outcome) => {
                if let Some(key) = &key {
                    keys.release(key);
                }
                return Ok(outcome);
            }
        };
        if let Some(completed) = completed {
            self.see_to_waiting(completed, job, claim_id, &mut book, &mut effects);
        }
        let changed = !effects.is_empty();
        let subject = subject(job, &book);
        let mut others = Vec::new();
        if job.mode == Mode::Record {
            let before = &self.books[&job.member_id];
            let told = self.recorder.record(job.lane, &mut book, before, effects);
            others.extend(recorded_changes(told, subject));
            self.requests.made(job, told);
            self.surroundings.recorded(&book, subject);
            if changed {
                self.recorder.step(job.lane);
            }
            if let Some(key) = &key {
                keys.owner(key).standing = Standing::Established;
            }
        } else {
            let time = self.recorder.time(job.lane);
            others.extend(tried_changes(job.lane, time, &effects, subject));
            if let Some(key) = &key {
                keys.release(key);
            }
        }
        let outcome = match &job.ask {
            Ask::Submit { .. } | Ask::FollowUp { .. } | Ask::Review { .. } => {
                submitted(&book, subject, !changed, others)
            }
            Ask::Enrol { .. } => {
                let change = match (was_on_roster, changed) {
                    (false, _) => EnrolmentChange::Created,
                    (true, true) => EnrolmentChange::Changed,
                    (true, false) => EnrolmentChange::Unchanged,
                };
                let member_id = job.member_id.clone();
                Outcome::Enrolled(Enrolled { member_id, change, changes: others })
            }
        };
        if job.mode == Mode::Record {
            if let Ask::FollowUp { parked_id: Some(parked_id), .. } = &job.ask {
                self.waiting.applied(parked_id.clone());
            }
            self.books.insert(job.member_id.clone(), book);
        }
        Ok(outcome)
    }

    /// What becomes of a command whose member is another one by now.
    fn moved(&self, job: &Job, keys: &mut Keys) -> Option<Outcome> {
        let into = self.books[&job.member_id].merged_into.clone()?;
        match &job.ask {
            // What was taken back before stays here: the book knows.
            Ask::FollowUp { .. } => None,
            Ask::Review { act, .. } if act.deed == Deed::Comment => None,
            Ask::Review { claim_id, .. } => Some(Outcome::Refused(LedgerError::Review {
                claim_id: *claim_id,
                refusal: Box::new(ReviewRefusal::State { state: ClaimState::Voided }),
            })),
            Ask::Submit { .. } | Ask::Enrol { .. } => {
                if let Some(key) = key_of(job) {
                    keys.release(&key);
                }
                Some(Outcome::Moved(into))
            }
        }
    }

    /// What becomes of a settlement whose key another command or another member has.
    async fn of_another(
        &mut self,
        job: &Job,
        claim_id: ClaimId,
        keys: &mut Keys,
    ) -> Result<Option<Outcome>, StoreError> {
        let (Some(key), Ask::Submit { settlement, .. }) = (key_of(job), &job.ask) else {
            return Ok(None);
        };
        let owner = keys.owner(&key);
        match owner.standing {
            // The row in the table names the command that recorded nothing.
            Standing::Unused if job.mode == Mode::Record => return Ok(Some(Outcome::PutBack)),
            Standing::Established if owner.row.member_id != job.member_id => {}
            // A preview of an unused key sees what it would see alone.
            Standing::Established | Standing::Unused => return Ok(None),
            Standing::Waiting => {
                debug_assert!(owner.row.claim_id == claim_id, "the first command settles the key");
                return Ok(None);
            }
        }
        let known = self.tx.claims(&[owner.row.claim_id]).await?.pop();
        // Taken back before its member proved to be another one: it stayed where it was.
        if let Some(claim) = known.filter(|claim| claim.state() == ClaimState::Voided)
            && !matches!(claim.settlement.compare(settlement), Comparison::Conflict(_))
        {
            let (claim, changes) = (Arc::new(claim), Vec::new());
            let done = Submitted { claim, replayed: true, changes, told: None };
            return Ok(Some(Outcome::Submitted(done)));
        }
        let refused = conflict(&key, owner.row.claim_id, vec!["member"]);
        Ok(Some(Outcome::Refused(refused)))
    }

    /// Applies the command to a copy of the book. A panic refuses this command only.
    async fn apply(
        &mut self,
        job: &Job,
        claim_id: ClaimId,
        completed: Option<Arc<Settlement>>,
    ) -> Result<Result<(Book, Vec<Effect>), Outcome>, StoreError> {
        let command = match &job.ask {
            Ask::Submit { settlement, person_unclear, .. } => {
                let settlement = completed.unwrap_or_else(|| settlement.clone());
                let seen = self.surroundings.seen(&settlement, *person_unclear);
                Command::Submit { claim_id, settlement, seen }
            }
            Ask::FollowUp { what, .. } => Command::FollowUp(what.clone(), self.seen_for(what)),
            Ask::Enrol { import, .. } => Command::Enrol { import: import.clone() },
            Ask::Review { claim_id, act, texts, .. } => {
                Command::Review { claim_id: *claim_id, act: act.clone(), texts: texts.clone() }
            }
        };
        let now = self.recorder.time(job.lane);
        loop {
            let book = &self.books[&job.member_id];
            match tried(book, &command, now, &self.plans) {
                Some(Ok(applied)) => return Ok(Ok(applied)),
                Some(Err(Refusal::NeedsHistory)) => self.complete(job).await?,
                Some(Err(Refusal::Review(refusal))) => {
                    let claim_id = match &job.ask {
                        Ask::Review { claim_id, .. } => *claim_id,
                        _ => claim_id,
                    };
                    let refusal = Box::new(refusal);
                    let refused = LedgerError::Review { claim_id, refusal };
                    return Ok(Err(Outcome::Refused(refused)));
                }
                Some(Err(Refusal::Moved { into })) => return Ok(Err(Outcome::Moved(into))),
                Some(Err(refusal)) => return Ok(Err(Outcome::Refused(refused(book, refusal)))),
                None => return Ok(Err(Outcome::Refused(LedgerError::CommandFailed))),
            }
        }
    }

    /// The settlement of a job with the facts that waited for it; `None` where nothing waited.
    async fn completed(&mut self, job: &Job) -> Result<Option<Completed>, StoreError> {
        let rows = self.waiting.of(job);
        let Ask::Submit { settlement, .. } = &job.ask else { return Ok(None) };
        if rows.is_empty() {
            return Ok(None);
        }
        self.complete(job).await?;
        Ok(Some(Waiting::completed(settlement, &self.books[&job.member_id], rows)))
    }

    /// Notes what became of everything that waited for a settlement that is applied now.
    fn see_to_waiting(
        &mut self,
        completed: Completed,
        job: &Job,
        claim_id: ClaimId,
        book: &mut Book,
        effects: &mut Vec<Effect>,
    ) {
        if job.mode == Mode::Record {
            let now = self.recorder.time(job.lane);
            completed.used.into_iter().for_each(|id| self.waiting.applied(id));
            for (row, fields) in completed.refused {
                let key = key_of(job).unwrap_or_default();
                self.waiting.refused(&row, &conflict(&key, claim_id, fields), now);
            }
        }
        for row in completed.rest {
            self.apply_waiting(&row, job, book, effects);
        }
    }

    /// Applies what waited for the settlement of a job to the book in which that is recorded. What
    /// cannot be applied is kept as a reject; what fits nothing goes on waiting.
    fn apply_waiting(
        &mut self,
        row: &ParkedRow,
        job: &Job,
        book: &mut Book,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.recorder.time(job.lane);
        let Some(what) = Waiting::follow_up(row) else { return };
        let seen = self.seen_for(&what);
        match tried(book, &Command::FollowUp(what, seen), now, &self.plans) {
            Some(Ok((after, more))) => {
                *book = after;
                effects.extend(more);
                if job.mode == Mode::Record {
                    self.waiting.applied(row.parked_id.clone());
                }
            }
            Some(Err(Refusal::NothingFits)) | None => {}
            Some(Err(refusal)) if job.mode == Mode::Record => {
                self.waiting.refused(row, &refused(book, refusal), now);
            }
            Some(Err(_)) => {}
        }
    }

    fn seen_for(&self, what: &FollowUp) -> Seen {
        match what {
            FollowUp::Supplement(it) => self.surroundings.seen(&it.facts, false),
            FollowUp::Reversal(_) => Seen::default(),
        }
    }

    /// Gives a book its whole history. Claims that this batch changed stay as they are.
    async fn complete(&mut self, job: &Job) -> Result<(), StoreError> {
        let history = self.tx.history(job.lane, &job.member_id).await?;
        let book = self.books.get_mut(&job.member_id).expect("every member has a book");
        book.complete(history, &self.plans);
        Ok(())
    }
}

/// Applies a command to a copy of a book. `None` when it panicked, which refuses this command only.
fn tried(
    book: &Book,
    command: &Command,
    now: Moment,
    plans: &Plans,
) -> Option<Result<(Book, Vec<Effect>), Refusal>> {
    let mut book = book.clone();
    let apply = AssertUnwindSafe(|| book.apply(command, now, plans).map(|effects| (book, effects)));
    let outcome = catch_unwind(apply);
    if outcome.is_err() {
        tracing::error!("a command panicked and was refused; the batch goes on");
    }
    outcome.ok()
}

/// A refusal with what the caller has to know.
fn refused(book: &Book, refusal: Refusal) -> LedgerError {
    match refusal {
        Refusal::NothingFits => LedgerError::NothingFits,
        Refusal::ReversalDiffers { claim_id, field } => {
            LedgerError::ReversalDiffers { claim_id, field }
        }
        Refusal::AnotherPerson => LedgerError::IdentityConflict,
        Refusal::Overlap(overlap) => LedgerError::Overlap(overlap),
        Refusal::NoSuchClaim => LedgerError::ClaimNotFound,
        // Answered where they are met.
        Refusal::NeedsHistory | Refusal::Review(_) | Refusal::Moved { .. } => {
            LedgerError::CommandFailed
        }
        Refusal::Conflict { claim_id, fields } => {
            let known = book.claims.iter().find(|claim| claim.id == claim_id);
            let key = known.map(|claim| {
                (claim.settlement.source.clone(), claim.settlement.settlement_id.clone())
            });
            conflict(&key.unwrap_or_default(), claim_id, fields)
        }
    }
}

/// The claim that a command is about.
fn subject(job: &Job, book: &Book) -> Option<ClaimId> {
    match &job.ask {
        Ask::Submit { settlement, .. } => book.claim_of(settlement).map(|claim| claim.id),
        Ask::Review { claim_id, .. } => Some(*claim_id),
        Ask::Enrol { .. } => None,
        Ask::FollowUp { what, .. } => {
            let index = what.find(&book.claims);
            index.and_then(|index| book.claims.get(index)).map(|claim| claim.id)
        }
    }
}

fn submitted(book: &Book, subject: Option<ClaimId>, replayed: bool, changes: Vec<Told>) -> Outcome {
    match book.claims.iter().find(|claim| Some(claim.id) == subject) {
        Some(claim) => {
            Outcome::Submitted(Submitted { claim: claim.clone(), replayed, changes, told: None })
        }
        None => Outcome::Refused(LedgerError::CommandFailed),
    }
}

fn conflict(key: &Key, claim_id: ClaimId, fields: Vec<&'static str>) -> LedgerError {
    let (source_id, settlement_id) = key.clone();
    LedgerError::Conflict { source_id, settlement_id, claim_id, fields }
}
