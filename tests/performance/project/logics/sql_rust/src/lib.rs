//! Reads rows by key or by cursor, into typed rows.

use santokit_guest::prelude::*;

#[derive(Deserialize)]
struct Input {
    op: String,
    count: usize,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    text: String,
    number: i64,
}

fn handle(input: Input) -> Result<usize, LogicError> {
    let db = sql::open("main")?;
    let whole = |item: &Item| !item.id.is_empty() && !item.text.is_empty() && item.number >= 0;
    Ok(match input.op.as_str() {
        "one" => {
            let mut count = 0;
            for number in 0..input.count {
                let id = format!("i-{:05}", number % 10_000);
                let item: Item = db.query_one("SELECT id, text, number FROM items WHERE id = ?", params![id])?;
                count += usize::from(whole(&item));
            }
            count
        }
        "many" => {
            let mut count = 0;
            for item in db.cursor("SELECT id, text, number FROM items ORDER BY id", params![])?.decode::<Item>() {
                count += usize::from(whole(&item?));
            }
            count
        }
        _ => 0,
    })
}
santokit_guest::logic!(handle);
