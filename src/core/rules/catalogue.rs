//! Every rule there is, with what it needs and what holds where a plan says nothing: what documents
//! are read by, and the table in `deploy/plans/README.md` is made of.

use rust_decimal::Decimal;

use super::{Action, GoesWith, Signs, Test};
use crate::core::identity_card::Sex;
use crate::core::money::{Fen, Rate};

/// A rule as the catalogue has it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its number in `domain.md` 4.3.
    pub number: &'static str,
    /// Its key in a plan.
    pub name: &'static str,
    /// 中文.
    pub name_zh: &'static str,
    /// What it looks for, in a sentence.
    pub looks_for: &'static str,
    /// What it needs to know.
    pub data: &'static str,
    /// Its usual thresholds. An empty id or list, and a zero, have to be given.
    pub test: Test,
    /// What usually follows.
    pub action: Action,
}

/// What always holds, whatever a plan says: number, 中文, what, and what follows.
pub const BUILT_IN: [(&str, &str, &str, &str); 7] = [
    (
        "F1",
        "重复推送",
        "the same settlement again",
        "the claim comes back as it stands; other content is refused",
    ),
    ("F4", "金额不平", "amounts that contradict each other (I1–I4)", "review, without a figure"),
    (
        "F5",
        "负金额",
        "a negative total that names neither the settlement nor the stay that it takes back",
        "reject",
    ),
    ("F10", "超单案上限", "a payout above `routing.green_ceiling`", "review"),
    (
        "F17",
        "名册不明",
        "identities that name different members; no coverage on the day",
        "review, without a figure; denied",
    ),
    ("F21", "赔付差异", "another payout by the sender, unless `sender_payout` says else", "review"),
    ("F23", "撤销已赔", "a reversal of a paid claim", "recovery, collected or set off"),
];

fn described(
    (number, name, name_zh): (&'static str, &'static str, &'static str),
    looks_for: &'static str,
    data: &'static str,
    (action, test): (Action, Test),
) -> Described {
    Described { number, name, name_zh, looks_for, data, test, action }
}

/// Every rule, by number.
pub fn catalogue() -> Vec<Described> {
    let mut all = of_stays();
    all.extend(of_bills());
    all.extend(of_persons());
    let number = |it: &Described| it.number[1..].parse::<u8>().expect("a rule is F and a number");
    all.sort_by_key(number);
    all
}

fn of_stays() -> Vec<Described> {
    use Action::{Flag, Review};
    vec![
        described(
            ("F3", "duplicate_stay", "重复住院"),
            "another settlement of the person has the same hospital, days and total",
            "stay, hospital, the member's other claims",
            (Review, Test::DuplicateStay),
        ),
        described(
            ("F6", "overlapping_stays", "住院日期重叠"),
            "two stays share more than `transfer_days` days",
            "stay, the member's other claims",
            (Review, Test::OverlappingStays { transfer_days: 1 }),
        ),
        described(
            ("F7", "readmission", "分解住院"),
            "back in hospital within `days`, main diagnosis of the same ICD-10 category; not for \
             `exempt_diagnoses`, nor into another hospital within `transfer_days`",
            "stay, diagnosis, the member's other claims",
            (
                Review,
                Test::Readmission {
                    days: 15,
                    transfer_days: 1,
                    exempt_diagnoses: texts(&["Z49", "Z51"]),
                },
            ),
        ),
        described(
            ("F8", "low_intensity", "挂床"),
            "of a stay of `stay_days` or more, something of `charge_classes` was done on less than \
             `share` of the days",
            "stay, all fee lines with class and day",
            (
                Review,
                Test::LowIntensity {
                    stay_days: 4,
                    share: rate("0.5"),
                    charge_classes: texts(&["05", "06", "09", "10", "11"]),
                },
            ),
        ),
        described(
            ("F9", "length_outlier", "住院天数异常"),
            "longer than the hospital's mean by more than `deviations` standard deviations",
            "stay, hospital, published `baseline`",
            (Flag, Test::LengthOutlier { baseline: String::new(), deviations: Decimal::from(3) }),
        ),
        described(
            ("F9", "cost_outlier", "日均费用异常"),
            "a day costs more than the hospital's mean by more than `deviations` standard deviations",
            "stay, hospital, published `baseline`",
            (Flag, Test::CostOutlier { baseline: String::new(), deviations: Decimal::from(3) }),
        ),
        described(
            ("F15", "death", "死亡"),
            "the person left hospital in one of `discharge_ways`, or the roster has a date of death \
             up to the last day",
            "discharge way, roster",
            (Review, Test::Death { discharge_ways: texts(&["5"]) }),
        ),
        described(
            ("F16", "cross_region", "异地就医"),
            "treated in a region that begins with none of `home`; without it, outside the city of \
             the platform",
            "region",
            (Review, Test::CrossRegion { home: Vec::new() }),
        ),
        described(
            ("F20", "late_notice", "报案逾期"),
            "came in more than `days` after discharge",
            "discharge, time of receipt",
            (Review, Test::LateNotice { days: 180 }),
        ),
    ]
}

fn of_bills() -> Vec<Described> {
    use Action::{Flag, Review};
    vec![
        described(
            ("F2", "duplicate_invoice", "发票重复"),
            "another claim, of any member, has the same invoice",
            "invoice number, all claims",
            (Review, Test::DuplicateInvoice),
        ),
        described(
            ("F5", "nothing_billed", "零金额"),
            "the bill comes to nothing",
            "total",
            (Review, Test::NothingBilled),
        ),
        described(
            ("F10", "cumulative_ceiling", "超累计上限"),
            "with this claim the plan pays the person more than `amount` in the period",
            "counters",
            (Review, Test::CumulativeCeiling { amount: Fen::ZERO }),
        ),
        described(
            ("F12", "quantity", "数量超限"),
            "more of one of `items` than its `most`, `per` line, day or claim",
            "fee lines with quantities",
            (Flag, Test::Quantity { items: Vec::new() }),
        ),
        described(
            ("F13", "injury", "外伤或工伤"),
            "one of the `medical_categories`, `diagnoses` or `funds` tells of an injury or a work \
             injury, for which somebody else may have to pay",
            "medical category, diagnoses, funds",
            (
                Review,
                Test::Injury(Signs {
                    medical_categories: texts(&["19", "22"]),
                    diagnoses: texts(&["S", "T", "V", "W", "X", "Y"]),
                    funds: texts(&["330200", "390400", "410100"]),
                }),
            ),
        ),
        described(
            ("F14", "maternity", "生育"),
            "one of the `medical_categories`, `diagnoses` or `funds` tells of a birth",
            "medical category, diagnoses, funds",
            (
                Review,
                Test::Maternity(Signs {
                    medical_categories: texts(&["51", "52", "53"]),
                    diagnoses: texts(&["O"]),
                    funds: texts(&["510100"]),
                }),
            ),
        ),
        described(
            ("F16", "manual_reimbursement", "零星报销"),
            "settled at one of `pay_locations`: at the centre, from papers",
            "place of settlement",
            (Review, Test::ManualReimbursement { pay_locations: texts(&["1"]) }),
        ),
        described(
            ("F18", "out_of_catalogue", "目录外占比高"),
            "more than `share` of the bill is out of the catalogue or over limit prices",
            "amounts",
            (Flag, Test::OutOfCatalogue { share: rate("0.5") }),
        ),
        described(
            ("F21", "sender_payout", "赔付差异"),
            "the sender computed a payout that differs by more than `tolerance`; without it, by \
             more than the sender's own",
            "the sender's payout",
            (Review, Test::SenderPayout { tolerance: None }),
        ),
    ]
}

fn of_persons() -> Vec<Described> {
    use Action::Review;
    vec![
        described(
            ("F11", "sex_age", "性别年龄不符"),
            "one of the `conflicts`: a diagnosis or an item that goes with another `sex`, or with \
             other `ages`",
            "identity card, diagnoses, item codes",
            (Review, Test::SexAge { conflicts: usual_conflicts() }),
        ),
        described(
            ("F17", "class_ended", "优抚类别已终止"),
            "covered, and on the roster with classes of which none holds on the day",
            "roster",
            (Review, Test::ClassEnded),
        ),
        described(
            ("F19", "shared_account", "多人同一账户"),
            "more than `persons` have the payee's account",
            "published `accounts`",
            (Review, Test::SharedAccount { accounts: String::new(), persons: 2 }),
        ),
        described(
            ("F22", "weak_identity", "证件号码可疑"),
            "an identity card number of 15 digits, or one that cannot be one",
            "certificate",
            (Review, Test::WeakIdentity),
        ),
        described(
            ("F22", "name_differs", "姓名不符"),
            "the settlement has another name than the roster",
            "names",
            (Review, Test::NameDiffers),
        ),
    ]
}

/// Diagnoses of one sex alone, of births, and of the first weeks of life (ICD-10 chapters).
fn usual_conflicts() -> Vec<GoesWith> {
    let goes_with = |diagnoses: &[&str], sex, ages| GoesWith {
        diagnoses: texts(diagnoses),
        item_codes: Vec::new(),
        sex,
        ages,
    };
    vec![
        goes_with(&["O"], Some(Sex::Female), Some((12, 55))),
        goes_with(
            &["C51", "C52", "C53", "C54", "C55", "C56", "C57", "C58", "D25", "D26", "D27", "D28"],
            Some(Sex::Female),
            None,
        ),
        goes_with(
            &["N7", "N8", "N90", "N91", "N92", "N93", "N94", "N95", "N96", "N97", "N98"],
            Some(Sex::Female),
            None,
        ),
        goes_with(&["C60", "C61", "C62", "C63", "N4", "N50", "N51"], Some(Sex::Male), None),
        goes_with(&["P"], None, Some((0, 1))),
    ]
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|it| (*it).to_owned()).collect()
}

fn rate(text: &str) -> Rate {
    Rate::parse(text).expect("a usual share is one")
}

/// The rules as a table of Markdown: what always holds, then what a plan may name.
pub fn table() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "| | rule | 中文 | hits on | data | default | action |\n|---|---|---|---|---|---|---|\n",
    );
    for (number, name_zh, what, follows) in BUILT_IN {
        let _ = writeln!(text, "| {number} | always | {name_zh} | {what} | | | {follows} |");
    }
    for it in catalogue() {
        let Described { number, name, name_zh, looks_for, data, test, action } = it;
        let action = crate::core::decision::code(&action);
        let usual = crate::core::plan::document::rules::told(&test);
        let usual = if usual.is_empty() { String::new() } else { format!("`{usual}`") };
        let _ = writeln!(
            text,
            "| {number} | `{name}` | {name_zh} | {looks_for} | {data} | {usual} | `{action}` |"
        );
    }
    text
}
