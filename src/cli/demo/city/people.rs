//! The city's veterans and their families, all invented: who they are, why they are entitled, and what
//! is wrong with a few of them on the roster.

use std::collections::HashSet;

use super::super::PLAN_ID;
use crate::cli::dice::Dice;
use crate::core::day::Day;
use crate::core::identity_card::check_character;
use crate::pb;

/// What is planted with a person, so that every stay of theirs has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// 15 digits on the roster.
    OldNumber,
    /// The class ended in the middle of the year.
    ClassEnded,
    /// Four have one account.
    SharedAccount,
}

/// A member of the city.
pub(super) struct Person {
    pub(super) cert_no: String,
    pub(super) name: String,
    pub(super) is_woman: bool,
    pub(super) flaw: Option<Flaw>,
    /// How often in a thousand draws a stay is theirs.
    pub(super) frailty: u64,
    classes: Vec<pb::MemberClass>,
    account_no: String,
    external_id: String,
}

/// Classes with how many in a hundred have them (`domain.md` 3.3).
const CLASSES: [(&str, u64); 7] = [
    ("DISABLED_SERVICEMAN", 18),
    ("MARTYR_FAMILY", 6),
    ("DEMOBILISED_ELDERLY", 9),
    ("RETURNED_ILL", 14),
    ("WAR_PARTICIPANT", 22),
    ("MARTYR_CHILD", 11),
    ("RURAL_SOLDIER_60", 20),
];

/// Where people were born, as far as a card tells: districts that do not exist.
const DISTRICTS: [&str; 4] = ["370295", "370296", "370297", "370298"];

/// Everybody, by number.
pub(super) fn people(seed: u64, count: u32) -> Vec<Person> {
    let mut numbers = HashSet::new();
    let mut unlike = |number: u32| {
        // Three places after the birth are too few for a city: who would be another one is drawn
        // again.
        let mut again = (0u64..).map(|salt| person(seed ^ (salt << 52), number));
        again.find(|person| numbers.insert(person.cert_no.clone())).expect("births are many")
    };
    (0..count).map(&mut unlike).collect()
}

fn person(seed: u64, number: u32) -> Person {
    let mut dice = Dice::new(seed ^ (u64::from(number) << 20));
    let class = class(&mut dice);
    let is_family = class.starts_with("MARTYR");
    let is_woman = dice.happens(if is_family { 620 } else { 60 });
    let birth_year = match class {
        "DEMOBILISED_ELDERLY" => dice.between(1929, 1942),
        "MARTYR_CHILD" => dice.between(1944, 1962),
        "WAR_PARTICIPANT" => dice.between(1944, 1966),
        "RURAL_SOLDIER_60" => dice.between(1940, 1965),
        _ => dice.between(1938, 1985),
    };
    let flaw = match number % 1800 {
        17 | 517 => Some(Flaw::OldNumber),
        917 | 1417 => Some(Flaw::ClassEnded),
        1010..=1013 => Some(Flaw::SharedAccount),
        _ => None,
    };
    let cert_no = cert_no(&mut dice, number, birth_year, is_woman, flaw);
    let external_id = format!("CITY-{number:06}");
    let account_no = match flaw {
        Some(Flaw::SharedAccount) => format!("62170000{:011}", 900_000_000 + number / 1800),
        // A couple now and then has one account, which is nobody's concern.
        _ if number % 97 < 2 => format!("62170000{:011}", 800_000_000 + number / 97),
        _ => format!("62170000{number:011}"),
    };
    let age = 2026 - birth_year;
    // The very old and a tenth of all are ill far more often.
    let base = if age >= 80 { 6 } else { 2 };
    let frailty = if dice.happens(100) { base * 8 } else { base };
    // Whose flaw is looked for has to come to hospital.
    let frailty = if flaw.is_some() { frailty + 12 } else { frailty };
    Person {
        classes: vec![class_of(class, &mut dice, flaw)],
        name: format!("测试{}{}", if is_woman { "女" } else { "男" }, number),
        cert_no,
        is_woman,
        flaw,
        frailty: u64::try_from(frailty).expect("it is positive"),
        account_no,
        external_id,
    }
}

fn class(dice: &mut Dice) -> &'static str {
    let mut rest = dice.roll(100);
    for (class, share) in CLASSES {
        if rest < share {
            return class;
        }
        rest -= share;
    }
    CLASSES[0].0
}

fn class_of(class: &str, dice: &mut Dice, flaw: Option<Flaw>) -> pb::MemberClass {
    let grade = if class == "DISABLED_SERVICEMAN" { dice.between(1, 10) } else { 0 };
    pb::MemberClass {
        class_code: class.to_owned(),
        grade: i32::try_from(grade).expect("a grade is small"),
        start_date: "2015-01-01".to_owned(),
        end_date: if flaw == Some(Flaw::ClassEnded) {
            "2026-03-31".to_owned()
        } else {
            String::new()
        },
    }
}

fn cert_no(
    dice: &mut Dice,
    number: u32,
    birth_year: i64,
    is_woman: bool,
    flaw: Option<Flaw>,
) -> String {
    let district = dice.pick(&DISTRICTS);
    let (month, day) = (dice.between(1, 12), dice.between(1, 28));
    let sequence = (number % 499) * 2 + if is_woman { 2 } else { 1 };
    if flaw == Some(Flaw::OldNumber) {
        return format!("{district}{:02}{month:02}{day:02}{sequence:03}", birth_year % 100);
    }
    let digits = format!("{district}{birth_year}{month:02}{day:02}{sequence:03}");
    let check = char::from(check_character(digits.as_bytes()));
    format!("{digits}{check}")
}

impl Person {
    /// How the roster has them.
    pub(super) fn member(&self) -> pb::Member {
        pb::Member {
            external_id: self.external_id.clone(),
            cert_type: "01".to_owned(),
            cert_no: self.cert_no.clone(),
            name: self.name.clone(),
            classes: self.classes.clone(),
            coverages: vec![pb::Coverage {
                plan_id: PLAN_ID.to_owned(),
                start_date: "2026-01-01".to_owned(),
                end_date: "2026-12-31".to_owned(),
            }],
            payee: Some(pb::Payee {
                kind: pb::PayeeKind::Member.into(),
                account_name: self.name.clone(),
                account_no: self.account_no.clone(),
                bank_code: "102452000016".to_owned(),
            }),
            ..pb::Member::default()
        }
    }

    /// How a settlement names them.
    pub(super) fn identity(&self) -> pb::MemberIdentity {
        pb::MemberIdentity {
            cert_type: "01".to_owned(),
            cert_no: self.cert_no.clone(),
            name: self.name.clone(),
            ..pb::MemberIdentity::default()
        }
    }

    /// The last day on which a class holds; `None` where it goes on.
    pub(super) fn class_ends(&self) -> Option<Day> {
        self.classes.iter().find_map(|class| Day::parse(&class.end_date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::identity_card::IdentityCard;

    #[test]
    fn nobody_is_two_and_nearly_every_card_could_be_one() {
        let people = people(7, 18_000);
        let numbers: HashSet<&str> = people.iter().map(|it| it.cert_no.as_str()).collect();
        assert_eq!(numbers.len(), people.len());
        let bad = people.iter().filter(|it| IdentityCard::parse(&it.cert_no).is_err()).count();
        let old = people.iter().filter(|it| it.flaw == Some(Flaw::OldNumber)).count();
        assert_eq!((bad, old), (20, 20));
        let women = people.iter().filter(|it| it.is_woman).count();
        assert!((2_000..4_000).contains(&women), "{women}");
    }
}
