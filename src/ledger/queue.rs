//! The queues in front of the lanes: callers at the window first, bulk never starved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::documents::Documents;
use super::writer::Writer;
use super::{Clock, Enrolled, LedgerError, Mode, Submitted};
use crate::core::claim::ClaimId;
use crate::core::member::Roster;
use crate::core::review::{Act, Texts};
use crate::core::settlement::{FollowUp, Settlement};
use crate::feed::Feed;
use crate::store::Store;

/// Commands in one transaction at the most: more only lengthens the wait of each.
const BATCH_COMMANDS_MAX: usize = 512;
/// Fee lines in one transaction at the most: they make a settlement heavy.
const BATCH_LINES_MAX: usize = 20_000;
/// Of a full batch, the part that window callers may take while bulk waits.
const WINDOW_COMMANDS_MAX: usize = BATCH_COMMANDS_MAX / 4 * 3;
/// How long after a window command, to whichever lane, bulk takes smaller bites in all of them.
const WINDOW_ACTIVE: Duration = Duration::from_millis(250);
/// Bulk commands under way meanwhile, in all lanes together: who comes to the window waits for
/// them, and that is some ten milliseconds.
const BULK_BESIDE_WINDOW: usize = 64;
/// Commands waiting in one queue; beyond it senders wait, which is the back-pressure of a stream.
const QUEUE_COMMANDS_MAX: usize = 4096;

/// Which queue a command waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Somebody waits at the discharge window.
    Window,
    /// Streams, files, imports: a quarter of every full batch at the least.
    Bulk,
}

/// A command on its way to its lane.
pub(super) struct Job {
    pub(super) lane: u16,
    pub(super) member_id: String,
    pub(super) ask: Ask,
    pub(super) mode: Mode,
    pub(super) queue: Queue,
}

/// What is asked, and where the answer goes.
pub(super) enum Ask {
    Submit {
        settlement: Arc<Settlement>,
        person_unclear: bool,
        reply: oneshot::Sender<Result<Submitted, LedgerError>>,
    },
    FollowUp {
        what: FollowUp,
        /// What waits in the database for it; taken out in the same commit.
        parked_id: Option<String>,
        reply: oneshot::Sender<Result<Submitted, LedgerError>>,
    },
    Enrol {
        import: Arc<Roster>,
        reply: oneshot::Sender<Result<Enrolled, LedgerError>>,
    },
    Review {
        claim_id: ClaimId,
        act: Arc<Act>,
        texts: Arc<Texts>,
        request: RequestKey,
        reply: oneshot::Sender<Result<Submitted, LedgerError>>,
    },
}

/// A request as its caller named it, so that it is never carried out twice.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// The id that the caller chose, a UUID.
    pub id: String,
    /// SHA-256 of what is asked, in hex. What is stored is sealed with the directory's key.
    pub digest: String,
}

impl Ask {
    /// Answers with an error. A caller that is gone misses nothing.
    pub(super) fn refuse(self, error: LedgerError) {
        match self {
            Ask::Submit { reply, .. } | Ask::FollowUp { reply, .. } | Ask::Review { reply, .. } => {
                drop(reply.send(Err(error)));
            }
            Ask::Enrol { reply, .. } => drop(reply.send(Err(error))),
        }
    }

    fn lines(&self) -> usize {
        match self {
            Ask::Submit { settlement, .. } => settlement.lines.len(),
            Ask::FollowUp { what: FollowUp::Supplement(it), .. } => it.facts.lines.len(),
            Ask::FollowUp { .. } | Ask::Enrol { .. } | Ask::Review { .. } => 0,
        }
    }
}

/// The writers of all lanes: one for each, or one for all where the database has one writer.
pub(super) struct Writers {
    senders: Vec<Senders>,
    alive: Arc<AtomicUsize>,
    window: Arc<Window>,
    tasks: Mutex<tokio::task::JoinSet<()>>,
    closing: tokio_util::sync::CancellationToken,
}

struct Senders {
    window: mpsc::Sender<Job>,
    bulk: mpsc::Sender<Job>,
}

impl Writers {
    pub(super) fn start(
        store: &Store,
        documents: &Documents,
        feed: &Feed,
        clock: Clock,
        moved: &mpsc::UnboundedSender<Job>,
    ) -> Writers {
        let count = if store.shares_one_writer() { 1 } else { usize::from(store.lanes()) };
        let alive = Arc::new(AtomicUsize::new(count));
        let window = Arc::new(Window::new());
        let closing = tokio_util::sync::CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        let mut senders = Vec::with_capacity(count);
        for _ in 0..count {
            let (window_sender, window_jobs) = mpsc::channel(QUEUE_COMMANDS_MAX);
            let (bulk_sender, bulk_jobs) = mpsc::channel(QUEUE_COMMANDS_MAX);
            let queues = Queues {
                window: window_jobs,
                bulk: bulk_jobs,
                put_back: Vec::new(),
                at_window: window.clone(),
                bulk_beside_window: BULK_BESIDE_WINDOW.div_ceil(count),
                closing: closing.clone(),
                is_closed: false,
            };
            let (documents, feed, moved) = (documents.clone(), feed.clone(), moved.clone());
            let writer = Writer::new(store.clone(), documents, feed, clock, moved);
            tasks.spawn(supervise(writer, Arc::new(Mutex::new(queues)), alive.clone()));
            senders.push(Senders { window: window_sender, bulk: bulk_sender });
        }
        Writers { senders, alive, window, tasks: Mutex::new(tasks), closing }
    }

    pub(super) async fn send(&self, job: Job) {
        let senders = &self.senders[usize::from(job.lane) % self.senders.len()];
        let sender = match job.queue {
            Queue::Window => {
                self.window.seen();
                &senders.window
            }
            Queue::Bulk => &senders.bulk,
        };
        if let Err(mpsc::error::SendError(job)) = sender.send(job).await {
            job.ask.refuse(LedgerError::ShuttingDown);
        }
    }

    pub(super) fn are_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed) == self.senders.len()
    }

    /// Lets every writer finish what waits and end.
    pub(super) async fn drain(&self) {
        self.closing.cancel();
        let mut tasks = self.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }
}

/// Runs a writer and starts it again when it dies; its queues survive it.
async fn supervise(writer: Writer, queues: Arc<Mutex<Queues>>, alive: Arc<AtomicUsize>) {
    loop {
        let (writer, queues) = (writer.clone(), queues.clone());
        let run = tokio::spawn(async move { writer.run(&mut *queues.lock().await).await });
        match run.await {
            Ok(()) => return,
            Err(_panic) => {
                alive.fetch_sub(1, Ordering::Relaxed);
                tracing::error!("a lane writer died and is started again");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                alive.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// When somebody was last at the window, in any lane: lanes share the machine.
struct Window {
    since: Instant,
    /// In ms after `since`, and one; 0 before the first.
    last_ms: AtomicU64,
}

impl Window {
    fn new() -> Window {
        Window { since: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn seen(&self) {
        self.last_ms.store(self.now_ms().saturating_add(1), Ordering::Relaxed);
    }

    fn is_active(&self) -> bool {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        let ago = Duration::from_millis(self.now_ms().saturating_sub(last_ms));
        last_ms > 0 && ago < WINDOW_ACTIVE
    }
}

/// The two queues of a writer.
pub(super) struct Queues {
    window: mpsc::Receiver<Job>,
    bulk: mpsc::Receiver<Job>,
    put_back: Vec<Job>,
    at_window: Arc<Window>,
    /// Bulk commands in one batch while somebody is at the window, at the least.
    bulk_beside_window: usize,
    closing: tokio_util::sync::CancellationToken,
    is_closed: bool,
}

impl Queues {
    /// Puts jobs in front of everything else.
    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        self.put_back.splice(0..0, jobs);
    }

    /// Waits for work and takes what has gathered, window first. `None` when closed and empty.
    pub(super) async fn gather(&mut self) -> Option<Vec<Job>> {
        let mut batch = std::mem::take(&mut self.put_back);
        if batch.is_empty() {
            batch.push(self.first().await?);
        }
        let mut lines: usize = batch.iter().map(|job| job.ask.lines()).sum();
        take(&mut self.window, &mut batch, WINDOW_COMMANDS_MAX, &mut lines);
        let bulk_until = if self.at_window.is_active() {
            (batch.len() + self.bulk_beside_window.max(batch.len() / 3)).min(BATCH_COMMANDS_MAX)
        } else {
            BATCH_COMMANDS_MAX
        };
        take(&mut self.bulk, &mut batch, bulk_until, &mut lines);
        take(&mut self.window, &mut batch, BATCH_COMMANDS_MAX, &mut lines);
        Some(batch)
    }

    async fn first(&mut self) -> Option<Job> {
        loop {
            if self.is_closed {
                // Closed queues still hand out what they hold.
                return match self.window.recv().await {
                    Some(job) => Some(job),
                    None => self.bulk.recv().await,
                };
            }
            tokio::select! {
                biased;
                Some(job) = self.window.recv() => return Some(job),
                Some(job) = self.bulk.recv() => return Some(job),
                () = self.closing.cancelled() => {
                    self.window.close();
                    self.bulk.close();
                    self.is_closed = true;
                }
            }
        }
    }
}

/// Takes what waits, until the batch has so many commands or the most lines.
fn take(
    queue: &mut mpsc::Receiver<Job>,
    batch: &mut Vec<Job>,
    commands_max: usize,
    lines: &mut usize,
) {
    while batch.len() < commands_max && *lines < BATCH_LINES_MAX {
        let Ok(job) = queue.try_recv() else { return };
        *lines += job.ask.lines();
        batch.push(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Queues in which so many commands wait, and what the next batch takes of each.
    async fn batch_of(window: usize, bulk: usize) -> (usize, usize) {
        let (window_sender, window_jobs) = mpsc::channel(QUEUE_COMMANDS_MAX);
        let (bulk_sender, bulk_jobs) = mpsc::channel(QUEUE_COMMANDS_MAX);
        for (sender, queue, count) in
            [(&window_sender, Queue::Window, window), (&bulk_sender, Queue::Bulk, bulk)]
        {
            for _ in 0..count {
                let ask = Ask::Enrol { import: Arc::default(), reply: oneshot::channel().0 };
                let (member_id, mode) = (String::new(), Mode::Record);
                sender.send(Job { lane: 0, member_id, ask, mode, queue }).await.unwrap();
            }
        }
        let at_window = Arc::new(Window::new());
        if window > 0 {
            at_window.seen();
        }
        let mut queues = Queues {
            window: window_jobs,
            bulk: bulk_jobs,
            put_back: Vec::new(),
            at_window,
            bulk_beside_window: 8,
            closing: tokio_util::sync::CancellationToken::new(),
            is_closed: false,
        };
        let batch = queues.gather().await.unwrap();
        let of_window = batch.iter().filter(|job| job.queue == Queue::Window).count();
        (of_window, batch.len() - of_window)
    }

    #[tokio::test]
    async fn bulk_alone_fills_a_batch() {
        assert_eq!(batch_of(0, 2_000).await, (0, BATCH_COMMANDS_MAX));
    }

    /// Who comes to the window next waits for a small batch.
    #[tokio::test]
    async fn bulk_takes_small_bites_while_somebody_is_at_the_window() {
        assert_eq!(batch_of(1, 2_000).await, (1, 8));
    }

    #[tokio::test]
    async fn bulk_has_a_quarter_of_a_full_batch() {
        let (window, bulk) = batch_of(2_000, 2_000).await;
        assert_eq!((window, bulk), (WINDOW_COMMANDS_MAX, BATCH_COMMANDS_MAX / 4));
    }

    #[tokio::test]
    async fn the_window_takes_what_bulk_leaves() {
        assert_eq!(batch_of(2_000, 10).await, (BATCH_COMMANDS_MAX - 10, 10));
    }
}
