//! `stk release verify`: signatures, digests, and that no component imports more than it is granted. It needs no Hub: a file and
//! the signers' public keys are enough.

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

use super::{Shell, Target, signed_release};
use crate::{
    archive::{self, Packed},
    client::HubClient,
    failure::{Exit, Failure},
    report::Tone,
};

/// A Hub keeps its components two folders deep.
const BLOBS_DEPTH_MAX: usize = 4;

/// Flags of `stk release verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk release verify shop.tar --key ed25519:…\n  stk release verify release.json --key ed25519:… --blobs components/\n  stk release verify rel_01J… --key ed25519:…"
)]
pub struct Options {
    /// A file of `stk release export` or of `stk release show --output`, or an id to fetch from the Hub
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

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let source = Source::of(options, shell).await?;
    let keys = match (&source, options.keys.is_empty()) {
        (Source::Hub(hub, ..), true) => {
            shell.terminal.warn(
                "no --key: the keys come from the Hub itself, which proves that nothing was damaged, not who signed",
            );
            hub_keys(&hub.get(&["v1", "keys"]).await?)
        }
        _ => options.keys.clone(),
    };
    let trust = trust(&keys, options.signers)?;
    let release = verify::release(source.signed(), &trust).map_err(refused)?;
    let mut blobs = match &options.blobs {
        Some(dir) => read_blobs(dir, &release.manifest)?,
        None => BTreeMap::new(),
    };
    match &source {
        Source::Hub(hub, project, _) => {
            for digest in release.manifest.components() {
                if let Entry::Vacant(missing) = blobs.entry(digest) {
                    let bytes = hub.bytes(&["v1", "projects", project, "blobs", missing.key().as_str()]).await?;
                    missing.insert(bytes);
                }
            }
        }
        Source::Archive(packed) => {
            only_its_own(packed, &release.manifest)?;
            blobs.extend(packed.components.clone());
        }
        Source::File(_) => {}
    }
    let components = release.manifest.components().len();
    let is_complete = components == 0 || options.blobs.is_some() || !matches!(source, Source::File(_));
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

/// Where the release comes from.
enum Source {
    /// With its components there.
    Hub(HubClient, String, SignedRelease),
    /// With its components in it.
    Archive(Packed),
    /// Without its components.
    File(SignedRelease),
}

impl Source {
    async fn of(options: &Options, shell: &Shell) -> anyhow::Result<Self> {
        if Kind::Release.is_valid(&options.release) {
            let (hub, context) = shell.hub(&options.target)?;
            let project = context.project()?.to_owned();
            let answer = hub.get(&["v1", "projects", &project, "releases", &options.release]).await?;
            return Ok(Self::Hub(hub, project, signed_release(&answer)?));
        }
        let path = Path::new(&options.release);
        if is_archive(path)? {
            return Ok(Self::Archive(read_archive(path)?));
        }
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let answer: Json = serde_json::from_slice(&text).context("the file is no signed release")?;
        Ok(Self::File(signed_release(&answer)?))
    }

    fn signed(&self) -> &SignedRelease {
        match self {
            Self::Hub(_, _, signed) | Self::File(signed) => signed,
            Self::Archive(packed) => &packed.signed,
        }
    }
}

/// Whether a file is one of `stk release export`. A signed release by itself is JSON, and begins so.
fn is_archive(path: &Path) -> anyhow::Result<bool> {
    let mut first = [0];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut first));
    let length = read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(length == 1 && !matches!(first[0], b'{' | b' ' | b'\n' | b'\r' | b'\t'))
}

/// Reads a file of `stk release export`.
pub(super) fn read_archive(path: &Path) -> anyhow::Result<Packed> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    archive::read(std::io::BufReader::new(file)).map_err(|error| {
        Failure::new(Exit::Refused, format!("{} is no release in one file: {error}", path.display()))
            .hint("it is made with `stk release export`")
            .into()
    })
}

/// An archive carries what its manifest names, and nothing else.
pub(super) fn only_its_own(packed: &Packed, manifest: &Manifest) -> anyhow::Result<()> {
    let named = manifest.components();
    match packed.components.keys().find(|digest| !named.contains(*digest)) {
        None => Ok(()),
        Some(digest) => {
            let message =
                format!("the release does not hold: the file has a component that it does not name, {digest}");
            Err(Failure::new(Exit::Refused, message).into())
        }
    }
}

/// What a release that is not what it should be is told as.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn refused(error: verify::VerifyError) -> Failure {
    Failure::new(Exit::Refused, format!("the release does not hold: {error}"))
}

/// Whose signatures count.
pub(super) fn trust(keys: &[String], required: usize) -> anyhow::Result<Trust> {
    let trust = Trust::in_each(parse_keys(keys)?, required);
    if trust.required == 0 || trust.required > trust.signers.len() {
        return Err(Failure::usage(format!("{} key(s) for {} signer(s)", trust.signers.len(), trust.required))
            .hint("name each signer's public key with --key ed25519:…")
            .into());
    }
    Ok(trust)
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
        .filter(|key| key["state"] != "retired")
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
