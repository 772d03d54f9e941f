//! A condition of a rule and what becomes of it: for random conditions, rows and requests, the predicate admits a row exactly where CEL
//! says true. `LOWERING_CASES` sets how many; a failure prints what is needed to see it again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{
        Actor, ActorKind,
        lower::{Asked, RowCondition},
        predicate::Truth,
    },
    schema::{Bounds, Column, Generate, PrimaryKey, Table, Type},
    value::Value,
};
use serde_json::{Map, Value as Json, json};

/// Columns of each class; two of a class can be compared with each other.
const COLUMNS: &[(&str, Type)] = &[
    ("s", Type::String),
    ("t", Type::String),
    ("n", Type::Int),
    ("m", Type::Int),
    ("b", Type::Bigint),
    ("f", Type::Float),
    ("d", Type::Decimal),
    ("e", Type::Decimal),
    ("p", Type::Boolean),
    ("q", Type::Boolean),
    ("at", Type::Timestamp),
    ("until", Type::Timestamp),
    ("y", Type::Bytes),
    ("j", Type::Json),
];

const TEXTS: &[&str] =
    &["", "a", "A", "ab", "b", "é", "e\u{301}", "😀", "z", "Z", "a%", "_", "a b ", "\u{ffff}", "\u{10000}"];
const NUMBERS: &[&str] = &["0", "1", "-1", "2", "7", "2147483647", "-2147483648", "2147483648", "4503599627370496"];
const FRACTIONS: &[&str] = &["0.5", "-0.5", "1.0", "1.5", "0.1", "2.25", "-7.0", "123456.75"];
const TIMES: &[&str] = &[
    "2026-06-01T12:00:00.000000Z",
    "2026-06-01T12:00:00.000001Z",
    "2026-06-01T11:59:59.999999Z",
    "1969-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z",
];
/// Finer than a column holds, and with offsets.
const FINE_TIMES: &[&str] =
    &["2026-06-01T12:00:00.0000005Z", "1969-12-31T23:59:59.9999995Z", "2026-06-01T14:00:00+02:00"];
const BYTES: &[&[u8]] = &[b"", b"a", b"ab"];

/// A sequence that a seed determines (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

fn table() -> Table {
    let column = |(name, kind): &(&str, Type)| Column {
        name: (*name).to_owned(),
        kind: *kind,
        nullable: true,
        unique: false,
        default: None,
        items: None,
        bucket: None,
        on_delete: None,
        bounds: Bounds::NONE,
        references: None,
        renamed_from: None,
        deprecated: None,
        sunset: None,
    };
    Table {
        id: PrimaryKey { name: "id".to_owned(), generate: Generate::Ulid, kind: Type::String },
        columns: COLUMNS.iter().map(column).collect(),
        indexes: Vec::new(),
        deprecated: None,
        sunset: None,
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A condition of at most so many levels, and what the request has for it.
struct Writer<'c> {
    chance: &'c mut Chance,
    params: Map<String, Json>,
}

impl Writer<'_> {
    fn truth(&mut self, depth: usize) -> String {
        let choice = if depth == 0 { 2 + self.chance.below(9) } else { self.chance.below(11) };
        match choice {
            0 => {
                let sign = self.chance.of(&["&&", "||"]);
                format!("({} {sign} {})", self.truth(depth - 1), self.truth(depth - 1))
            }
            1 => format!("!({})", self.truth(depth - 1)),
            2 => self.request_truth(),
            3 => format!("resource.{}", self.chance.of(&["p", "q"])),
            4 => {
                let (name, _) = self.chance.of(COLUMNS);
                let sign = self.chance.of(&["==", "!="]);
                if self.chance.one_in(2) {
                    format!("resource.{name} {sign} null")
                } else {
                    format!("null {sign} resource.{name}")
                }
            }
            5 => self.text_test(),
            6 => self.membership(),
            7 => {
                let pairs = [
                    ("s", "t"),
                    ("n", "m"),
                    ("n", "b"),
                    ("b", "f"),
                    ("n", "d"),
                    ("d", "e"),
                    ("at", "until"),
                    ("f", "m"),
                ];
                let (left, right) = self.chance.of(&pairs);
                let sign = self.chance.of(&["==", "!=", "<", "<=", ">", ">="]);
                format!("resource.{left} {sign} resource.{right}")
            }
            _ => self.comparison(),
        }
    }

    fn request_truth(&mut self) -> String {
        let values = [json!(true), json!(false), json!("x"), json!(null)];
        match self.chance.below(4) {
            0 => "request.params.missing".to_owned(),
            1 => "request.auth.sub == 'u1'".to_owned(),
            2 => (self.chance.of(&["true", "false"])).to_owned(),
            _ => {
                let value = self.chance.of(&values);
                self.param(value)
            }
        }
    }

    fn param(&mut self, value: Json) -> String {
        let name = format!("p{}", self.params.len());
        self.params.insert(name.clone(), value);
        format!("request.params.{name}")
    }

    fn comparison(&mut self) -> String {
        let (name, kind) = COLUMNS[self.chance.below(COLUMNS.len() - 1)];
        let value = self.value(kind);
        let ordered = !matches!(kind, Type::Boolean | Type::Bytes);
        let sign =
            if ordered { self.chance.of(&["==", "!=", "<", "<=", ">", ">="]) } else { self.chance.of(&["==", "!="]) };
        if self.chance.one_in(3) {
            format!("{value} {sign} resource.{name}")
        } else {
            format!("resource.{name} {sign} {value}")
        }
    }

    /// A constant of the type, or a value of the request of any type, or none.
    fn value(&mut self, kind: Type) -> String {
        if self.chance.one_in(3) {
            return self.request_value(kind);
        }
        self.constant(kind)
    }

    fn constant(&mut self, kind: Type) -> String {
        match kind {
            Type::String | Type::File => {
                if self.chance.one_in(20) {
                    return "'a\\x00b'".to_owned();
                }
                quoted(self.chance.of(TEXTS))
            }
            Type::Int | Type::Bigint | Type::Float | Type::Decimal => {
                let pool = if self.chance.one_in(2) { NUMBERS } else { FRACTIONS };
                (self.chance.of(pool)).to_owned()
            }
            Type::Boolean => (self.chance.of(&["true", "false"])).to_owned(),
            Type::Timestamp => match self.chance.below(4) {
                0 => "request.now".to_owned(),
                1 => format!("timestamp('{}')", self.chance.of(FINE_TIMES)),
                _ => format!("timestamp('{}')", self.chance.of(TIMES)),
            },
            Type::Bytes => (self.chance.of(&["b''", "b'a'", "b'ab'"])).to_owned(),
            Type::Json | Type::Array => "null".to_owned(),
        }
    }

    fn request_value(&mut self, kind: Type) -> String {
        if kind == Type::Decimal && self.chance.one_in(2) {
            // A text that is a decimal compares with a decimal column; CEL, which has none, says otherwise.
            return self.param(json!(true));
        }
        match self.chance.below(9) {
            0 => "request.params.missing".to_owned(),
            1 => self.param(json!(null)),
            2 => "(1.0 / request.params.zero)".to_owned(),
            3 if kind != Type::Decimal => {
                let text = self.chance.of(TEXTS);
                self.param(json!(text))
            }
            4 => self.param(json!(1)),
            5 => self.param(json!(1.5)),
            6 => {
                let number: f64 = self.chance.of(FRACTIONS).parse().unwrap();
                self.param(json!(number))
            }
            7 => "request.auth.sub".to_owned(),
            _ => self.constant(kind),
        }
    }

    fn text_test(&mut self) -> String {
        let test = self.chance.of(&["startsWith", "endsWith", "contains"]);
        let column = self.chance.of(&["resource.s", "resource.t"]);
        let other = match self.chance.below(3) {
            0 => (self.chance.of(&["resource.s", "resource.t"])).to_owned(),
            1 => self.constant(Type::String),
            _ => self.request_value(Type::String),
        };
        if self.chance.one_in(2) || other.starts_with("resource") {
            format!("{column}.{test}({other})")
        } else {
            format!("{other}.{test}({column})")
        }
    }

    fn membership(&mut self) -> String {
        let (name, kind) = COLUMNS[self.chance.below(COLUMNS.len() - 1)];
        match self.chance.below(4) {
            0 => {
                let elements = [json!("a"), json!(1), json!(null), json!(1.5), json!(true), json!("é")];
                let list: Vec<Json> = (0..self.chance.below(4)).map(|_| self.chance.of(&elements)).collect();
                let list = if kind == Type::Decimal {
                    list.into_iter().filter(|item| !item.is_string()).collect()
                } else {
                    list
                };
                let list = self.param(Json::Array(list));
                format!("resource.{name} in {list}")
            }
            1 => {
                let elements: Vec<String> = (0..=self.chance.below(3)).map(|_| self.constant(kind)).collect();
                format!("resource.{name} in [{}]", elements.join(", "))
            }
            2 => {
                let value = self.value(Type::String);
                let element = self.constant(Type::String);
                format!("{value} in [resource.s, {element}, resource.t]")
            }
            _ => {
                let value = self.value(Type::Int);
                format!("resource.n in [resource.m, {value}, resource.b, null]")
            }
        }
    }
}

fn cell(chance: &mut Chance, kind: Type) -> Value {
    if chance.one_in(4) {
        return Value::Null;
    }
    let typed = |name: &str, text: &str| Value::Typed(name.to_owned(), text.to_owned());
    match kind {
        Type::String | Type::File => Value::Text((chance.of(TEXTS)).to_owned()),
        Type::Int => Value::Int64(chance.of(&NUMBERS[..7]).parse().unwrap()),
        Type::Bigint => Value::Int64(chance.of(NUMBERS).parse().unwrap()),
        Type::Float => Value::Float64(chance.of(FRACTIONS).parse().unwrap()),
        Type::Decimal => {
            let pool = if chance.one_in(2) { NUMBERS } else { FRACTIONS };
            typed("decimal", chance.of(pool))
        }
        Type::Boolean => Value::Boolean(chance.one_in(2)),
        Type::Timestamp => typed("timestamp", chance.of(TIMES)),
        Type::Bytes => Value::Bytes(chance.of(BYTES).to_vec()),
        Type::Json | Type::Array => typed("json", "{\"a\":1}"),
    }
}

#[test]
fn a_predicate_admits_a_row_exactly_where_cel_says_true() {
    let cases = std::env::var("LOWERING_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000_u64);
    let table = table();
    let now: DateTime<Utc> = "2026-06-01T12:00:00.0000005Z".parse().unwrap();
    let (mut admitted, mut refused) = (0, 0);
    for seed in 0..cases {
        let mut chance = Chance(seed);
        let mut writer = Writer { chance: &mut chance, params: Map::new() };
        // A condition about the request alone is decided elsewhere.
        let always = writer.chance.of(&["true", "resource.id != null"]);
        let source = format!("({}) && (resource.id == null || {always})", writer.truth(3));
        let mut params = writer.params;
        params.insert("zero".to_owned(), json!(0.0));
        let subject = (!chance.one_in(5)).then(|| chance.of(TEXTS).to_owned());
        let actor = Actor { kind: ActorKind::User, subject, roles: Vec::new(), claims: Map::new() };
        let condition = match RowCondition::compile(&source, &table) {
            Ok(condition) => condition,
            Err(errors) => panic!("{seed}: {source}: {errors:?}"),
        };
        let asked = condition.ask(&actor, &params, now);
        let Asked::Row(predicate) = &asked else { panic!("{seed}: {source}: {asked:?}") };
        for _ in 0..8 {
            let row: Vec<(&str, Value)> = COLUMNS
                .iter()
                .map(|(name, kind)| (*name, cell(&mut chance, *kind)))
                .chain([("id", Value::Text("1".to_owned()))])
                .collect();
            let by_cel = condition.evaluate(&actor, &params, now, row.iter().map(|(name, value)| (*name, value)));
            let found =
                predicate.evaluate(&|name| row.iter().find(|(known, _)| *known == name).map(|(_, value)| value));
            assert_eq!(
                found == Truth::True,
                by_cel == Ok(true),
                "seed {seed}: {source}\nparams {params:?}\nrow {row:?}\nCEL {by_cel:?}, predicate {found:?}: {predicate:?}"
            );
            if found == Truth::True { admitted += 1 } else { refused += 1 }
        }
    }
    assert!(admitted > cases && refused > cases, "{admitted} admitted, {refused} refused: the cases say little");
}
