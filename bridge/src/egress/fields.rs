//! Header fields: which a guest may send, and which of an answer it gets. A field is a name and a value of bytes that cannot end it, so
//! that no value can begin another field.

use reqwest::header::{self, ACCEPT, ACCEPT_ENCODING, CONNECTION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use santokit_wasm::HttpError;

const FIELDS_MAX: usize = 100;
const BYTES_MAX: usize = 32 << 10;
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Of the connection, of the message's length, or of who is asked: the platform's.
const PLATFORMS: [&str; 15] = [
    "host",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    "via",
    "forwarded",
    "x-forwarded-host",
    "proxy",
    "date",
];

/// Only for the next hop, and so not the guest's.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Of a body; gone with it.
const OF_BODY: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LOCATION];

/// In the name of what says who asks.
const CREDENTIALS: [&str; 8] = ["auth", "cookie", "token", "key", "secret", "session", "signature", "password"];

const AGENT: HeaderValue = HeaderValue::from_static(concat!("santokit/", env!("CARGO_PKG_VERSION")));

/// Of a request, as they are sent.
pub(super) fn of_request(sent: Vec<(String, String)>) -> Result<HeaderMap, HttpError> {
    let bytes: usize = sent.iter().map(|(name, value)| name.len() + value.len()).sum();
    if sent.len() > FIELDS_MAX || bytes > BYTES_MAX {
        return Err(invalid(format!("more than {FIELDS_MAX} headers, or than {BYTES_MAX} bytes of them")));
    }
    let mut fields = HeaderMap::with_capacity(sent.len() + 3);
    for (name, value) in sent {
        let shown = || name.chars().take(50).collect::<String>();
        let read = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(format!("{:?} is no name", shown())))?;
        if PLATFORMS.contains(&read.as_str()) || read.as_str().starts_with("proxy-") {
            return Err(invalid(format!("the header {read:?} is the platform's: leave it out")));
        }
        // The value is not shown: it may be a secret.
        let value = HeaderValue::from_bytes(value.as_bytes());
        let value = value.map_err(|_| invalid(format!("the value of the header {read:?} has a control character")))?;
        fields.append(read, value);
    }
    fields.entry(USER_AGENT).or_insert(AGENT);
    fields.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    // Nothing is decompressed.
    fields.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    Ok(fields)
}

/// Takes away what describes a body that is not sent any more.
pub(super) fn drop_body(fields: &mut HeaderMap) {
    for name in OF_BODY {
        fields.remove(name);
    }
}

/// Takes away what says who asks: it is for the server that the guest has named.
pub(super) fn drop_credentials(fields: &mut HeaderMap) {
    let is_one = |name: &HeaderName| CREDENTIALS.iter().any(|part| name.as_str().contains(part));
    let names: Vec<HeaderName> = fields.keys().filter(|name| is_one(name)).cloned().collect();
    for name in names {
        fields.remove(name);
    }
}

/// Of an answer, as the guest gets them.
pub(super) fn of_answer(fields: &HeaderMap) -> Result<Vec<(String, String)>, HttpError> {
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > ANSWER_BYTES_MAX {
        return Err(HttpError::Answer(format!("the answer has more than {ANSWER_BYTES_MAX} bytes of headers")));
    }
    let listed = fields.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<String> =
        listed.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let is_hop = |name: &str| HOP_BY_HOP.contains(&name) || listed.iter().any(|listed| listed == name);
    let kept = fields.iter().filter(|(name, _)| !is_hop(name.as_str()));
    Ok(kept.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect())
}

fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn invalid(message: String) -> HttpError {
    HttpError::Invalid(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<HeaderMap, HttpError> {
        of_request(vec![(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn no_value_begins_another_field() {
        for value in ["a\r\nHost: evil.test", "a\nb", "a\rb", "a\0b", "a\x7fb", "\r\n\r\nGET / HTTP/1.1"] {
            let error = read("x-name", value).unwrap_err();
            assert_eq!(error.code(), "invalid", "{value:?}");
            assert!(!format!("{error:?}").contains("evil"), "a value may be a secret");
        }
        for name in ["", "x name", "x:name", "x\r\nname", "x\0", "x-näme", ":authority", "x(y)"] {
            assert_eq!(read(name, "a").unwrap_err().code(), "invalid", "{name:?}");
        }
        let fine = read("X-Name", "ä a\tb").unwrap();
        assert_eq!(fine["x-name"].as_bytes(), "ä a\tb".as_bytes());
    }

    #[test]
    fn what_is_the_platforms_is_refused() {
        for name in PLATFORMS.iter().chain(&["Host", "HOST", "Proxy-Authorization", "proxy-connection"]) {
            assert_eq!(read(name, "a").unwrap_err().code(), "invalid", "{name}");
        }
        let many = (0..101).map(|number| (format!("x-{number}"), String::new())).collect();
        assert_eq!(of_request(many).unwrap_err().code(), "invalid");
        assert_eq!(read("x", &"a".repeat(40_000)).unwrap_err().code(), "invalid");
        let own = read("user-agent", "mine/1").unwrap();
        assert_eq!(
            (own["user-agent"].as_bytes(), own["accept-encoding"].as_bytes()),
            (&b"mine/1"[..], &b"identity"[..])
        );
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        let all = ["Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "Accept-Language", "Content-Type"];
        let mut fields = of_request(all.map(|name| (name.to_owned(), "a".to_owned())).to_vec()).unwrap();
        drop_credentials(&mut fields);
        let mut left: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "accept-encoding", "accept-language", "content-type", "user-agent"]);
        drop_body(&mut fields);
        assert!(!fields.contains_key("content-type"));
    }

    #[test]
    fn what_is_for_the_next_hop_is_not_the_guests() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("transfer-encoding", "chunked"),
            ("x-hop", "1"),
            ("content-type", "text/plain"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        fields.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        let kept = of_answer(&fields).unwrap();
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "set-cookie", "set-cookie", "x-latin"]);
        assert_eq!(kept[3].1, "café");
        fields.append("x-long", HeaderValue::from_str(&"a".repeat(70_000)).unwrap());
        assert_eq!(of_answer(&fields).unwrap_err().code(), "answer");
    }
}
