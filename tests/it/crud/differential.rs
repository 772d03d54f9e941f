//! Random tables, rows, rules and requests: what a caller gets equals what the reference says, and what it changes is changed so in both.
//!
//! Every case is made of its seed, which a failure names. `STK_CASES` sets how many there are.

use std::collections::BTreeMap;

use santokit_core::{
    access::{Actor, ActorKind, Permissions, Rule as DeclaredRule, TablePermissions},
    code::Code,
    schema::Schema,
};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, Value as Json, json};

use super::{
    reference::{self, Cell, Filter, Kind, Rights, Rule, Table},
    world::{World, actor},
};

/// Tables of a world, each of which refers to the one before.
const TABLES: usize = 3;

/// Operators of every type that can be compared.
const EQUALITY: [&str; 2] = ["$eq", "$ne"];

/// Operators of types that have an order too.
const ORDER: [&str; 6] = ["$eq", "$ne", "$lt", "$lte", "$gt", "$gte"];

/// Requests to one world.
const REQUESTS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    worlds(Dialect::Sqlite, 25).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    worlds(Dialect::Postgres, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    worlds(Dialect::Mysql, 4).await;
}

async fn worlds(dialect: Dialect, default: u64) {
    let count = std::env::var("STK_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    // Every run looks somewhere else; a failure says where.
    let first = std::env::var("STK_SEED").ok().and_then(|text| text.parse().ok());
    let first = first.unwrap_or_else(|| u64::from(std::process::id()) * 1_000);
    for seed in first..first + count {
        Trial::new(dialect, seed).await.run().await;
    }
}

/// A world and its reference.
struct Trial {
    world: World,
    tables: Vec<Table>,
    dice: Dice,
    seed: u64,
    caller: Actor,
    operator: Actor,
    made: usize,
}

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>): the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn of<'o, T>(&mut self, options: &'o [T]) -> &'o T {
        &options[self.below(options.len())]
    }
}

impl Trial {
    async fn new(dialect: Dialect, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut tables: Vec<Table> = (0..TABLES).map(|at| table(&mut dice, at)).collect();
        let world = World::new(dialect, &schema(&tables), &permissions(&tables)).await;
        for at in 0..TABLES {
            for number in 0..dice.below(9) {
                let row = row(&mut dice, &tables, at, format!("r{number}"));
                tables[at].rows.push(row);
            }
        }
        let caller = actor(if dice.one_in(2) { ActorKind::User } else { ActorKind::ApiKey }, "me", &["role"]);
        let operator = actor(ActorKind::ApiKey, "root", &["root"]);
        let trial = Self { world, tables, dice, seed, caller, operator, made: 0 };
        for table in &trial.tables {
            let rows: Vec<Json> = table.rows.iter().map(|row| table.object(row)).collect();
            if !rows.is_empty() {
                trial.ask(&trial.operator, table, "insert", &json!({"data": rows})).await.unwrap();
            }
        }
        trial
    }

    async fn run(mut self) {
        for _ in 0..REQUESTS {
            let at = self.dice.below(TABLES);
            match self.dice.below(8) {
                0 => self.insert(at).await,
                1 => self.update(at).await,
                2 => self.delete(at).await,
                3 => self.pages(at).await,
                4 => self.numbers(at).await,
                5 => self.hidden(at).await,
                _ => self.select(at).await,
            }
        }
    }

    async fn select(&mut self, at: usize) {
        let filter = self.filter(at, 0);
        let order = self.order(at);
        let up = at > 0 && self.tables[at].select.columns[1] && self.dice.one_in(3);
        let down = at + 1 < TABLES && self.tables[at + 1].select.columns[1] && self.dice.one_in(3);
        let (limit, offset) = (1 + self.dice.below(12), self.dice.below(3));
        let mut expand = Vec::new();
        if up {
            expand.push("up".to_owned());
        }
        if down {
            expand.push(self.tables[at + 1].name.clone());
        }
        let mut params =
            json!({"where": filter.json(&self.tables, at), "limit": limit, "offset": offset, "count": true});
        if !expand.is_empty() {
            params["expand"] = json!(expand);
        }
        if !order.is_empty() {
            params["orderBy"] = self.order_json(at, &order);
        }
        let rows = reference::select(&self.tables, at, &filter, &order);
        let expected: Vec<Json> = rows
            .iter()
            .skip(offset)
            .take(limit)
            .map(|row| reference::answer(&self.tables, at, row, (up, down)))
            .collect();
        let got = self.ask(&self.caller, &self.tables[at], "select", &params).await;
        let (data, meta) = got.unwrap_or_else(|error| panic!("seed {}: {params}: {error:?}", self.seed));
        self.same(&params, &data, &expected.into());
        assert_eq!(meta["total"], rows.len(), "seed {}: {params}", self.seed);
    }

    /// Page by page until the end: every row once, in order.
    async fn pages(&mut self, at: usize) {
        let filter = self.filter(at, 1);
        let order = self.order(at);
        let size = 1 + self.dice.below(4);
        let mut params = json!({"where": filter.json(&self.tables, at), "limit": size});
        if !order.is_empty() {
            params["orderBy"] = self.order_json(at, &order);
        }
        let mut all = Vec::new();
        loop {
            let got = self.ask(&self.caller, &self.tables[at], "select", &params).await;
            let (data, meta) = got.unwrap_or_else(|error| panic!("seed {}: {params}: {error:?}", self.seed));
            all.extend(data.as_array().unwrap().iter().cloned());
            assert!(all.len() < 1_000, "seed {}: {params}: no end", self.seed);
            match meta.get("nextCursor") {
                Some(cursor) => params["cursor"] = cursor.clone(),
                None => break,
            }
        }
        let rows = reference::select(&self.tables, at, &filter, &order);
        let expected: Vec<Json> =
            rows.iter().map(|row| reference::answer(&self.tables, at, row, (false, false))).collect();
        self.same(&params, &all.into(), &expected.into());
    }

    async fn numbers(&mut self, at: usize) {
        let filter = self.filter(at, 0);
        let Some(group) = self.visible_column(at) else { return };
        let name = self.tables[at].columns[group].0.clone();
        let params = json!({
            "where": filter.json(&self.tables, at),
            "aggregate": {"count": true, "groupBy": [name]},
            "orderBy": {name.clone(): "asc"},
        });
        let mut groups: Vec<(Cell, usize)> = Vec::new();
        for row in reference::select(&self.tables, at, &filter, &[(group, true)]) {
            match groups.last_mut() {
                Some((cell, count)) if *cell == row[group] => *count += 1,
                _ => groups.push((row[group].clone(), 1)),
            }
        }
        let kind = self.tables[at].columns[group].1;
        let expected: Vec<Json> =
            groups.iter().map(|(cell, count)| json!({name.clone(): cell.json(kind), "count": count})).collect();
        let got = self.ask(&self.caller, &self.tables[at], "select", &params).await;
        let (data, _) = got.unwrap_or_else(|error| panic!("seed {}: {params}: {error:?}", self.seed));
        self.same(&params, &data, &expected.into());
    }

    /// A column that is not given cannot be asked for in any way.
    async fn hidden(&mut self, at: usize) {
        let table = &self.tables[at];
        let Some(hidden) = (0..table.columns.len()).find(|column| !table.select.columns[*column]) else { return };
        let name = &table.columns[hidden].0;
        for params in [
            json!({"select": [name]}),
            json!({"where": {name.clone(): null}}),
            json!({"where": {"$not": {name.clone(): {"$isNull": true}}}}),
            json!({"orderBy": {name.clone(): "asc"}}),
            json!({"aggregate": {"count": [name]}}),
            json!({"aggregate": {"count": true, "groupBy": [name]}}),
        ] {
            let expected = if self.caller.kind == ActorKind::User { Code::BadRequest } else { Code::Forbidden };
            assert_eq!(
                self.ask(&self.caller, table, "select", &params).await.unwrap_err(),
                expected,
                "seed {}: {params}",
                self.seed
            );
        }
    }

    async fn insert(&mut self, at: usize) {
        let count = 1 + self.dice.below(3);
        let mut rows = Vec::new();
        for _ in 0..count {
            self.made += 1;
            let is_taken = self.dice.one_in(8) && !self.tables[at].rows.is_empty();
            let id = match is_taken.then(|| &self.dice.of(&self.tables[at].rows)[0]) {
                Some(Cell::Text(id)) => id.clone(),
                _ => format!("n{}", self.made),
            };
            let mut row = row(&mut self.dice, &self.tables, at, id);
            for (column, cell) in row.iter_mut().enumerate().skip(1) {
                if !self.tables[at].insert.columns[column] {
                    *cell = Cell::Null;
                }
            }
            rows.push(row);
        }
        let table = &self.tables[at];
        let data: Vec<Json> = rows.iter().map(|row| table.sent(row, &table.insert)).collect();
        let params = json!({"data": data, "returning": false});
        let is_taken = rows.iter().any(|row| table.rows.iter().any(|old| old[0] == row[0]));
        let is_admitted = rows.iter().all(|row| table.insert.rule.holds(row) == Some(true));
        let got = self.ask(&self.caller, table, "insert", &params).await;
        match (is_taken, is_admitted, got) {
            (false, true, Ok((data, _))) => {
                assert_eq!(data, json!({"affected": count}), "seed {}: {params}", self.seed);
                self.tables[at].rows.extend(rows);
            }
            (true, _, Err(Code::Conflict)) | (_, false, Err(Code::Forbidden)) => {}
            (_, _, got) => panic!("seed {}: {params}: {got:?}, taken {is_taken}, admitted {is_admitted}", self.seed),
        }
        self.unchanged_but(at, &params).await;
    }

    async fn update(&mut self, at: usize) {
        let filter = self.filter(at, 1);
        let table = &self.tables[at];
        let given: Vec<usize> = (2..table.columns.len()).filter(|column| table.update.columns[*column]).collect();
        if given.is_empty() {
            return;
        }
        let column = *self.dice.of(&given);
        let value = cell(&mut self.dice, self.tables[at].columns[column].1);
        let table = &self.tables[at];
        let data = json!({table.columns[column].0.clone(): value.json(table.columns[column].1)});
        let params = json!({"where": filter.json(&self.tables, at), "data": data});
        let is_meant: Vec<bool> = table
            .rows
            .iter()
            .map(|row| {
                table.update.rule.holds(row) == Some(true)
                    && table.select.rule.holds(row) == Some(true)
                    && filter.passes(&self.tables, at, row) == Some(true)
            })
            .collect();
        let mut changed = table.rows.clone();
        for (row, _) in changed.iter_mut().zip(&is_meant).filter(|(_, meant)| **meant) {
            row[column] = value.clone();
        }
        let is_admitted = changed
            .iter()
            .zip(&is_meant)
            .filter(|(_, meant)| **meant)
            .all(|(row, _)| table.update.rule.holds(row) == Some(true));
        let got = self.ask(&self.caller, table, "update", &params).await;
        match (is_admitted, got) {
            (true, Ok((data, _))) => {
                let affected = is_meant.iter().filter(|meant| **meant).count();
                assert_eq!(data, json!({"affected": affected}), "seed {}: {params}", self.seed);
                self.tables[at].rows = changed;
            }
            (false, Err(Code::Forbidden)) => {}
            (_, got) => panic!("seed {}: {params}: {got:?}, admitted {is_admitted}", self.seed),
        }
        self.unchanged_but(at, &params).await;
    }

    async fn delete(&mut self, at: usize) {
        let filter = self.filter(at, 1);
        let table = &self.tables[at];
        let params = json!({"where": filter.json(&self.tables, at), "returning": true});
        let meant = |row: &&Vec<Cell>| {
            table.delete.rule.holds(row) == Some(true)
                && table.select.rule.holds(row) == Some(true)
                && filter.passes(&self.tables, at, row) == Some(true)
        };
        let (gone, kept): (Vec<&Vec<Cell>>, Vec<&Vec<Cell>>) = table.rows.iter().partition(meant);
        let is_used =
            at + 1 < TABLES && self.tables[at + 1].rows.iter().any(|child| gone.iter().any(|row| row[0] == child[1]));
        let mut expected: Vec<String> =
            gone.iter().map(|row| reference::answer(&self.tables, at, row, (false, false)).to_string()).collect();
        let kept: Vec<Vec<Cell>> = kept.into_iter().cloned().collect();
        let got = self.ask(&self.caller, table, "delete", &params).await;
        match (is_used, got) {
            (false, Ok((data, _))) => {
                let mut found: Vec<String> = data.as_array().unwrap().iter().map(Json::to_string).collect();
                found.sort();
                expected.sort();
                assert_eq!(found, expected, "seed {}: {params}", self.seed);
                self.tables[at].rows = kept;
            }
            (true, Err(Code::Conflict)) => {}
            (_, got) => panic!("seed {}: {params}: {got:?}, used {is_used}", self.seed),
        }
        self.unchanged_but(at, &params).await;
    }

    /// What is stored is what the reference has.
    async fn unchanged_but(&self, at: usize, params: &Json) {
        let table = &self.tables[at];
        let (data, _) = self.ask(&self.operator, table, "select", &json!({"limit": 1_000})).await.unwrap();
        let mut rows: Vec<&Vec<Cell>> = table.rows.iter().collect();
        rows.sort_by(|a, b| a[0].order(&b[0]).unwrap());
        let expected: Vec<Json> = rows.into_iter().map(|row| table.object(row)).collect();
        self.same(params, &data, &expected.into());
    }

    fn same(&self, params: &Json, got: &Json, expected: &Json) {
        if got != expected {
            let tables: Vec<String> = self.tables.iter().map(|table| format!("{table:?}")).collect();
            panic!("seed {}: {params}\n  got      {got}\n  expected {expected}\n{}", self.seed, tables.join("\n"));
        }
    }

    async fn ask(
        &self,
        caller: &Actor,
        table: &Table,
        verb: &str,
        params: &Json,
    ) -> Result<(Json, Map<String, Json>), Code> {
        let path = format!("db/{}/{verb}", table.name);
        match self.world.call(caller, &path, params.as_object().unwrap(), None).await {
            Ok(answer) => Ok((serde_json::from_slice(&answer.data).unwrap(), answer.meta)),
            Err(problem) => {
                let inside = problem.code == Code::InternalError || problem.code == Code::ServiceUnavailable;
                assert!(!inside, "seed {}: {path} {params}: {problem:?}", self.seed);
                Err(problem.code)
            }
        }
    }

    fn visible_column(&mut self, at: usize) -> Option<usize> {
        let table = &self.tables[at];
        let visible: Vec<usize> = (0..table.columns.len()).filter(|column| table.select.columns[*column]).collect();
        if visible.is_empty() { None } else { Some(*self.dice.of(&visible)) }
    }

    fn order(&mut self, at: usize) -> Vec<(usize, bool)> {
        let mut order: Vec<(usize, bool)> = Vec::new();
        for _ in 0..self.dice.below(3) {
            if let Some(column) = self.visible_column(at)
                && order.iter().all(|(other, _)| *other != column)
            {
                order.push((column, self.dice.one_in(2)));
            }
        }
        order
    }

    fn order_json(&self, at: usize, order: &[(usize, bool)]) -> Json {
        let key = |(column, up): &(usize, bool)| json!({self.tables[at].columns[*column].0.clone(): if *up { "asc" } else { "desc" }});
        order.iter().map(key).collect()
    }

    fn filter(&mut self, at: usize, depth: usize) -> Filter {
        if depth < 3 && self.dice.one_in(2) {
            let parts: Vec<Filter> = (0..=self.dice.below(2)).map(|_| self.filter(at, depth + 1)).collect();
            return match self.dice.below(5) {
                0 => Filter::Not(Box::new(self.filter(at, depth + 1))),
                1 if at > 0 && self.tables[at].select.columns[1] => {
                    Filter::Parent(Box::new(self.filter(at - 1, depth + 1)))
                }
                2 if at + 1 < TABLES && self.tables[at + 1].select.columns[1] => {
                    Filter::Child(Box::new(self.filter(at + 1, depth + 1)))
                }
                3 => Filter::All(parts),
                _ => Filter::Any(parts),
            };
        }
        // The key may always be read.
        let column = self.visible_column(at).unwrap_or(0);
        let kind = self.tables[at].columns[column].1;
        let dice = &mut self.dice;
        let mut value = || loop {
            let cell = if column < 2 { Cell::Text(format!("r{}", dice.below(9))) } else { cell(dice, kind) };
            if cell != Cell::Null {
                return cell;
            }
        };
        let (first, second, third) = (value(), value(), value());
        let operators = if kind == Kind::Boolean { EQUALITY.as_slice() } else { ORDER.as_slice() };
        match (self.dice.below(6), kind) {
            (0, _) => Filter::IsNull(column, self.dice.one_in(2)),
            (1, _) => Filter::In(column, self.dice.one_in(2), vec![first, second]),
            (2, kind) if kind != Kind::Boolean => Filter::Between(column, second, third),
            (3, Kind::Text) => {
                Filter::Contains(column, (*self.dice.of(&["a", "A", " ", "r", "\u{e4}", "%"])).to_owned())
            }
            _ => Filter::Compare(column, operators[self.dice.below(operators.len())], first),
        }
    }
}

impl Table {
    fn object(&self, row: &[Cell]) -> Json {
        let fields = self.columns.iter().zip(row).map(|((name, kind), cell)| (name.clone(), cell.json(*kind)));
        Json::Object(fields.collect())
    }

    /// Only what may be written, and of that not all that is NULL.
    fn sent(&self, row: &[Cell], rights: &Rights) -> Json {
        let fields = self.columns.iter().zip(row).enumerate();
        let fields = fields.filter(|(index, _)| rights.columns[*index]);
        Json::Object(fields.map(|(_, ((name, kind), cell))| (name.clone(), cell.json(*kind))).collect())
    }
}

fn table(dice: &mut Dice, at: usize) -> Table {
    let mut columns = vec![("id".to_owned(), Kind::Text), ("upId".to_owned(), Kind::Text)];
    for number in 0..2 + dice.below(4) {
        let kind =
            *dice.of(&[Kind::Int, Kind::Bigint, Kind::Decimal, Kind::Float, Kind::Text, Kind::Text, Kind::Boolean]);
        columns.push((format!("c{number}"), kind));
    }
    let mut rights = |is_read: bool| Rights {
        columns: (0..columns.len()).map(|column| column == 0 || !dice.one_in(if is_read { 4 } else { 6 })).collect(),
        rule: rule(dice, &columns, 0),
    };
    let (select, insert, update, delete) = (rights(true), rights(false), rights(false), rights(false));
    Table { name: format!("t{at}"), columns, rows: Vec::new(), select, insert, update, delete }
}

fn rule(dice: &mut Dice, columns: &[(String, Kind)], depth: usize) -> Rule {
    if depth == 0 && dice.one_in(3) {
        return Rule::Always;
    }
    if depth < 2 && dice.one_in(2) {
        let parts: Vec<Rule> = (0..2).map(|_| rule(dice, columns, depth + 1)).collect();
        return match dice.below(3) {
            0 => Rule::Not(Box::new(rule(dice, columns, depth + 1))),
            1 => Rule::All(parts),
            _ => Rule::Any(parts),
        };
    }
    let column = 2 + dice.below(columns.len() - 2);
    let kind = columns[column].1;
    let mut value = cell(dice, kind);
    if let Cell::Decimal(hundredths) = &mut value {
        // As it is written in CEL.
        *hundredths = *hundredths / 100 * 100;
    }
    let same: Vec<usize> = (2..columns.len()).filter(|other| *other != column && columns[*other].1 == kind).collect();
    match dice.below(5) {
        0 if !same.is_empty() => Rule::Same(column, *dice.of(&same)),
        1 if kind == Kind::Text => Rule::Begins(column, (*dice.of(&["a", "A", ""])).to_owned()),
        2 | 3 if !matches!(kind, Kind::Boolean) && value != Cell::Null => Rule::Less(column, value),
        _ => Rule::Equal(column, value),
    }
}

fn row(dice: &mut Dice, tables: &[Table], at: usize, id: String) -> Vec<Cell> {
    let parent = if at > 0 && !tables[at - 1].rows.is_empty() && !dice.one_in(4) {
        dice.of(&tables[at - 1].rows)[0].clone()
    } else {
        Cell::Null
    };
    let mut row = vec![Cell::Text(id), parent];
    for (_, kind) in &tables[at].columns[2..] {
        row.push(cell(dice, *kind));
    }
    row
}

/// Few values, so that they meet; among them those that engines like to treat differently.
fn cell(dice: &mut Dice, kind: Kind) -> Cell {
    if dice.one_in(5) {
        return Cell::Null;
    }
    match kind {
        Kind::Int => Cell::Int(*dice.of(&[-1, 0, 1, 2, 2_147_483_647])),
        Kind::Bigint => Cell::Int(*dice.of(&[-1, 0, 9_007_199_254_740_993, i64::MAX])),
        Kind::Decimal => Cell::Decimal(*dice.of(&[-150, 0, 100, 150, 200, 1_000, 99_999])),
        Kind::Float => Cell::Float(*dice.of(&[-0.5, 0.0, 1.5, 2.0, 1e10])),
        Kind::Text => Cell::Text((*dice.of(&["a", "A", "a ", "b", "\u{e4}", "", "ab", "\u{1f600}"])).to_owned()),
        Kind::Boolean => Cell::Boolean(dice.one_in(2)),
    }
}

fn schema(tables: &[Table]) -> Schema {
    let mut all = Map::new();
    for (at, table) in tables.iter().enumerate() {
        let columns: Vec<Json> = table
            .columns
            .iter()
            .enumerate()
            .skip(1)
            .map(|(index, (name, kind))| {
                let kind = match kind {
                    Kind::Int => "int",
                    Kind::Bigint => "bigint",
                    Kind::Decimal => "decimal",
                    Kind::Float => "float",
                    Kind::Text => "string",
                    Kind::Boolean => "boolean",
                };
                let mut column = json!({"name": name, "type": kind, "nullable": true});
                if index == 1 && at > 0 {
                    column["references"] = json!({
                        "table": tables[at - 1].name, "column": "id", "as": "up",
                        "onDelete": "restrict", "onUpdate": "restrict",
                    });
                }
                column
            })
            .collect();
        let declared = json!({"id": {"name": "id", "generate": "client", "type": "string"}, "columns": columns});
        all.insert(table.name.clone(), declared);
    }
    serde_json::from_value(json!({"tables": all})).unwrap()
}

fn permissions(tables: &[Table]) -> Permissions {
    let mut all = BTreeMap::new();
    for table in tables {
        let rules = |rights: &Rights| {
            let given = table.columns.iter().zip(&rights.columns).filter(|(_, given)| **given);
            vec![
                DeclaredRule { roles: vec!["root".to_owned()], condition: None, columns: None },
                DeclaredRule {
                    roles: vec!["role".to_owned()],
                    condition: match &rights.rule {
                        Rule::Always => None,
                        rule => Some(rule.cel(&table.columns)),
                    },
                    columns: Some(given.map(|((name, _), _)| name.clone()).collect()),
                },
            ]
        };
        let permissions = TablePermissions {
            select: rules(&table.select),
            insert: rules(&table.insert),
            update: rules(&table.update),
            delete: rules(&table.delete),
        };
        all.insert(table.name.clone(), permissions);
    }
    Permissions { tables: all, ..Permissions::default() }
}
