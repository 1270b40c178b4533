//! Writes what is outside the lanes: parked follow-ups and rejects. A task of its own, so that a caller
//! who hangs up never drops a transaction.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::LedgerError;
use super::rejects::{CONFLICT, REVERSAL_DIFFERS, Rejected, digest};
use crate::store::{ParkedRow, RejectKey, RejectRow, Store, StoreError, Tx};

/// What is written in one transaction at the most.
const BATCH_MAX: usize = 256;
/// For how long a reject of this process is remembered by itself: until the database has told of it.
const OWN_MAX: Duration = Duration::from_secs(30);
/// How often a batch that lost to another process is tried before its callers hear of it.
const ATTEMPTS_MAX: u32 = 5;

/// One thing to be written.
#[derive(Clone)]
pub(super) enum Keep {
    /// A follow-up waits.
    Park(Box<ParkedRow>),
    /// Something cannot be used.
    Reject {
        /// What is kept of it.
        reject: Box<RejectRow>,
        /// The reject that it was to correct.
        corrects: Option<String>,
    },
    /// A follow-up that waited cannot be used.
    Refuse {
        /// What waited.
        parked_id: String,
        /// What is kept instead.
        reject: Box<RejectRow>,
    },
    /// A reject was sent again with success.
    Drop(String),
    /// Settlements may have been recorded since they were rejected.
    DropRecorded,
    /// These bytes, about this settlement, were taken.
    MadeGood {
        /// The digest of the bytes.
        digest: String,
        /// Source, settlement and topic.
        about: Option<(String, String, &'static str)>,
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
    known: Arc<RwLock<KnownRejects>>,
}

/// The rejects that a success may make good: without this every success would have to ask.
#[derive(Default)]
struct KnownRejects {
    digests: HashSet<String>,
    settlements: HashSet<(String, String)>,
    /// Those of this process that the database may not have told of yet.
    own: Vec<(Instant, RejectKey)>,
}

impl KnownRejects {
    fn add(&mut self, (digest, source, settlement_id): RejectKey) {
        self.digests.insert(digest);
        self.settlements.extend(source.zip(settlement_id));
    }
}

impl Keeper {
    pub(super) fn start(store: Store, closing: CancellationToken) -> Keeper {
        let (requests, waiting) = mpsc::channel(BATCH_MAX * 2);
        tokio::spawn(run(store, waiting, closing));
        Keeper { requests, known: Arc::default() }
    }

    /// Writes one thing; gives the id of its row.
    pub(super) async fn keep(&self, keep: Keep) -> Result<String, LedgerError> {
        if let Keep::Reject { reject: row, .. } | Keep::Refuse { reject: row, .. } = &keep {
            self.expect(Rejected::key(row));
        }
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(Request { keep, reply }).await;
        if sent.is_err() {
            return Err(LedgerError::ShuttingDown);
        }
        answer.await.unwrap_or(Err(LedgerError::ShuttingDown))
    }

    /// A reject is being kept.
    fn expect(&self, key: RejectKey) {
        let mut known = self.known.write().expect("nobody panics while holding it");
        known.own.push((Instant::now(), key.clone()));
        known.add(key);
    }

    /// Whether there is anything to be made good.
    pub(super) fn has_any(&self) -> bool {
        !self.known.read().expect("nobody panics while holding it").digests.is_empty()
    }

    /// Whether a success may make a reject good.
    pub(super) fn may_have(
        &self,
        digest: impl FnOnce() -> String,
        about: Option<(&str, &str)>,
    ) -> bool {
        let known = self.known.read().expect("nobody panics while holding it");
        let key = about.map(|(source, id)| (source.to_owned(), id.to_owned()));
        key.is_some_and(|key| known.settlements.contains(&key)) || known.digests.contains(&digest())
    }

    /// What the database says there is, besides what this process has kept since it was asked.
    pub(super) fn set_known(&self, stored: Vec<RejectKey>) {
        let mut fresh = KnownRejects::default();
        for key in stored {
            fresh.add(key);
        }
        let mut known = self.known.write().expect("nobody panics while holding it");
        fresh.own = std::mem::take(&mut known.own);
        fresh.own.retain(|(since, _)| since.elapsed() < OWN_MAX);
        for (_, key) in fresh.own.clone() {
            fresh.add(key);
        }
        *known = fresh;
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
            Keep::Reject { reject, corrects: None } => tx.keep_reject(reject).await?,
            Keep::Reject { reject, corrects: Some(reject_id) } => {
                if tx.replace_reject(reject_id, reject).await? {
                    reject_id.clone()
                } else {
                    tx.keep_reject(reject).await?
                }
            }
            Keep::Refuse { parked_id, reject } => {
                let reject = with_bytes(&mut tx, parked_id, reject).await?;
                let id = tx.keep_reject(&reject).await?;
                tx.unpark(std::slice::from_ref(parked_id)).await?;
                id
            }
            Keep::Drop(reject_id) => {
                tx.drop_reject(reject_id).await?;
                reject_id.clone()
            }
            Keep::DropRecorded => {
                tx.drop_recorded_rejects([CONFLICT, REVERSAL_DIFFERS]).await?;
                String::new()
            }
            Keep::MadeGood { digest, about } => {
                let about = about.as_ref();
                let about = about.map(|(source, id, topic)| (source.as_str(), id.as_str(), *topic));
                tx.drop_rejects_of(digest, about, [CONFLICT, REVERSAL_DIFFERS]).await?;
                String::new()
            }
        });
    }
    tx.commit().await?;
    Ok(ids)
}

/// A reject that is made of what waited, with the bytes that came; they are read only now.
pub(super) async fn with_bytes(
    tx: &mut Tx,
    parked_id: &str,
    reject: &RejectRow,
) -> Result<RejectRow, StoreError> {
    let mut reject = reject.clone();
    if let Some((payload, request_payload)) = tx.parked_bytes(parked_id).await? {
        reject.delivery.payload = payload;
        reject.delivery.request_payload = request_payload;
        reject.digest = digest(&reject.delivery);
    }
    Ok(reject)
}
