//! What no message may do: end the process, or get a personal value into an error.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::mutations::SAMPLES;
use super::tests::{fixture, message, sample};
use super::*;

const INFNOS: [Option<&str>; 10] = [
    None,
    Some(""),
    Some("2303"),
    Some("2304"),
    Some("2305"),
    Some("5203"),
    Some("5204"),
    Some("4101"),
    Some("2301"),
    Some("测试员"),
];

/// Parts of everything in the samples and in [`replacement`] that is about a person.
const PERSONAL: [&str; 7] =
    ["测试员", "3702991949", "3702991952", "3702991955", "3702991960", "37020099900", "主动脉"];

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        Just(json!("\u{0}")),
        Just(json!("370299194903120017")),
        Just(json!("测试员甲\u{0}")),
        Just(json!(["37020099900000000001"])),
        Just(json!({"测试员甲": {"测试员甲": []}})),
        Just(json!([{"mdtrt_id": "1", "测试员甲": "测试员甲"}])),
        Just(json!({"data": [{"feedetl_sn": "测试员甲", "setl_id": "37029919491203001X"}]})),
        Just(json!(true)),
        Just(serde_json::from_str("1e999999").unwrap()),
        Just(serde_json::from_str("-99999999999999999999999999999999").unwrap()),
        Just(serde_json::from_str("0.00000000000000000000001").unwrap()),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ]
}

/// Replaces the value that is met after `steps` of a walk in order; objects and lists count too.
fn replace(value: &mut Value, steps: &mut usize, with: &Value) {
    if *steps == 0 {
        *value = with.clone();
    }
    *steps = steps.wrapping_sub(1);
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|it| replace(it, steps, with)),
        Value::Array(rows) => rows.iter_mut().for_each(|it| replace(it, steps, with)),
        _ => {}
    }
}

pub(super) fn says_nothing_personal(
    reading: &Result<Reading, Unreadable>,
) -> Result<(), TestCaseError> {
    let shown = match reading {
        Ok(
            Reading::Settlement(_)
            | Reading::Quote(_)
            | Reading::FollowUp(_)
            | Reading::TakenBack { .. },
        ) => return Ok(()),
        Ok(Reading::NoSettlement { detail }) => detail.clone(),
        Err(error) => {
            prop_assert!(!error.problems.is_empty());
            let told =
                error.problems.iter().all(|it| !it.field.is_empty() && !it.problem.is_empty());
            prop_assert!(told, "{error:?}");
            format!("{error} {error:?}")
        }
    };
    for part in PERSONAL {
        prop_assert!(!shown.contains(part), "{shown}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        infno in prop::sample::select(&INFNOS),
    ) {
        let message = Message { infno, request_payload: Some(&bytes), ..message(&bytes) };
        prop_assert!(read_national(&message).is_err());
    }

    #[test]
    fn a_mutated_sample_is_read_or_refused_in_silence_about_the_person(
        name in prop::sample::select(&SAMPLES),
        infno in prop::sample::select(&INFNOS),
        changes in prop::collection::vec((0_usize..260, replacement()), 1..4),
        embed in any::<bool>(),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut payload = sample(name);
        for (step, with) in changes {
            replace(&mut payload, &mut step.clone(), &with);
        }
        if let (true, Some(output)) = (embed, payload.get_mut("output")) {
            *output = output.to_string().into();
        }
        let mut bytes = payload.to_string().into_bytes();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        says_nothing_personal(&read_national(&Message { infno, ..message(&bytes) }))?;
        for answer in ["01_2304_case_a_stay1", "04b_5204_feedetail_case_b"] {
            let answer = fixture(&format!("messages/{answer}.json"));
            let as_request = Message { infno, request_payload: Some(&bytes), ..message(&answer) };
            says_nothing_personal(&read_national(&as_request))?;
        }
    }
}
