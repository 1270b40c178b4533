//! Whose the settlements are that this process took last, for what comes right behind them.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::core::settlement::{FollowUp, Settlement};

/// Settlements whose member is remembered: more than all streams of a server have in flight.
const RECENT_MAX: usize = 50_000;

/// Whose the settlements are that this process took last, so that a follow-up right behind one goes
/// to the same lane in its turn. Only a hint: what it leads to looks for itself.
pub(super) struct Recent(Cache<u64, Arc<str>>);

impl Recent {
    pub(super) fn new() -> Recent {
        Recent(Cache::new(RECENT_MAX))
    }

    /// A settlement is on its way to its member's lane.
    pub(super) fn sent(&self, settlement: &Settlement, member_id: &str) {
        let member: Arc<str> = Arc::from(member_id);
        self.0.insert(place(&settlement.source, &settlement.settlement_id), member.clone());
        if let Some(visit_id) = &settlement.visit_id {
            let stay = place_of_stay(&settlement.source, visit_id);
            let is_other = self.0.get(&stay).is_some_and(|known| known != member);
            self.0.insert(stay, if is_other { Arc::from("") } else { member });
        }
    }

    /// The member of the stay that is meant; none for one that two members had.
    pub(super) fn member_of_stay(&self, what: &FollowUp) -> Option<String> {
        if what.settlement_id().is_some() {
            return None;
        }
        let member = self.0.get(&place_of_stay(what.source(), what.visit_id()?))?;
        (!member.is_empty()).then(|| member.to_string())
    }

    /// The member of the settlement that is named.
    pub(super) fn member_of(&self, what: &FollowUp) -> Option<String> {
        let own = match what {
            FollowUp::Reversal(reversal) => reversal.reversal_id.as_deref(),
            FollowUp::Supplement(_) => None,
        };
        let id = what.settlement_id().or(own)?;
        self.0.get(&place(what.source(), id)).map(|member| member.to_string())
    }
}

fn place(source: &str, settlement_id: &str) -> u64 {
    hash(["settlement", source, settlement_id])
}

fn place_of_stay(source: &str, visit_id: &str) -> u64 {
    hash(["stay", source, visit_id])
}

/// Where something is remembered. Two that share a place only cost a look that finds nothing.
fn hash(parts: [&str; 3]) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(b"|");
    }
    hash.digest()
}
