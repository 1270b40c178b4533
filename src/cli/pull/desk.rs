//! The lease of one sender, as a server grants it.

use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::pb::pull_service_client::PullServiceClient;
use crate::pb::{LeasePullRequest, Pull, PullState, RecordPullRequest, ReleasePullRequest};

/// How often a lease is renewed: thrice while it lasts.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// Holds the lease of one sender, or not.
pub(super) struct Desk {
    client: PullServiceClient<Channel>,
    sender: String,
    holder: String,
    lease_id: String,
    renew_at: Instant,
}

/// How a sender stands for us.
pub(super) enum Standing {
    /// It is ours. With a cursor where it has just become so.
    Ours(Option<String>),
    /// Another process fetches from it.
    Anothers,
    /// An operator has paused it.
    Paused,
}

/// What happened since it was said last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) cursor: String,
    pub(super) caught_up: bool,
    pub(super) failure: String,
    pub(super) records: i64,
}

impl Desk {
    /// Leases nothing yet.
    pub(super) fn new(channel: Channel, sender: String, holder: String) -> Desk {
        let (client, lease_id) = (PullServiceClient::new(channel), String::new());
        Desk { client, sender, holder, lease_id, renew_at: Instant::now() }
    }

    /// Leases the sender, or renews the lease where that is due.
    pub(super) async fn hold(&mut self) -> Result<Standing, Status> {
        let is_ours = !self.lease_id.is_empty();
        if is_ours && Instant::now() < self.renew_at {
            return Ok(Standing::Ours(None));
        }
        let asked = LeasePullRequest {
            sender: self.sender.clone(),
            holder: self.holder.clone(),
            lease_id: self.lease_id.clone(),
        };
        let asked_at = Instant::now();
        let answer = self.client.lease_pull(asked).await?.into_inner();
        let is_renewed = is_ours && answer.lease_id == self.lease_id;
        self.renew_at = asked_at + RENEW_EVERY;
        if answer.lease_id.is_empty() {
            // Where it was paused the lease is still ours; another process may begin at once.
            self.release().await;
            let is_paused = answer.pull.is_some_and(|pull| is_paused(&pull));
            return Ok(if is_paused { Standing::Paused } else { Standing::Anothers });
        }
        self.lease_id = answer.lease_id;
        Ok(Standing::Ours(if is_renewed { None } else { Some(answer.cursor) }))
    }

    /// Renews the lease while something else goes on. Returns when it is lost.
    pub(super) async fn keep(&mut self) {
        while !self.lease_id.is_empty() {
            tokio::time::sleep_until(self.renew_at).await;
            match self.hold().await {
                Ok(Standing::Ours(None)) => {}
                Ok(_) => return,
                // Until it ends it is still ours, and the next try may succeed.
                Err(_) => self.renew_at = Instant::now() + RENEW_EVERY / 10,
            }
        }
    }

    /// Records what happened, which renews the lease. Tells whether the sender is still ours.
    pub(super) async fn record(&mut self, progress: Progress) -> Result<bool, Status> {
        let Progress { cursor, caught_up, failure, records } = progress;
        let told = RecordPullRequest {
            sender: self.sender.clone(),
            lease_id: self.lease_id.clone(),
            cursor,
            caught_up,
            failure,
            record_count: records,
        };
        let told_at = Instant::now();
        match self.client.record_pull(told).await {
            Ok(answer) => {
                let is_paused = answer.into_inner().pull.is_some_and(|pull| is_paused(&pull));
                self.renew_at = if is_paused { told_at } else { told_at + RENEW_EVERY };
                Ok(!is_paused)
            }
            Err(status) if status.code() == Code::FailedPrecondition => {
                self.lease_id = String::new();
                Ok(false)
            }
            Err(status) => Err(status),
        }
    }

    /// Ends the lease, so that another process goes on at once.
    pub(super) async fn release(&mut self) {
        let lease_id = std::mem::take(&mut self.lease_id);
        if !lease_id.is_empty() {
            let asked = ReleasePullRequest { sender: self.sender.clone(), lease_id };
            // A lease that cannot be ended ends by itself.
            let _ = self.client.release_pull(asked).await;
        }
    }
}

fn is_paused(pull: &Pull) -> bool {
    pull.state() == PullState::Paused
}
