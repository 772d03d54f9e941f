//! Which tables a text seems to write: a look at its words, for a warning. It must not decide about a right: an engine may read the
//! words otherwise.

use super::{Piece, pieces};
use crate::event::Change;

/// A table that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    /// Byte offset of its name.
    pub at: usize,
    /// Its name, without quotes.
    pub table: &'a str,
    /// What happens to its rows.
    pub change: Change,
}

/// Words between `UPDATE` or `INTO` and the table.
const BETWEEN: &[&str] = &["or", "rollback", "abort", "replace", "fail", "ignore", "low_priority", "only"];

/// The tables that a text writes, as far as its words tell.
pub fn written(text: &str) -> Vec<Written<'_>> {
    let tokens: Vec<(usize, &str)> = pieces(text).iter().filter_map(|piece| token(text, piece)).collect();
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|(_, found)| found.eq_ignore_ascii_case(word));
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let change = if is(at, "into") {
            Change::Insert
        } else if is(at, "update") {
            Change::Update
        } else if is(at, "from") && at > 0 && is(at - 1, "delete") {
            Change::Delete
        } else {
            continue;
        };
        if let Some((at, table)) = name(&tokens, at + 1) {
            found.push(Written { at, table, change });
        }
    }
    found
}

/// The name that begins at a token: the last of those that dots join.
fn name<'a>(tokens: &[(usize, &'a str)], mut at: usize) -> Option<(usize, &'a str)> {
    while BETWEEN.iter().any(|word| tokens.get(at).is_some_and(|(_, found)| found.eq_ignore_ascii_case(word))) {
        at += 1;
    }
    while tokens.get(at + 1).is_some_and(|(_, found)| *found == ".") && tokens.len() > at + 2 {
        at += 2;
    }
    let (place, text) = tokens.get(at)?;
    let bare = text.trim_matches(|c| matches!(c, '"' | '`' | '[' | ']'));
    Some((*place, bare))
}

fn token<'a>(text: &'a str, piece: &Piece<'a>) -> Option<(usize, &'a str)> {
    match *piece {
        Piece::Word { text, at } => Some((at, text)),
        Piece::Other { at, length } => Some((at, text.get(at..at + length)?)),
        Piece::Placeholder { .. } | Piece::End { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_behind_their_words() {
        let found = |text| written(text).into_iter().map(|one| (one.table, one.change)).collect::<Vec<_>>();
        assert_eq!(found("INSERT INTO orders (a) VALUES (:a)"), [("orders", Change::Insert)]);
        assert_eq!(found("replace into `orders` values (1)"), [("orders", Change::Insert)]);
        assert_eq!(found("UPDATE OR IGNORE \"orders\" SET a = 1"), [("orders", Change::Update)]);
        assert_eq!(found("UPDATE public.orders SET a = 1"), [("orders", Change::Update)]);
        assert_eq!(found("DELETE FROM only orders"), [("orders", Change::Delete)]);
        let with = "WITH gone AS (DELETE FROM a RETURNING id) INSERT INTO b SELECT id FROM gone";
        assert_eq!(found(with), [("a", Change::Delete), ("b", Change::Insert)]);
        assert_eq!(found("SELECT 'DELETE FROM orders' FROM orders -- UPDATE orders"), []);
        for text in ["INSERT INTO", "UPDATE", "DELETE FROM", "UPDATE a.", "", "into into into"] {
            found(text);
        }
    }
}
