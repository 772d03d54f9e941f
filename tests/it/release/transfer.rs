//! A release in one file: verified with nothing but the file and a key, brought to another Hub, and every file that is not what it
//! should be refused. And the signatures of others, which a Bridge can require.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use santokit_core::release::SigningKey;
use santokit_tests::{Finished, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};

use super::NO_HUB;
use crate::lab::{Lab, SECRET, assert_serves, assert_serves_nothing};

/// An exported release: the file, its id, and the lab that it came from.
async fn exported(project: &'static str) -> (Lab, String, String) {
    let lab = Lab::start(project).await;
    let id = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    let file = lab.dir.path().join("release.tar").to_str().unwrap().to_owned();
    let answer = lab.done(&["release", "export", &id, &file], "").await;
    assert_eq!(
        (&answer["releaseId"], answer["components"].as_array().map(Vec::len)),
        (&json!(id), Some(1)),
        "{answer}"
    );
    (lab, id, file)
}

async fn verify(dir: &Path, file: &str, key: &str) -> Finished {
    stk(dir, &["release", "verify", file, "--key", key], &[("STK_HUB_URL", NO_HUB), ("HTTP_PROXY", NO_HUB)])
        .await
        .unwrap()
}

async fn import(lab: &Lab, file: &str, key: &str) -> Finished {
    let hub = [("STK_HUB_URL", lab.hub().url.as_str()), ("STK_TOKEN", OPERATOR)];
    stk(lab.dir.path(), &["release", "import", file, "--key", key, "--json"], &hub).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_from_hub_to_hub_in_one_file() {
    let (from, id, file) = exported("carried").await;
    let again = from.dir.path().join("again.tar").to_str().unwrap().to_owned();
    from.done(&["release", "export", &id, &again], "").await;
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap(), "the same release is the same file");
    let key = from.trusted.clone();
    let good = verify(from.dir.path(), &file, &key).await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stdout.contains("1 component(s): digests and imports hold"), "{good:?}");
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    for planted in [SECRET, OPERATOR, &from.service_token, &from.api_key.0] {
        assert!(!text.contains(planted), "{planted} is in the file");
    }

    let to = Lab::start("carried").await;
    // What is above the ceilings here is not taken in.
    let ceilings = to.dir.path().join("ceilings.yaml").to_str().unwrap().to_owned();
    fs::write(&ceilings, "deny: [\"*: secret *\"]\n").unwrap();
    to.done(&["project", "ceilings", "set", &ceilings], "").await;
    let refused = import(&to, &file, &key).await;
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (3, &json!("RELEASE_BLOCKED")), "{refused:?}");
    to.done(&["project", "ceilings", "clear", "--yes"], "").await;
    let imported = import(&to, &file, &key).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    assert_eq!((&imported.json()["releaseId"], &imported.json()["created"]), (&json!(id), &json!(true)));
    assert_eq!(import(&to, &file, &key).await.json()["created"], false, "once");
    let entries = to.done(&["audit", "log", "--action", "release.import"], "").await;
    assert_eq!(
        (entries["entries"].as_array().unwrap().len(), &entries["entries"][0]["detail"]["releaseId"]),
        (1, &json!(id))
    );
    assert_eq!(to.stk(&["release", "current"], "").await.code, 1, "no env runs it yet");
    let bridge = to.bridge("cache", &[]).await;
    to.done(&["release", "promote", &id, "--accept-grants", "--apply-schema"], "").await;
    assert_serves(&bridge, &to.api_key.0, 1).await;
    // Bridges that believe the first Hub's key only load it too, from a pointer of a Hub that they believe.
    let both = format!("{key},{}", to.trusted);
    let strict = to.bridge("strict", &[("STK_BRIDGE_TRUSTED_KEYS", &both), ("STK_BRIDGE_REQUIRED_SIGNERS", "2")]).await;
    strict.until_state("fresh").await.unwrap();
    assert_serves(&strict, &to.api_key.0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_what_was_signed_is_refused() {
    let (lab, id, file) = exported("tampered").await;
    let (dir, key) = (lab.dir.path(), lab.trusted.as_str());
    let whole = fs::read(&file).unwrap();
    let other = String::from(SigningKey::generate().unwrap().verifying_key());
    for finished in [verify(dir, &file, &other).await, import(&lab, &file, &other).await] {
        assert_eq!(finished.code, 3, "{finished:?}");
        assert!((finished.stdout + &finished.stderr).contains("no valid signature of a trusted key"));
    }
    let changed = dir.join("changed.tar");
    let changed_file = changed.to_str().unwrap();
    for place in [0, whole.len() / 3, whole.len() / 2, 1_030] {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x40;
        fs::write(&changed, bytes).unwrap();
        for finished in [verify(dir, changed_file, key).await, import(&lab, changed_file, key).await] {
            assert_eq!(finished.code, 3, "byte {place}: {finished:?}");
        }
    }
    fs::write(&changed, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(verify(dir, changed_file, key).await.code, 3);

    // What the Hub is sent by hand is verified by it as well.
    let signed = lab.release(&json!(id)).await;
    let post = async |body: Json| {
        let url = format!("{}/v1/projects/tampered/releases", lab.hub().url);
        let answer = reqwest::Client::new().post(url).bearer_auth(OPERATOR).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Json>().await.unwrap()["error"]["code"].clone())
    };
    let body = |keys: Json| json!({"manifest": signed["manifest"], "envelope": signed["envelope"], "keys": keys});
    assert_eq!(post(body(json!([key]))).await, (201, Json::Null));
    for keys in [json!([]), json!([other])] {
        assert_eq!(post(body(keys)).await, (409, json!("RELEASE_BLOCKED")));
    }
    let mut unsigned = body(json!([key]));
    let manifest = signed["manifest"].as_str().unwrap();
    unsigned["manifest"] = json!(manifest.replace("\"hello\"", "\"hullo\""));
    assert_ne!(unsigned["manifest"], signed["manifest"]);
    assert_eq!(post(unsigned).await, (409, json!("RELEASE_BLOCKED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_requires_another_signer_waits_for_its_signature() {
    let lab = Lab::start("cosigned").await;
    let signer = SigningKey::generate().unwrap();
    let (der, public) = (signer.to_pkcs8().unwrap(), String::from(signer.verifying_key()));
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&der));
    lab.folder.write("signer.pem", &pem).unwrap();
    let both = format!("{},{public}", lab.trusted);
    let settings = [("STK_BRIDGE_TRUSTED_KEYS", both.as_str()), ("STK_BRIDGE_REQUIRED_SIGNERS", "2")];
    let bridge = lab.bridge("cache", &settings).await;
    let refused = lab.stk(&["apply", "--accept-grants", "--yes"], "").await;
    assert_eq!((refused.code, &refused.json()["bridges"][0]["state"]), (3, &json!("refused")), "{refused:?}");
    let id = refused.json()["releaseId"].as_str().unwrap().to_owned();
    assert_serves_nothing(&bridge).await;

    let co_signed = lab.done(&["release", "sign", &id, "--key", "signer.pem"], "").await;
    assert_eq!(
        (&co_signed["key"], co_signed["signers"].as_array().map(Vec::len)),
        (&json!(public), Some(2)),
        "{co_signed}"
    );
    bridge.until_state("fresh").await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    let entries = lab.done(&["audit", "log", "--action", "release.sign"], "").await;
    assert_eq!(entries["entries"][0]["detail"], json!({"releaseId": id, "keyId": signer.verifying_key().id()}));
    let verified = lab.done(&["release", "verify", &id, "--key", &both, "--signers", "2"], "").await;
    assert_eq!(verified["verified"], true);

    // A signature of another release, or by another key than it says, is not taken.
    let release = lab.release(&json!(id)).await;
    let own = release["envelope"]["signatures"].as_array().unwrap().iter();
    let sig = own.clone().find(|one| one["keyid"] != json!(signer.verifying_key().id())).unwrap()["sig"].clone();
    let url = format!("{}/v1/projects/cosigned/releases/{id}/signatures", lab.hub().url);
    let answer = reqwest::Client::new().post(&url).bearer_auth(OPERATOR).json(&json!({"key": public, "sig": sig}));
    assert_eq!(answer.send().await.unwrap().status(), 400);
    assert_eq!(lab.release(&json!(id)).await, release);
    lab.set_version(2);
    let next = lab.stk(&["apply", "--yes"], "").await;
    assert_eq!((next.code, &next.json()["bridges"][0]["state"]), (3, &json!("refused")), "{next:?}");
    assert_serves(&bridge, &lab.api_key.0, 1).await;
}
