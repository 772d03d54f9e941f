//! `stk release sign`: one more signature on a release, with a key that never leaves this machine. What is signed is looked at
//! first: the manifest must be the one that the statement is about.

use std::path::PathBuf;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use santokit_core::release::{SigningKey, verify};
use serde_json::json;

use super::{
    Shell, Target, hub_keys, signed_release,
    verify::{refused, trust},
};
use crate::{
    failure::Failure,
    report::{Tone, printable},
};

/// A file of a key is short.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Flags of `stk release sign`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  openssl genpkey -algorithm ed25519 -out ci.pem\n  stk release sign rel_01J… --key ci.pem"
)]
pub struct Options {
    /// Its id
    release: String,
    /// The private key: Ed25519 in PKCS #8, PEM or DER
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let key = read_key(options)?;
    let public = key.verifying_key();
    let (hub, context) = shell.hub(&options.target)?;
    let project = context.project()?;
    let mut signed = signed_release(&hub.get(&["v1", "projects", project, "releases", &options.release]).await?)?;
    let keys = hub_keys(&hub.get(&["v1", "keys"]).await?);
    let release = verify::release(&signed, &trust(&keys, 1)?).map_err(refused)?;
    if release.statement.release_id != options.release {
        return Err(Failure::failed(format!("the Hub gave {} for it", release.statement.release_id)).into());
    }
    signed.envelope.add_signature(&key).context("cannot sign")?;
    let own = signed.envelope.signatures.iter().find(|signature| signature.keyid == public.id());
    let sig = &own.context("the signature that was made")?.sig;
    let path = ["v1", "projects", project, "releases", &options.release, "signatures"];
    let mut answer = hub.post(&path, &json!({"key": public, "sig": sig})).await?;
    answer["key"] = json!(public);
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!("{} {}", terminal.tone(Tone::Good, "signed"), options.release));
        terminal.say(&format!("  digest {}", release.statement.digest));
        terminal.say(&format!("  by {public} ({})", public.id()));
        for power in release.manifest.capability_lines() {
            terminal.say(&format!("  grants {}", printable(&power)));
        }
    });
    Ok(())
}

fn read_key(options: &Options) -> anyhow::Result<SigningKey> {
    let shown = options.key.display();
    let length = std::fs::metadata(&options.key).with_context(|| format!("cannot read {shown}"))?.len();
    let wrong = || {
        Failure::usage(format!("{shown} is no private key"))
            .hint("it is Ed25519 in PKCS #8: `openssl genpkey -algorithm ed25519 -out FILE` makes one")
    };
    if length > KEY_BYTES_MAX {
        return Err(wrong().into());
    }
    let bytes = std::fs::read(&options.key).with_context(|| format!("cannot read {shown}"))?;
    let der = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN") => from_pem(text).ok_or_else(wrong)?,
        _ => bytes,
    };
    SigningKey::from_pkcs8(&der).map_err(|_| wrong().into())
}

/// The content of `-----BEGIN PRIVATE KEY-----`.
fn from_pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}
