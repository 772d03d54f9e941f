//! `db/{table}/select`: which rows, which columns, in which order, and where the answer begins and ends.

use santokit_core::schema::Type;
use santokit_sql::plan::{Column, Condition, Count, Direction, Select, SortKey, Source};
use serde_json::Value as Json;

use super::{
    aggregate::{self, Groups},
    cursor::Shape,
    expand::{self, Level},
    filter::Filter,
    findings::Place,
    limits::LIMIT_DEFAULT,
    names::{Named, Readable},
    request::Request,
};

/// What a select may say.
const PARAMS: &[&str] =
    &["where", "select", "expand", "orderBy", "limit", "offset", "cursor", "count", "distinct", "aggregate"];

/// What a select reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// Rows.
    Rows(Box<Rows>),
    /// Numbers about rows.
    Groups(Box<Groups>),
}

/// Rows with what hangs on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Asks for one row more than is wanted.
    pub select: Select,
    /// How many of its columns are answered; those behind them are for cursors and levels.
    pub shown: usize,
    /// The rows of relations.
    pub levels: Vec<Level>,
    /// How many there are in all, where that is asked.
    pub count: Option<Count>,
    /// The order as a cursor knows it; none where no cursor can continue.
    pub page: Option<Page>,
    /// Most rows that are answered.
    pub limit: u64,
}

/// What makes a cursor of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// What the cursor is for.
    pub shape: Shape,
    /// Which columns of the select are its values.
    pub columns: Vec<usize>,
}

/// The columns that a statement reads: first those that are answered, each once, then those that are needed.
#[derive(Debug, Default)]
pub struct Columns {
    columns: Vec<Column>,
}

/// Reads a select.
pub fn read<'a>(request: &mut Request<'a>, table: &Readable<'a>) -> Selection {
    request.only(PARAMS);
    let filter = filter(request, table);
    if let Some(json) = request.param("aggregate") {
        return Selection::Groups(Box::new(aggregate::read(request, table, filter, json)));
    }
    Selection::Rows(Box::new(rows(request, table, filter)))
}

/// `where`, or every row.
pub fn filter<'a>(request: &mut Request<'a>, table: &Readable<'a>) -> Condition {
    match request.param("where") {
        None => Condition::EVERY,
        Some(json) => Filter::new(request).read(table, json, Place::Params.field("where")),
    }
}

/// `limit`, within what an answer may have.
pub fn limit(request: &mut Request<'_>) -> u64 {
    let most = request.limits.result_rows as u64;
    let limit = request.number("limit").unwrap_or(LIMIT_DEFAULT.min(most));
    if limit > most {
        request.findings.limit(Place::Params.field("limit"), "resultRows", format!("must be at most {most}"));
        return most;
    }
    limit
}

fn rows<'a>(request: &mut Request<'a>, table: &Readable<'a>, filter: Condition) -> Rows {
    let mut columns = Columns::default();
    chosen(request, table, &mut columns);
    let shown = columns.columns.len();
    let is_distinct = request.flag("distinct");
    if is_distinct {
        check_distinct(request, &columns);
    }
    let mut order = order(request, table);
    let is_whole = !is_distinct && finish_order(table, &mut order);
    if is_distinct {
        for key in order.iter().filter(|key| !columns.has(&key.column)) {
            let message = format!("{:?} is not among the columns of select, which distinct needs", key.column.name);
            request.findings.request(Place::Params.field("orderBy"), message);
        }
    }
    let shape = Shape::of(&table.entry.name, &order);
    let after = cursor(request, &shape, is_whole);
    let limit = limit(request);
    let offset = request.number("offset").unwrap_or(0);
    if request.param("cursor").is_some() && offset > 0 {
        request.findings.request(Place::Params.field("offset"), "cannot stand beside cursor");
    }
    let levels = if is_distinct { Vec::new() } else { expand::read(request, table, &mut columns) };
    let page = is_whole.then(|| Page { shape, columns: order.iter().map(|key| columns.place(&key.column)).collect() });
    let source = Source { filter, ..Source::of(&table.entry.name, table.rule.clone()) };
    let distinct_columns = if is_distinct { columns.columns.clone() } else { Vec::new() };
    let count = request.flag("count").then(|| Count { source: source.clone(), distinct: distinct_columns });
    let select = Select {
        source,
        columns: columns.columns,
        distinct: is_distinct,
        order,
        after,
        limit: Some(limit.saturating_add(1)),
        offset,
    };
    Rows { select, shown, levels, count, page, limit }
}

/// `select`: a list, or `"*"` for everything that may be read.
fn chosen<'a>(request: &mut Request<'a>, table: &Readable<'a>, columns: &mut Columns) {
    let place = Place::Params.field("select");
    let names = match request.param("select") {
        None => None,
        Some(Json::String(all)) if all == "*" => None,
        Some(json) => Some(request.names(json, place)),
    };
    let Some(names) = names else {
        columns.extend(table.columns().map(|column| &column.column));
        return;
    };
    for (index, name) in names.into_iter().enumerate() {
        if name == "*" {
            columns.extend(table.columns().map(|column| &column.column));
            continue;
        }
        let found = named_column(request, table, name, place.element(index));
        columns.extend(found.as_ref());
    }
}

/// A column that may be read; else it is told that there is none.
pub fn named_column<'a>(
    request: &mut Request<'a>,
    table: &Readable<'a>,
    name: &str,
    place: Place<'_>,
) -> Option<Column> {
    if request.findings.is_full() {
        return None;
    }
    match table.named(request, name) {
        Named::Column(column) => Some(column.column.clone()),
        Named::Relation(_) => {
            request.findings.hinted(place, format!("{name:?} is a relation, not a column"), "name it in expand");
            None
        }
        Named::Missing(missing) => {
            let known: Vec<&str> = table.columns().map(|column| column.column.name.as_str()).collect();
            missing.tell_among(request, place, "column", name, known);
            None
        }
    }
}

fn check_distinct(request: &mut Request<'_>, columns: &Columns) {
    let place = Place::Params.field("distinct");
    for column in columns.columns.iter().filter(|column| !is_sortable(column.kind)) {
        let message = format!("the values of {:?} cannot be compared; leave it out of select", column.name);
        request.findings.request(place, message);
    }
    for name in ["expand", "cursor"] {
        if request.param(name).is_some() {
            request.findings.request(place, format!("cannot stand beside {name}"));
        }
    }
}

/// Whether values of the type can be sorted and grouped.
pub const fn is_sortable(kind: Type) -> bool {
    !matches!(kind, Type::Json | Type::Array)
}

/// `orderBy`: `{column: "asc"|"desc", …}`, or a list of such objects and of names.
fn order<'a>(request: &mut Request<'a>, table: &Readable<'a>) -> Vec<SortKey> {
    let find = |request: &mut Request<'a>, name: &str, place: Place<'_>| named_column(request, table, name, place);
    read_order(request, find)
}

/// The same for any columns.
pub fn read_order<'a>(
    request: &mut Request<'a>,
    find: impl Fn(&mut Request<'a>, &str, Place<'_>) -> Option<Column>,
) -> Vec<SortKey> {
    let mut keys: Vec<SortKey> = Vec::new();
    let Some(json) = request.param("orderBy") else { return keys };
    let place = Place::Params.field("orderBy");
    let mut add = |request: &mut Request<'a>, name: &str, direction, place: Place<'_>| {
        let Some(column) = find(request, name, place) else { return };
        if !is_sortable(column.kind) {
            request.findings.request(place, format!("values of type {} have no order", column.kind.as_str()));
        } else if keys.iter().any(|key| key.column.name == column.name) {
            request.findings.request(place, format!("{name:?} is named twice"));
        } else {
            keys.push(SortKey { column, direction });
        }
    };
    let mut object = |request: &mut Request<'a>, json: &Json, place: Place<'_>| match json {
        Json::Object(fields) => {
            for (name, direction) in fields {
                if request.findings.is_full() {
                    return;
                }
                let place = place.field(name);
                match direction.as_str() {
                    Some("asc") => add(request, name, Direction::Ascending, place),
                    Some("desc") => add(request, name, Direction::Descending, place),
                    _ => request.findings.request(place, "must be \"asc\" or \"desc\""),
                }
            }
        }
        Json::String(name) => add(request, name, Direction::Ascending, place),
        _ => request.findings.hinted(place, "is no order", "for example {\"createdAt\": \"desc\"}"),
    };
    match json {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                object(request, item, place.element(index));
            }
        }
        json => object(request, json, place),
    }
    keys
}

/// Adds what makes every row's place its own; whether that is so then.
fn finish_order(table: &Readable<'_>, order: &mut Vec<SortKey>) -> bool {
    let is_unique = |key: &SortKey| table.column_of(&key.column.name).is_some_and(|column| column.is_unique);
    if let Some(unique) = order.iter().position(is_unique) {
        // What stands behind it decides nothing.
        order.truncate(unique + 1);
        return true;
    }
    let Some(key) = table.columns().find(|column| column.is_key) else { return false };
    order.push(SortKey { column: key.column.clone(), direction: Direction::Ascending });
    true
}

fn cursor(request: &mut Request<'_>, shape: &Shape, is_whole: bool) -> Option<santokit_sql::plan::Position> {
    let json = request.param("cursor")?;
    let place = Place::Params.field("cursor");
    let Json::String(text) = json else {
        request.findings.request(place, "must be the text of meta.nextCursor");
        return None;
    };
    if !is_whole {
        // There was no cursor for such an order.
        request.findings.request(place, "this request cannot be continued by a cursor");
        return None;
    }
    shape.read(text).map_err(|message| request.findings.request(place, message)).ok()
}

impl Columns {
    /// Adds columns that are not there yet.
    pub fn extend<'c>(&mut self, columns: impl IntoIterator<Item = &'c Column>) {
        for column in columns {
            self.place(column);
        }
    }

    /// Where a column stands, added where it did not.
    pub fn place(&mut self, column: &Column) -> usize {
        let found = self.columns.iter().position(|other| other.name == column.name);
        found.unwrap_or_else(|| {
            self.columns.push(column.clone());
            self.columns.len() - 1
        })
    }

    /// All, in order.
    pub fn into_inner(self) -> Vec<Column> {
        self.columns
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.columns.len()
    }

    fn has(&self, column: &Column) -> bool {
        self.columns.iter().any(|other| other.name == column.name)
    }
}
