//! The samples, changed at random from fixed seeds: in ways that must not matter, and in ways that
//! must not do harm.

use super::names::{self, Names};
use super::properties::says_nothing_personal;
use super::tests::{fixture, message};
use super::tree::{Random, Tree, camel, fold};
use super::*;
use crate::core::money::Fen;
use crate::core::settlement::{Amounts, Line};

const SEEDS: u64 = 200;

/// Every sample of the interface.
pub(super) const SAMPLES: [&str; 15] = [
    "00_2304_request_envelope",
    "01_2304_case_a_stay1",
    "02_2304_case_a_stay2",
    "03_2304_case_a_stay3",
    "04_2304_case_b",
    "04b_5204_feedetail_case_b",
    "05a_2304_original_to_be_reversed",
    "05b_2305_reversal_negative_amounts",
    "06_5203_cross_region",
    "09_2304_error_response",
    "17_2304_duplicate_resend_of_02",
    "18_composite_ingest_case_a_stay1",
    "18b_composite_case_a_stay2",
    "18c_composite_case_a_stay3",
    "18d_composite_case_b_with_lines",
];

/// Facts with more than one name, or with one that can be spelled otherwise.
const FACTS: [Names; 23] = [
    names::REGION,
    names::INSURED_REGION,
    names::ADMISSION,
    names::DISCHARGE,
    names::INVOICE_NO,
    names::DIAGNOSIS_CODE,
    names::DIAGNOSIS_NAME,
    names::SETTLEMENT_ID,
    names::CERT_NO,
    names::TOTAL,
    names::OUT_OF_CATALOGUE,
    names::OVER_LIMIT,
    names::ADVANCE_SELF_PAY,
    names::IN_SCOPE,
    names::FUND_TOTAL,
    names::HOSPITAL_BORNE,
    names::PERSONAL_TOTAL,
    names::ACCOUNT,
    names::CASH,
    names::FUND_SUMS[7],
    names::FUND_AMOUNT,
    names::LINE_TOTAL,
    names::LINE_NO,
];

/// An amount, and the names under which it is stated.
type Stated<T> = (Names, fn(&T) -> Option<Fen>);

/// Amounts of a settlement with the names under which they are stated.
const AMOUNTS: [Stated<Amounts>; 11] = [
    (names::TOTAL, |amounts| Some(amounts.total)),
    (names::OUT_OF_CATALOGUE, |amounts| amounts.out_of_catalogue),
    (names::OVER_LIMIT, |amounts| amounts.over_limit),
    (names::ADVANCE_SELF_PAY, |amounts| amounts.advance_self_pay),
    (names::IN_SCOPE, |amounts| amounts.in_scope),
    (names::BASIC_DEDUCTIBLE, |amounts| amounts.basic_deductible),
    (names::FUND_TOTAL, |amounts| amounts.fund_total),
    (names::HOSPITAL_BORNE, |amounts| amounts.hospital_borne),
    (names::PERSONAL_TOTAL, |amounts| amounts.personal_total),
    (names::ACCOUNT, |amounts| amounts.account),
    (names::CASH, |amounts| amounts.cash),
];

const LINE_AMOUNTS: [Stated<Line>; 5] = [
    (names::LINE_TOTAL, |line| Some(line.total)),
    (names::OUT_OF_CATALOGUE, |line| line.out_of_catalogue),
    (names::OVER_LIMIT, |line| line.over_limit),
    (names::ADVANCE_SELF_PAY, |line| line.advance_self_pay),
    (names::IN_SCOPE, |line| line.in_scope),
];

/// A change that says the same in another way.
fn harmless(tree: &mut Tree, random: &mut Random) {
    let what = random.below(6);
    tree.some_object(random, &mut |fields, random| {
        let index = random.below(fields.len());
        match what {
            0 => fields.reverse(),
            1 => fields.insert(index, ("an_unknown_field".into(), Tree::Leaf("[{}, 1]".into()))),
            2 => {
                for (key, _) in fields.iter_mut() {
                    *key = if random.below(2) == 0 { key.to_uppercase() } else { camel(key) };
                }
            }
            3 => {
                for (key, _) in fields.iter_mut() {
                    let fact =
                        FACTS.iter().find(|it| it.iter().any(|name| fold(name) == fold(key)));
                    if let Some(names) = fact {
                        *key = (*random.pick(names)).to_owned();
                    }
                }
            }
            4 => {
                for (_, value) in fields.iter_mut() {
                    quote(value, random);
                }
            }
            _ => {
                if let Some((key, value @ Tree::Leaf(_))) = fields.get(index).cloned() {
                    fields.push((key.to_uppercase(), value));
                    fields.push((key, Tree::Leaf("null".into())));
                }
            }
        }
    });
}

/// A number in quotes, with zeros at the end.
fn quote(value: &mut Tree, random: &mut Random) {
    let Tree::Leaf(text) = value else { return };
    if text.parse::<serde_json::Number>().is_ok() && !text.contains(['e', 'E']) {
        if text.contains('.') && random.below(2) == 0 {
            text.push('0');
        }
        *text = format!("\"{text}\"");
    }
}

/// A change that may make another message of it, or none.
fn harmful(tree: &mut Tree, random: &mut Random) {
    let leaves = [
        "null",
        "\"\"",
        "\"\\u0000\"",
        "true",
        "[]",
        "{}",
        "[[]]",
        "1e999999",
        "-1",
        "-0.01",
        "99999999999999999999999999",
        "0.001",
        "\"1,000.00\"",
        "\"１\"",
        "\"NaN\"",
        "\" 1\"",
        "\"370299194903120017\"",
        "\"测试员甲\\u0000\"",
        "9999999999999",
        "\"2305\"",
        "\"another\"",
    ];
    let what = random.below(5);
    tree.some_object(random, &mut |fields, random| {
        let index = random.below(fields.len());
        let Some((key, value)) = fields.get_mut(index) else { return };
        match what {
            0 | 1 => *value = Tree::Leaf((*random.pick(&leaves)).to_owned()),
            2 => drop(fields.remove(index)),
            3 => {
                let again = (key.clone(), Tree::Leaf((*random.pick(&leaves)).to_owned()));
                fields.push(again);
            }
            _ => *key = format!("{key}x"),
        }
    });
}

/// The bytes of a message, perhaps spoiled on the way, and whether they may say something else.
fn bytes(tree: &Tree, random: &mut Random) -> (Vec<u8>, bool) {
    let text = tree.render();
    let mut bytes = text.clone().into_bytes();
    let how = random.below(12);
    match how {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => {
            let place = random.below(bytes.len());
            bytes[place] = u8::try_from(random.below(256)).unwrap();
        }
        2 => bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        // The first letters of a name in GB18030.
        3 => bytes.splice(1..1, *b"\"psn_name\": \"\xb2\xe2\xca\xd4\", ").for_each(drop),
        4 => bytes.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        5 => bytes.push(0),
        _ => {}
    }
    (bytes, how == 1)
}

/// Puts the output into a text, as some platforms do.
fn embed(tree: &mut Tree) {
    let Tree::Object(fields) = tree else { return };
    let output = fields.iter_mut().find(|(key, _)| fold(key) == "output");
    if let Some((_, value)) = output.filter(|(_, value)| !matches!(value, Tree::Leaf(_))) {
        *value = Tree::text(&value.render());
    }
}

/// Whether an object states an amount that is not zero under one of `names`.
fn states(object: &Tree, names: Names) -> bool {
    names.iter().any(|name| match object.get(name) {
        Some(Tree::Leaf(text)) => {
            let digits = text.trim_matches('"');
            digits.parse::<serde_json::Number>().is_ok()
                && digits.contains(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
        }
        _ => false,
    })
}

/// What was stated and is not zero must not come out as nothing.
#[track_caller]
fn loses_nothing(tree: &Tree, reading: &Reading, case: &str) {
    let output = tree.get("output");
    let setlinfo = output.and_then(|output| output.get("setlinfo"));
    match (reading, setlinfo) {
        (
            Reading::Settlement(settlement)
            | Reading::Quote(settlement)
            | Reading::TakenBack { settlement, .. },
            Some(setlinfo),
        ) => {
            for (names, amount) in AMOUNTS {
                let lost = states(setlinfo, names)
                    && amount(&settlement.amounts).is_none_or(|amount| amount.is_zero());
                assert!(!lost, "{case}: {names:?} {}", tree.render());
            }
            keeps_lines(tree.get("feedetail"), &settlement.lines, case);
        }
        (Reading::FollowUp(FollowUp::Reversal(reversal)), Some(setlinfo)) => {
            let lost =
                states(setlinfo, names::TOTAL) && reversal.total.is_none_or(|it| it.is_zero());
            assert!(!lost, "{case}: {}", tree.render());
        }
        (Reading::FollowUp(FollowUp::Supplement(supplement)), _) => {
            let rows = output.filter(|output| matches!(output, Tree::List(_)));
            keeps_lines(rows.or(tree.get("feedetail")), &supplement.facts.lines, case);
        }
        _ => {}
    }
}

#[track_caller]
fn keeps_lines(rows: Option<&Tree>, lines: &[Line], case: &str) {
    let Some(Tree::List(rows)) = rows else { return };
    assert_eq!(rows.len(), lines.len(), "{case}");
    for (row, line) in rows.iter().zip(lines) {
        for (names, amount) in LINE_AMOUNTS {
            let lost = states(row, names) && amount(line).is_none_or(|amount| amount.is_zero());
            assert!(!lost, "{case}: {names:?} {}", row.render());
        }
    }
}

fn tree(name: &str) -> Tree {
    Tree::of(&serde_json::from_slice(&fixture(&format!("messages/{name}.json"))).unwrap())
}

fn case(sample: &str, seed: u64) -> String {
    format!("{sample}, seed {seed}")
}

#[test]
fn a_message_in_other_words_reads_the_same() {
    for sample in SAMPLES {
        let original = read_national(&message(tree(sample).render().as_bytes()));
        for seed in 0..SEEDS {
            let mut random = Random::new(seed);
            let mut tree = tree(sample);
            (0..=random.below(6)).for_each(|_| harmless(&mut tree, &mut random));
            if random.below(3) == 0 {
                embed(&mut tree);
            }
            let read = read_national(&message(tree.render().as_bytes()));
            let same = match (&read, &original) {
                // A problem names its field as the sender spells it.
                (Err(read), Err(original)) => read.problems.len() == original.problems.len(),
                (read, original) => read == original,
            };
            assert!(same, "{}: {}\n{read:?}", case(sample, seed), tree.render());
        }
    }
}

#[test]
fn a_spoiled_message_is_read_or_refused_and_loses_nothing() {
    let (mut read, mut refused) = (0, 0);
    for sample in SAMPLES {
        for seed in 0..SEEDS {
            let mut random = Random::new(seed);
            let mut tree = tree(sample);
            (0..random.below(3)).for_each(|_| harmless(&mut tree, &mut random));
            (0..=random.below(3)).for_each(|_| harmful(&mut tree, &mut random));
            let stated = tree.clone();
            if random.below(4) == 0 {
                embed(&mut tree);
            }
            let (bytes, is_other) = bytes(&tree, &mut random);
            let reading = read_national(&message(&bytes));
            says_nothing_personal(&reading).unwrap();
            match reading {
                Ok(reading) => {
                    if !is_other {
                        loses_nothing(&stated, &reading, &case(sample, seed));
                    }
                    read += 1;
                }
                Err(_) => refused += 1,
            }
            let answer = fixture("messages/01_2304_case_a_stay1.json");
            let as_request = Message { request_payload: Some(&bytes), ..message(&answer) };
            says_nothing_personal(&read_national(&as_request)).unwrap();
        }
    }
    assert!(read > 500 && refused > 500, "{read} read, {refused} refused");
}
