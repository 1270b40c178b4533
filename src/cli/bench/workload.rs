//! What is sent: an invented roster, and settlements such as a hospital's system gets from basic
//! insurance (transaction 2304) without fee lines. The same seed sends the same.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::dice::Dice;
use crate::core::day::Moment;
use crate::core::identity_card::check_character;
use crate::core::money::Fen;
use crate::core::personal::Personal;
use crate::core::settlement::{Amounts, Diagnosis, FundPayment, Person, SenderNotes, Settlement};
use crate::ledger::Identity;
use crate::pb;

/// The programme under which everybody is covered.
pub(super) const PLAN: &str = include_str!("../../../deploy/plans/qingdao-rongjun.toml");
const PLAN_ID: &str = "qingdao-rongjun";
const COVERED_FROM: &str = "2023-07-01";

const SOURCE: &str = "370200";
/// Midnight of 2024-01-01 in Shanghai, in s since the epoch.
const FIRST_DAY_S: u64 = 1_704_038_400;
/// Days between the stays of a person: nobody is back in hospital so soon that a person had to look
/// at it. After nine stays the next benefit period begins.
const ROUND_DAYS: u64 = 40;
/// Rounds over which stays of a few persons are spread: some twenty benefit periods.
const ROUNDS: u64 = 180;
const DAY_S: u64 = 86_400;
/// Basic insurance's own deductible, in fen.
const BASIC_DEDUCTIBLE: u64 = 80_000;
const DIAGNOSES: [(&str, &str); 6] = [
    ("I50.900", "心力衰竭"),
    ("I63.900", "脑梗死"),
    ("J44.100", "慢性阻塞性肺病伴有急性加重"),
    ("E11.900", "2型糖尿病"),
    ("M51.202", "腰椎间盘突出"),
    ("I10.x00", "特发性高血压"),
];

/// A roster and an endless row of settlements for one ledger.
pub(super) struct Workload {
    seed: u64,
    members: u32,
    /// How many hospitals take part.
    hospitals: u32,
    next: AtomicU64,
}

/// Whose turn it is, so that everybody has one in each round, in no order.
fn in_rounds(number: u64, persons: u64) -> (u64, u64) {
    let persons = persons.max(1);
    // A prime above any number of persons: it meets everybody once in a round.
    (number % persons * 1_000_000_007 % persons, number / persons)
}

impl Workload {
    pub(super) fn new(seed: u64, members: u32, hospitals: u32) -> Workload {
        Workload { seed, members, hospitals, next: AtomicU64::new(0) }
    }

    /// How many settlements were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Everybody on the roster.
    pub(super) fn roster(&self) -> impl Iterator<Item = pb::Member> + use<> {
        (0..self.members).map(member)
    }

    /// How many are on the roster.
    pub(super) fn members(&self) -> u32 {
        self.members
    }

    /// The next settlement, of anybody.
    pub(super) fn take(&self) -> Settlement {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut dice = self.dice(number);
        let (person, round) = in_rounds(number, u64::from(self.members));
        self.settlement(number, person, round, &mut dice)
    }

    /// The next settlement, of one of these persons.
    pub(super) fn take_of(&self, persons: &[u32]) -> (Settlement, u32) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut dice = self.dice(number);
        let persons_count = u64::try_from(persons.len()).expect("persons fit in memory");
        let index = usize::try_from(dice.roll(persons_count)).expect("an index fits");
        let person = persons[index];
        let round = dice.roll(ROUNDS);
        let settlement = self.settlement(number, u64::from(person), round, &mut dice);
        // So many stays of one person would be one and the same: none is stated.
        (Settlement { admission_date: None, discharge_date: None, ..settlement }, person)
    }

    fn dice(&self, number: u64) -> Dice {
        Dice::new(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A stay that leaves between 6,000 and 12,000 yuan to the person: above what the plan leaves
    /// to them, so that every claim has a payout until the year's limit.
    fn settlement(&self, number: u64, person: u64, round: u64, dice: &mut Dice) -> Settlement {
        let settled_s = FIRST_DAY_S + round * ROUND_DAYS * DAY_S + dice.roll(DAY_S);
        let stay_s = (3 + dice.roll(13)) * DAY_S;
        let at = |seconds: u64| Moment::from_micros(seconds.cast_signed() * 1_000_000);
        let (amounts, funds) = money(dice);
        Settlement {
            source: SOURCE.to_owned(),
            settlement_id: format!("370200G{number:013}"),
            visit_id: Some(format!("370200V{number:013}")),
            person: identity(person),
            hospital_code: Some(hospital(number % u64::from(self.hospitals))),
            hospital_level: Some("02".to_owned()),
            region: Some(SOURCE.to_owned()),
            insured_region: Some(SOURCE.to_owned()),
            insurance_type: Some("390".to_owned()),
            medical_category: Some("21".to_owned()),
            admission_date: at(settled_s - stay_s).day(),
            discharge_date: at(settled_s).day(),
            settle_time: Some(at(settled_s)),
            diagnoses: diagnoses(dice),
            invoice_no: Some(format!("37060124{number:010}")),
            discharge_way: None,
            pay_location: None,
            interim: None,
            without_basic_insurance: false,
            event: None,
            amounts,
            funds,
            late_payments: Vec::new(),
            lines: Vec::new(),
            sender: SenderNotes::default(),
        }
    }
}

fn diagnoses(dice: &mut Dice) -> Vec<Diagnosis> {
    let first = dice.roll(6);
    let count = 1 + dice.roll(2);
    let all = DIAGNOSES.iter().cycle();
    let chosen = all.skip(usize::try_from(first).unwrap_or(0));
    let chosen = chosen.take(usize::try_from(count).unwrap_or(1));
    chosen
        .map(|(code, name)| Diagnosis { code: Personal::new(*code), name: Personal::new(*name) })
        .collect()
}

/// Amounts that agree with each other in every way the ledger checks, and nothing else.
fn money(dice: &mut Dice) -> (Amounts, Vec<FundPayment>) {
    let (out_of_catalogue, over_limit) = (dice.roll(150_000), dice.roll(50_000));
    let advance_self_pay = dice.roll(150_000);
    let copay = 520_000 + dice.roll(250_000);
    let burden = out_of_catalogue + over_limit + advance_self_pay + BASIC_DEDUCTIBLE + copay;
    let account = dice.roll(20_000);
    let funds = [
        ("390100", 1_500_000 + dice.roll(2_000_000)),
        ("390200", 1 + dice.roll(400_000)),
        ("610100", 1 + dice.roll(100_000)),
    ];
    let fund_total: u64 = funds.iter().map(|(_, amount)| amount).sum();
    let amounts = Amounts {
        total: fen(burden + fund_total),
        out_of_catalogue: Some(fen(out_of_catalogue)),
        over_limit: Some(fen(over_limit)),
        advance_self_pay: Some(fen(advance_self_pay)),
        in_scope: Some(fen(BASIC_DEDUCTIBLE + copay + fund_total)),
        basic_deductible: Some(fen(BASIC_DEDUCTIBLE)),
        fund_total: Some(fen(fund_total)),
        hospital_borne: Some(Fen::ZERO),
        personal_total: Some(fen(burden)),
        personal_again: None,
        account: Some(fen(account)),
        cash: Some(fen(burden - account)),
    };
    let fund = |(code, amount): (&str, u64)| FundPayment {
        fund_code: code.to_owned(),
        amount: fen(amount),
    };
    (amounts, funds.into_iter().map(fund).collect())
}

fn fen(amount: u64) -> Fen {
    Fen::new(amount.cast_signed()).expect("a bill is no astronomical number")
}

/// The code of a hospital, by its number.
pub(super) fn hospital(number: u64) -> String {
    format!("H3702{number:07}")
}

/// An identity card number that could be one: born between 1930 and 1979, nobody's district.
fn cert_no(person: u64) -> String {
    let (days, number) = (person / 999, person % 999 + 1);
    let born = at_day(days % (50 * 336));
    let digits = format!("370299{born}{number:03}");
    let check = char::from(check_character(digits.as_bytes()));
    format!("{digits}{check}")
}

/// A day after 1929, as digits.
fn at_day(days: u64) -> String {
    let (years, rest) = (days / 336, days % 336);
    format!("{:04}{:02}{:02}", 1930 + years, rest / 28 + 1, rest % 28 + 1)
}

/// How a person is found in the directory.
pub(super) fn certificate(person: u32) -> Identity {
    Identity::certificate(None, &cert_no(u64::from(person)))
}

/// How a settlement names a person. The roster does not have the number in the region, as is
/// usual, so the first settlement of a person teaches it to the directory.
fn identity(person: u64) -> Person {
    Person {
        cert_type: Some("01".to_owned()),
        cert_no: Some(Personal::new(cert_no(person))),
        name: Some(Personal::new(format!("测试员{person}"))),
        psn_no: Some(Personal::new(format!("3702{person:016}"))),
        card_no: None,
    }
}

fn member(person: u32) -> pb::Member {
    let name = format!("测试员{person}");
    pb::Member {
        external_id: format!("BENCH-{person:08}"),
        cert_type: "01".to_owned(),
        cert_no: cert_no(u64::from(person)),
        name: name.clone(),
        classes: vec![pb::MemberClass {
            class_code: "disabled_serviceman".to_owned(),
            grade: 5,
            start_date: "2019-01-01".to_owned(),
            end_date: String::new(),
        }],
        coverages: vec![pb::Coverage {
            plan_id: PLAN_ID.to_owned(),
            start_date: COVERED_FROM.to_owned(),
            end_date: String::new(),
        }],
        payee: Some(pb::Payee {
            kind: pb::PayeeKind::Member.into(),
            account_name: name,
            account_no: format!("622202{person:013}"),
            bank_code: "102452000017".to_owned(),
        }),
        ..pb::Member::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settlement_is_such_as_basic_insurance_sends() {
        let workload = Workload::new(7, 50, 10);
        for _ in 0..500 {
            let settlement = workload.take();
            assert!(settlement.contradictions().is_empty());
            let burden = settlement.burden().unwrap().fen();
            assert!((600_000..1_200_000).contains(&burden), "{burden}");
            assert!(settlement.admission_date < settlement.discharge_date);
            assert!((1..=2).contains(&settlement.diagnoses.len()));
        }
        assert_eq!(workload.taken(), 500);
    }

    #[test]
    fn the_same_seed_sends_the_same() {
        let first = |seed| Workload::new(seed, 50, 10).take();
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }
}
