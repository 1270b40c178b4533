//! Rules about the person: who they are by their papers, and whom the money goes to.

use super::{Facts, GoesWith, told};
use crate::core::day::Day;
use crate::core::identity_card::{IDENTITY_CARD, IdentityCard, Sex};
use crate::core::settlement::has_prefix;

type Evidence = Option<Vec<(String, String)>>;

/// The number of the person's identity card: as the roster has it, else as the settlement does.
fn card(facts: Facts<'_>) -> Option<IdentityCard> {
    let (roster, person) = (facts.roster, &facts.settlement.person);
    let known = [(&roster.cert_type, &roster.cert_no), (&person.cert_type, &person.cert_no)];
    let cards = known.into_iter().filter(|(kind, _)| is_card(kind.as_deref()));
    cards
        .filter_map(|(_, number)| number.as_ref())
        .find_map(|number| IdentityCard::parse(number.reveal()).ok())
}

fn is_card(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind == IDENTITY_CARD)
}

pub(super) fn sex_age(facts: Facts<'_>, conflicts: &[GoesWith]) -> Evidence {
    let card = card(facts)?;
    let settlement = facts.settlement;
    let day = settlement.admission_date.or(settlement.last_day())?;
    let mut evidence = Vec::new();
    for (index, diagnosis) in settlement.diagnoses.iter().enumerate() {
        let is_meant = |it: &&GoesWith| is_of(diagnosis.code.reveal(), &it.diagnoses);
        let conflict = conflicts.iter().filter(is_meant).find_map(|it| conflict(it, card, day));
        // Which diagnosis, never what it is.
        let place = told("diagnosis", index + 1);
        evidence.extend(conflict.map(|sign| [place, told("sign", sign)]).into_iter().flatten());
    }
    for line in &settlement.lines {
        let Some(code) = &line.item_code else { continue };
        let is_meant = |it: &&GoesWith| is_of(code.reveal(), &it.item_codes);
        let conflict = conflicts.iter().filter(is_meant).find_map(|it| conflict(it, card, day));
        let place = told("line", &line.line_no);
        evidence.extend(conflict.map(|sign| [place, told("sign", sign)]).into_iter().flatten());
    }
    (!evidence.is_empty()).then_some(evidence)
}

fn is_of(code: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| has_prefix(code, prefix))
}

fn conflict(goes_with: &GoesWith, card: IdentityCard, day: Day) -> Option<&'static str> {
    let age = card.age_on(day);
    let is_other_sex = goes_with.sex.is_some_and(|sex: Sex| sex != card.sex);
    let is_other_age = goes_with.ages.is_some_and(|(first, last)| age < first || age > last);
    match (is_other_sex, is_other_age) {
        (true, _) => Some("sex"),
        (false, true) => Some("age"),
        (false, false) => None,
    }
}

pub(super) fn class_ended(facts: Facts<'_>) -> Evidence {
    let day = facts.decision.attribution_date;
    let classes = &facts.roster.classes;
    let holds = classes.iter().any(|class| class.span.contains(day));
    let last = classes.iter().filter_map(|class| class.span.end).filter(|end| *end < day).max();
    let ended = last.map(|last| told("ended", last)).into_iter().collect();
    (!classes.is_empty() && !holds).then_some(ended)
}

pub(super) fn shared_account(facts: Facts<'_>, accounts: &str, persons: u16) -> Evidence {
    let figures = facts.figures.accounts(accounts, facts.first_figures)?;
    let count = *figures.persons.get(facts.member_id)?;
    (count > persons).then(|| vec![told("persons", count), told("limit_persons", persons)])
}

pub(super) fn weak_identity(facts: Facts<'_>) -> Evidence {
    let person = &facts.settlement.person;
    let number = person.cert_no.as_ref().filter(|_| is_card(person.cert_type.as_deref()))?;
    let fault = IdentityCard::parse(number.reveal()).err()?;
    Some(vec![told("fault", crate::core::decision::code(&fault))])
}

pub(super) fn name_differs(facts: Facts<'_>) -> Evidence {
    let (ours, theirs) = (facts.roster.name.as_ref()?, facts.settlement.person.name.as_ref()?);
    (plain(ours.reveal()) != plain(theirs.reveal())).then(Vec::new)
}

/// A name without what is written now so, now otherwise: spaces, and the dot between the parts of a
/// name of a minority (`domain.md` 4.7).
fn plain(name: &str) -> String {
    let is_kept = |letter: &char| !letter.is_whitespace() && !"·•・．.‧∙".contains(*letter);
    name.chars().filter(is_kept).flat_map(char::to_lowercase).collect()
}
