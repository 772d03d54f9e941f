//! Defaults: as an expression in a statement, as the catalogue tells them, and whether the two mean the same. A literal is
//! written from its checked JSON form only; one that does not fit its type is refused, never passed through.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use santokit_core::schema::{Column, ColumnDefault, Type};
use serde_json::{Map, Value as Json};

use super::Engine;

/// A default as the catalogue tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CurrentDefault {
    /// None, or NULL.
    #[default]
    None,
    /// The moment of the insert.
    Now,
    /// A constant, without quotes; bytes as `\x` and hexadecimal digits.
    Literal(String),
    /// Anything else, in the engine's words.
    Expression(String),
}

/// What SQLite computes for `now`: milliseconds are what it has; the form is that of all timestamps.
pub(super) const SQLITE_NOW: &str = "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')";

/// The expression of a column's default, or why there can be none. `is_large` says that the column is of a type whose default
/// MySQL takes as an expression only.
pub(super) fn expression(engine: Engine, column: &Column, is_large: bool) -> Result<Option<String>, &'static str> {
    let json = match &column.default {
        None | Some(ColumnDefault::Literal(Json::Null)) => return Ok(None),
        Some(ColumnDefault::Now) if column.kind != Type::Timestamp => return Err("now is for timestamps"),
        Some(ColumnDefault::Now) => {
            return Ok(Some(match engine {
                Engine::Sqlite => SQLITE_NOW.to_owned(),
                Engine::Postgres => "now()".to_owned(),
                Engine::Mysql | Engine::Mariadb => "CURRENT_TIMESTAMP(6)".to_owned(),
            }));
        }
        Some(ColumnDefault::Literal(json)) => json,
    };
    let text = canonical(column.kind, json).ok_or("the default is no value of the column's type")?;
    if text.contains('\0') || (matches!(column.kind, Type::Json | Type::Array) && text.contains("\\u0000")) {
        return Err("no engine keeps the character U+0000");
    }
    // The catalogue's own character set has no such character: it would be read back as a question mark, and differ for ever.
    if engine.is_mysql() && text.chars().any(|c| c > '\u{ffff}') {
        return Err("MySQL's catalogue cannot tell a default with a character beyond U+FFFF");
    }
    let quoted = |text: &str| quote(engine, text);
    Ok(Some(match (column.kind, engine) {
        (Type::Boolean, Engine::Postgres) | (Type::Int | Type::Bigint, _) => text,
        (Type::Boolean, _) => u8::from(text == "true").to_string(),
        (Type::Float, Engine::Postgres) => format!("'{text}'::double precision"),
        // As it is written: SQLite keeps the text.
        (Type::Decimal, Engine::Sqlite) => quoted(json.as_str().unwrap_or(&text)),
        (Type::Float | Type::Decimal, _) => text,
        (Type::Json | Type::Array, Engine::Sqlite) => quoted(&json.to_string()),
        (Type::Json | Type::Array, Engine::Postgres) => format!("{}::jsonb", quoted(&json.to_string())),
        (Type::Json | Type::Array, _) => format!("({})", quoted(&json.to_string())),
        (Type::Timestamp, Engine::Sqlite) => quoted(&text),
        (Type::Timestamp, Engine::Postgres) => format!("{}::timestamptz", quoted(&text)),
        (Type::Timestamp, _) => quoted(&text.trim_end_matches('Z').replace('T', " ")),
        (Type::Bytes, Engine::Postgres) => format!("'{text}'::bytea"),
        (Type::Bytes, Engine::Sqlite) => format!("X'{}'", &text[2..]),
        (Type::Bytes, _) => format!("(X'{}')", &text[2..]),
        (Type::String | Type::File, engine) if engine.is_mysql() && is_large => format!("({})", quoted(&text)),
        (Type::String | Type::File, _) => quoted(&text),
    }))
}

/// A text as a literal. MySQL reads backslashes in it, under the mode that the Hub sets; the others do not.
pub(super) fn quote(engine: Engine, text: &str) -> String {
    let text = if engine.is_mysql() { text.replace('\\', "\\\\") } else { text.to_owned() };
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether a default is the declared one. What no declaration can say counts as none where none is declared.
pub(super) fn is_same(column: &Column, found: &CurrentDefault) -> bool {
    match (&column.default, found) {
        (None | Some(ColumnDefault::Literal(Json::Null)), found) => declared(column.kind, found).is_none(),
        (Some(ColumnDefault::Now), found) => *found == CurrentDefault::Now,
        (Some(ColumnDefault::Literal(json)), CurrentDefault::Literal(text)) => {
            let json = canonical(column.kind, json);
            json.is_some() && json == canonical_text(column.kind, text)
        }
        (Some(ColumnDefault::Literal(_)), _) => false,
    }
}

/// A default of the catalogue as a declaration of a column of this type, if it can be one.
pub(super) fn declared(kind: Type, found: &CurrentDefault) -> Option<ColumnDefault> {
    let text = match found {
        CurrentDefault::Now if kind == Type::Timestamp => return Some(ColumnDefault::Now),
        CurrentDefault::Literal(text) => canonical_text(kind, text)?,
        CurrentDefault::None | CurrentDefault::Now | CurrentDefault::Expression(_) => return None,
    };
    Some(ColumnDefault::Literal(match kind {
        Type::Boolean => Json::Bool(text == "true"),
        Type::Int => Json::from(text.parse::<i32>().ok()?),
        Type::Float => serde_json::Number::from_f64(text.parse().ok()?).map(Json::Number)?,
        Type::Json | Type::Array => serde_json::from_str(&text).ok()?,
        Type::Bytes => Json::String(STANDARD.encode(from_hex(text.strip_prefix("\\x")?)?)),
        Type::Decimal | Type::Bigint | Type::Timestamp | Type::String | Type::File => Json::String(text),
    }))
}

/// The one text of a value in its JSON form, by which defaults are compared.
fn canonical(kind: Type, json: &Json) -> Option<String> {
    match (kind, json) {
        (Type::Json, json) | (Type::Array, json @ Json::Array(_)) => Some(sorted(json).to_string()),
        (Type::Boolean, Json::Bool(truth)) => Some(truth.to_string()),
        (Type::Int | Type::Float, Json::Number(number)) => canonical_text(kind, &number.to_string()),
        (Type::Bytes, Json::String(text)) => Some(format!("\\x{}", to_hex(&STANDARD.decode(text).ok()?))),
        (Type::Bigint | Type::Decimal | Type::Timestamp | Type::String | Type::File, Json::String(text)) => {
            canonical_text(kind, text)
        }
        _ => None,
    }
}

/// The same, from the text that a catalogue has.
fn canonical_text(kind: Type, text: &str) -> Option<String> {
    match kind {
        Type::String | Type::File => Some(text.to_owned()),
        Type::Int => text.parse::<f64>().ok().filter(|n| n.fract() == 0.0).and_then(|n| {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number of 32 bits")]
            let whole = (n.abs() <= f64::from(i32::MAX) + 1.0).then_some(n as i64)?;
            i32::try_from(whole).ok().map(|n| n.to_string())
        }),
        Type::Bigint => text.parse::<i64>().ok().map(|n| n.to_string()),
        Type::Float => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| format!("{n:?}")),
        Type::Decimal => decimal(text),
        Type::Boolean => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" => Some("true".to_owned()),
            "0" | "false" | "f" => Some("false".to_owned()),
            _ => None,
        },
        Type::Json => serde_json::from_str(text).ok().map(|json| sorted(&json).to_string()),
        Type::Array => serde_json::from_str(text).ok().filter(Json::is_array).map(|json| sorted(&json).to_string()),
        Type::Timestamp => timestamp(text),
        Type::Bytes => text.strip_prefix("\\x").and_then(from_hex).map(|bytes| format!("\\x{}", to_hex(&bytes))),
    }
}

/// Without signs, zeros and a point that say nothing.
fn decimal(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

/// RFC 3339 in UTC with six digits, from that or from what PostgreSQL and MySQL write. Without an offset it is UTC.
fn timestamp(text: &str) -> Option<String> {
    let with_offset = || {
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"]
            .iter()
            .find_map(|form| DateTime::parse_from_str(text, form).ok())
            .map(|time| time.with_timezone(&Utc))
    };
    let without = || {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
            .map(|time| time.and_utc())
    };
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc)).ok();
    let time = time.or_else(with_offset).or_else(without)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Members in the order of their names, and whole numbers without a fraction: PostgreSQL keeps neither.
fn sorted(json: &Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        Json::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            Json::Object(names.into_iter().map(|name| (name.clone(), sorted(&fields[name]))).collect::<Map<_, _>>())
        }
        Json::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
            let whole = (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64);
            whole.map_or_else(|| json.clone(), Json::from)
        }
        other => other.clone(),
    }
}

/// SQLite's and MariaDB's words: a literal, or an expression, in parentheses or not.
pub(super) fn read(engine: Engine, text: Option<&str>) -> CurrentDefault {
    let Some(text) = text else { return CurrentDefault::None };
    let bare = bare(text);
    let head = if engine == Engine::Postgres { bare.split("::").next().unwrap_or_default() } else { bare };
    if head.eq_ignore_ascii_case("null") || bare.is_empty() {
        return CurrentDefault::None;
    }
    if is_now(engine, bare) {
        return CurrentDefault::Now;
    }
    constant(engine, bare).map_or_else(|| CurrentDefault::Expression(text.to_owned()), CurrentDefault::Literal)
}

/// MySQL's own words: a literal stands there without quotes, and `extra` says whether it is an expression.
pub(super) fn read_mysql(text: Option<&str>, is_expression: bool) -> CurrentDefault {
    match text {
        None => CurrentDefault::None,
        Some(text) if is_now(Engine::Mysql, text) => CurrentDefault::Now,
        // With the introducer of the character set, and its quotes escaped: _utf8mb4\'x\'
        Some(text) if is_expression => {
            let unescaped = text.replace("\\'", "'");
            let bare = unescaped.trim_start_matches("_utf8mb4").trim_start_matches("_binary").trim();
            match read(Engine::Mysql, Some(bare)) {
                CurrentDefault::Expression(_) => CurrentDefault::Expression(text.to_owned()),
                read => read,
            }
        }
        Some(text) => CurrentDefault::Literal(
            text.strip_prefix("0x")
                .filter(|hex| from_hex(hex).is_some())
                .map_or(text.to_owned(), |hex| format!("\\x{hex}")),
        ),
    }
}

fn is_now(engine: Engine, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    match engine {
        Engine::Sqlite => text == bare(SQLITE_NOW).to_ascii_lowercase(),
        Engine::Postgres => matches!(text.as_str(), "now()" | "current_timestamp" | "transaction_timestamp()"),
        Engine::Mysql | Engine::Mariadb => {
            let name = text.split('(').next().unwrap_or_default();
            let rest = &text[name.len()..];
            matches!(name, "current_timestamp" | "now" | "localtimestamp")
                && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'(' | b')'))
        }
    }
}

/// The value of a constant expression.
fn constant(engine: Engine, text: &str) -> Option<String> {
    if let Some(hex) = text.strip_prefix(['x', 'X']).and_then(|rest| rest.strip_prefix('\'')?.strip_suffix('\'')) {
        return from_hex(hex).map(|_| format!("\\x{}", hex.to_ascii_lowercase()));
    }
    if text.starts_with('\'') {
        let (value, rest) = unquote(engine, text)?;
        let is_cast = engine == Engine::Postgres && rest.strip_prefix("::").is_some_and(is_type);
        return (rest.is_empty() || is_cast).then_some(value);
    }
    let number = text.split("::").next().map(bare).unwrap_or_default();
    if number.parse::<f64>().is_ok() && number.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return Some(number.to_owned());
    }
    ["true", "false"].into_iter().find(|word| text.eq_ignore_ascii_case(word)).map(str::to_owned)
}

/// Whether a text is the name of a type and nothing behind it: `character varying(20)`, `"public"."mood"`, `integer[]`.
fn is_type(text: &str) -> bool {
    !text.contains("||") && text.chars().all(|c| c.is_alphanumeric() || "_ \".,()[]".contains(c))
}

/// The text of a quoted literal, and what follows it.
fn unquote(engine: Engine, text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
                value.push('\'');
            }
            '\'' => return Some((value, &text[at + 1..])),
            '\\' if engine.is_mysql() => match chars.next()?.1 {
                '0' => value.push('\0'),
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'Z' => value.push('\u{1a}'),
                'b' => value.push('\u{8}'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// Without the parentheses around all of it that a catalogue may or may not keep.
fn bare(expression: &str) -> &str {
    let mut text = expression.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let (mut depth, mut quoted) = (0_i32, false);
        for b in inner.bytes() {
            match b {
                b'\'' => quoted = !quoted,
                b'(' if !quoted => depth += 1,
                b')' if !quoted => depth -= 1,
                _ => {}
            }
            if depth < 0 {
                return text;
            }
        }
        text = inner.trim();
    }
    text
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests;
