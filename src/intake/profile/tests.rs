//! Profile documents: those that are shipped, and every problem at its line.

use std::path::Path;

use super::*;

fn shipped(name: &str) -> Profile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/profiles").join(name);
    Profile::read(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_shipped_profiles_say_what_their_names_say() {
    assert_eq!(shipped("national.toml"), Profile::national());
    assert!(shipped("account-among-funds.toml").fund_total_includes_account);
    assert_eq!(shipped("echo-reversals.toml").reversal, Some(ReversalDialect::Echo));
    let funds = &shipped("fund-names.toml").codes["fund_pay_type"];
    assert_eq!(funds["优抚对象医疗补助"], "610200");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/profiles");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(id) = name.strip_suffix(".toml") {
            assert_eq!(shipped(&name).profile_id, id, "a file bears its profile's name");
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn every_key_is_read() {
    let read = Profile::read(
        r#"
            profile_id = "p"
            version = "2"
            name = "平台"
            source = "370200"
            fund_total_includes_account = true
            reversal = "negative"
            tolerance = "1.00"
            hospital_code = "H37029999001"
            institutions = [
                { code = "H37029999001", level = "02", region = "370211" },
                { code = "H37029999002" },
            ]
            [codes]
            psn_cert_type = { "02" = "99" }
            [codes.fund_pay_type]
            "优抚" = "610200"
        "#,
    )
    .unwrap();
    let (level, region) = (Some("02".to_owned()), Some("370211".to_owned()));
    assert_eq!(read.institutions["H37029999001"], Institution { level, region });
    assert_eq!(read.institutions["H37029999002"], Institution::default());
    assert_eq!(read.codes["psn_cert_type"]["02"], "99");
    assert_eq!(read.codes["fund_pay_type"]["优抚"], "610200");
    assert_eq!(read.tolerance.unwrap().fen(), 100);
    assert_eq!(read.reversal, Some(ReversalDialect::Negative));
    assert_eq!(read.hospital_code.as_deref(), Some("H37029999001"));
    assert_eq!((read.source.as_deref(), read.version.as_str()), (Some("370200"), "2"));
}

#[test]
fn every_problem_is_told_at_its_line() {
    let problems = Profile::read(
        r#"profile_id = "a b"
name = ""
souce = "370200"
source = "37020"
fund_total_includes_account = "yes"
reversal = "both"
tolerance = "1.01"
hospital_code = "甲"
[[institutions]]
code = "H1"
level = "12"
[[institutions]]
code = "H1"
region = "3702"
[codes.fund_pay_type]
"a" = "610299"
[codes.hosp_lvl]
"a" = "01"
"#,
    )
    .unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        line 1: profile_id: must be 1 to 64 letters, digits, '-', '_' or '.'
        line 1: version: is missing (write version = "1")
        line 2: name: must be 1 to 200 characters
        line 3: souce: is unknown (did you mean `source`?)
        line 4: source: must be a region of six digits such as "370200"
        line 5: fund_total_includes_account: must be true or false (without quotes)
        line 6: reversal: unknown variant `both`, expected `negative` or `echo`
        line 7: tolerance: must be at most 1.00 (one fen is "0.01")
        line 8: hospital_code: must be an institution's code such as "H37029999001"
        line 11: institutions[0].level: must be a level from "01" to "11"
        line 13: institutions[1].code: is listed twice
        line 14: institutions[1].region: must be a region of six digits such as "370200"
        line 16: codes.fund_pay_type.a: must be a code of the national dictionary of fund_pay_type
        line 17: codes.hosp_lvl: is unknown (did you mean `hosp_lv`?)
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
    assert_eq!(Profile::read("x = ").unwrap_err()[0].line, 1);
    assert!(Profile::read(&"#".repeat(2_000_000)).is_err());
}
