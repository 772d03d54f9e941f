//! Plans that write, run: each course of each engine, the checks behind the write, and the rows that are answered. Whoever calls this
//! ends the transaction: what is an error here is rolled back.

use santokit_core::{
    access::predicate::Predicate,
    code::Code,
    problem::{Outcome, Problem},
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{
        Cell, Check, Column, Condition, Course, Existing, Insert, Keys, OnConflict, Select, Source, Target, Update,
        write::{CHECK_COLUMN, NEW_COLUMN, VISIBLE_COLUMN},
    },
    render,
    statement::Statement,
};

use super::{
    answer::{Answer, Returning},
    delete::Removal,
    execute::{Runner, generated, too_large, too_many_rows},
    fire::Fired,
    insert::{Insertion, key_text},
    update::Change,
};
use crate::db::{DbError, Flow};

/// What a write did.
#[derive(Debug, Default)]
struct Written {
    /// Rows.
    affected: u64,
    /// As JSON, where the statement answered what the caller gets.
    json: Vec<Vec<u8>>,
    /// Their keys, where the rows are read after the write.
    keys: Vec<Value>,
    /// How many of them were there already, where it is told.
    old: Option<usize>,
}

/// What a statement answers of each row that it wrote.
#[derive(Clone, Copy)]
enum Answered {
    /// What the caller gets.
    Rows(usize),
    /// Its key first.
    Keys,
    /// Nothing that is needed.
    Nothing,
}

impl Insertion {
    /// Whether several statements belong together.
    pub fn is_several(&self, dialect: Dialect) -> bool {
        // The rule is asked in the statement, which fails where a row fails it.
        !self.insert.is_alone() || self.insert.course(dialect) == Course::ByKey
    }

    /// Bytes that the answer has at most, before it is known.
    pub fn answer_bytes_max(&self) -> usize {
        if self.returning == Returning::Affected {
            return 0;
        }
        let names: usize = self.insert.returning.iter().map(|column| ESCAPED * column.name.len() + FIELD_BYTES).sum();
        let sent: usize = self.insert.rows.iter().flatten().map(cell_bytes_max).sum();
        let unsent = self.insert.returning.len().saturating_sub(self.insert.columns.len());
        self.insert.rows.len() * (names + unsent * UNSENT_BYTES) + sent
    }
}

/// As many bytes of JSON can one of a text become: `\u0001`.
const ESCAPED: usize = 6;
/// Quotes, colon and comma around a name and a value.
const FIELD_BYTES: usize = 8;
/// What a value may have that the database makes: a text of the schema, a number, a time.
const UNSENT_BYTES: usize = 64 << 10;

fn cell_bytes_max(cell: &Cell) -> usize {
    match cell {
        Cell::Value(value) => FIELD_BYTES + ESCAPED * value.size_bytes(),
        Cell::Default => UNSENT_BYTES,
    }
}

impl Runner<'_> {
    /// Adds rows.
    pub async fn insert(&mut self, insertion: &Insertion, fired: Option<&mut Fired<'_>>) -> Outcome<Answer> {
        let Insertion { insert, returning, overwrites } = insertion;
        let written = match self.session.dialect() {
            Dialect::Mysql => self.insert_by_key(insert, fired).await?,
            _ => self.insert_returning(insert, returning, fired).await?,
        };
        if let (Some(looked), Some(old)) = (*overwrites, written.old)
            && looked != old
        {
            // Somebody has added one in between: what it named is not known.
            return Err(Problem::new(Code::Conflict, "a row was added at the same time").hint("send the request again"));
        }
        self.answer(written, returning, &insert.table, &insert.key).await
    }

    /// Changes rows.
    pub async fn update(&mut self, change: &Change, fired: Option<&mut Fired<'_>>) -> Outcome<Answer> {
        let Change { update, returning } = change;
        let dialect = self.session.dialect();
        let written = if update.course(dialect) == Course::ByKey {
            let written = self.update_by_key(update).await?;
            if let Some(fired) = fired {
                self.take_fired((&update.target.table, &update.target.key), &written.keys, fired).await?;
            }
            written
        } else {
            let statement = generated(|| render::update(update, dialect))?;
            self.write(&statement, answered(returning, true), fired).await?
        };
        self.answer(written, returning, &update.target.table, &update.target.key).await
    }

    /// Removes rows.
    pub async fn delete(&mut self, removal: &Removal, fired: Option<&mut Fired<'_>>) -> Outcome<Answer> {
        let Removal { delete, returning } = removal;
        let dialect = self.session.dialect();
        if delete.course(dialect) != Course::ByKey {
            let statement = generated(|| render::delete(delete, dialect))?;
            let written = self.write(&statement, answered(returning, false), fired).await?;
            return match returning {
                Returning::Affected => Ok(Answer::affected(written.affected)),
                Returning::Rows { .. } => self.list(&written.json),
            };
        }
        let keys = self.lock(&delete.target).await?;
        let affected = keys.len() as u64;
        let (table, key) = (delete.target.table.as_str(), &delete.target.key);
        // Both rules have been asked already, of rows that are locked since.
        let rows = match returning {
            Returning::Affected => Vec::new(),
            Returning::Rows { columns, .. } => self.read_back(&keys, table, key, columns, &Predicate::ALWAYS).await?,
        };
        if let Some(fired) = fired {
            self.take_fired((table, key), &keys, fired).await?;
        }
        if !keys.is_empty() {
            let mut delete = delete.clone();
            delete.target.keys = Some(Keys { column: delete.target.key.clone(), values: keys });
            let statement = generated(|| render::delete(&delete, dialect))?;
            self.write(&statement, Answered::Nothing, None).await?;
        }
        match returning {
            Returning::Affected => Ok(Answer::affected(affected)),
            Returning::Rows { .. } => self.list(&rows),
        }
    }

    /// The answer after a write: how many, or the rows that the caller may read.
    async fn answer(&mut self, written: Written, returning: &Returning, table: &str, key: &Column) -> Outcome<Answer> {
        match returning {
            Returning::Affected => Ok(Answer::affected(written.affected)),
            Returning::Rows { columns, rule } if written.json.is_empty() => {
                let rows = self.read_back(&written.keys, table, key, columns, rule).await?;
                self.list(&rows)
            }
            Returning::Rows { .. } => self.list(&written.json),
        }
    }

    /// Where a statement answers what it wrote.
    async fn insert_returning(
        &mut self,
        insert: &Insert,
        returning: &Returning,
        mut fired: Option<&mut Fired<'_>>,
    ) -> Outcome<Written> {
        if let Some(fired) = fired.as_deref_mut()
            && fired.is_either
            && !insert.tells_new
        {
            // Nobody else can add one before this transaction ends.
            let old = self.existing(insert).await?;
            fired.known(old.iter().map(|(_, key)| key));
        }
        let statements = generated(|| render::insert(insert, self.session.dialect()))?;
        let mut all = Written::default();
        for statement in &statements {
            let written = self.write(statement, answered(returning, false), fired.as_deref_mut()).await?;
            all.affected += written.affected;
            all.json.extend(written.json);
            if let Some(old) = written.old {
                *all.old.get_or_insert(0) += old;
            }
        }
        let is_asked =
            matches!(&insert.conflict, Some(conflict) if matches!(conflict.action, OnConflict::Update { .. }));
        if is_asked && all.affected < insert.rows.len() as u64 {
            // A row that is there already and that the update rule does not admit.
            return Err(refused());
        }
        Ok(all)
    }

    /// Where rows are found by key after the write.
    async fn insert_by_key(&mut self, insert: &Insert, fired: Option<&mut Fired<'_>>) -> Outcome<Written> {
        let dialect = self.session.dialect();
        let mut fresh = Insert { conflict: None, ..insert.clone() };
        let mut keys: Vec<Option<Value>> = vec![None; insert.rows.len()];
        let mut affected = 0;
        let mut old = vec![false; insert.rows.len()];
        if let Some(conflict) = &insert.conflict {
            for (row, key) in self.existing(insert).await? {
                old[row] = true;
                if let OnConflict::Update { set, .. } = &conflict.action {
                    self.overwrite(insert, row, &key, set).await?;
                    affected += 1;
                    keys[row] = Some(key);
                }
            }
        }
        let mut is_old = old.iter();
        fresh.rows.retain(|_| is_old.next() == Some(&false));
        let mut made = Vec::new();
        if !fresh.rows.is_empty() {
            for statement in generated(|| render::insert(&fresh, dialect))? {
                let done = self.each(&statement, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
                affected += done.affected;
                made.extend(done.last_insert_id);
            }
        }
        let at = fresh.columns.iter().position(|column| column.name == insert.key.name);
        let of_row = |(index, row): (usize, &Vec<Cell>)| match at.and_then(|at| row.get(at)) {
            Some(Cell::Value(value)) => Some(value.clone()),
            _ => made.get(index).and_then(|id| i64::try_from(*id).ok()).map(Value::Int64),
        };
        let mut of_fresh = fresh.rows.iter().enumerate().map(of_row);
        for (key, old) in keys.iter_mut().zip(&old) {
            if !old {
                *key = of_fresh.next().flatten();
            }
        }
        let is_old = keys.iter().zip(&old).filter_map(|(key, old)| key.as_ref().filter(|_| *old));
        let overwritten: Vec<Value> = is_old.cloned().collect();
        let keys: Vec<Value> = keys.into_iter().flatten().collect();
        self.check(&insert.table, &insert.key, &keys, &insert.check).await?;
        if let Some(fired) = fired {
            fired.known(&overwritten);
            self.take_fired((&insert.table, &insert.key), &keys, fired).await?;
        }
        let old = Some(old.iter().filter(|old| **old).count());
        Ok(Written { affected, json: Vec::new(), keys, old })
    }

    /// The rows that are there already, locked; each must be one that may be changed.
    pub(super) async fn existing(&mut self, insert: &Insert) -> Outcome<Vec<(usize, Value)>> {
        let statement = generated(|| render::existing(Existing(insert), self.session.dialect()))?;
        let mut found = Vec::new();
        let mut may = true;
        self.each(&statement, &mut |row| {
            if let Value::Int64(index) = row.value(0)? {
                found.push((usize::try_from(index).unwrap_or(usize::MAX), row.value(1)?));
            }
            may &= row.value(2)? == Value::Boolean(true);
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        if !may {
            return Err(refused());
        }
        found.retain(|(index, _)| *index < insert.rows.len());
        Ok(found)
    }

    /// Gives a row that is there the values of a new one.
    async fn overwrite(&mut self, insert: &Insert, row: usize, key: &Value, set: &[Column]) -> Outcome<()> {
        let value = |column: &Column| {
            let at = insert.columns.iter().position(|written| written.name == column.name)?;
            match insert.rows[row].get(at)? {
                Cell::Value(value) => Some((column.clone(), value.clone())),
                Cell::Default => None,
            }
        };
        let update = Update {
            target: Target {
                table: insert.table.clone(),
                key: insert.key.clone(),
                rule: Predicate::ALWAYS,
                filter: Condition::EVERY,
                keys: Some(Keys { column: insert.key.clone(), values: vec![key.clone()] }),
            },
            set: set.iter().filter_map(value).collect(),
            check: Predicate::ALWAYS,
            // By key.
            returning: vec![insert.key.clone()],
        };
        let statement = generated(|| render::update(&update, self.session.dialect()))?;
        self.write(&statement, Answered::Nothing, None).await.map(drop)
    }

    async fn update_by_key(&mut self, update: &Update) -> Outcome<Written> {
        let mut keys = self.lock(&update.target).await?;
        if keys.is_empty() {
            return Ok(Written::default());
        }
        let mut by_key = update.clone();
        by_key.target.keys = Some(Keys { column: update.target.key.clone(), values: keys.clone() });
        let statement = generated(|| render::update(&by_key, self.session.dialect()))?;
        let written = self.write(&statement, Answered::Nothing, None).await?;
        if let Some((_, value)) = update.set.iter().find(|(column, _)| column.name == update.target.key.name) {
            keys = vec![value.clone()];
        }
        self.check(&update.target.table, &update.target.key, &keys, &update.check).await?;
        Ok(Written { affected: written.affected, json: Vec::new(), keys, old: None })
    }

    /// The keys of the rows that a write is for, locked.
    pub(super) async fn lock(&mut self, target: &Target) -> Outcome<Vec<Value>> {
        let most = self.limits.result_rows;
        let statement = generated(|| render::lock(target, (most as u64).saturating_add(1), self.session.dialect()))?;
        let mut keys = Vec::new();
        self.each(&statement, &mut |row| {
            keys.push(row.value(0)?);
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        if keys.len() > most { Err(too_many_rows(self.limits)) } else { Ok(keys) }
    }

    /// Every row must satisfy the predicate as it now is.
    async fn check(&mut self, table: &str, key: &Column, keys: &[Value], predicate: &Predicate) -> Outcome<()> {
        if predicate.is_always() || keys.is_empty() {
            return Ok(());
        }
        let plan = Check {
            table: table.to_owned(),
            keys: Keys { column: key.clone(), values: keys.to_vec() },
            predicate: predicate.clone(),
        };
        let statement = generated(|| render::check(&plan, self.session.dialect()))?;
        let admitted = self.number(&statement).await?;
        if usize::try_from(admitted).is_ok_and(|admitted| admitted == keys.len()) { Ok(()) } else { Err(refused()) }
    }

    /// Runs a write and reads what it answers, with the check of each row.
    async fn write(
        &mut self,
        statement: &Statement,
        answered: Answered,
        mut fired: Option<&mut Fired<'_>>,
    ) -> Outcome<Written> {
        let place = |name: &str| statement.columns.iter().position(|column| column.name == name);
        let (check, visible, new) = (place(CHECK_COLUMN), place(VISIBLE_COLUMN), place(NEW_COLUMN));
        let mut written = Written::default();
        let (mut admitted, mut bytes, mut rows) = (true, 0, 0_u64);
        let (most, bytes_max) = (self.rows_left as u64, self.bytes_max);
        let done = self
            .each(statement, &mut |row| {
                rows += 1;
                if let Some(check) = check {
                    admitted &= row.value(check)? == Value::Boolean(true);
                }
                let is_new = new.map(|new| row.value(new)).transpose()?.map(|new| new == Value::Boolean(true));
                if let Some(is_new) = is_new {
                    written.old = Some(written.old.unwrap_or(0) + usize::from(!is_new));
                }
                if let Some(fired) = fired.as_deref_mut() {
                    fired.take(row, is_new)?;
                }
                if rows > most || bytes > bytes_max {
                    // It is rolled back in any case; the rest is not kept.
                    return Ok(Flow::Continue);
                }
                if let Some(visible) = visible
                    && row.value(visible)? != Value::Boolean(true)
                {
                    return Ok(Flow::Continue);
                }
                match answered {
                    Answered::Rows(count) => {
                        let mut json = vec![b'{'];
                        row.write_fields(count, &mut json)?;
                        json.push(b'}');
                        bytes += json.len();
                        written.json.push(json);
                    }
                    Answered::Keys => written.keys.push(row.value(0)?),
                    Answered::Nothing => {}
                }
                Ok(Flow::Continue)
            })
            .await
            .map_err(|error| if error.repeats(CHECK_COLUMN) { refused() } else { error.problem() })?;
        if !admitted {
            return Err(refused());
        }
        if !matches!(answered, Answered::Nothing) && rows > most {
            return Err(too_many_rows(self.limits));
        }
        if bytes > bytes_max {
            return Err(too_large());
        }
        written.affected = if statement.columns.is_empty() { done.affected } else { rows };
        Ok(written)
    }

    /// Rows by their keys, as JSON in the order of the keys, under the rule.
    async fn read_back(
        &mut self,
        keys: &[Value],
        table: &str,
        key: &Column,
        columns: &[Column],
        rule: &Predicate,
    ) -> Outcome<Vec<Vec<u8>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = columns.to_vec();
        let at = all.iter().position(|column| column.name == key.name).unwrap_or_else(|| {
            all.push(key.clone());
            all.len() - 1
        });
        let mut source = Source::of(table, rule.clone());
        source.keys = Some(Keys { column: key.clone(), values: keys.to_vec() });
        let select =
            Select { source, columns: all, distinct: false, order: Vec::new(), after: None, limit: None, offset: 0 };
        let statement = generated(|| render::select(&select, self.session.dialect()))?;
        let mut found: std::collections::HashMap<String, Vec<u8>> = std::collections::HashMap::new();
        self.each(&statement, &mut |row| {
            let mut json = vec![b'{'];
            row.write_fields(columns.len(), &mut json)?;
            json.push(b'}');
            found.insert(key_text(&row.value(at)?), json);
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        Ok(keys.iter().filter_map(|key| found.remove(&key_text(key))).collect())
    }

    fn list(&mut self, rows: &[Vec<u8>]) -> Outcome<Answer> {
        self.take_rows(rows.len())?;
        let mut out = vec![b'['];
        out.extend(rows.join(&b','));
        out.push(b']');
        if out.len() > self.bytes_max { Err(too_large()) } else { Ok(Answer::of(out)) }
    }
}

/// What the write's own statement answers: see [`Returning::columns`].
fn answered(returning: &Returning, is_read_back: bool) -> Answered {
    match returning {
        Returning::Affected => Answered::Nothing,
        Returning::Rows { rule, .. } if is_read_back && !rule.is_always() => Answered::Keys,
        Returning::Rows { columns, .. } => Answered::Rows(columns.len()),
    }
}

/// A row that the rule does not admit as it was, or as it would be. The caller learns neither which nor why.
fn refused() -> Box<Problem> {
    Problem::new(Code::Forbidden, "a row of the request is not one that you may write")
}
