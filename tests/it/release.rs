//! `stk release`: what is shown, and that a release can be checked with no Hub and no network, by who only has its files and
//! the signer's public key.

use std::{fs, path::Path};

use santokit_core::{
    component,
    release::{
        Digest, Envelope, Manifest, SignedRelease, SigningKey, Statement,
        envelope::RELEASE_TYPE,
        verify::{self, Trust},
    },
};
use santokit_tests::{Finished, folder::repository, stk};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{
    lab::{COMPONENT, Lab, project_folder},
    processes::cache::changed,
};

mod canary;
mod crowded;
mod deprecation;
mod drift;
mod promote;
mod safety;
mod transfer;

/// No process listens there; what tries to reach a Hub fails.
const NO_HUB: &str = "http://127.0.0.1:1";

/// `release.json` and `components/` in a folder, and the signer's key.
struct Exported {
    dir: TempDir,
    key: String,
    digest: String,
}

impl Exported {
    async fn verify(&self, more: &[&str]) -> Finished {
        self.verify_with(&self.key, more).await
    }

    async fn verify_with(&self, key: &str, more: &[&str]) -> Finished {
        let mut args = vec!["release", "verify", "release.json", "--key", key];
        args.extend_from_slice(more);
        stk(self.dir.path(), &args, &[("STK_HUB_URL", NO_HUB), ("HTTP_PROXY", NO_HUB)]).await.unwrap()
    }

    /// Replaces `release.json` with a changed one for one verification.
    async fn with_file(&self, change: impl FnOnce(&mut Json)) -> Finished {
        let path = self.dir.path().join("release.json");
        let kept = fs::read(&path).unwrap();
        let mut value: Json = serde_json::from_slice(&kept).unwrap();
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
        let finished = self.verify(&["--blobs", "components"]).await;
        fs::write(&path, kept).unwrap();
        finished
    }

    /// Replaces the component with other bytes, or none, for one verification.
    async fn with_component(&self, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Finished {
        let path = self.component();
        let kept = fs::read(&path).unwrap();
        match change(kept.clone()) {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let finished = self.verify(&["--blobs", "components"]).await;
        fs::write(&path, kept).unwrap();
        finished
    }

    fn component(&self) -> std::path::PathBuf {
        fs::read_dir(self.dir.path().join("components")).unwrap().next().unwrap().unwrap().path()
    }
}

/// Applied, written to disk, and the Hub gone.
async fn exported() -> Exported {
    let mut lab = Lab::start("offline").await;
    let applied = lab.apply().await;
    let id = applied["releaseId"].as_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (file, blobs) = (dir.path().join("release.json"), dir.path().join("components"));
    let (file, blobs) = (file.to_str().unwrap(), blobs.to_str().unwrap());
    lab.done(&["release", "show", id, "--output", file, "--blobs", blobs], "").await;
    lab.kill_hub().await;
    Exported { dir, key: lab.trusted.clone(), digest: applied["digest"].as_str().unwrap().to_owned() }
}

fn assert_refused(finished: &Finished, names: &[&str]) {
    assert_eq!(finished.code, 3, "{finished:?}");
    for name in names {
        assert!(finished.stderr.contains(name), "{name:?} is not in {finished:?}");
    }
    assert!(!finished.stdout.contains("verified"), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_verified_offline_and_every_tamper_is_named() {
    let it = exported().await;
    let good = it.verify(&["--blobs", "components"]).await;
    assert_eq!(good.code, 0, "{good:?}");
    for part in [
        "verified rel_",
        &it.digest,
        "1 component(s): digests and imports hold",
        "of logic every",
        "grants every: secret TOKEN",
    ] {
        assert!(good.stdout.contains(part), "{part:?} is not in {good:?}");
    }
    let answer = it.verify(&["--blobs", "components", "--json"]).await.json();
    assert_eq!((&answer["verified"], &answer["componentsVerified"]), (&json!(true), &json!(true)), "{answer}");
    assert_eq!((&answer["digest"], &answer["project"]), (&json!(it.digest), &json!("offline")));
    assert_eq!(answer["components"][0]["logic"], "every");
    let component = fs::read(repository().join(COMPONENT)).unwrap();
    assert_eq!(answer["components"][0]["digest"], json!(Digest::of(&component)));
    // Found by its digest, whatever its name and folder.
    let (own, other) = (it.component(), it.dir.path().join("components/any"));
    fs::create_dir(&other).unwrap();
    fs::rename(&own, other.join("name.bin")).unwrap();
    assert_eq!(it.verify(&["--blobs", "components"]).await.code, 0);
    fs::rename(other.join("name.bin"), &own).unwrap();
    fs::remove_dir(other).unwrap();
    // Without its components: said, not passed over.
    let without = it.verify(&["--json"]).await;
    assert_eq!((without.code, &without.json()["componentsVerified"]), (0, &json!(false)), "{without:?}");
    assert!(without.stderr.contains("not checked"), "{without:?}");

    let text = |at: &'static str| {
        move |value: &mut Json| {
            let text = value.pointer_mut(at).unwrap();
            *text = json!(changed(text.as_str().unwrap()));
        }
    };
    assert_refused(&it.with_file(text("/manifest")).await, &["the manifest has digest", "signed is", &it.digest]);
    for at in ["/envelope/payload", "/envelope/signatures/0/sig"] {
        assert_refused(&it.with_file(text(at)).await, &["no valid signature of a trusted key"]);
    }
    let unsigned = it.with_file(|value| value["envelope"]["signatures"] = json!([])).await;
    assert_refused(&unsigned, &["no valid signature"]);
    let pointer =
        it.with_file(|value| value["envelope"]["payloadType"] = json!("application/vnd.santokit.pointer.v1+json"));
    assert_refused(&pointer.await, &["payload is of type"]);
    // What is no release at all was not refused: it could not be read.
    let none = it.with_file(|value| *value = json!({"hello": 1})).await;
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("no signed release"), "{none:?}");

    let other = String::from(SigningKey::generate().unwrap().verifying_key());
    assert_refused(&it.verify_with(&other, &["--blobs", "components"]).await, &["no valid signature of a trusted key"]);
    let both = format!("{},{other}", it.key);
    assert_eq!(it.verify_with(&both, &["--blobs", "components"]).await.code, 0, "one of two is enough");
    let strict = it.verify_with(&both, &["--blobs", "components", "--signers", "2"]).await;
    assert_refused(&strict, &["signature"]);
    assert_eq!(it.verify_with("ed25519:AAAA", &[]).await.code, 2);
    assert_eq!(it.verify(&["--signers", "2"]).await.code, 2, "more signers than keys");

    assert_refused(&it.with_component(|_| None).await, &["the component of logic \"every\"", "is missing"]);
    let flipped = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    assert_refused(&it.with_component(flipped).await, &["the component of logic \"every\" has digest"]);
    let cut = |bytes: Vec<u8>| Some(bytes[..bytes.len() / 2].to_vec());
    assert_refused(&it.with_component(cut).await, &["the component of logic \"every\" has digest"]);
}

/// A signature says who made a release, not that its components keep to their grants: that is looked at as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_release_whose_component_exceeds_its_grants_is_refused() {
    let it = exported().await;
    let signed: SignedRelease =
        serde_json::from_str(&fs::read_to_string(it.dir.path().join("release.json")).unwrap()).unwrap();
    let trust = Trust::in_each([santokit_core::release::VerifyingKey::parse(&it.key).unwrap()], 1);
    let release = verify::release(&signed, &trust).unwrap();
    let key = SigningKey::generate().unwrap();
    let public = String::from(key.verifying_key());
    let own = ["--blobs", "components"];

    let resigned = sign(&release.manifest, &release.statement, &key);
    write(it.dir.path(), &resigned);
    assert_eq!(it.verify_with(&public, &own).await.code, 0, "the signer is another, the content is good");

    let manifest = with_logic(&release.manifest, |logic| logic["grants"]["sql"] = json!([]));
    write(it.dir.path(), &sign(&manifest, &release.statement, &key));
    assert_refused(&it.verify_with(&public, &own).await, &["logic \"every\" is refused", "santokit:sql"]);

    // The manifest lists fewer imports than there are.
    let manifest = with_logic(&release.manifest, |logic| drop(logic["imports"].as_array_mut().unwrap().pop()));
    write(it.dir.path(), &sign(&manifest, &release.statement, &key));
    assert_refused(&it.verify_with(&public, &own).await, &["logic \"every\" is refused", "import"]);

    // The right digest of what is no component.
    let text = b"no component at all";
    fs::write(it.dir.path().join("components/text"), text).unwrap();
    let manifest = with_logic(&release.manifest, |logic| logic["component"] = json!(Digest::of(text)));
    write(it.dir.path(), &sign(&manifest, &release.statement, &key));
    assert_refused(&it.verify_with(&public, &own).await, &["logic \"every\" is refused"]);
    assert!(component::inspect(text).is_err());
}

fn with_logic(manifest: &Manifest, change: impl FnOnce(&mut Json)) -> Manifest {
    let mut value = serde_json::to_value(manifest).unwrap();
    change(&mut value["logics"]["every"]["body"]);
    serde_json::from_value(value).unwrap()
}

fn sign(manifest: &Manifest, statement: &Statement, key: &SigningKey) -> SignedRelease {
    let text = String::from_utf8(manifest.canonical().unwrap()).unwrap();
    let statement = Statement { digest: Digest::of(text.as_bytes()), ..statement.clone() };
    let envelope = Envelope::sign(RELEASE_TYPE, &statement, key).unwrap();
    SignedRelease { manifest: text, envelope }
}

fn write(dir: &Path, signed: &SignedRelease) {
    fs::write(dir.join("release.json"), serde_json::to_vec(signed).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_the_same_release_from_any_folder() {
    let mut lab = Lab::start("same").await;
    let first = lab.apply().await;
    let again = lab.apply().await;
    assert_eq!((&again["digest"], &again["releaseId"]), (&first["digest"], &first["releaseId"]));
    assert_eq!((&again["created"], &again["moved"], &again["sequence"]), (&json!(false), &json!(false), &json!(1)));
    // Another folder, whose files have other times and were written in another order.
    lab.folder = project_folder("same");
    let elsewhere = lab.apply().await;
    assert_eq!((&elsewhere["digest"], &elsewhere["releaseId"]), (&first["digest"], &first["releaseId"]));
    // Another Hub signs it with another key and names it otherwise; the digest is the content's.
    let other = Lab::start("same").await;
    let there = other.apply().await;
    assert_eq!(there["digest"], first["digest"]);
    assert_ne!(there["releaseId"], first["releaseId"]);

    lab.set_version(2);
    let changed = lab.apply().await;
    assert_ne!(changed["digest"], first["digest"]);
    assert_eq!(changed["sequence"], 2);
    // Back to what was: the release of then, under a pointer of now.
    lab.set_version(1);
    let back = lab.apply().await;
    assert_eq!(
        (&back["releaseId"], &back["created"], &back["moved"]),
        (&first["releaseId"], &json!(false), &json!(true))
    );
    assert_eq!(back["sequence"], 3);

    let list = lab.done(&["release", "list"], "").await;
    let ids: Vec<&Json> = list["releases"].as_array().unwrap().iter().map(|release| &release["id"]).collect();
    assert_eq!(ids, [&changed["releaseId"], &first["releaseId"]], "the newest first: {list}");
    let current = lab.done(&["release", "current"], "").await;
    assert_eq!((&current["releaseId"], &current["digest"]), (&first["releaseId"], &first["digest"]));
}
