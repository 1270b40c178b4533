//! What a message is about although it cannot be read: ids for a list of refused messages. Leaves
//! out whatever might be personal.

use super::About;
use super::findings::Findings;
use super::names::{self, Names};
use super::part::{Part, Places};
use super::parts::Parts;
use super::profile::Profile;
use crate::core::checks::{Checks, limits};

/// The platform and the settlement, as far as they are told well.
pub(super) fn of(parts: &Parts<'_>, profile: &Profile) -> About {
    let source = parts.source_region(&mut Findings::new(profile));
    let lines = parts.rows.iter().flatten().next();
    let silent = Part::default();
    let places = [&parts.setlinfo, &parts.list, &parts.stay, lines.unwrap_or(&silent)];
    let id = [names::ORIGINAL_ID, names::SETTLEMENT_ID].into_iter().find_map(|names| {
        let place = Places(&places);
        place.code(names, limits::SETTLEMENT_ID_MAX, &mut Checks::default())
    });
    About {
        topic: None,
        source: Some(source).filter(|source| !source.is_empty()),
        settlement_id: id.filter(|id| !looks_like_a_card(id) && !names_the_person(parts, id)),
    }
}

/// An identity card's number has 18 digits, the last of which may be an X, or 15.
fn looks_like_a_card(id: &str) -> bool {
    let digits = id.strip_suffix(['x', 'X']).unwrap_or(id);
    matches!(id.len(), 15 | 18) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn names_the_person(parts: &Parts<'_>, id: &str) -> bool {
    const PERSONAL: [Names; 4] =
        [names::CERT_NO, names::PERSON_NO, names::PERSON_NAME, &["mdtrt_cert_no"]];
    let places = [&parts.setlinfo, &parts.list, &parts.stay, &parts.asked];
    places.into_iter().any(|part| {
        let said = |names| Places(&[part]).stated(names, &mut Checks::default());
        PERSONAL.into_iter().filter_map(said).any(|(_, said)| said == id)
    })
}
