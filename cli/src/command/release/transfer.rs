//! `stk release export` and `stk release import`: a release in one file, from one Hub to another that need not reach it. What is
//! imported is verified before anything is sent, and by the Hub again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use santokit_core::release::{Digest, verify};
use serde_json::json;

use super::{
    Shell, Target, signed_release,
    verify::{only_its_own, read_archive, refused, trust},
};
use crate::{
    archive::{self, Packed},
    failure::{Exit, Failure},
    report::{Tone, cell},
};

/// Flags of `stk release export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk release export rel_01J… shop.tar")]
pub struct Export {
    /// Its id
    release: String,
    /// Where to write it; a file that is there is replaced
    file: PathBuf,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

/// Flags of `stk release import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk release import shop.tar --key ed25519:…")]
pub struct Import {
    /// A file of `stk release export`
    file: PathBuf,
    /// A key that must have signed it: of the Hub or the person that it comes from
    #[arg(long = "key", env = "STK_TRUSTED_KEYS", value_delimiter = ',', value_name = "ed25519:…")]
    keys: Vec<String>,
    /// How many of the keys must have signed
    #[arg(long, default_value_t = 1, value_name = "N")]
    signers: usize,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

/// Runs `export`.
pub(super) async fn export(options: &Export, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let project = context.project()?;
    let signed = signed_release(&hub.get(&["v1", "projects", project, "releases", &options.release]).await?)?;
    let (mut components, digest) = (BTreeMap::new(), Digest::of(signed.manifest.as_bytes()));
    for digest in verify::manifest(&signed.manifest)?.components() {
        let bytes = hub.bytes(&["v1", "projects", project, "blobs", digest.as_str()]).await?;
        if !digest.matches(&bytes) {
            return Err(Failure::failed(format!("the Hub's component {digest} has other bytes")).into());
        }
        components.insert(digest, bytes);
    }
    let packed = Packed { signed, components };
    write_whole(&options.file, &packed).with_context(|| format!("cannot write {}", options.file.display()))?;
    let answer = json!({
        "releaseId": options.release, "digest": digest, "file": options.file.display().to_string(),
        "components": packed.components.keys().collect::<Vec<_>>(),
    });
    shell.terminal.answer(&answer, |terminal| {
        let (count, file) = (packed.components.len(), options.file.display());
        terminal.say(&format!("{} is in {file}, with {count} component(s)", options.release));
    });
    Ok(())
}

/// A file that is there is whole.
fn write_whole(path: &Path, packed: &Packed) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let written = fs::File::create(&unfinished)
        .and_then(|file| archive::write(packed, std::io::BufWriter::new(file)))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Runs `import`.
pub(super) async fn import(options: &Import, shell: &Shell) -> anyhow::Result<()> {
    let trust = trust(&options.keys, options.signers)?;
    let packed = read_archive(&options.file)?;
    let release = verify::release(&packed.signed, &trust).map_err(refused)?;
    only_its_own(&packed, &release.manifest)?;
    let borrowed = |digest: &Digest| packed.components.get(digest).map(|bytes| bytes.as_slice().into());
    verify::components(&release.manifest, borrowed).map_err(refused)?;
    let (hub, _) = shell.hub(&options.target)?;
    let project = &release.manifest.project;
    if let Some(asked) = options.target.project.as_ref().filter(|asked| *asked != project) {
        return Err(Failure::new(Exit::Usage, format!("the release is of project {project}, not of {asked}")).into());
    }
    for (digest, bytes) in &packed.components {
        if !hub.has_blob(project, digest).await? {
            let bar = shell.terminal.progress(None, &format!("uploading {} KiB", bytes.len() / 1024));
            hub.put_blob(project, digest, bytes.clone()).await?;
            bar.finish_and_clear();
        }
    }
    let body = json!({
        "manifest": packed.signed.manifest, "envelope": packed.signed.envelope, "keys": trust.signers.iter().flatten().collect::<Vec<_>>(), "signers": trust.required,
    });
    let answer = hub.post(&["v1", "projects", project, "releases"], &body).await?;
    shell.terminal.answer(&answer, |terminal| {
        let id = cell(&answer["releaseId"]);
        let said = if answer["created"] == true { "is imported" } else { "was there already" };
        terminal.say(&format!("{} {said}", terminal.tone(Tone::Good, &id)));
        terminal.note(&format!("no env runs it yet: `stk release promote {id} --env ENV`"));
    });
    Ok(())
}
