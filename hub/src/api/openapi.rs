//! The OpenAPI document of the Hub, made from the code: routes and who may take them from [`super::access`], bodies and answers from
//! the types of the handlers. It is committed (`docs/reference/hub-openapi.json`), so that a change of the contract is a difference
//! to review.

use std::sync::LazyLock;

use santokit_core::code::Code;
use santokit_edge::answer::status;
use serde_json::{Map, Value as Json, json};

use super::{
    Access, BODY_BYTES_MAX,
    answer::Answer,
    documented,
    respond::{Failure, Refused},
    told::Documented,
};
use crate::app::authority::Need;

pub mod describe;
pub mod operations;

use describe::{Operation, Schemas};

/// Of the contract, not of the program: it is the `v1` of the paths.
const VERSION: &str = "1";

/// Made once.
static DOCUMENT: LazyLock<Json> = LazyLock::new(make);

/// `GET /v1/openapi.json`
pub async fn document() -> Result<Answer<&'static Json>, Refused> {
    Ok(Answer(json_document()))
}

/// The document.
pub fn json_document() -> &'static Json {
    &DOCUMENT
}

fn make() -> Json {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for (told, access) in documented() {
        let Some(row) = operations::of(told.route.method.as_str(), &told.route.path) else { continue };
        let operation = operation(&told, access, (row.2, row.3), &mut schemas);
        let path = paths.entry(told.route.path.clone()).or_insert_with(|| json!({}));
        path[told.route.method.as_str().to_lowercase()] = operation;
    }
    let problem = schemas.answered::<Failure>();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Santokit Hub",
            "version": VERSION,
            "description": "The HTTP API of the Hub: `/v1/*` for operators, `/internal/*` for Bridges. Within a version it only grows: \
                see docs/reference/hub-api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "responses": {"Problem": refusal(&problem.to_value())},
            "securitySchemes": {
                "operator": {
                    "type": "http", "scheme": "bearer",
                    "description": "An access token of a session, a personal token, or the Hub's first token.",
                },
                "fleet": {"type": "http", "scheme": "bearer", "description": "A service token, for Bridges."},
                "scrape": {"type": "http", "scheme": "bearer", "description": "`STK_HUB_METRICS_TOKEN`."},
            },
        },
    });
    schemas.put_into(&mut document);
    plain(&mut document);
    document
}

/// The answer of every operation that comes to nothing.
fn refusal(schema: &Json) -> Json {
    let statuses: Map<String, Json> =
        Code::ALL.iter().map(|code| (code.to_string(), status(*code).as_u16().into())).collect();
    json!({
        "description": "It was refused. The code is a contract, each with a page in docs/ERRORS; the message is for people. \
            `Retry-After` says when it is worth trying again, where that is known.",
        "headers": {
            "X-Request-Id": {"description": "As `error.requestId`.", "schema": {"type": "string"}},
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
        },
        "content": {"application/json": {"schema": schema}},
        "x-status-of-code": statuses,
    })
}

fn operation(told: &Documented, access: Access, (name, summary): (&str, &str), schemas: &mut Schemas) -> Json {
    let mut said = Operation::default();
    (told.describe)(&mut said, schemas);
    let path = &told.route.path;
    let mut parameters: Vec<Json> = named(path)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(said.parameters);
    let security = match access {
        _ if path == "/metrics" => json!([{"scrape": []}, {"operator": []}]),
        Access::Anyone => json!([]),
        Access::Operator(_) => json!([{"operator": []}]),
        Access::Fleet => json!([{"fleet": []}]),
    };
    let tag = path.split('/').nth(if path.starts_with("/v1/") { 2 } else { 1 }).unwrap_or_default();
    let mut made = json!({
        "operationId": name, "summary": summary, "tags": [tag], "security": security, "parameters": parameters,
    });
    if let Access::Operator(action) = access {
        made["x-action"] = action.as_str().into();
        let roles: Vec<&str> = action.may().iter().map(|role| role.as_str()).collect();
        let needs = match action.need() {
            Need::Nothing => "",
            Need::Person => " It needs a session: a token cannot do it.",
            Need::SecondFactor => " It needs a second factor.",
            Need::SecondFactorWhereProtected => " It needs a second factor where the env is protected.",
        };
        made["description"] = format!("For: {}.{needs}", roles.join(", ")).into();
    }
    if let Some(body) = said.body {
        made["requestBody"] = body;
        made["x-body-bytes-max"] = told.bytes_max.unwrap_or(BODY_BYTES_MAX).into();
    }
    let mut answers = said.answers;
    answers.insert("default".to_owned(), json!({"$ref": "#/components/responses/Problem"}));
    made["responses"] = Json::Object(answers);
    made
}

/// The parameters of a path.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Descriptions are comments of the code: there, names of types stand in brackets, and lines end where they are full.
fn plain(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Json::String(text) if name == "description" => {
                        *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
                    }
                    field => plain(field),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
