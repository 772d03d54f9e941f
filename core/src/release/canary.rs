//! A canary: a candidate release beside the one that an env runs (the baseline), for a share of the principals. Its terms stand in
//! the signed pointer; who is in the share follows from them alone, so that every Bridge decides alike without asking anyone.
//!
//! Pure: nothing here knows a clock, a request or a store.

use aws_lc_rs::digest::{Context, SHA256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Digest;
use crate::quantity::Millis;

pub mod gate;
pub mod sample;

pub use gate::{Gate, GateError, Tripped, judge};
pub use sample::{Latencies, Sample};

/// A principal has one of so many places; a canary of `percent` takes the first `percent * 100`.
pub const PLACES: u16 = 10_000;

/// Requests of each release that are needed before a gate may close, where nothing else is said.
pub const MIN_REQUESTS: u32 = 100;

/// How far back gates look, where nothing else is said.
pub const WINDOW: Millis = Millis(300_000);

const WINDOW_MIN: Millis = Millis(10_000);
const WINDOW_MAX: Millis = Millis(3_600_000);
const GATES_MAX: usize = 8;
const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=128;

/// The terms of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// `rel_…` of the candidate.
    pub release_id: String,
    /// Its digest.
    pub digest: Digest,
    /// 1 to 99.
    pub percent: u8,
    /// Makes the choice of principals differ from canary to canary. It stays while the share grows, and so names the canary.
    pub salt: String,
    /// Any of them ends it. None: only an operator does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Requests that a gate needs to have seen, of each release that it looks at.
    #[serde(default = "min_requests")]
    pub min_requests: u32,
    /// How far back gates look.
    #[serde(default = "window")]
    pub window: Millis,
}

/// Whom a request comes from, as far as the choice is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// An end user, by `sub`.
    User(&'a str),
    /// An application, by the id of its key; the hint parts the people behind it.
    ApiKey(&'a str, Option<&'a str>),
    /// Nobody known, who named itself.
    Hint(&'a str),
    /// Nobody known, by where it comes from.
    Address(&'a str),
}

/// Terms that no canary can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// None and all are no canary.
    #[error("percent must be 1 to 99")]
    Percent,
    /// Too short to tell canaries apart, or too long.
    #[error("the salt must have 8 to 128 bytes")]
    Salt,
    /// Nobody needs more.
    #[error("there may be {GATES_MAX} gates")]
    Gates,
    /// A gate without a sample closes by chance.
    #[error("minRequests must be at least 1")]
    MinRequests,
    /// Shorter is noise, longer sees too late what has begun.
    #[error("the window must be 10s to 1h")]
    Window,
}

impl Canary {
    /// Whether the terms can be kept.
    pub fn check(&self) -> Result<(), TermsError> {
        if !(1..=99).contains(&self.percent) {
            return Err(TermsError::Percent);
        }
        if !SALT_BYTES.contains(&self.salt.len()) {
            return Err(TermsError::Salt);
        }
        if self.gates.len() > GATES_MAX {
            return Err(TermsError::Gates);
        }
        if self.min_requests == 0 {
            return Err(TermsError::MinRequests);
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&self.window) {
            return Err(TermsError::Window);
        }
        Ok(())
    }

    /// Whether a principal is in the share. Who is in a share is in every larger one of the same canary.
    pub fn takes(&self, principal: Principal<'_>) -> bool {
        place(&self.salt, principal) < u16::from(self.percent) * 100
    }
}

/// The place of a principal, below [`PLACES`]: SHA-256 over the salt, the kind and the names, each with its length before it; of that
/// the first eight bytes as a number, modulo.
pub fn place(salt: &str, principal: Principal<'_>) -> u16 {
    let (kind, name, hint) = match principal {
        Principal::User(sub) => ("user", sub, None),
        Principal::ApiKey(id, hint) => ("apiKey", id, hint),
        Principal::Hint(text) => ("hint", text, None),
        Principal::Address(text) => ("address", text, None),
    };
    let mut hash = Context::new(&SHA256);
    for part in [salt, kind, name].into_iter().chain(hint) {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finish();
    let number = digest.as_ref().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u16::try_from(number % u64::from(PLACES)).unwrap_or_default()
}

fn min_requests() -> u32 {
    MIN_REQUESTS
}

fn window() -> Millis {
    WINDOW
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canary(percent: u8, salt: &str) -> Canary {
        Canary {
            release_id: "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            digest: Digest::of(b"candidate"),
            percent,
            salt: salt.into(),
            gates: Vec::new(),
            min_requests: MIN_REQUESTS,
            window: WINDOW,
        }
    }

    /// A Bridge of another version, or in another language, must choose alike: these may never change.
    #[test]
    fn places_are_golden() {
        let places = [
            Principal::User("alice"),
            Principal::User("bob"),
            Principal::ApiKey("alice", None),
            Principal::ApiKey("alice", Some("bob")),
            Principal::ApiKey("alicebob", None),
            Principal::Hint("alice"),
            Principal::Address("192.0.2.7"),
            Principal::Address("2001:db8:1:2::"),
        ]
        .map(|principal| place("golden-salt", principal));
        assert_eq!(places, [8107, 1526, 4129, 5, 7628, 2288, 4845, 6725]);
        assert_eq!(place("another-salt", Principal::User("alice")), 6063);
    }

    #[test]
    fn terms_have_bounds_and_old_ones_are_read() {
        let good = canary(5, "salt-of-a-canary");
        assert_eq!(good.check(), Ok(()));
        let with = |change: fn(&mut Canary)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.check()
        };
        assert_eq!(with(|terms| terms.percent = 0), Err(TermsError::Percent));
        assert_eq!(with(|terms| terms.percent = 100), Err(TermsError::Percent));
        assert_eq!(with(|terms| terms.salt = "short".into()), Err(TermsError::Salt));
        assert_eq!(with(|terms| terms.salt = "x".repeat(129)), Err(TermsError::Salt));
        assert_eq!(with(|terms| terms.gates = vec![Gate::ErrorRate(0); 9]), Err(TermsError::Gates));
        assert_eq!(with(|terms| terms.min_requests = 0), Err(TermsError::MinRequests));
        assert_eq!(with(|terms| terms.window = Millis(9_999)), Err(TermsError::Window));
        assert_eq!(with(|terms| terms.window = Millis(3_600_001)), Err(TermsError::Window));
        // As a pointer of before gates has it.
        let old =
            serde_json::json!({"releaseId": good.release_id, "digest": good.digest, "percent": 5, "salt": good.salt});
        assert_eq!(serde_json::from_value::<Canary>(old).unwrap(), good);
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<Canary>(&text).unwrap(), good);
    }

    proptest! {
        #[test]
        fn the_share_is_about_what_is_said_and_only_grows(salt in "[a-z]{8,20}", small in 1_u8..50, more in 1_u8..50) {
            let (small, large) = (canary(small, &salt), canary(small + more, &salt));
            let names: Vec<String> = (0..4_000).map(|number| format!("user-{number}")).collect();
            let taken = |of: &Canary| names.iter().filter(|name| of.takes(Principal::User(name))).count();
            for of in [&small, &large] {
                // Five standard deviations of a share of 4,000.
                let (wanted, tolerance) = (usize::from(of.percent) * 40, 160);
                prop_assert!(taken(of).abs_diff(wanted) < tolerance, "{}% of 4000 were {}", of.percent, taken(of));
            }
            for name in &names {
                prop_assert!(!small.takes(Principal::User(name)) || large.takes(Principal::User(name)), "{name} fell out");
            }
        }

        #[test]
        fn one_principal_has_one_place_and_another_salt_another_choice(salt in "[a-z]{8,20}", name in ".{0,40}") {
            let own = place(&salt, Principal::User(&name));
            prop_assert_eq!(own, place(&salt, Principal::User(&name)));
            prop_assert!(own < PLACES);
            // Names that run into each other are others. Two can have one place by chance, eight pairs not.
            let runs_into = |number: usize| {
                let (long, short) = (format!("ab{number}"), format!("b{number}c"));
                place(&salt, Principal::ApiKey(&long, Some("c"))) == place(&salt, Principal::ApiKey("a", Some(&short)))
            };
            prop_assert!(!(0..8).all(runs_into));
        }
    }

    #[test]
    fn each_canary_takes_others() {
        let names: Vec<String> = (0..4_000).map(|number| format!("user-{number}")).collect();
        let (one, other) = (canary(10, "the first salt"), canary(10, "the second salt"));
        let both = names.iter().filter(|name| one.takes(Principal::User(name)) && other.takes(Principal::User(name)));
        let both = both.count();
        assert!(both < 80, "{both} of about 40 are in both");
    }
}
