//! What is found while a message is read: its problems, and codes that nobody knows.

use std::collections::BTreeSet;

use super::dictionary;
use super::names::Names;
use super::part::Places;
use super::profile::Profile;
use crate::core::checks::{Checks, limits};
use crate::core::settlement::{SenderNotes, UnknownCode};

/// Collects what is found, by the profile of the sender.
pub(super) struct Findings<'p> {
    pub(super) profile: &'p Profile,
    pub(super) checks: Checks,
    unknown: BTreeSet<(&'static str, String)>,
}

impl<'p> Findings<'p> {
    pub(super) fn new(profile: &'p Profile) -> Findings<'p> {
        Findings { profile, checks: Checks::default(), unknown: BTreeSet::new() }
    }

    /// A dictionary code: first in the words of the national dictionary, where the sender has its
    /// own, then with the zero it may have lost.
    pub(super) fn coded(&mut self, places: Places<'_, '_>, names: Names) -> Option<String> {
        let (field, code) = self.national(places, names)?;
        let code = self.checks.code(&field, &code, limits::CODE_MAX)?;
        Some(self.noted(names, code))
    }

    /// A dictionary code in whose place a platform without codes sends a name.
    pub(super) fn coded_or_named(
        &mut self,
        places: Places<'_, '_>,
        names: Names,
        chars_max: usize,
    ) -> Option<String> {
        let (field, code) = self.national(places, names)?;
        let code = self.checks.text(&field, &code, chars_max)?;
        Some(self.noted(names, code))
    }

    fn national(&mut self, places: Places<'_, '_>, names: Names) -> Option<(String, String)> {
        let (field, text) = places.short(names, &mut self.checks)?;
        let own = self.profile.codes.get(names[0]);
        let known = |code: &str| own.and_then(|codes| codes.get(code)).cloned();
        let widened = dictionary::widened(names[0], &text);
        let wide = widened.unwrap_or_else(|| text.clone().into_owned());
        let code = known(&text).or_else(|| known(&wide)).unwrap_or(wide);
        Some((field, code))
    }

    fn noted(&mut self, names: Names, code: String) -> String {
        if !dictionary::is_known(names[0], &code) {
            self.unknown.insert((names[0], code.clone()));
        }
        code
    }

    /// What the sender says beside the facts, all codes read so far included.
    pub(super) fn notes(&self) -> SenderNotes {
        let unknown = self.unknown.iter().cloned();
        let unknown = unknown.map(|(field, code)| UnknownCode { field: field.to_owned(), code });
        SenderNotes {
            tolerance: self.profile.tolerance,
            unknown_codes: unknown.collect(),
            ..SenderNotes::default()
        }
    }
}
