//! The header of a table: which columns there may be, by their national names or their Chinese ones,
//! and what the header of one file says. `deploy/senders/files.md` documents it for senders.

use std::sync::Arc;

use super::encoding::Encoding;
use super::{FileError, Flaw, ReadError};
use crate::core::plan::document::reader::nearest;
use crate::intake::names::{self, Names};

/// Columns of a header that are looked at: no table has that many.
const COLUMNS_MAX: usize = 500;

/// A column that is read.
pub(super) struct Column {
    /// Its national name and what else it is called; each is sent as it stands in the header.
    pub(super) names: Names,
    /// The Chinese names, which stand for the first of `names`.
    pub(super) chinese: &'static [&'static str],
    pub(super) need: Need,
    pub(super) value: Value,
}

/// Whether a header must have a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    /// At least one of the columns that say whose settlement it is.
    Person,
    Optional,
}

/// What stands in the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// Yuan: `1234.56`.
    Yuan,
    /// Letters and digits: formatted as text, or a spreadsheet rounds it.
    Code,
    Text,
    Time,
    Day,
    /// `0` or `1`.
    Flag,
    /// Six digits.
    Region,
}

const fn column(
    names: Names,
    chinese: &'static [&'static str],
    need: Need,
    value: Value,
) -> Column {
    Column { names, chinese, need, value }
}

use Need::{Optional, Person, Required};

/// Every column that is read, in the order of the documentation.
pub(super) const COLUMNS: &[Column] = &[
    column(names::SETTLEMENT_ID, &["结算ID"], Required, Value::Code),
    column(names::TOTAL, &["医疗费总额"], Required, Value::Yuan),
    column(names::CERT_NO, &["证件号码", "身份证号"], Person, Value::Code),
    column(names::PERSON_NO, &["人员编号"], Person, Value::Code),
    column(names::PERSON_NAME, &["人员姓名", "姓名"], Optional, Value::Text),
    column(names::CERT_TYPE, &["证件类型"], Optional, Value::Code),
    column(names::REGION, &["就医地医保区划"], Optional, Value::Region),
    column(names::INSURED_REGION, &["参保地医保区划"], Optional, Value::Region),
    column(names::HOSPITAL_CODE, &["定点医药机构编号"], Optional, Value::Code),
    column(names::HOSPITAL_LEVEL, &["医院等级"], Optional, Value::Code),
    column(names::SENDER_ID, &["医药机构结算ID"], Optional, Value::Code),
    column(names::VISIT_ID, &["就诊ID"], Optional, Value::Code),
    column(names::INSURANCE_TYPE, &["险种", "险种类型"], Optional, Value::Code),
    column(names::MEDICAL_CATEGORY, &["医疗类别"], Optional, Value::Code),
    column(names::SETTLE_TIME, &["结算时间"], Optional, Value::Time),
    column(names::ADMISSION, &["入院日期", "入院时间"], Optional, Value::Day),
    column(names::DISCHARGE, &["出院日期", "出院时间"], Optional, Value::Day),
    column(names::INVOICE_NO, &["发票号"], Optional, Value::Code),
    column(names::DISCHARGE_WAY, &["离院方式"], Optional, Value::Code),
    column(names::PAY_LOCATION, &["支付地点类别"], Optional, Value::Code),
    column(names::DIAGNOSIS_CODE, &["出院主诊断代码", "病种编码"], Optional, Value::Code),
    column(names::DIAGNOSIS_NAME, &["出院主诊断名称", "病种名称"], Optional, Value::Text),
    column(names::OUT_OF_CATALOGUE, &["全自费", "全自费金额"], Optional, Value::Yuan),
    column(names::OVER_LIMIT, &["超限价自费", "超限价自费费用"], Optional, Value::Yuan),
    column(names::ADVANCE_SELF_PAY, &["先行自付", "先行自付金额"], Optional, Value::Yuan),
    column(names::IN_SCOPE, &["符合政策范围", "符合政策范围金额"], Optional, Value::Yuan),
    column(names::BASIC_DEDUCTIBLE, &["实际支付起付线"], Optional, Value::Yuan),
    column(names::FUND_TOTAL, &["基金支付总额"], Optional, Value::Yuan),
    column(names::FUND_SUMS[0], &["统筹基金"], Optional, Value::Yuan),
    column(names::FUND_SUMS[1], &["公务员补助"], Optional, Value::Yuan),
    column(names::FUND_SUMS[2], &["企业补充"], Optional, Value::Yuan),
    column(names::FUND_SUMS[3], &["居民大病"], Optional, Value::Yuan),
    column(names::FUND_SUMS[4], &["职工大额"], Optional, Value::Yuan),
    column(names::FUND_SUMS[5], &["伤残人员医疗保障基金"], Optional, Value::Yuan),
    column(names::FUND_SUMS[6], &["医疗救助"], Optional, Value::Yuan),
    column(names::FUND_SUMS[7], &["其他支出"], Optional, Value::Yuan),
    column(names::HOSPITAL_BORNE, &["医院负担"], Optional, Value::Yuan),
    column(names::PERSONAL_TOTAL, &["个人负担总金额"], Optional, Value::Yuan),
    column(names::ACCOUNT, &["个人账户支出"], Optional, Value::Yuan),
    column(names::CASH, &["个人现金支出"], Optional, Value::Yuan),
    column(names::ORIGINAL_ID, &["原结算ID"], Optional, Value::Code),
    column(names::REFUND_FLAG, &["退费结算标志"], Optional, Value::Flag),
    column(names::INTERIM_FLAG, &["中途结算标志"], Optional, Value::Flag),
    column(names::RECORD_TYPE, &["记录类型"], Optional, Value::Code),
    column(names::INFNO, &["交易编号"], Optional, Value::Code),
    column(names::ANSWER_ID, &["接收方报文ID"], Optional, Value::Code),
    column(names::PAYOUT_TOTAL, &["补充理赔总额"], Optional, Value::Yuan),
    column(names::PAYOUT_IN_CATALOGUE, &["补充理赔目录内"], Optional, Value::Yuan),
    column(names::PAYOUT_OUT_OF_CATALOGUE, &["补充理赔目录外"], Optional, Value::Yuan),
    column(names::IN_CATALOGUE_DEDUCTIBLE, &["目录内起付线"], Optional, Value::Yuan),
    column(names::OUT_OF_CATALOGUE_DEDUCTIBLE, &["目录外起付线"], Optional, Value::Yuan),
];

/// National fields that a table may have and that nothing is read from.
pub(super) const NOT_USED: &[(&str, &str)] = &[
    ("gend", "性别"),
    ("naty", "民族"),
    ("brdy", "出生日期"),
    ("age", "年龄"),
    ("psn_type", "人员类别"),
    ("cvlserv_flag", "公务员标志"),
    ("mdtrt_cert_type", "就诊凭证类型"),
    ("pool_prop_selfpay", "统筹支付比例"),
    ("balc", "余额"),
    ("acct_mulaid_pay", "个账共济支付"),
    ("clr_optins", "清算经办机构"),
    ("clr_way", "清算方式"),
    ("clr_type", "清算类别"),
    ("exp_content", "字段扩展"),
    ("flxempe_flag", "灵活就业标志"),
    ("nwb_flag", "新生儿标志"),
    ("emp_name", "单位名称"),
    ("fixmedins_name", "定点医药机构名称"),
    ("fixmedins_poolarea", "定点医药机构所属统筹区"),
    ("lmtpric_hosp_lv", "限价医院等级"),
    ("dedc_hosp_lv", "起付线医院等级"),
    ("med_sumfee", "医保认可费用总额"),
    ("year", "年度"),
    ("setl_type", "结算类别"),
    ("psn_setlway", "个人结算方式"),
    ("opter_id", "经办人ID"),
    ("opter_name", "经办人姓名"),
    ("opt_time", "经办时间"),
];

/// The header of one table, as it stands there.
pub struct Sheet {
    /// Its bytes, with the byte order mark and the end of line.
    pub head: Vec<u8>,
    /// How the table is written.
    pub encoding: Encoding,
    pub(super) headings: Vec<Heading>,
}

/// The header's cell above a column.
pub(super) struct Heading {
    /// The national name under which a cell is sent; none where nothing is read from it.
    pub(super) name: Option<&'static str>,
    pub(super) value: Value,
    /// As the file spells it. Always one of the documented names, so never personal.
    spelling: String,
}

impl Heading {
    fn unused(spelling: String) -> Heading {
        Heading { name: None, value: Value::Text, spelling }
    }
}

impl Sheet {
    /// Reads a header that stands on `line`: every problem of it.
    pub(super) fn read(
        file: &Arc<str>,
        line: u64,
        cells: &[&[u8]],
        head: Vec<u8>,
        encoding: Encoding,
    ) -> Result<Sheet, ReadError> {
        let mut problems = Vec::new();
        let mut refuse = |column: Option<usize>, problem: String| {
            let (file, line) = (file.clone(), Some(line));
            let column = column.map(|it| it as u64 + 1);
            problems.push(FileError { file, line, column, problem });
        };
        let mut headings: Vec<Heading> = Vec::new();
        for (index, cell) in cells.iter().enumerate() {
            match heading(cell, encoding) {
                Err(problem) => refuse(Some(index), problem),
                Ok(heading) => {
                    let is_same = |it: &Heading| heading.name.is_some() && it.name == heading.name;
                    if let Some(first) = headings.iter().position(is_same) {
                        let first = first + 1;
                        refuse(Some(index), format!("is given twice: column {first} is the same"));
                    }
                    headings.push(heading);
                    continue;
                }
            }
            headings.push(Heading::unused(String::new()));
        }
        let has = |column: &Column| {
            headings.iter().any(|it| it.name.is_some_and(|name| column.names.contains(&name)))
        };
        for column in COLUMNS.iter().filter(|it| it.need == Required && !has(it)) {
            refuse(None, format!("the column {} is missing", both(column)));
        }
        let persons: Vec<&Column> = COLUMNS.iter().filter(|it| it.need == Person).collect();
        if !persons.iter().any(|it| has(it)) {
            let either: Vec<String> = persons.iter().map(|it| both(it)).collect();
            refuse(None, format!("the column {} is missing", either.join(" or ")));
        }
        if problems.is_empty() {
            Ok(Sheet { head, encoding, headings })
        } else {
            Err(ReadError::Input(problems))
        }
    }

    /// The number of the column of a field that a refusal names, from 1, and the header's own word
    /// for it.
    pub fn column_of(&self, field: &str) -> Option<(u64, &str)> {
        // What is looked for in several parts of a message is told with one of them.
        let field = folded(field.rsplit('.').next().unwrap_or_default());
        let is_it = |name: &&str| folded(name) == field;
        let place = |is_of: &dyn Fn(&'static str) -> bool| {
            self.headings.iter().position(|it| it.name.is_some_and(is_of))
        };
        let exactly = place(&|name| is_it(&name));
        // What is missing is told by the first of its names, whichever the header has.
        let names = || COLUMNS.iter().find(|it| it.names.iter().any(is_it));
        let found =
            exactly.or_else(|| names().and_then(|it| place(&|name| it.names.contains(&name))))?;
        Some((found as u64 + 1, &self.headings[found].spelling))
    }

    /// A problem of the cell in a column, from 0.
    pub(super) fn flaw(&self, index: usize, problem: impl Into<String>) -> Flaw {
        let name = self.headings.get(index).and_then(|it| it.name);
        let field = name.unwrap_or("row").to_owned();
        Flaw { field, problem: problem.into(), line: None, column: Some(index as u64 + 1) }
    }
}

fn both(column: &Column) -> String {
    format!("{} ({})", column.names[0], column.chinese[0])
}

/// What a cell of the header means. What it says is not repeated: the first row may be no header
/// and hold a person.
fn heading(cell: &[u8], encoding: Encoding) -> Result<Heading, String> {
    let Some(text) = encoding.text(cell) else {
        return Err(format!("is not {}", encoding.name()));
    };
    let spelling = text.trim().to_owned();
    if spelling.is_empty() {
        return Err("has no name".to_owned());
    }
    let word = folded(&spelling);
    for column in COLUMNS {
        if let Some(name) = column.names.iter().find(|name| folded(name) == word) {
            return Ok(Heading { name: Some(name), value: column.value, spelling });
        }
        if column.chinese.iter().any(|name| folded(name) == word) {
            return Ok(Heading { name: Some(column.names[0]), value: column.value, spelling });
        }
    }
    if NOT_USED.iter().any(|(name, chinese)| folded(name) == word || folded(chinese) == word) {
        return Ok(Heading::unused(spelling));
    }
    if spelling.contains(['\t', ';', '\u{ff0c}']) {
        return Err("is unknown: cells must be separated by commas".to_owned());
    }
    let known = COLUMNS.iter().flat_map(|column| column.names.iter().chain(column.chinese));
    let unused = NOT_USED.iter().flat_map(|(name, chinese)| [name, chinese]);
    Err(match nearest(&spelling.to_lowercase(), known.chain(unused).copied()) {
        Some(near) => format!("is unknown (did you mean `{near}`?)"),
        None => "is unknown".to_owned(),
    })
}

/// A name without case and underscores, in which names do not differ.
fn folded(name: &str) -> String {
    name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
}

/// Whether a header has more cells than are looked at.
pub(super) fn is_too_wide(count: usize) -> bool {
    COLUMNS_MAX < count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Sheet, Vec<String>> {
        let cells: Vec<&[u8]> = header.split(',').map(str::as_bytes).collect();
        Sheet::read(&"f.csv".into(), 1, &cells, Vec::new(), Encoding::Utf8).map_err(|error| {
            let ReadError::Input(problems) = error else { panic!("the input is wrong") };
            problems.iter().map(ToString::to_string).collect()
        })
    }

    #[test]
    fn a_header_has_national_or_chinese_names() {
        let sheet = read("setl_id,medfeeSumamt,CERTNO,性别,psn_pay, 人员姓名 ").unwrap();
        let names: Vec<Option<&str>> = sheet.headings.iter().map(|it| it.name).collect();
        let meant = ["setl_id", "medfee_sumamt", "certno", "", "psn_pay", "psn_name"];
        assert_eq!(names, meant.map(|name| Some(name).filter(|it| !it.is_empty())));
        assert_eq!(sheet.column_of("psn_name"), Some((6, "人员姓名")));
        assert_eq!(sheet.column_of("medfee_sumamt"), Some((2, "medfeeSumamt")));
        assert_eq!(sheet.column_of("psn_part_amt"), Some((5, "psn_pay")));
        assert_eq!(sheet.column_of("gend"), None);
        assert_eq!(sheet.column_of("source.mdtrtarea_admvs"), None);
        let sheet = read("setl_id,medfee_sumamt,psn_no,就医地医保区划").unwrap();
        assert_eq!(sheet.column_of("source.mdtrtarea_admvs"), Some((4, "就医地医保区划")));
        // Two names of one fact are compared by who reads them.
        assert!(read("setl_id,medfee_sumamt,psn_no,psn_pay,psn_part_amt").is_ok());
    }

    #[test]
    fn every_problem_of_a_header_is_told() {
        assert_eq!(
            read("setl_idd,结算ID,setl_id,,certnr,张三").err().unwrap(),
            [
                "f.csv line 1 column 1: is unknown (did you mean `setl_id`?)",
                "f.csv line 1 column 3: is given twice: column 2 is the same",
                "f.csv line 1 column 4: has no name",
                "f.csv line 1 column 5: is unknown (did you mean `certno`?)",
                "f.csv line 1 column 6: is unknown",
                "f.csv line 1: the column medfee_sumamt (医疗费总额) is missing",
                "f.csv line 1: the column certno (证件号码) or psn_no (人员编号) is missing",
            ]
        );
        let one_cell = read("setl_id;medfee_sumamt;certno").err().unwrap();
        assert!(one_cell[0].ends_with("cells must be separated by commas"), "{one_cell:?}");
    }

    #[test]
    fn no_two_columns_have_a_name_in_common() {
        let mut all: Vec<String> = Vec::new();
        for column in COLUMNS {
            all.extend(column.names.iter().chain(column.chinese).map(|name| folded(name)));
        }
        all.extend(NOT_USED.iter().flat_map(|(one, other)| [folded(one), folded(other)]));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    /// A column that senders are told of and that is not read, or the other way round, costs them
    /// a day.
    #[test]
    fn the_pages_for_senders_list_the_columns() {
        for page in ["files.md", "files.zh-CN.md"] {
            let path = format!("{}/deploy/senders/{page}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            let is_row = |line: &&str| line.starts_with("| `");
            let section = text.split("\n## ").nth(3).unwrap();
            let listed: Vec<Vec<&str>> = section
                .lines()
                .filter(is_row)
                .map(|line| line.split('|').map(str::trim).skip(1).take(4).collect())
                .collect();
            let quoted = |names: &[&str]| {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                names.join(" ")
            };
            let is_chinese = page.contains("zh-CN");
            let need = |need| match (need, is_chinese) {
                (Required, false) => "yes",
                (Person, false) => "one of these",
                (Required, true) => "必填",
                (Person, true) => "二选一",
                (Optional, _) => "",
            };
            let value = |value| match (value, is_chinese) {
                (Value::Yuan, false) => "yuan",
                (Value::Code, false) => "code",
                (Value::Text, false) => "text",
                (Value::Time, false) => "time",
                (Value::Day, false) => "day",
                (Value::Flag, false) => "0 or 1",
                (Value::Region, false) => "six digits",
                (Value::Yuan, true) => "元",
                (Value::Code, true) => "代码",
                (Value::Text, true) => "文本",
                (Value::Time, true) => "时间",
                (Value::Day, true) => "日期",
                (Value::Flag, true) => "0 或 1",
                (Value::Region, true) => "六位数字",
            };
            let read = COLUMNS.iter().map(|it| {
                let names = [quoted(it.names), quoted(it.chinese)];
                let [names, chinese] = names;
                [names, chinese, need(it.need).to_owned(), value(it.value).to_owned()]
            });
            let read: Vec<[String; 4]> = read.collect();
            assert_eq!(listed[..read.len()], read[..], "{page}");
            let unused =
                NOT_USED.iter().map(|(name, chinese)| [quoted(&[name]), quoted(&[chinese])]);
            let unused: Vec<[String; 2]> = unused.collect();
            let listed: Vec<&[&str]> = listed[read.len()..].iter().map(|row| &row[..2]).collect();
            assert_eq!(listed, unused, "{page}");
        }
    }
}
