//! Sends requests as its input says, one after the other, and answers what each came to.

use santokit_guest::http::Error;
use santokit_guest::prelude::*;
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Input {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Step {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    json: Option<Json>,
    manual: bool,
    /// While a transaction on SQLite is open.
    within: bool,
    /// Not to catch the error of a limit.
    give_up: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            url: String::new(),
            headers: Vec::new(),
            json: None,
            manual: false,
            within: false,
            give_up: false,
        }
    }
}

fn handle(Input { steps }: Input) -> Result<Vec<Json>, LogicError> {
    steps.iter().map(step).collect()
}

fn step(step: &Step) -> Result<Json, LogicError> {
    if step.within {
        return sql::open("main")?.transaction(|tx| {
            tx.execute("INSERT INTO notes (id) VALUES (?)", params!["within"])?;
            told(step)
        });
    }
    told(step)
}

fn told(step: &Step) -> Result<Json, LogicError> {
    match send(step) {
        Ok(answer) => Ok(answer),
        // As any logic does: then the caller is told the limit.
        Err(error @ Error::Limit(_)) if step.give_up => Err(error.into()),
        Err(error) => {
            let said = error.to_string();
            Ok(json!({"code": LogicError::from(error).code(), "message": said}))
        }
    }
}

fn send(step: &Step) -> Result<Json, Error> {
    let mut request = http::request(&step.method, &step.url);
    for (name, value) in &step.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &step.json {
        request = request.json(body);
    }
    if step.manual {
        request = request.without_redirects();
    }
    let answer = request.send()?;
    let body = answer.text()?.to_owned();
    Ok(json!({"status": answer.status(), "type": answer.header("Content-Type"), "body": body, "url": answer.url()}))
}

santokit_guest::logic!(handle);
