//! The one write path: commands go to the lane of their member, are decided in order, recorded in
//! one transaction with their neighbours, and answered after the commit.
//!
//! Handlers only send and wait, so a caller that hangs up never touches a transaction.

mod batch;
mod directory;
mod documents;
mod queue;
mod record;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::core::book::Book;
use crate::core::claim::{Claim, ClaimId};
use crate::core::day::{Day, Moment};
use crate::core::member::{CoverageOverlap, Roster};
use crate::core::plan::Plan;
use crate::core::plan::document::PlanProblem;
use crate::core::settlement::Settlement;
use crate::feed::Feed;
use crate::store::{Store, StoreError};

pub use directory::{DirectoryKey, Identity};
pub use documents::Published;
pub use queue::Queue;

use directory::Directory;
use documents::Documents;
use queue::{Ask, Job, Writers};

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
    /// Whether nothing was written, because the settlement was known already.
    pub replayed: bool,
}

/// The answer to an import.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The member, ours.
    pub member_id: String,
    /// What the import did.
    pub change: EnrolmentChange,
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

/// Why the ledger did not do what it was asked. Carries facts, never personal values.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The key is known with other facts.
    #[error("settlement {settlement_id} of {source_id} is known with other content")]
    Conflict {
        /// The platform.
        source_id: String,
        /// The settlement.
        settlement_id: String,
        /// The claim that has the key.
        claim_id: ClaimId,
        /// The fields that differ.
        fields: Vec<&'static str>,
    },
    /// Certificate and the bureau's own key name different members.
    #[error("certificate and external id name different members")]
    IdentityConflict,
    /// An import would make two coverages share a day.
    #[error(transparent)]
    Overlap(CoverageOverlap),
    /// A coverage names a plan that nobody published.
    #[error("plan {plan_id} is not published")]
    PlanUnknown {
        /// The plan.
        plan_id: String,
    },
    /// A plan document is wrong.
    #[error("the plan document has {} problems", .0.len())]
    PlanInvalid(Vec<PlanProblem>),
    /// The version is published with another content.
    #[error("version {version} of plan {plan_id} is published with other content")]
    PlanVersionExists {
        /// The plan.
        plan_id: String,
        /// The version.
        version: String,
        /// The published document's hash.
        hash: String,
    },
    /// Claims were decided already on days that the version would decide.
    #[error("plan {plan_id} has claims decided up to {last_decided_date}")]
    PlanStartsInDecidedPast {
        /// The plan.
        plan_id: String,
        /// The version's first day.
        start_date: Day,
        /// The last decided day.
        last_decided_date: Day,
    },
    /// The server is going down; nothing was written.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database cannot be reached; nothing was written.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The commit's outcome is unknown; a repeat finds the truth by its key.
    #[error("the outcome is unknown; repeat the request")]
    OutcomeUnknown,
    /// Lost to concurrent transactions after our own retries; nothing was written.
    #[error("lost to concurrent transactions; repeat the request")]
    Contended,
    /// Stored data breaks an invariant.
    #[error("stored data is damaged")]
    DataLoss,
    /// Our own fault; this command only, nothing of it was written.
    #[error("the command failed")]
    CommandFailed,
}

impl From<StoreError> for LedgerError {
    /// For reads and for writes that surely did not happen. Logged here, once.
    fn from(error: StoreError) -> LedgerError {
        let outcome = match &error {
            StoreError::CommitUnknown(_) => LedgerError::OutcomeUnknown,
            StoreError::Contended(_) => LedgerError::Contended,
            StoreError::Corrupt { .. } => LedgerError::DataLoss,
            error if error.is_connection() => LedgerError::Unavailable,
            _ => LedgerError::CommandFailed,
        };
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        outcome
    }
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
        let writers = Writers::start(&store, &documents, &feed, clock);
        let inner = Inner { store, directory, documents, writers, feed, clock, closing };
        Ok(Ledger(Arc::new(inner)))
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
    pub async fn enrol(&self, import: Roster) -> Result<Pending<Enrolled>, LedgerError> {
        let plans = self.plans();
        let unknown = |plan_id: &&str| plans.versions(plan_id).is_empty();
        let mut named = import.coverages.iter().map(|coverage| coverage.plan_id.as_str());
        if let Some(plan_id) = named.find(unknown) {
            return Err(LedgerError::PlanUnknown { plan_id: plan_id.to_owned() });
        }
        let identity = Identity::of_roster(&import);
        let mut resolved = self.0.directory.resolve(vec![identity], Mode::Record).await;
        let person = resolved.pop().expect("one person has one answer")?;
        if person.is_unclear {
            return Err(LedgerError::IdentityConflict);
        }
        let (reply, pending) = oneshot::channel();
        let ask = Ask::Enrol { import: Arc::new(import), reply };
        self.dispatch(person.member_id, ask, Mode::Record, Queue::Bulk).await;
        Ok(Pending(pending))
    }

    /// Publishes a plan document, or only checks that it could be.
    pub async fn publish(&self, document: String, mode: Mode) -> Result<Published, LedgerError> {
        if self.0.closing.is_cancelled() {
            return Err(LedgerError::ShuttingDown);
        }
        // A task of its own: a caller that hangs up must not drop a transaction.
        let (ledger, clock) = (self.clone(), self.0.clock);
        let publishing = tokio::spawn(async move {
            let inner = &ledger.0;
            documents::publish(&inner.store, &inner.documents, &document, mode, clock).await
        });
        publishing.await.unwrap_or(Err(LedgerError::CommandFailed))
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
