//! Published documents: known to every process, recorded in every lane, so that a replay knows
//! what was in force.

use std::sync::{Arc, RwLock};

use super::record::Recorder;
use super::{Clock, LedgerError, Mode, PlanEntries, PlanEntry};
use crate::core::event::{DocumentEvent, Event};
use crate::core::plan::document;
use crate::core::plan::{Plan, Plans};
use crate::store::{DocumentRow, Store, StoreError};

/// The kind of a plan document.
const PLAN: &str = "plan";
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

/// The documents as this process knows them.
#[derive(Clone)]
pub(super) struct Documents(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    revision: i64,
    plans: Arc<Plans>,
    entries: PlanEntries,
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
        for row in rows {
            known.revision = known.revision.max(row.revision);
            if row.kind != PLAN {
                // A newer server published something that this one has no use for.
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
        let request = Request { plan: &plan, document, checked_revision, mode, clock };
        match publish_once(store, documents, request).await {
            Ok(Some(entry)) => {
                // It is published whatever comes now; writers that lag behind refresh by themselves.
                if let Err(error) = documents.refresh(store).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "published, but not read again yet");
                }
                return Ok(Published { entry, unchanged: false });
            }
            Ok(None) | Err(PublishError::Store(StoreError::Contended(_))) => {}
            Err(PublishError::Store(error)) => return Err(error.into()),
            Err(PublishError::Refused(error)) => return Err(error),
        }
    }
    Err(LedgerError::Contended)
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

enum PublishError {
    Store(StoreError),
    Refused(LedgerError),
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> PublishError {
        PublishError::Store(error)
    }
}

/// What is to be published, and on which revision it was checked.
struct Request<'a> {
    plan: &'a Arc<Plan>,
    document: &'a str,
    checked_revision: i64,
    mode: Mode,
    clock: Clock,
}

/// One transaction. `None` when somebody published since the checks.
async fn publish_once(
    store: &Store,
    documents: &Documents,
    request: Request<'_>,
) -> Result<Option<PlanEntry>, PublishError> {
    let Request { plan, document, checked_revision, mode, clock } = request;
    let mut tx = store.begin().await?;
    let lanes: Vec<u16> = (0..store.lanes()).collect();
    let heads = tx.lock_lanes(&lanes).await?;
    let revision = tx.ledger_documents_revision().await?;
    if revision != checked_revision {
        return Ok(None);
    }
    let plans = documents.plans();
    let next = plans.versions(&plan.plan_id).iter().map(|known| known.start_date);
    let until = next.filter(|start| *start > plan.start_date).min();
    let decided = tx.last_decided_day(&plan.plan_id, plan.start_date, until).await?;
    if let Some(last_decided_date) = decided {
        return Err(PublishError::Refused(LedgerError::PlanStartsInDecidedPast {
            plan_id: plan.plan_id.clone(),
            start_date: plan.start_date,
            last_decided_date,
        }));
    }
    let publish_time = clock();
    let entry = PlanEntry { plan: plan.clone(), document: document.into(), publish_time };
    if mode == Mode::Preview {
        return Ok(Some(entry));
    }
    let row = DocumentRow {
        kind: PLAN.to_owned(),
        id: plan.plan_id.clone(),
        version: plan.version.clone(),
        start_date: plan.start_date,
        body: document.to_owned(),
        hash: plan.hash.clone(),
        revision: revision + 1,
        publish_time,
    };
    tx.insert_document(&row).await?;
    let mut recorder = Recorder::new(heads, clock);
    for lane in lanes {
        let event = Event::Document(DocumentEvent {
            document: PLAN.to_owned(),
            id: plan.plan_id.clone(),
            version: plan.version.clone(),
            hash: plan.hash.clone(),
        });
        recorder.append(lane, event);
        recorder.set_documents_revision(lane, row.revision);
    }
    tx.write(&recorder.finish().rows).await?;
    // Watchers are told nothing of documents; the feed finds these events by itself.
    tx.commit().await?;
    Ok(Some(entry))
}
