//! `stk permissions`: why a caller may or may not, before anything is released. It decides with the code that a Bridge runs, and needs
//! no database.

use santokit_core::access::{Actor, ActorKind};
use serde_json::{Map, Value as Json};

use super::Shell;
use crate::failure::Failure;

mod explain;
mod matrix;
mod test_cel;

/// What to ask.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the rule that decides, what it asks of rows, and the SQL that runs
    Explain(explain::Options),
    /// Evaluate a condition on a context
    TestCel(test_cel::Options),
    /// Hold the rules to the matrices in tests/permissions
    Test(matrix::Options),
}

/// Runs it.
pub fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Explain(options) => explain::run(&options, shell),
        Command::TestCel(options) => test_cel::run(&options, shell),
        Command::Test(options) => matrix::run(&options, shell),
    }
}

/// A caller as the command line says it: `anonymous`, `user`, or roles of an API key; `user:` before roles makes it an end user.
fn caller(text: &str, subject: Option<&str>, claims: Map<String, Json>) -> anyhow::Result<Actor> {
    let roles = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned).collect()
    };
    let end_user = |roles| Actor {
        kind: ActorKind::User,
        subject: Some(subject.unwrap_or("user").to_owned()),
        roles,
        claims: claims.clone(),
    };
    Ok(match text.trim() {
        "" => {
            let hint = "for example --as anonymous, --as user, --as user:clerk or --as admin,clerk";
            return Err(Failure::usage("--as names nobody").hint(hint).into());
        }
        "anonymous" => Actor::anonymous(),
        "user" => end_user(Vec::new()),
        text => match text.strip_prefix("user:") {
            Some(text) => end_user(roles(text)),
            None => Actor {
                kind: ActorKind::ApiKey,
                subject: Some(subject.unwrap_or("key").to_owned()),
                roles: roles(text),
                claims,
            },
        },
    })
}

/// A JSON object of the command line.
fn object(text: &str, what: &str) -> anyhow::Result<Map<String, Json>> {
    match serde_json::from_str(text) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(_) => Err(Failure::usage(format!("{what} is not a JSON object")).into()),
        Err(error) => Err(Failure::usage(format!("{what} is not JSON: {error}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_anonymous_a_user_or_a_key() {
        let kind = |text| caller(text, Some("s"), Map::new()).map(|actor| (actor.kind, actor.roles.join("+")));
        assert_eq!(kind("anonymous").unwrap(), (ActorKind::Anonymous, String::new()));
        assert_eq!(kind("user").unwrap(), (ActorKind::User, String::new()));
        assert_eq!(kind("user:a, b").unwrap(), (ActorKind::User, "a+b".to_owned()));
        assert_eq!(kind("admin,clerk").unwrap(), (ActorKind::ApiKey, "admin+clerk".to_owned()));
        assert!(kind(" ").is_err());
    }
}
