//! SQL text of logics: where statements end and where `:name` placeholders stand, in any dialect.
//!
//! It knows strings, quoted names, comments and dollar quotes, and nothing else of SQL: what a statement means is for the
//! database to say. Values never become text; a placeholder is replaced by the driver's own mark.

use std::ops::Range;

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Without the semicolon and the space around it.
    pub text: String,
    /// Byte offset of the statement in the whole text.
    pub offset: usize,
    /// In order; a name can stand there several times.
    pub placeholders: Vec<Placeholder>,
}

/// A `:name` in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Without the colon: `itemId`, `auth.sub`.
    pub name: String,
    /// Bytes in the statement's text, with the colon.
    pub range: Range<usize>,
}

/// SQL that ends inside of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} that begins here has no end")]
pub struct Unterminated {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// What it is.
    pub what: &'static str,
}

/// Splits a text into its statements.
pub fn split(sql: &str) -> Result<Vec<Statement>, Unterminated> {
    let mut statements = Vec::new();
    let mut current = Draft::default();
    let mut at = 0;
    while let Some(c) = sql[at..].chars().next() {
        if let Some(length) = skipped(sql, at)? {
            // A quoted thing is part of a statement, a comment alone is none.
            if !is_comment(&sql[at..]) && !c.is_whitespace() {
                current.touch(at, at + length);
            }
            at += length;
        } else if c == ';' {
            statements.extend(std::mem::take(&mut current).finish(sql));
            at += 1;
        } else if let Some(length) = placeholder(sql, at) {
            current.touch(at, at + length);
            current.placeholders.push((at, length));
            at += length;
        } else {
            // `::type` is a cast: its second colon begins no placeholder.
            let length = if sql[at..].starts_with("::") { 2 } else { c.len_utf8() };
            current.touch(at, at + length);
            at += length;
        }
    }
    statements.extend(current.finish(sql));
    Ok(statements)
}

/// The first word of a statement, in lower case, comments left out.
pub fn first_word(statement: &str) -> String {
    let mut at = 0;
    while let Some(c) = statement[at..].chars().next() {
        match skipped(statement, at) {
            Ok(Some(length)) if c.is_whitespace() || is_comment(&statement[at..]) => at += length,
            _ if c == '(' => at += 1,
            _ => break,
        }
    }
    statement[at..].chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase()
}

#[derive(Default)]
struct Draft {
    range: Option<Range<usize>>,
    placeholders: Vec<(usize, usize)>,
}

impl Draft {
    fn touch(&mut self, start: usize, end: usize) {
        let range = self.range.get_or_insert(start..end);
        range.end = end;
    }

    fn finish(self, sql: &str) -> Option<Statement> {
        let range = self.range?;
        let placeholders = self
            .placeholders
            .into_iter()
            .map(|(at, length)| Placeholder {
                name: sql[at + 1..at + length].to_owned(),
                range: at - range.start..at - range.start + length,
            })
            .collect();
        Some(Statement { text: sql[range.clone()].to_owned(), offset: range.start, placeholders })
    }
}

fn is_comment(rest: &str) -> bool {
    rest.starts_with("--") || rest.starts_with("/*")
}

/// Length of the space, comment, string or quoted name at a place; `None` where there is none of them.
fn skipped(sql: &str, at: usize) -> Result<Option<usize>, Unterminated> {
    let rest = &sql[at..];
    let missing = |what| Unterminated { offset: at, what };
    let Some(c) = rest.chars().next() else { return Ok(None) };
    let before = sql[..at].chars().next_back();
    Ok(match c {
        _ if c.is_whitespace() => Some(c.len_utf8()),
        '-' if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => Some(block_comment(rest).ok_or_else(|| missing("comment"))?),
        '\'' => {
            let escapes = matches!(before, Some('e' | 'E')) && !part_of_word(sql[..at - 1].chars().next_back());
            Some(quoted(rest, '\'', escapes).ok_or_else(|| missing("string"))?)
        }
        '"' => Some(quoted(rest, '"', false).ok_or_else(|| missing("quoted name"))?),
        '`' => Some(quoted(rest, '`', false).ok_or_else(|| missing("quoted name"))?),
        '$' if !part_of_word(before) => match dollar_tag(rest) {
            Some(tag) => {
                let end = rest[tag.len()..].find(tag).ok_or_else(|| missing("dollar-quoted string"))?;
                Some(tag.len() + end + tag.len())
            }
            None => None,
        },
        _ => None,
    })
}

/// PostgreSQL nests them; where the others do not, a nested one is a mistake anyway.
fn block_comment(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// A doubled quote stands for one.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// `$$` or `$tag$`.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[1..end - 1];
    let name = !tag.starts_with(|c: char| c.is_ascii_digit()) && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    name.then(|| &rest[..end])
}

fn part_of_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Length of `:name` or `:name.name` at a place.
fn placeholder(sql: &str, at: usize) -> Option<usize> {
    let word = |text: &str| {
        let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        (length > 0 && !text.starts_with(|c: char| c.is_ascii_digit())).then_some(length)
    };
    let rest = sql[at..].strip_prefix(':')?;
    if part_of_word(sql[..at].chars().next_back()) {
        return None;
    }
    let first = word(rest)?;
    let second = rest[first..].strip_prefix('.').and_then(word).map_or(0, |length| length + 1);
    // Only system variables have a dot; `:a.b` of a param would be a mistake that its name shows.
    Some(1 + first + second)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn names(sql: &str) -> Vec<Vec<String>> {
        let names = |statement: Statement| {
            for placeholder in &statement.placeholders {
                assert_eq!(&statement.text[placeholder.range.clone()], format!(":{}", placeholder.name));
            }
            statement.placeholders.into_iter().map(|placeholder| placeholder.name).collect()
        };
        split(sql).unwrap().into_iter().map(names).collect()
    }

    #[test]
    fn finds_placeholders_and_nothing_else() {
        assert_eq!(names("select :a, :auth.sub, ':b', \":c\", `:d`, x::int, 'it''s :e' -- :f\n/* :g /* :h */ */ = :now"), [["a", "auth.sub", "now"]]);
        assert_eq!(names("select $$ :a ; $$, $t$ :b $$ $t$, :c, $1, e'\\' :d'"), [["c"]]);
        assert_eq!(names("select a[1:2], '12:30', b:c"), [Vec::<String>::new()]);
    }

    #[test]
    fn splits_where_statements_end() {
        let texts = |sql: &str| split(sql).unwrap().into_iter().map(|statement| statement.text).collect::<Vec<_>>();
        assert_eq!(texts("a; b ;\n;-- c;\n"), ["a", "b"]);
        assert_eq!(texts("select ';' ; /* ; */ select 2"), ["select ';'", "select 2"]);
        assert_eq!(texts("-- only a comment"), Vec::<String>::new());
        assert_eq!(split("a; b").unwrap()[1].offset, 3);
    }

    #[test]
    fn says_where_something_has_no_end() {
        assert_eq!(split("select 'a").unwrap_err().offset, 7);
        assert_eq!(split("/* a").unwrap_err().what, "comment");
        assert_eq!(split("select $x$ a $y$").unwrap_err().what, "dollar-quoted string");
        assert!(split("select \"a").is_err());
    }

    #[test]
    fn the_first_word_is_behind_comments() {
        assert_eq!(first_word("/* x */ -- y\n ( SELECT 1)"), "select");
        assert_eq!(first_word("BEGIN"), "begin");
    }

    #[test]
    fn takes_any_text() {
        for text in ["", ":", "::", ":1", "$", "$$", "'", "é:ä", "/*/", "*/", "E'\\", "\u{0}:a", ":a:b", ":é"] {
            let _ = split(text);
            let _ = first_word(text);
        }
    }
}
