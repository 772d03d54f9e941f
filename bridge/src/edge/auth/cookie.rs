//! An end user by the cookie `stk_access_<project>_<env>`, and whether the page that sent it may.
//!
//! A browser sends a cookie along with whatever any page asks for. So a cookie counts only for a request that is known to come from
//! a page of the Bridge's own origin, or of an origin that the release lets act with cookies (`cors` with `credentials`). Every call
//! may change something, so that this holds for each.

use std::{collections::BTreeMap, sync::Arc};

use chrono::Utc;
use http::{
    HeaderMap,
    header::{COOKIE, HOST, ORIGIN},
};
use santokit_core::{
    code::Code,
    cors::Cors,
    problem::{Outcome, Problem},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Hints, Pinned, anonymous, pin, token, unauthorized};
use crate::{
    config::EnvName,
    release::{EnvSlot, canary::Tally, serving::Origin},
};

const PREFIX: &str = "stk_access_";

/// Longest name that is looked at: two labels, and what stands around them.
const NAME_BYTES_MAX: usize = 96;

/// Most of them that are looked at.
const COOKIES_MAX: usize = 32;

/// The cookies that could be tokens, and what the browser says of the page.
#[derive(Clone, Debug)]
pub struct Cookies {
    by_name: BTreeMap<String, SecretString>,
    page: Page,
}

/// Where a request comes from, in the words of a browser. No page can set these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Page {
    origin: Option<String>,
    /// `Sec-Fetch-Site`.
    site: Option<String>,
    /// What the browser calls this Bridge.
    host: Option<String>,
}

impl Cookies {
    /// From the headers; none where no cookie is named like one of ours.
    pub(super) fn read(headers: &HeaderMap) -> Outcome<Option<Self>> {
        let mut by_name = BTreeMap::new();
        let sent = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        for cookie in sent.filter_map(|cookie| std::str::from_utf8(cookie).ok()) {
            let Some((name, value)) = cookie.trim().split_once('=') else { continue };
            if !name.starts_with(PREFIX) || name.len() > NAME_BYTES_MAX {
                continue;
            }
            let before = by_name.insert(name.to_owned(), SecretString::from(value));
            // A page of a sibling host can add one of the same name, but take none away.
            if before.is_some_and(|before| before.expose_secret() != value) {
                return Err(unauthorized("there are two different cookies of one name")
                    .hint("delete the cookies of this site, and log in again"));
            }
            if by_name.len() > COOKIES_MAX {
                return Err(unauthorized("there are too many cookies with tokens"));
            }
        }
        Ok((!by_name.is_empty()).then(|| Self { by_name, page: Page::read(headers) }))
    }

    /// Who shows the cookie of the env that is asked for. Cookies of envs that are not served here are another Bridge's.
    pub(super) fn identify(
        &self,
        slots: &[Arc<EnvSlot>],
        hints: &Hints,
        origin: Origin<'_>,
    ) -> Outcome<(Pinned, Option<Tally>)> {
        let named: Vec<(String, &Arc<EnvSlot>)> = slots
            .iter()
            .map(|slot| (name(&slot.name), slot))
            .filter(|(name, _)| self.by_name.contains_key(name))
            .collect();
        if named.is_empty() {
            return anonymous(slots, hints, origin);
        }
        let asked: Vec<_> = named.iter().filter(|(_, slot)| hints.admit(&slot.name)).collect();
        let Some((first, _)) = asked.first() else { return Err(token::elsewhere()) };
        // Two envs can have one name of a cookie (`a_b` and `c`, `a` and `b_c`): the token says which it is.
        if asked.iter().any(|(name, _)| name != first) {
            return Err(Problem::new(Code::BadRequest, "there are cookies of several envs that this Bridge serves")
                .hint("say which with the headers X-Santokit-Project and X-Santokit-Env"));
        }
        let Some(shown) = self.by_name.get(first) else { return anonymous(slots, hints, origin) };
        let candidates = asked.iter().map(|(_, slot)| *slot);
        let (slot, claims) = token::verify(candidates, shown, Utc::now().timestamp()).map_err(|error| {
            asked.iter().find_map(|(_, slot)| not_yet(slot)).unwrap_or_else(|| token::refused(error))
        })?;
        let (pinned, tally) = pin(slot, token::actor(claims), origin)?;
        if !self.page.may_act(pinned.generation.cors.as_ref()) {
            return Err(Problem::new(Code::Forbidden, "the cookie was sent by a page that may not act with it")
                .hint("santokit.yaml says which origins may, under cors.origins, with credentials: true; or send the token as Authorization: Bearer"));
        }
        Ok((pinned, tally))
    }
}

impl Page {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { origin: text(ORIGIN.as_str()), site: text("sec-fetch-site"), host: text(HOST.as_str()) }
    }

    /// Whether the page may act with a cookie. A request that says nothing of its page may not.
    fn may_act(&self, cors: Option<&Cors>) -> bool {
        let is_own = match self.site.as_deref() {
            Some(site) => site == "same-origin",
            // Of an old browser, or over plain HTTP.
            None => self.is_of_host(),
        };
        let lets_in = |cors: &Cors| self.origin.as_ref().is_some_and(|origin| cors.origins.contains(origin));
        is_own || cors.is_some_and(|cors| cors.credentials && lets_in(cors))
    }

    fn is_of_host(&self) -> bool {
        let named = self.origin.as_deref().and_then(|origin| origin.split_once("://"));
        let (Some((_, origin)), Some(host)) = (named, &self.host) else { return false };
        !host.is_empty() && origin.eq_ignore_ascii_case(host)
    }
}

fn name(env: &EnvName) -> String {
    format!("{PREFIX}{}_{}", env.project, env.env)
}

/// Nothing is known of an env whose release is not here.
fn not_yet(slot: &EnvSlot) -> Option<Box<Problem>> {
    super::need_serving(slot, std::time::Instant::now()).err().filter(|_| slot.generation().is_none())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use santokit_core::quantity::Millis;

    use super::*;

    fn cookies(values: &[&str]) -> Outcome<Option<Cookies>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_str(value).unwrap());
        }
        Cookies::read(&headers)
    }

    #[test]
    fn cookies_are_found_among_others() {
        for (sent, found) in [
            (&["a=b"][..], &[][..]),
            (&["stk_access_shop_dev"], &[]),
            (&["STK_ACCESS_shop_dev=x"], &[]),
            (&["a=b; stk_access_shop_dev=x.y.z ;c"], &["stk_access_shop_dev"]),
            (&["stk_access_shop_dev=x", "stk_access_shop_prod=y"], &["stk_access_shop_dev", "stk_access_shop_prod"]),
            (&["stk_access_shop_dev=x; stk_access_shop_dev=x"], &["stk_access_shop_dev"]),
            (&["stk_access_shop_dev="], &["stk_access_shop_dev"]),
        ] {
            let read = cookies(sent).unwrap();
            let names: Vec<&str> = read.iter().flat_map(|read| read.by_name.keys().map(String::as_str)).collect();
            assert_eq!(names, found, "{sent:?}");
        }
        assert_eq!(cookies(&["stk_access_shop_dev=x; stk_access_shop_dev=y"]).unwrap_err().code, Code::Unauthorized);
        let many = (0..100).map(|n| format!("stk_access_shop_e{n}=x")).collect::<Vec<_>>().join("; ");
        assert_eq!(cookies(&[&many]).unwrap_err().code, Code::Unauthorized);
    }

    #[test]
    fn a_page_acts_with_a_cookie_only_where_it_is_known_to_be_let() {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let cors = |origins: &[&str], credentials| Cors {
            origins: set(origins),
            methods: set(&["POST"]),
            headers: set(&[]),
            exposed_headers: set(&[]),
            credentials,
            max_age: Millis(0),
        };
        let (listed, star) = (cors(&["https://shop.example"], true), cors(&["*"], false));
        let unlet = cors(&["https://shop.example"], false);
        for (site, origin, host, cors, may) in [
            ("same-origin", "https://api.example", "api.example", None, true),
            ("same-origin", "", "api.example", None, true),
            ("same-site", "https://shop.example", "api.example", None, false),
            ("cross-site", "https://api.example", "api.example", None, false),
            ("none", "", "api.example", None, false),
            ("", "https://api.example", "api.example", None, true),
            ("", "https://API.example", "api.example", None, true),
            ("", "https://api.example:8443", "api.example", None, false),
            ("", "https://evil.example", "api.example", None, false),
            ("", "null", "api.example", None, false),
            ("", "", "api.example", None, false),
            ("", "https://", "", None, false),
            ("", "", "", None, false),
            ("cross-site", "https://shop.example", "api.example", Some(&listed), true),
            ("", "https://shop.example", "api.example", Some(&listed), true),
            ("cross-site", "https://evil.example", "api.example", Some(&listed), false),
            ("cross-site", "", "api.example", Some(&listed), false),
            ("cross-site", "https://shop.example", "api.example", Some(&unlet), false),
            ("cross-site", "https://evil.example", "api.example", Some(&star), false),
        ] {
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let page = Page { origin: text(origin), site: text(site), host: text(host) };
            assert_eq!(page.may_act(cors), may, "{page:?} {cors:?}");
        }
    }
}
