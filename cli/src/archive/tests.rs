//! What a release in one file is, and every trick with one that is refused.

use santokit_core::release::{Signature, envelope::RELEASE_TYPE};

use super::*;

fn packed() -> Packed {
    let envelope = Envelope {
        payload_type: RELEASE_TYPE.to_owned(),
        payload: "e30=".to_owned(),
        signatures: vec![Signature { keyid: "k".to_owned(), sig: "c2ln".to_owned() }],
    };
    let components = [b"one".to_vec(), b"two".to_vec()].map(|bytes| (Digest::of(&bytes), bytes));
    Packed { signed: SignedRelease { manifest: "{\"a\":1}".to_owned(), envelope }, components: components.into() }
}

fn written(packed: &Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(packed, &mut bytes).unwrap();
    bytes
}

/// Every entry of an archive: header and content.
fn taken_apart(archive: &[u8]) -> Vec<(tar::Header, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.header().clone(), bytes)
    });
    entries.collect()
}

fn put_together(entries: &[(tar::Header, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (header, bytes) in entries {
        archive.append(header, bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// An entry whose name is not checked by who writes it.
fn entry(name: &[u8], kind: tar::EntryType, link: &[u8], bytes: &[u8]) -> (tar::Header, Vec<u8>) {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    let raw = header.as_old_mut();
    raw.name[..name.len()].copy_from_slice(name);
    raw.linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    (header, bytes.to_vec())
}

/// The archive with one entry more.
fn with(more: (tar::Header, Vec<u8>)) -> Result<Packed, ArchiveError> {
    let mut entries = taken_apart(&written(&packed()));
    entries.push(more);
    read(put_together(&entries).as_slice())
}

fn refused(outcome: Result<Packed, ArchiveError>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn the_same_release_is_the_same_file_and_is_read_again() {
    let bytes = written(&packed());
    assert_eq!(bytes, written(&packed()));
    assert_eq!(read(bytes.as_slice()).unwrap(), packed());
    let none = Packed { components: BTreeMap::new(), ..packed() };
    assert_eq!(read(written(&none).as_slice()).unwrap(), none);
    for (header, _) in taken_apart(&bytes) {
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap()), (0, 0, 0o644));
    }
    // Another order, and the folders that other tools write.
    let mut entries = taken_apart(&bytes);
    entries.reverse();
    entries.insert(0, entry(b"blobs/sha256/", tar::EntryType::Directory, b"", b""));
    assert_eq!(read(put_together(&entries).as_slice()).unwrap(), packed());
}

#[test]
fn no_entry_leads_elsewhere() {
    let digest = Digest::of(b"x");
    let blob = format!("blobs/sha256/{}", digest.hex());
    for name in [
        "../oci-layout",
        "/etc/passwd",
        "blobs/sha256/../../../x",
        "./index.json",
        "blobs/sha256/",
        "blobs/sha256/ABCDEF",
        "blobs/sha512/00",
        "extra",
        "",
    ] {
        let said = refused(with(entry(name.as_bytes(), tar::EntryType::Regular, b"", b"x")));
        assert!(said.contains("is not the name of any part"), "{name}: {said}");
    }
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Char,
        tar::EntryType::Block,
        tar::EntryType::Fifo,
        tar::EntryType::Directory,
        tar::EntryType::GNUSparse,
        tar::EntryType::GNULongName,
        tar::EntryType::GNULongLink,
        tar::EntryType::XHeader,
        tar::EntryType::XGlobalHeader,
        tar::EntryType::new(b'?'),
    ] {
        let said = refused(with(entry(blob.as_bytes(), kind, b"/etc/passwd", b"")));
        assert!(said.contains("is no plain file"), "{kind:?}: {said}");
    }
}

#[test]
fn nothing_is_more_or_less_than_it_should_be() {
    let digest = Digest::of(b"x");
    let blob = format!("blobs/sha256/{}", digest.hex());
    let said = refused(with(entry(blob.as_bytes(), tar::EntryType::Regular, b"", b"x")));
    assert!(said.contains("nothing names its blob"), "{said}");
    let said = refused(with(entry(blob.as_bytes(), tar::EntryType::Regular, b"", b"y")));
    assert!(said.contains("have another digest"), "{said}");
    let said = refused(with(entry(b"index.json", tar::EntryType::Regular, b"", b"{}")));
    assert!(said.contains("is there twice"), "{said}");
    // A size that the file does not have, and one that nobody has.
    for (size, words) in [(1_000_u64, "cannot be read"), (1 << 40, "is too large")] {
        let (mut header, bytes) = entry(blob.as_bytes(), tar::EntryType::Regular, b"", b"x");
        header.set_size(size);
        header.set_cksum();
        let mut archive = written(&packed());
        archive.truncate(archive.len() - 1024);
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(&bytes);
        let said = refused(read(archive.as_slice()));
        assert!(said.contains(words), "{size}: {said}");
    }
    let entries = taken_apart(&written(&packed()));
    for missing in 0..entries.len() {
        let mut fewer = entries.clone();
        fewer.remove(missing);
        let said = refused(read(put_together(&fewer).as_slice()));
        assert!(said.contains("missing") || said.contains("there is no"), "{missing}: {said}");
    }
    let many = vec![entry(b"blobs", tar::EntryType::Directory, b"", b""); ENTRIES_MAX + 1];
    assert!(refused(read(put_together(&many).as_slice())).contains("more than 2000 entries"));
}

#[test]
fn no_cut_and_no_changed_byte_passes() {
    let whole = written(&packed());
    // Up to the two empty blocks that end an archive.
    for length in (0..whole.len() - 1024).step_by(97) {
        read(&whole[..length]).unwrap_err();
    }
    for place in (0..whole.len() - 1024).step_by(13) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        // What nobody reads (a padding, an owner's name) may change what it likes: it is another file, and the same release.
        if let Ok(read) = read(changed.as_slice()) {
            assert_eq!(read, packed(), "byte {place}");
        }
    }
    for noise in [vec![0; 4096], vec![0xff; 4096], b"{\"manifest\": 1}".to_vec()] {
        read(noise.as_slice()).unwrap_err();
    }
}

#[test]
fn an_image_of_something_else_is_no_release() {
    let mut entries = taken_apart(&written(&packed()));
    for (old, new, words) in [
        ("1.0.0", "9.0.0", "its layout is of version"),
        ("vnd.oci.image.manifest.v1", "vnd.oci.image.manifest.v2", "is of type"),
    ] {
        let kept = entries.clone();
        for (header, bytes) in &mut entries {
            let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
            if name == LAYOUT || name == INDEX {
                *bytes = String::from_utf8_lossy(bytes).replace(old, new).into_bytes();
            }
        }
        let said = refused(read(put_together(&entries).as_slice()));
        assert!(said.contains(words), "{said}");
        entries = kept;
    }
}
