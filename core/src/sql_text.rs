//! SQL as text: where its statements end and where its named placeholders are. A lexer, no parser: it knows strings, quoted
//! identifiers, comments, casts and dollar quotes, and nothing of grammar.

mod written;

pub use written::{Written, written};

/// A piece of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// `:name` or `:auth.sub`, without the colon.
    Placeholder {
        /// The name.
        name: &'a str,
        /// Byte offset of the colon.
        at: usize,
    },
    /// A bare word: keyword or identifier.
    Word {
        /// As written.
        text: &'a str,
        /// Byte offset.
        at: usize,
    },
    /// `;`
    End {
        /// Byte offset.
        at: usize,
    },
    /// Anything else that is not white space or a comment.
    Other {
        /// Byte offset.
        at: usize,
        /// Length in bytes.
        length: usize,
    },
}

/// The pieces of a text, in order. White space and comments are left out.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, piece) = next(rest, at);
        if let Some(piece) = piece {
            pieces.push(piece);
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    pieces
}

/// The statements of a text with the offset of each, without their semicolons; empty ones are left out.
pub fn statements(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut start, mut has_content) = (None, false);
    for piece in pieces(text) {
        match piece {
            Piece::End { at } => {
                if let (Some(from), true) = (start, has_content) {
                    found.push((from, text[from..at].trim_end()));
                }
                (start, has_content) = (None, false);
            }
            Piece::Placeholder { at, .. } | Piece::Word { at, .. } | Piece::Other { at, .. } => {
                start = start.or(Some(at));
                has_content = true;
            }
        }
    }
    if let (Some(from), true) = (start, has_content) {
        found.push((from, text[from..].trim_end()));
    }
    found
}

/// Whether a statement only reads, as far as its words tell: the engine has the last word.
pub fn is_read_only(text: &str) -> bool {
    let mut words = pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Word { text, .. } => Some(text.to_ascii_uppercase()),
        _ => None,
    });
    match words.next().as_deref() {
        Some("SELECT" | "VALUES" | "EXPLAIN") => true,
        Some("WITH") => !words.any(|word| matches!(word.as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE")),
        _ => false,
    }
}

/// Whether a statement answers rows, as far as its words tell: it reads, or it says `RETURNING`.
pub fn answers_rows(text: &str) -> bool {
    let returns =
        |piece: &Piece<'_>| matches!(piece, Piece::Word { text, .. } if text.eq_ignore_ascii_case("returning"));
    is_read_only(text) || pieces(text).iter().any(returns)
}

/// Whether what a statement answers can have a column: its text says the name, or that all columns are meant. What is taken for one and is none is
/// found when it runs.
pub fn may_answer(text: &str, column: &str) -> bool {
    let is_all =
        |piece: &Piece<'_>| matches!(*piece, Piece::Other { at, length } if text.get(at..at + length) == Some("*"));
    let is_said = || text.to_lowercase().contains(&column.to_lowercase());
    !column.is_empty() && (is_said() || pieces(text).iter().any(is_all))
}

/// Something that has no end: where it begins, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} that begins here has no end")]
pub struct Unterminated {
    /// Byte offset.
    pub at: usize,
    /// For people.
    pub what: &'static str,
}

/// Whether the text ends inside of a string, a quoted name or a comment.
pub fn check_ends(text: &str) -> Result<(), Unterminated> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let bytes = rest.as_bytes();
        let what = match bytes[0] {
            b'\'' if quoted(bytes, b'\'').is_none() => Some("string"),
            quote @ (b'"' | b'`') if quoted(bytes, quote).is_none() => Some("quoted name"),
            b'[' if !rest.contains(']') => Some("quoted name"),
            b'/' if rest.starts_with("/*") && !rest[2..].contains("*/") => Some("comment"),
            b'$' if dollar_tag(rest).is_some_and(|tag| !rest[tag.len()..].contains(tag)) => {
                Some("dollar-quoted string")
            }
            _ => None,
        };
        if let Some(what) = what {
            return Err(Unterminated { at, what });
        }
        at += next(rest, at).0.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    Ok(())
}

/// Replaces named placeholders; `render` gives the text for each name in order of appearance.
pub fn replace_placeholders(text: &str, mut render: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for piece in pieces(text) {
        if let Piece::Placeholder { name, at } = piece {
            out.push_str(&text[copied..at]);
            out.push_str(&render(name));
            copied = at + 1 + name.len();
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// The length of the first piece of `rest`, and the piece unless it is white space or a comment.
fn next(rest: &str, at: usize) -> (usize, Option<Piece<'_>>) {
    let bytes = rest.as_bytes();
    let other = |length: usize| (length, Some(Piece::Other { at, length }));
    match bytes[0] {
        byte if byte.is_ascii_whitespace() => (1, None),
        b';' => (1, Some(Piece::End { at })),
        b'-' if bytes.get(1) == Some(&b'-') => (rest.find('\n').unwrap_or(rest.len()), None),
        b'/' if bytes.get(1) == Some(&b'*') => (rest[2..].find("*/").map_or(rest.len(), |end| end + 4), None),
        quote @ (b'\'' | b'"' | b'`') => other(quoted(bytes, quote).unwrap_or(rest.len())),
        b'[' => other(rest.find(']').map_or(rest.len(), |end| end + 1)),
        b'$' => other(dollar_quoted(rest)),
        b':' if bytes.get(1) == Some(&b':') => other(2),
        b':' => match placeholder(&rest[1..]) {
            0 => other(1),
            length => (length + 1, Some(Piece::Placeholder { name: &rest[1..=length], at })),
        },
        byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
            let length = bytes
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || **b >= 0x80)
                .count();
            (length, Some(Piece::Word { text: &rest[..length], at }))
        }
        _ => other(1),
    }
}

/// To the closing quote, if there is one; a doubled one is inside.
fn quoted(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    None
}

/// `$tag$ … $tag$`, or a lone `$`.
fn dollar_quoted(rest: &str) -> usize {
    let Some(tag) = dollar_tag(rest) else { return 1 };
    rest[tag.len()..].find(tag).map_or(rest.len(), |close| tag.len() * 2 + close)
}

/// `$$` or `$tag$`.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')?;
    let tag = &rest[..end + 2];
    let is_tag = tag[1..=end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !tag[1..].starts_with(|c: char| c.is_ascii_digit());
    is_tag.then_some(tag)
}

/// Length of `name` or `name.name`.
fn placeholder(rest: &str) -> usize {
    let part = |text: &str| {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts { text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count() } else { 0 }
    };
    let first = part(rest);
    match rest.get(first..).and_then(|after| after.strip_prefix('.')) {
        Some(after) if first > 0 && part(after) > 0 => first + 1 + part(after),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        pieces(text)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Placeholder { name, .. } => Some(name),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn placeholders_are_found_where_they_are_and_nowhere_else() {
        assert_eq!(
            names("SELECT :a, :auth.sub, x::int, ':no', \":no\", `:no`, [:no] -- :no\n/* :no */ :b"),
            ["a", "auth.sub", "b"]
        );
        assert_eq!(names("SELECT 'it''s :no' || :yes, $$ :no $$, $t$ :no $t$, '12:30', :9"), ["yes"]);
        assert_eq!(names("'unterminated :no"), Vec::<&str>::new());
        assert_eq!(
            replace_placeholders("a = :a AND b = ':b' AND c=:a", |name| format!("?{name}")),
            "a = ?a AND b = ':b' AND c=?a"
        );
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_strings() {
        let texts: Vec<&str> =
            statements("SELECT ';' ; -- ;\n UPDATE t SET a = 1;;").into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["SELECT ';'", "UPDATE t SET a = 1"]);
        assert!(statements(" -- nothing\n;").is_empty());
    }

    #[test]
    fn what_has_no_end_is_found() {
        for (text, at, what) in [
            ("select 'a''", 7, "string"),
            ("select \"a", 7, "quoted name"),
            ("select [a", 7, "quoted name"),
            ("/* a", 0, "comment"),
            ("select $x$ a $y$", 7, "dollar-quoted string"),
        ] {
            assert_eq!(check_ends(text), Err(Unterminated { at, what }));
        }
        assert_eq!(check_ends("select 'a''b', \"c\", [d], `e`, $$ f $$, $1 -- 'g\n/* \" */"), Ok(()));
    }

    #[test]
    fn any_text_is_taken() {
        for text in ["", ":", "::", ":1", "$", "$$", "'", "é:ä", "/*/", "*/", "\u{0}:a", ":a:b", ":é", "é'é", "$é$"]
        {
            let _ = (check_ends(text), statements(text), is_read_only(text));
        }
    }

    #[test]
    fn rows_and_their_columns_are_told_by_words() {
        for text in ["select 1", "INSERT INTO t (a) VALUES (1) RETURNING a", "WITH x AS (SELECT 1) SELECT * FROM x"] {
            assert!(answers_rows(text), "{text}");
        }
        assert!(!answers_rows("UPDATE t SET a = 'returning'"));
        assert!(may_answer("SELECT id, total AS Sum FROM orders", "sum"));
        assert!(may_answer("UPDATE t SET a = 1 RETURNING *", "anything"));
        for (text, column) in [("SELECT id FROM orders", "total"), ("SELECT '*'", "a"), ("SELECT *", ""), ("", "a")] {
            assert!(!may_answer(text, column), "{text} {column}");
        }
    }

    #[test]
    fn reading_is_told_by_words() {
        assert!(is_read_only("select 1"));
        assert!(is_read_only("WITH x AS (SELECT 'DELETE') SELECT * FROM x"));
        assert!(!is_read_only("WITH x AS (SELECT 1) DELETE FROM t"));
        assert!(!is_read_only("UPDATE t SET a = 1"));
        assert!(!is_read_only(""));
    }
}
