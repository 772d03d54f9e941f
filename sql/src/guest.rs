//! A guest's raw SQL for SQLite, looked at before the engine does: one statement that reads or writes rows, and what the
//! engine's authorizer (decision 0006) is never asked about.
//!
//! A tokenizer, no parser: it takes words apart exactly as SQLite's own does, and refuses what the two could read differently.
//! Which tables and columns a statement reads is the engine's matter.

use santokit_core::{logic::Verb, name};

mod server;

pub use server::check as check_on_server;

/// The largest statement.
pub const STATEMENT_BYTES_MAX: usize = 64 << 10;

/// What a statement is, as far as its words tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestStatement {
    /// `Select`, or how it writes.
    pub verb: Verb,
    /// Whether it searches in texts: what that costs grows with the product of two lengths, and the engine cannot stop it midway.
    pub searches: bool,
    /// What the statement's own WITH names, in lower case: seen everywhere in it, in the place of a table of that name.
    pub common_tables: Vec<String>,
}

/// Why a statement is not given to the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not granted.
    #[error("{0}")]
    Denied(String),
    /// Not acceptable.
    #[error("{0}")]
    Invalid(String),
}

/// Functions and operators whose cost is the product of two lengths.
pub const SEARCHES: [&str; 8] = ["glob", "instr", "like", "ltrim", "replace", "rtrim", "trim", "unhex"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// In `"`, `[]`, `` ` `` or `'`, with its quotes: each can name a table.
    Quoted(&'a str),
    Open,
    Close,
    Dot,
    Comma,
    End,
    Other,
}

/// Looks at a statement. `granted` gives the verbs of tables; names are compared without case, as SQLite does.
pub fn check<'a>(
    sql: &str,
    granted: impl Fn(&str, Verb) -> bool,
    tables: impl Iterator<Item = &'a str>,
) -> Result<GuestStatement, Refused> {
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(Refused::Invalid(format!("the statement is longer than {STATEMENT_BYTES_MAX} bytes")));
    }
    let tokens = tokens(sql)?;
    let tokens = single(&tokens)?;
    let (verb, at, common_tables) = main_verb(tokens)?;
    let demand = |table: Option<String>, verb: Verb, why: &str| match table {
        None => Err(Refused::Invalid(format!("a table is missing after {}", verb.as_str().to_uppercase()))),
        Some(table) if granted(&table, verb) => Ok(()),
        Some(table) => {
            Err(Refused::Denied(format!("grants.sql does not list {} on table {table:?}{why}", verb.as_str())))
        }
    };
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) if is(word, "replace") && tokens.get(index + 1) != Some(&Token::Open) => {
                demand(table_at(tokens, index + 1), Verb::Delete, ", and REPLACE deletes the row that is in the way")?;
            }
            Token::Word(word) if is(word, "rollback") => {
                return Err(Refused::Invalid(
                    "ROLLBACK is not a guest's: end the transaction through its handle".to_owned(),
                ));
            }
            _ => {}
        }
    }
    if verb != Verb::Select {
        let table = table_at(tokens, at + 1);
        let near = table
            .as_deref()
            .and_then(|table| name::nearest(table, tables))
            .filter(|near| !table.as_deref().is_some_and(|table| is(table, near)));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        demand(table, verb, &hint)?;
    }
    let lower = sql.to_ascii_lowercase();
    Ok(GuestStatement { verb, searches: SEARCHES.iter().any(|function| lower.contains(function)), common_tables })
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

/// The tokens without a last semicolon.
fn single<'t, 'a>(tokens: &'t [Token<'a>]) -> Result<&'t [Token<'a>], Refused> {
    let tokens = tokens.strip_suffix(&[Token::End]).unwrap_or(tokens);
    if tokens.is_empty() {
        return Err(Refused::Invalid("the statement is empty".to_owned()));
    }
    if tokens.contains(&Token::End) {
        return Err(Refused::Invalid("one statement at a time".to_owned()));
    }
    Ok(tokens)
}

/// What the statement does, where the word is that says so, and what its WITH names. After `WITH …` it is the first such word
/// outside of parentheses.
fn main_verb(tokens: &[Token<'_>]) -> Result<(Verb, usize, Vec<String>), Refused> {
    let of = |word: &str| match word.to_ascii_lowercase().as_str() {
        "select" | "values" => Some(Verb::Select),
        "insert" | "replace" => Some(Verb::Insert),
        "update" => Some(Verb::Update),
        "delete" => Some(Verb::Delete),
        _ => None,
    };
    let begins_with = matches!(tokens.first(), Some(Token::Word(word)) if is(word, "with"));
    let (mut depth, mut names, mut expects_name) = (0_usize, Vec::new(), false);
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Token::Word(word)
                if begins_with && (is(word, "with") && index == 0 || is(word, "recursive") && index == 1) =>
            {
                expects_name = true;
            }
            Token::Word(_) | Token::Quoted(_) if expects_name => {
                names.extend(name_of(token).map(|name| name.to_ascii_lowercase()));
                expects_name = false;
            }
            Token::Word(word) => match of(word) {
                Some(verb) => return Ok((verb, index, names)),
                None if begins_with => {}
                None => break,
            },
            Token::Comma => expects_name = begins_with,
            _ if begins_with => {}
            _ => break,
        }
    }
    Err(Refused::Invalid("only SELECT, VALUES, INSERT, UPDATE and DELETE are a guest's".to_owned()))
}

/// The table that is named from there on: `[OR action] [INTO|FROM] [schema.]table`.
fn table_at(tokens: &[Token<'_>], mut at: usize) -> Option<String> {
    let word = |at: usize, keyword: &str| matches!(tokens.get(at), Some(Token::Word(word)) if is(word, keyword));
    if word(at, "or") {
        at += 2;
    }
    if word(at, "into") || word(at, "from") {
        at += 1;
    }
    if tokens.get(at + 1) == Some(&Token::Dot) {
        at += 2;
    }
    name_of(tokens.get(at)?)
}

fn name_of(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(word) => Some((*word).to_owned()),
        Token::Quoted(text) => Some(unquoted(text)),
        _ => None,
    }
}

fn unquoted(text: &str) -> String {
    let inner = &text[1..text.len() - 1];
    match text.as_bytes()[0] {
        b'[' => inner.to_owned(),
        quote => inner.replace(&format!("{0}{0}", char::from(quote)), &char::from(quote).to_string()),
    }
}

/// As SQLite takes a text apart (`sqlite3GetToken`). What it would read as a variable, a byte order mark, a bare name that is
/// not ASCII or a text without an end is refused, so that there is nothing to disagree about.
fn tokens(sql: &str) -> Result<Vec<Token<'_>>, Refused> {
    let invalid = |message: &str| Refused::Invalid(message.to_owned());
    let bytes = sql.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let (length, token) = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => (1, None),
            b'-' if rest.starts_with(b"--") => (rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()), None),
            b'/' if rest.starts_with(b"/*") => {
                let end = rest[2..]
                    .windows(2)
                    .position(|pair| pair == b"*/")
                    .ok_or_else(|| invalid("a comment has no end"))?;
                (end + 4, None)
            }
            b'\'' | b'"' | b'`' => {
                let length = quoted(rest, byte).ok_or_else(|| invalid("a string or a quoted name has no end"))?;
                (length, Some(Token::Quoted(&sql[at..at + length])))
            }
            b'[' => {
                let end = rest.iter().position(|b| *b == b']').ok_or_else(|| invalid("a quoted name has no end"))?;
                (end + 1, Some(Token::Quoted(&sql[at..=at + end])))
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let length = word(rest);
                (length, Some(Token::Word(&sql[at..at + length])))
            }
            b'0'..=b'9' => (word(rest), Some(Token::Other)),
            b'(' => (1, Some(Token::Open)),
            b')' => (1, Some(Token::Close)),
            b'.' => (1, Some(Token::Dot)),
            b',' => (1, Some(Token::Comma)),
            b';' => (1, Some(Token::End)),
            b'$' | b'@' | b':' | b'#' => {
                return Err(invalid("values are bound to ?, other placeholders are not known"));
            }
            0..=0x1f | 0x7f.. => {
                return Err(invalid("a name that is not ASCII needs quotes; control characters have no meaning"));
            }
            _ => (1, Some(Token::Other)),
        };
        tokens.extend(token);
        at += length;
    }
    if bytes.contains(&0) { Err(invalid("a statement holds no NUL")) } else { Ok(tokens) }
}

/// Letters, digits, `_`, `$` and everything beyond ASCII go on with a word.
fn word(rest: &[u8]) -> usize {
    rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..)).count()
}

/// To the closing quote; a doubled one is inside.
fn quoted(rest: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    while at < rest.len() {
        if rest[at] == quote {
            if rest.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(sql: &str) -> Result<GuestStatement, Refused> {
        let granted = |table: &str, verb: Verb| match table.to_lowercase().as_str() {
            "open" => verb != Verb::Delete,
            "full" => true,
            _ => false,
        };
        check(sql, granted, ["open", "full"].into_iter())
    }

    #[test]
    fn statements_are_known_by_their_verb() {
        for (sql, verb) in [
            ("select 1;", Verb::Select),
            ("VALUES (1)", Verb::Select),
            ("WITH a AS (DELETE) SELECT 'x'", Verb::Select),
            ("with a as (select 1), b(c) as (select 2) insert into open select * from a", Verb::Insert),
            ("INSERT INTO main.\"open\" VALUES (?1)", Verb::Insert),
            ("insert into [OPEN] values ('a;b', replace('a', 'b', 'c'))", Verb::Insert),
            ("update or ignore open set a = 1 -- ; x", Verb::Update),
            ("/* ; */ DELETE FROM full", Verb::Delete),
            ("replace into full values (1)", Verb::Insert),
            ("insert into open values (1) on conflict do update set a = excluded.a returning a", Verb::Insert),
        ] {
            assert_eq!(look(sql).map(|statement| statement.verb), Ok(verb), "{sql}");
        }
    }

    #[test]
    fn replacing_is_deleting() {
        for sql in [
            "INSERT OR REPLACE INTO open VALUES (1)",
            "REPLACE INTO open VALUES (1)",
            "replace/**/into 'open' values (1)",
            "UPDATE OR\nREPLACE \"open\" SET id = 1",
            "WITH x AS (SELECT 1) INSERT OR REPLACE INTO main.open SELECT * FROM x",
            "WITH x AS (SELECT 1) REPLACE INTO main . open SELECT * FROM x",
            "INSERT OR REPLACE INTO \"op\"\"en\" VALUES (1)",
        ] {
            assert!(matches!(look(sql), Err(Refused::Denied(_))), "{sql}: {:?}", look(sql));
        }
        assert!(look("INSERT OR REPLACE INTO full VALUES (1)").is_ok());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for sql in [
            "",
            " ; ",
            "select 1; select 2",
            "SELECT $a$ , 1; DELETE FROM open; SELECT $a$",
            "WITH x AS (SELECT $a$) INSERT OR REPLACE INTO open SELECT $a$",
            "INSERT OR \u{feff}REPLACE INTO open VALUES (1)",
            "\u{feff}DELETE FROM open",
            "SELECT :a",
            "SELECT @a",
            "SELECT #1",
            "SELECT 1 /* ",
            "SELECT '",
            "SELECT [",
            "SELECT 1\u{0}; DELETE FROM open",
            "SELECT\u{b}1",
            "SELECT é",
            "PRAGMA x",
            "EXPLAIN SELECT 1",
            "ATTACH 'x' AS y",
            "CREATE TABLE a (b)",
            "BEGIN",
            "INSERT OR ROLLBACK INTO open VALUES (1)",
            "(SELECT 1)",
            "INSERT",
            "WITH",
        ] {
            assert!(matches!(look(sql), Err(Refused::Invalid(_))), "{sql}: {:?}", look(sql));
        }
        assert!(look(&format!("SELECT {}1", " ".repeat(STATEMENT_BYTES_MAX))).is_err());
    }

    #[test]
    fn the_nearest_table_is_named() {
        assert_eq!(
            look("DELETE FROM ful"),
            Err(Refused::Denied("grants.sql does not list delete on table \"ful\"; did you mean \"full\"?".into()))
        );
        assert_eq!(
            look("DELETE FROM open"),
            Err(Refused::Denied("grants.sql does not list delete on table \"open\"".into()))
        );
    }

    #[test]
    fn only_the_names_of_the_outermost_with_are_known() {
        let names = |sql: &str| look(sql).map(|statement| statement.common_tables);
        assert_eq!(
            names(
                "WITH RECURSIVE A(x, y) AS (SELECT 1), \"b\" AS MATERIALIZED (WITH c AS (SELECT 1) SELECT 1) SELECT 1, d"
            ),
            Ok(vec!["a".into(), "b".into()])
        );
        assert_eq!(names("SELECT (WITH vault AS (SELECT 1) SELECT 1), a AS (b)"), Ok(vec![]));
    }

    #[test]
    fn searching_is_noticed_however_it_is_written() {
        assert_eq!(look("SELECT \"InStr\"('a', 'b')").map(|statement| statement.searches), Ok(true));
        assert_eq!(look("SELECT a NOT LIKE 'b'").map(|statement| statement.searches), Ok(true));
        assert_eq!(look("SELECT upper('a')").map(|statement| statement.searches), Ok(false));
    }
}
