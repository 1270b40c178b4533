//! Published documents: known to every process, recorded in every lane, so that a replay knows
//! what was in force.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use sha2::{Digest, Sha256};

use super::record::{Recorder, due, recorded_changes};
use super::{Clock, Impact, ImpactBound, LedgerError, Mode, PlanEntries, PlanEntry};
use crate::core::book::Command;
use crate::core::day::Day;
use crate::core::event::{DocumentEvent, Event};
use crate::core::figures::{Figure, FigureKind};
use crate::core::member::Coverage;
use crate::core::plan::document;
use crate::core::plan::{Plan, Plans};
use crate::feed::Told;
use crate::store::{DocumentRow, Store, StoreError, Tx};

/// The kind of a plan document.
const PLAN: &str = "plan";
/// The kind of a sender's profile.
pub const PROFILE: &str = "profile";
/// How often publishing is tried when another process published in between.
const ATTEMPTS_MAX: u32 = 5;
/// Members whose books are read at a time.
const MEMBERS_AT_ONCE: usize = 500;
/// Claims whose clocks are looked at at a time.
const CLAIMS_AT_ONCE: u32 = 500;

/// A plan version after publishing.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version.
    pub entry: PlanEntry,
    /// Whether exactly this was published before.
    pub unchanged: bool,
    /// The claims that it decided, or would decide.
    pub changes: Vec<Told>,
}

/// A document that is no plan.
#[derive(Debug, Clone)]
pub struct Publication {
    /// [`PROFILE`], or what a [`FigureKind`] is called.
    pub kind: String,
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
                if let Some(kind) = FigureKind::named(&row.kind) {
                    let figure =
                        Figure::read(kind, &row.body).map_err(|_| StoreError::Corrupt {
                            table: "document",
                            key: format!("{} {} {}", row.kind, row.id, row.version),
                        })?;
                    plans.publish_figure(figure);
                }
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
    context: Context<'_>,
    document: &str,
) -> Result<Published, LedgerError> {
    let Context { documents, clock, .. } = context;
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
        let request = Request { row: &row, plan: Some(&plan), context };
        if let Some(changes) = publish_once(store, request).await? {
            read_again(store, documents).await;
            let publish_time = row.publish_time;
            let entry = PlanEntry { plan, document: document.into(), publish_time };
            return Ok(Published { entry, unchanged: false, changes });
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
            kind: kind.clone(),
            id: id.clone(),
            version: version.clone(),
            start_date: publish_time.day().unwrap_or(Day::EARLIEST),
            body: body.clone(),
            hash: hash.clone(),
            revision: checked_revision + 1,
            publish_time,
        };
        let bound = ImpactBound::NONE;
        let context = Context { documents, mode, clock, bound };
        let request = Request { row: &row, plan: None, context };
        if publish_once(store, request).await?.is_some() {
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
            let changes = Vec::new();
            Ok(Some(Published { entry: entry.clone(), unchanged: true, changes }))
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

/// In what something is published.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) documents: &'a Documents,
    pub(super) mode: Mode,
    pub(super) clock: Clock,
    pub(super) bound: ImpactBound,
}

/// What is to be published.
#[derive(Clone, Copy)]
struct Request<'a> {
    /// The row, with the revision behind the one on which it was checked.
    row: &'a DocumentRow,
    /// The plan, under which no decided claim may fall.
    plan: Option<&'a Arc<Plan>>,
    context: Context<'a>,
}

/// One transaction over all lanes, in ascending order; gives the claims that changed. `None` when
/// somebody published since the checks, or was in the way.
async fn publish_once(
    store: &Store,
    request: Request<'_>,
) -> Result<Option<Vec<Told>>, LedgerError> {
    match try_publish(store, request).await {
        Err(PublishError::Store(StoreError::Contended(_))) => Ok(None),
        Err(PublishError::Store(error)) => Err(error.into()),
        Err(PublishError::Refused(error)) => Err(error),
        Ok(published) => Ok(published),
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

async fn try_publish(
    store: &Store,
    request: Request<'_>,
) -> Result<Option<Vec<Told>>, PublishError> {
    let Request { row, plan, context } = request;
    let Context { documents, mode, clock, bound } = context;
    let mut tx = store.begin().await?;
    let lanes: Vec<u16> = (0..store.lanes()).collect();
    let heads = tx.lock_lanes(&lanes).await?;
    if tx.ledger_documents_revision().await? + 1 != row.revision {
        return Ok(None);
    }
    if let Some(plan) = plan {
        refuse_decided_past(&mut tx, plan, documents).await?;
    }
    tx.insert_document(row).await?;
    let mut plans = (*documents.plans()).clone();
    if let Some(plan) = plan {
        plans.publish(plan.clone());
    }
    if let Some(kind) = FigureKind::named(&row.kind)
        && let Ok(figure) = Figure::read(kind, &row.body)
    {
        plans.publish_figure(figure);
    }
    let plans = Arc::new(plans);
    let mut recorder = Recorder::new(heads, clock, plans.clone());
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
    let changes = match plan {
        Some(plan) => decide_uncovered(&mut tx, &mut recorder, plan, documents).await?,
        None => Vec::new(),
    };
    let impact = Impact::of(&changes);
    if FigureKind::named(&row.kind) == Some(FigureKind::Calendar) {
        set_due_again(&mut tx, &plans).await?;
    }
    if mode == Mode::Preview {
        // What was only tried goes with the transaction.
        return Ok(Some(changes.into_iter().map(Told::without_place).collect()));
    }
    if bound.is_exceeded_by(&impact) {
        return Err(PublishError::Refused(LedgerError::ImpactUnconfirmed(impact)));
    }
    tx.write(&recorder.finish().rows).await?;
    // The feed finds these events by itself.
    tx.commit().await?;
    Ok(Some(changes))
}

/// Clocks run by the calendar that is in force: what waits is due at another time now.
async fn set_due_again(tx: &mut Tx, plans: &Plans) -> Result<(), PublishError> {
    let mut after = None;
    loop {
        let claims = tx.open_claims(after, CLAIMS_AT_ONCE).await?;
        let Some(last) = claims.last() else { return Ok(()) };
        after = Some(last.id);
        let rows: Vec<_> = claims.iter().map(|claim| (claim.id, due(claim, plans))).collect();
        tx.set_due(&rows).await?;
    }
}

/// Decides the claims that no version of the plan decided before, on days of this one.
async fn decide_uncovered(
    tx: &mut Tx,
    recorder: &mut Recorder,
    plan: &Arc<Plan>,
    documents: &Documents,
) -> Result<Vec<Told>, PublishError> {
    let mut plans = (*documents.plans()).clone();
    let until = until(plan, &plans);
    plans.publish(plan.clone());
    let mut changes = Vec::new();
    let members = tx.uncovered_members(plan.start_date, until).await?;
    for part in members.chunks(MEMBERS_AT_ONCE) {
        let lanes: HashMap<&str, u16> =
            part.iter().map(|(lane, member)| (member.as_str(), *lane)).collect();
        for before in tx.books(part).await? {
            let is_covered = |it: &Coverage| it.plan_id == plan.plan_id;
            if !before.roster.coverages.iter().any(is_covered) || before.merged_into.is_some() {
                continue;
            }
            let lane = lanes[before.member_id.as_str()];
            let mut book = before.clone();
            book.complete(tx.history(lane, &book.member_id).await?, &plans);
            let effects = book.apply(&Command::Publish, recorder.time(lane), &plans);
            let effects = effects.map_err(|_| PublishError::Refused(LedgerError::CommandFailed))?;
            if effects.is_empty() {
                continue;
            }
            let told = recorder.record(lane, &mut book, &before, effects);
            changes.extend(recorded_changes(told, None));
            recorder.step(lane);
        }
    }
    Ok(changes)
}

/// The first day that the version does not decide any more.
fn until(plan: &Plan, plans: &Plans) -> Option<Day> {
    let starts = plans.versions(&plan.plan_id).iter().map(|known| known.start_date);
    starts.filter(|start| *start > plan.start_date).min()
}

/// A version may start in the past only if no decided claim falls under it.
async fn refuse_decided_past(
    tx: &mut Tx,
    plan: &Plan,
    documents: &Documents,
) -> Result<(), PublishError> {
    let until = until(plan, &documents.plans());
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
