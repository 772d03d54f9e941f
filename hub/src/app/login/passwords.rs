//! Passwords: argon2id with the parameters of OWASP's first recommendation (19 MiB, two passes). An unknown account costs the
//! same work as a known one, and only so many are checked at once: each takes memory.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    wire::Sealed,
};
use tokio::{sync::Semaphore, time::timeout};

use crate::app::releases::blocking;

/// Shorter ones can be guessed.
pub const CHARS_MIN: usize = 12;
const BYTES_MAX: usize = 1_024;
const AT_ONCE: usize = 4;
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Makes and checks hashes.
#[derive(Clone, Debug)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// For a permit, at most.
    wait: Duration,
    /// Of no account; what is sent for an unknown one is checked against it.
    decoy: Arc<str>,
}

impl Passwords {
    /// With a decoy that nobody knows.
    pub fn new() -> Outcome<Self> {
        let mut password = [0_u8; 32];
        aws_lc_rs::rand::fill(&mut password).map_err(|_| Problem::internal("no randomness"))?;
        Ok(Self { permits: Arc::new(Semaphore::new(AT_ONCE)), wait: WAIT_MAX, decoy: hashed(&password)?.into() })
    }

    /// The hash of a password that may be one.
    pub async fn hash(&self, password: &Sealed, email: &str) -> Outcome<String> {
        let text = password.expose();
        if text.chars().count() < CHARS_MIN || text.len() > BYTES_MAX {
            let message = format!("a password has at least {CHARS_MIN} characters and at most {BYTES_MAX} bytes");
            return Err(Problem::new(Code::BadRequest, message));
        }
        if text.eq_ignore_ascii_case(email) || text.chars().all(|c| text.starts_with(c)) {
            return Err(Problem::new(Code::BadRequest, "the password is too easy to guess"));
        }
        let password = password.clone();
        self.working(move || hashed(password.expose().as_bytes())).await
    }

    /// Whether it is the password; without a hash it never is, after the same work.
    pub async fn is_right(&self, password: &Sealed, hash: Option<String>) -> Outcome<bool> {
        let is_known = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| self.decoy.clone(), Into::into);
        let password = password.clone();
        // Nobody has one that is longer; to hash it would be work without an end.
        let text =
            move || password.expose().as_bytes().get(..BYTES_MAX + 1).unwrap_or(password.expose().as_bytes()).to_vec();
        let is_right = self.working(move || Ok(Argon2::default().verify_password(&text(), &*hash).is_ok())).await?;
        Ok(is_right && is_known)
    }

    async fn working<T: Send + 'static>(&self, work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
        let Ok(permit) = timeout(self.wait, self.permits.clone().acquire_owned()).await else {
            return Err(Problem::limit(Code::TooManyRequests, "passwordChecks", "too many passwords are checked now")
                .retry_after(WAIT_MAX));
        };
        let _permit = permit.map_err(Problem::internal)?;
        blocking(work).await?
    }
}

fn hashed(password: &[u8]) -> Outcome<String> {
    let mut salt = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Problem::internal("no randomness"))?;
    let hash = Argon2::default().hash_password_with_salt(password, &salt);
    Ok(hash.map_err(|error| Problem::internal(error.to_string()))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_is_only_right_for_its_account() {
        let passwords = Passwords::new().unwrap();
        let (right, wrong) = (Sealed::new("correct horse battery".to_owned()), Sealed::new("correct horse".to_owned()));
        let hash = passwords.hash(&right, "a@example.com").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.is_right(&right, Some(hash.clone())).await.unwrap());
        assert!(!passwords.is_right(&wrong, Some(hash)).await.unwrap());
        assert!(!passwords.is_right(&right, None).await.unwrap());
        assert!(!passwords.is_right(&Sealed::new("x".repeat(1 << 20)), None).await.unwrap());
        for bad in ["elevenchars", "aaaaaaaaaaaaaaaa", "somebody@example.com", &"ab".repeat(600)] {
            let refused = passwords.hash(&Sealed::new(bad.to_owned()), "Somebody@example.com").await.unwrap_err();
            assert_eq!(refused.code, Code::BadRequest, "{bad}");
        }
    }

    #[tokio::test]
    async fn only_so_many_are_checked_at_once() {
        let passwords = Passwords { wait: Duration::from_millis(10), ..Passwords::new().unwrap() };
        let all = passwords.permits.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let refused = passwords.is_right(&Sealed::new("any".to_owned()), None).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::TooManyRequests, Some(WAIT_MAX)));
        assert_eq!(refused.details["limit"], "passwordChecks");
        drop(all);
        assert!(!passwords.is_right(&Sealed::new("any".to_owned()), None).await.unwrap());
    }
}
