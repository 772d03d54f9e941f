//! The Hub's signing keys and their exchange. From the exchange until the old key is retired everything is signed with both, so
//! that a Bridge that trusts either of them goes on: no Bridge must be told at the same time as another.
//!
//! Every signature is made with the keys that the store has at that moment, for another Hub may have exchanged them.

use std::collections::BTreeMap;

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{
        Envelope, EnvelopeError, Pointer, SigningKey, Statement, VerifyingKey,
        envelope::{POINTER_TYPE, RELEASE_TYPE},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App,
    answers::system::{self, KeysStatus, SigningKeys},
    fleet,
    projects::missing,
};
use crate::store::{
    Db,
    audit::{self, Caller, Deed, Detail, lines, name},
    commit,
    credentials::{self, SigningKeyRow},
    envs::now,
    releases,
};

/// The body of a retirement.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetireBody {
    /// Although Bridges trust no other key of this Hub.
    #[serde(default)]
    pub force: bool,
}

/// The keys that sign: the current one, then the one before it while it is not retired.
pub(super) struct Signers(Vec<SigningKey>);

impl Signers {
    /// Signs with every key.
    pub(super) fn sign<T: Serialize>(&self, payload_type: &'static str, payload: &T) -> Outcome<Envelope> {
        let (current, before) = self.0.split_first().ok_or_else(|| Problem::internal("there is no signing key"))?;
        let mut envelope = Envelope::sign(payload_type, payload, current).map_err(Problem::internal)?;
        for key in before {
            envelope.add_signature(key).map_err(Problem::internal)?;
        }
        Ok(envelope)
    }

    /// Adds the signature of every key to what somebody else has signed.
    pub(super) fn add_to(&self, envelope: &mut Envelope) -> Result<(), EnvelopeError> {
        self.0.iter().try_for_each(|key| envelope.add_signature(key))
    }

    /// The first one that is named.
    pub(super) fn one_of(&self, ids: &[String]) -> Option<&SigningKey> {
        self.0.iter().find(|key| ids.contains(&key.verifying_key().id()))
    }

    /// This Hub as a signer.
    fn as_signer(&self) -> [Vec<VerifyingKey>; 1] {
        [self.0.iter().map(SigningKey::verifying_key).collect()]
    }
}

impl App {
    /// The keys that sign now.
    pub(super) async fn signers(&self, db: &mut Db) -> Outcome<Signers> {
        let rows = credentials::signing_keys(db).await?;
        let open = |row: &SigningKeyRow| {
            let der = self.master_key.open(&context(&row.id), &row.private).map_err(Problem::internal)?;
            SigningKey::from_pkcs8(&der).map_err(Problem::internal)
        };
        let active = rows.iter().filter(|row| row.retired_at.is_none());
        Ok(Signers(active.map(open).collect::<Outcome<_>>()?))
    }

    /// The public halves of all signing keys, the current one first.
    pub async fn keys(&self) -> Outcome<SigningKeys> {
        let rows = credentials::signing_keys(&mut *self.store.read().await?).await?;
        Ok(SigningKeys { keys: rows.iter().map(shown).collect() })
    }

    /// The keys, which of them each Bridge trusts, and what comes next.
    pub async fn keys_status(&self) -> Outcome<KeysStatus> {
        let mut db = self.store.read().await?;
        let rows = credentials::signing_keys(&mut db).await?;
        let bridges = trust_of_bridges(&mut db, &rows).await?;
        let count = |trusts: &str| bridges.values().filter(|trust| trust.trusts == trusts).count();
        let (behind, lost) = (count("previous"), count("none"));
        let previous = rows.iter().find(|row| state(row) == "previous");
        let next = match previous {
            _ if lost > 0 => format!("{lost} Bridge(s) trust no key of this Hub: they load nothing from it"),
            None => "nothing: `stk keys rotate` begins an exchange".to_owned(),
            Some(_) if behind > 0 => {
                format!("add the current key to the trustedKeys of {behind} Bridge(s), as OLD|NEW, and restart them")
            }
            Some(previous) => format!("`stk keys retire {}`, then take it out of trustedKeys", previous.id),
        };
        let bridges = bridges
            .into_iter()
            .map(|(id, BridgeTrust { trusts, keys, envs })| system::BridgeTrust { id, trusts, keys, envs })
            .collect();
        let keys = rows.iter().filter(|row| row.retired_at.is_none()).map(shown).collect();
        Ok(KeysStatus { keys, bridges, next })
    }

    /// Makes a new current key, and signs what there is with it too.
    pub async fn rotate_keys(&self, caller: &Caller) -> Outcome<system::SigningKey> {
        let mut db = self.store.write().await?;
        let rows = credentials::signing_keys(&mut db).await?;
        if let Some(previous) = rows.iter().find(|row| state(row) == "previous") {
            let message = format!("the exchange before is not over: key {} still signs", previous.id);
            let hint = format!("`stk keys status` shows who trusts it; `stk keys retire {}` ends it", previous.id);
            return Err(Problem::new(Code::Conflict, message).hint(hint));
        }
        let before = self.signers(&mut db).await?;
        let key = SigningKey::generate().map_err(Problem::internal)?;
        let row = self.sealed(&key, now())?;
        credentials::replace_signing_keys(&mut db, &row.created_at).await?;
        credentials::add_signing_key(&mut db, &row).await?;
        let retired: Vec<String> =
            rows.iter().filter(|row| row.retired_at.is_some()).map(|row| row.id.clone()).collect();
        let signed = sign_anew(&mut db, &before, &key, &retired).await?;
        let previous = rows.first().map(|row| row.id.as_str());
        let detail = Detail::of("id", name(&row.id)).with("previous", previous.map(name)).with("releases", signed);
        let deed = Deed { action: "signingkey.rotate", project: None, env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
        Ok(shown(&row))
    }

    /// Ends the key before the current one.
    pub async fn retire_key(&self, caller: &Caller, id: &str, body: RetireBody) -> Outcome<system::SigningKey> {
        let mut db = self.store.write().await?;
        let rows = credentials::signing_keys(&mut db).await?;
        let row = rows.iter().find(|row| row.id == id).ok_or_else(|| missing("signing key", id))?;
        match state(row) {
            "previous" => {}
            "current" => {
                return Err(Problem::new(Code::Conflict, "it is the key that signs").hint("`stk keys rotate` first"));
            }
            _ => return Err(Problem::new(Code::Conflict, "it is retired already")),
        }
        let bridges = trust_of_bridges(&mut db, &rows).await?;
        let bridges = bridges.into_iter().filter(|(_, trust)| matches!(trust.trusts, "previous" | "unknown"));
        let need_it: Vec<String> = bridges
            .map(|(bridge, trust)| format!("{bridge} ({}) of {}", trust.trusts, trust.envs.join(", ")))
            .collect();
        if !need_it.is_empty() && !body.force {
            let message = format!("{} Bridge(s) are not known to trust another key of this Hub", need_it.len());
            let hint = format!(
                "add the current key to their trustedKeys first; they would keep what they run and load nothing new: \
                 `stk keys retire {id} --force`"
            );
            return Err(Problem::new(Code::Conflict, message).hint(hint).detail("bridges", need_it));
        }
        // What stays proves that the public half was this Hub's: the audit log has its signatures.
        let proof =
            self.master_key.seal(&audit::proof_context(id), row.public.as_bytes()).map_err(Problem::internal)?;
        credentials::retire_signing_key(&mut db, id, &now(), &proof).await?;
        let deed = Deed {
            action: "signingkey.retire",
            project: None,
            env: None,
            detail: Detail::of("id", name(id))
                .with("force", body.force)
                .with("bridges", lines(need_it.iter().map(String::as_str))),
        };
        audit::append(&mut db, caller, &deed).await?;
        let rows = credentials::signing_keys(&mut db).await?;
        commit(db).await?;
        let row = rows.iter().find(|row| row.id == id).ok_or_else(|| missing("signing key", id))?;
        Ok(shown(row))
    }

    /// A key as it is kept.
    fn sealed(&self, key: &SigningKey, created_at: String) -> Outcome<SigningKeyRow> {
        let public = key.verifying_key();
        let der = key.to_pkcs8().map_err(Problem::internal)?;
        let private = self.master_key.seal(&context(&public.id()), &der).map_err(Problem::internal)?;
        let (id, public) = (public.id(), public.to_string());
        Ok(SigningKeyRow { id, public, private, created_at, replaced_at: None, retired_at: None })
    }
}

/// What a sealed private key is bound to.
pub(super) fn context(id: &str) -> String {
    format!("signing-key/{id}")
}

/// Which of the Hub's keys a Bridge trusts.
struct BridgeTrust {
    /// `current`, `previous`, `both`, `none`, or `unknown`: it is of a version that does not say.
    trusts: &'static str,
    keys: Vec<String>,
    envs: Vec<String>,
}

async fn trust_of_bridges(db: &mut Db, rows: &[SigningKeyRow]) -> Outcome<BTreeMap<String, BridgeTrust>> {
    let id_of = |wanted: &str| rows.iter().find(|row| state(row) == wanted).map(|row| row.id.clone());
    let (current, previous) = (id_of("current"), id_of("previous"));
    let mut all = BTreeMap::new();
    for (bridge, env, keys) in fleet::trusted_keys(db).await? {
        let has = |key: &Option<String>| key.as_ref().is_some_and(|key| keys.iter().flatten().any(|own| own == key));
        let trusts = match (&keys, has(&current), has(&previous)) {
            (None, ..) => "unknown",
            (_, true, true) => "both",
            (_, true, false) => "current",
            (_, false, true) => "previous",
            (_, false, false) => "none",
        };
        let new = || BridgeTrust { trusts, keys: keys.clone().unwrap_or_default(), envs: Vec::new() };
        all.entry(bridge).or_insert_with(new).envs.push(env);
    }
    Ok(all)
}

/// Adds the new key's signature to every pointer and release that this Hub has signed; how many releases. What is kept is looked at
/// before: nobody who could only write to the store gets a signature for it.
async fn sign_anew(db: &mut Db, before: &Signers, key: &SigningKey, retired: &[String]) -> Outcome<usize> {
    let own = before.as_signer();
    let anew = |text: &str, is_ours: &dyn Fn(&Envelope) -> bool| -> Outcome<Option<String>> {
        let mut envelope: Envelope = serde_json::from_str(text).map_err(Problem::internal)?;
        if !is_ours(&envelope) {
            return Ok(None);
        }
        envelope.remove_signatures(retired);
        envelope.add_signature(key).map_err(|error| {
            Problem::new(Code::Conflict, format!("a release cannot be signed anew: {error}"))
                .hint("it has the signatures of too many others")
        })?;
        serde_json::to_string(&envelope).map(Some).map_err(Problem::internal)
    };
    for (project, env, text) in releases::pointer_envelopes(db).await? {
        let is_ours = |envelope: &Envelope| {
            let pointer = envelope.open::<Pointer>(POINTER_TYPE, &own, 1);
            pointer.is_ok_and(|pointer| pointer.project == project && pointer.env == env)
        };
        let text = anew(&text, &is_ours)?.ok_or_else(|| {
            Problem::new(Code::Conflict, format!("the pointer of {project}/{env} is not one that this Hub has signed"))
                .hint("somebody changed the Hub's database: look at it before anything is signed anew")
        })?;
        releases::set_pointer_envelope(db, &project, &env, &text).await?;
    }
    let mut signed = 0;
    for (id, text) in releases::envelopes(db).await? {
        let is_ours = |envelope: &Envelope| {
            envelope.open::<Statement>(RELEASE_TYPE, &own, 1).is_ok_and(|statement| statement.release_id == id)
        };
        // One that this Hub has not signed is left as it is: it was not this Hub's word before either.
        let Some(text) = anew(&text, &is_ours)? else { continue };
        releases::set_envelope(db, &id, &text).await?;
        signed += 1;
    }
    Ok(signed)
}

fn state(row: &SigningKeyRow) -> &'static str {
    match (&row.replaced_at, &row.retired_at) {
        (_, Some(_)) => "retired",
        (Some(_), None) => "previous",
        (None, None) => "current",
    }
}

fn shown(row: &SigningKeyRow) -> system::SigningKey {
    system::SigningKey {
        id: row.id.clone(),
        key: row.public.clone(),
        state: state(row).to_owned(),
        created_at: row.created_at.clone(),
        replaced_at: row.replaced_at.clone(),
        retired_at: row.retired_at.clone(),
    }
}
