//! Signatures of others on a release. The Hub adds one that holds, whoever it is of: whose signatures count is what each Bridge's
//! configuration says.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Digest, Envelope, EnvelopeError, VerifyingKey},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::releases::Signed,
    canary::Record,
    projects::{At, missing},
};
use crate::store::{
    Writing,
    audit::{self, Caller, Deed, Detail, name},
    commit, envs, releases, sequences,
};

/// The body of a signature.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignatureBody {
    /// Of the signer.
    pub key: VerifyingKey,
    /// Base64, over what the Hub's own signature is over.
    pub sig: String,
}

impl App {
    /// Gives an env that runs a release, or has it as a candidate, a pointer with a higher sequence.
    async fn point_anew(&self, db: &mut Writing, at: At<'_>, id: &str) -> Outcome<()> {
        let Some(pointer) = releases::pointer(db, at.project, at.env).await? else { return Ok(()) };
        let canary = Record::running(db, at).await?.map(|record| record.terms);
        if pointer.release != id && canary.as_ref().is_none_or(|terms| terms.release_id != id) {
            return Ok(());
        }
        let digest = Digest::parse(&pointer.digest).map_err(Problem::internal)?;
        let next = sequences::next(db, pointer.sequence).await?;
        let anew = self.point(db, at, (&pointer.release, &digest), canary, next).await?;
        Ok(releases::set_pointer(db, at.project, at.env, &anew).await?)
    }

    /// Adds a signature to a release. Envs that run it get a pointer with a higher sequence, so that a Bridge that refused it for
    /// the want of this signature looks again.
    pub async fn add_signature(
        &self,
        caller: &Caller,
        project: &str,
        id: &str,
        body: SignatureBody,
    ) -> Outcome<Signed> {
        let mut db = self.store.write().await?;
        let row = releases::by_id(&mut db, id).await?.filter(|row| row.project == project);
        let row = row.ok_or_else(|| missing("release", id))?;
        let mut envelope: Envelope = serde_json::from_str(&row.envelope).map_err(Problem::internal)?;
        envelope.attach(&body.key, &body.sig).map_err(|error| match error {
            EnvelopeError::Untrusted { .. } => {
                Problem::new(Code::BadRequest, "the signature does not hold for this release and key")
                    .hint("`stk release sign` makes one that does")
            }
            error => Problem::new(Code::Conflict, error.to_string()),
        })?;
        let text = serde_json::to_string(&envelope).map_err(Problem::internal)?;
        releases::set_envelope(&mut db, id, &text).await?;
        let deed = Deed {
            action: "release.sign",
            project: Some(project),
            env: None,
            detail: Detail::of("releaseId", name(id)).with("keyId", name(&body.key.id())),
        };
        audit::append(&mut db, caller, &deed).await?;
        for env in envs::envs(&mut db, project).await?.into_iter().map(|(env, _)| env) {
            self.point_anew(&mut db, At { project, env: &env }, id).await?;
        }
        commit(db).await?;
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
        let signers = envelope.signatures.into_iter().map(|signature| signature.keyid).collect();
        Ok(Signed { release_id: id.to_owned(), signers })
    }
}
