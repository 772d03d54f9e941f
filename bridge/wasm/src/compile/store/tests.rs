//! What is believed and what is not, with files altered as somebody with access to the folder would.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::{
    compiled_functions::CompiledFunctions,
    engine::{SandboxConfig, settings},
};

const ONE: &str = "sha256:one";
const OTHER: &str = "sha256:other";

struct Lab {
    folder: TempDir,
    engine: Engine,
    code: Vec<u8>,
}

fn engine(fuel: bool) -> Engine {
    let config = SandboxConfig { fuel, compiled_bytes_max: 0, ..SandboxConfig::default() };
    Engine::new(&settings(&config, None, &Arc::new(CompiledFunctions::new(0))).unwrap()).unwrap()
}

fn lab() -> Lab {
    let engine = engine(false);
    let wat =
        r#"(component (core module $m (func (export "f") (result i32) i32.const 7)) (core instance (instantiate $m)))"#;
    let code = engine.precompile_component(&wat::parse_str(wat).unwrap()).unwrap();
    Lab { folder: tempfile::tempdir().unwrap(), engine, code }
}

fn sealing(byte: u8) -> Arc<SealKey> {
    Arc::new(SealKey::new(&[byte; 32]).unwrap())
}

impl Lab {
    fn dir(&self) -> PathBuf {
        self.folder.path().join("compiled")
    }

    fn open(&self, key: u8) -> CompiledStore {
        CompiledStore::open(&self.dir(), Some(&sealing(key)), 1 << 20).unwrap()
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.dir().join(name(&self.engine, digest)).with_extension(SUFFIX)
    }

    fn files(&self) -> usize {
        fs::read_dir(self.dir()).unwrap().count()
    }
}

#[test]
fn what_was_kept_is_loaded_again() {
    let lab = lab();
    assert!(lab.open(1).get(&lab.engine, ONE).is_none());
    assert!(lab.open(1).put(&lab.engine, ONE, &lab.code).is_some());
    assert!(lab.open(1).get(&lab.engine, ONE).is_some(), "by another Bridge with the same key");
    assert!(lab.open(1).get(&lab.engine, OTHER).is_none());
    let otherwise = engine(true);
    assert!(lab.open(1).get(&otherwise, ONE).is_none(), "code for another engine is another file");
    assert_eq!(lab.files(), 2, "the key and one file; no draft is left");
}

#[test]
fn an_altered_file_is_nothing_and_is_removed() {
    let lab = lab();
    let length = lab.code.len() + 32;
    let places = [0, 1, length / 3, length / 2, length - 33, length - 32, length - 1];
    for place in places {
        lab.open(1).put(&lab.engine, ONE, &lab.code).unwrap();
        let mut bytes = fs::read(lab.file(ONE)).unwrap();
        assert_eq!(bytes.len(), length);
        bytes[place] ^= 1;
        fs::write(lab.file(ONE), bytes).unwrap();
        assert!(lab.open(1).get(&lab.engine, ONE).is_none(), "byte {place}");
        assert!(!lab.file(ONE).exists(), "byte {place}");
    }
    for length in [0, 1, 31, 32, 33, length - 1] {
        lab.open(1).put(&lab.engine, ONE, &lab.code).unwrap();
        let bytes = fs::read(lab.file(ONE)).unwrap();
        fs::write(lab.file(ONE), &bytes[..length]).unwrap();
        assert!(lab.open(1).get(&lab.engine, ONE).is_none(), "cut to {length}");
    }
}

#[test]
fn a_file_cannot_stand_for_another() {
    let lab = lab();
    lab.open(1).put(&lab.engine, ONE, &lab.code).unwrap();
    fs::rename(lab.file(ONE), lab.file(OTHER)).unwrap();
    assert!(lab.open(1).get(&lab.engine, OTHER).is_none());
}

#[test]
fn code_of_another_key_is_not_believed() {
    let lab = lab();
    lab.open(1).put(&lab.engine, ONE, &lab.code).unwrap();
    assert!(lab.open(2).get(&lab.engine, ONE).is_none(), "the key was replaced, and with it all that it has signed");
    // Somebody without the Bridge's key puts a key of theirs there, and code that it signs.
    let forger = CompiledStore::open(&lab.dir(), None, 1 << 20).unwrap();
    forger.put(&lab.engine, ONE, &lab.code).unwrap();
    fs::rename(lab.dir().join("key"), lab.dir().join("key.sealed")).unwrap();
    assert!(lab.open(1).get(&lab.engine, ONE).is_none());
}

#[test]
fn a_folder_that_others_can_write_is_not_used() {
    let lab = lab();
    lab.open(1);
    for mode in [0o720, 0o702, 0o777] {
        fs::set_permissions(lab.dir(), fs::Permissions::from_mode(mode)).unwrap();
        let refused = CompiledStore::open(&lab.dir(), None, 1 << 20);
        assert!(matches!(refused, Err(StoreError::Shared(_))), "{mode:o}: {refused:?}");
    }
    let elsewhere = lab.folder.path().join("elsewhere");
    std::os::unix::fs::symlink(lab.dir(), &elsewhere).unwrap();
    assert!(matches!(CompiledStore::open(&elsewhere, None, 1 << 20), Err(StoreError::Shared(_))));
}

#[test]
fn the_folder_stays_within_its_bound() {
    let lab = lab();
    let two_files = 2 * (lab.code.len() + TAG_BYTES) as u64;
    let store = CompiledStore::open(&lab.dir(), None, two_files).unwrap();
    let past = |hours: u64| SystemTime::now() - Duration::from_hours(hours);
    for (hours, digest) in [(3, "first"), (2, "second")] {
        store.put(&lab.engine, digest, &lab.code).unwrap();
        File::options().append(true).open(lab.file(digest)).unwrap().set_modified(past(hours)).unwrap();
    }
    assert!(store.get(&lab.engine, "first").is_some(), "used now");
    store.put(&lab.engine, "third", &lab.code).unwrap();
    assert!(lab.file("first").exists() && lab.file("third").exists());
    assert!(!lab.file("second").exists(), "used longest ago");
    let old = lab.dir().join("0.new");
    fs::write(&old, "").unwrap();
    File::options().append(true).open(&old).unwrap().set_modified(past(2)).unwrap();
    lab.open(1);
    assert!(!old.exists(), "a draft of a process that ended");
}

#[test]
fn bridges_that_start_together_have_one_key() {
    let lab = lab();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = lab.open(1);
                for _ in 0..5 {
                    assert!(store.put(&lab.engine, ONE, &lab.code).is_some());
                    assert!(store.get(&lab.engine, ONE).is_some());
                }
            });
        }
    });
    assert_eq!(lab.files(), 2);
}
