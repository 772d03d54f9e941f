//! A database that knows no SQL: all rows in memory, rules and filters evaluated one row at a time, as the documentation says they are. It is
//! slow and plain on purpose, and shares no code with what it is compared with.

use std::cmp::Ordering;

use serde_json::{Map, Value as Json, json};

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    /// Hundredths.
    Decimal(i64),
    Float(f64),
    Text(String),
    Boolean(bool),
}

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Bigint,
    Decimal,
    Float,
    Text,
    Boolean,
}

/// A table: the first column is the primary key, the second refers to the table before where there is one.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Kind)>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) select: Rights,
    pub(super) insert: Rights,
    pub(super) update: Rights,
    pub(super) delete: Rights,
}

/// What a caller may do.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    /// By column.
    pub(super) columns: Vec<bool>,
    pub(super) rule: Rule,
}

/// A condition of a rule, with CEL's values of truth: none is an error.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Always,
    Equal(usize, Cell),
    Less(usize, Cell),
    Same(usize, usize),
    Begins(usize, String),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

/// A filter, with SQL's values of truth: none is unknown.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    Compare(usize, &'static str, Cell),
    In(usize, bool, Vec<Cell>),
    Between(usize, Cell, Cell),
    IsNull(usize, bool),
    Contains(usize, String),
    Not(Box<Filter>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    /// A row that this one refers to, and that may be seen.
    Parent(Box<Filter>),
    /// A row that refers to this one, and that may be seen.
    Child(Box<Filter>),
}

impl Cell {
    pub(super) fn json(&self, kind: Kind) -> Json {
        match self {
            Cell::Null => Json::Null,
            Cell::Int(number) if kind == Kind::Bigint => number.to_string().into(),
            Cell::Int(number) => (*number).into(),
            Cell::Decimal(hundredths) => decimal(*hundredths).into(),
            Cell::Float(number) => (*number).into(),
            Cell::Text(text) => text.as_str().into(),
            Cell::Boolean(truth) => (*truth).into(),
        }
    }

    fn cel(&self) -> String {
        match self {
            Cell::Null => "null".to_owned(),
            Cell::Int(number) => number.to_string(),
            // A decimal is compared with whole numbers.
            Cell::Decimal(hundredths) => (hundredths / 100).to_string(),
            Cell::Float(number) => format!("{number:?}"),
            Cell::Text(text) => format!("'{text}'"),
            Cell::Boolean(truth) => truth.to_string(),
        }
    }

    /// None where one of them is NULL.
    pub(super) fn order(&self, other: &Cell) -> Option<Ordering> {
        match (self, other) {
            (Cell::Int(a), Cell::Int(b)) | (Cell::Decimal(a), Cell::Decimal(b)) => Some(a.cmp(b)),
            (Cell::Float(a), Cell::Float(b)) => a.partial_cmp(b),
            (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
            (Cell::Boolean(a), Cell::Boolean(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    match rest {
        0 => format!("{sign}{whole}"),
        rest if rest % 10 == 0 => format!("{sign}{whole}.{}", rest / 10),
        rest => format!("{sign}{whole}.{rest:02}"),
    }
}

impl Rule {
    pub(super) fn holds(&self, row: &[Cell]) -> Option<bool> {
        match self {
            Rule::Always => Some(true),
            Rule::Equal(column, cell) => Some(row[*column] == *cell),
            Rule::Less(column, cell) => row[*column].order(cell).map(Ordering::is_lt),
            Rule::Same(a, b) => Some(row[*a] == row[*b]),
            Rule::Begins(column, text) => match &row[*column] {
                Cell::Text(found) => Some(found.starts_with(text.as_str())),
                _ => None,
            },
            Rule::Not(rule) => rule.holds(row).map(|truth| !truth),
            Rule::All(rules) => all(rules.iter().map(|rule| rule.holds(row))),
            Rule::Any(rules) => all(rules.iter().map(|rule| rule.holds(row).map(|truth| !truth))).map(|truth| !truth),
        }
    }

    pub(super) fn cel(&self, columns: &[(String, Kind)]) -> String {
        let name = |column: usize| format!("resource.{}", columns[column].0);
        let joined = |rules: &[Rule], with: &str| {
            let parts: Vec<String> = rules.iter().map(|rule| format!("({})", rule.cel(columns))).collect();
            parts.join(with)
        };
        match self {
            Rule::Always => "true".to_owned(),
            Rule::Equal(column, cell) => format!("{} == {}", name(*column), cell.cel()),
            Rule::Less(column, cell) => format!("{} < {}", name(*column), cell.cel()),
            Rule::Same(a, b) => format!("{} == {}", name(*a), name(*b)),
            Rule::Begins(column, text) => format!("{}.startsWith('{text}')", name(*column)),
            Rule::Not(rule) => format!("!({})", rule.cel(columns)),
            Rule::All(rules) => joined(rules, " && "),
            Rule::Any(rules) => joined(rules, " || "),
        }
    }
}

/// False where one is false, unknown where one is unknown, else true.
fn all(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let truths: Vec<Option<bool>> = truths.collect();
    if truths.contains(&Some(false)) {
        return Some(false);
    }
    if truths.contains(&None) { None } else { Some(true) }
}

impl Filter {
    /// `at` is the table among all, in the order in which they refer to each other.
    pub(super) fn passes(&self, tables: &[Table], at: usize, row: &[Cell]) -> Option<bool> {
        match self {
            Filter::Compare(column, operator, cell) => row[*column].order(cell).map(|order| match *operator {
                "$eq" => order.is_eq(),
                "$ne" => order.is_ne(),
                "$lt" => order.is_lt(),
                "$lte" => order.is_le(),
                "$gt" => order.is_gt(),
                _ => order.is_ge(),
            }),
            Filter::In(column, wanted, cells) => match &row[*column] {
                Cell::Null if !cells.is_empty() => None,
                cell => Some(cells.contains(cell) == *wanted),
            },
            Filter::Between(column, least, most) => {
                let (least, most) = (row[*column].order(least)?, row[*column].order(most)?);
                Some(least.is_ge() && most.is_le())
            }
            Filter::IsNull(column, wanted) => Some((row[*column] == Cell::Null) == *wanted),
            Filter::Contains(column, text) => match &row[*column] {
                Cell::Text(found) => Some(found.contains(text.as_str())),
                _ => None,
            },
            Filter::Not(filter) => filter.passes(tables, at, row).map(|truth| !truth),
            Filter::All(filters) => all(filters.iter().map(|filter| filter.passes(tables, at, row))),
            Filter::Any(filters) => {
                all(filters.iter().map(|filter| filter.passes(tables, at, row).map(|truth| !truth))).map(|t| !t)
            }
            Filter::Parent(filter) => {
                let mut found = tables[at - 1].visible().filter(|parent| parent[0] == row[1]);
                Some(found.any(|parent| filter.passes(tables, at - 1, parent) == Some(true)))
            }
            Filter::Child(filter) => {
                let mut found = tables[at + 1].visible().filter(|child| child[1] == row[0]);
                Some(found.any(|child| filter.passes(tables, at + 1, child) == Some(true)))
            }
        }
    }

    pub(super) fn json(&self, tables: &[Table], at: usize) -> Json {
        let name = |column: usize| tables[at].columns[column].0.clone();
        let value = |column: usize, cell: &Cell| cell.json(tables[at].columns[column].1);
        let one = |name: String, value: Json| Json::Object(Map::from_iter([(name, value)]));
        let list = |filters: &[Filter]| Json::Array(filters.iter().map(|filter| filter.json(tables, at)).collect());
        match self {
            Filter::Compare(column, "$eq", cell) => one(name(*column), value(*column, cell)),
            Filter::Compare(column, operator, cell) => one(name(*column), json!({*operator: value(*column, cell)})),
            Filter::In(column, wanted, cells) => {
                let values: Vec<Json> = cells.iter().map(|cell| value(*column, cell)).collect();
                one(name(*column), json!({if *wanted { "$in" } else { "$notIn" }: values}))
            }
            Filter::Between(column, least, most) => {
                one(name(*column), json!({"$between": [value(*column, least), value(*column, most)]}))
            }
            Filter::IsNull(column, true) => one(name(*column), Json::Null),
            Filter::IsNull(column, false) => one(name(*column), json!({"$isNotNull": true})),
            Filter::Contains(column, text) => one(name(*column), json!({"$contains": text})),
            Filter::Not(filter) => json!({"$not": filter.json(tables, at)}),
            Filter::All(filters) => json!({"$and": list(filters)}),
            Filter::Any(filters) => json!({"$or": list(filters)}),
            Filter::Parent(filter) => json!({"up": filter.json(tables, at - 1)}),
            Filter::Child(filter) => one(tables[at + 1].name.clone(), filter.json(tables, at + 1)),
        }
    }
}

impl Table {
    /// The rows that may be read.
    pub(super) fn visible(&self) -> impl Iterator<Item = &Vec<Cell>> {
        self.rows.iter().filter(|row| self.select.rule.holds(row) == Some(true))
    }
}

/// The rows that a select answers, in order: NULL last in both directions, and the key at the end.
pub(super) fn select<'t>(
    tables: &'t [Table],
    at: usize,
    filter: &Filter,
    order: &[(usize, bool)],
) -> Vec<&'t Vec<Cell>> {
    let passes = |row: &&Vec<Cell>| filter.passes(tables, at, row) == Some(true);
    let mut rows: Vec<&Vec<Cell>> = tables[at].visible().filter(passes).collect();
    rows.sort_by(|a, b| {
        let keys = order.iter().copied().chain([(0, true)]);
        let compared = keys.map(|(column, ascending)| match (&a[column], &b[column]) {
            (Cell::Null, Cell::Null) => Ordering::Equal,
            (Cell::Null, _) => Ordering::Greater,
            (_, Cell::Null) => Ordering::Less,
            (a, b) => {
                let order = a.order(b).unwrap_or(Ordering::Equal);
                if ascending { order } else { order.reverse() }
            }
        });
        compared.fold(Ordering::Equal, Ordering::then)
    });
    rows
}

/// A row as it is answered, with those that hang on it.
pub(super) fn answer(tables: &[Table], at: usize, row: &[Cell], expand: (bool, bool)) -> Json {
    let table = &tables[at];
    let mut object = Map::new();
    for (index, (name, kind)) in table.columns.iter().enumerate() {
        if table.select.columns[index] {
            object.insert(name.clone(), row[index].json(*kind));
        }
    }
    if expand.0 {
        let parent = tables[at - 1].visible().find(|parent| parent[0] == row[1]);
        object.insert("up".to_owned(), parent.map_or(Json::Null, |p| answer(tables, at - 1, p, (false, false))));
    }
    if expand.1 {
        let children = select(tables, at + 1, &Filter::All(Vec::new()), &[]);
        let own = children.into_iter().filter(|child| child[1] == row[0]);
        let own: Vec<Json> = own.map(|child| answer(tables, at + 1, child, (false, false))).collect();
        object.insert(tables[at + 1].name.clone(), own.into());
    }
    object.into()
}
