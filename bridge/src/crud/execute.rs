//! Plans that read, run: statements on one connection, and rows written as JSON while they come.
//!
//! Each relation of `expand` is one statement, whatever the number of parents. Rows are kept as bytes, and put into those that they hang
//! on as bytes.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use santokit_core::{
    code::Code,
    limit::LimitName,
    problem::{Outcome, Problem},
    schema::relation::Cardinality,
    value::Value,
};
use santokit_sql::{
    plan::{Count, Keys, Select},
    render::{self, RenderError},
    statement::Statement,
};

use super::{
    Crud, Planned,
    aggregate::{Field, Groups},
    answer::Answer,
    expand::Level,
    fire::Fired,
    insert::key_text,
    limits::{Allowance, CrudLimits},
    names::Entry,
    select::{Rows, Selection},
};
use crate::{
    db::{DbError, Done, Flow, Row, Session, Sink, json_value},
    metrics::Metrics,
};

/// Runs the plans of one request on one connection, within what is left to the request.
pub struct Runner<'r> {
    /// The connection.
    pub session: &'r mut Session,
    /// Of the whole request.
    pub deadline: Instant,
    /// Of this Bridge.
    pub limits: &'r CrudLimits,
    /// Bytes that an answer may have.
    pub bytes_max: usize,
    /// The numbers.
    pub metrics: &'r Metrics,
    /// The connection's name, for the numbers.
    pub connection: &'r str,
    /// Rows that the call may still read.
    pub rows_left: usize,
    /// Where a guest asks: what its invocation has left.
    pub allowance: Option<Allowance>,
    /// Who asks, and of what release.
    pub crud: &'r Crud<'r>,
}

/// Rows of one statement.
#[derive(Debug, Default)]
struct Fetched {
    /// The fields of all rows, one after the other. Where nothing hangs on them and they hang on nothing: the answer itself.
    bytes: Vec<u8>,
    /// How many rows.
    count: usize,
    /// Where they are in the bytes, where that matters.
    rows: Vec<FetchedRow>,
    /// Whether there is a row more than was wanted.
    has_more: bool,
    /// The order's values of the last row that was wanted.
    last: Option<Vec<Value>>,
    levels: Vec<FetchedLevel>,
}

/// A row: its fields are a part of the bytes.
#[derive(Debug)]
struct FetchedRow {
    start: usize,
    end: usize,
    /// What it hangs on.
    key: Option<String>,
    /// What hangs on it, for each level.
    links: Vec<Option<String>>,
}

/// Rows of a relation, by what they hang on.
#[derive(Debug)]
struct FetchedLevel {
    /// `,"name":`
    name: Vec<u8>,
    cardinality: Cardinality,
    fetched: Fetched,
    by_key: HashMap<String, Vec<usize>>,
}

/// What a statement is read for.
struct Wanted<'w> {
    select: &'w Select,
    shown: usize,
    levels: &'w [Level],
    /// The column that the rows hang on their parents by.
    key: Option<usize>,
    /// Rows that are answered; none: all.
    most: Option<usize>,
    /// Columns whose values make the cursor.
    page: &'w [usize],
}

impl Wanted<'_> {
    /// Whether the rows are answered as they come: nothing hangs on them, and they hang on nothing.
    fn is_plain(&self) -> bool {
        self.levels.is_empty() && self.key.is_none()
    }
}

impl Runner<'_> {
    /// Runs what was planned; inside of a transaction where it is several statements.
    pub async fn run(&mut self, entry: &Entry, planned: &Planned) -> Outcome<Answer> {
        // Of each call of a batch.
        let invocation = self.allowance.map_or(usize::MAX, |left| usize::try_from(left.rows).unwrap_or(usize::MAX));
        let most = self.limits.result_rows.min(invocation);
        self.rows_left = most;
        let answer = match planned {
            Planned::Select(selection) => self.read(selection).await,
            planned => match planned.objects(entry, self.crud.tables) {
                None => self.write_rows(entry, planned).await,
                Some(objects) => self.write_objects(entry, planned, objects).await,
            },
        };
        let mut answer = answer.map_err(|problem| self.whose_limit(problem))?;
        answer.rows = (most - self.rows_left) as u64;
        if answer.rows > 0 && answer.data.len() > self.bytes_max {
            return Err(self.whose_limit(too_large()));
        }
        if let Some(left) = &mut self.allowance {
            left.rows = left.rows.saturating_sub(answer.rows);
        }
        Ok(answer)
    }

    /// Runs a plan that writes, with what it fires.
    pub(super) async fn write_rows(&mut self, entry: &Entry, planned: &Planned) -> Outcome<Answer> {
        match planned.fired(entry) {
            None => self.written(planned, None).await,
            Some(firing) => self.fire(&firing, planned).await,
        }
    }

    /// Runs a plan that writes. `firing` is what is wanted of the rows.
    pub async fn written(&mut self, planned: &Planned, firing: Option<&mut Fired<'_>>) -> Outcome<Answer> {
        match planned {
            Planned::Select(selection) => self.read(selection).await,
            Planned::Insert(insertion) => self.insert(insertion, firing).await,
            Planned::Update(change) => self.update(change, firing).await,
            Planned::Delete(removal) => self.delete(removal, firing).await,
        }
    }

    /// Names the invocation's limit where it is the one that an answer has reached.
    pub fn whose_limit(&self, problem: Box<Problem>) -> Box<Problem> {
        let Some(left) = self.allowance else { return problem };
        let limit = match problem.details.get("limit").and_then(serde_json::Value::as_str) {
            Some("resultRows") if left.rows < self.limits.result_rows as u64 => LimitName::SqlRows,
            Some("responseBody") if left.bytes <= self.bytes_max as u64 => LimitName::SqlBytes,
            _ => return problem,
        };
        Problem::limit(Code::BadRequest, limit.as_str(), "the answer is more than the invocation may still read")
    }

    /// Reads what a select asks for.
    pub async fn read(&mut self, selection: &Selection) -> Outcome<Answer> {
        match selection {
            Selection::Rows(rows) => self.rows(rows).await,
            Selection::Groups(groups) => self.groups(groups).await,
        }
    }

    /// Runs a statement.
    pub async fn each(&mut self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done, DbError> {
        let started = Instant::now();
        let done = self.session.each(statement, self.deadline, sink).await;
        self.metrics.query(self.connection, started.elapsed());
        done
    }

    /// Runs a statement that answers one number.
    pub async fn number(&mut self, statement: &Statement) -> Outcome<i64> {
        let mut number = 0;
        self.each(statement, &mut |row| {
            if let Value::Int64(read) = row.value(0)? {
                number = read;
            }
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        Ok(number)
    }

    /// How many rows more may be read; an error where a statement had more.
    pub fn take_rows(&mut self, rows: usize) -> Outcome<()> {
        self.rows_left = self.rows_left.checked_sub(rows).ok_or_else(|| too_many_rows(self.limits))?;
        Ok(())
    }

    async fn rows(&mut self, rows: &Rows) -> Outcome<Answer> {
        let total = match &rows.count {
            Some(count) => Some(self.count(count).await?),
            None => None,
        };
        let columns = rows.page.as_ref().map(|page| page.columns.as_slice()).unwrap_or_default();
        let wanted = Wanted {
            select: &rows.select,
            shown: rows.shown,
            levels: &rows.levels,
            key: None,
            most: usize::try_from(rows.limit).ok(),
            page: columns,
        };
        let is_plain = wanted.is_plain();
        let mut fetched = self.fetch(wanted).await?;
        let data = if is_plain { std::mem::take(&mut fetched.bytes) } else { fetched.list(self.bytes_max)? };
        let mut answer = Answer::of(data);
        if let Some(total) = total {
            answer.meta.insert("total".to_owned(), total.into());
        }
        if let (true, Some(page), Some(last)) = (fetched.has_more, &rows.page, &fetched.last) {
            answer.meta.insert("nextCursor".to_owned(), page.shape.write(last).into());
        }
        Ok(answer)
    }

    async fn count(&mut self, count: &Count) -> Outcome<i64> {
        let statement = generated(|| render::count(count, self.session.dialect()))?;
        self.number(&statement).await
    }

    async fn fetch(&mut self, wanted: Wanted<'_>) -> Outcome<Fetched> {
        let mut fetched = Fetched::default();
        if wanted.is_plain() {
            fetched.bytes.push(b'[');
        }
        let mut keys: Vec<BTreeMap<String, Value>> = vec![BTreeMap::new(); wanted.levels.len()];
        let most = wanted.most.unwrap_or(usize::MAX);
        let (rows_left, bytes_max) = (self.rows_left, self.bytes_max);
        let mut is_over = false;
        let statement = generated(|| render::select(wanted.select, self.session.dialect()))?;
        self.each(&statement, &mut |row| {
            if fetched.count >= most {
                fetched.has_more = true;
                return Ok(Flow::Continue);
            }
            is_over = fetched.count >= rows_left || fetched.bytes.len() > bytes_max;
            if is_over {
                return Ok(Flow::Stop);
            }
            fetched.add(row, &wanted, &mut keys)?;
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        if is_over && fetched.bytes.len() > bytes_max {
            return Err(too_large());
        }
        self.take_rows(fetched.count + usize::from(is_over))?;
        if wanted.is_plain() {
            fetched.bytes.push(b']');
        }
        for (level, keys) in wanted.levels.iter().zip(keys) {
            fetched.levels.push(Box::pin(self.level(level, keys)).await?);
        }
        Ok(fetched)
    }

    async fn level(&mut self, level: &Level, keys: BTreeMap<String, Value>) -> Outcome<FetchedLevel> {
        let mut name = vec![b','];
        serde_json::to_writer(&mut name, &level.name).map_err(Problem::internal)?;
        name.push(b':');
        let mut fetched = Fetched::default();
        if !keys.is_empty() {
            let mut select = level.select.clone();
            select.source.keys = Some(Keys { column: level.remote.clone(), values: keys.into_values().collect() });
            // One more than may be, to learn that there are more.
            select.limit = Some((self.rows_left as u64).saturating_add(1));
            let key = Some(level.remote_column);
            let wanted =
                Wanted { select: &select, shown: level.shown, levels: &level.levels, key, most: None, page: &[] };
            fetched = Box::pin(self.fetch(wanted)).await?;
        }
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, row) in fetched.rows.iter().enumerate() {
            if let Some(key) = &row.key {
                by_key.entry(key.clone()).or_default().push(index);
            }
        }
        Ok(FetchedLevel { name, cardinality: level.cardinality, fetched, by_key })
    }

    async fn groups(&mut self, groups: &Groups) -> Outcome<Answer> {
        let statement = generated(|| render::aggregate(&groups.aggregate, self.session.dialect()))?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let most = usize::try_from(groups.limit).unwrap_or(usize::MAX);
        self.each(&statement.statement, &mut |row| {
            if rows.len() < most {
                rows.push(row.values()?);
            }
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        self.take_rows(rows.len())?;
        let mut out = vec![b'['];
        for (index, row) in rows.into_iter().enumerate() {
            let row = statement.finish(row).map_err(Problem::internal)?;
            let kinds = statement.columns.iter().map(|column| column.kind.as_str());
            let cells: Vec<(&Field, &str, Value)> =
                groups.fields.iter().zip(kinds).zip(row).map(|((field, kind), value)| (field, kind, value)).collect();
            out.extend_from_slice(if index > 0 { b"," } else { b"" });
            serde_json::to_writer(&mut out, &group(cells)).map_err(Problem::internal)?;
            if out.len() > self.bytes_max {
                return Err(too_large());
            }
        }
        out.push(b']');
        Ok(Answer::of(out))
    }
}

/// A group as an object: its columns, and below the name of each function the columns that it is about.
fn group(cells: Vec<(&Field, &str, Value)>) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (field, kind, value) in cells {
        let json = match value {
            Value::Int64(number) if field.is_count => number.into(),
            value => json_value(kind, value),
        };
        match &field.of {
            None => drop(object.insert(field.name.clone(), json)),
            Some(of) => {
                let entry = object.entry(field.name.clone()).or_insert_with(|| serde_json::Map::new().into());
                if let Some(inner) = entry.as_object_mut() {
                    inner.insert(of.clone(), json);
                }
            }
        }
    }
    object.into()
}

impl Fetched {
    fn add(
        &mut self,
        row: &Row<'_>,
        wanted: &Wanted<'_>,
        keys: &mut [BTreeMap<String, Value>],
    ) -> Result<(), sqlx::Error> {
        self.count += 1;
        if wanted.is_plain() {
            self.bytes.extend_from_slice(if self.count > 1 { b",{" } else { b"{" });
            row.write_fields(wanted.shown, &mut self.bytes)?;
            self.bytes.push(b'}');
        } else {
            self.add_linked(row, wanted, keys)?;
        }
        if !wanted.page.is_empty() && wanted.most == Some(self.count) {
            self.last = Some(wanted.page.iter().map(|column| row.value(*column)).collect::<Result<_, _>>()?);
        }
        Ok(())
    }

    /// A row that hangs on another, or that others hang on.
    fn add_linked(
        &mut self,
        row: &Row<'_>,
        wanted: &Wanted<'_>,
        keys: &mut [BTreeMap<String, Value>],
    ) -> Result<(), sqlx::Error> {
        let start = self.bytes.len();
        row.write_fields(wanted.shown, &mut self.bytes)?;
        let key = match wanted.key {
            Some(column) => Some(key_text(&row.value(column)?)),
            None => None,
        };
        let mut links = Vec::with_capacity(wanted.levels.len());
        for (level, keys) in wanted.levels.iter().zip(keys) {
            links.push(match row.value(level.parent_column)? {
                Value::Null => None,
                value => {
                    let text = key_text(&value);
                    if !keys.contains_key(&text) {
                        keys.insert(text.clone(), value);
                    }
                    Some(text)
                }
            });
        }
        self.rows.push(FetchedRow { start, end: self.bytes.len(), key, links });
        Ok(())
    }

    /// All rows as a list.
    fn list(&self, most: usize) -> Outcome<Vec<u8>> {
        let mut out = Vec::with_capacity(self.bytes.len() + 3 * self.rows.len() + 2);
        out.push(b'[');
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.row(row, &mut out, most)?;
        }
        out.push(b']');
        Ok(out)
    }

    /// A row with what hangs on it. A row that many hang on is written as often, so that the bound is looked at for each.
    fn row(&self, row: &FetchedRow, out: &mut Vec<u8>, most: usize) -> Outcome<()> {
        if out.len() > most {
            return Err(too_large());
        }
        out.push(b'{');
        out.extend_from_slice(&self.bytes[row.start..row.end]);
        for (level, link) in self.levels.iter().zip(&row.links) {
            out.extend_from_slice(&level.name);
            let rows = link.as_ref().and_then(|link| level.by_key.get(link)).map(Vec::as_slice).unwrap_or_default();
            match (level.cardinality, rows) {
                (Cardinality::One, []) => out.extend_from_slice(b"null"),
                (Cardinality::One, [one, ..]) => level.fetched.row(&level.fetched.rows[*one], out, most)?,
                (Cardinality::Many, rows) => {
                    out.push(b'[');
                    for (index, child) in rows.iter().enumerate() {
                        if index > 0 {
                            out.push(b',');
                        }
                        level.fetched.row(&level.fetched.rows[*child], out, most)?;
                    }
                    out.push(b']');
                }
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// More rows than an answer may have.
pub fn too_many_rows(limits: &CrudLimits) -> Box<Problem> {
    let most = limits.result_rows;
    Problem::limit(Code::BadRequest, "resultRows", format!("the answer would have more than {most} rows"))
        .hint("ask for fewer, for example with a smaller limit or a narrower where")
}

/// More bytes than an answer may have.
pub fn too_large() -> Box<Problem> {
    Problem::limit(Code::InternalError, "responseBody", "the answer is larger than this Bridge allows")
        .hint("ask for less, or raise responseLimit of the Bridge")
}

/// Makes a statement of a plan, in a span of its own.
pub fn generated<T>(render: impl FnOnce() -> Result<T, RenderError>) -> Outcome<T> {
    tracing::debug_span!("sql.generate").in_scope(render).map_err(unrendered)
}

/// What cannot be said in SQL. Only a type that does not fit can be the caller's doing.
fn unrendered(error: RenderError) -> Box<Problem> {
    match error {
        RenderError::NotForType { .. } | RenderError::NotComputable(_) => {
            Problem::new(Code::BadRequest, error.to_string())
        }
        RenderError::TooManyParams { .. } => Problem::limit(
            Code::BadRequest,
            "listValues",
            "the request has more values than one statement of this database can have",
        ),
        RenderError::Value { .. } | RenderError::Plan(_) => Problem::internal(error),
    }
}
