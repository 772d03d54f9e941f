//! What a handler takes and answers, read off its signature: each type of an argument, and the type of the answer, says what it is to
//! the document. A handler whose types say nothing does not compile as a route.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::HeaderMap,
};
use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value as Json, json};

use crate::api::{
    answer::{Answer, Component, Created, CreatedOnce, Exists, IfNoneMatch, Metrics, NoContent, Tagged, Tar},
    respond::{Body, Refused, Upload},
};

/// An operation of the document, as far as its handler says it.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// Of the query, and headers.
    pub parameters: Vec<Json>,
    /// The request's body.
    pub body: Option<Json>,
    /// By status.
    pub answers: Map<String, Json>,
}

/// Makes the schemas of types, those of requests and those of answers: what a request may leave out, an answer always has.
#[derive(Debug)]
pub struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

/// Where schemas stand in the document.
const PLACE: &str = "/components/schemas";
/// Where those of requests stand until it is known which of them differ from an answer's of the same name.
const SENT: &str = "/components/sent";

impl Schemas {
    /// None yet.
    pub(super) fn new() -> Self {
        let generator = |contract: Contract, place: &'static str| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = place.into();
                settings.meta_schema = None;
                settings.contract = contract;
            });
            settings.into_generator()
        };
        Self { sent: generator(Contract::Deserialize, SENT), answered: generator(Contract::Serialize, PLACE) }
    }

    /// Of what comes in.
    pub(super) fn sent<T: JsonSchema>(&mut self) -> Schema {
        self.sent.subschema_for::<T>()
    }

    /// Of what goes out.
    pub(super) fn answered<T: JsonSchema>(&mut self) -> Schema {
        self.answered.subschema_for::<T>()
    }

    /// Puts all that have a name into the document. One that a request may leave fields of, and an answer not, is there twice.
    pub(super) fn put_into(mut self, document: &mut Json) {
        let mut named: BTreeMap<String, Json> = self.answered.take_definitions(true).into_iter().collect();
        let sent = self.sent.take_definitions(true);
        let same = |schema: &Json, other: &Json| {
            let mut schema = schema.clone();
            settle(&mut schema, &BTreeSet::new());
            schema == *other
        };
        let known = |name: &str| named.get(name);
        let mut differing: BTreeSet<String> = sent
            .iter()
            .filter(|(name, schema)| known(name).is_some_and(|other| !same(schema, other)))
            .map(|(name, _)| name.clone())
            .collect();
        // What refers to one of them differs too.
        loop {
            let more: Vec<String> = sent
                .iter()
                .filter(|(name, schema)| {
                    known(name).is_some() && !differing.contains(*name) && refers(schema, &differing)
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            differing.extend(more);
        }
        for (name, mut schema) in sent {
            settle(&mut schema, &differing);
            named.insert(if differing.contains(&name) { format!("{name}Sent") } else { name }, schema);
        }
        settle(document, &differing);
        document["components"]["schemas"] = Json::Object(named.into_iter().collect());
    }
}

/// The name of the schema that a reference to one of a request is to.
fn referred(place: &str) -> Option<&str> {
    place.strip_prefix('#')?.strip_prefix(SENT)?.strip_prefix('/')
}

fn refers(schema: &Json, to: &BTreeSet<String>) -> bool {
    match schema {
        Json::Object(fields) => fields.iter().any(|(name, field)| match field {
            Json::String(place) if name == "$ref" => referred(place).is_some_and(|name| to.contains(name)),
            field => refers(field, to),
        }),
        Json::Array(items) => items.iter().any(|item| refers(item, to)),
        _ => false,
    }
}

/// References to schemas of requests lead to where those are.
fn settle(value: &mut Json, differing: &BTreeSet<String>) {
    match value {
        Json::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Json::String(place) if name == "$ref" => {
                        if let Some(name) = referred(place) {
                            let more = if differing.contains(name) { "Sent" } else { "" };
                            *place = format!("#{PLACE}/{name}{more}");
                        }
                    }
                    field => settle(field, differing),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| settle(item, differing)),
        _ => {}
    }
}

/// What a handler takes of a request.
pub trait Part {
    /// Says so.
    fn describe(_: &mut Operation, _: &mut Schemas) {}
}

/// What a handler answers.
pub trait Answers {
    /// Says so.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

/// A handler that says what it takes and answers.
pub trait Described<Parts> {
    /// Says so.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

/// [`Described::describe`] of one handler.
pub type Describe = fn(&mut Operation, &mut Schemas);

macro_rules! described {
    ($($part:ident)*) => {
        impl<H, Fut, R, $($part,)*> Described<($($part,)*)> for H
        where
            H: Fn($($part),*) -> Fut,
            Fut: Future<Output = R>,
            R: Answers,
            $($part: Part,)*
        {
            fn describe(operation: &mut Operation, schemas: &mut Schemas) {
                $($part::describe(operation, schemas);)*
                R::describe(operation, schemas);
            }
        }
    };
}

described!();
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);

// The path's own text names its parameters; the rest is of the request's making.
impl<T> Part for State<T> {}
impl<T> Part for Extension<T> {}
impl<T> Part for Path<T> {}
impl Part for HeaderMap {}

impl<T: JsonSchema> Part for Query<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        // Its fields are parameters, one by one.
        let schema = T::json_schema(&mut schemas.sent);
        let required = schema.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
        for (name, field) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
            let mut field = field.clone();
            // What is not there is left out: a query has no null.
            let description = field.as_object_mut().and_then(|field| {
                if let Some(Json::Array(types)) = field.get_mut("type") {
                    types.retain(|kind| kind != "null");
                    if let [one] = types.as_slice() {
                        let one = one.clone();
                        field.insert("type".to_owned(), one);
                    }
                }
                field.shift_remove("default");
                field.shift_remove("description")
            });
            operation.parameters.push(json!({
                "name": name, "in": "query", "required": required.contains(&json!(name)),
                "description": description, "schema": field,
            }));
        }
    }
}

impl Part for IfNoneMatch {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.parameters.push(json!({
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "The `ETag` of what the caller has.", "schema": {"type": "string"},
        }));
    }
}

impl<T: JsonSchema> Part for Body<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.sent::<T>();
        operation.body = Some(json!({"required": true, "content": {"application/json": {"schema": schema}}}));
    }
}

impl Part for Upload {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.body = Some(json!({"required": true, "content": {"application/wasm": {}}}));
    }
}

impl<T: Answers> Answers for Result<T, Refused> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        T::describe(operation, schemas);
    }
}

fn answers(operation: &mut Operation, status: &str, description: &str, content: Option<Json>) {
    let mut answer = json!({"description": description});
    if let Some(content) = content {
        answer["content"] = content;
    }
    operation.answers.insert(status.to_owned(), answer);
}

impl<T: JsonSchema> Answers for Answer<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.answered::<T>();
        answers(operation, "200", "Done.", Some(json!({"application/json": {"schema": schema}})));
    }
}

impl<T: JsonSchema> Answers for Created<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.answered::<T>();
        answers(operation, "201", "Made.", Some(json!({"application/json": {"schema": schema}})));
    }
}

impl<T: JsonSchema> Answers for CreatedOnce<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Created::<T>::describe(operation, schemas);
    }
}

impl<T: JsonSchema> Answers for Tagged<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Answer::<T>::describe(operation, schemas);
        operation.answers["200"]["headers"] =
            json!({"ETag": {"description": "Names this answer.", "schema": {"type": "string"}}});
        answers(operation, "304", "The caller has it.", None);
    }
}

impl Answers for NoContent {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        answers(operation, "204", "Done.", None);
    }
}

impl Answers for Component {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        answers(operation, "200", "A component.", Some(json!({"application/wasm": {}})));
    }
}

impl Answers for Tar {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        answers(operation, "200", "A backup.", Some(json!({"application/x-tar": {}})));
    }
}

impl Answers for Exists {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        answers(operation, "200", "There is one.", None);
    }
}

impl Answers for Metrics {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let content = json!({"text/plain": {"schema": {"type": "string"}}});
        answers(operation, "200", "What is counted, as Prometheus reads it.", Some(content));
    }
}
