//! When something in a plan applies: every key that is given must hold.

use crate::core::day::Day;
use crate::core::decision::Denial;
use crate::core::member::{Class, Roster};
use crate::core::settlement::{Cause, Settlement, has_prefix};

/// When something in a plan applies. Every list that is not empty must hold, and any entry of a
/// list is enough for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// Prefixes of the medical category (`med_type`).
    pub medical_categories: Vec<String>,
    /// Prefixes of the main diagnosis (ICD-10).
    pub diagnoses: Vec<String>,
    /// Prefixes that the main diagnosis must not have.
    pub not_diagnoses: Vec<String>,
    /// Illness or accident.
    pub causes: Vec<Cause>,
    /// Levels of the hospital (`hosp_lv`), exact. A hospital in `hospital_codes` needs none.
    pub hospital_levels: Vec<String>,
    /// Codes of hospitals. A hospital of one of the `hospital_levels` needs none.
    pub hospital_codes: Vec<String>,
    /// Prefixes of the region of treatment.
    pub regions: Vec<String>,
    /// Prefixes that the region of treatment must not have.
    pub not_regions: Vec<String>,
    /// Classes of the member (优抚类别) on the attribution date.
    pub classes: Vec<ClassRange>,
    /// Whether the main diagnosis belongs to an illness that began before the member's
    /// unbroken coverage (既往症).
    pub pre_existing: Option<bool>,
    /// Whether basic insurance took part in the settlement.
    pub basic_insurance: Option<bool>,
    /// How an event came about: `driving`, ….
    pub circumstances: Vec<String>,
}

/// A class, with the grades that are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassRange {
    /// The class, exact.
    pub class: String,
    /// First and last grade, both included; none for every grade and for classes without.
    pub grades: Option<(u8, u8)>,
}

/// What conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The facts.
    pub settlement: &'a Settlement,
    /// The member.
    pub roster: &'a Roster,
    /// The attribution date.
    pub day: Day,
    /// The first day of the member's unbroken coverage by the plan.
    pub covered_since: Day,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It does.
    Yes,
    /// A fact it looks at was not stated. What gives a benefit applies then, what takes one away
    /// does not; a plan that wants it otherwise requires the fact.
    Unknown,
    /// It does not, and what a claim would be told.
    No(Denial),
}

impl Condition {
    /// Whether it holds without looking.
    pub fn is_always(&self) -> bool {
        let lists = [
            &self.medical_categories,
            &self.diagnoses,
            &self.not_diagnoses,
            &self.hospital_levels,
            &self.hospital_codes,
            &self.regions,
            &self.not_regions,
            &self.circumstances,
        ];
        self.causes.is_empty()
            && self.classes.is_empty()
            && self.pre_existing.is_none()
            && self.basic_insurance.is_none()
            && lists.iter().all(|list| list.is_empty())
    }

    /// Whether it holds for sure.
    pub fn holds(&self, it: Circumstances<'_>) -> bool {
        self.answer(it) == Answer::Yes
    }

    /// Whether it holds; the first key that does not decides what is told.
    pub fn answer(&self, it: Circumstances<'_>) -> Answer {
        if self.is_always() {
            return Answer::Yes;
        }
        let answers = [
            self.of_service(it),
            self.of_diagnosis(it),
            self.of_class(it),
            self.of_hospital(it),
            self.of_region(it),
        ];
        let denied = answers.iter().find(|answer| matches!(answer, Answer::No(_)));
        let unknown = answers.iter().find(|answer| **answer == Answer::Unknown);
        denied.or(unknown).copied().unwrap_or(Answer::Yes)
    }

    /// Whether nothing but the member's class decides, and it holds on `day`.
    pub fn is_for_class(&self, roster: &Roster, day: Day) -> bool {
        let but_class = Condition { classes: Vec::new(), ..self.clone() };
        but_class.is_always() && self.may_be_for(roster, day)
    }

    /// Whether the member's class does not rule it out on `day`.
    pub fn may_be_for(&self, roster: &Roster, day: Day) -> bool {
        self.classes.is_empty() || self.classes.iter().any(|range| range.has(roster, day))
    }

    fn of_service(&self, it: Circumstances<'_>) -> Answer {
        let category = it.settlement.medical_category.as_deref();
        let happened = it.settlement.event.as_ref().map_or(&[][..], |event| &event.circumstances);
        let is_as_told = |told: &String| happened.contains(told);
        let takes_part = !it.settlement.without_basic_insurance;
        let holds = (self.circumstances.is_empty() || self.circumstances.iter().any(is_as_told))
            && self.basic_insurance.is_none_or(|wanted| wanted == takes_part);
        if !holds {
            return Answer::No(Denial::ServiceNotCovered);
        }
        one_of(&self.medical_categories, category, Denial::ServiceNotCovered)
    }

    fn of_diagnosis(&self, it: Circumstances<'_>) -> Answer {
        let main = it.settlement.main_diagnosis();
        let denial = Denial::ServiceNotCovered;
        let cause = if self.causes.is_empty() {
            Answer::Yes
        } else {
            match it.settlement.cause() {
                None => Answer::Unknown,
                Some(cause) if self.causes.contains(&cause) => Answer::Yes,
                Some(_) => Answer::No(denial),
            }
        };
        let known = match (self.pre_existing, main) {
            (None, _) => Answer::Yes,
            (Some(_), None) if it.roster.illnesses.is_empty() => self.known(false),
            (Some(_), None) => Answer::Unknown,
            (Some(_), Some(main)) => self.known(it.roster.had_before(main, it.covered_since)),
        };
        cause.and(known).and(one_of(&self.diagnoses, main, denial)).and(none_of(
            &self.not_diagnoses,
            main,
            denial,
        ))
    }

    fn known(&self, is_pre_existing: bool) -> Answer {
        match self.pre_existing {
            Some(wanted) if wanted != is_pre_existing => Answer::No(Denial::PreExisting),
            _ => Answer::Yes,
        }
    }

    fn of_class(&self, it: Circumstances<'_>) -> Answer {
        if self.may_be_for(it.roster, it.day) {
            Answer::Yes
        } else {
            Answer::No(Denial::ClassNotCovered)
        }
    }

    fn of_hospital(&self, it: Circumstances<'_>) -> Answer {
        let denial = Denial::HospitalNotCovered;
        let level = it.settlement.hospital_level.as_deref();
        let code = it.settlement.hospital_code.as_deref();
        let is_listed = |list: &[String], stated: Option<&str>| match stated {
            None => Answer::Unknown,
            Some(stated) if list.iter().any(|known| known == stated) => Answer::Yes,
            Some(_) => Answer::No(denial),
        };
        match (self.hospital_levels.is_empty(), self.hospital_codes.is_empty()) {
            (true, true) => Answer::Yes,
            (false, true) => is_listed(&self.hospital_levels, level),
            (true, false) => is_listed(&self.hospital_codes, code),
            (false, false) => {
                let by_level = is_listed(&self.hospital_levels, level);
                by_level.or(is_listed(&self.hospital_codes, code))
            }
        }
    }

    fn of_region(&self, it: Circumstances<'_>) -> Answer {
        let region = it.settlement.region.as_deref();
        let denial = Denial::RegionNotCovered;
        one_of(&self.regions, region, denial).and(none_of(&self.not_regions, region, denial))
    }
}

impl ClassRange {
    /// Whether a member is of this class and grade on `day`.
    pub fn has(&self, roster: &Roster, day: Day) -> bool {
        let is_meant = |class: &Class| {
            let in_grades = |(first, last): (u8, u8)| {
                class.grade.is_some_and(|grade| (first..=last).contains(&grade))
            };
            class.class_code.reveal() == self.class
                && class.span.contains(day)
                && self.grades.is_none_or(in_grades)
        };
        roster.classes.iter().any(is_meant)
    }
}

impl Answer {
    /// Whether it may hold: a fact that was not stated is not held against anybody.
    pub fn may_hold(self) -> bool {
        !matches!(self, Answer::No(_))
    }

    fn and(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::No(denial), _) | (_, Answer::No(denial)) => Answer::No(denial),
            (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
            (Answer::Yes, Answer::Yes) => Answer::Yes,
        }
    }

    fn or(self, other: Answer) -> Answer {
        match (self, other) {
            (Answer::Yes, _) | (_, Answer::Yes) => Answer::Yes,
            (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
            (Answer::No(denial), Answer::No(_)) => Answer::No(denial),
        }
    }
}

fn one_of(prefixes: &[String], stated: Option<&str>, denial: Denial) -> Answer {
    match stated {
        _ if prefixes.is_empty() => Answer::Yes,
        None => Answer::Unknown,
        Some(text) if has_any(prefixes, text) => Answer::Yes,
        Some(_) => Answer::No(denial),
    }
}

fn none_of(prefixes: &[String], stated: Option<&str>, denial: Denial) -> Answer {
    match stated {
        _ if prefixes.is_empty() => Answer::Yes,
        None => Answer::Unknown,
        Some(text) if has_any(prefixes, text) => Answer::No(denial),
        Some(_) => Answer::Yes,
    }
}

fn has_any(prefixes: &[String], text: &str) -> bool {
    prefixes.iter().any(|prefix| has_prefix(text, prefix))
}
