//! The profiles of senders as they were published, read once.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::intake::Profile;
use crate::ledger::{Ledger, PROFILE};

/// The profiles in force, read once for each publication.
#[derive(Default)]
pub(super) struct Profiles(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// How many documents were looked at.
    documents: usize,
    profiles: HashMap<String, Arc<Profile>>,
    national: Option<Arc<Profile>>,
}

impl Profiles {
    /// The profile of a sender; the national one for a sender without.
    pub(super) fn of(&self, ledger: &Ledger, sender: &str) -> Arc<Profile> {
        let documents = ledger.documents();
        let known = self.0.read().expect("nobody panics while holding it");
        if known.documents == documents.len()
            && let Some(national) = &known.national
        {
            return known.profiles.get(sender).unwrap_or(national).clone();
        }
        drop(known);
        let mut known = self.0.write().expect("nobody panics while holding it");
        for row in documents.iter().skip(known.documents).filter(|row| row.kind == PROFILE) {
            if let Ok(profile) = Profile::read(&row.body) {
                known.profiles.insert(row.id.clone(), Arc::new(profile));
            } else {
                // Published by a newer server: what is known of the sender goes on.
                tracing::error!(id = row.id, version = row.version, "unknown profile");
            }
        }
        known.documents = documents.len();
        let national = known.profiles.get("national").cloned();
        let national = national.unwrap_or_else(|| Arc::new(Profile::national()));
        known.national = Some(national.clone());
        known.profiles.get(sender).unwrap_or(&national).clone()
    }
}
