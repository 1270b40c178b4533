//! Writes what is outside the lanes: parked follow-ups and rejects. A task of its own, so that a caller
//! who hangs up never drops a transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::LedgerError;
use super::rejects::{CONFLICT, REVERSAL_DIFFERS};
use crate::store::{ParkedRow, RejectRow, Store, StoreError};

/// What is written in one transaction at the most.
const BATCH_MAX: usize = 256;
/// How often a batch that lost to another process is tried before its callers hear of it.
const ATTEMPTS_MAX: u32 = 5;

/// One thing to be written.
#[derive(Clone)]
pub(super) enum Keep {
    /// A follow-up waits.
    Park(Box<ParkedRow>),
    /// Something cannot be used.
    Reject(Box<RejectRow>),
    /// A follow-up that waited cannot be used.
    Refuse {
        /// What waited.
        parked_id: String,
        /// What is kept instead.
        reject: Box<RejectRow>,
    },
    /// A follow-up waits no longer.
    Unpark(String),
    /// A reject was sent again with success.
    Drop(String),
    /// These bytes, about this settlement, were taken.
    MadeGood {
        /// The digest of the bytes.
        digest: String,
        /// `(source, settlement_id)`.
        settlement: Option<(String, String)>,
    },
}

struct Request {
    keep: Keep,
    reply: oneshot::Sender<Result<String, LedgerError>>,
}

/// Hands over what is to be written. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keeper {
    requests: mpsc::Sender<Request>,
    /// Whether there may be rejects at all: without any, a success has nothing to make good.
    has_rejects: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn start(store: Store, closing: CancellationToken) -> Keeper {
        let (requests, waiting) = mpsc::channel(BATCH_MAX * 2);
        tokio::spawn(run(store, waiting, closing));
        Keeper { requests, has_rejects: Arc::new(AtomicBool::new(true)) }
    }

    /// Writes one thing; gives the id of its row.
    pub(super) async fn keep(&self, keep: Keep) -> Result<String, LedgerError> {
        if matches!(keep, Keep::Reject(_) | Keep::Refuse { .. }) {
            self.has_rejects.store(true, Ordering::Relaxed);
        }
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(Request { keep, reply }).await;
        if sent.is_err() {
            return Err(LedgerError::ShuttingDown);
        }
        answer.await.unwrap_or(Err(LedgerError::ShuttingDown))
    }

    /// Whether there may be rejects.
    pub(super) fn has_rejects(&self) -> bool {
        self.has_rejects.load(Ordering::Relaxed)
    }

    /// What the database says about it.
    pub(super) fn set_has_rejects(&self, has_rejects: bool) {
        self.has_rejects.store(has_rejects, Ordering::Relaxed);
    }
}

async fn run(store: Store, mut waiting: mpsc::Receiver<Request>, closing: CancellationToken) {
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            count = waiting.recv_many(&mut batch, BATCH_MAX) => {
                if count == 0 {
                    return;
                }
            }
            () = closing.cancelled() => return,
        }
        let keeps: Vec<Keep> = batch.iter().map(|request| request.keep.clone()).collect();
        match write_with_retries(&store, &keeps).await {
            Ok(ids) => {
                for (request, id) in batch.into_iter().zip(ids) {
                    let _ = request.reply.send(Ok(id));
                }
            }
            // One that the database cannot take must not hold up the others.
            Err(_) if batch.len() > 1 => {
                for request in batch {
                    let written = write_with_retries(&store, &[request.keep]).await;
                    let _ = request.reply.send(one(written));
                }
            }
            Err(error) => {
                for request in batch {
                    let _ = request.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

fn one(written: Result<Vec<String>, LedgerError>) -> Result<String, LedgerError> {
    written?.pop().ok_or(LedgerError::CommandFailed)
}

async fn write_with_retries(store: &Store, keeps: &[Keep]) -> Result<Vec<String>, LedgerError> {
    let mut attempt = 1;
    loop {
        match write(store, keeps).await {
            Err(StoreError::Contended(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
            // Written or not, the same again comes to the same.
            outcome => return outcome.map_err(LedgerError::from),
        }
    }
}

async fn write(store: &Store, keeps: &[Keep]) -> Result<Vec<String>, StoreError> {
    let mut tx = store.begin().await?;
    let mut ids = Vec::with_capacity(keeps.len());
    for keep in keeps {
        ids.push(match keep {
            Keep::Park(row) => tx.park(row).await?,
            Keep::Reject(row) => tx.keep_reject(row).await?,
            Keep::Refuse { parked_id, reject } => {
                tx.unpark(std::slice::from_ref(parked_id)).await?;
                tx.keep_reject(reject).await?
            }
            Keep::Unpark(parked_id) => {
                tx.unpark(std::slice::from_ref(parked_id)).await?;
                parked_id.clone()
            }
            Keep::Drop(reject_id) => {
                tx.drop_reject(reject_id).await?;
                reject_id.clone()
            }
            Keep::MadeGood { digest, settlement } => {
                let settlement = settlement.as_ref();
                let settlement = settlement.map(|(source, id)| (source.as_str(), id.as_str()));
                tx.drop_rejects_of(digest, settlement, [CONFLICT, REVERSAL_DIFFERS]).await?;
                String::new()
            }
        });
    }
    tx.commit().await?;
    Ok(ids)
}
