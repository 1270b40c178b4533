//! Roster files: one person a line, JSON with the field names of the API.

use serde::Deserialize;

use crate::pb;

/// One line of a roster file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterLine {
    external_id: String,
    #[serde(default)]
    cert_type: String,
    cert_no: String,
    name: String,
    #[serde(default)]
    classes: Vec<ClassLine>,
    #[serde(default)]
    coverages: Vec<CoverageLine>,
    payee: Option<PayeeLine>,
    #[serde(default)]
    death_date: String,
    #[serde(default)]
    illnesses: Vec<IllnessLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassLine {
    class_code: String,
    #[serde(default)]
    grade: i32,
    start_date: String,
    #[serde(default)]
    end_date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CoverageLine {
    plan_id: String,
    start_date: String,
    #[serde(default)]
    end_date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IllnessLine {
    diagnosis_code: String,
    since_date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayeeLine {
    kind: KindLine,
    account_name: String,
    account_no: String,
    #[serde(default)]
    bank_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum KindLine {
    Member,
    Agent,
    Hospital,
}

/// Reads one line. The error says what is wrong and at which column, never what stands there.
pub(super) fn read_line(line: &str) -> Result<pb::Member, String> {
    let read: RosterLine = serde_json::from_str(line).map_err(|error| {
        // An error of the parser may quote what it met, so only its harmless kind is told.
        let told = error.to_string();
        let missing = told.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let safe = match (error.classify(), missing) {
            (serde_json::error::Category::Data, Some(field)) => format!("has no {field}"),
            (serde_json::error::Category::Data, None) => {
                "has an unknown name or a value of the wrong kind".to_owned()
            }
            _ => "is not JSON".to_owned(),
        };
        format!("column {}: {safe}", error.column())
    })?;
    let kind = |kind: &KindLine| match kind {
        KindLine::Member => pb::PayeeKind::Member,
        KindLine::Agent => pb::PayeeKind::Agent,
        KindLine::Hospital => pb::PayeeKind::Hospital,
    };
    Ok(pb::Member {
        member_id: String::new(),
        external_id: read.external_id,
        cert_type: read.cert_type,
        cert_no: read.cert_no,
        name: read.name,
        death_date: read.death_date,
        classes: read
            .classes
            .into_iter()
            .map(|class| pb::MemberClass {
                class_code: class.class_code,
                grade: class.grade,
                start_date: class.start_date,
                end_date: class.end_date,
            })
            .collect(),
        coverages: read
            .coverages
            .into_iter()
            .map(|coverage| pb::Coverage {
                plan_id: coverage.plan_id,
                start_date: coverage.start_date,
                end_date: coverage.end_date,
            })
            .collect(),
        payee: read.payee.map(|payee| pb::Payee {
            kind: kind(&payee.kind).into(),
            account_name: payee.account_name,
            account_no: payee.account_no,
            bank_code: payee.bank_code,
        }),
        illnesses: read
            .illnesses
            .into_iter()
            .map(|illness| pb::Illness {
                diagnosis_code: illness.diagnosis_code,
                since_date: illness.since_date,
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_without_its_values() {
        let check = |line: &str| read_line(line).map(|_| ()).unwrap_err();
        assert_eq!(check("{"), "column 1: is not JSON");
        assert_eq!(check("{}"), "column 2: has no external_id");
        let secret = r#"{"external_id":"x","cert_no":["370299194903120017"],"name":"甲"}"#;
        assert!(!check(secret).contains("370299"), "{}", check(secret));
        let secret = r#"{"external_id":"x","cert_no":"1","name":"甲","payee":{"kind":"370299"}}"#;
        assert!(!check(secret).contains("370299"), "{}", check(secret));
        let secret = r#"{"external_id":"x","cert_no":370299194903120017,"name":"甲"}"#;
        assert!(!check(secret).contains("370299"), "{}", check(secret));
    }
}
