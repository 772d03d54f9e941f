//! Rows that name objects. Who may put an object may name it in a row: nobody can hang up what is another's, and take it away with a row of their own.
//! What rows let go is kept in their transaction (`stk_dropped`); nothing is removed here, see `storage::dropped`.

use std::collections::{BTreeMap, BTreeSet};

use santokit_core::{
    access::{Decision, Denial, predicate::Predicate},
    code::Code,
    problem::{Outcome, Problem},
    storage::{ObjectKey, ObjectVerb},
    value::Value,
};
use santokit_sql::{
    delivery::Scope,
    dropped::{DROPPED_MAX, Dropped},
    plan::{Cell, Column, Condition, Insert, Keys, OnConflict, Select, Source, Target},
    render,
};
use serde_json::{Map, Value as Json};

use super::{
    Planned,
    access::is_told_reasons,
    answer::Answer,
    execute::{Runner, generated},
    findings::Place,
    idempotency::id_of,
    insert::key_text,
    names::{Entry, EntryColumn, FileColumn, Tables},
    request::Request,
    value::moment,
};
use crate::db::{DbError, Flow, Row};

/// What a write does with objects.
#[derive(Debug, Default)]
pub struct Objects<'e> {
    /// Bucket and key of those that rows name from now on.
    named: BTreeSet<(&'e str, String)>,
    /// The columns by which rows may let objects go.
    taking: Vec<(&'e Column, &'e str)>,
}

/// A row before it is written.
struct Before {
    /// Its key.
    key: String,
    /// A value for each column that takes objects.
    values: Vec<Value>,
}

/// Whether the caller may name an object in a column: who may put it may, by the policies of its bucket or by the grants of a logic.
pub fn may_name(request: &mut Request<'_>, column: &EntryColumn, value: &Value, place: Place<'_>) {
    let (Some(file), Value::Text(text)) = (&column.file, value) else { return };
    let key = match ObjectKey::parse(text) {
        Ok(key) => key,
        Err(error) => return request.findings.value(place, error.to_string()),
    };
    if request.objects.is_some_and(|objects| objects.may_put(&file.bucket, &key)) {
        return;
    }
    let asked = Map::from_iter([("key".to_owned(), Json::String(key.as_str().to_owned()))]);
    let policies = request.tables.policies(&file.bucket);
    let decision = policies.map_or(Decision::Deny { reason: Denial::NoRule }, |policies| {
        policies.decide(ObjectVerb::Upload, &key, request.actor, &asked, request.now).0
    });
    let reason = match decision {
        Decision::Allow => return,
        Decision::DenyAnonymous => "no public rule allows it".to_owned(),
        // The evaluator's words can hold values of the request.
        Decision::Deny { reason: Denial::Evaluation { rule, .. } } => {
            format!("the condition of rule {rule} cannot be evaluated")
        }
        Decision::Deny { reason } => reason.to_string(),
    };
    if is_told_reasons(request.actor.kind) {
        let message = format!("upload_sign of bucket {:?} does not allow this key: {reason}", file.bucket);
        request.findings.forbidden(place, message);
    } else {
        request.findings.value(place, "must be the key of an object that you may put");
    }
}

/// Whether a text of a row names an object. SQL writes what it likes: what is no key names none, and another spelling of one must not take away what
/// rows name by the right one.
fn is_key(text: &str) -> bool {
    ObjectKey::parse(text).is_ok_and(|key| key.as_str() == text)
}

/// An object of an env, as it is kept that rows have let it go.
fn dropped((project, env): (&str, &str), bucket: &str, key: &str) -> Dropped {
    Dropped { id: id_of(&[project, env, bucket, key]), bucket: bucket.to_owned(), object: key.to_owned() }
}

impl Planned {
    /// What it does with objects; none where nothing has to be looked at.
    pub fn objects<'e>(&self, entry: &'e Entry, tables: &Tables) -> Option<Objects<'e>> {
        let mut objects = Objects::default();
        for (column, file) in entry.files().filter(|(_, file)| tables.takes(&file.bucket)) {
            objects.named.extend(self.named(column).into_iter().map(|key| (file.bucket.as_str(), key)));
            if self.may_drop(column, file) {
                objects.taking.push((&column.column, file.bucket.as_str()));
            }
        }
        (!objects.named.is_empty() || !objects.taking.is_empty()).then_some(objects)
    }

    /// The keys that it writes into a column.
    fn named(&self, column: &EntryColumn) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::Text(key) => Some(key.clone()),
            _ => None,
        };
        match self {
            Planned::Select(_) | Planned::Delete(_) => Vec::new(),
            Planned::Insert(insertion) => {
                cells(&insertion.insert, &column.column).filter_map(|cell| text(cell?)).collect()
            }
            Planned::Update(change) => {
                let set = change.update.set.iter().find(|(set, _)| set.name == column.column.name);
                set.and_then(|(_, value)| text(value)).into_iter().collect()
            }
        }
    }

    fn may_drop(&self, column: &EntryColumn, file: &FileColumn) -> bool {
        let is = |other: &Column| other.name == column.column.name;
        file.takes
            && match self {
                Planned::Select(_) => false,
                Planned::Delete(_) => true,
                Planned::Update(change) => change.update.set.iter().any(|(set, _)| is(set)),
                Planned::Insert(insertion) => match &insertion.insert.conflict {
                    Some(conflict) => matches!(&conflict.action, OnConflict::Update { set, .. } if set.iter().any(is)),
                    None => false,
                },
            }
    }
}

/// What the rows of an insert have in a column.
fn cells<'i>(insert: &'i Insert, column: &Column) -> impl Iterator<Item = Option<&'i Value>> {
    let at = insert.columns.iter().position(|written| written.name == column.name);
    insert.rows.iter().map(move |row| match row.get(at?)? {
        Cell::Value(value) => Some(value),
        Cell::Default => None,
    })
}

impl<'r> Runner<'r> {
    /// Runs a plan whose rows name objects, inside of a transaction.
    pub(super) async fn write_objects(
        &mut self,
        entry: &Entry,
        planned: &Planned,
        objects: Objects<'_>,
    ) -> Outcome<Answer> {
        let env = self.crud.env;
        let named: Vec<Dropped> = objects.named.iter().map(|(bucket, key)| dropped(env, bucket, key)).collect();
        self.keep_objects(&named).await?;
        if objects.taking.is_empty() {
            return self.write_rows(entry, planned).await;
        }
        let mut planned = planned.clone();
        let mut gone: BTreeSet<Dropped> = BTreeSet::new();
        let mut note = |at: usize, before: &Value, after: Option<&Value>| {
            if let Value::Text(text) = before
                && after != Some(before)
                && is_key(text)
            {
                gone.insert(dropped(env, objects.taking[at].1, text));
            }
        };
        match &mut planned {
            Planned::Select(_) => {}
            Planned::Delete(removal) => {
                for row in self.hold(&mut removal.delete.target, &objects).await? {
                    row.values.iter().enumerate().for_each(|(at, before)| note(at, before, None));
                }
            }
            Planned::Update(change) => {
                let rows = self.hold(&mut change.update.target, &objects).await?;
                let set = &change.update.set;
                for (at, before) in rows.iter().flat_map(|row| row.values.iter().enumerate()) {
                    let after = set.iter().find(|(column, _)| column.name == objects.taking[at].0.name);
                    note(at, before, after.map(|(_, value)| value));
                }
            }
            Planned::Insert(insertion) => {
                let old = self.existing(&insertion.insert).await?;
                let (insert, keys) = (&mut insertion.insert, old.iter().map(|(_, key)| key.clone()).collect());
                let before = self.before(&insert.table, &insert.key, keys, &objects).await?;
                let before: BTreeMap<String, Vec<Value>> =
                    before.into_iter().map(|row| (row.key, row.values)).collect();
                for (row, key) in &old {
                    for (at, value) in before.get(&key_text(key)).into_iter().flatten().enumerate() {
                        note(at, value, cells(insert, objects.taking[at].0).nth(*row).flatten());
                    }
                }
                if self.session.dialect().tells_new() {
                    insert.tells_new = true;
                    if insert.returning.is_empty() {
                        insert.returning.push(insert.key.clone());
                    }
                }
                insertion.overwrites = Some(old.len());
            }
        }
        let answer = self.write_rows(entry, &planned).await?;
        self.drop_objects(gone.into_iter().collect()).await?;
        Ok(answer)
    }

    /// Locks the rows that a write is for, and makes it one for these alone.
    async fn hold(&mut self, target: &mut Target, objects: &Objects<'_>) -> Outcome<Vec<Before>> {
        let keys = self.lock(target).await?;
        target.filter = Condition::OneOf(target.key.clone(), keys.clone());
        self.before(&target.table, &target.key, keys, objects).await
    }

    /// What rows have before they are written.
    async fn before(
        &mut self,
        table: &str,
        key: &Column,
        keys: Vec<Value>,
        objects: &Objects<'_>,
    ) -> Outcome<Vec<Before>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut source = Source::of(table, Predicate::ALWAYS);
        source.keys = Some(Keys { column: key.clone(), values: keys });
        let taking = objects.taking.iter().map(|(column, _)| (*column).clone());
        let columns: Vec<Column> = std::iter::once(key.clone()).chain(taking).collect();
        let count = columns.len();
        let select =
            Select { source, columns, distinct: false, order: Vec::new(), after: None, limit: None, offset: 0 };
        let statement = generated(|| render::select(&select, self.session.dialect()))?;
        let mut rows = Vec::new();
        self.each(&statement, &mut |row| {
            let values = (1..count).map(|at| row.value(at)).collect::<Result<Vec<Value>, _>>()?;
            rows.push(Before { key: key_text(&row.value(0)?), values });
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        Ok(rows)
    }

    /// Rows are about to name these: what waits to go stays. What goes already cannot be named until it is gone, or it would be named and not there.
    async fn keep_objects(&mut self, named: &[Dropped]) -> Outcome<()> {
        let scope = self.scope();
        for part in named.chunks(DROPPED_MAX) {
            let ids: Vec<&str> = part.iter().map(|object| object.id.as_str()).collect();
            let keep = scope.keep_objects(&ids);
            self.each(&keep, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
            let mut is_going = false;
            let going = scope.going_objects(&ids);
            let mut note = |_: &Row<'_>| {
                is_going = true;
                Ok(Flow::Continue)
            };
            self.each(&going, &mut note).await.map_err(DbError::problem)?;
            if is_going {
                let message = "an object of this key is being removed, because the last row that named it is gone";
                return Err(Problem::new(Code::Conflict, message)
                    .hint("put the object under another key, or try again in a moment"));
            }
        }
        Ok(())
    }

    /// Keeps that rows have let these go: in their transaction, so that they go when the rows do, and not before.
    async fn drop_objects(&mut self, gone: Vec<Dropped>) -> Outcome<()> {
        let (scope, now) = (self.scope(), moment(self.crud.now));
        for part in gone.chunks(DROPPED_MAX) {
            let statement = scope.drop_objects(part, &now);
            self.each(&statement, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
        }
        if !gone.is_empty() {
            self.crud.events.note();
        }
        Ok(())
    }

    fn scope(&self) -> Scope<'r> {
        let (project, env) = self.crud.env;
        Scope { project, env, dialect: self.session.dialect() }
    }
}
