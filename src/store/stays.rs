//! Whether stays of a member lie near to another one.

use std::collections::HashSet;

use super::conn::{Conn, Sql, bulk};
use super::error::StoreError;
use crate::core::day::Day;

/// Days are ISO text, so they compare as text.
const NEIGHBOURS: Sql = Sql {
    sqlite: "select v.key from jsonb_each($1) v where exists (\
             select 1 from claim c where c.member_id = v.value ->> 0 \
             and c.stay_end >= v.value ->> 1 and c.stay_start <= v.value ->> 2 \
             and c.state <> 'VOIDED')",
    postgres: "select v.place - 1 from unnest($1::text[], $2::text[], $3::text[]) \
               with ordinality v (member_id, first_day, last_day, place) where exists (\
               select 1 from claim c where c.member_id = v.member_id \
               and c.stay_end >= v.first_day and c.stay_start <= v.last_day \
               and c.state <> 'VOIDED')",
};

pub(super) async fn with_neighbours(
    conn: Conn<'_>,
    spans: &[(&str, Day, Day)],
) -> Result<HashSet<usize>, StoreError> {
    let rows: Vec<(i64,)> = bulk!(read NEIGHBOURS, conn, spans, |span| [
        span.0, span.1.to_string(), span.2.to_string(),
    ])?;
    let place = |(place,): (i64,)| usize::try_from(place).ok();
    Ok(rows.into_iter().filter_map(place).collect())
}
