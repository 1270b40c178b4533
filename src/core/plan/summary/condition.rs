//! Conditions in words.

use super::Words;
use crate::core::plan::{ClassRange, Condition};
use crate::core::settlement::Cause;

impl Words {
    /// When something applies; empty when it always does.
    pub(super) fn condition(self, when: &Condition) -> String {
        let mut keys = Vec::new();
        let mut add = |name: &str, texts: &[String]| {
            if !texts.is_empty() {
                keys.push(format!("{name} {}", self.list(texts)));
            }
        };
        add(self.of("医疗类别", "medical category"), &when.medical_categories);
        add(self.of("诊断", "diagnosis"), &when.diagnoses);
        add(self.of("非诊断", "not diagnosis"), &when.not_diagnoses);
        let causes: Vec<String> =
            when.causes.iter().map(|cause| self.cause(*cause).to_owned()).collect();
        if !causes.is_empty() {
            keys.push(causes.join(self.of("或", " or ")));
        }
        keys.extend(self.hospital(when));
        let mut add = |name: &str, texts: &[String]| {
            if !texts.is_empty() {
                keys.push(format!("{name} {}", self.list(texts)));
            }
        };
        add(self.of("就医地", "region"), &when.regions);
        add(self.of("非就医地", "not region"), &when.not_regions);
        let classes: Vec<String> = when.classes.iter().map(|it| self.class(it)).collect();
        add(self.of("优抚类别", "class"), &classes);
        keys.extend(when.pre_existing.map(|known| self.pre_existing(known).to_owned()));
        keys.extend(when.basic_insurance.map(|part| self.basic_insurance(part).to_owned()));
        if !when.circumstances.is_empty() {
            let how = self.list(&when.circumstances);
            keys.push(self.of(format!("情形 {how}"), format!("circumstance {how}")));
        }
        keys.join(self.of("且", ", "))
    }

    /// A level or a code is enough, so the two are one key.
    fn hospital(self, when: &Condition) -> Option<String> {
        let levels = (!when.hospital_levels.is_empty()).then(|| {
            let levels = self.list(&when.hospital_levels);
            self.of(format!("医院等级 {levels}"), format!("hospital level {levels}"))
        });
        let codes = (!when.hospital_codes.is_empty()).then(|| {
            let codes = self.list(&when.hospital_codes);
            self.of(format!("医院 {codes}"), format!("hospital {codes}"))
        });
        match (levels, codes) {
            (Some(levels), Some(codes)) => {
                Some(self.of(format!("{levels}或{codes}"), format!("{levels} or {codes}")))
            }
            (levels, codes) => levels.or(codes),
        }
    }

    fn class(self, range: &ClassRange) -> String {
        let class = &range.class;
        match range.grades {
            None => class.clone(),
            Some((first, last)) => self.of(
                format!("{class}（{first}–{last} 级）"),
                format!("{class} grades {first} to {last}"),
            ),
        }
    }

    fn cause(self, cause: Cause) -> &'static str {
        match cause {
            Cause::Disease => self.of("疾病", "illness"),
            Cause::Accident => self.of("意外", "accident"),
        }
    }

    fn pre_existing(self, known: bool) -> &'static str {
        if known {
            self.of("既往症", "a pre-existing illness")
        } else {
            self.of("非既往症", "no pre-existing illness")
        }
    }

    fn basic_insurance(self, takes_part: bool) -> &'static str {
        if takes_part {
            self.of("经医保结算", "bills with basic insurance")
        } else {
            self.of("未经医保结算", "bills without basic insurance")
        }
    }
}
