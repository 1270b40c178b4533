//! What comes about a settlement apart from it: applied when the settlement is there, parked until it
//! is, and swept in the background so that nothing waits for ever (`design.md` 5.3).

use std::sync::{Arc, RwLock, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::keeper::Keep;
use super::queue::Ask;
use super::rejects::{Grounds, Rejected, digest};
use super::waiting::Waiting;
use super::{Inner, Ledger, LedgerError, Mode, Pending, Queue, Submitted};
use crate::core::settlement::FollowUp;
use crate::store::{Backlog, Delivery, ParkedRow, StoreError};

/// How often what waits is looked through. Only what came at the same moment as its settlement, to
/// another process, or before a crash is found here.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// What one sweep takes up at the most; the next one goes on behind it.
const SWEEP_MAX: u32 = 500;

/// Rejects that a success is compared with: the newest ones. Older ones are made good by a retry.
const KNOWN_REJECTS_MAX: u32 = 10_000;

/// What became of a follow-up.
#[derive(Debug, Clone)]
pub enum Followed {
    /// It is applied, or was before.
    Applied(Submitted),
    /// It waits for its settlement, under this id; empty where it was only tried.
    Parked(String),
}

impl Ledger {
    /// Applies a follow-up, or parks it until its settlement is there. Applying it twice changes
    /// nothing. Behind a settlement that this process has taken it is decided in its turn.
    pub async fn follow_up(
        &self,
        what: FollowUp,
        delivery: Delivery,
        queue: Queue,
        mode: Mode,
    ) -> Pending<Followed> {
        let first = match self.member_at_hand(&what).await {
            Some(member_id) => Some(self.send_follow_up(member_id, &what, None, queue, mode).await),
            None => None,
        };
        let (reply, pending) = oneshot::channel();
        let ledger = self.clone();
        // A task of its own: what was sent is seen to, whether or not the caller waits for it.
        tokio::spawn(async move {
            let applied = match first {
                Some(sent) => fitting(sent.outcome().await),
                None => Ok(None),
            };
            let outcome = match applied {
                Ok(Some(done)) => Ok(Followed::Applied(done)),
                Ok(None) => ledger.apply_or_park(what, delivery, queue, mode).await,
                Err(error) => Err(error),
            };
            let _ = reply.send(outcome);
        });
        Pending(pending)
    }

    /// Whose it is as far as this process took the settlement itself, perhaps a moment ago. What
    /// names only a stay is compared with what is recorded: a stay may be that of two.
    async fn member_at_hand(&self, what: &FollowUp) -> Option<String> {
        if let Some(member_id) = self.0.recent.member_of(what) {
            return Some(member_id);
        }
        let member_id = self.0.recent.member_of_stay(what)?;
        let recorded = self.members_of(what).await.ok()?;
        recorded.iter().all(|member| *member == member_id).then_some(member_id)
    }

    async fn apply_or_park(
        &self,
        what: FollowUp,
        delivery: Delivery,
        queue: Queue,
        mode: Mode,
    ) -> Result<Followed, LedgerError> {
        if let Some(done) = self.try_follow_up(&what, None, queue, mode).await? {
            return Ok(Followed::Applied(done));
        }
        if mode == Mode::Preview {
            return Ok(Followed::Parked(String::new()));
        }
        let parked = self.parked_row(&what, delivery);
        let park = Keep::Park(Box::new(parked.clone()));
        let parked_id = self.0.keeper.keep(park).await?;
        // The settlement may have come meanwhile, without seeing what was parked.
        match self.try_follow_up(&what, Some(parked_id.clone()), queue, mode).await {
            Ok(Some(done)) => Ok(Followed::Applied(done)),
            Ok(None) => Ok(Followed::Parked(parked_id)),
            Err(error) => {
                if is_about_content(&error) {
                    // Kept here, in case nobody is there any more to keep it.
                    self.refuse_parked(&parked, parked_id, &error).await?;
                }
                Err(error)
            }
        }
    }

    /// What waited cannot be applied: it is kept as a reject instead.
    async fn refuse_parked(
        &self,
        row: &ParkedRow,
        parked_id: String,
        error: &LedgerError,
    ) -> Result<(), LedgerError> {
        let rejected = Rejected::of_parked(row, Grounds::of(error));
        let reject = Box::new(rejected.row((self.0.clock)()));
        self.0.keeper.keep(Keep::Refuse { parked_id, reject }).await.map(|_| ())
    }

    /// `None` when nothing that is recorded fits.
    async fn try_follow_up(
        &self,
        what: &FollowUp,
        parked_id: Option<String>,
        queue: Queue,
        mode: Mode,
    ) -> Result<Option<Submitted>, LedgerError> {
        for member_id in self.members_of(what).await? {
            let parked_id = parked_id.clone();
            let sent = self.send_follow_up(member_id, what, parked_id, queue, mode).await;
            if let Some(done) = fitting(sent.outcome().await)? {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    async fn send_follow_up(
        &self,
        member_id: String,
        what: &FollowUp,
        parked_id: Option<String>,
        queue: Queue,
        mode: Mode,
    ) -> Pending<Submitted> {
        let (reply, pending) = oneshot::channel();
        let ask = Ask::FollowUp { what: what.clone(), parked_id, reply };
        self.dispatch(member_id, ask, mode, queue).await;
        Pending(pending)
    }

    /// Whose settlement it is about, to be asked in this order: of the one it names, of the one with
    /// a reversal's own id, or whose stay it is. Of a stay that stands for two members nothing can be
    /// told; one whose settlements are all reversed knows only what was done before.
    async fn members_of(&self, what: &FollowUp) -> Result<Vec<String>, LedgerError> {
        let (store, source) = (&self.0.store, what.source());
        if let Some(id) = what.settlement_id() {
            return Ok(store.member_of_settlement(source, id).await?.into_iter().collect());
        }
        if let FollowUp::Reversal(reversal) = what
            && let Some(id) = &reversal.reversal_id
            && let Some(member) = store.member_of_settlement(source, id).await?
        {
            return Ok(vec![member]);
        }
        let Some(visit_id) = what.visit_id() else { return Ok(Vec::new()) };
        let members = store.members_of_visit(source, visit_id).await?;
        let (standing, reversed): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(_, stands)| *stands);
        let names = |members: Vec<(String, bool)>| members.into_iter().map(|(member, _)| member);
        Ok(match standing.len() {
            0 | 1 => names(reversed).chain(names(standing)).collect(),
            _ => Vec::new(),
        })
    }

    fn parked_row(&self, what: &FollowUp, delivery: Delivery) -> ParkedRow {
        let body = serde_json::to_string(what).expect("core types have only string keys");
        let own = match what {
            FollowUp::Reversal(reversal) => reversal.reversal_id.as_deref(),
            FollowUp::Supplement(_) => None,
        };
        let kind = match what {
            FollowUp::Reversal(_) => "REVERSAL",
            FollowUp::Supplement(_) => "SUPPLEMENT",
        };
        ParkedRow {
            parked_id: Uuid::now_v7().to_string(),
            digest: hex::encode(Sha256::digest(&body)),
            source: what.source().to_owned(),
            settlement_id: what.settlement_id().or(own).map(str::to_owned),
            visit_id: what.visit_id().map(str::to_owned),
            kind: kind.to_owned(),
            body,
            delivery,
            receive_time: (self.0.clock)(),
        }
    }

    /// Keeps what cannot be used; gives the id of the reject. What was to correct a reject takes its
    /// place.
    pub async fn reject(
        &self,
        rejected: Rejected,
        corrects: Option<String>,
    ) -> Result<String, LedgerError> {
        let reject = Box::new(rejected.row((self.0.clock)()));
        self.0.keeper.keep(Keep::Reject { reject, corrects }).await
    }

    /// A reject was sent again with success.
    pub async fn drop_reject(&self, reject_id: &str) -> Result<(), LedgerError> {
        self.0.keeper.keep(Keep::Drop(reject_id.to_owned())).await.map(|_| ())
    }

    /// Whether there are rejects that a success may make good.
    pub fn has_rejects(&self) -> bool {
        self.0.keeper.has_any()
    }

    /// What came was taken: rejects of the same bytes are made good, and those about the same
    /// settlement and topic unless it is contradicted. Asks the database only where there are any.
    pub async fn made_good(
        &self,
        delivery: impl FnOnce() -> Delivery,
        about: Option<(String, String, &'static str)>,
    ) -> Result<(), LedgerError> {
        let mut known = None;
        let digest = || {
            let digest = digest(&delivery());
            known = Some(digest.clone());
            digest
        };
        let settlement = about.as_ref().map(|(source, id, _)| (source.as_str(), id.as_str()));
        if !self.0.keeper.may_have(digest, settlement) {
            return Ok(());
        }
        let keep = Keep::MadeGood { digest: known.unwrap_or_default(), about };
        self.0.keeper.keep(keep).await.map(|_| ())
    }

    /// What waits and what is rejected, as the last sweep found it.
    pub fn backlog(&self) -> Arc<Backlog> {
        self.0.backlog.read().expect("nobody panics while holding it").clone()
    }
}

/// `None` when nothing that is recorded fits.
fn fitting(outcome: Result<Submitted, LedgerError>) -> Result<Option<Submitted>, LedgerError> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(LedgerError::NothingFits) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error is of the moment and of everything, not of one message.
fn is_passing(error: &LedgerError) -> bool {
    matches!(
        error,
        LedgerError::ShuttingDown
            | LedgerError::Unavailable
            | LedgerError::OutcomeUnknown
            | LedgerError::Contended
    )
}

/// Whether an error is about what was sent, so that sending it again unchanged is no use.
pub(super) fn is_about_content(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Conflict { .. } | LedgerError::ReversalDiffers { .. })
}

/// What the last sweep found.
pub(super) type KnownBacklog = RwLock<Arc<Backlog>>;

/// Looks through what waits, again and again, until the ledger closes.
pub(super) async fn sweep(inner: Weak<Inner>) {
    let mut after = String::new();
    loop {
        let Some(ledger) = inner.upgrade().map(Ledger) else { return };
        let closing = ledger.0.closing.clone();
        after = ledger.sweep_once(after).await;
        drop(ledger);
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
    }
}

impl Ledger {
    /// Applies what has found its settlement behind `after`; gives where to go on.
    async fn sweep_once(&self, after: String) -> String {
        if self.0.closing.is_cancelled() {
            return after;
        }
        let found = match self.look_through(&after).await {
            Ok(found) => found,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what waits could not be read; tried again soon");
                return after;
            }
        };
        let next = match found.last() {
            Some(last) if found.len() == SWEEP_MAX as usize => last.parked_id.clone(),
            _ => String::new(),
        };
        for row in found {
            let Some(what) = Waiting::follow_up(&row) else { continue };
            let parked_id = row.parked_id.clone();
            let waits = Some(parked_id.clone());
            let outcome = self.try_follow_up(&what, waits, Queue::Bulk, Mode::Record).await;
            let kept = match outcome {
                Err(error) if is_about_content(&error) => {
                    self.refuse_parked(&row, parked_id.clone(), &error).await
                }
                outcome => outcome.map(|_| ()),
            };
            match kept {
                Ok(()) => {}
                Err(error) if is_passing(&error) => {
                    tracing::warn!(%error, "a parked message was not applied; tried again soon");
                    return after;
                }
                // Its own fault: it must not hold up the others.
                Err(error) => {
                    tracing::error!(%error, parked_id, "a parked message cannot be applied");
                }
            }
        }
        next
    }

    /// Reads what was published, what waits and may be applied by now, and how much there is of
    /// everything.
    async fn look_through(&self, after: &str) -> Result<Vec<ParkedRow>, StoreError> {
        let store = &self.0.store;
        self.0.documents.refresh(store).await?;
        let backlog = store.backlog().await?;
        let known = self.backlog();
        if backlog.rejects != known.rejects {
            self.0.keeper.set_known(store.reject_keys(KNOWN_REJECTS_MAX).await?);
            // What another server recorded meanwhile.
            if let Err(error) = self.0.keeper.keep(Keep::DropRecorded).await {
                tracing::warn!(%error, "rejects that are made good stay listed");
            }
        }
        *self.0.backlog.write().expect("nobody panics while holding it") = Arc::new(backlog);
        store.ripe_parked(after, SWEEP_MAX).await
    }
}
