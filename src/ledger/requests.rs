//! The requests of one batch: each is carried out once, however often it comes.

use std::collections::BTreeMap;

use super::batch::Outcome;
use super::queue::{Ask, Job, RequestKey};
use super::{LedgerError, Mode, Submitted};
use crate::core::book::Book;
use crate::feed::Entry;
use crate::store::{RequestRow, StoreError, Tx};

/// What was carried out before, and what this batch carries out.
#[derive(Default)]
pub(super) struct Requests {
    known: BTreeMap<String, RequestRow>,
    made: BTreeMap<String, RequestRow>,
}

fn request_of(job: &Job) -> Option<&RequestKey> {
    match &job.ask {
        Ask::Review { request, .. } => Some(request),
        Ask::Submit { .. } | Ask::FollowUp { .. } | Ask::Enrol { .. } => None,
    }
}

impl Requests {
    /// Reads which of the batch's requests were carried out before.
    pub(super) async fn read(tx: &mut Tx, jobs: &[Job]) -> Result<Requests, StoreError> {
        let ids: Vec<&str> =
            jobs.iter().filter_map(request_of).map(|request| request.id.as_str()).collect();
        let known = tx.requests(&ids).await?;
        let known = known.into_iter().map(|row| (row.request_id.clone(), row)).collect();
        Ok(Requests { known, made: BTreeMap::new() })
    }

    /// The answer to a request that was carried out before.
    pub(super) fn outcome(&self, job: &Job, book: &Book) -> Option<Outcome> {
        let request = request_of(job)?;
        let row = self.made.get(&request.id).or_else(|| self.known.get(&request.id))?;
        if row.digest != request.digest {
            let request_id = request.id.clone();
            return Some(Outcome::Refused(LedgerError::RequestIdReused { request_id }));
        }
        let Some(claim) = book.claims.iter().find(|claim| claim.id == row.claim_id).cloned() else {
            // It took another claim at the same time: whoever asked looks there.
            return Some(Outcome::Refused(LedgerError::Contended));
        };
        let told = Some(row.positions);
        let changes = Vec::new();
        Some(Outcome::Submitted(Submitted { claim, replayed: true, changes, told }))
    }

    /// A request is carried out, with these events.
    pub(super) fn made(&mut self, job: &Job, told: &[Entry]) {
        let Ask::Review { claim_id, request, .. } = &job.ask else { return };
        let (Some(first), Some(last)) = (told.first(), told.last()) else { return };
        debug_assert!(job.mode == Mode::Record, "what is only tried is not carried out");
        let row = RequestRow {
            request_id: request.id.clone(),
            digest: request.digest.clone(),
            claim_id: *claim_id,
            positions: (first.mark.position, last.mark.position),
        };
        self.made.insert(request.id.clone(), row);
    }

    /// Writes what was carried out, in one order everywhere. `false` when another server carried one
    /// of them out meanwhile.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let rows: Vec<RequestRow> = self.made.values().cloned().collect();
        tx.insert_requests(&rows).await
    }
}
