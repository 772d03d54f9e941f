//! Header fields on both sides of a mounted component: what it sees of a request, and what a client sees of its answer.
//!
//! All envs of a Bridge have one origin in common. What a component could say there for all of it is not passed on, and a page of its own
//! is shown without that origin: it can act with nobody's cookies.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, COOKIE, FORWARDED, HOST,
        SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    },
};

use santokit_edge::answer::REQUEST_ID;

use crate::edge::auth::Credential;

/// Only for the next hop.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
    "proxy-authenticate",
];

/// What is said for a whole origin, or in our own name.
const OF_ORIGIN: [&str; 16] = [
    "accept-ch",
    "alt-svc",
    "clear-site-data",
    "content-security-policy-report-only",
    "critical-ch",
    "expect-ct",
    "idempotency-replayed",
    "nel",
    "origin-agent-cluster",
    "public-key-pins",
    "report-to",
    "reporting-endpoints",
    "server",
    "service-worker-allowed",
    "set-login",
    "strict-transport-security",
];

/// How the names of our headers begin.
const OURS: &str = "x-santokit-";
/// And those of our cookies.
const OUR_COOKIES: &str = "stk_";

/// Scripts run and forms are sent, but as of nobody's origin.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts");

/// What of a cookie may be said; the rest is the platform's.
const COOKIE_ATTRIBUTES: [&str; 7] =
    ["expires", "httponly", "max-age", "partitioned", "priority", "samesite", "secure"];

/// Whether a proxy says that a client came over TLS.
pub(super) fn was_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Of a request, without what is of the connection, of the way, or ours: credentials before all.
pub(super) fn of_request(sent: &HeaderMap) -> HeaderMap {
    let listed = listed(sent);
    let mut fields = HeaderMap::with_capacity(sent.len() + 6);
    for (name, value) in sent {
        let text = name.as_str();
        let is_ours = text.starts_with(OURS)
            || text.starts_with("x-forwarded-")
            || text.starts_with("proxy-")
            || [HOST, FORWARDED, COOKIE].contains(name)
            || text == REQUEST_ID
            || (*name == AUTHORIZATION && is_our_credential(sent, value));
        if !is_ours && !is_hop(text, &listed) {
            fields.append(name, value.clone());
        }
    }
    for cookies in sent.get_all(COOKIE) {
        fields.extend(foreign_cookies(cookies).map(|cookies| (COOKIE, cookies)));
    }
    fields
}

/// Without an API key, a request whose `Authorization` is not ours was refused. Beside one, it may be the component's own.
fn is_our_credential(sent: &HeaderMap, value: &HeaderValue) -> bool {
    let alone = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
    !sent.contains_key("x-santokit-api-key") || Credential::read(&alone).is_ok()
}

/// The cookies that are not ours.
fn foreign_cookies(cookies: &HeaderValue) -> Option<HeaderValue> {
    let kept: Vec<&[u8]> = cookies
        .as_bytes()
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|cookie| !cookie.is_empty() && !begins_like_ours(cookie))
        .collect();
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok() }
}

/// One without a name is shown by its value, which then looks like a name.
fn begins_like_ours(cookie: &[u8]) -> bool {
    let cookie = cookie.strip_prefix(b"=").unwrap_or(cookie).trim_ascii();
    cookie.len() >= OUR_COOKIES.len()
        && cookie.iter().zip(OUR_COOKIES.bytes()).all(|(sent, ours)| sent.eq_ignore_ascii_case(&ours))
}

/// Of an answer. What stands around every request adds its own behind it: the id, the release, CORS.
pub(super) fn of_answer(given: &HeaderMap, status: StatusCode, prefix: &str) -> HeaderMap {
    let listed = listed(given);
    let mut fields = HeaderMap::with_capacity(given.len() + 4);
    for (name, value) in given {
        let text = name.as_str();
        let is_dropped = text.starts_with(OURS)
            || text.starts_with("access-control-")
            || text == REQUEST_ID
            || OF_ORIGIN.contains(&text)
            || *name == SET_COOKIE
            || is_hop(text, &listed);
        if !is_dropped {
            fields.append(name, value.clone());
        }
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        fields.remove(CONTENT_LENGTH);
    }
    for cookie in given.get_all(SET_COOKIE) {
        fields.extend(own_cookie(cookie, prefix).map(|cookie| (SET_COOKIE, cookie)));
    }
    fields.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Beside what the component says: all policies of an answer hold.
    fields.append(CONTENT_SECURITY_POLICY, SANDBOX);
    fields
}

/// A cookie for the paths of its component and no others, and not in the name of one of ours.
fn own_cookie(cookie: &HeaderValue, prefix: &str) -> Option<HeaderValue> {
    let text = cookie.to_str().ok()?;
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let name = name.trim();
    let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok() && !begins_like_ours(name.as_bytes());
    if !is_name {
        return None;
    }
    let kept = parts.map(str::trim).filter(|attribute| {
        let name = attribute.split('=').next().unwrap_or_default().trim();
        COOKIE_ATTRIBUTES.iter().any(|known| name.eq_ignore_ascii_case(known))
    });
    let place = format!("Path={prefix}");
    let written: Vec<&str> = kept.chain([place.as_str()]).collect();
    HeaderValue::from_str(&format!("{name}={}; {}", value.trim(), written.join("; "))).ok()
}

fn is_hop(name: &str, listed: &[String]) -> bool {
    HOP_BY_HOP.contains(&name) || listed.iter().any(|listed| listed == name)
}

/// What a message says is for the next hop.
fn listed(fields: &HeaderMap) -> Vec<String> {
    let lists = fields.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn shown(fields: &HeaderMap) -> Vec<String> {
        fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    /// `{"alg":"EdDSA","typ":"JWT","kid":"k"}.{}.` and nothing that holds.
    const TOKEN: &str = "Bearer eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImsifQ.e30.AA";

    #[test]
    fn no_credential_of_ours_reaches_a_component() {
        for (sent, seen) in [
            (&[("authorization", "Bearer stk_a.b")][..], &[][..]),
            (&[("authorization", TOKEN)], &[]),
            (&[("x-santokit-api-key", "stk_a.b"), ("authorization", TOKEN)], &[]),
            (&[("x-santokit-api-key", "stk_a.b"), ("authorization", "bearer stk_c.d")], &[]),
            (&[("x-santokit-api-key", "stk_a.b"), ("authorization", "Basic dTpw")], &["authorization: Basic dTpw"]),
            (&[("cookie", "stk_access_shop_prod=a.b.c")], &[]),
            (&[("cookie", "a=1;stk_access_shop_prod=x; b=2 ;STK_other=3")], &["cookie: a=1; b=2"]),
            (&[("cookie", "=stk_access_shop_prod=x; stk_access_shop_prod; c")], &["cookie: c"]),
            (&[("cookie", "a=stk_access")], &["cookie: a=stk_access"]),
            (&[("x-santokit-project", "shop"), ("x-santokit-sticky", "a"), ("x-mine", "1")], &["x-mine: 1"]),
            (&[("proxy-authorization", "Basic dTpw"), ("x-request-id", "theirs")], &[]),
        ] {
            assert_eq!(shown(&of_request(&map(sent))), seen, "{sent:?}");
        }
    }

    #[test]
    fn what_a_client_says_of_its_way_or_its_connection_is_not_believed() {
        let sent = map(&[
            ("host", "evil.test"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-prefix", "/admin"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("upgrade", "websocket"),
            ("content-type", "text/plain"),
        ]);
        assert_eq!(shown(&of_request(&sent)), ["content-type: text/plain"]);
    }

    #[test]
    fn an_answer_says_nothing_in_our_name_or_for_the_whole_origin() {
        let mut given = map(&[
            ("x-santokit-release", "rel_forged"),
            ("x-request-id", "forged"),
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("content-type", "text/html"),
            ("content-security-policy", "default-src 'self'"),
            ("content-length", "0"),
        ]);
        for name in OF_ORIGIN {
            given.append(name, HeaderValue::from_static("1"));
        }
        assert_eq!(
            shown(&of_answer(&given, StatusCode::NO_CONTENT, "/http/a")),
            [
                "content-type: text/html".to_owned(),
                "content-security-policy: default-src 'self'".to_owned(),
                format!("content-security-policy: {}", SANDBOX.to_str().unwrap()),
                "cache-control: no-store".to_owned(),
                "x-content-type-options: nosniff".to_owned(),
            ]
        );
    }

    #[test]
    fn a_cookie_is_for_the_paths_of_its_component() {
        for (given, passed) in [
            ("a=1", Some("a=1; Path=/http/x")),
            ("a=1; Path=/; Domain=test; Secure; HttpOnly; SameSite=Lax", {
                Some("a=1; Secure; HttpOnly; SameSite=Lax; Path=/http/x")
            }),
            ("a=1; max-age=5;path =/;DOMAIN=x; Unknown", Some("a=1; max-age=5; Path=/http/x")),
            ("a=b=c", Some("a=b=c; Path=/http/x")),
            ("stk_access_shop_prod=a.b.c", None),
            (" STK_access=1", None),
            ("=stk_access_shop_prod=1", None),
            ("stk_access_shop_prod", None),
            ("a b=1", None),
            ("", None),
        ] {
            let cookie = own_cookie(&HeaderValue::from_str(given).unwrap(), "/http/x");
            assert_eq!(cookie.as_ref().map(|cookie| cookie.to_str().unwrap()), passed, "{given:?}");
        }
    }

    #[test]
    fn a_proxys_word_of_tls() {
        assert!(was_https(&map(&[("x-forwarded-proto", "HTTPS")])));
        assert!(!was_https(&map(&[("x-forwarded-proto", "http")])) && !was_https(&HeaderMap::new()));
    }
}
