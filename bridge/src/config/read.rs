//! Settings as text, and what each kind of text means. Every error says what would be right.

use std::{net::SocketAddr, time::Duration};

use reqwest::Url;
use santokit_core::{
    id::Kind,
    quantity::{Bytes, Millis, QuantityError},
    release::VerifyingKey,
};
pub(super) use santokit_edge::settings::Check;
pub use santokit_edge::settings::Text;
use secrecy::SecretString;

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
