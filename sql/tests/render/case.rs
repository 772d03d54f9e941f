//! A case of a golden file: its plan, and the statements of every dialect as text. It reads the words of requests, without the checks
//! that a Bridge makes.

use std::fmt::Write as _;

use santokit_core::{
    access::{
        Actor, ActorKind,
        lower::{Asked, RowCondition},
        predicate::Predicate,
    },
    param::convert,
    schema::{Schema, Table, Type, relation::Relations},
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{
        Aggregate, Cell, Check, Column, Comparison, Condition, Conflict, Count, Course, Delete, Direction, Existing,
        Function, Insert, Keys, Measure, OnConflict, Position, Related, Select, SortKey, Source, Target, Update,
    },
    render::{self, RenderError},
    statement::Statement,
};
use serde_json::{Map, Value as Json, json};

/// A case, with the tables around it.
pub(crate) struct Case<'c> {
    schema: &'c Schema,
    relations: Relations,
    json: &'c Json,
}

/// What is written before a statement, and it.
type Titled = (String, Result<Statement, RenderError>);

impl<'c> Case<'c> {
    pub(crate) fn new(schema: &'c Schema, json: &'c Json) -> Self {
        Self { schema, relations: Relations::of(schema), json }
    }

    /// Every statement on every dialect, with what is bound and answered.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("-- {}\n", self.json["about"].as_str().unwrap());
        for dialect in Dialect::ALL {
            write!(text, "\n-- {}\n", dialect.as_str()).unwrap();
            for (title, statement) in self.statements(*dialect) {
                if !title.is_empty() {
                    writeln!(text, "-- {title}").unwrap();
                }
                match statement {
                    Ok(statement) => show(&mut text, &statement),
                    Err(error) => writeln!(text, "-- refused: {error}").unwrap(),
                }
            }
        }
        text
    }

    /// The texts alone.
    pub(crate) fn texts(&self) -> Vec<String> {
        let of = |dialect: &Dialect| {
            self.statements(*dialect).into_iter().map(|(_, statement)| match statement {
                Ok(statement) => statement.sql,
                Err(error) => error.to_string(),
            })
        };
        Dialect::ALL.iter().flat_map(of).collect()
    }

    fn statements(&self, dialect: Dialect) -> Vec<Titled> {
        let (verb, plan) = self.json.as_object().unwrap().iter().find(|(_, plan)| plan["table"].is_string()).unwrap();
        let one = |statement| vec![(String::new(), statement)];
        match verb.as_str() {
            "select" => one(render::select(&self.select(plan), dialect)),
            "count" => {
                let columns = self.columns(plan, "distinct");
                one(render::count(&Count { source: self.source(plan), distinct: columns }, dialect))
            }
            "aggregate" => one(render::aggregate(&self.aggregate(plan), dialect).map(|aggregate| aggregate.statement)),
            "insert" => self.insert(plan, dialect),
            "update" => self.update(plan, dialect),
            "delete" => self.delete(plan, dialect),
            other => panic!("no such plan: {other}"),
        }
    }

    fn table(&self, plan: &Json) -> &'c Table {
        &self.schema.tables[plan["table"].as_str().unwrap()]
    }

    fn column(&self, plan: &Json, name: &str) -> Column {
        Column::of(self.table(plan), name).unwrap_or_else(|| panic!("no column {name}"))
    }

    fn columns(&self, plan: &Json, key: &str) -> Vec<Column> {
        let names = plan[key].as_array().into_iter().flatten();
        names.map(|name| self.column(plan, name.as_str().unwrap())).collect()
    }

    fn source(&self, plan: &Json) -> Source {
        let table = plan["table"].as_str().unwrap();
        Source {
            table: table.to_owned(),
            rule: self.rule(table, &plan["rule"]),
            filter: self.filter(table, &plan["where"]),
            keys: plan["keys"].as_object().map(|keys| {
                let (name, values) = keys.iter().next().unwrap();
                let column = self.column(plan, name);
                let values = values.as_array().unwrap().iter().map(|json| value(column.kind, json)).collect();
                Keys { column, values }
            }),
        }
    }

    /// A condition in CEL, for one caller.
    fn rule(&self, table: &str, source: &Json) -> Predicate {
        let Some(source) = source.as_str() else { return Predicate::ALWAYS };
        let condition = RowCondition::compile(source, &self.schema.tables[table]).unwrap();
        let claims = json!({"teams": ["red", "blue", null], "level": 3}).as_object().unwrap().clone();
        let actor = Actor { kind: ActorKind::User, subject: Some("ada".to_owned()), roles: Vec::new(), claims };
        match condition.ask(&actor, &Map::new(), "2026-06-01T12:00:00Z".parse().unwrap()) {
            Asked::Holds => Predicate::ALWAYS,
            Asked::Row(predicate) => predicate,
            Asked::Fails | Asked::Error(_) => Predicate::NEVER,
        }
    }

    fn filter(&self, table: &str, json: &Json) -> Condition {
        let Some(map) = json.as_object() else { return Condition::EVERY };
        Condition::All(map.iter().map(|(name, json)| self.part(table, name, json)).collect())
    }

    fn part(&self, table: &str, name: &str, json: &Json) -> Condition {
        let list = || json.as_array().unwrap().iter().map(|json| self.filter(table, json)).collect();
        match name {
            "$and" => return Condition::All(list()),
            "$or" => return Condition::Any(list()),
            "$not" => return Condition::Not(Box::new(self.filter(table, json))),
            _ => {}
        }
        if let Some(relation) = self.relations.get(table, name) {
            return Condition::Related(Box::new(Related {
                local: Column::of(&self.schema.tables[table], &relation.local).unwrap(),
                table: relation.table.clone(),
                remote: Column::of(&self.schema.tables[&relation.table], &relation.remote).unwrap(),
                rule: self.rule(&relation.table, &self.json["rules"][&relation.table]),
                condition: self.filter(&relation.table, json),
            }));
        }
        let column = Column::of(&self.schema.tables[table], name).unwrap_or_else(|| panic!("no column {name}"));
        match json {
            Json::Null => Condition::IsNull(column),
            Json::Object(operators) => {
                Condition::All(operators.iter().map(|(operator, json)| operation(&column, operator, json)).collect())
            }
            json => Condition::Compare(column.clone(), Comparison::Equal, value(column.kind, json)),
        }
    }

    fn order(&self, plan: &Json) -> Vec<SortKey> {
        let part = |json: &Json| {
            let text = json.as_str().unwrap();
            let direction = if text.starts_with('-') { Direction::Descending } else { Direction::Ascending };
            SortKey { column: self.column(plan, text.trim_start_matches('-')), direction }
        };
        plan["order"].as_array().into_iter().flatten().map(part).collect()
    }

    fn select(&self, plan: &Json) -> Select {
        let order = self.order(plan);
        let position = |values: &Vec<Json>| {
            Position(order.iter().zip(values).map(|(key, json)| value(key.column.kind, json)).collect())
        };
        Select {
            source: self.source(plan),
            columns: self.columns(plan, "select"),
            distinct: plan["distinct"] == json!(true),
            after: plan["after"].as_array().map(position),
            order,
            limit: plan["limit"].as_u64(),
            offset: plan["offset"].as_u64().unwrap_or(0),
        }
    }

    fn aggregate(&self, plan: &Json) -> Aggregate {
        let measure = |(name, json): (&String, &Json)| {
            let column = || self.column(plan, json[1].as_str().unwrap());
            let function = match json[0].as_str().unwrap() {
                "count" if json[1].is_null() => Function::CountRows,
                "count" => Function::Count(column()),
                "sum" => Function::Sum(column()),
                "avg" => Function::Average(column()),
                "min" => Function::Minimum(column()),
                _ => Function::Maximum(column()),
            };
            Measure { name: name.clone(), function }
        };
        Aggregate {
            source: self.source(plan),
            groups: self.columns(plan, "groupBy"),
            measures: plan["measures"].as_object().unwrap().iter().map(measure).collect(),
            order: self.order(plan),
            limit: plan["limit"].as_u64(),
            offset: plan["offset"].as_u64().unwrap_or(0),
        }
    }

    fn insert(&self, plan: &Json, dialect: Dialect) -> Vec<Titled> {
        let columns = self.columns(plan, "columns");
        let cell = |(column, json): (&Column, &Json)| match json.as_str() {
            Some("$default") => Cell::Default,
            _ => Cell::Value(value(column.kind, json)),
        };
        let row = |json: &Json| columns.iter().zip(json.as_array().unwrap()).map(cell).collect();
        let conflict = plan["conflict"].is_object().then(|| {
            let conflict = &plan["conflict"];
            let set = conflict["update"]
                .as_array()
                .map(|names| names.iter().map(|name| self.column(plan, name.as_str().unwrap())).collect());
            let columns = conflict["columns"].as_array().unwrap();
            Conflict {
                columns: columns.iter().map(|name| self.column(plan, name.as_str().unwrap())).collect(),
                action: match set {
                    Some(set) => {
                        OnConflict::Update { set, rule: self.rule(plan["table"].as_str().unwrap(), &conflict["rule"]) }
                    }
                    None => OnConflict::Ignore,
                },
            }
        });
        let mut insert = Insert {
            table: plan["table"].as_str().unwrap().to_owned(),
            key: Column::key(self.table(plan)),
            auto_increment: plan["autoIncrement"] == json!(true),
            rows: plan["rows"].as_array().unwrap().iter().map(row).collect(),
            conflict,
            check: self.rule(plan["table"].as_str().unwrap(), &plan["check"]),
            returning: self.columns(plan, "returning"),
            visible: self.rule(plan["table"].as_str().unwrap(), &plan["visible"]),
            tells_new: plan["tellsNew"] == json!(true),
            columns,
        };
        let mut titled = Vec::new();
        if dialect == Dialect::Mysql && insert.conflict.is_some() {
            titled.push(("existing rows".to_owned(), render::existing(Existing(&insert), dialect)));
            insert.conflict = None;
        }
        let course = insert.course(dialect);
        match render::insert(&insert, dialect) {
            Ok(statements) => titled.extend(statements.into_iter().map(|statement| (name_of(course), Ok(statement)))),
            Err(error) => titled.push((name_of(course), Err(error))),
        }
        if course == Course::ByKey {
            titled.extend(self.behind(plan, &insert.check, &insert.returning, dialect));
        }
        titled
    }

    fn target(&self, plan: &Json) -> Target {
        let source = self.source(plan);
        let key = Column::key(self.table(plan));
        Target { table: source.table, key, rule: source.rule, filter: source.filter, keys: None }
    }

    fn update(&self, plan: &Json, dialect: Dialect) -> Vec<Titled> {
        let set: Vec<(Column, Value)> = plan["set"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, json)| {
                let column = self.column(plan, name);
                let value = value(column.kind, json);
                (column, value)
            })
            .collect();
        let target = self.target(plan);
        let check = Update::check_needed(&target.rule, &set);
        let mut update = Update { target, set, check, returning: self.columns(plan, "returning") };
        let course = update.course(dialect);
        let mut titled = Vec::new();
        if course == Course::ByKey {
            titled.push(("lock".to_owned(), render::lock(&update.target, 1_001, dialect)));
            update.target.keys = Some(self.keys(plan));
        }
        titled.push((name_of(course), render::update(&update, dialect)));
        if course == Course::ByKey {
            titled.extend(self.behind(plan, &update.check, &update.returning, dialect));
        }
        titled
    }

    fn delete(&self, plan: &Json, dialect: Dialect) -> Vec<Titled> {
        let mut delete = Delete { target: self.target(plan), returning: self.columns(plan, "returning") };
        let course = delete.course(dialect);
        let mut titled = Vec::new();
        if course == Course::ByKey {
            titled.push(("lock".to_owned(), render::lock(&delete.target, 1_001, dialect)));
            titled.extend(self.behind(plan, &Predicate::ALWAYS, &delete.returning, dialect));
            delete.target.keys = Some(self.keys(plan));
        }
        titled.push((name_of(course), render::delete(&delete, dialect)));
        titled
    }

    /// Three keys, as if they had been found.
    fn keys(&self, plan: &Json) -> Keys {
        let column = Column::key(self.table(plan));
        let key = |n: i64| match column.kind {
            Type::Bigint | Type::Int => Value::Int64(n),
            _ => Value::Text(format!("key{n}")),
        };
        Keys { values: (1..=3).map(key).collect(), column }
    }

    /// What a write by key does besides: the check, and the rows of the answer.
    fn behind(&self, plan: &Json, check: &Predicate, returning: &[Column], dialect: Dialect) -> Vec<Titled> {
        let mut titled = Vec::new();
        let table = plan["table"].as_str().unwrap();
        if !check.is_always() {
            let plan = Check { table: table.to_owned(), keys: self.keys(plan), predicate: check.clone() };
            titled.push(("check".to_owned(), render::check(&plan, dialect)));
        }
        if !returning.is_empty() {
            let source = Source { keys: Some(self.keys(plan)), ..Source::of(table, Predicate::ALWAYS) };
            let read = Select {
                source,
                columns: returning.to_vec(),
                distinct: false,
                order: Vec::new(),
                after: None,
                limit: None,
                offset: 0,
            };
            titled.push(("rows".to_owned(), render::select(&read, dialect)));
        }
        titled
    }
}

fn name_of(course: Course) -> String {
    match course {
        Course::Affected => "affected",
        Course::Returning => "returning",
        Course::ByKey => "by key",
    }
    .to_owned()
}

fn operation(column: &Column, operator: &str, json: &Json) -> Condition {
    let compare = |comparison| Condition::Compare(column.clone(), comparison, value(column.kind, json));
    let values = || json.as_array().unwrap().iter().map(|json| value(column.kind, json)).collect::<Vec<_>>();
    let text = || json.as_str().unwrap().to_owned();
    match operator {
        "$eq" => compare(Comparison::Equal),
        "$ne" => compare(Comparison::NotEqual),
        "$gt" => compare(Comparison::Greater),
        "$gte" => compare(Comparison::GreaterOrEqual),
        "$lt" => compare(Comparison::Less),
        "$lte" => compare(Comparison::LessOrEqual),
        "$in" => Condition::OneOf(column.clone(), values()),
        "$notIn" => Condition::Not(Box::new(Condition::OneOf(column.clone(), values()))),
        "$like" => Condition::Like { column: column.clone(), pattern: text(), case_sensitive: true },
        "$ilike" => Condition::Like { column: column.clone(), pattern: text(), case_sensitive: false },
        "$contains" => Condition::Contains(column.clone(), text()),
        "$isNull" => Condition::IsNull(column.clone()),
        "$isNotNull" => Condition::Not(Box::new(Condition::IsNull(column.clone()))),
        "$between" => Condition::Between(column.clone(), value(column.kind, &json[0]), value(column.kind, &json[1])),
        other => panic!("no such operator: {other}"),
    }
}

fn value(kind: Type, json: &Json) -> Value {
    convert::to_value(kind, json).unwrap()
}

fn show(text: &mut String, statement: &Statement) {
    writeln!(text, "{}", statement.sql).unwrap();
    let params: Vec<String> = statement
        .params
        .iter()
        .map(|bound| {
            let value = match &bound.value {
                Value::Null => "NULL".to_owned(),
                Value::Boolean(truth) => truth.to_string(),
                Value::Int64(number) => number.to_string(),
                Value::Float64(number) => number.to_string(),
                Value::Text(text) => format!("{text:?}"),
                Value::Bytes(bytes) => format!("{bytes:?}"),
                Value::Typed(_, text) => text.clone(),
            };
            format!("{} {value}", bound.kind.as_str())
        })
        .collect();
    if !params.is_empty() {
        writeln!(text, "-- binds {}", params.join(", ")).unwrap();
    }
    let columns: Vec<String> =
        statement.columns.iter().map(|column| format!("{} {}", column.name, column.kind.as_str())).collect();
    if !columns.is_empty() {
        writeln!(text, "-- answers {}", columns.join(", ")).unwrap();
    }
}
