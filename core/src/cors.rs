//! Which web pages of other origins may call a project (CORS, Fetch standard §3.3): the setting, and what makes one valid.
//!
//! It says what a browser may show to a page, and decides no permission: what is no browser does not ask.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Millis;

/// Every value of a list.
pub const ANY: &str = "*";

/// Entries of one list.
pub const ENTRIES_MAX: usize = 100;

/// The longest time that any browser keeps an answer.
pub const MAX_AGE_MAX: Millis = Millis(86_400_000);

/// How long a browser keeps an answer where nothing is said.
pub const MAX_AGE_DEFAULT: Millis = Millis(600_000);

/// Methods that may be named.
pub const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Methods where none is named: what calls are made with.
pub const METHODS_DEFAULT: &[&str] = &["GET", "POST"];

/// Request headers where none is named: what a Bridge reads.
pub const HEADERS_DEFAULT: &[&str] = &[
    "authorization",
    "content-type",
    "idempotency-key",
    "traceparent",
    "x-request-id",
    "x-santokit-api-key",
    "x-santokit-env",
    "x-santokit-project",
    "x-santokit-sticky",
];

/// What browsers are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cors {
    /// As a browser writes them in `Origin`, or [`ANY`]. Empty: none.
    pub origins: BTreeSet<String>,
    /// Of [`METHODS`].
    pub methods: BTreeSet<String>,
    /// Request headers in lower case, or [`ANY`].
    pub headers: BTreeSet<String>,
    /// Answer headers that a page may read beside those that every project shows, in lower case, or [`ANY`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_headers: BTreeSet<String>,
    /// Whether a browser sends cookies. Not together with [`ANY`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub credentials: bool,
    /// How long a browser may keep the answer to a preflight.
    pub max_age: Millis,
}

/// Why a setting is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorsError {
    /// Not as a browser writes it.
    #[error("{0:?} is no origin: an origin is scheme://host or scheme://host:port in lower case, without a path")]
    Origin(String),
    /// The port is the scheme's own, which browsers leave out.
    #[error("{0:?} never matches: browsers leave out the port that the scheme has by itself")]
    DefaultPort(String),
    /// `null` stands for pages of any origin, such as a sandboxed frame.
    #[error("the origin \"null\" is shared by pages of every origin")]
    NullOrigin,
    /// Not one of [`METHODS`].
    #[error("{0:?} is not one of GET, HEAD, POST, PUT, PATCH, DELETE")]
    Method(String),
    /// Not the name of a header.
    #[error("{0:?} is not the name of a header in lower case")]
    Header(String),
    /// More than [`ENTRIES_MAX`].
    #[error("a list of cors has at most 100 entries")]
    TooMany,
    /// Browsers refuse it, and nobody should want it.
    #[error("\"*\" does not go together with credentials: any page could act as whoever is logged in")]
    AnyWithCredentials,
    /// More than [`MAX_AGE_MAX`].
    #[error("maxAge is 1d at most")]
    MaxAge,
}

impl Cors {
    /// Whether it is valid as a whole.
    pub fn check(&self) -> Result<(), CorsError> {
        let lists = [&self.origins, &self.methods, &self.headers, &self.exposed_headers];
        if lists.iter().any(|list| list.len() > ENTRIES_MAX) {
            return Err(CorsError::TooMany);
        }
        self.origins.iter().try_for_each(|origin| check_origin(origin))?;
        self.headers.iter().chain(&self.exposed_headers).try_for_each(|name| check_header(name))?;
        if let Some(method) = self.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(CorsError::Method(method.clone()));
        }
        if self.credentials && lists.iter().any(|list| list.contains(ANY)) {
            return Err(CorsError::AnyWithCredentials);
        }
        if self.max_age > MAX_AGE_MAX { Err(CorsError::MaxAge) } else { Ok(()) }
    }

    /// Whether pages of an origin may call.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.contains(origin) || self.origins.contains(ANY)
    }
}

/// Whether a text is [`ANY`], or an origin as a browser writes it (RFC 6454, 6.1).
pub fn check_origin(text: &str) -> Result<(), CorsError> {
    let wrong = || CorsError::Origin(text.to_owned());
    match text {
        ANY => return Ok(()),
        "null" => return Err(CorsError::NullOrigin),
        _ => {}
    }
    let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    // A colon within brackets is of an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = if let Some(address) = inner {
        address.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address)
    } else {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
        !host.is_empty() && host.len() <= 253 && host.bytes().all(known)
    };
    // `parse` would take a sign.
    let is_number = |port: &str| port.starts_with(|c: char| c.is_ascii_digit() && c != '0');
    let is_port = port.is_none_or(|port| is_number(port) && port.parse::<u16>().is_ok());
    if !(is_scheme && is_host && is_port) {
        return Err(wrong());
    }
    if matches!((scheme, port), ("https", Some("443")) | ("http", Some("80"))) {
        return Err(CorsError::DefaultPort(text.to_owned()));
    }
    Ok(())
}

/// Whether a text is [`ANY`], or the name of a header (RFC 9110, 5.1) in lower case.
pub fn check_header(text: &str) -> Result<(), CorsError> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    let ok = (1..=100).contains(&text.len()) && text.bytes().all(known);
    ok.then_some(()).ok_or_else(|| CorsError::Header(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Cors {
            origins: set(&["https://shop.example"]),
            methods: set(METHODS_DEFAULT),
            headers: set(HEADERS_DEFAULT),
            exposed_headers: BTreeSet::new(),
            credentials: true,
            max_age: MAX_AGE_DEFAULT,
        }
    }

    #[test]
    fn origins_are_those_that_browsers_write() {
        for good in [
            "*",
            "https://shop.example",
            "http://localhost:5173",
            "https://a-b.c_d.example:8443",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
            "http://[::1]",
            "capacitor://localhost",
        ] {
            assert_eq!(check_origin(good), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://shop.example/path",
            "https://Shop.example",
            "HTTPS://shop.example",
            "https://*.shop.example",
            "https://user@shop.example",
            "https://shop.example:0",
            "https://shop.example:99999",
            "https://shop.example:",
            "https://shop.example:+80",
            "http://[::1",
            "http://[0:0:0:0:0:0:0:1]",
            "https://shop.example?x",
            "https://shop.example\r\nx: y",
            "https://sh\u{f6}p.example",
            "//shop.example",
            "1a://b",
        ] {
            assert_eq!(check_origin(wrong), Err(CorsError::Origin(wrong.into())), "{wrong}");
        }
        assert!(matches!(check_origin("https://shop.example:443"), Err(CorsError::DefaultPort(_))));
        assert_eq!(check_origin("null"), Err(CorsError::NullOrigin));
    }

    type Change = fn(&mut Cors);

    #[test]
    fn a_setting_is_valid_as_a_whole_or_not_at_all() {
        assert_eq!(cors().check(), Ok(()));
        let change: &[(Change, CorsError)] = &[
            (|cors| cors.origins = [ANY.to_owned()].into(), CorsError::AnyWithCredentials),
            (|cors| cors.headers = [ANY.to_owned()].into(), CorsError::AnyWithCredentials),
            (|cors| cors.exposed_headers = [ANY.to_owned()].into(), CorsError::AnyWithCredentials),
            (|cors| cors.methods = [ANY.to_owned()].into(), CorsError::Method(ANY.into())),
            (|cors| cors.headers = ["X Y".to_owned()].into(), CorsError::Header("X Y".into())),
            (|cors| cors.headers = (0..101).map(|n| format!("x-{n}")).collect(), CorsError::TooMany),
            (|cors| cors.max_age = Millis(MAX_AGE_MAX.0 + 1), CorsError::MaxAge),
        ];
        for (change, error) in change {
            let mut cors = cors();
            change(&mut cors);
            assert_eq!(cors.check().as_ref(), Err(error));
        }
        let mut open = Cors { credentials: false, ..cors() };
        open.origins = [ANY.to_owned()].into();
        assert_eq!(open.check(), Ok(()));
    }
}
