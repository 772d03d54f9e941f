//! The file of a backup: a tar archive of `tables/<name>.ndjson` (the names of the columns, then a row a line), of components under
//! `blobs/sha256/`, and at its end `backup.json`: what is in it, each with its digest, signed by the Hub. What is read may come
//! from anybody: nothing of it is believed before all digests and the signature were looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use santokit_core::{
    audit::Head,
    component::SIZE_BYTES_MAX,
    release::{Digest, Envelope, Hasher, SigningKey, VerifyingKey},
};
use serde::{Deserialize, Serialize};

/// The newest format.
pub const FORMAT: u32 = 1;
/// Payload type of what is signed.
const PAYLOAD_TYPE: &str = "application/vnd.santokit.hub-backup.v1+json";
const CONTENTS: &str = "backup.json";
const CONTENTS_BYTES_MAX: u64 = 64 << 20;
const TABLES: &str = "tables/";
const BLOBS: &str = "blobs/sha256/";
/// A release's manifest is the longest text that there is; in JSON it can be twice as long.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contents {
    /// [`FORMAT`].
    pub format: u32,
    /// Of Santokit.
    pub version: String,
    /// Of the tables.
    pub schema_version: usize,
    /// `sqlite` or `postgres`: where it was made.
    pub engine: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// Where the audit log ended.
    pub head: Option<Head>,
    /// Tables and components.
    pub members: Vec<Member>,
}

/// A part of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Its path in the archive.
    pub name: String,
    /// Of its bytes.
    pub digest: Digest,
    /// How many.
    pub bytes: u64,
    /// Of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
}

/// Why a file is no backup.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or ends in the middle.
    #[error("it cannot be read to its end: {0}")]
    Read(#[from] io::Error),
    /// It is something else, or was changed.
    #[error("{0}")]
    Wrong(String),
}

/// A file without a name, in a directory that has room for it.
#[derive(Debug)]
pub struct Scratch {
    out: BufWriter<File>,
}

/// Writes a backup.
pub struct Writer {
    archive: tar::Builder<File>,
    members: Vec<Member>,
}

/// A backup whose digests were all looked at.
#[derive(Debug)]
pub struct Checked {
    /// What it says of itself.
    pub contents: Contents,
    /// Signs it.
    pub envelope: Envelope,
}

/// A part as it is read.
#[derive(Debug)]
pub enum Piece {
    /// A table begins, with these columns.
    Table(String, Vec<String>),
    /// A row of it.
    Row(String),
    /// A component.
    Blob(Digest, Vec<u8>),
}

impl Scratch {
    /// A new one.
    pub fn new(dir: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(Self::file(dir)?) })
    }

    /// A file that is gone from the directory, and from the disk when it is closed.
    pub fn file(dir: &Path) -> io::Result<File> {
        let path = dir.join(format!("backup-{}.unfinished", ulid()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    /// Adds a line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    fn read_again(self) -> io::Result<File> {
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

impl Writer {
    /// Into a file.
    pub fn begin(file: File) -> Self {
        Self { archive: tar::Builder::new(file), members: Vec::new() }
    }

    /// Adds a table.
    pub fn table(&mut self, name: &str, rows: i64, scratch: Scratch) -> io::Result<()> {
        let mut file = scratch.read_again()?;
        let bytes = file.metadata()?.len();
        let name = format!("{TABLES}{name}.ndjson");
        let mut reader = Hashed::new(&mut file);
        self.archive.append_data(&mut header(bytes), &name, &mut reader)?;
        let digest = reader.digest();
        self.members.push(Member { name, digest, bytes, rows: Some(rows) });
        Ok(())
    }

    /// Adds a component.
    pub fn blob(&mut self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let name = format!("{BLOBS}{}", digest.hex());
        let length = bytes.len() as u64;
        self.archive.append_data(&mut header(length), &name, bytes)?;
        self.members.push(Member { name, digest: digest.clone(), bytes: length, rows: None });
        Ok(())
    }

    /// Ends it; the file stands at its beginning.
    pub fn end(mut self, contents: Contents, key: &SigningKey) -> io::Result<(File, u64)> {
        let contents = Contents { members: self.members, ..contents };
        let envelope = Envelope::sign(PAYLOAD_TYPE, &contents, key).map_err(io::Error::other)?;
        let text = serde_json::to_vec(&envelope)?;
        self.archive.append_data(&mut header(text.len() as u64), CONTENTS, text.as_slice())?;
        let mut file = self.archive.into_inner()?;
        file.flush()?;
        let length = file.metadata()?.len();
        file.rewind()?;
        Ok((file, length))
    }
}

/// Reads a file to its end and compares every digest. Whose signature it has is not known yet: see [`Checked::need_signature`].
pub fn check(path: &Path) -> Result<Checked, ArchiveError> {
    let mut found: BTreeMap<String, (Digest, u64)> = BTreeMap::new();
    let mut envelope = None::<Envelope>;
    let mut archive = tar::Archive::new(BufReader::new(File::open(path)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = name_of(&entry)?;
        if envelope.is_some() {
            return Err(wrong(format!("{name:?} comes after its end")));
        }
        if name == CONTENTS {
            let mut text = Vec::new();
            entry.by_ref().take(CONTENTS_BYTES_MAX).read_to_end(&mut text)?;
            envelope = Some(serde_json::from_slice(&text).map_err(|_| wrong(format!("{CONTENTS} cannot be read")))?);
            continue;
        }
        let mut reader = Hashed::new(&mut entry);
        let bytes = io::copy(&mut reader, &mut io::sink())?;
        if found.insert(name.clone(), (reader.digest(), bytes)).is_some() {
            return Err(wrong(format!("{name:?} stands twice in it")));
        }
    }
    let envelope = envelope.ok_or_else(|| wrong("it ends in the middle, or is no backup of a Hub"))?;
    let contents: Contents = envelope
        .unverified(PAYLOAD_TYPE)
        .map_err(|_| wrong("what it says of itself cannot be read; it may be of a newer version"))?;
    if contents.format > FORMAT {
        return Err(wrong(format!("it has format {}, newer than this version reads", contents.format)));
    }
    for member in &contents.members {
        match found.remove(&member.name) {
            None => return Err(wrong(format!("{:?} is missing", member.name))),
            Some((digest, bytes)) if digest != member.digest || bytes != member.bytes => {
                return Err(wrong(format!("{:?} was changed or damaged", member.name)));
            }
            Some(_) => {}
        }
    }
    match found.keys().next() {
        Some(name) => Err(wrong(format!("{name:?} does not belong to it"))),
        None => Ok(Checked { contents, envelope }),
    }
}

impl Checked {
    /// Fails where it is not signed by one of the keys.
    pub fn need_signature(&self, keys: &[VerifyingKey]) -> Result<(), ArchiveError> {
        let opened = self.envelope.open::<Contents>(PAYLOAD_TYPE, &[keys.to_vec()], 1);
        opened.map(|_| ()).map_err(|_| wrong("it is not signed by the Hub whose keys are in it: it was changed"))
    }

    /// The tables that it has.
    pub fn tables(&self) -> BTreeSet<&str> {
        self.contents.members.iter().filter_map(|member| table_of(&member.name)).collect()
    }
}

/// Reads the pieces in their order. The file is the one that was checked: each digest is compared once more at its end.
pub fn read(
    path: &Path,
    checked: &Contents,
    mut take: impl FnMut(Piece) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(BufReader::new(File::open(path)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = name_of(&entry)?;
        let Some(member) = checked.members.iter().find(|member| member.name == name) else { continue };
        if let Some(table) = table_of(&name) {
            let mut lines = BufReader::new(Hashed::new(&mut entry));
            let columns = line(&mut lines)?.unwrap_or_default();
            let columns = serde_json::from_str(&columns).map_err(|_| wrong(format!("{name:?} has no columns")))?;
            take(Piece::Table(table.to_owned(), columns))?;
            while let Some(row) = line(&mut lines)? {
                take(Piece::Row(row))?;
            }
            if lines.into_inner().digest() != member.digest {
                return Err(wrong(format!("{name:?} changes while it is read")));
            }
        } else if name.starts_with(BLOBS) {
            let mut bytes = Vec::new();
            entry.by_ref().take(SIZE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
            if !member.digest.matches(&bytes) {
                return Err(wrong(format!("{name:?} changes while it is read")));
            }
            take(Piece::Blob(member.digest.clone(), bytes))?;
        }
    }
    Ok(())
}

fn line(lines: &mut impl BufRead) -> Result<Option<String>, ArchiveError> {
    let mut text = String::new();
    let read = lines.take(LINE_BYTES_MAX).read_line(&mut text)?;
    if read == 0 {
        return Ok(None);
    }
    match text.strip_suffix('\n') {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(wrong("a line has no end")),
    }
}

fn name_of<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, ArchiveError> {
    let path = entry.path()?;
    let name = path.to_str().ok_or_else(|| wrong("a name is no text"))?.to_owned();
    if entry.header().entry_type().is_file() { Ok(name) } else { Err(wrong(format!("{name:?} is no file"))) }
}

fn table_of(name: &str) -> Option<&str> {
    name.strip_prefix(TABLES)?.strip_suffix(".ndjson")
}

fn wrong(why: impl Into<String>) -> ArchiveError {
    ArchiveError::Wrong(why.into())
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

fn ulid() -> String {
    santokit_core::id::Kind::Request.generate()
}

/// Takes the digest of what is read through it.
struct Hashed<R> {
    reader: R,
    hasher: Hasher,
}

impl<R: Read> Hashed<R> {
    fn new(reader: R) -> Self {
        Self { reader, hasher: Hasher::new() }
    }

    fn digest(self) -> Digest {
        self.hasher.digest()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}
