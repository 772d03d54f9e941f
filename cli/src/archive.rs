//! A release in one file: an OCI image layout (v1) in a tar archive, so that registries and their tools can carry it. It is written
//! without a time, an owner or an order of its own: the same signed release is the same file, byte for byte.
//!
//! What is read may come from anybody. Nothing is written to disk for it; names, kinds, sizes and digests are checked before
//! anything is believed, and whether the signatures hold is for [`santokit_core::release::verify`] to say.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Write},
};

use santokit_core::{
    component::SIZE_BYTES_MAX,
    release::{Digest, Envelope, SignedRelease, canonical_json, verify::MANIFEST_BYTES_MAX},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

const LAYOUT: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs/sha256/";
/// Other tools write these too.
const FOLDERS: [&str; 2] = ["blobs", "blobs/sha256"];

const LAYOUT_VERSION: &str = "1.0.0";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
const ARTIFACT: &str = "application/vnd.santokit.release.v1";
const MANIFEST: &str = "application/vnd.santokit.manifest.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
const COMPONENT: &str = "application/wasm";

const ENTRIES_MAX: usize = 2_000;
const SMALL_BYTES_MAX: usize = 1 << 20;
const BLOB_BYTES_MAX: usize = if SIZE_BYTES_MAX > MANIFEST_BYTES_MAX { SIZE_BYTES_MAX } else { MANIFEST_BYTES_MAX };
const TOTAL_BYTES_MAX: usize = 1 << 30;

/// A release with all that it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Its manifest and what was signed about it.
    pub signed: SignedRelease,
    /// Its components.
    pub components: BTreeMap<Digest, Vec<u8>>,
}

/// Why a file is no release.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or ends in the middle.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// An entry that no such file has.
    #[error("{name:?} {why}")]
    Entry {
        /// As the archive says it.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than is read.
    #[error("it has more than {most} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// Bytes that do not have the digest that they are named by.
    #[error("the bytes of {0} have another digest")]
    Damaged(Digest),
    /// Something that is named is not there, or something is there that nothing names.
    #[error("{0}")]
    Parts(String),
}

/// A part of an OCI image, by its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// What an archive holds, each blob under the digest that it has.
#[derive(Default)]
struct Entries {
    layout: Option<Vec<u8>>,
    index: Option<Vec<u8>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

/// Writes a release.
pub fn write(packed: &Packed, out: impl Write) -> io::Result<()> {
    let mut blobs: BTreeMap<Digest, &[u8]> = BTreeMap::new();
    let empty = b"{}".as_slice();
    let envelope = canonical_json(&packed.signed.envelope).map_err(io::Error::other)?;
    let mut add = |media_type: &str, bytes| {
        let digest = Digest::of(bytes);
        blobs.insert(digest.clone(), bytes);
        Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64 }
    };
    let config = add(OCI_EMPTY, empty);
    let mut layers = vec![add(MANIFEST, packed.signed.manifest.as_bytes()), add(ENVELOPE, &envelope)];
    layers.extend(packed.components.values().map(|bytes| add(COMPONENT, bytes)));
    let image = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": ARTIFACT, "config": config, "layers": layers,
    });
    let image = canonical_json(&image).map_err(io::Error::other)?;
    let image_descriptor = add(OCI_MANIFEST, &image);
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image_descriptor]});
    let layout = canonical_json(&json!({"imageLayoutVersion": LAYOUT_VERSION})).map_err(io::Error::other)?;
    let mut archive = tar::Builder::new(out);
    append(&mut archive, LAYOUT, &layout)?;
    append(&mut archive, INDEX, &canonical_json(&index).map_err(io::Error::other)?)?;
    for (digest, bytes) in &blobs {
        append(&mut archive, &format!("{BLOBS}{}", digest.hex()), bytes)?;
    }
    archive.into_inner()?.flush()
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    archive.append(&header, bytes)
}

/// Reads a release. Every digest holds; that the manifest and its components belong together is to be verified.
pub fn read(input: impl Read) -> Result<Packed, ArchiveError> {
    let mut entries = entries(input)?;
    let text = |bytes: Option<Vec<u8>>, name: &str| bytes.ok_or_else(|| parts(format!("there is no {name}")));
    let layout: Layout = parse(&text(entries.layout.take(), LAYOUT)?, LAYOUT)?;
    if layout.image_layout_version != LAYOUT_VERSION {
        return Err(parts(format!("its layout is of version {:?}, not {LAYOUT_VERSION}", layout.image_layout_version)));
    }
    let index: Index = parse(&text(entries.index.take(), INDEX)?, INDEX)?;
    let [image] = index.manifests.as_slice() else { return Err(parts("it must hold one image".to_owned())) };
    let image: Image = parse(&entries.take(image, OCI_MANIFEST, SMALL_BYTES_MAX)?, "the image")?;
    if image.artifact_type.as_deref() != Some(ARTIFACT) {
        return Err(parts(format!("its image is not of type {ARTIFACT}")));
    }
    entries.take(&image.config, OCI_EMPTY, 2)?;
    let [manifest, envelope, components @ ..] = image.layers.as_slice() else {
        return Err(parts("its image has no manifest and no envelope".to_owned()));
    };
    let manifest = String::from_utf8(entries.take(manifest, MANIFEST, MANIFEST_BYTES_MAX)?)
        .map_err(|_| parts("the manifest is no text".to_owned()))?;
    let envelope: Envelope = parse(&entries.take(envelope, ENVELOPE, SMALL_BYTES_MAX)?, "the envelope")?;
    let mut taken = BTreeMap::new();
    for component in components {
        let bytes = entries.take(component, COMPONENT, SIZE_BYTES_MAX)?;
        taken.insert(component.digest.clone(), bytes);
    }
    if let Some(digest) = entries.blobs.keys().next() {
        return Err(parts(format!("nothing names its blob {digest}")));
    }
    Ok(Packed { signed: SignedRelease { manifest, envelope }, components: taken })
}

/// Reads an archive entry by entry: as headers say it, without the extensions that could give a file another name.
fn entries(input: impl Read) -> Result<Entries, ArchiveError> {
    let (mut found, mut total) = (Entries::default(), 0);
    let mut archive = tar::Archive::new(input);
    let mut names = BTreeSet::new();
    for (count, entry) in archive.entries()?.raw(true).enumerate() {
        if count == ENTRIES_MAX {
            return Err(ArchiveError::TooMuch { what: "entries", most: ENTRIES_MAX });
        }
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refused = |why| ArchiveError::Entry { name: name.clone(), why };
        if entry.header().entry_type().is_dir() && FOLDERS.contains(&name.trim_end_matches('/')) {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(refused("is no plain file"));
        }
        let digest = name.strip_prefix(BLOBS).and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok());
        let most = match (name.as_str(), &digest) {
            (LAYOUT | INDEX, _) => SMALL_BYTES_MAX,
            (_, Some(_)) => BLOB_BYTES_MAX,
            _ => return Err(refused("is not the name of any part of a release")),
        };
        if !names.insert(name.clone()) {
            return Err(refused("is there twice"));
        }
        let size = usize::try_from(entry.header().entry_size()?).unwrap_or(usize::MAX);
        total += size.min(TOTAL_BYTES_MAX);
        if size > most || total > TOTAL_BYTES_MAX {
            return Err(refused("is too large"));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(size as u64).read_to_end(&mut bytes)?;
        if bytes.len() != size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match digest {
            Some(digest) if !digest.matches(&bytes) => return Err(ArchiveError::Damaged(digest)),
            Some(digest) => drop(found.blobs.insert(digest, bytes)),
            None if name == LAYOUT => found.layout = Some(bytes),
            None => found.index = Some(bytes),
        }
    }
    Ok(found)
}

impl Entries {
    /// A blob that something names; none is named twice.
    fn take(&mut self, named: &Descriptor, media_type: &str, most: usize) -> Result<Vec<u8>, ArchiveError> {
        let Descriptor { media_type: found, digest, size } = named;
        if found != media_type {
            return Err(parts(format!("{digest} is of type {found:?}, expected {media_type:?}")));
        }
        let bytes = self.blobs.remove(digest).ok_or_else(|| parts(format!("the blob {digest} is missing")))?;
        if bytes.len() as u64 != *size || bytes.len() > most {
            return Err(parts(format!("the blob {digest} has another size than it should")));
        }
        Ok(bytes)
    }
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes).map_err(|error| parts(format!("{what} cannot be understood: {error}")))
}

fn parts(why: String) -> ArchiveError {
    ArchiveError::Parts(why)
}

#[cfg(test)]
mod tests;
