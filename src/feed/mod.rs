//! The status stream: from committed events to endless watches.
//!
//! A watcher is a [`Cursor`], not a queue. It reads from a ring of the newest events while it keeps
//! up, and from the store when it does not, so a slow one costs no memory and delays nobody.
//! Nothing is announced through the database: a commit of this process moves the ring at once,
//! those of others are found by looking at the heads of the lanes.
//!
//! This module never decides and never blocks a writer. It knows nothing of the wire.

mod cursor;
mod entry;
mod interest;
mod poller;
mod ring;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError};

pub use cursor::{Cursor, Mark};
pub use entry::{ClaimNews, Entry, Told};
pub use interest::Filter;
pub use watch::{Item, Start, Watch, WatchError};

use interest::Wakers;
use ring::Ring;

/// The feed of one ledger, as this process serves it. Cheap to clone.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    store: Store,
    ring: Ring,
    wakers: Wakers,
    /// How many watch. Without any the ring stands still and costs nothing.
    watchers: AtomicUsize,
    /// Tells the poller that somebody watches.
    look: Notify,
    /// Places for reads of the store by watchers.
    reads: Semaphore,
}

/// Watchers who read the store at once: half of its readers at the most, so that however many fall
/// behind together, others find a connection.
const STORE_READS_MAX: usize = 4;

impl Feed {
    /// Starts the feed; it ends when `closing` is cancelled.
    pub fn start(store: Store, closing: CancellationToken) -> Feed {
        let inner = Inner {
            ring: Ring::new(store.lanes()),
            store,
            wakers: Wakers::default(),
            watchers: AtomicUsize::new(0),
            look: Notify::new(),
            reads: Semaphore::new(STORE_READS_MAX),
        };
        let feed = Feed(Arc::new(inner));
        tokio::spawn(poller::run(feed.clone(), closing));
        feed
    }

    /// Tells the feed what this process has just committed: whole transactions, and those of a
    /// lane in their order. What another process committed in between is found by the poller.
    pub fn offer(&self, entries: Vec<Entry>) {
        if self.0.watchers.load(Ordering::Relaxed) > 0 {
            self.append(entries);
        }
    }

    /// Where every lane ends now.
    pub async fn heads(&self) -> Result<Cursor, StoreError> {
        let heads = self.0.store.heads().await?;
        Ok(Cursor::of(heads.iter().map(|head| Mark::of(head.position, &head.hash)).collect()))
    }

    /// How often the ring began anew: once when the first watcher comes. More of it means that
    /// watchers fall back to reading from the store.
    pub fn ring_beginnings(&self) -> u64 {
        self.0.ring.beginnings()
    }

    /// Empties the ring, makes it begin behind `heads`, and sends everybody to look.
    fn begin_anew(&self, heads: &Cursor) {
        self.0.ring.begin_at(heads);
        self.0.wakers.wake_all();
    }

    fn append(&self, entries: Vec<Entry>) {
        let appended = self.0.ring.append(entries);
        self.0.wakers.wake(&appended.entries);
        if appended.is_sweep_due {
            self.0.wakers.wake_all();
        }
    }
}
