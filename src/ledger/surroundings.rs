//! What rules want to know of a settlement from beyond the member's book: which claim had its invoice
//! first, of whatever member (F2 in `domain.md` 4.3), and whether other stays of the member lie near
//! (F3, F6, F7), so that the whole history is read only then.

use std::collections::{HashMap, HashSet};

use super::keys::Key;
use super::queue::{Ask, Job};
use super::waiting::Waiting;
use crate::core::book::{Book, Seen};
use crate::core::claim::{ClaimId, ClaimState};
use crate::core::day::{Moment, Span};
use crate::core::plan::Plans;
use crate::core::settlement::{FollowUp, Settlement};
use crate::store::{InvoiceRow, StoreError, Tx};

/// What was seen for one batch. Invoices are held until it commits: two lanes never both take one for
/// new.
#[derive(Default)]
pub(super) struct Surroundings {
    /// The claims with each invoice that was looked for, oldest first. Empty where no plan asks.
    known: HashMap<String, Vec<InvoiceRow>>,
    /// Settlements, by source and id, with other stays of their member near.
    near: HashSet<Key>,
}

impl Surroundings {
    /// Looks for the invoices that commands of the batch bring, and what waited for their settlements.
    /// The settlement keys are taken before, so that two batches wait for each other in one order only.
    pub(super) async fn read(
        tx: &mut Tx,
        jobs: &[Job],
        waiting: &Waiting,
        plans: &Plans,
    ) -> Result<Surroundings, StoreError> {
        let near = near(tx, jobs, plans).await?;
        if !plans.all().any(|plan| plan.looks_at_invoices()) {
            return Ok(Surroundings { known: HashMap::new(), near });
        }
        let brought = jobs.iter().filter_map(|job| match &job.ask {
            Ask::Submit { settlement, .. } => settlement.invoice_no.clone(),
            Ask::FollowUp { what: FollowUp::Supplement(it), .. } => it.facts.invoice_no.clone(),
            Ask::FollowUp { .. } | Ask::Enrol { .. } | Ask::Review { .. } => None,
        });
        let mut numbers: Vec<String> = brought.chain(waiting.invoices()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let asked: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let found = tx.claims_with_invoices(&asked).await?;
        let mut known: HashMap<String, Vec<InvoiceRow>> =
            numbers.into_iter().map(|number| (number, Vec::new())).collect();
        for row in found {
            known.entry(row.invoice_no.clone()).or_default().push(row);
        }
        for rows in known.values_mut() {
            rows.sort_by_key(age);
        }
        Ok(Surroundings { known, near })
    }

    /// What is to be known of a settlement from outside its book.
    pub(super) fn seen(&self, settlement: &Settlement, person_unclear: bool) -> Seen {
        let key = (settlement.source.clone(), settlement.settlement_id.clone());
        let rows = settlement.invoice_no.as_ref().and_then(|number| self.known.get(number));
        let mut claims = rows.into_iter().flatten().map(|row| row.claim_id);
        let invoice_of = [claims.next(), claims.next()];
        Seen { person_unclear, invoice_of, has_neighbours: self.near.contains(&key) }
    }

    /// What the batch recorded counts for those behind it.
    pub(super) fn recorded(&mut self, book: &Book, subject: Option<ClaimId>) {
        let Some(claim) = book.claims.iter().find(|claim| Some(claim.id) == subject) else {
            return;
        };
        let Some(number) = &claim.settlement.invoice_no else { return };
        let Some(rows) = self.known.get_mut(number) else { return };
        rows.retain(|row| row.claim_id != claim.id);
        if claim.state() != ClaimState::Voided {
            rows.push(InvoiceRow {
                invoice_no: number.clone(),
                claim_id: claim.id,
                create_time: claim.create_time,
            });
            rows.sort_by_key(age);
        }
    }
}

/// The order in which claims came.
fn age(row: &InvoiceRow) -> (Moment, ClaimId) {
    (row.create_time, row.claim_id)
}

/// The settlements of a batch near to which the tables have other stays of their members.
async fn near(tx: &mut Tx, jobs: &[Job], plans: &Plans) -> Result<HashSet<Key>, StoreError> {
    let mut spans = Vec::new();
    let mut keys = Vec::new();
    for job in jobs {
        let Ask::Submit { settlement, .. } = &job.ask else { continue };
        if let Some(Span { start, end: Some(end) }) = plans.reach_of(settlement) {
            spans.push((job.member_id.as_str(), start, end));
            keys.push((settlement.source.clone(), settlement.settlement_id.clone()));
        }
    }
    let near = tx.with_neighbours(&spans).await?;
    let keys = keys.into_iter().enumerate().filter(|(place, _)| near.contains(place));
    Ok(keys.map(|(_, key)| key).collect())
}
