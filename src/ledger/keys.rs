//! The settlement keys of one batch: who has which, and which go again with the batch.

use std::collections::BTreeMap;

use super::batch::Outcome;
use super::queue::{Ask, Job};
use crate::core::claim::ClaimId;
use crate::store::{KeyRow, StoreError, Tx};

/// `(source, settlement_id)`.
pub(super) type Key = (String, String);

/// Who has which settlement key.
pub(super) struct Keys(BTreeMap<Key, Owner>);

pub(super) struct Owner {
    pub(super) row: KeyRow,
    pub(super) standing: Standing,
}

#[derive(PartialEq, Eq)]
pub(super) enum Standing {
    /// The key was there before this batch, or its claim is recorded in it.
    Established,
    /// Inserted for a command that has not been settled.
    Waiting,
    /// Inserted for a command that recorded nothing; to be taken out again.
    Unused,
}

impl Keys {
    /// Inserts the batch's keys, sorted. What does not come back exists.
    pub(super) async fn insert(
        tx: &mut Tx,
        jobs: &[Job],
        ids: &[ClaimId],
    ) -> Result<Keys, StoreError> {
        let mut rows = BTreeMap::new();
        for (job, claim_id) in jobs.iter().zip(ids) {
            let Some(key) = key_of(job) else { continue };
            rows.entry(key).or_insert_with_key(|(source, settlement_id)| KeyRow {
                source: source.clone(),
                settlement_id: settlement_id.clone(),
                claim_id: *claim_id,
                member_id: job.member_id.clone(),
            });
        }
        if rows.is_empty() {
            return Ok(Keys(BTreeMap::new()));
        }
        let sorted: Vec<KeyRow> = rows.values().cloned().collect();
        let existing = tx.insert_keys(&sorted).await?;
        let standing = |row| Owner { row, standing: Standing::Waiting };
        let mut owners: BTreeMap<Key, Owner> =
            rows.into_iter().map(|(key, row)| (key, standing(row))).collect();
        for row in existing {
            let key = (row.source.clone(), row.settlement_id.clone());
            owners.insert(key, Owner { row, standing: Standing::Established });
        }
        Ok(Keys(owners))
    }

    pub(super) fn owner(&mut self, key: &Key) -> &mut Owner {
        self.0.get_mut(key).expect("every key of the batch was inserted")
    }

    /// The keys that were there before the batch.
    pub(super) fn established(&self) -> impl Iterator<Item = &KeyRow> {
        let known = self.0.values().filter(|owner| owner.standing == Standing::Established);
        known.map(|owner| &owner.row)
    }

    /// Whether nobody had the key before the batch.
    pub(super) fn is_new(&self, key: &Key) -> bool {
        self.0.get(key).is_some_and(|owner| owner.standing != Standing::Established)
    }

    /// The keys that must not survive the batch.
    pub(super) fn unused(&self) -> Vec<Key> {
        let unused = |(_, owner): &(&Key, &Owner)| owner.standing != Standing::Established;
        self.0.iter().filter(unused).map(|(key, _)| key.clone()).collect()
    }
}

/// The key of a settlement; a quote may have none.
pub(super) fn key_of(job: &Job) -> Option<Key> {
    match &job.ask {
        Ask::Submit { settlement, .. } if !settlement.settlement_id.is_empty() => {
            Some((settlement.source.clone(), settlement.settlement_id.clone()))
        }
        Ask::Submit { .. } | Ask::FollowUp { .. } | Ask::Enrol { .. } | Ask::Review { .. } => None,
    }
}

impl Keys {
    /// The command waits for the next batch, which inserts its key again.
    pub(super) fn put_back(&mut self, job: &Job) -> Outcome {
        if let Some(key) = key_of(job) {
            self.release(&key);
        }
        Outcome::PutBack
    }

    /// The command recorded nothing: its key goes, unless it was there before.
    pub(super) fn release(&mut self, key: &Key) {
        let owner = self.owner(key);
        if owner.standing == Standing::Waiting {
            owner.standing = Standing::Unused;
        }
    }
}
