//! Settings as text, and what each kind of text means. Every error says what would be right.

use std::{fmt, net::SocketAddr, time::Duration};

use reqwest::Url;
use santokit_core::{
    id::Kind,
    quantity::{Bytes, Millis, QuantityError},
    release::VerifyingKey,
};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

/// A setting as written: text, a number, or a list. `Debug` does not show it, for it may be a secret.
#[derive(Clone)]
pub struct Text(pub(super) String);

/// Collects what is wrong, so that a person fixes all of it in one go.
#[derive(Default)]
pub(super) struct Check(pub(super) Vec<String>);

impl Check {
    pub(super) fn add(&mut self, key: &str, what: &str) {
        self.0.push(format!("{key}: {what}"));
    }

    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(text?.0.trim()) {
            Ok(value) => Some(value),
            Err(what) => {
                self.add(key, &what);
                None
            }
        }
    }

    pub(super) fn value<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        default: T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.optional(key, text, read).unwrap_or(default)
    }

    pub(super) fn required<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if text.is_none() {
            self.add(key, "is needed");
        }
        self.optional(key, text, read)
    }

    pub(super) fn list<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let text = text.map(|text| text.0).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .filter_map(|item| self.optional(key, Some(Text(item.to_owned())), &read))
            .collect()
    }
}

pub(super) fn local_hub() -> Url {
    #[expect(clippy::expect_used, reason = "a constant that a test reads")]
    Url::parse("http://127.0.0.1:7070/").expect("a constant URL")
}

pub(super) fn bridge_id(text: &str) -> Result<String, String> {
    let ok = Kind::Bridge.is_valid(text);
    ok.then(|| text.to_owned())
        .ok_or_else(|| "must be brg_ and a ULID; leave it out to get a new one at each start".to_owned())
}

/// The keys of one signer.
pub(super) fn signer(text: &str) -> Result<Vec<VerifyingKey>, String> {
    text.split('|').map(|key| VerifyingKey::parse(key.trim()).map_err(|error| error.to_string())).collect()
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not address:port, for example 0.0.0.0:8080"))
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a positive whole number"))
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let millis: Millis = text.parse().map_err(|error: QuantityError| error.to_string())?;
    if millis.0 == 0 { Err("must be longer than nothing".to_owned()) } else { Ok(millis.duration()) }
}

/// A duration that may be nothing.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let millis: Millis = text.parse().map_err(|error: QuantityError| error.to_string())?;
    Ok(millis.duration())
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes: Bytes = text.parse().map_err(|error: QuantityError| error.to_string())?;
    usize::try_from(bytes.0).map_err(|_| "is too large".to_owned())
}

pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(SecretString::from(text)) }
}

/// An address to send requests to, below which paths can be added.
pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must be http:// or https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("carries a credential; who asks shows a token".to_owned());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, true or false, or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Text, E> {
                Ok(Text(truth.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element::<String>()? {
                    list.push(item);
                }
                Ok(Text(list.join(",")))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
