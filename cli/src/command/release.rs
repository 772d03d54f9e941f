//! `stk release`: what there is, what runs, and whether a release is what its signers signed. Verification needs no Hub.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use santokit_core::{
    component::SIZE_BYTES_MAX,
    id::Kind,
    logic::Body,
    release::{
        Digest, Manifest, SignedRelease, VerifyingKey,
        verify::{self, Trust},
    },
};
use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    context::Target,
    failure::{Exit, Failure},
    report::{Tone, cell, printable},
};

/// A Hub keeps its components two folders deep.
const BLOBS_DEPTH_MAX: usize = 4;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// All releases of a project, the newest first
    #[command(after_help = "Example:\n  stk release list")]
    List {
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Which release an env runs
    #[command(after_help = "Example:\n  stk release current --env prod")]
    Current {
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// What is in a release
    #[command(after_help = "Example:\n  stk release show rel_01J… --output release.json --blobs components/")]
    Show {
        /// Its id
        id: String,
        /// Write the signed release to a file, to verify it elsewhere
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write its components into a folder, for the same purpose
        #[arg(long, value_name = "DIR")]
        blobs: Option<PathBuf>,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Check signatures, digests and the imports of every component
    #[command(
        after_help = "Example:\n  stk release verify release.json --key ed25519:… --blobs components/\n  stk release verify rel_01J… --key ed25519:…"
    )]
    Verify(Verify),
}

/// Flags of `stk release verify`.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A file of `stk release show --output`, or an id to fetch from the Hub
    pub release: String,
    /// A key that must have signed; without one, the Hub's own keys are taken, which proves less
    #[arg(long = "key", env = "STK_TRUSTED_KEYS", value_delimiter = ',', value_name = "ed25519:…")]
    pub keys: Vec<String>,
    /// How many of the keys must have signed
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub signers: usize,
    /// A folder of components; each is found by its digest, whatever its name
    #[arg(long, value_name = "DIR")]
    pub blobs: Option<PathBuf>,
    /// The Hub and project, for an id.
    #[command(flatten)]
    pub target: Target,
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "releases"]).await?;
            super::list(shell, &all, "releases", &["id", "created", "author", "digest"], |row| {
                ["id", "createdAt", "author", "digest"].iter().map(|key| cell(&row[*key])).collect()
            });
        }
        Command::Current { target } => {
            let (hub, context) = shell.hub(&target)?;
            let current = hub.get(&["v1", "projects", context.project()?, "envs", context.env()?, "current"]).await?;
            shell.terminal.answer(&current, |terminal| {
                terminal.say(&format!(
                    "{} sequence {} {}",
                    cell(&current["releaseId"]),
                    cell(&current["sequence"]),
                    cell(&current["digest"])
                ));
                for bridge in current["bridges"].as_array().into_iter().flatten() {
                    let runs = bridge["releaseId"] == current["releaseId"];
                    let word = terminal
                        .tone(if runs { Tone::Good } else { Tone::Warn }, if runs { "running" } else { "behind" });
                    let said = printable(&format!(
                        "{} {} {}",
                        cell(&bridge["id"]),
                        cell(&bridge["state"]),
                        cell(&bridge["refused"]["message"])
                    ));
                    terminal.say(&format!("  {word} {said}"));
                }
            });
        }
        Command::Show { id, output, blobs, target } => {
            show(&id, output.as_deref(), blobs.as_deref(), &target, shell).await?;
        }
        Command::Verify(options) => verify(&options, shell).await?,
    }
    Ok(())
}

async fn show(
    id: &str,
    output: Option<&Path>,
    blobs: Option<&Path>,
    target: &Target,
    shell: &Shell,
) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let answer = hub.get(&["v1", "projects", context.project()?, "releases", id]).await?;
    let signed = signed_release(&answer)?;
    if let Some(path) = output {
        std::fs::write(path, serde_json::to_vec_pretty(&signed)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        shell.terminal.note(&format!("written to {}", path.display()));
    }
    let manifest = verify::manifest(&signed.manifest)?;
    if let Some(dir) = blobs {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for digest in manifest.components() {
            let bytes = hub.bytes(&["v1", "projects", context.project()?, "blobs", digest.as_str()]).await?;
            let path = dir.join(format!("{}.wasm", digest.hex()));
            std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!(
            "{} of {}, {}",
            terminal.tone(Tone::Strong, id),
            manifest.project,
            Digest::of(signed.manifest.as_bytes())
        ));
        for (name, schema) in &manifest.connections {
            terminal.say(&format!(
                "  connection {name}: tables {}",
                schema.tables.keys().cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        for (name, logic) in &manifest.logics {
            match &logic.body {
                Body::Sql(_) => terminal.say(&format!("  logic {name}: sql")),
                Body::Wasm(wasm) => terminal
                    .say(&format!("  logic {name}: {} {} bytes {}", wasm.language, wasm.size_bytes, wasm.component)),
            }
        }
        for line in manifest.capability_lines() {
            terminal.say(&format!("  grants {line}"));
        }
    });
    Ok(())
}

/// The Hub answers it bare or beside other fields.
fn signed_release(answer: &Json) -> anyhow::Result<SignedRelease> {
    let bare = json!({"manifest": answer["manifest"], "envelope": answer["envelope"]});
    let value = answer.get("release").unwrap_or(&bare);
    serde_json::from_value(value.clone()).context("this is no signed release")
}

async fn verify(options: &Verify, shell: &Shell) -> anyhow::Result<()> {
    let is_id = Kind::Release.is_valid(&options.release);
    let hub = if is_id { Some(shell.hub(&options.target)?) } else { None };
    let answer: Json = if let Some((hub, context)) = &hub {
        hub.get(&["v1", "projects", context.project()?, "releases", &options.release]).await?
    } else {
        let text = std::fs::read(&options.release).with_context(|| format!("cannot read {}", options.release))?;
        serde_json::from_slice(&text).context("the file is no signed release")?
    };
    let signed = signed_release(&answer)?;
    let keys = match (&hub, options.keys.is_empty()) {
        (Some((hub, _)), true) => {
            shell.terminal.warn(
                "no --key: the keys come from the Hub itself, which proves that nothing was damaged, not who signed",
            );
            hub_keys(&hub.get(&["v1", "keys"]).await?)
        }
        _ => options.keys.clone(),
    };
    let trust = Trust { keys: parse_keys(&keys)?, required: options.signers };
    if trust.required == 0 || trust.required > trust.keys.len() {
        return Err(Failure::usage(format!("{} key(s) for {} signer(s)", trust.keys.len(), trust.required))
            .hint("name each signer's public key with --key ed25519:…")
            .into());
    }
    let refused =
        |error: verify::VerifyError| Failure::new(Exit::Refused, format!("the release does not hold: {error}"));
    let release = verify::release(&signed, &trust).map_err(refused)?;
    let mut blobs = match &options.blobs {
        Some(dir) => read_blobs(dir, &release.manifest)?,
        None => BTreeMap::new(),
    };
    if let Some((hub, context)) = &hub {
        for digest in release.manifest.components() {
            if let Entry::Vacant(missing) = blobs.entry(digest) {
                let path = ["v1", "projects", context.project()?, "blobs", missing.key().as_str()];
                let bytes = hub.bytes(&path).await?;
                missing.insert(bytes);
            }
        }
    }
    let components = release.manifest.components().len();
    let is_complete = components == 0 || hub.is_some() || options.blobs.is_some();
    if is_complete {
        verify::components(&release.manifest, |digest| blobs.get(digest).map(|bytes| Cow::Borrowed(bytes.as_slice())))
            .map_err(refused)?;
    } else {
        shell
            .terminal
            .warn(&format!("its {components} component(s) were not checked: name their folder with --blobs DIR"));
    }
    report(&release, is_complete, components, shell);
    Ok(())
}

fn report(release: &verify::VerifiedRelease, is_complete: bool, components: usize, shell: &Shell) {
    let statement = &release.statement;
    let listed: Vec<_> = release
        .manifest
        .logics
        .iter()
        .filter_map(|(name, logic)| match &logic.body {
            Body::Wasm(wasm) => Some((name, wasm)),
            Body::Sql(_) => None,
        })
        .collect();
    let grants: Vec<String> = Manifest::capability_lines(&release.manifest).into_iter().collect();
    let answer = json!({
        "verified": true, "componentsVerified": is_complete, "releaseId": statement.release_id, "project": statement.project,
        "digest": statement.digest, "provenance": statement.provenance, "grants": grants,
        "components": listed.iter().map(|(name, wasm)| json!({
            "logic": name, "digest": wasm.component, "sizeBytes": wasm.size_bytes, "language": wasm.language, "imports": wasm.imports,
        })).collect::<Vec<_>>(),
    });
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!(
            "{} {} of {}",
            terminal.tone(Tone::Good, "verified"),
            statement.release_id,
            statement.project
        ));
        terminal.say(&format!("  digest {}", statement.digest));
        terminal.say(&format!("  made {} by {}", statement.provenance.created_at, statement.provenance.author));
        if is_complete {
            terminal.say(&format!("  {components} component(s): digests and imports hold"));
        }
        for (name, wasm) in &listed {
            let checked = if is_complete { "" } else { " (not checked)" };
            terminal.say(&format!("  component {} of logic {name}{checked}", wasm.component));
        }
        for line in &grants {
            terminal.say(&format!("  grants {line}"));
        }
    });
}

fn parse_keys(keys: &[String]) -> anyhow::Result<Vec<VerifyingKey>> {
    let parse = |key: &String| {
        VerifyingKey::parse(key.trim())
            .map_err(|error| Failure::usage(format!("{key:?}: {error}")).hint("a key is ed25519:<base64>").into())
    };
    keys.iter().map(parse).collect()
}

/// The keys of `GET /v1/keys`: texts, or objects that hold one.
pub fn hub_keys(answer: &Json) -> Vec<String> {
    let list = answer["keys"].as_array().or_else(|| answer.as_array()).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|key| key.as_str().or_else(|| key["key"].as_str()).or_else(|| key["publicKey"].as_str()))
        .map(str::to_owned)
        .collect()
}

/// The components of a manifest under a folder: each by its digest, whatever its file's name; else the file that is named
/// after it, so that a changed one is called changed and not missing.
fn read_blobs(dir: &Path, manifest: &Manifest) -> anyhow::Result<BTreeMap<Digest, Vec<u8>>> {
    let (wanted, mut found, mut changed) = (manifest.components(), BTreeMap::new(), BTreeMap::new());
    let mut open = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() && depth < BLOBS_DEPTH_MAX {
                open.push((path, depth + 1));
            } else if path.is_file() {
                let bytes = read_component(&path)?;
                let (digest, stem) = (Digest::of(&bytes), path.file_stem().and_then(|stem| stem.to_str()));
                if wanted.contains(&digest) {
                    found.insert(digest, bytes);
                } else if let Some(named) = wanted.iter().find(|digest| Some(digest.hex()) == stem) {
                    changed.insert(named.clone(), bytes);
                }
            }
        }
    }
    changed.extend(found);
    Ok(changed)
}

/// No more than a component can have: the folder may hold anything.
fn read_component(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(SIZE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}
