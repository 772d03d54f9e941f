//! Which bucket of which store, below which prefix, and what opens it: the secrets are read each time, so that one that is exchanged is used at
//! once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use reqwest::Url;
use rusty_s3::{Bucket, Credentials, UrlStyle};
use santokit_core::storage::{PlaceError as DeclaredError, S3Place};
use santokit_wasm::StorageError;
use secrecy::ExposeSecret;

use crate::{
    config::EnvName,
    generation::Runtime,
    storage::signed::{KEY_BYTES, UrlKey},
};

/// The secrets of an env, as the Hub said them last.
pub type Secrets = Arc<ArcSwap<Runtime>>;

/// Where a bucket of an env lies.
#[derive(Debug)]
pub struct Place {
    alias: String,
    own: Bucket,
    public: Bucket,
    prefix: String,
    /// Names: id of the key, key, and token of the session.
    names: (String, String, Option<String>),
    secrets: Secrets,
}

/// Why a bucket of a release cannot be one here.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Of the release.
    #[error(transparent)]
    Declared(#[from] DeclaredError),
    /// Together no URL.
    #[error("{endpoint} and the bucket {bucket:?} make no URL: {hint}")]
    Url {
        /// As declared.
        endpoint: String,
        /// For the env.
        bucket: String,
        /// What may help.
        hint: &'static str,
    },
    /// A private or reserved address.
    #[error(
        "{0} is at a private or reserved address, or is not spoken to by https: who runs the Bridge can open its network (storageAllowPrivate)"
    )]
    Address(String),
}

impl Place {
    /// Of a bucket that a release declares.
    pub fn of(alias: &str, declared: &S3Place, env: &EnvName, secrets: Secrets) -> Result<Self, PlaceError> {
        let name = declared.bucket_of(&env.project, &env.env)?;
        let endpoint = declared.endpoint();
        let bucket = |endpoint: &str| {
            let style = if declared.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
            let wrong = |hint| PlaceError::Url { endpoint: endpoint.to_owned(), bucket: name.clone(), hint };
            let url = Url::parse(endpoint).map_err(|_| wrong("write it as https://HOST"))?;
            Bucket::new(url, style, name.clone(), declared.region.clone())
                .map_err(|_| wrong("pathStyle: true has the bucket in the path, for hosts that are addresses"))
        };
        Ok(Self {
            alias: alias.to_owned(),
            own: bucket(&endpoint)?,
            public: bucket(declared.public_endpoint.as_deref().unwrap_or(&endpoint))?,
            prefix: declared.prefix_of(&env.project, &env.env),
            names: (declared.access_key_id.clone(), declared.secret_access_key.clone(), declared.session_token.clone()),
            secrets,
        })
    }

    /// As the project calls it.
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// What each key has before it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Names of secrets: id of the key, key, and token of the session.
    pub fn names(&self) -> &(String, String, Option<String>) {
        &self.names
    }

    /// As the Bridge reaches it.
    pub fn own(&self) -> &Bucket {
        &self.own
    }

    /// As clients do.
    pub fn public(&self) -> &Bucket {
        &self.public
    }

    /// The secrets of the env, as they are now.
    #[cfg(test)]
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What opens it now. What is missing is told in the log.
    pub fn credentials(&self) -> Result<Credentials, StorageError> {
        self.read_credentials().map_err(|missing| {
            tracing::error!(
                bucket = self.alias,
                secret = missing,
                "the env lacks a secret that opens a bucket: stk secrets set"
            );
            StorageError::Unavailable
        })
    }

    /// What says of an upload that it is one of ours. It is the env's, so that all Bridges have it, and not of what opens the bucket: an upload goes on
    /// when that is exchanged.
    pub fn upload_key(&self) -> Result<UrlKey, StorageError> {
        let of = |secret: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::sign(&key, b"santokit uploads")
        };
        let derived = match &self.secrets.load().storage_key {
            Some(key) => of(key.expose_secret()),
            // A Hub of before gives none.
            None => of(self.credentials()?.secret()),
        };
        let bytes: [u8; KEY_BYTES] = derived.as_ref().try_into().map_err(|_| StorageError::Unavailable)?;
        Ok(UrlKey::new(&bytes))
    }

    /// The same; the error is the name of the secret that is missing.
    pub fn read_credentials(&self) -> Result<Credentials, String> {
        let runtime = self.secrets.load();
        let secret = |name: &String| {
            let secret = runtime.secrets.get(name).ok_or_else(|| name.clone())?;
            // What was pasted often has a line's end.
            Ok::<_, String>(secret.expose_secret().trim().to_owned())
        };
        let (id, key, token) = &self.names;
        let (id, key) = (secret(id)?, secret(key)?);
        Ok(match token.as_ref().map(secret).transpose()? {
            Some(token) => Credentials::new_with_token(id, key, token),
            None => Credentials::new(id, key),
        })
    }
}
