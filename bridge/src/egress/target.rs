//! A URL as what it is: a host by its name, a port, a path. What different programs read differently is refused here, because the one
//! that answers may read it differently from the one that checks.

use std::fmt::Write as _;

use reqwest::Url;
use santokit_core::logic::HttpGrant;
use santokit_wasm::HttpError;

const URL_BYTES_MAX: usize = 8 << 10;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    url: Url,
    host: String,
    port: u16,
    /// Without escapes of what needs none.
    path: String,
}

impl Target {
    /// Of a guest's text.
    pub(super) fn parse(text: &str) -> Result<Self, HttpError> {
        let has_scheme = text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
        if !has_scheme {
            return Err(invalid("only https is sent: the URL begins with https://"));
        }
        if text.contains('#') {
            return Err(invalid("a fragment is not sent: leave out what follows #"));
        }
        check_text(text)?;
        let authority = text.get(8..).unwrap_or_default();
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        if authority.is_empty() || authority.contains('%') {
            return Err(invalid("the URL names no host"));
        }
        if authority.contains('@') {
            return Err(user());
        }
        let url = Url::parse(text).map_err(|error| invalid(&format!("no URL: {error}")))?;
        Self::of(url)
    }

    /// Of what an answer says, relative to where it came from.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, HttpError> {
        // A fragment is the reader's own matter.
        let location = location.split('#').next().unwrap_or_default();
        check_text(location)?;
        let url = self.url.join(location).map_err(|error| invalid(&format!("no URL: {error}")))?;
        Self::of(url)
    }

    fn of(url: Url) -> Result<Self, HttpError> {
        if url.scheme() != "https" {
            return Err(invalid("only https is sent"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(user());
        }
        // Also of what is spelled as a number: the parser has made an address of it.
        let Some(host) = url.domain().map(str::to_owned) else {
            return Err(invalid("a host is written by its name, not by its address"));
        };
        let (port, path) = (url.port_or_known_default().unwrap_or(443), plain(url.path())?);
        Ok(Self { url, host, port, path })
    }

    /// Whether a method of it is granted; the error says what is not.
    pub(super) fn check(&self, grants: &[HttpGrant], method: &str) -> Result<(), HttpError> {
        let of_host: Vec<&HttpGrant> = grants.iter().filter(|grant| grant.has_host(&self.host, self.port)).collect();
        if of_host.is_empty() {
            let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
            return Err(HttpError::Denied(format!("grants.http does not list the host {}{port}", self.host)));
        }
        if of_host.iter().any(|grant| grant.has_method(method) && grant.has_path(&self.path)) {
            return Ok(());
        }
        let host = &self.host;
        Err(HttpError::Denied(format!("grants.http does not allow {method} of this path of {host}")))
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether another one is the same server, by its name.
    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

/// What parsers strip, or take for something else.
fn check_text(text: &str) -> Result<(), HttpError> {
    if text.len() > URL_BYTES_MAX {
        return Err(invalid(&format!("the URL has more than {URL_BYTES_MAX} bytes")));
    }
    if text.contains(|character: char| character.is_control() || character.is_whitespace() || character == '\\') {
        return Err(invalid("the URL has a space, a control character or a backslash: escape it"));
    }
    Ok(())
}

/// The path with what needs no escape unescaped. What a server could take for another path is refused.
fn plain(path: &str) -> Result<String, HttpError> {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let hex = escape.get(1..3).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            None => return Err(invalid("the path has a % that is no escape: write %25")),
            Some(b'/' | b'\\' | 0..=0x1f | 0x7f) => {
                return Err(invalid("the path has an escaped slash, backslash or control character"));
            }
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => plain.push(char::from(byte)),
            Some(byte) => drop(write!(plain, "%{byte:02X}")),
        }
        rest = escape.get(3..).unwrap_or_default();
    }
    plain.push_str(rest);
    // Some servers cut parameters off a segment before they look at its dots.
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if plain.split('/').any(is_dots) {
        return Err(invalid("the path has a segment of dots"));
    }
    Ok(plain)
}

fn user() -> HttpError {
    invalid("the URL has a user or a password: send a header instead")
}

fn invalid(message: &str) -> HttpError {
    HttpError::Invalid(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> Vec<HttpGrant> {
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let grant =
            |hosts: &[&str], paths: &[&str]| HttpGrant { hosts: set(hosts), methods: set(&["GET"]), paths: set(paths) };
        vec![grant(&["api.test", "*.wide.test", "localhost:8443"], &["/v1/*", "/one/*/two"])]
    }

    fn told(url: &str) -> &'static str {
        match Target::parse(url).and_then(|target| target.check(&grants(), "GET")) {
            Ok(()) => "ok",
            Err(error) => error.code(),
        }
    }

    #[test]
    fn what_is_granted_is_found_whatever_its_spelling() {
        for url in [
            "https://api.test/v1/a",
            "HTTPS://API.TEST/v1/a",
            "https://api.test:443/v1/a",
            "https://api.test/v1/a?next=/admin&x=../..",
            "https://api.test/v1/%61",
            "https://api.test/%761/a",
            "https://api.test/x/../v1/a",
            "https://api.test/v1/a%20b%3Ac",
            "https://api.test/v1/ä",
            "https://api.test/v1//a",
            "https://a.wide.test/v1/a",
            "https://localhost:8443/v1/a",
            "https://api.test/one/x/two",
        ] {
            assert_eq!(told(url), "ok", "{url}");
        }
    }

    #[test]
    fn what_is_not_granted_is_denied_and_what_is_ambiguous_is_no_request() {
        for (url, code) in [
            ("https://api.test/", "denied"),
            ("https://api.test/v2/a", "denied"),
            ("https://api.test/v1", "denied"),
            ("https://api.test/v1/../admin", "denied"),
            ("https://api.test/v1/%2e%2e/admin", "denied"),
            ("https://api.test/v1/.%2E/admin", "denied"),
            ("https://api.test/one/x/y/two", "denied"),
            ("https://api.test:8443/v1/a", "denied"),
            ("https://localhost/v1/a", "denied"),
            ("https://api.test./v1/a", "denied"),
            ("https://api.test.evil.test/v1/a", "denied"),
            ("https://evil.test/v1/a?https://api.test/v1/a", "denied"),
            ("https://wide.test/v1/a", "denied"),
            ("https://a.b.wide.test/v1/a", "denied"),
            // Letters of other alphabets that look the same.
            ("https://аpi.test/v1/a", "denied"),
            ("https://api.tеst/v1/a", "denied"),
            ("http://api.test/v1/a", "invalid"),
            ("ftp://api.test/v1/a", "invalid"),
            ("//api.test/v1/a", "invalid"),
            ("https:api.test/v1/a", "invalid"),
            ("https:/api.test/v1/a", "invalid"),
            ("https:///api.test/v1/a", "invalid"),
            ("https://", "invalid"),
            ("", "invalid"),
            ("https://user@api.test/v1/a", "invalid"),
            ("https://:pass@api.test/v1/a", "invalid"),
            ("https://@api.test/v1/a", "invalid"),
            ("https://api.test@evil.test/v1/a", "invalid"),
            ("https://api.test:443@evil.test/v1/a", "invalid"),
            ("https://evil.test#@api.test/v1/a", "invalid"),
            ("https://evil.test\\@api.test/v1/a", "invalid"),
            ("https://evil.test\\.api.test/v1/a", "invalid"),
            ("https://api.test\\v1\\a", "invalid"),
            ("https://api.test/v1/a#fragment", "invalid"),
            (" https://api.test/v1/a", "invalid"),
            ("https://api.test/v1/a ", "invalid"),
            ("https://api.te\tst/v1/a", "invalid"),
            ("https://api.te\nst/v1/a", "invalid"),
            ("https://api.test/v1/a\r\nHost: evil.test", "invalid"),
            ("https://api.test/v1/\u{2028}a", "invalid"),
            ("https://api%2etest/v1/a", "invalid"),
            ("https://api.test%00.evil.test/v1/a", "invalid"),
            ("https://api.test:99999/v1/a", "invalid"),
            ("https://api.test/v1/a%2Fb", "invalid"),
            ("https://api.test/v1/..%2fadmin", "invalid"),
            ("https://api.test/v1/..%5cadmin", "invalid"),
            ("https://api.test/v1/..;/admin", "invalid"),
            ("https://api.test/v1/%2e%2e;x=1/admin", "invalid"),
            ("https://api.test/v1/a%00", "invalid"),
            ("https://api.test/v1/a%0d%0ab", "invalid"),
            ("https://api.test/v1/a%", "invalid"),
            ("https://api.test/v1/a%zz", "invalid"),
            // Addresses, in each of the forms that parsers know.
            ("https://127.0.0.1/v1/a", "invalid"),
            ("https://127.1/v1/a", "invalid"),
            ("https://2130706433/v1/a", "invalid"),
            ("https://0x7f000001/v1/a", "invalid"),
            ("https://0x7f.0.0.1/v1/a", "invalid"),
            ("https://0177.0.0.1/v1/a", "invalid"),
            ("https://127.0.0.1./v1/a", "invalid"),
            ("https://①②⑦.0.0.1/v1/a", "invalid"),
            ("https://[::1]/v1/a", "invalid"),
            ("https://[::ffff:127.0.0.1]/v1/a", "invalid"),
            ("https://[fe80::1%25eth0]/v1/a", "invalid"),
            ("https://[::1/v1/a", "invalid"),
        ] {
            assert_eq!(told(url), code, "{url}");
        }
        assert_eq!(told(&format!("https://api.test/v1/{}", "a".repeat(9_000))), "invalid");
    }

    #[test]
    fn a_redirect_is_read_as_a_url_is() {
        let from = Target::parse("https://api.test/v1/a/b?secret=1").unwrap();
        let told = |location: &str| match from.redirected(location) {
            Ok(target) => match target.check(&grants(), "GET") {
                Ok(()) => target.url().as_str().to_owned(),
                Err(error) => error.code().to_owned(),
            },
            Err(error) => error.code().to_owned(),
        };
        for (location, to) in [
            ("c", "https://api.test/v1/a/c"),
            ("/v1/c#part", "https://api.test/v1/c"),
            ("//a.wide.test/v1/c", "https://a.wide.test/v1/c"),
            ("https://a.wide.test/v1/c", "https://a.wide.test/v1/c"),
            ("../../admin", "denied"),
            ("/admin", "denied"),
            ("//evil.test/v1/a", "denied"),
            ("https://evil.test/v1/a", "denied"),
            ("http://api.test/v1/a", "invalid"),
            ("file:///etc/passwd", "invalid"),
            ("javascript:alert(1)", "invalid"),
            ("https://127.0.0.1/v1/a", "invalid"),
            ("https://[::1]/v1/a", "invalid"),
            ("https://api.test@evil.test/v1/a", "invalid"),
            ("/\\evil.test/v1/a", "invalid"),
            ("\t//evil.test/v1/a", "invalid"),
        ] {
            assert_eq!(told(location), to, "{location}");
        }
    }
}
