//! What waited for the settlements of one batch, and what becomes of it in the same commit.

use std::sync::Arc;

use super::LedgerError;
use super::keeper::with_bytes;
use super::keys::{Keys, key_of};
use super::queue::{Ask, Job};
use super::rejects::{Grounds, Rejected};
use crate::core::book::Book;
use crate::core::day::Moment;
use crate::core::settlement::{Comparison, FollowUp, Settlement, Supplement};
use crate::store::{Named, ParkedRow, RejectRow, StoreError, Tx};

/// The parked follow-ups that a batch may apply.
#[derive(Default)]
pub(super) struct Waiting {
    rows: Vec<ParkedRow>,
    /// Those that wait no longer, by id.
    done: Vec<String>,
    /// Those that cannot be applied, by the id under which they waited.
    rejects: Vec<(String, RejectRow)>,
}

/// A settlement with what waited for it.
pub(super) struct Completed {
    pub(super) settlement: Arc<Settlement>,
    /// What is in it now, by id.
    pub(super) used: Vec<String>,
    /// What contradicts it, with the fields.
    pub(super) refused: Vec<(ParkedRow, Vec<&'static str>)>,
    /// What is to be applied once it is recorded.
    pub(super) rest: Vec<ParkedRow>,
}

impl Completed {
    fn of(settlement: Arc<Settlement>) -> Completed {
        let (used, refused, rest) = (Vec::new(), Vec::new(), Vec::new());
        Completed { settlement, used, refused, rest }
    }

    fn take(&mut self, row: ParkedRow, facts: &Supplement) {
        match self.settlement.compare(&facts.beside(&self.settlement)) {
            Comparison::Same => self.used.push(row.parked_id),
            Comparison::Supplement(merged) => {
                self.settlement = Arc::from(merged);
                self.used.push(row.parked_id);
            }
            Comparison::Conflict(fields) => self.refused.push((row, fields)),
        }
    }
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

    /// The invoices that facts which wait bring.
    pub(super) fn invoices(&self) -> impl Iterator<Item = String> {
        self.rows.iter().filter_map(|row| match Waiting::follow_up(row) {
            Some(FollowUp::Supplement(it)) => it.facts.invoice_no.clone(),
            Some(FollowUp::Reversal(_)) | None => None,
        })
    }

    /// A settlement that is new in `book`, with the facts that waited for it: they are decided
    /// together, as if they had come together.
    pub(super) fn completed(
        settlement: &Arc<Settlement>,
        book: &Book,
        rows: Vec<ParkedRow>,
    ) -> Completed {
        let mut completed = Completed::of(settlement.clone());
        let is_new = book.claim_of(settlement).is_none();
        for row in rows {
            match Waiting::follow_up(&row) {
                Some(FollowUp::Supplement(facts))
                    if is_new && facts.is_about(settlement, &book.claims) =>
                {
                    completed.take(row, &facts);
                }
                Some(_) => completed.rest.push(row),
                None => {}
            }
        }
        completed
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
        let reject = Rejected::of_parked(row, Grounds::of(error)).row(now);
        self.rejects.push((row.parked_id.clone(), reject));
    }

    /// Whether nothing has to be written.
    pub(super) fn is_untouched(&self) -> bool {
        self.done.is_empty()
    }

    /// Writes what became of it.
    pub(super) async fn write(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        // In one order everywhere, rejects first: two lanes may have met the same rows.
        self.rejects.sort_by(|one, other| one.0.cmp(&other.0));
        self.done.sort_unstable();
        for (parked_id, reject) in &self.rejects {
            let reject = with_bytes(tx, parked_id, reject).await?;
            tx.keep_reject(&reject).await?;
        }
        tx.unpark(&self.done).await
    }
}
