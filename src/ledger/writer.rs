//! A writer: takes what has gathered, settles it, answers. Nothing here decides.

use tokio::sync::mpsc;

use super::batch::{self, Outcome};
use super::documents::Documents;
use super::queue::{Ask, Job, Queues};
use super::{Clock, LedgerError};
use crate::feed::Feed;
use crate::store::{Store, StoreError};

/// How often a batch that lost to another process is tried before its callers hear of it.
const ATTEMPTS_MAX: u32 = 8;

#[derive(Clone)]
pub(super) struct Writer {
    store: Store,
    documents: Documents,
    feed: Feed,
    clock: Clock,
    /// Where commands go whose member is another one by now.
    moved: mpsc::UnboundedSender<Job>,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        documents: Documents,
        feed: Feed,
        clock: Clock,
        moved: mpsc::UnboundedSender<Job>,
    ) -> Writer {
        Writer { store, documents, feed, clock, moved }
    }

    /// Settles batch after batch until the queues are closed and empty.
    pub(super) async fn run(&self, queues: &mut Queues) {
        while let Some(batch) = queues.gather().await {
            let put_back = self.settle(batch).await;
            queues.put_back(put_back);
        }
    }

    /// Settles a batch, halving it when the database cannot take it. Returns the commands that
    /// must go first into the next batch.
    async fn settle(&self, batch: Vec<Job>) -> Vec<Job> {
        let mut put_back = Vec::new();
        let mut work = vec![(batch, 1)];
        while let Some((mut jobs, attempt)) = work.pop() {
            match batch::settle(&self.store, &self.documents, self.clock, &jobs).await {
                Ok(batch::Settled { outcomes, told }) => {
                    put_back.extend(self.answer(jobs, outcomes));
                    self.feed.offer(told);
                }
                Err(batch::Trouble::Stale) => match self.documents.refresh(&self.store).await {
                    Ok(()) => work.push((jobs, attempt)),
                    Err(error) => refuse_all(jobs, &error.into()),
                },
                Err(
                    batch::Trouble::Overtaken | batch::Trouble::Store(StoreError::Contended(_)),
                ) if attempt < ATTEMPTS_MAX => {
                    work.push((jobs, attempt + 1));
                }
                Err(batch::Trouble::Overtaken) => refuse_all(jobs, &LedgerError::Contended),
                Err(batch::Trouble::Store(error)) => {
                    let is_culprit_inside = !error.is_connection()
                        && !matches!(
                            error,
                            StoreError::Contended(_) | StoreError::CommitUnknown(_)
                        );
                    if is_culprit_inside && jobs.len() > 1 {
                        let second = jobs.split_off(jobs.len() / 2);
                        work.push((second, attempt));
                        work.push((jobs, attempt));
                    } else {
                        refuse_all(jobs, &error.into());
                    }
                }
            }
        }
        put_back
    }

    /// Answers everyone after the commit; a caller that is gone misses nothing.
    fn answer(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>) -> Vec<Job> {
        let mut put_back = Vec::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match (job.ask, outcome) {
                (ask, Outcome::PutBack) => put_back.push(Job { ask, ..job }),
                (ask, Outcome::Moved(member_id)) => {
                    let moved = self.moved.send(Job { member_id, ask, ..job });
                    if let Err(mpsc::error::SendError(job)) = moved {
                        job.ask.refuse(LedgerError::ShuttingDown);
                    }
                }
                (ask, Outcome::Refused(error)) => ask.refuse(error),
                (
                    Ask::Submit { reply, .. }
                    | Ask::FollowUp { reply, .. }
                    | Ask::Review { reply, .. },
                    Outcome::Submitted(done),
                ) => drop(reply.send(Ok(done))),
                (Ask::Enrol { reply, .. }, Outcome::Enrolled(done)) => drop(reply.send(Ok(done))),
                (ask, _) => ask.refuse(LedgerError::CommandFailed),
            }
        }
        put_back
    }
}

fn refuse_all(jobs: Vec<Job>, error: &LedgerError) {
    for job in jobs {
        job.ask.refuse(error.clone());
    }
}
