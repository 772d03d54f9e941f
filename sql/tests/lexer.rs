//! Properties of the two readers of SQL text: they take anything, and what is inside of quotes and comments stays text.

use proptest::prelude::*;
use santokit_core::{logic::Verb, sql_text};
use santokit_sql::{binding::BoundStatement, guest};

/// Texts made of what lexers fall over.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'"),
        Just("''"),
        Just("\""),
        Just("`"),
        Just("["),
        Just("]"),
        Just("--"),
        Just("\n"),
        Just("/*"),
        Just("*/"),
        Just("$"),
        Just("$a$"),
        Just("$$"),
        Just(":"),
        Just("::"),
        Just(":a"),
        Just(":auth.sub"),
        Just(";"),
        Just("("),
        Just(")"),
        Just(","),
        Just("."),
        Just("é"),
        Just("\u{feff}"),
        Just("\0"),
        Just("REPLACE "),
        Just("INTO t "),
        Just("WITH "),
        Just("AS "),
        Just("SELECT "),
        Just("OR "),
        Just("1"),
        Just("?1"),
        Just(" "),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_taken(text in prop_oneof![hostile(), any::<String>()]) {
        let bound = BoundStatement::sqlite(&text);
        prop_assert!(bound.names.len() <= text.len());
        prop_assert!(sql_text::statements(&text).iter().all(|(at, statement)| text[*at..].starts_with(statement)));
        let _ = (guest::check(&text, |_, _| true, std::iter::empty()), sql_text::check_ends(&text), sql_text::is_read_only(&text));
    }

    #[test]
    fn what_is_quoted_stays_text(inside in "[^\0]{0,40}") {
        let string = format!("'{}'", inside.replace('\'', "''"));
        let name = format!("\"{}\"", inside.replace('"', "\"\""));
        let comment = format!("/*{}*/", inside.replace("*/", "").replace(['*', '/'], ""));
        let sql = format!("SELECT {string} {comment} AS {name}, :a");
        let bound = BoundStatement::sqlite(&sql);
        prop_assert_eq!(bound.names, ["a"]);
        prop_assert_eq!(bound.sql, format!("{}?1", sql.strip_suffix(":a").unwrap()));
        let sql = format!("UPDATE {name} {comment} SET a = {string}");
        let mut asked = Vec::new();
        let asked_of = std::cell::RefCell::new(&mut asked);
        let checked = guest::check(&sql, |table, verb| { asked_of.borrow_mut().push((table.to_owned(), verb)); true }, std::iter::empty());
        prop_assert_eq!(checked.unwrap().verb, Verb::Update);
        prop_assert_eq!(asked, [(inside, Verb::Update)]);
    }

    #[test]
    fn a_statement_that_replaces_never_passes_without_delete(text in hostile(), before in prop::bool::ANY) {
        let sql = if before { format!("{text} INSERT OR REPLACE INTO t VALUES (1)") } else { format!("INSERT OR REPLACE INTO t VALUES (1) {text}") };
        // Where it passes, the words were inside of quotes or a comment; then the engine sees no REPLACE either.
        let hidden = sql_text::check_ends(&sql).is_ok() && !sql_text::pieces(&sql).iter().any(|piece| {
            matches!(piece, sql_text::Piece::Word { text, at } if text.eq_ignore_ascii_case("replace") && sql[at + text.len()..].trim_start().starts_with("INTO t"))
        });
        let checked = guest::check(&sql, |_, verb| verb != Verb::Delete, std::iter::empty());
        prop_assert!(checked.is_err() || hidden, "{sql:?}: {checked:?}");
    }
}
