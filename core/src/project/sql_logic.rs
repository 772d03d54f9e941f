//! `logics/**/NAME.sql`: front matter between `---` lines, then SQL with named parameters.

use std::collections::BTreeSet;

use super::{
    LogicSource, ProjectLogic,
    decode::{File, Map},
    diagnostic::Check,
    keys,
    logics::{self, DraftLogic, DraftParam, Known, SQL_TIMEOUT},
    node::{self, Span},
    objects,
    publish::Published,
    triggers,
};
use crate::{
    logic::{SqlBody, TransactionMode},
    sql_text::{self, Piece},
};

/// What a statement can read besides params. Those of an event are NULL where no event is handled.
pub const SYSTEM_VARIABLES: &[&str] = &[
    "auth.sub",
    "auth.roles",
    "now",
    "env",
    "event.id",
    "event.topic",
    "event.publishedAt",
    "event.attempt",
    "event.causedBy",
    "event.depth",
];

/// Statements that would break the logic's transaction, leave its connection changed, or change the schema: that is what
/// the host, the connection's settings and `schema/*.yaml` are for.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &["begin", "start", "commit", "end", "rollback", "savepoint", "release", "abort"],
        "several statements are one transaction; say transaction: false in the front matter where they should not be",
    ),
    (
        &["create", "alter", "drop", "truncate", "rename", "grant", "revoke", "reindex", "vacuum"],
        "declare tables in schema/*.yaml: the Hub changes the database when a release is applied",
    ),
    (
        &["attach", "detach", "pragma", "set", "reset", "discard", "use", "lock", "copy", "load", "do", "call"],
        "it acts on more than rows",
    ),
];

/// Statements of a logic.
const STATEMENTS_MAX: usize = 50;

pub(super) fn read<'f>(file: &'f File<'f>, text: &str, known: &Known) -> Option<DraftLogic<'f>> {
    let (front, sql, first_line) = split_front_matter(file, text, "a SQL logic")?;
    // The file's lines keep their numbers: the opening line becomes an empty one.
    let root = match node::parse(&format!("\n{front}")) {
        Ok(root) => root,
        Err(error) => {
            file.error(error.span, Check::Syntax, format!("the front matter cannot be read: {}", error.message));
            return None;
        }
    };
    let map = file.map(&root, &keys::SQL_LOGIC)?;
    let (params, published) = (params(file, &map), Published::read(file, &map));
    let places = Places { sql, first_line };
    let named = (params.as_slice(), &published.given());
    let statements = statements(file, &places, named, &front_place(&map.span), "a logic");
    triggers::warn_of_texts(file, &places, &known.triggers, &published.topics());
    objects::warn_of_texts(file, &places, &known.connections);
    let transaction = transaction(file, &map, &published).unwrap_or(statements.len() > 1);
    let publish = published.check(file, known, &params, statements.last().map(|(_, statement)| *statement));
    let logic = ProjectLogic {
        path: file.path.to_owned(),
        description: DraftLogic::description(file, &map),
        rules: Vec::new(),
        params: params.into_iter().map(|param| param.param).collect(),
        connection: logics::connection(file, &map, known),
        transaction: if transaction { TransactionMode::Required } else { TransactionMode::None },
        timeout: logics::timeout(file, &map).unwrap_or(SQL_TIMEOUT),
        source: LogicSource::Sql(SqlBody {
            statements: statements.into_iter().map(|(_, statement)| statement.to_owned()).collect(),
            publish,
        }),
    };
    Some(DraftLogic::new(file, &map, logic))
}

/// What it says itself; what is published is stored with what the statements did, or not at all.
fn transaction(file: &File<'_>, map: &Map<'_>, published: &Published) -> Option<bool> {
    let said = map.entry("transaction").and_then(|entry| Some((entry.span, file.boolean(&entry.value)?)));
    if published.is_empty() {
        return said.map(|(_, said)| said);
    }
    if let Some((span, false)) = said {
        let hint = "leave \"transaction\" out: events are stored with what the statements did, or not at all";
        file.error_hint(span, Check::Conflict, "what publishes events is a transaction", hint);
    }
    Some(true)
}

const fn front_place(span: &Span) -> Span {
    Span { width: 0, ..*span }
}

/// The params of statements: none has the name of a system variable.
pub(super) fn params(file: &File<'_>, map: &Map<'_>) -> Vec<DraftParam> {
    let params = logics::params(file, map);
    for param in params.iter().filter(|param| SYSTEM_VARIABLES.contains(&param.param.name.as_str())) {
        file.error(
            param.span,
            Check::InvalidName,
            format!(":{} is a system variable; give the param another name", param.param.name),
        );
    }
    params
}

/// The front matter, the SQL, and the line that the SQL begins in. `what` is the kind of file, for messages.
pub(super) fn split_front_matter<'t>(file: &File<'_>, text: &'t str, what: &str) -> Option<(&'t str, &'t str, u32)> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if first.trim_end() != "---" {
        let hint = match what {
            "a SQL logic" => "begin with a line ---, then for example auth: public, then another line ---",
            _ => "begin with a line ---, then for example params: {id: {type: string}}, then another line ---",
        };
        file.error_hint(Span::START, Check::FrontMatter, format!("{what} begins with its front matter"), hint);
        return None;
    }
    let mut end = first.len();
    for (line, number) in lines.zip(2..) {
        if line.trim_end() == "---" {
            return Some((&text[first.len()..end], &text[end + line.len()..], number + 1));
        }
        end += line.len();
    }
    file.error_hint(
        Span::START,
        Check::FrontMatter,
        "the front matter has no end",
        "close it with a line --- before the SQL",
    );
    None
}

/// From offsets in the SQL to places in the file.
pub(super) struct Places<'t> {
    pub(super) sql: &'t str,
    pub(super) first_line: u32,
}

impl Places<'_> {
    pub(super) fn span(&self, offset: usize, width: usize) -> Span {
        let before = &self.sql[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            line: self.first_line + count(before.matches('\n').count()),
            column: count(before[line_start..].chars().count()) + 1,
            width: count(width),
        }
    }
}

/// The statements with the offset of each; placeholders and params fit each other, of which some are used elsewhere. `whose` is for messages.
pub(super) fn statements<'t>(
    file: &File<'_>,
    places: &Places<'t>,
    (params, used_elsewhere): (&[DraftParam], &BTreeSet<&str>),
    front: &Span,
    whose: &str,
) -> Vec<(usize, &'t str)> {
    if let Err(error) = sql_text::check_ends(places.sql) {
        file.error(places.span(error.at, 1), Check::Sql, error.to_string());
        return Vec::new();
    }
    let statements = sql_text::statements(places.sql);
    if statements.is_empty() {
        file.error(*front, Check::Sql, "there is no statement behind the front matter");
    }
    if statements.len() > STATEMENTS_MAX {
        let message = format!("{whose} has at most {STATEMENTS_MAX} statements; this one has {}", statements.len());
        file.error(*front, Check::TooMany, message);
    }
    for (at, statement) in &statements {
        if let Some((inside, word)) = file_written(statement) {
            let span = places.span(at + inside, word.len());
            let message = format!("{whose} cannot write files with {}", word.to_uppercase());
            file.error_hint(span, Check::Sql, message, "answer the rows instead");
        }
    }
    for (at, word) in statements.iter().filter_map(|(at, statement)| first_word(*at, statement)) {
        if let Some((_, hint)) =
            REFUSED.iter().find(|(words, _)| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
        {
            let span = places.span(at, word.len());
            file.error_hint(span, Check::Sql, format!("{whose} cannot use {}", word.to_uppercase()), *hint);
        }
    }
    let used = |piece: &Piece<'t>| match piece {
        Piece::Placeholder { name, at } => Some((*name, *at)),
        _ => None,
    };
    let placeholders: Vec<(&str, usize)> = sql_text::pieces(places.sql).iter().filter_map(used).collect();
    for (name, at) in &placeholders {
        check_placeholder(file, places, name, *at, params);
    }
    let is_used = |name: &str| used_elsewhere.contains(name) || placeholders.iter().any(|(used, _)| *used == name);
    for param in params.iter().filter(|param| !is_used(&param.param.name)) {
        let name = &param.param.name;
        let hint = format!("write :{name} in the SQL, or leave the param out");
        file.warning(param.span, Check::UnusedParam, format!("the param {name:?} is used in no statement"), hint);
    }
    statements
}

/// `SELECT … INTO OUTFILE` writes on the server's own disk, with the server's own rights.
fn file_written(statement: &str) -> Option<(usize, &str)> {
    let words: Vec<(usize, &str)> = sql_text::pieces(statement).into_iter().filter_map(word).collect();
    let is_written = |pair: &&[(usize, &str)]| {
        let [(_, into), (_, file)] = pair else { return false };
        into.eq_ignore_ascii_case("into")
            && ["outfile", "dumpfile"].iter().any(|known| file.eq_ignore_ascii_case(known))
    };
    words.windows(2).find(is_written).map(|pair| pair[1])
}

fn word(piece: Piece<'_>) -> Option<(usize, &str)> {
    match piece {
        Piece::Word { text, at } => Some((at, text)),
        _ => None,
    }
}

/// The first word of a statement, and its place in the SQL.
fn first_word(at: usize, statement: &str) -> Option<(usize, &str)> {
    sql_text::pieces(statement).into_iter().find_map(word).map(|(inside, text)| (at + inside, text))
}

fn check_placeholder(file: &File<'_>, places: &Places<'_>, name: &str, at: usize, params: &[DraftParam]) {
    let declared = || params.iter().map(|param| param.param.name.as_str());
    if declared().any(|param| param == name) || SYSTEM_VARIABLES.contains(&name) {
        return;
    }
    let span = places.span(at, name.len() + 1);
    let message = format!(":{name} is neither a param nor a system variable");
    file.unknown(span, Check::UnknownPlaceholder, message, name, declared().chain(SYSTEM_VARIABLES.iter().copied()));
}
