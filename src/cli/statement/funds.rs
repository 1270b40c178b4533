//! What the national codes of funds (基金支付类型, `fund_pay_type`) mean.

use crate::core::explain::Language;

/// Code, Chinese name, English name. A region may know more codes than the country.
const FUNDS: [(&str, &str, &str); 18] = [
    ("310100", "职工基本医疗保险统筹基金", "employees' basic fund"),
    ("310300", "职工大病补充保险", "employees' serious-illness insurance"),
    ("310400", "军转干部医疗补助", "subsidy for cadres who left the army"),
    ("320100", "公务员医疗补助", "civil servants' subsidy"),
    ("320200", "厅级干部医疗补助", "senior officials' subsidy"),
    ("330100", "职工大额医疗费用补助", "employees' large-expense fund"),
    ("330200", "职工意外伤害基金", "employees' accident fund"),
    ("340100", "离休人员医疗保障基金", "fund for retired veterans of the revolution"),
    ("350100", "一至六级残疾军人医疗补助", "subsidy for disabled servicemen, grades 1 to 6"),
    ("370100", "企业补充医疗保险", "employer's supplementary insurance"),
    ("390100", "城乡居民基本医疗保险统筹基金", "residents' basic fund"),
    ("390200", "城乡居民大病保险", "residents' serious-illness insurance"),
    ("390400", "城乡居民意外伤害基金", "residents' accident fund"),
    ("410100", "工伤保险基金", "work-injury fund"),
    ("510100", "生育保险基金", "maternity fund"),
    ("610100", "医疗救助基金", "medical assistance"),
    ("610200", "优抚对象医疗补助", "subsidy for entitled veterans and families"),
    ("620100", "特惠保补偿", "commercial aid insurance"),
];

/// The name of a fund; empty for a code that we do not know.
pub(super) fn name(fund_code: &str, language: Language) -> &'static str {
    let found = FUNDS.iter().find(|(code, _, _)| *code == fund_code);
    found.map_or("", |(_, zh, en)| language.of(zh, en))
}
