//! The credentials of a user at NATS (`.creds`): a token that its account has signed (JWT), and the seed of the key that proves whose it is. The file is
//! read at each connection, so that what is exchanged in it counts without a restart. Nothing of what is in it is shown.

use std::{fmt, io, path::Path};

use async_nats::Auth;
use nkeys::{KeyPair, KeyPairType};

/// The longest file that is read: a token with many permissions has some kilobytes.
const BYTES_MAX: u64 = 1 << 20;

/// Of one user.
pub(super) struct Credentials {
    jwt: String,
    key: KeyPair,
}

/// Why they cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file.
    #[error("the file cannot be read")]
    File(#[from] io::Error),
    /// Not one of credentials.
    #[error("the file is larger than credentials are")]
    Size,
    /// The first block.
    #[error("it has no block NATS USER JWT: write it with `nsc generate creds`")]
    Jwt,
    /// The second block.
    #[error("it has no block USER NKEY SEED with the seed of a user (SU…): write it with `nsc generate creds`")]
    Seed,
    /// It can be read, and signs nothing.
    #[error("its seed does not sign")]
    Sign,
}

impl Credentials {
    /// Those of a file.
    pub(super) fn read(path: &Path) -> Result<Self, CredentialsError> {
        if std::fs::metadata(path)?.len() > BYTES_MAX {
            return Err(CredentialsError::Size);
        }
        Self::parse(&std::fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Result<Self, CredentialsError> {
        let jwt = block(text, "USER JWT").ok_or(CredentialsError::Jwt)?.to_owned();
        let seed = block(text, "NKEY SEED").ok_or(CredentialsError::Seed)?;
        // Its own words may repeat the seed.
        let key = KeyPair::from_seed(seed).ok().filter(|key| key.key_pair_type() == KeyPairType::User);
        Ok(Self { jwt, key: key.ok_or(CredentialsError::Seed)? })
    }

    /// What is shown to a server that has sent a nonce.
    pub(super) fn show(self, nonce: &[u8]) -> Result<Auth, CredentialsError> {
        let mut auth = Auth::new();
        auth.signature = Some(self.key.sign(nonce).map_err(|_| CredentialsError::Sign)?);
        auth.jwt = Some(self.jwt);
        Ok(auth)
    }
}

/// The line between those that begin and end a block.
fn block<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let is_rule = |line: &&str| line.starts_with("---");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| is_rule(line) && line.contains("BEGIN") && line.contains(name))?;
    lines.next().filter(|line| !is_rule(line))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creds(jwt: &str, seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------"
        )
    }

    #[test]
    fn a_nonce_is_signed_by_the_seed_of_the_file() {
        let key = KeyPair::new_user();
        let text = creds("a.b.c", &key.seed().unwrap());
        for text in [text.clone(), text.replace('\n', "\r\n"), format!("\n{text}\n\n")] {
            let credentials = Credentials::parse(&text).unwrap();
            assert!(!format!("{credentials:?}").contains("a.b.c"));
            let auth = credentials.show(b"nonce").unwrap();
            assert_eq!(auth.jwt.as_deref(), Some("a.b.c"));
            key.verify(b"nonce", &auth.signature.unwrap()).unwrap();
        }
    }

    #[test]
    fn what_is_no_credentials_is_told_without_its_seed() {
        let (user, account) = (KeyPair::new_user().seed().unwrap(), KeyPair::new_account().seed().unwrap());
        let half = creds("a.b.c", &user);
        let half = half.split("***").next().unwrap().to_owned();
        let torn = user.replace(user.get(4..8).unwrap(), "0000");
        for (text, wanted) in [
            (String::new(), "NATS USER JWT"),
            ("no such thing".to_owned(), "NATS USER JWT"),
            (creds("", &user), "NATS USER JWT"),
            (half, "USER NKEY SEED"),
            (creds("a.b.c", ""), "USER NKEY SEED"),
            (creds("a.b.c", &account), "USER NKEY SEED"),
            (creds("a.b.c", &torn), "USER NKEY SEED"),
        ] {
            let told = Credentials::parse(&text).unwrap_err().to_string();
            assert!(told.contains(wanted) && !told.contains(&user) && !told.contains(&torn), "{told}");
        }
        let folder = tempfile::tempdir().unwrap();
        let missing = Credentials::read(&folder.path().join("none.creds")).unwrap_err();
        assert!(matches!(missing, CredentialsError::File(_)), "{missing:?}");
    }
}
