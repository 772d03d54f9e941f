//! Whether a statement of a SQL logic may leave its session changed on a server: a setting, a lock, a variable or a temporary table
//! would be the next caller's. A connection on which one has run is not used again.
//!
//! What is not known to be harmless counts as a change, so that a mistake costs a connection and not a border. It is no parser,
//! and it does not know what triggers, operators and views of the database call: those are their owner's.

use crate::dialect::Dialect;

/// What a statement begins with that reads or writes rows.
const BEGINNINGS: [&str; 7] = ["select", "with", "insert", "update", "delete", "values", "replace"];

/// Words that stand before a parenthesis and call nothing.
const WORDS: &str = " all and any array as between by case check conflict distinct else except exists filter from group having ignore \
    in intersect interval into is join key lateral like limit materialized not of offset on or order over partition recursive \
    returning row rows select separator set similar some then union using values when where window with within \
    bigint binary bit char character datetime decimal double float int integer numeric signed time timestamp timestamptz unsigned \
    varbinary varchar varying ";

/// Functions that leave nothing behind: of SQL, and of the two servers.
const HARMLESS: &str = " abs acos age ascii asin atan atan2 avg bit_and bit_count bit_length bit_or bit_xor bool_and bool_or btrim \
    cardinality cast cbrt ceil ceiling char_length character_length chr coalesce coercibility concat concat_ws convert cos cot count \
    crc32 cume_dist curdate current_date current_time current_timestamp currval curtime date date_add date_bin date_diff date_format \
    date_part date_sub date_trunc datediff day dayname dayofmonth dayofweek dayofyear decode degrees dense_rank div elt encode every \
    exp extract field find_in_set first_value floor format from_base64 from_days from_unixtime gen_random_uuid generate_series \
    generate_subscripts greatest group_concat grouping hex hour if ifnull initcap insert instr isnull json_agg json_array \
    json_array_elements json_array_elements_text json_array_length json_arrayagg json_build_array json_build_object json_contains \
    json_contains_path json_depth json_each json_each_text json_exists json_extract json_extract_path json_extract_path_text \
    json_insert json_keys json_length json_merge_patch json_merge_preserve json_object json_object_agg json_object_keys \
    json_objectagg json_overlaps json_populate_record json_query json_quote json_remove json_replace json_search json_set \
    json_strip_nulls json_table json_to_record json_to_recordset json_type json_typeof json_unquote json_valid json_value \
    jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each \
    jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object_agg jsonb_object_keys jsonb_path_exists \
    jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls \
    jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag last_day last_insert_id \
    last_value lastval lcase lead least left length ln locate log log10 log2 lower lpad ltrim make_date make_interval make_timestamp \
    make_timestamptz makedate max md5 microsecond mid min minute mod mode month monthname nextval now nth_value ntile nullif \
    octet_length overlay percent_rank percentile_cont percentile_disc period_add period_diff pg_notify pg_sleep \
    pg_advisory_xact_lock pg_try_advisory_xact_lock phraseto_tsquery pi plainto_tsquery position pow power quarter quote_ident \
    quote_literal quote_nullable radians rand random range_agg rank regexp_count regexp_instr regexp_like regexp_match \
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right round \
    row_number row_to_json rpad rtrim scale sec_to_time second sha1 sha2 sha224 sha256 sha384 sha512 sign sin sleep space \
    split_part sqrt starts_with std stddev stddev_pop stddev_samp str_to_date strcmp string_agg string_to_array strpos subdate \
    substr substring substring_index sum sysdate tan time_format time_to_sec timediff timestampadd timestampdiff to_base64 to_char \
    to_date to_days to_hex to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector translate trim trunc truncate ts_headline \
    ts_rank ts_rank_cd ucase unhex unix_timestamp unnest upper utc_date utc_time utc_timestamp uuid var_pop var_samp variance \
    websearch_to_tsquery week weekday weekofyear width_bucket year yearweek array_agg array_append array_cat array_length \
    array_lower array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper \
    adddate addtime any_value statement_timestamp transaction_timestamp clock_timestamp connection_id current_database current_schema \
    current_setting database pg_backend_pid schema txid_current version ";

/// A part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    /// A quoted name, with its quotes.
    Name(&'a str),
    Open,
    Close,
    Dot,
    At,
    /// `;`
    End,
    Other,
}

/// Whether the session may be another one afterwards. SQLite has no sessions that outlive a use.
pub fn may_change(sql: &str, dialect: Dialect) -> bool {
    if dialect == Dialect::Sqlite {
        return false;
    }
    tokens(sql, dialect).is_none_or(|tokens| change(&tokens, dialect).is_some())
}

/// The first word, or other part, by which the session may be another one afterwards.
pub(crate) fn change<'a>(tokens: &[Token<'a>], dialect: Dialect) -> Option<Token<'a>> {
    let begins = matches!(tokens.first(), Some(Token::Word(word)) if BEGINNINGS.iter().any(|known| is(word, known)));
    if !begins {
        return Some(tokens.first().copied().unwrap_or(Token::Other));
    }
    let found = tokens.iter().enumerate().find(|(at, token)| changes(tokens, *at, **token, dialect));
    found.map(|(_, token)| *token)
}

/// Whether what stands there is a variable, an `INTO` that is not an insert's, or a call of what is not known to be harmless.
fn changes(tokens: &[Token<'_>], at: usize, token: Token<'_>, dialect: Dialect) -> bool {
    let before = at.checked_sub(1).and_then(|at| tokens.get(at)).copied();
    let is_after =
        |words: &[&str]| matches!(before, Some(Token::Word(word)) if words.iter().any(|known| is(word, known)));
    let calls = tokens.get(at + 1) == Some(&Token::Open);
    match token {
        Token::At => dialect == Dialect::Mysql,
        Token::Word(word) if is(word, "into") && before != Some(Token::Dot) => {
            !is_after(&["insert", "replace", "ignore", "low_priority", "high_priority", "delayed"])
        }
        // A list of columns, not of arguments.
        Token::Word(_) | Token::Name(_)
            if calls && (is_target(tokens, at) || is_after(&["as", "with", "recursive"])) =>
        {
            false
        }
        Token::Word(word) if calls => before == Some(Token::Dot) || !(knows(WORDS, word) || knows(HARMLESS, word)),
        Token::Name(_) => calls,
        _ => false,
    }
}

/// Whether a name is the table of an `INTO`, with its schema or without.
fn is_target(tokens: &[Token<'_>], mut at: usize) -> bool {
    while at >= 2 && tokens[at - 1] == Token::Dot {
        at -= 2;
    }
    at > 0 && matches!(tokens[at - 1], Token::Word(word) if is(word, "into"))
}

pub(crate) fn is(word: &str, known: &str) -> bool {
    word.eq_ignore_ascii_case(known)
}

pub(crate) fn knows(list: &str, word: &str) -> bool {
    word.is_ascii() && list.split(' ').any(|known| is(word, known))
}

/// As the server takes a text apart; none where that is not certain.
pub(crate) fn tokens(sql: &str, dialect: Dialect) -> Option<Vec<Token<'_>>> {
    let is_mysql = dialect == Dialect::Mysql;
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(rest) = sql.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        let (length, token) = match rest[0] {
            byte if byte.is_ascii_whitespace() => (1, None),
            b'#' if is_mysql => (line(rest), None),
            b'-' if rest.starts_with(b"--") => {
                // For MySQL two signs where nothing is between them and what follows.
                let is_comment = !is_mysql || rest.get(2).is_none_or(u8::is_ascii_whitespace);
                (is_comment.then(|| line(rest))?, None)
            }
            b'/' if rest.starts_with(b"/*") => (comment(rest, is_mysql)?, None),
            b'\'' => {
                let length = quoted(rest)?;
                // Of `E'…'` a backslash hides what follows it.
                let escapes = matches!(tokens.last(), Some(Token::Word(word)) if is(word, "e"));
                if !is_mysql && escapes && rest[..length].contains(&b'\\') {
                    return None;
                }
                (length, Some(Token::Other))
            }
            b'"' => {
                let length = quoted(rest)?;
                (length, Some(if is_mysql { Token::Other } else { Token::Name(&sql[at..at + length]) }))
            }
            b'`' if is_mysql => {
                let length = quoted(rest)?;
                (length, Some(Token::Name(&sql[at..at + length])))
            }
            b'$' if !is_mysql => (dollar(rest)?, Some(Token::Other)),
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..) => {
                let goes_on = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..);
                let length = rest.iter().take_while(goes_on).count();
                (length, Some(Token::Word(&sql[at..at + length])))
            }
            b'(' => (1, Some(Token::Open)),
            b')' => (1, Some(Token::Close)),
            b';' => (1, Some(Token::End)),
            b'.' => (1, Some(Token::Dot)),
            b'@' => (1, Some(Token::At)),
            _ => (1, Some(Token::Other)),
        };
        tokens.extend(token);
        at += length;
    }
    Some(tokens)
}

fn line(rest: &[u8]) -> usize {
    rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
}

/// To its end. PostgreSQL nests them; MySQL runs what some hold.
fn comment(rest: &[u8], is_mysql: bool) -> Option<usize> {
    if is_mysql && (rest.starts_with(b"/*!") || rest.starts_with(b"/*M!")) {
        return None;
    }
    let (mut depth, mut at) = (1_usize, 2);
    while depth > 0 {
        match rest.get(at..at + 2)? {
            b"*/" => (depth, at) = (depth - 1, at + 2),
            b"/*" if !is_mysql => (depth, at) = (depth + 1, at + 2),
            _ => at += 1,
        }
    }
    Some(at)
}

/// To the closing quote; a doubled one is inside.
fn quoted(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        if *byte == rest[0] {
            if rest.get(at + 1) != Some(&rest[0]) {
                return Some(at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    None
}

/// `$1`, or `$tag$ … $tag$`.
fn dollar(rest: &[u8]) -> Option<usize> {
    let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 {
        return Some(1 + digits);
    }
    let tag = &rest[..rest[1..].iter().position(|b| *b == b'$')? + 2];
    let is_tag = tag[1..tag.len() - 1].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | 0x80..));
    let close = rest[tag.len()..].windows(tag.len()).position(|part| part == tag)?;
    is_tag.then_some(tag.len() * 2 + close)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Dialect; 2] = [Dialect::Postgres, Dialect::Mysql];

    #[test]
    fn usual_statements_leave_the_session_as_it_was() {
        for sql in [
            "SELECT count(*), max(a) FROM t WHERE a IN (1, 2) AND (b OR NOT (c))",
            "WITH x (a) AS (SELECT 1), y AS MATERIALIZED (SELECT lower(trim(b)) FROM t) SELECT * FROM x JOIN y USING (a)",
            "INSERT INTO t (a, b) VALUES (1, 'set_config(')",
            "insert into s.t (a) select coalesce(a, 0) from t where exists (select 1) -- get_lock('a', 1)",
            "UPDATE t SET a = nextval('s') WHERE b > now() /* set_config('a', 'b', false) */",
            "DELETE FROM t WHERE a = CAST(b AS decimal(10, 2))",
            "SELECT sum(a) OVER (PARTITION BY b) FROM t GROUP BY a HAVING (count(*) > 1)",
            "VALUES (1), (2)",
        ] {
            for dialect in BOTH {
                assert!(!may_change(sql, dialect), "{sql}");
            }
        }
        for sql in [
            "SELECT a::numeric(10, 2), $1, ARRAY['a', 'b'] FROM t WHERE a = ANY (ARRAY[1])",
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT $x$ ' set_config( $x$, E'a', a @> b FROM \"select\" /* a /* ' */ b */",
            "SELECT a[lower('x')::int] FROM f AS f (a)",
        ] {
            assert!(!may_change(sql, Dialect::Postgres), "{sql}");
        }
        assert!(!may_change("INSERT IGNORE INTO `t` (a) VALUES (\"get_lock(\") # it's\n", Dialect::Mysql));
        assert!(!may_change("SELECT set_config(1)", Dialect::Sqlite));
    }

    #[test]
    fn whatever_may_change_it_is_noticed() {
        for sql in [
            "",
            "SET a = 1",
            "(SELECT 1)",
            "SELECT own_function(1)",
            "SELECT other.lower('x')",
            "SELECT 1 INTO t",
            "SELECT get_lock\n/* a */ ('a', 1)",
            "WITH x AS (SELECT set_config('a', 'b', false)) SELECT 1 FROM x",
            "INSERT INTO t (a) VALUES (Set_Config('a', 'b', false))",
            "SELECT 'unterminated",
            "SELECT /* unterminated",
        ] {
            for dialect in BOTH {
                assert!(may_change(sql, dialect), "{sql}");
            }
        }
        for sql in [
            "SELECT \"set_config\"('a', 'b', false)",
            "SELECT pg_catalog.set_config('a', 'b', false)",
            "SELECT pg_advisory_lock(1)",
            r"SELECT E'\'', set_config('a', 'b', false), ''",
            "SELECT /* /* */ ' */ set_config('a', 'b', false), ''",
            "SELECT $é$ ' $é$, set_config('a', 'b', false), ''",
            "SELECT a[set_config('a', 'b', false)::int] FROM t",
            "SELECT setseed(0.5)",
            "TABLE t",
        ] {
            assert!(may_change(sql, Dialect::Postgres), "{sql}");
        }
        for sql in [
            "SELECT @a := 1",
            "SELECT 1 INTO @a",
            "SELECT /*! get_lock('a', 1) */ 1",
            "SELECT /*M!100100 get_lock('a', 1) */ 1",
            "SELECT 1 # '\n, get_lock('a', 1)",
            "SELECT 1 --get_lock('a', 1)",
            "SELECT `get_lock` ('a', 1)",
            "SELECT \"a\\\", get_lock(\"a\", 1)",
        ] {
            assert!(may_change(sql, Dialect::Mysql), "{sql}");
        }
    }
}
