//! Which outbound requests a component may make: hosts, methods and paths, and the words that they are written in. What a URL means, and
//! what may be connected to, is the Bridge's matter; here is nothing but names.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Grants of one component.
const GRANTS_MAX: usize = 20;
/// Powers of one component, each a method of a path of a host: as many lines has a comparison of releases.
const POWERS_MAX: usize = 500;
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;
const PATH_BYTES_MAX: usize = 500;
/// Where a host names none.
const PORT: u16 = 443;

/// Requests to some paths of some hosts, always over https.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGrant {
    /// `api.example.com`, `*.example.com` for exactly one label more, either with `:port` where it is not 443.
    pub hosts: BTreeSet<String>,
    /// In capitals.
    pub methods: BTreeSet<String>,
    /// `*` stands for one segment; at the end for all that follows.
    pub paths: BTreeSet<String>,
}

/// What a grant cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpGrantError {
    /// Not the name of a host.
    #[error("{0:?} is no host: write a name such as api.example.com or *.example.com, in small letters, without scheme and path{hint}", hint = host_hint(.0))]
    Host(String),
    /// Not a path.
    #[error("{0:?} is no path: write it as /v1/charges, with * for one segment or, at the end, for all that follow")]
    Path(String),
    /// Not a method that can be granted.
    #[error("{0:?} is no method that can be granted")]
    Method(String),
    /// One of the lists has nothing in it.
    #[error("an HTTP grant needs a host, a method and a path")]
    Empty,
    /// More than anybody reads.
    #[error("a logic has at most {GRANTS_MAX} HTTP grants, and {POWERS_MAX} methods of paths of hosts in all of them")]
    TooMany,
}

impl HttpGrant {
    /// Methods that can be granted. `CONNECT` and `TRACE` are none of them: they are for proxies.
    pub const METHODS: &'static [&'static str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    /// Whether all grants of a component can be meant.
    pub fn check_all(grants: &[Self]) -> Result<(), HttpGrantError> {
        let powers = |grant: &Self| grant.hosts.len().saturating_mul(grant.methods.len() * grant.paths.len());
        if grants.len() > GRANTS_MAX || grants.iter().map(powers).fold(0, usize::saturating_add) > POWERS_MAX {
            return Err(HttpGrantError::TooMany);
        }
        for grant in grants {
            if powers(grant) == 0 {
                return Err(HttpGrantError::Empty);
            }
            grant.hosts.iter().try_for_each(|host| Self::check_host(host))?;
            grant.paths.iter().try_for_each(|path| Self::check_path(path))?;
            let unknown = grant.methods.iter().find(|method| !Self::METHODS.contains(&method.as_str()));
            if let Some(method) = unknown {
                return Err(HttpGrantError::Method(method.clone()));
            }
        }
        Ok(())
    }

    /// Whether a text is a host as grants write it: a name, in the form that names have on the wire, and never an address.
    pub fn check_host(text: &str) -> Result<(), HttpGrantError> {
        let wrong = || HttpGrantError::Host(text.to_owned());
        let (name, port) = split_port(text).ok_or_else(wrong)?;
        let wide = name.strip_prefix("*.");
        let name = wide.unwrap_or(name);
        let labels: Vec<&str> = name.split('.').collect();
        let is_label = |label: &&str| {
            !label.is_empty()
                && label.len() <= LABEL_BYTES_MAX
                && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // What ends with a number is an address in one of its many spellings.
        let is_number = |label: &&str| label.starts_with(|first: char| first.is_ascii_digit()) && !label.contains('-');
        let is_fine = name.len() <= HOST_BYTES_MAX
            && labels.iter().all(is_label)
            && !labels.last().is_some_and(is_number)
            // A whole top-level domain is nobody's.
            && (wide.is_none() || labels.len() >= 2)
            && port != 0;
        if is_fine { Ok(()) } else { Err(wrong()) }
    }

    /// Whether a text is a path as grants write it.
    pub fn check_path(text: &str) -> Result<(), HttpGrantError> {
        let is_segment = |segment: &str| {
            !matches!(segment, "." | "..")
                && (segment == "*"
                    || segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&byte)))
        };
        let is_fine = text.len() <= PATH_BYTES_MAX
            && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
            // Only the end may be empty.
            && !text.contains("//");
        if is_fine { Ok(()) } else { Err(HttpGrantError::Path(text.to_owned())) }
    }

    /// Whether it is for a host and a port.
    pub fn has_host(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().filter_map(|granted| split_port(granted)).any(|(name, granted)| {
            granted == port
                && match name.strip_prefix("*.") {
                    None => name == host,
                    Some(rest) => host
                        .split_once('.')
                        .is_some_and(|(label, parent)| !label.is_empty() && label != "*" && parent == rest),
                }
        })
    }

    /// Whether it is for a method.
    pub fn has_method(&self, method: &str) -> bool {
        self.methods.contains(method)
    }

    /// Whether it is for a path, which begins with `/`, and has neither dot segments nor escapes of what needs none.
    pub fn has_path(&self, path: &str) -> bool {
        self.paths.iter().any(|template| is_of(template, path))
    }

    /// One line for each power. Host, method and path have no space: a pattern of ceilings cannot take the one for the other.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let line = |host: &str, method: &str, path: &str| format!("http {host} {method} {path}");
        self.hosts.iter().flat_map(move |host| {
            self.methods.iter().flat_map(move |method| self.paths.iter().map(move |path| line(host, method, path)))
        })
    }
}

/// A name and its port.
fn split_port(text: &str) -> Option<(&str, u16)> {
    match text.split_once(':') {
        None => Some((text, PORT)),
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some((name, port.parse().ok()?)),
        Some(_) => None,
    }
}

fn is_of(template: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (template.split('/').peekable(), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) if wanted.peek().is_none() => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(wanted), Some(segment)) if wanted == segment && wanted != "*" => {}
            _ => return false,
        }
    }
}

fn host_hint(host: &str) -> &'static str {
    if host.is_ascii() { "" } else { "; a name in other letters is written as on the wire, xn--…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(hosts: &[&str], methods: &[&str], paths: &[&str]) -> HttpGrant {
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        HttpGrant { hosts: set(hosts), methods: set(methods), paths: set(paths) }
    }

    #[test]
    fn a_host_is_a_name_and_no_address() {
        for fine in [
            "api.stripe.com",
            "*.example.com",
            "localhost",
            "payments:8443",
            "*.example.com:8443",
            "xn--bcher-kva.example",
            "3com.example",
            "a.b-c.d",
        ] {
            assert!(HttpGrant::check_host(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "",
            "*",
            "*.com",
            "*.",
            "a.*.com",
            "*api.example.com",
            "https://api.example.com",
            "api.example.com/v1",
            "API.example.com",
            "api.example.com.",
            ".example.com",
            "a..b",
            "-a.com",
            "a-.com",
            "bücher.example",
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "017700000001",
            "1.2.3",
            "[::1]",
            "::1",
            "user@example.com",
            "example.com:0",
            "example.com:99999",
            "example.com:",
            "example.com:+1",
            "example.com:80:80",
            "a b.com",
            "a_b.com",
            "a.com\n",
        ] {
            assert!(HttpGrant::check_host(wrong).is_err(), "{wrong:?}");
        }
        assert!(HttpGrant::check_host(&"a.".repeat(200)).is_err());
    }

    #[test]
    fn a_wide_host_has_one_label_more() {
        let grant = grant(&["*.example.com", "api.test:8443"], &["GET"], &["/*"]);
        for (host, port, has) in [
            ("a.example.com", 443, true),
            ("a.b.example.com", 443, false),
            ("example.com", 443, false),
            (".example.com", 443, false),
            ("*.example.com", 443, false),
            ("aexample.com", 443, false),
            ("a.example.com", 8443, false),
            ("a.example.com.evil.test", 443, false),
            ("api.test", 8443, true),
            ("api.test", 443, false),
        ] {
            assert_eq!(grant.has_host(host, port), has, "{host}:{port}");
        }
    }

    #[test]
    fn a_star_is_one_segment_and_at_the_end_all_that_follow() {
        for (template, path, has) in [
            ("/v1/charges", "/v1/charges", true),
            ("/v1/charges", "/v1/charges/", false),
            ("/v1/charges", "/v1/charge", false),
            ("/v1/*", "/v1/charges", true),
            ("/v1/*", "/v1/charges/ch_1/refunds", true),
            ("/v1/*", "/v1/", true),
            ("/v1/*", "/v1", false),
            ("/v1/*", "/v10/charges", false),
            ("/v1/*", "/V1/charges", false),
            ("/*", "/", true),
            ("/*", "/a/b", true),
            ("/", "/", true),
            ("/", "/a", false),
            ("/v1/*/orders", "/v1/c1/orders", true),
            ("/v1/*/orders", "/v1/c1/c2/orders", false),
            ("/v1/*/orders", "/v1//orders", false),
            ("/v1/*/orders", "/v1/c1/orders/o1", false),
            ("/v1/*/orders/*", "/v1/c1/orders/o1/lines", true),
        ] {
            assert_eq!(is_of(template, path), has, "{template} {path}");
        }
        for wrong in ["", "v1", "*", "/a//b", "/a/../b", "/./a", "/a b", "/a%2fb", "/a?b", "/a#b", "/a*", "/ä", "/a\\b"]
        {
            assert!(HttpGrant::check_path(wrong).is_err(), "{wrong:?}");
        }
        for fine in ["/", "/*", "/v1/", "/v1/*", "/a/*/b", "/a:b@c,d;e=f"] {
            assert!(HttpGrant::check_path(fine).is_ok(), "{fine:?}");
        }
    }

    #[test]
    fn grants_are_bounded_and_whole() {
        let many: Vec<String> = (0..600).map(|number| format!("/{number}")).collect();
        let paths: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(HttpGrant::check_all(&[grant(&["a.test"], &["GET"], &paths)]), Err(HttpGrantError::TooMany));
        assert_eq!(HttpGrant::check_all(&[grant(&["a.test"], &["GET"], &[])]), Err(HttpGrantError::Empty));
        let traced = HttpGrant::check_all(&[grant(&["a.test"], &["TRACE"], &["/"])]);
        assert_eq!(traced, Err(HttpGrantError::Method("TRACE".to_owned())));
        assert!(HttpGrant::check_all(&[grant(&["10.0.0.1"], &["GET"], &["/"])]).is_err());
        let two = grant(&["a.test", "b.test"], &["GET", "POST"], &["/v1/*"]);
        assert_eq!(HttpGrant::check_all(std::slice::from_ref(&two)), Ok(()));
        let lines: Vec<String> = two.lines().collect();
        assert_eq!(
            lines,
            ["http a.test GET /v1/*", "http a.test POST /v1/*", "http b.test GET /v1/*", "http b.test POST /v1/*"]
        );
    }
}
