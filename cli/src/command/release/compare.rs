//! `stk release compare`: what differs between two releases of a project, section by section. The Hub gives both; they are
//! compared here. Whether they are what was signed is the question of `stk release verify`.

use santokit_core::release::{Digest, Manifest, Section, compare, verify};
use serde_json::{Map, Value as Json, json};

use super::{Shell, Target, signed_release};
use crate::{
    client::HubClient,
    context::Context,
    report::{Terminal, Tone, printable},
};

/// Flags of `stk release compare`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk release compare rel_01J… rel_01K…\n  stk release compare rel_01J… rel_01K… --section capabilities --section access"
)]
pub struct Options {
    /// The release before
    before: String,
    /// The release after
    after: String,
    /// Only this part; it can be named more than once
    #[arg(long = "section", value_name = "SECTION", value_parser = section)]
    sections: Vec<Section>,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

fn section(text: &str) -> Result<Section, String> {
    let known = || Section::ALL.iter().copied();
    known()
        .find(|section| section.as_str() == text)
        .ok_or_else(|| format!("there are {}", known().map(Section::as_str).collect::<Vec<_>>().join(", ")))
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let (before, digest_before) = fetch(&hub, &context, &options.before).await?;
    let (after, digest_after) = fetch(&hub, &context, &options.after).await?;
    let comparison = compare(&before, &after);
    let wanted = |section: &Section| options.sections.is_empty() || options.sections.contains(section);
    let sections: Vec<Section> = Section::ALL.iter().copied().filter(wanted).collect();
    let all = serde_json::to_value(&comparison)?;
    let mut answer = Map::new();
    answer.insert("before".to_owned(), json!({"releaseId": options.before, "digest": digest_before}));
    answer.insert("after".to_owned(), json!({"releaseId": options.after, "digest": digest_after}));
    answer.insert("same".to_owned(), json!(digest_before == digest_after));
    for section in &sections {
        answer.insert(section.as_str().to_owned(), all[section.as_str()].clone());
        if *section == Section::Events {
            answer.insert("breakingEvents".to_owned(), json!(comparison.breaking_events));
        }
    }
    shell.terminal.answer(&Json::Object(answer), |terminal| {
        let differing: Vec<Section> =
            sections.iter().copied().filter(|section| !comparison.is_empty(*section)).collect();
        for section in &differing {
            terminal.say(&terminal.tone(Tone::Strong, section.as_str()));
            for line in comparison.lines(*section) {
                say(terminal, line.sign, &line.text);
            }
        }
        if differing.is_empty() {
            let is_all = sections.len() == Section::ALL.len();
            terminal.say(match (digest_before == digest_after, is_all) {
                (true, _) => "they are the same",
                (false, true) => "nothing differs but the order or the spelling of something",
                (false, false) => "nothing differs in what was asked for",
            });
        }
    });
    Ok(())
}

fn say(terminal: Terminal, sign: char, text: &str) {
    let tone = match sign {
        '+' => Tone::Good,
        '-' => Tone::Bad,
        _ => Tone::Warn,
    };
    terminal.say(&format!("  {} {}", terminal.tone(tone, &sign.to_string()), printable(text)));
}

async fn fetch(hub: &HubClient, context: &Context, id: &str) -> anyhow::Result<(Manifest, Digest)> {
    let answer = hub.get(&["v1", "projects", context.project()?, "releases", id]).await?;
    let signed = signed_release(&answer)?;
    Ok((verify::manifest(&signed.manifest)?, Digest::of(signed.manifest.as_bytes())))
}
