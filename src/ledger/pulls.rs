//! Leases of senders that are fetched from (主动获取): one process at a time for each, and how far it
//! has come. Knows nothing of how anything is fetched.

use std::time::Duration;

use uuid::Uuid;

use super::{Ledger, LedgerError};
use crate::core::day::Moment;
use crate::store::{Lease, PullProgress, PullRow, StoreError, Tx};

/// How long a lease lasts that is not renewed: how long nobody fetches after a crash.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a change that lost to another process is tried.
const ATTEMPTS_MAX: u32 = 5;

/// What is to be done with a sender.
#[derive(Clone)]
enum Change {
    Lease(Lease),
    Record(Lease, PullProgress),
    Release(Lease),
    Pause(String),
    Resume(String),
}

impl Change {
    fn sender(&self) -> &str {
        match self {
            Change::Lease(lease) | Change::Record(lease, _) | Change::Release(lease) => {
                &lease.sender
            }
            Change::Pause(sender) | Change::Resume(sender) => sender,
        }
    }

    async fn make(&self, tx: &mut Tx, now: Moment) -> Result<(), StoreError> {
        match self {
            Change::Lease(lease) => {
                tx.make_pull(&lease.sender, now).await?;
                tx.lease_pull(lease, now).await
            }
            Change::Record(lease, progress) => tx.record_pull(lease, progress, now).await,
            Change::Release(lease) => tx.release_pull(lease, now).await,
            Change::Pause(sender) => {
                tx.make_pull(sender, now).await?;
                tx.pause_pull(sender, Some(now), now).await
            }
            Change::Resume(sender) => tx.pause_pull(sender, None, now).await,
        }
    }
}

impl Ledger {
    /// Leases a sender for [`LEASE`], or renews the lease `lease_id`; where that was another's
    /// meanwhile the lease is a new one. Gives the lease, or `None` where another process holds it or
    /// it is paused, and the sender as it stands.
    pub async fn lease_pull(
        &self,
        sender: String,
        holder: String,
        lease_id: Option<String>,
    ) -> Result<(Option<String>, PullRow), LedgerError> {
        let lease = self.lease(sender, lease_id.unwrap_or_default(), holder);
        let (held_id, new_id) = (lease.held_id.clone(), lease.lease_id.clone());
        let row = self.change_pull(Change::Lease(lease)).await?;
        let row = row.ok_or(LedgerError::CommandFailed)?;
        let is_held = !row.lease_id.is_empty() && row.lease_id == held_id;
        let is_ours = row.pause_time.is_none() && (is_held || row.lease_id == new_id);
        Ok((is_ours.then(|| row.lease_id.clone()), row))
    }

    /// Records how far the holder of a lease has come, and renews the lease.
    pub async fn record_pull(
        &self,
        sender: String,
        lease_id: String,
        progress: PullProgress,
    ) -> Result<PullRow, LedgerError> {
        let lease = self.lease(sender.clone(), lease_id.clone(), String::new());
        let row = self.change_pull(Change::Record(lease, progress)).await?;
        row.filter(|row| row.lease_id == lease_id).ok_or(LedgerError::PullLeaseLost { sender })
    }

    /// Ends a lease.
    pub async fn release_pull(&self, sender: String, lease_id: String) -> Result<(), LedgerError> {
        let lease = self.lease(sender, lease_id, String::new());
        self.change_pull(Change::Release(lease)).await.map(|_| ())
    }

    /// Pauses a sender.
    pub async fn pause_pull(&self, sender: String) -> Result<PullRow, LedgerError> {
        let row = self.change_pull(Change::Pause(sender)).await?;
        row.ok_or(LedgerError::CommandFailed)
    }

    /// Lets a sender go on.
    pub async fn resume_pull(&self, sender: String) -> Result<PullRow, LedgerError> {
        let row = self.change_pull(Change::Resume(sender.clone())).await?;
        row.ok_or(LedgerError::PullNotFound { sender })
    }

    fn lease(&self, sender: String, held_id: String, holder: String) -> Lease {
        let (lease_id, expire_time) = (Uuid::now_v7().to_string(), self.now().later(LEASE));
        Lease { sender, held_id, lease_id, holder, expire_time }
    }

    /// Makes a change in a transaction of its own; gives the row as it stands then.
    async fn change_pull(&self, change: Change) -> Result<Option<PullRow>, LedgerError> {
        if self.0.closing.is_cancelled() {
            return Err(LedgerError::ShuttingDown);
        }
        // A task of its own: a caller that hangs up must not drop a transaction.
        let ledger = self.clone();
        let changing = tokio::spawn(async move {
            let mut attempt = 1;
            loop {
                match ledger.change_pull_once(&change).await {
                    Err(StoreError::Contended(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                    outcome => return outcome.map_err(LedgerError::from),
                }
            }
        });
        changing.await.unwrap_or(Err(LedgerError::CommandFailed))
    }

    async fn change_pull_once(&self, change: &Change) -> Result<Option<PullRow>, StoreError> {
        let mut tx = self.0.store.begin().await?;
        change.make(&mut tx, self.now()).await?;
        let row = tx.pull(change.sender()).await?;
        tx.commit().await?;
        Ok(row)
    }
}
