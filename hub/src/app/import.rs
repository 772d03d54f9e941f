//! Releases that another Hub made. One is taken where keys that the operator names have signed it, and everything else about it is
//! checked as at an apply. It keeps its id; this Hub signs it too, so that its own Bridges load it.

use santokit_core::{
    code::Code,
    id::Kind,
    problem::{Outcome, Problem},
    release::{
        Envelope, SignedRelease, VerifyingKey,
        verify::{self, Crowd, MANIFEST_BYTES_MAX, Trust, VerifyError},
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::releases::Imported,
    apply::{check_queries, check_tables, need_blobs},
    ceilings::need_below,
    projects::need_project,
};
use crate::store::{
    audit::{self, Caller, Deed, Detail, name, names},
    commit,
    envs::now,
    releases::{self, ReleaseRow},
};

const KEYS_MAX: usize = 16;

/// The body of an import.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportBody {
    /// Canonical text.
    pub manifest: String,
    /// Signs a statement about it.
    pub envelope: Envelope,
    /// Whose signatures the operator believes.
    pub keys: Vec<VerifyingKey>,
    /// How many of them must have signed.
    #[serde(default = "one")]
    pub signers: usize,
}

fn one() -> usize {
    1
}

impl App {
    /// Takes a release over. One whose content is there already is that one.
    pub async fn import(&self, caller: &Caller, project: &str, body: ImportBody) -> Outcome<Imported> {
        need_project(&mut *self.store.read().await?, project).await?;
        if body.manifest.len() > MANIFEST_BYTES_MAX {
            let message = format!("a manifest may have {MANIFEST_BYTES_MAX} bytes");
            return Err(Problem::limit(Code::BadRequest, "manifestBytes", message));
        }
        if body.keys.len() > KEYS_MAX {
            return Err(Problem::new(Code::BadRequest, format!("at most {KEYS_MAX} keys can be named")));
        }
        let trust = Trust::in_each(body.keys, body.signers);
        let signed = SignedRelease { manifest: body.manifest, envelope: body.envelope };
        let release = verify::release(&signed, &trust).map_err(|error| blocked(&error))?;
        let (statement, manifest) = (release.statement, release.manifest);
        if manifest.project != project || !Kind::Release.is_valid(&statement.release_id) {
            let message = format!("it is a release of project {:?}, not of {project:?}", manifest.project);
            return Err(Problem::new(Code::BadRequest, message));
        }
        check_tables(&manifest.connections)?;
        self.check_components(project, &manifest).await?;
        check_queries(&manifest).await?;
        need_below(&mut *self.store.read().await?, project, &manifest).await?;
        let mut db = self.store.write().await?;
        let mut envelope = signed.envelope;
        self.signers(&mut db)
            .await?
            .add_to(&mut envelope)
            .map_err(|error| Problem::new(Code::Conflict, format!("this Hub cannot add its signature: {error}")))?;
        let row = ReleaseRow {
            id: statement.release_id,
            project: project.to_owned(),
            digest: statement.digest.as_str().to_owned(),
            manifest: signed.manifest,
            envelope: serde_json::to_string(&envelope).map_err(Problem::internal)?,
            author: caller.actor_id.clone(),
            created_at: now(),
        };
        if let Some(known) = releases::by_digest(&mut db, project, &row.digest).await? {
            return Ok(Imported { release_id: known.id, digest: row.digest, created: false });
        }
        if releases::by_id(&mut db, &row.id).await?.is_some() {
            return Err(Problem::new(Code::Conflict, format!("there is another release {:?}", row.id)));
        }
        need_blobs(&mut db, project, &manifest).await?;
        releases::add(&mut db, &row, manifest.components().into_iter().map(String::from)).await?;
        let signers: Vec<String> = trust.signers.iter().flatten().map(VerifyingKey::id).collect();
        let detail = Detail::of("releaseId", name(&row.id))
            .with("digest", name(&row.digest))
            .with("believed", names(signers.iter().map(String::as_str)));
        let deed = Deed { action: "release.import", project: Some(project), env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        self.metrics.release_created();
        Ok(Imported { release_id: row.id, digest: row.digest, created: true })
    }
}

fn blocked(error: &VerifyError) -> Box<Problem> {
    match error {
        VerifyError::Incompatible { .. } => Problem::new(Code::ReleaseBlocked, error.to_string())
            .hint("it was made by a newer version; use that one here too"),
        VerifyError::TooMany(of, message) => too_many(*of, message),
        VerifyError::Manifest(_) => Problem::new(Code::BadRequest, error.to_string()),
        VerifyError::Undeclared { table, .. } => Problem::new(Code::ReleaseBlocked, error.to_string())
            .hint("no release may use what it does not declare: make it anew from its project")
            .detail("tables", serde_json::json!([table])),
        _ => Problem::new(Code::ReleaseBlocked, error.to_string())
            .hint("name the public keys of who signed it; `stk release verify` looks at the file without a Hub"),
    }
}

/// More than a project may have: a limit of the Hub, as of all that it keeps for one.
pub(super) fn too_many(of: Crowd, message: &str) -> Box<Problem> {
    match of {
        Crowd::Topics => Problem::limit(Code::Conflict, "topics", message),
        Crowd::Subscriptions => Problem::limit(Code::Conflict, "subscriptions", message),
        Crowd::Buckets => Problem::limit(Code::Conflict, "buckets", message),
    }
}
