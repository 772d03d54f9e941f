//! Where a component of `wasi:http` stands: the paths below which requests are given to it as they are, and how a path is found among
//! all of a release. Paths are compared as they were sent, byte by byte: nothing is decoded and no dots are resolved, so that what
//! is found here cannot mean something else to who looks later.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HttpGrant, Logic};
use crate::name::nearest;

const SEGMENTS_MAX: usize = 8;
const PATH_BYTES_MAX: usize = 200;

/// What a component of `wasi:http` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// Without a slash at its ends, as `legacy/hooks`: it answers `/http/legacy/hooks` and all that lies below.
    pub path: String,
    /// In capitals; one at least.
    pub methods: BTreeSet<String>,
}

/// What a mount cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// Not a path.
    #[error(
        "{0:?} is no path to mount at: write it as legacy/hooks, of at most {SEGMENTS_MAX} segments of letters, digits and -._~, \
         without a slash at its ends"
    )]
    Path(String),
    /// Not a method that can be mounted.
    #[error("{0:?} is no method that can be mounted")]
    Method(String),
    /// The list has nothing in it.
    #[error("a mount needs a method")]
    Empty,
}

impl Mount {
    /// Methods that can be mounted: all, where a manifest names none. `CONNECT` and `TRACE` are none of them: they are for proxies.
    pub const METHODS: &'static [&'static str] = HttpGrant::METHODS;

    /// Whether it can be meant.
    pub fn check(&self) -> Result<(), MountError> {
        Self::check_path(&self.path)?;
        if self.methods.is_empty() {
            return Err(MountError::Empty);
        }
        match self.methods.iter().find(|method| !Self::METHODS.contains(&method.as_str())) {
            Some(method) => Err(MountError::Method(method.clone())),
            None => Ok(()),
        }
    }

    /// Whether a text is a path to mount at. No character of it is ever escaped, and no segment is one of dots.
    pub fn check_path(text: &str) -> Result<(), MountError> {
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && !matches!(segment, "." | "..")
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        let is_fine =
            text.len() <= PATH_BYTES_MAX && text.split('/').count() <= SEGMENTS_MAX && text.split('/').all(is_segment);
        if is_fine { Ok(()) } else { Err(MountError::Path(text.to_owned())) }
    }

    /// Whether it is for a method. Who answers `GET` is asked for `HEAD` too, whose answer is the same without its body.
    pub fn has_method(&self, method: &str) -> bool {
        self.methods.contains(method) || (method == "HEAD" && self.methods.contains("GET"))
    }

    /// What of a path is the component's, if it is its: always with a slash at its beginning.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix(self.path.as_str())? {
            "" => Some("/"),
            rest if rest.starts_with('/') => Some(rest),
            _ => None,
        }
    }

    /// One line for each power.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.methods.iter().map(move |method| format!("mount {method} /http/{}", self.path))
    }
}

/// The mounts of a release, the longest first: a path is the matter of the one that names it most exactly, and of no other.
#[derive(Clone, Debug, Default)]
pub struct Mounts(Vec<(Mount, String)>);

/// A mount that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mounted<'m> {
    /// The logic's name.
    pub logic: &'m str,
    /// Where it is mounted.
    pub mount: &'m Mount,
    /// The path as the component sees it.
    pub rest: &'m str,
}

impl Mounts {
    /// Of the logics of a release.
    pub fn of(logics: &BTreeMap<String, Logic>) -> Self {
        let mut all: Vec<(Mount, String)> =
            logics.iter().filter_map(|(name, logic)| Some((logic.mount()?.clone(), name.clone()))).collect();
        all.sort_by(|(a, _), (b, _)| b.path.len().cmp(&a.path.len()).then_with(|| a.path.cmp(&b.path)));
        Self(all)
    }

    /// Whose a path is: what follows `/http/`, as it was sent.
    pub fn find<'m>(&'m self, path: &'m str) -> Option<Mounted<'m>> {
        let found = |(mount, logic): &'m (Mount, String)| Some(Mounted { logic, mount, rest: mount.rest(path)? });
        self.0.iter().find_map(found)
    }

    /// The mount that may have been meant.
    pub fn nearest(&self, path: &str) -> Option<&str> {
        nearest(path, self.0.iter().map(|(mount, _)| mount.path.as_str()))
    }

    /// Two logics at one place, if there are.
    pub fn clash(&self) -> Option<(&str, &str, &str)> {
        let same = |pair: &&[(Mount, String)]| pair[0].0.path == pair[1].0.path;
        self.0.windows(2).find(same).map(|pair| (pair[0].0.path.as_str(), pair[0].1.as_str(), pair[1].1.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mounts(paths: &[&str]) -> Mounts {
        let logic = |path: &str| -> Logic {
            let body = json!({
                "kind": "wasm", "component": "sha256:00", "sizeBytes": 1, "language": "rust", "imports": [], "grants": {},
                "limits": crate::limit::InvocationLimits::default(), "mount": {"path": path, "methods": ["GET"]},
            });
            serde_json::from_value(
                json!({"rules": [], "connection": "main", "transaction": "none", "timeout": 1000, "body": body}),
            )
            .unwrap()
        };
        Mounts::of(&paths.iter().zip(0..).map(|(path, number)| (format!("l{number}"), logic(path))).collect())
    }

    #[test]
    fn a_path_is_of_plain_segments() {
        for fine in ["a", "legacy/hooks", "A/b-c/d_e/~f", "a.b/...", "1/2/3/4/5/6/7/8"] {
            assert_eq!(Mount::check_path(fine), Ok(()), "{fine}");
        }
        let long = "a".repeat(201);
        for wrong in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a b",
            "a%20b",
            "a%2fb",
            "a?b",
            "a#b",
            "a\\b",
            "ä",
            "a\n",
            "a;b",
            "{a}",
            "*",
            "1/2/3/4/5/6/7/8/9",
            &long,
        ] {
            assert!(Mount::check_path(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn methods_are_listed_and_head_goes_with_get() {
        let mount = |methods: &[&str]| Mount {
            path: "a".to_owned(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        };
        assert_eq!(mount(&["GET", "POST"]).check(), Ok(()));
        assert_eq!(mount(&[]).check(), Err(MountError::Empty));
        for wrong in ["get", "TRACE", "CONNECT", "PROPFIND", "GET ", ""] {
            assert_eq!(mount(&[wrong]).check(), Err(MountError::Method(wrong.to_owned())));
        }
        assert!(mount(&["GET"]).has_method("HEAD") && !mount(&["POST"]).has_method("HEAD"));
        assert!(!mount(&["HEAD"]).has_method("GET") && !mount(&["GET"]).has_method("get"));
        assert_eq!(mount(&["GET", "PUT"]).lines().collect::<Vec<_>>(), ["mount GET /http/a", "mount PUT /http/a"]);
    }

    #[test]
    fn the_longest_mount_has_a_path_and_no_other() {
        let mounts = mounts(&["legacy", "legacy/hooks", "b"]);
        for (path, found) in [
            ("legacy", Some(("l0", "/"))),
            ("legacy/", Some(("l0", "/"))),
            ("legacy//x", Some(("l0", "//x"))),
            ("legacy/hook", Some(("l0", "/hook"))),
            ("legacy/hooks", Some(("l1", "/"))),
            ("legacy/hooks/", Some(("l1", "/"))),
            ("legacy/hooks/a/b", Some(("l1", "/a/b"))),
            // What a server before this one, or the component, makes of dots and escapes is their matter: no other mount is reached.
            ("legacy/hooks/../x", Some(("l1", "/../x"))),
            ("legacy/%68ooks", Some(("l0", "/%68ooks"))),
            ("legacy/hooksx", Some(("l0", "/hooksx"))),
            ("legacyx", None),
            ("LEGACY", None),
            ("/legacy", None),
            ("%6cegacy", None),
            ("./legacy", None),
            ("", None),
            ("bb", None),
        ] {
            let told = mounts.find(path).map(|found| (found.logic, found.rest));
            assert_eq!(told, found, "{path:?}");
        }
        assert_eq!(mounts.nearest("legcy"), Some("legacy"));
        assert_eq!(mounts.clash(), None);
    }

    #[test]
    fn two_at_one_place_clash() {
        assert_eq!(mounts(&["a/b", "a", "a/b"]).clash(), Some(("a/b", "l0", "l2")));
    }
}
