//! The logic `{{name}}`: called at `POST /logics/{{name}}`.

use santokit_guest::prelude::*;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    who: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    greeting: String,
}

fn handle(input: Input) -> Result<Output, LogicError> {
    if input.who.is_empty() {
        return Err(LogicError::new("NOBODY", "say whom to greet"));
    }
    log::info("greeting", &[("who", &input.who)]);
    Ok(Output { greeting: format!("Hello, {}!", input.who) })
}

santokit_guest::logic!(handle);
