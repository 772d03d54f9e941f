//! `stk login`, `logout`, `whoami`, `join`: a session at a Hub, without a browser. What proves who one is comes from a person on a
//! terminal, standard input or the environment, never from an argument that other processes could read.

use serde_json::{Value as Json, json};

use super::{Shell, secret_text};
use crate::{
    client::HubClient,
    context::Target,
    credentials::{self, Place},
    failure::{Exit, Failure},
    prompt,
    report::{Tone, cell},
    session::Given,
};

/// Flags of `stk login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk login --hub-url https://hub.example.com --email ada@example.com")]
pub struct Options {
    /// Whose account
    #[arg(long, env = "STK_EMAIL", value_name = "EMAIL")]
    email: Option<String>,
    /// Read the password from standard input; else it is STK_PASSWORD, or asked for
    #[arg(long)]
    password_stdin: bool,
    /// What the authenticator shows, or a recovery code; else it is asked for
    #[arg(long, env = "STK_CODE", hide_env_values = true, value_name = "CODE")]
    code: Option<String>,
    /// Set a new password first, with the code of `stk operator reset` or `stk hub recover`
    #[arg(long, env = "STK_RESET_CODE", hide_env_values = true, conflicts_with = "bootstrap", value_name = "CODE")]
    reset_code: Option<String>,
    /// Make the Hub's first owner, with the token that the Hub was started with (--token, STK_TOKEN)
    #[arg(long)]
    bootstrap: bool,
    /// With --bootstrap: what the owner is called; default: the email
    #[arg(long, requires = "bootstrap", value_name = "NAME")]
    name: Option<String>,
    /// The Hub.
    #[command(flatten)]
    target: Target,
}

/// Flags of `stk join`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  STK_INVITE=stk_inv_… stk join --hub-url https://hub.example.com --name 'Ada Lovelace'"
)]
pub struct JoinOptions {
    /// The invite; else it is asked for
    #[arg(long, env = "STK_INVITE", hide_env_values = true, value_name = "INVITE")]
    invite: Option<String>,
    /// What you are called
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Read the new password from standard input; else it is STK_PASSWORD, or asked for
    #[arg(long)]
    password_stdin: bool,
    /// The Hub.
    #[command(flatten)]
    target: Target,
}

/// Flags of `stk logout` and `stk whoami`.
#[derive(Debug, clap::Args)]
pub struct Where {
    /// The Hub.
    #[command(flatten)]
    target: Target,
}

/// Logs in.
pub async fn run(options: Options, shell: &Shell) -> anyhow::Result<()> {
    let context = shell.context(&options.target)?;
    let hub_url = hub_url(context.hub_url.clone())?;
    let email = match options.email {
        Some(email) => email,
        None => prompt::line(shell.terminal, "Email:", "say --email EMAIL")?,
    };
    let is_new = options.bootstrap || options.reset_code.is_some();
    let question = if is_new { "New password, at least 12 characters:" } else { "Password:" };
    let password = password(shell, options.password_stdin, question, is_new)?;
    if options.bootstrap {
        let hub = HubClient::of(&context)?;
        let body = json!({"email": email, "name": options.name.as_ref().unwrap_or(&email), "password": password});
        hub.post(&["v1", "auth", "bootstrap"], &body).await?;
        shell.terminal.note("the first owner is made");
    }
    if let Some(code) = &options.reset_code {
        let body = json!({"code": code, "password": password});
        let set = HubClient::open(&hub_url)?.post(&["v1", "auth", "reset"], &body).await?;
        shell
            .terminal
            .note(&format!("the password of {} is set; there is no second factor any more", cell(&set["email"])));
    }
    let (place, answer) = open(shell, &hub_url, &email, &password, options.code).await?;
    told(shell, &hub_url, &email, &place, &answer);
    Ok(())
}

/// Takes an invite, and logs in.
pub async fn join(options: JoinOptions, shell: &Shell) -> anyhow::Result<()> {
    let hub_url = hub_url(shell.context(&options.target)?.hub_url)?;
    let invite = match options.invite {
        Some(invite) => invite,
        None => prompt::hidden(shell.terminal, "Invite:", "give it as STK_INVITE")?,
    };
    let password = password(shell, options.password_stdin, "New password, at least 12 characters:", true)?;
    let body = json!({"invite": invite, "name": options.name, "password": password});
    let made = HubClient::open(&hub_url)?.post(&["v1", "auth", "join"], &body).await?;
    let email = cell(&made["email"]);
    let (place, answer) = open(shell, &hub_url, &email, &password, None).await?;
    told(shell, &hub_url, &email, &place, &answer);
    Ok(())
}

/// Ends the session.
pub async fn logout(options: Where, shell: &Shell) -> anyhow::Result<()> {
    let hub_url = hub_url(shell.context(&options.target)?.hub_url)?;
    if credentials::session(&hub_url)?.is_none() {
        return Err(Failure::failed(format!("nobody is logged in at {hub_url}")).into());
    }
    let ended = HubClient::logged_in(&hub_url)?.post(&["v1", "auth", "logout"], &json!({})).await;
    // What is over already needs no end; what cannot be reached is forgotten here all the same, and that is told.
    credentials::forget(&hub_url)?;
    match ended {
        Err(error) if crate::failure::exit_of(&error) == Exit::Unreachable => {
            return Err(error.context("forgotten here, but the Hub could not be told; the session ends by itself"));
        }
        _ => {}
    }
    shell.terminal.answer(&json!({"loggedOut": hub_url}), |terminal| terminal.say(&format!("logged out of {hub_url}")));
    Ok(())
}

/// Who one is.
pub async fn whoami(options: Where, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let answer = hub.get(&["v1", "auth", "whoami"]).await?;
    shell.terminal.answer(&answer, |terminal| {
        let (operator, factor) = (&answer["operator"], &answer["secondFactor"]);
        let who = operator["email"].as_str().map_or_else(|| cell(&operator["name"]), str::to_owned);
        terminal.say(&format!(
            "{} at {}, by a {}",
            terminal.tone(Tone::Strong, &who),
            context.hub_url.as_deref().unwrap_or("-"),
            cell(&answer["credential"]["kind"])
        ));
        for org in answer["orgs"].as_array().into_iter().flatten() {
            terminal.say(&format!("  {} of org {}", cell(&org["role"]), cell(&org["name"])));
        }
        if factor["enabled"] == true {
            terminal.say(&format!("  second factor on, {} recovery codes left", cell(&factor["recoveryCodesLeft"])));
        } else {
            terminal.say("  no second factor; `stk mfa enrol` sets one up");
        }
    });
    Ok(())
}

/// The password of STK_PASSWORD, standard input or a person; a new one is asked for twice.
pub(super) fn password(shell: &Shell, from_stdin: bool, question: &str, is_new: bool) -> anyhow::Result<String> {
    const HOW: &str = "pipe it in with --password-stdin, or set STK_PASSWORD";
    if from_stdin {
        return secret_text(None, true, "the password", "--password-stdin");
    }
    if let Some(password) = std::env::var("STK_PASSWORD").ok().filter(|text| !text.is_empty()) {
        return Ok(password);
    }
    let text = prompt::hidden(shell.terminal, question, HOW)?;
    if is_new && prompt::hidden(shell.terminal, "The same again:", HOW)? != text {
        return Err(Failure::usage("the passwords are not the same").into());
    }
    Ok(text)
}

/// A code of the second factor, from a flag or a person.
pub(super) fn code(shell: &Shell, given: Option<String>) -> anyhow::Result<String> {
    match given {
        Some(code) => Ok(code),
        None => prompt::line(shell.terminal, "Code of the second factor:", "say --code CODE, or set STK_CODE"),
    }
}

async fn open(
    shell: &Shell,
    hub_url: &str,
    email: &str,
    password: &str,
    given: Option<String>,
) -> anyhow::Result<(Place, Json)> {
    let hub = HubClient::open(hub_url)?;
    let mut body = json!({"email": email, "password": password});
    if let Some(code) = &given {
        body["code"] = json!(code);
    }
    let answer = match hub.post(&["v1", "auth", "login"], &body).await {
        Err(error) if given.is_none() && needs_code(&error) => {
            body["code"] = json!(code(shell, None)?);
            hub.post(&["v1", "auth", "login"], &body).await?
        }
        other => other?,
    };
    let given: Given = serde_json::from_value(answer.clone())?;
    let _lock = credentials::lock()?;
    Ok((credentials::keep(hub_url, &given.into_session(email.to_owned()))?, answer))
}

fn needs_code(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.details.get("needs") == Some(&json!("code")))
}

fn hub_url(known: Option<String>) -> anyhow::Result<String> {
    known.or_else(credentials::current).ok_or_else(|| {
        Failure::usage("no Hub is known")
            .hint("say --hub-url URL, or keep one with `stk context set --hub-url URL`")
            .into()
    })
}

fn told(shell: &Shell, hub_url: &str, email: &str, place: &Place, answer: &Json) {
    let kept = match place {
        Place::Keychain => "the keychain".to_owned(),
        Place::File(path) => path.display().to_string(),
    };
    let value = json!({"hubUrl": hub_url, "email": email, "secondFactor": answer["secondFactor"], "kept": kept});
    shell.terminal.answer(&value, |terminal| {
        terminal.say(&format!("logged in at {hub_url} as {}", terminal.tone(Tone::Strong, email)));
        terminal.note(&format!("the session is kept in {kept}"));
        if answer["secondFactor"] != true {
            terminal.note("without a second factor; `stk mfa enrol` sets one up");
        }
    });
}
