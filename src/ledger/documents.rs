//! Published documents: known to every process, recorded in every lane, so that a replay knows
//! what was in force.

use std::sync::{Arc, RwLock};

use sha2::{Digest, Sha256};

use super::record::Recorder;
use super::{Clock, LedgerError, Mode, PlanEntries, PlanEntry};
use crate::core::day::Day;
use crate::core::event::{DocumentEvent, Event};
use crate::core::plan::document;
use crate::core::plan::{Plan, Plans};
use crate::store::{DocumentRow, Store, StoreError, Tx};

/// The kind of a plan document.
const PLAN: &str = "plan";
/// The kind of a sender's profile.
pub const PROFILE: &str = "profile";
/// How often publishing is tried when another process published in between.
const ATTEMPTS_MAX: u32 = 5;

/// A plan version after publishing.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version.
    pub entry: PlanEntry,
    /// Whether exactly this was published before.
    pub unchanged: bool,
}

/// A document that the ledger publishes without reading it.
#[derive(Debug, Clone)]
pub struct Publication {
    /// [`PROFILE`].
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its exact text.
    pub body: String,
}

/// The documents as this process knows them.
#[derive(Clone)]
pub(super) struct Documents(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    revision: i64,
    plans: Arc<Plans>,
    entries: PlanEntries,
    /// Documents that the ledger does not read itself, in the order of publishing.
    others: Arc<Vec<DocumentRow>>,
}

impl Documents {
    pub(super) async fn load(store: &Store) -> Result<Documents, StoreError> {
        let documents = Documents(Arc::default());
        documents.refresh(store).await?;
        Ok(documents)
    }

    /// Reads what was published since.
    pub(super) async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let rows = store.documents_since(self.revision()).await?;
        let mut known = self.0.write().expect("nobody panics while holding it");
        let mut plans = (*known.plans).clone();
        // Another task may have read some of them meanwhile.
        let revision = known.revision;
        for row in rows.into_iter().filter(|row| row.revision > revision) {
            known.revision = known.revision.max(row.revision);
            if row.kind != PLAN {
                Arc::make_mut(&mut known.others).push(row);
                continue;
            }
            // A document that was published was read then; what read then reads now.
            let plan = document::read_published(&row.body).map_err(|_| StoreError::Corrupt {
                table: "document",
                key: format!("{} {}", row.id, row.version),
            })?;
            let plan = Arc::new(plan);
            plans.publish(plan.clone());
            let entry =
                PlanEntry { plan, document: row.body.into(), publish_time: row.publish_time };
            known.entries.insert((row.id, row.version), entry);
        }
        known.plans = Arc::new(plans);
        Ok(())
    }

    pub(super) fn plans(&self) -> Arc<Plans> {
        self.0.read().expect("nobody panics while holding it").plans.clone()
    }

    pub(super) fn revision(&self) -> i64 {
        self.0.read().expect("nobody panics while holding it").revision
    }

    /// Documents that the ledger does not read itself, in the order of publishing.
    pub(super) fn others(&self) -> Arc<Vec<DocumentRow>> {
        self.0.read().expect("nobody panics while holding it").others.clone()
    }

    pub(super) fn entries(&self) -> Vec<PlanEntry> {
        let known = self.0.read().expect("nobody panics while holding it");
        let mut entries: Vec<PlanEntry> = known.entries.values().cloned().collect();
        let key = |entry: &PlanEntry| (entry.plan.plan_id.clone(), entry.plan.start_date);
        entries.sort_by_key(key);
        entries
    }
}

/// Publishes a plan document: takes all lanes in ascending order and appends to each.
pub(super) async fn publish(
    store: &Store,
    documents: &Documents,
    document: &str,
    mode: Mode,
    clock: Clock,
) -> Result<Published, LedgerError> {
    let plan = Arc::new(document::read(document).map_err(LedgerError::PlanInvalid)?);
    for _ in 0..ATTEMPTS_MAX {
        documents.refresh(store).await?;
        // Before the checks: what another task learns after them, they have not seen.
        let checked_revision = documents.revision();
        if let Some(published) = published_before(documents, &plan)? {
            return Ok(published);
        }
        check_versions(documents, &plan)?;
        let row = DocumentRow {
            kind: PLAN.to_owned(),
            id: plan.plan_id.clone(),
            version: plan.version.clone(),
            start_date: plan.start_date,
            body: document.to_owned(),
            hash: plan.hash.clone(),
            revision: checked_revision + 1,
            publish_time: clock(),
        };
        let request = Request { row: &row, undecided: Some((&plan, documents)), mode, clock };
        if publish_once(store, request).await? {
            read_again(store, documents).await;
            let publish_time = row.publish_time;
            let entry = PlanEntry { plan, document: document.into(), publish_time };
            return Ok(Published { entry, unchanged: false });
        }
    }
    Err(LedgerError::Contended)
}

/// Publishes a document that the ledger does not read; gives its row, and whether exactly this was
/// published before.
pub(super) async fn publish_other(
    store: &Store,
    documents: &Documents,
    publication: Publication,
    mode: Mode,
    clock: Clock,
) -> Result<(DocumentRow, bool), LedgerError> {
    let Publication { kind, id, version, body } = publication;
    let hash = hex::encode(Sha256::digest(&body));
    for _ in 0..ATTEMPTS_MAX {
        documents.refresh(store).await?;
        let checked_revision = documents.revision();
        let others = documents.others();
        let same = |row: &&DocumentRow| row.kind == kind && row.id == id && row.version == version;
        if let Some(known) = others.iter().find(same) {
            return if known.hash == hash {
                Ok((known.clone(), true))
            } else {
                let (document_id, hash) = (id, known.hash.clone());
                Err(LedgerError::DocumentVersionExists { document_id, version, hash })
            };
        }
        let publish_time = clock();
        let row = DocumentRow {
            kind: kind.to_owned(),
            id: id.clone(),
            version: version.clone(),
            start_date: publish_time.day().unwrap_or(Day::EARLIEST),
            body: body.clone(),
            hash: hash.clone(),
            revision: checked_revision + 1,
            publish_time,
        };
        let request = Request { row: &row, undecided: None, mode, clock };
        if publish_once(store, request).await? {
            read_again(store, documents).await;
            return Ok((row, false));
        }
    }
    Err(LedgerError::Contended)
}

/// It is published whatever comes now; writers that lag behind refresh by themselves.
async fn read_again(store: &Store, documents: &Documents) {
    if let Err(error) = documents.refresh(store).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "published, but not read again yet");
    }
}

/// The same version with the same content is a repeat; with another one it is refused.
fn published_before(documents: &Documents, plan: &Plan) -> Result<Option<Published>, LedgerError> {
    let key = (plan.plan_id.clone(), plan.version.clone());
    let known = documents.0.read().expect("nobody panics while holding it");
    match known.entries.get(&key) {
        None => Ok(None),
        Some(entry) if entry.plan.hash == plan.hash => {
            Ok(Some(Published { entry: entry.clone(), unchanged: true }))
        }
        Some(entry) => Err(LedgerError::PlanVersionExists {
            plan_id: key.0,
            version: key.1,
            hash: entry.plan.hash.clone(),
        }),
    }
}

fn check_versions(documents: &Documents, plan: &Plan) -> Result<(), LedgerError> {
    let plans = documents.plans();
    let problems = document::check_against(plan, &plans);
    if problems.is_empty() { Ok(()) } else { Err(LedgerError::PlanInvalid(problems)) }
}

/// What is to be published.
struct Request<'a> {
    /// The row, with the revision behind the one on which it was checked.
    row: &'a DocumentRow,
    /// The plan that no decided claim may fall under.
    undecided: Option<(&'a Plan, &'a Documents)>,
    mode: Mode,
    clock: Clock,
}

/// One transaction over all lanes, in ascending order. `false` when somebody published since the
/// checks, or was in the way.
async fn publish_once(store: &Store, request: Request<'_>) -> Result<bool, LedgerError> {
    match try_publish(store, request).await {
        Err(PublishError::Store(StoreError::Contended(_))) => Ok(false),
        Err(PublishError::Store(error)) => Err(error.into()),
        Err(PublishError::Refused(error)) => Err(error),
        Ok(is_published) => Ok(is_published),
    }
}

enum PublishError {
    Store(StoreError),
    Refused(LedgerError),
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> PublishError {
        PublishError::Store(error)
    }
}

async fn try_publish(store: &Store, request: Request<'_>) -> Result<bool, PublishError> {
    let Request { row, undecided, mode, clock } = request;
    let mut tx = store.begin().await?;
    let lanes: Vec<u16> = (0..store.lanes()).collect();
    let heads = tx.lock_lanes(&lanes).await?;
    if tx.ledger_documents_revision().await? + 1 != row.revision {
        return Ok(false);
    }
    if let Some((plan, documents)) = undecided {
        refuse_decided_past(&mut tx, plan, documents).await?;
    }
    if mode == Mode::Preview {
        return Ok(true);
    }
    tx.insert_document(row).await?;
    let mut recorder = Recorder::new(heads, clock);
    for lane in lanes {
        let event = Event::Document(DocumentEvent {
            document: row.kind.clone(),
            id: row.id.clone(),
            version: row.version.clone(),
            hash: row.hash.clone(),
        });
        recorder.append(lane, event);
        recorder.set_documents_revision(lane, row.revision);
    }
    tx.write(&recorder.finish().rows).await?;
    // Watchers are told nothing of documents; the feed finds these events by itself.
    tx.commit().await?;
    Ok(true)
}

/// A version may start in the past only if no decided claim falls under it.
async fn refuse_decided_past(
    tx: &mut Tx,
    plan: &Plan,
    documents: &Documents,
) -> Result<(), PublishError> {
    let plans = documents.plans();
    let next = plans.versions(&plan.plan_id).iter().map(|known| known.start_date);
    let until = next.filter(|start| *start > plan.start_date).min();
    let decided = tx.last_decided_day(&plan.plan_id, plan.start_date, until).await?;
    match decided {
        None => Ok(()),
        Some(last_decided_date) => {
            Err(PublishError::Refused(LedgerError::PlanStartsInDecidedPast {
                plan_id: plan.plan_id.clone(),
                start_date: plan.start_date,
                last_decided_date,
            }))
        }
    }
}
