//! A guest's statement for a database server, looked at before the server does: one statement that reads or writes rows and leaves
//! its session as it was. The border is the user that it runs as (decision 0022); what that user may do because everybody may, such as locks
//! that have no table, messages to listeners and the catalogue, is refused here, and so is what costs memory without limit.
//!
//! What is not known to be harmless is refused: this is no parser, and what two readers could read differently is not read.

use santokit_core::{logic::Verb, name};

use super::{GuestStatement, Refused, STATEMENT_BYTES_MAX};
use crate::{
    dialect::Dialect,
    session::{self, Token, is, knows},
};

/// Functions that leave the session as it was, and yet reach beyond the statement's own tables or take what memory they like.
const REFUSED: &str = " pg_notify pg_advisory_xact_lock pg_try_advisory_xact_lock current_setting txid_current pg_backend_pid \
    connection_id repeat lpad rpad space ";
/// The same on PostgreSQL: a width makes gigabytes of nothing. On MySQL it writes numbers.
const REFUSED_POSTGRES: &str = " format ";
/// Databases of MySQL that are the server's own.
const SERVERS_OWN: &str = " mysql performance_schema sys ";

/// Looks at a statement. `granted` gives the verbs of tables.
pub fn check<'a>(
    sql: &str,
    dialect: Dialect,
    granted: impl Fn(&str, Verb) -> bool,
    tables: impl Iterator<Item = &'a str>,
) -> Result<GuestStatement, Refused> {
    let invalid = |message: &str| Refused::Invalid(message.to_owned());
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(Refused::Invalid(format!("the statement is longer than {STATEMENT_BYTES_MAX} bytes")));
    }
    if sql.bytes().any(|byte| byte == 0 || byte < b' ' && !byte.is_ascii_whitespace()) {
        return Err(invalid("control characters have no meaning in a statement"));
    }
    let unclear =
        "a string, name or comment has no end, or could be read in two ways: write it without escapes and nesting";
    let tokens = session::tokens(sql, dialect).ok_or_else(|| invalid(unclear))?;
    let tokens = tokens.strip_suffix(&[Token::End]).unwrap_or(&tokens);
    if tokens.is_empty() {
        return Err(invalid("the statement is empty"));
    }
    if tokens.contains(&Token::End) {
        return Err(invalid("one statement at a time"));
    }
    harmless(tokens, dialect)?;
    let (verb, at) = main_verb(tokens)?;
    if verb != Verb::Select {
        target_granted(tokens, at, verb, granted, tables)?;
    }
    Ok(GuestStatement { verb: written(tokens).unwrap_or(verb), searches: false, common_tables: Vec::new() })
}

/// No call of what is not known, and nothing of the server's own.
fn harmless(tokens: &[Token<'_>], dialect: Dialect) -> Result<(), Refused> {
    let denied = |what: String| Err(Refused::Denied(what));
    if let Some(token) = session::change(tokens, dialect) {
        return match token {
            Token::Word(word) if tokens.first() == Some(&token) => Err(Refused::Invalid(format!(
                "only SELECT, VALUES, INSERT, UPDATE and DELETE are a guest's, not {}",
                word.to_uppercase()
            ))),
            Token::Word(word) if is(word, "into") => denied("INTO is for INSERT only".to_owned()),
            Token::Word(word) | Token::Name(word) => denied(format!(
                "{word} is not among the functions that guests may call; before the columns of an alias write AS"
            )),
            _ => denied("variables are not a guest's".to_owned()),
        };
    }
    for (at, token) in tokens.iter().enumerate() {
        let follows = tokens.get(at + 1);
        match token {
            // In quotes it is the same function.
            Token::Word(word) | Token::Name(word)
                if follows == Some(&Token::Open) && is_refused(&unquoted(word), dialect) =>
            {
                return denied(format!("{word} is not among the functions that guests may call"));
            }
            Token::Word(word) | Token::Name(word) => {
                let name = unquoted(word).to_ascii_lowercase();
                let is_servers = match dialect {
                    Dialect::Mysql => follows == Some(&Token::Dot) && knows(SERVERS_OWN, &name),
                    _ => name.starts_with("pg_") && !is(word, "pg_sleep"),
                };
                if is_servers || name == "information_schema" {
                    return denied(format!("{name} is the server's own"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_refused(function: &str, dialect: Dialect) -> bool {
    knows(REFUSED, function) || dialect == Dialect::Postgres && knows(REFUSED_POSTGRES, function)
}

/// What the statement does, and where the word is that says so: after `WITH …` the first such word outside of parentheses.
fn main_verb(tokens: &[Token<'_>]) -> Result<(Verb, usize), Refused> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 => {
                if let Some(verb) = verb(word) {
                    return Ok((verb, at));
                }
            }
            _ => {}
        }
    }
    Err(Refused::Invalid("only SELECT, VALUES, INSERT, UPDATE and DELETE are a guest's".to_owned()))
}

fn verb(word: &str) -> Option<Verb> {
    match word.to_ascii_lowercase().as_str() {
        "select" | "values" => Some(Verb::Select),
        "insert" | "replace" => Some(Verb::Insert),
        "update" => Some(Verb::Update),
        "delete" => Some(Verb::Delete),
        _ => None,
    }
}

/// Whether anything in it writes or locks rows, be it within `WITH` or behind `FOR`: such a statement is not run a second time.
fn written(tokens: &[Token<'_>]) -> Option<Verb> {
    let calls = |at: usize| tokens.get(at + 1) == Some(&Token::Open);
    tokens.iter().enumerate().find_map(|(at, token)| match token {
        Token::Word(word) if !calls(at) && is(word, "share") => Some(Verb::Update),
        Token::Word(word) if !calls(at) => verb(word).filter(|verb| *verb != Verb::Select),
        _ => None,
    })
}

/// An early word; the server has the last one.
fn target_granted<'a>(
    tokens: &[Token<'_>],
    at: usize,
    verb: Verb,
    granted: impl Fn(&str, Verb) -> bool,
    tables: impl Iterator<Item = &'a str>,
) -> Result<(), Refused> {
    let said = verb.as_str();
    let skipped = ["into", "from", "only", "ignore", "low_priority", "high_priority", "delayed", "quick"];
    let names = tokens[at + 1..]
        .iter()
        .skip_while(|token| matches!(token, Token::Word(word) if skipped.iter().any(|skipped| is(word, skipped))));
    // The last of `database.schema.table`.
    let mut table = None;
    for token in names {
        match token {
            Token::Dot => table = None,
            Token::Word(word) | Token::Name(word) if table.is_none() => table = Some(unquoted(word)),
            _ => break,
        }
    }
    let missing = || Refused::Invalid(format!("a table is missing after {}", said.to_uppercase()));
    let table = table.ok_or_else(missing)?;
    if granted(&table, verb) {
        return Ok(());
    }
    let near = name::nearest(&table, tables).filter(|near| *near != table);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    Err(Refused::Denied(format!("grants.sql does not list {said} on table {table:?}{hint}")))
}

fn unquoted(text: &str) -> String {
    match text.chars().next() {
        Some(quote @ ('"' | '`')) if text.len() >= 2 => {
            text[1..text.len() - 1].replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Dialect; 2] = [Dialect::Postgres, Dialect::Mysql];

    fn look(sql: &str, dialect: Dialect) -> Result<GuestStatement, Refused> {
        let granted = |table: &str, verb: Verb| match table {
            "open" => verb != Verb::Delete,
            "Full" => true,
            _ => false,
        };
        check(sql, dialect, granted, ["open", "Full"].into_iter())
    }

    #[test]
    fn statements_are_known_by_what_they_do() {
        for (sql, verb) in [
            ("select 1;", Verb::Select),
            ("VALUES (1)", Verb::Select),
            ("WITH a (b) AS (SELECT 'delete') SELECT count(*) FROM a AS c (d)", Verb::Select),
            ("SELECT replace(a, 'b', 'c') FROM open", Verb::Select),
            ("INSERT INTO open (a) VALUES (1)", Verb::Insert),
            ("insert into public.open select 1", Verb::Insert),
            ("WITH a AS (SELECT 1) UPDATE open SET b = 1", Verb::Update),
            ("DELETE FROM Full", Verb::Delete),
            // Written all the same.
            ("SELECT a FROM open FOR UPDATE", Verb::Update),
            ("SELECT a FROM open FOR SHARE", Verb::Update),
        ] {
            for dialect in BOTH {
                assert_eq!(look(sql, dialect).map(|statement| statement.verb), Ok(verb), "{sql}");
            }
        }
        let hidden = "WITH gone AS (DELETE FROM \"Full\" RETURNING id) SELECT * FROM gone";
        assert_eq!(look(hidden, Dialect::Postgres).map(|statement| statement.verb), Ok(Verb::Delete));
        assert!(look("UPDATE \"Full\" SET a = $1::int WHERE b = $$'$$", Dialect::Postgres).is_ok());
        assert!(look("INSERT IGNORE INTO `Full` (a) VALUES (?)", Dialect::Mysql).is_ok());
    }

    #[test]
    fn what_is_not_a_guests_is_refused() {
        for sql in [
            "",
            ";",
            "select 1; select 2",
            "SELECT 1\u{0}",
            "SELECT\u{1}1",
            "SET a = 1",
            "BEGIN",
            "COPY open TO STDOUT",
            "EXPLAIN SELECT 1",
            "CREATE TABLE a (b int)",
            "CALL own()",
            "(SELECT 1)",
            "WITH a AS (SELECT 1)",
            "SELECT 'open",
            "SELECT /* 1",
            "INSERT",
            "INSERT INTO",
            "SELECT 1 INTO other",
            "SELECT own_function(1)",
            "SELECT other.lower('x')",
            "SELECT repeat('x', 1000000000)",
            "SELECT lpad('x', 1000000000)",
            "SELECT * FROM information_schema.tables",
            "DELETE FROM open",
            "UPDATE closed SET a = 1",
            "WITH a AS (SELECT 1) DELETE FROM open",
        ] {
            for dialect in BOTH {
                assert!(look(sql, dialect).is_err(), "{sql}");
            }
        }
        assert!(look(&format!("SELECT {}1", " ".repeat(STATEMENT_BYTES_MAX)), Dialect::Mysql).is_err());
    }

    #[test]
    fn what_everybody_may_do_on_a_server_guests_may_not() {
        for sql in [
            "SELECT set_config('role', 'postgres', false)",
            "SELECT pg_catalog.set_config('role', 'postgres', false)",
            "SELECT \"set_config\"('role', 'postgres', false)",
            r"SELECT E'\'', set_config('a', 'b', false), ''",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT pg_notify('a', 'b')",
            "SELECT \"repeat\"('x', 1000000000)",
            "SELECT \"current_setting\"('a')",
            "SELECT format('%1000000000s', '')",
            "SELECT \"format\"('%1000000000s', '')",
            "SELECT pg_catalog.format('%1000000000s', '')",
            "SELECT lo_create(0)",
            "SELECT dblink('a', 'b')",
            "SELECT current_setting('a')",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT query_to_xml('select 1', true, true, '')",
            "SELECT * FROM pg_authid",
            "SELECT * FROM pg_catalog.pg_class",
            "SELECT * FROM \"pg_roles\"",
            "TABLE open",
        ] {
            assert!(look(sql, Dialect::Postgres).is_err(), "{sql}");
        }
        for sql in [
            "SELECT get_lock('a', 1)",
            "SELECT `repeat`('x', 1000000000)",
            "SELECT load_file('/etc/passwd')",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT @a := 1",
            "SELECT @@version",
            "SELECT /*! get_lock('a', 1) */ 1",
            "SELECT 1 --get_lock('a', 1)",
            "SELECT benchmark(1000000000, md5('x'))",
            "SELECT * FROM mysql.user",
            "SELECT * FROM `performance_schema`.threads",
        ] {
            assert!(look(sql, Dialect::Mysql).is_err(), "{sql}");
        }
        assert!(look("SELECT format(1234567, 2)", Dialect::Mysql).is_ok());
    }

    #[test]
    fn the_nearest_table_is_named() {
        assert_eq!(
            look("DELETE FROM \"Ful\"", Dialect::Postgres),
            Err(Refused::Denied("grants.sql does not list delete on table \"Ful\"; did you mean \"Full\"?".into()))
        );
    }
}
