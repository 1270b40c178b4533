//! A year of a small city through the binary: nothing planted is missed, and the books balance.

use std::time::Duration;

use crate::process::run_within;

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_a_small_city_ends_with_books_that_balance() {
    // A debug build is slow, and the machine may be busy.
    let max = Duration::from_mins(5);
    let small = ["demo", "city", "--seed", "11", "--members", "1800", "--stays", "900"];
    let year = run_within(max, &small, &[]).await;
    assert_eq!(year.code, Some(0), "{year:?}");
    for told in ["The books balance", "Nobody bears more than 5,000.00", "Planted anomalies"] {
        assert!(year.out.contains(told), "{told} in\n{}", year.out);
    }
    let share = year.out.lines().find(|line| line.contains("decided without a person")).unwrap();
    let percent: u32 = share
        .split_whitespace()
        .rev()
        .nth(1)
        .and_then(|share| share.split('.').next())
        .and_then(|whole| whole.parse().ok())
        .unwrap();
    assert!(percent >= 85, "{share}");
    // Every kind that is planted is found in a city of this size too.
    for code in ["READMISSION", "LOW_INTENSITY", "DUPLICATE_INVOICE", "SEX_AGE", "COST_OUTLIER"] {
        let line = year.out.lines().find(|line| line.contains(code) && line.contains(" caught"));
        let line = line.unwrap_or_else(|| panic!("{code} in\n{}", year.out));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], words[3], "{line}");
    }
}
