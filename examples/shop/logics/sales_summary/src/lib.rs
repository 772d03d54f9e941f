//! The logic `sales_summary`: the sales of each day that is over. A job runs it every night; it takes no params.
//!
//! A run that is lost is made up for by the next, and a second run of a day does nothing: what is there already is not added up again.

use santokit_guest::prelude::*;

const ADD_UP: &str = "INSERT INTO salesSummaries (id, orders, totalCents) \
    SELECT substr(createdAt, 1, 10), count(*), sum(totalCents) FROM orders \
    WHERE substr(createdAt, 1, 10) < ? AND substr(createdAt, 1, 10) NOT IN (SELECT id FROM salesSummaries) \
    GROUP BY substr(createdAt, 1, 10)";

#[derive(Serialize)]
struct Added {
    days: u64,
}

fn handle(_: NoInput) -> Result<Added, LogicError> {
    let now = clock::now().to_string();
    let today = now.split('T').next().unwrap_or_default();
    let days = sql::open("main")?.execute(ADD_UP, params![today])?;
    log::info("added up", &[("days", &days.to_string())]);
    Ok(Added { days })
}

santokit_guest::logic!(handle);
