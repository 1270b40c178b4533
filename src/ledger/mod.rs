//! The one write path: commands go to the lane of their member, are decided in order, recorded in
//! one transaction with their neighbours, and answered after the commit.
//!
//! Handlers only send and wait, so a caller that hangs up never touches a transaction.

mod batch;
mod directory;
mod documents;
mod error;
mod figures;
mod follow_ups;
mod impact;
mod keeper;
mod keys;
mod merge;
mod pulls;
mod queue;
mod recent;
mod record;
mod rejects;
mod requests;
mod reviews;
mod surroundings;
mod waiting;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::core::book::Book;
use crate::core::claim::Claim;
use crate::core::day::Moment;
use crate::core::member::Roster;
use crate::core::plan::Plan;
use crate::core::settlement::Settlement;
use crate::feed::{Feed, Told};
use crate::store::{DocumentRow, Store, StoreError};

pub use directory::{DirectoryKey, Identity};
pub use documents::{PROFILE, Publication, Published};
pub use error::LedgerError;
pub use figures::{FiguresTold, Refresh};
pub use follow_ups::Followed;
pub use impact::{Impact, ImpactBound};
pub use merge::Merged;
pub use pulls::LEASE;
pub use queue::{Queue, RequestKey};
pub use rejects::{CONFLICT, Grounds, REVERSAL_DIFFERS, Rejected};

use directory::Directory;
use documents::Documents;
use keeper::Keeper;
use queue::{Ask, Job, Writers};
use recent::Recent;

/// Reads the time; a value, so that a simulation can bring its own.
pub type Clock = fn() -> Moment;

/// The ledger: all lanes of one database, as this process serves them. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    store: Store,
    directory: Directory,
    documents: Documents,
    writers: Writers,
    feed: Feed,
    keeper: Keeper,
    recent: Recent,
    backlog: follow_ups::KnownBacklog,
    clock: Clock,
    closing: CancellationToken,
}

/// Whether a command is carried out or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Carry it out.
    Record,
    /// Walk the same path and record nothing (`validate_only`, quotes).
    Preview,
}

/// The answer to a settlement.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The claim as it stands; its `revision` is 0 when nothing was recorded.
    pub claim: Arc<Claim>,
    /// Whether nothing was written, because all of it was known already.
    pub replayed: bool,
    /// What else changed because of it, or would change: the member's later claims.
    pub changes: Vec<Told>,
    /// Where the events lie of a request that was carried out before.
    pub(crate) told: Option<(i64, i64)>,
}

/// The answer to an import.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The member, ours.
    pub member_id: String,
    /// What the import did.
    pub change: EnrolmentChange,
    /// The member's claims that changed because of it, or would change.
    pub changes: Vec<Told>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentChange {
    /// The person is new on the roster.
    Created,
    /// Something changed.
    Changed,
    /// Everything was known.
    Unchanged,
}

/// A command on its way. Awaiting it is optional: it is carried out all the same.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<Result<T, LedgerError>>);

impl<T> Pending<T> {
    /// Waits for the commit.
    pub async fn outcome(self) -> Result<T, LedgerError> {
        // A writer that died took the answer with it; whether it committed is unknown.
        self.0.await.unwrap_or(Err(LedgerError::OutcomeUnknown))
    }

    fn failed(error: LedgerError) -> Pending<T> {
        let (reply, pending) = oneshot::channel();
        let _ = reply.send(Err(error));
        Pending(pending)
    }
}

impl Ledger {
    /// Reads the published documents and starts the lanes.
    pub async fn start(
        store: Store,
        key: DirectoryKey,
        clock: Clock,
    ) -> Result<Ledger, StoreError> {
        let documents = Documents::load(&store).await?;
        let closing = CancellationToken::new();
        let directory = Directory::start(store.clone(), key, closing.clone());
        let feed = Feed::start(store.clone(), closing.clone());
        let (moved, moving) = mpsc::unbounded_channel();
        let writers = Writers::start(&store, &documents, &feed, clock, &moved);
        let keeper = Keeper::start(store.clone(), closing.clone());
        let backlog = follow_ups::KnownBacklog::default();
        let inner = Arc::new(Inner {
            store,
            directory,
            documents,
            writers,
            feed,
            keeper,
            recent: Recent::new(),
            backlog,
            clock,
            closing,
        });
        tokio::spawn(follow_ups::sweep(Arc::downgrade(&inner)));
        tokio::spawn(move_on(Arc::downgrade(&inner), moving));
        Ok(Ledger(inner))
    }

    /// The database, for reads.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The status stream, for those who watch.
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// The plans in force, as this process knows them.
    pub fn plans(&self) -> Arc<crate::core::plan::Plans> {
        self.0.documents.plans()
    }

    /// The time by this ledger's clock.
    pub fn now(&self) -> Moment {
        (self.0.clock)()
    }

    /// Whether every lane has a live writer and the server is not going down.
    pub fn is_serving(&self) -> bool {
        !self.0.closing.is_cancelled() && self.0.writers.are_alive()
    }

    /// Submits one settlement from a caller who waits at the window.
    pub async fn submit(
        &self,
        settlement: Settlement,
        mode: Mode,
    ) -> Result<Submitted, LedgerError> {
        let mut pending = self.send(vec![settlement], Queue::Window, mode).await;
        let pending = pending.pop().expect("one settlement has one answer");
        pending.outcome().await
    }

    /// Sends settlements to their lanes, in order, and returns one answer to wait for each.
    /// Settlements of one member are decided in the order given here.
    pub async fn send(
        &self,
        settlements: Vec<Settlement>,
        queue: Queue,
        mode: Mode,
    ) -> Vec<Pending<Submitted>> {
        let persons: Vec<_> = settlements.iter().map(Identity::of_settlement).collect();
        let resolved = self.0.directory.resolve(persons, mode).await;
        let mut answers = Vec::with_capacity(settlements.len());
        for (settlement, resolved) in settlements.into_iter().zip(resolved) {
            answers.push(match resolved {
                Err(error) => Pending::failed(error),
                Ok(person) => {
                    let (reply, pending) = oneshot::channel();
                    if mode == Mode::Record {
                        self.0.recent.sent(&settlement, &person.member_id);
                    }
                    let settlement = Arc::new(settlement);
                    let person_unclear = person.is_unclear;
                    let ask = Ask::Submit { settlement, person_unclear, reply };
                    self.dispatch(person.member_id, ask, mode, queue).await;
                    Pending(pending)
                }
            });
        }
        answers
    }

    /// Imports what the roster says of one person: an upsert.
    pub async fn enrol(
        &self,
        import: Roster,
        mode: Mode,
    ) -> Result<Pending<Enrolled>, LedgerError> {
        let plans = self.plans();
        let unknown = |plan_id: &&str| plans.versions(plan_id).is_empty();
        let mut named = import.coverages.iter().map(|coverage| coverage.plan_id.as_str());
        if let Some(plan_id) = named.find(unknown) {
            return Err(LedgerError::PlanUnknown { plan_id: plan_id.to_owned() });
        }
        let identity = Identity::of_roster(&import);
        let mut resolved = self.0.directory.resolve(vec![identity], mode).await;
        let person = resolved.pop().expect("one person has one answer")?;
        if person.is_unclear {
            return Err(LedgerError::IdentityConflict);
        }
        let (reply, pending) = oneshot::channel();
        let ask = Ask::Enrol { import: Arc::new(import), reply };
        self.dispatch(person.member_id, ask, mode, Queue::Bulk).await;
        Ok(Pending(pending))
    }

    /// Publishes a plan document, or only checks that it could be. Where it decides more claims than
    /// `bound` allows nothing is published.
    pub async fn publish(
        &self,
        document: String,
        mode: Mode,
        bound: ImpactBound,
    ) -> Result<Published, LedgerError> {
        if self.0.closing.is_cancelled() {
            return Err(LedgerError::ShuttingDown);
        }
        // A task of its own: a caller that hangs up must not drop a transaction.
        let (ledger, clock) = (self.clone(), self.0.clock);
        let publishing = tokio::spawn(async move {
            let inner = &ledger.0;
            let context = documents::Context { documents: &inner.documents, mode, clock, bound };
            documents::publish(&inner.store, context, &document).await
        });
        publishing.await.unwrap_or(Err(LedgerError::CommandFailed))
    }

    /// Publishes a document that the ledger does not read, or only checks that it could be; gives
    /// it, and whether exactly this was published before.
    pub async fn publish_document(
        &self,
        publication: Publication,
        mode: Mode,
    ) -> Result<(DocumentRow, bool), LedgerError> {
        if self.0.closing.is_cancelled() {
            return Err(LedgerError::ShuttingDown);
        }
        let (ledger, clock) = (self.clone(), self.0.clock);
        let publishing = tokio::spawn(async move {
            let inner = &ledger.0;
            let documents = &inner.documents;
            documents::publish_other(&inner.store, documents, publication, mode, clock).await
        });
        publishing.await.unwrap_or(Err(LedgerError::CommandFailed))
    }

    /// Every document that the ledger does not read itself, in the order of publishing, as this
    /// process knows them.
    pub fn documents(&self) -> Arc<Vec<DocumentRow>> {
        self.0.documents.others()
    }

    /// The member that an identity names; `None` for a person nobody has heard of.
    pub async fn find_member(&self, identity: &Identity) -> Result<Option<String>, LedgerError> {
        self.0.directory.find(identity).await
    }

    /// What the ledger knows of a member, without the claims.
    pub async fn book(&self, member_id: &str) -> Result<Option<Book>, LedgerError> {
        let lane = self.lane_of(member_id);
        Ok(self.0.store.book(lane, member_id).await?)
    }

    /// The lane of a member, for ever.
    pub fn lane_of(&self, member_id: &str) -> u16 {
        lane_of(member_id, self.0.store.lanes())
    }

    /// Refuses new commands, carries out those that were accepted, and closes the database.
    pub async fn drain(&self) {
        self.0.closing.cancel();
        self.0.writers.drain().await;
        self.0.store.close().await;
    }

    async fn dispatch(&self, member_id: String, ask: Ask, mode: Mode, queue: Queue) {
        let lane = self.lane_of(&member_id);
        let job = Job { lane, member_id, ask, mode, queue };
        if self.0.closing.is_cancelled() {
            job.ask.refuse(LedgerError::ShuttingDown);
        } else {
            self.0.writers.send(job).await;
        }
    }
}

/// Sends commands on whose member proved to be another one.
async fn move_on(inner: Weak<Inner>, mut moving: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = moving.recv().await {
        match inner.upgrade().map(Ledger) {
            Some(ledger) => ledger.dispatch(job.member_id, job.ask, job.mode, job.queue).await,
            None => job.ask.refuse(LedgerError::ShuttingDown),
        }
    }
}

/// `xxh3(member_id) mod lanes`, for ever.
fn lane_of(member_id: &str, lanes: u16) -> u16 {
    let hash = xxhash_rust::xxh3::xxh3_64(member_id.as_bytes());
    u16::try_from(hash % u64::from(lanes)).expect("below the number of lanes")
}

/// A published plan version as it is listed.
#[derive(Debug, Clone)]
pub struct PlanEntry {
    /// The rules.
    pub plan: Arc<Plan>,
    /// The document's exact text.
    pub document: Arc<str>,
    /// When it was published.
    pub publish_time: Moment,
}

/// Published versions by plan and version.
pub(crate) type PlanEntries = HashMap<(String, String), PlanEntry>;

impl Ledger {
    /// Every published version, by plan and first day.
    pub fn plan_entries(&self) -> Vec<PlanEntry> {
        self.0.documents.entries()
    }
}
