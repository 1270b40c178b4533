//! What waited for the settlements of one batch, and what becomes of it in the same commit.

use super::LedgerError;
use super::keys::{Keys, key_of};
use super::queue::{Ask, Job};
use super::rejects::{Grounds, Rejected};
use crate::core::day::Moment;
use crate::core::settlement::FollowUp;
use crate::store::{Named, ParkedRow, RejectRow, StoreError, Tx};

/// The parked follow-ups that a batch may apply.
#[derive(Default)]
pub(super) struct Waiting {
    rows: Vec<ParkedRow>,
    /// Those that wait no longer, by id.
    done: Vec<String>,
    /// Those that cannot be applied.
    rejects: Vec<RejectRow>,
}

impl Waiting {
    /// Reads what waits for settlements that are new in this batch.
    pub(super) async fn read(
        tx: &mut Tx,
        jobs: &[Job],
        keys: &Keys,
    ) -> Result<Waiting, StoreError> {
        let mut named = Vec::new();
        for job in jobs {
            let Ask::Submit { settlement, .. } = &job.ask else { continue };
            if key_of(job).is_some_and(|key| keys.is_new(&key)) {
                named.push(Named {
                    source: &settlement.source,
                    settlement_id: &settlement.settlement_id,
                    visit_id: settlement.visit_id.as_deref(),
                });
            }
        }
        Ok(Waiting { rows: tx.parked_of(&named).await?, ..Waiting::default() })
    }

    /// What waits for the settlement of a job.
    pub(super) fn of(&self, job: &Job) -> Vec<ParkedRow> {
        let Ask::Submit { settlement, .. } = &job.ask else { return Vec::new() };
        let fits = |row: &&ParkedRow| {
            row.source == settlement.source
                && (row.settlement_id.as_ref() == Some(&settlement.settlement_id)
                    || (row.visit_id.is_some() && row.visit_id == settlement.visit_id))
                && !self.done.contains(&row.parked_id)
        };
        self.rows.iter().filter(fits).cloned().collect()
    }

    /// What a row says; `None` for one that a newer server wrote, which that one will apply.
    pub(super) fn follow_up(row: &ParkedRow) -> Option<FollowUp> {
        let read = serde_json::from_str(&row.body);
        if read.is_err() {
            tracing::warn!(
                parked_id = row.parked_id,
                "a parked message cannot be read; it waits on"
            );
        }
        read.ok()
    }

    /// A follow-up is applied.
    pub(super) fn applied(&mut self, parked_id: String) {
        self.done.push(parked_id);
    }

    /// A follow-up cannot be applied: it waits no longer, and is kept as a reject.
    pub(super) fn refused(&mut self, row: &ParkedRow, error: &LedgerError, now: Moment) {
        self.done.push(row.parked_id.clone());
        self.rejects.push(Rejected::of_parked(row, Grounds::of(error)).row(now));
    }

    /// Whether nothing has to be written.
    pub(super) fn is_untouched(&self) -> bool {
        self.done.is_empty()
    }

    /// Writes what became of it.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for reject in &self.rejects {
            tx.keep_reject(reject).await?;
        }
        tx.unpark(&self.done).await
    }
}
