//! The member (参保对象): a person on the roster, why they are entitled and how long.

use serde::{Deserialize, Serialize};

use super::day::{Day, Span};
use super::identity_card::{IDENTITY_CARD, comparable};
use super::personal::Personal;
use super::settlement::{Person, has_prefix};

/// What the roster says of one person. Also a person who is not on it: without coverage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Roster {
    /// The bureau's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// 证件类型.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_type: Option<String>,
    /// 证件号码.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_no: Option<Personal>,
    /// 姓名.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal>,
    /// Why the person is entitled, each with its dates (优抚类别).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// Which plan covers the person when (保障期). No two overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coverages: Vec<Coverage>,
    /// Illnesses that the insurer knew of (既往症告知). No settlement tells them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub illnesses: Vec<Illness>,
    /// When the person died, as the bureau knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub death_date: Option<Day>,
    /// Where the money goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
    /// Other records of the same person, which were merged with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
}

/// Another record of a person that proved to be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The bureau's key there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// 证件类型.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_type: Option<String>,
    /// 证件号码.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_no: Option<Personal>,
}

/// An illness that the insurer knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Illness {
    /// ICD-10, or the beginning of it: `I25` means all of them.
    pub diagnosis_code: Personal,
    /// Since when. Before the unbroken coverage, it is pre-existing.
    pub since_date: Day,
}

/// A class of entitlement (优抚类别) with its grade and dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The class, personal: it tells of service and wounds. Empty in an import: from its first day
    /// on the person has none.
    pub class_code: Personal,
    /// 1 to 10 where the class has grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<u8>,
    /// When it holds.
    #[serde(flatten)]
    pub span: Span,
}

/// Member × plan × dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The plan.
    pub plan_id: String,
    /// When it covers.
    #[serde(flatten)]
    pub span: Span,
}

/// Where a member's money goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payee {
    /// `bank_account`, `social_card`, …: as the bureau states it.
    pub kind: String,
    /// The account's holder.
    pub account_name: Personal,
    /// The account.
    pub account_no: Personal,
    /// The bank's code, perhaps empty.
    #[serde(default)]
    pub bank_code: String,
}

/// Two coverages that share a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("coverage from {first_start} and coverage from {second_start} share a day")]
pub struct CoverageOverlap {
    /// The earlier coverage's first day.
    pub first_start: Day,
    /// The later coverage's first day.
    pub second_start: Day,
}

impl Roster {
    /// Whether a settlement names its person by another certificate of the same kind than the
    /// roster has. Without a type a certificate is an identity card (01).
    pub fn contradicts(&self, person: &Person) -> bool {
        let kind =
            |cert_type: &Option<String>| cert_type.clone().unwrap_or_else(|| IDENTITY_CARD.into());
        let Some(theirs) = &person.cert_no else { return false };
        let of_aliases = self.aliases.iter().map(|alias| (&alias.cert_type, &alias.cert_no));
        let ours = std::iter::once((&self.cert_type, &self.cert_no)).chain(of_aliases);
        let mut comparable = ours
            .filter(|(cert_type, _)| kind(cert_type) == kind(&person.cert_type))
            .filter_map(|(_, cert_no)| cert_no.as_ref())
            .map(|ours| comparable(ours.reveal()) == comparable(theirs.reveal()))
            .peekable();
        comparable.peek().is_some() && !comparable.any(|is_same| is_same)
    }

    /// The person goes by the certificate of a settlement too: it proved to be theirs.
    pub fn know_as(&mut self, person: &Person) {
        if self.contradicts(person) {
            let (cert_type, cert_no) = (person.cert_type.clone(), person.cert_no.clone());
            self.aliases.push(Alias { external_id: None, cert_type, cert_no });
        }
    }

    /// Whether an import is about somebody else, by the bureau's own key.
    pub fn is_another(&self, import: &Roster) -> bool {
        let (Some(ours), Some(theirs)) = (&self.external_id, &import.external_id) else {
            return false;
        };
        let is_alias = |alias: &Alias| alias.external_id.as_ref() == Some(theirs);
        ours != theirs && !self.aliases.iter().any(is_alias)
    }

    /// Whether an import is one of the other records of the person.
    pub fn is_alias(&self, import: &Roster) -> bool {
        let key = import.external_id.as_ref();
        key.is_some()
            && key != self.external_id.as_ref()
            && self.aliases.iter().any(|alias| alias.external_id.as_ref() == key)
    }

    /// What is known of a person whose other record proved to be theirs: what this one says holds,
    /// and the other adds what it does not know.
    #[must_use]
    pub fn joined(&self, other: &Roster) -> Roster {
        let mut joined = self.clone();
        macro_rules! ours_first {
            ($($field:ident),+) => {$(
                if joined.$field.is_none() {
                    joined.$field.clone_from(&other.$field);
                }
            )+};
        }
        ours_first!(external_id, name, death_date, payee);
        if joined.cert_no.is_none() {
            joined.cert_type.clone_from(&other.cert_type);
            joined.cert_no.clone_from(&other.cert_no);
        }
        let alias = Alias {
            external_id: other.external_id.clone(),
            cert_type: other.cert_type.clone(),
            cert_no: other.cert_no.clone(),
        };
        let is_news = alias.external_id != joined.external_id || alias.cert_no != joined.cert_no;
        let is_empty = alias.external_id.is_none() && alias.cert_no.is_none();
        let aliases = (is_news && !is_empty).then_some(alias).into_iter();
        for alias in aliases.chain(other.aliases.iter().cloned()) {
            if !joined.aliases.contains(&alias) {
                joined.aliases.push(alias);
            }
        }
        for class in &other.classes {
            if !joined.classes.contains(class) {
                joined.classes.push(class.clone());
            }
        }
        for illness in &other.illnesses {
            let known = |it: &Illness| it.diagnosis_code == illness.diagnosis_code;
            if !joined.illnesses.iter().any(known) {
                joined.illnesses.push(illness.clone());
            }
        }
        for coverage in &other.coverages {
            let ours: Vec<Span> = joined.coverages.iter().map(|known| known.span).collect();
            let add = |span| Coverage { plan_id: coverage.plan_id.clone(), span };
            joined.coverages.extend(coverage.span.without(&ours).into_iter().map(add));
        }
        joined.coverages.sort_by_key(|coverage| coverage.span.start);
        joined
    }

    /// The first day of the member's unbroken coverage by a plan up to `day`: coverages with at most
    /// `gap_days` between them are one (续保). `None` when `day` is not covered.
    pub fn covered_since(&self, plan_id: &str, day: Day, gap_days: u16) -> Option<Day> {
        let mut since: Option<Day> = None;
        // By first day, as every import leaves them: from the newest back.
        for coverage in self.coverages.iter().rev().filter(|it| it.plan_id == plan_id) {
            let joins = match (since, coverage.span.end) {
                (None, _) => coverage.span.contains(day),
                (Some(next), Some(end)) => next.days_since(end) <= i32::from(gap_days) + 1,
                (Some(_), None) => false,
            };
            match (joins, since) {
                (true, _) => since = Some(coverage.span.start),
                (false, Some(_)) => break,
                (false, None) => {}
            }
        }
        since
    }

    /// Whether a diagnosis belongs to an illness that the insurer knew before `day`.
    pub fn had_before(&self, diagnosis: &str, day: Day) -> bool {
        self.illnesses.iter().any(|illness| {
            illness.since_date < day && has_prefix(diagnosis, illness.diagnosis_code.reveal())
        })
    }

    /// What the roster says after an import. An import is an upsert: a coverage with a known plan
    /// and first day gets the new last day, another one is added, and absence never ends anything
    /// (`design.md` 5.3).
    pub fn merged(&self, import: &Roster) -> Result<Roster, CoverageOverlap> {
        let mut merged = self.clone();
        macro_rules! newest {
            ($($field:ident),+) => {$(
                if import.$field.is_some() {
                    merged.$field.clone_from(&import.$field);
                }
            )+};
        }
        newest!(external_id, cert_type, cert_no, name, death_date, payee);
        for class in &import.classes {
            if class.class_code.reveal().is_empty() {
                merged.end_classes(class.span.start);
                continue;
            }
            let same = |known: &&mut Class| {
                known.class_code == class.class_code && known.span.start == class.span.start
            };
            match merged.classes.iter_mut().find(same) {
                Some(known) => known.clone_from(class),
                None => merged.classes.push(class.clone()),
            }
        }
        for illness in &import.illnesses {
            let same = |known: &&mut Illness| known.diagnosis_code == illness.diagnosis_code;
            match merged.illnesses.iter_mut().find(same) {
                Some(known) => known.clone_from(illness),
                None => merged.illnesses.push(illness.clone()),
            }
        }
        for coverage in &import.coverages {
            let same = |known: &&mut Coverage| {
                known.plan_id == coverage.plan_id && known.span.start == coverage.span.start
            };
            match merged.coverages.iter_mut().find(same) {
                Some(known) => known.clone_from(coverage),
                None => merged.coverages.push(coverage.clone()),
            }
        }
        merged.coverages.sort_by_key(|coverage| coverage.span.start);
        for pair in merged.coverages.windows(2) {
            if pair[0].span.overlaps(&pair[1].span) {
                let (first_start, second_start) = (pair[0].span.start, pair[1].span.start);
                return Err(CoverageOverlap { first_start, second_start });
            }
        }
        Ok(merged)
    }
}

impl Roster {
    /// Nobody has a class that began before `day`, from then on: it ends the day before.
    fn end_classes(&mut self, day: Day) {
        self.classes.retain(|class| class.span.start != day);
        for class in self.classes.iter_mut().filter(|class| class.span.start < day) {
            let last = class.span.end.map_or(day.previous(), |end| end.min(day.previous()));
            class.span.end = Some(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn covered(start: &str, end: Option<&str>) -> Roster {
        let span = Span { start: day(start), end: end.map(day) };
        Roster { coverages: vec![Coverage { plan_id: "plan".into(), span }], ..Roster::default() }
    }

    #[test]
    fn an_import_adds_and_extends_and_never_ends_by_absence() {
        let known = covered("2024-01-01", Some("2024-12-31"));
        assert_eq!(known.merged(&Roster::default()), Ok(known.clone()));
        let longer = known.merged(&covered("2024-01-01", None)).unwrap();
        assert_eq!(longer.coverages.len(), 1);
        assert!(longer.coverages[0].span.contains(day("2030-01-01")));
        let renewed = known.merged(&covered("2025-01-01", Some("2025-12-31"))).unwrap();
        assert_eq!(renewed.coverages.len(), 2);
        assert!(renewed.coverages.iter().all(|it| !it.span.contains(day("2023-12-31"))));
    }

    #[test]
    fn two_coverages_never_share_a_day() {
        let known = covered("2024-01-01", Some("2024-12-31"));
        assert!(known.merged(&covered("2024-12-31", None)).is_err());
        assert!(known.merged(&covered("2023-01-01", None)).is_err());
        assert!(known.merged(&covered("2025-01-01", None)).is_ok());
    }
}
