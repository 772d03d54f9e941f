//! `stk bridge status`: the Bridges of a project's envs as the Hub knows them, what is wrong with each, and what to do.

use serde_json::Value as Json;

use crate::{
    command::Shell,
    context::Target,
    report::{Terminal, Tone, cell, printable, span},
};

/// Flags of `stk bridge status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk bridge status --project shop\n  stk bridge status --env prod --show-keys")]
pub struct Options {
    /// Show which signing keys each Bridge trusts, and how many signers it wants
    #[arg(long)]
    show_keys: bool,
    /// Show how long ago the Hub confirmed what each env runs
    #[arg(long)]
    show_cache_age: bool,
    /// The Hub and project; with an env, the Bridges of that one only.
    #[command(flatten)]
    target: Target,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let mut answer = hub.get(&["v1", "projects", context.project()?, "bridges"]).await?;
    if let Some(env) = &options.target.env {
        only_of(&mut answer, env);
    }
    shell.terminal.answer(&answer, |terminal| show(terminal, &answer, options));
    Ok(())
}

/// Leaves what is about an env.
fn only_of(answer: &mut Json, env: &str) {
    let retain = |list: &mut Json, keep: &dyn Fn(&Json) -> bool| {
        if let Json::Array(items) = list {
            items.retain(|item| keep(item));
        }
    };
    let is_of = |item: &Json| item["env"].is_null() || item["env"] == env;
    retain(&mut answer["envs"], &is_of);
    retain(&mut answer["findings"], &is_of);
    for bridge in answer["bridges"].as_array_mut().into_iter().flatten() {
        retain(&mut bridge["envs"], &is_of);
        retain(&mut bridge["findings"], &is_of);
    }
    retain(&mut answer["bridges"], &|bridge| bridge["envs"].as_array().is_some_and(|envs| !envs.is_empty()));
    let of_bridges = answer["bridges"].as_array().into_iter().flatten().flat_map(findings);
    let ok = findings(answer).into_iter().chain(of_bridges).all(|finding| finding["severity"] == "note");
    answer["ok"] = ok.into();
}

fn findings(of: &Json) -> Vec<&Json> {
    of["findings"].as_array().into_iter().flatten().collect()
}

fn show(terminal: Terminal, answer: &Json, options: &Options) {
    let bridges = answer["bridges"].as_array().map(Vec::as_slice).unwrap_or_default();
    if bridges.is_empty() {
        terminal.say("no Bridge has reported within a day");
    } else {
        let mut head = vec!["bridge", "version", "is", "up", "seen", "env", "state", "release", "seq"];
        head.extend(options.show_cache_age.then_some("confirmed"));
        head.extend(options.show_keys.then_some("trusts"));
        terminal.table(&head, bridges.iter().flat_map(|bridge| rows(bridge, options)));
    }
    for bridge in bridges {
        for finding in findings(bridge) {
            tell(terminal, &cell(&bridge["id"]), finding);
        }
    }
    for finding in findings(answer) {
        tell(terminal, "", finding);
    }
    if answer["ok"] == true && !bridges.is_empty() {
        terminal.say(&terminal.tone(Tone::Good, "all is well"));
    }
}

/// One for each env.
fn rows<'a>(bridge: &'a Json, options: &'a Options) -> impl Iterator<Item = Vec<String>> + 'a {
    let ago = |value: &Json| value.as_u64().map(|seconds| format!("{} ago", span(seconds))).unwrap_or_default();
    let up = bridge["standing"]["uptimeSeconds"].as_u64().map(span).unwrap_or_default();
    bridge["envs"].as_array().into_iter().flatten().map(move |env| {
        let mut row = vec![cell(&bridge["id"]), cell(&bridge["version"]), cell(&bridge["state"]), up.clone()];
        row.push(ago(&bridge["lastSeenSeconds"]));
        row.extend(["env", "state", "releaseId", "sequence"].map(|key| cell(&env[key])));
        row.extend(options.show_cache_age.then(|| ago(&env["cacheAgeSeconds"])));
        row.extend(options.show_keys.then(|| trusts(&bridge["standing"])));
        row
    })
}

/// `2 of aa|bb, cc`: keys of one signer stand together.
fn trusts(standing: &Json) -> String {
    let signers = standing["trustedKeys"].as_array().into_iter().flatten();
    let signers: Vec<String> = signers.map(|keys| cell(keys).replace(", ", "|")).collect();
    if signers.is_empty() {
        String::new()
    } else {
        format!("{} of {}", standing["requiredSigners"], signers.join(", "))
    }
}

fn tell(terminal: Terminal, who: &str, finding: &Json) {
    let tone = match finding["severity"].as_str() {
        Some("error") => Tone::Bad,
        Some("warning") => Tone::Warn,
        _ => Tone::Faint,
    };
    let severity = terminal.tone(tone, &cell(&finding["severity"]));
    let about: Vec<String> =
        [who.to_owned(), cell(&finding["env"])].into_iter().filter(|part| !part.is_empty()).collect();
    terminal.say(&format!("{severity} {}: {}", about.join(" "), printable(&cell(&finding["what"]))));
    terminal.say(&format!("  {} {}", terminal.tone(Tone::Strong, "do:"), printable(&cell(&finding["todo"]))));
}
