//! The national dictionaries as data (`domain.md` 1.11): which codes are known, not what they mean.
//! An unknown code refuses nothing; it is kept and noted.

/// How the codes of a field are compared with those known.
enum Known {
    /// The code itself.
    Exactly(&'static [&'static str]),
    /// Its beginning: there are local sub-codes.
    Beginning(&'static [&'static str]),
}

/// One coded field.
struct Dictionary {
    /// The field's national name.
    field: &'static str,
    /// Codes have two digits, and some platforms lose the leading zero.
    two_digits: bool,
    known: &'static [Known],
}

const INSURANCE_TYPES: &[&str] = &[
    "310", "320", "330", "340", "350", "360", "370", "380", "390", "391", "392", "399", "39999",
    "410", "510",
];

const MEDICAL_CATEGORIES: &[&str] = &[
    "11", "12", "13", "14", "19", "21", "22", "23", "24", "41", "51", "52", "53", "91", "92", "93",
    "99",
];

const CERTIFICATE_TYPES: &[&str] = &["01", "02", "03", "04", "05", "06", "07", "08", "90", "99"];

const HOSPITAL_LEVELS: &[&str] =
    &["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11"];

/// The pools, which have local sub-codes.
const POOLS: &[&str] = &["3101", "3901"];

const FUNDS: &[&str] = &[
    "310200", "310201", "310300", "310400", "310500", "320100", "320200", "330100", "330101",
    "330200", "340100", "340200", "350100", "370100", "370200", "390200", "390300", "390400",
    "390500", "410100", "510100", "610100", "610101", "610102", "610103", "610104", "610200",
    "620100", "620101", "630100", "630101", "640100", "640101", "999109", "999901", "99999707",
    "999996", "999997",
];

const CATALOGUE_LEVELS: &[&str] = &["01", "02", "03"];

const CHARGE_CLASSES: &[&str] =
    &["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14"];

const DICTIONARIES: &[Dictionary] = &[
    Dictionary { field: "insutype", two_digits: false, known: &[Known::Exactly(INSURANCE_TYPES)] },
    Dictionary {
        field: "med_type",
        two_digits: false,
        known: &[Known::Beginning(MEDICAL_CATEGORIES)],
    },
    Dictionary {
        field: "psn_cert_type",
        two_digits: true,
        known: &[Known::Exactly(CERTIFICATE_TYPES)],
    },
    Dictionary { field: "hosp_lv", two_digits: true, known: &[Known::Exactly(HOSPITAL_LEVELS)] },
    Dictionary {
        field: "fund_pay_type",
        two_digits: false,
        known: &[Known::Beginning(POOLS), Known::Exactly(FUNDS)],
    },
    Dictionary {
        field: "chrgitm_lv",
        two_digits: true,
        known: &[Known::Exactly(CATALOGUE_LEVELS)],
    },
    Dictionary {
        field: "med_chrgitm_type",
        two_digits: true,
        known: &[Known::Exactly(CHARGE_CLASSES)],
    },
];

/// The national names of all coded fields.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    DICTIONARIES.iter().map(|dictionary| dictionary.field)
}

/// Whether a code of `field` is in its dictionary.
pub(super) fn is_known(field: &str, code: &str) -> bool {
    let Some(dictionary) = of(field) else { return true };
    dictionary.known.iter().any(|known| match known {
        Known::Exactly(codes) => codes.contains(&code),
        Known::Beginning(codes) => codes.iter().any(|known| code.starts_with(known)),
    })
}

/// The code with its leading zero, which may have got lost: `9` is `09` in a field of two digits.
pub(super) fn widened(field: &str, code: &str) -> Option<String> {
    let digit = code.len() == 1 && code.bytes().all(|byte| byte.is_ascii_digit());
    let lost = digit && of(field).is_some_and(|dictionary| dictionary.two_digits);
    lost.then(|| format!("0{code}"))
}

fn of(field: &str) -> Option<&'static Dictionary> {
    DICTIONARIES.iter().find(|dictionary| dictionary.field == field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_and_local_ones() {
        for (field, known, unknown) in [
            ("insutype", vec!["310", "390", "39999"], vec!["3901", "31", "999"]),
            ("med_type", vec!["21", "2101", "53_04", "9902"], vec!["2", "71", "10"]),
            ("psn_cert_type", vec!["01", "90"], vec!["1", "09"]),
            ("hosp_lv", vec!["01", "11"], vec!["00", "12"]),
            (
                "fund_pay_type",
                vec!["310100", "310107", "390101", "610200", "999996", "99999707"],
                vec!["610201", "3102", "优抚对象医疗补助", ""],
            ),
            ("chrgitm_lv", vec!["01", "03"], vec!["04"]),
            ("med_chrgitm_type", vec!["01", "14"], vec!["15", "9"]),
        ] {
            assert!(fields().any(|it| it == field));
            for code in known {
                assert!(is_known(field, code), "{field} {code}");
            }
            for code in unknown {
                assert!(!is_known(field, code), "{field} {code}");
            }
        }
    }

    #[test]
    fn a_lost_zero_comes_back_where_codes_have_two_digits() {
        assert_eq!(widened("hosp_lv", "9").as_deref(), Some("09"));
        for (field, code) in [("hosp_lv", "11"), ("hosp_lv", "x"), ("med_type", "9")] {
            assert_eq!(widened(field, code), None, "{field} {code}");
        }
    }
}
