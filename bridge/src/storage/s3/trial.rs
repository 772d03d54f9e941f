//! A store of S3, tried step by step. Stores say what is wrong with codes that are known to few; here they become what to do.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use rusty_s3::{Credentials, S3Action};
use santokit_core::storage::ObjectKey;

use super::{Failure, OWN_EXPIRY, Sent, Store, answer, checksum, client};
use crate::storage::trial::Step;

const BODY: &[u8] = b"santokit";
/// As long, and not the same.
const OTHER: &[u8] = b"changed!";
/// All of a path but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How far clocks may be apart: what stores take.
const SKEW_SECONDS_MAX: i64 = 15 * 60;

/// All steps, up to the one behind which nothing can work.
pub(in crate::storage) async fn run(store: &Store, key: &ObjectKey, origins: &[String]) -> Vec<Step> {
    let credentials = match store.place.read_credentials() {
        Ok(credentials) => credentials,
        Err(name) => {
            let hint = format!("stk secrets set {name}");
            return vec![Step::failed("secrets", format!("this env has no secret {name}"), hint)];
        }
    };
    let trial = Trial { store, credentials, name: format!("{}{key}", store.place.prefix()) };
    let mut steps = vec![Step::fine("secrets", "all are set")];
    match trial.list().await {
        Ok(step) => steps.push(step),
        Err(step) => {
            let is_over = step.step != "list";
            steps.push(step);
            if is_over {
                return steps;
            }
        }
    }
    let is_written = match trial.put(BODY, &[]).await {
        Ok(()) => {
            steps.push(Step::fine("put", "an object was written"));
            true
        }
        Err(failure) => {
            steps.push(trial.refused("put", "s3:PutObject", &failure));
            false
        }
    };
    if is_written {
        steps.extend([trial.get().await, trial.conditions().await, trial.digest().await, trial.copies().await]);
        steps.extend([trial.parts().await, trial.delete().await]);
    }
    steps.push(trial.cors(origins).await);
    steps
}

struct Trial<'a> {
    store: &'a Store,
    credentials: Credentials,
    name: String,
}

impl Trial<'_> {
    /// The first that speaks to the store: what is wrong at all is seen here.
    async fn list(&self) -> Result<Step, Step> {
        let place = &self.store.place;
        let mut action = place.own().list_objects_v2(Some(&self.credentials));
        action.with_prefix(place.prefix().to_owned());
        action.with_max_keys(1);
        let sent = Sent::new(Method::GET, action.sign(OWN_EXPIRY));
        let answer = self.store.client.send(sent).await;
        let answer = answer.map_err(|failure| self.refused("list", "s3:ListBucket", &failure))?;
        let text = client::text(answer).await.map_err(|failure| self.refused("list", "s3:ListBucket", &failure))?;
        if answer::listed(&text).is_err() {
            let message = "something answers that is no store of S3";
            return Err(Step::failed("endpoint", message, "look at endpoint, its port and its path"));
        }
        Ok(Step::fine("list", format!("the bucket {} is there, and opens", place.own().name())))
    }

    async fn put(&self, body: &'static [u8], more: &[(&'static str, String)]) -> Result<(), Failure> {
        let mut action = self.store.place.own().put_object(Some(&self.credentials), &self.name);
        let mut headers = vec![("content-type", "text/plain".to_owned())];
        headers.extend(more.iter().cloned());
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let sent = Sent::new(Method::PUT, action.sign(OWN_EXPIRY)).with(headers).body(Bytes::from_static(body));
        self.store.client.send(sent).await.map(drop)
    }

    async fn get(&self) -> Step {
        match self.read(&self.name).await {
            Ok(text) if text.as_bytes() == BODY => Step::fine("get", "it was read"),
            Ok(_) => {
                Step::failed("get", "what was written is not what is read", "is something between here and the store?")
            }
            Err(failure) => self.refused("get", "s3:GetObject", &failure),
        }
    }

    /// `onlyNew` over what is there.
    async fn conditions(&self) -> Step {
        match self.put(BODY, &[("if-none-match", "*".to_owned())]).await {
            Err(failure) if failure.told().is_some() => Step::fine("conditions", "onlyNew is held to"),
            Ok(()) => Step::warning(
                "conditions",
                "the store writes with If-None-Match: * over what is there",
                "onlyNew and conditions of logics are not held to in this store: do not rely on them",
            ),
            Err(failure) => Step::warning("conditions", failure.to_string(), "the store does not know If-None-Match"),
        }
    }

    /// A digest of other bytes. What a store refuses it must not have kept either.
    async fn digest(&self) -> Step {
        let refused = self.put(OTHER, &[("x-amz-checksum-sha256", checksum(BODY))]).await;
        let is_refused = match &refused {
            Ok(()) => false,
            Err(failure) if is_refusal(failure) => true,
            Err(failure) => return unclear("digest", failure),
        };
        let step = match (is_refused, self.read(&self.name).await) {
            (_, Err(failure)) => return unclear("digest", &failure),
            (true, Ok(text)) if text.as_bytes() == BODY => {
                Step::fine("digest", "bytes with another SHA-256 are refused")
            }
            (true, Ok(_)) => Step::warning(
                "digest",
                "the store refuses bytes that have another SHA-256 than was said, and has put them in the object's place all the same",
                "sha256 of upload_sign does not keep what was there before in this store: do not rely on it",
            ),
            (false, Ok(_)) => Step::warning(
                "digest",
                "the store takes bytes that have another SHA-256 than was said",
                "sha256 of upload_sign is not held to in this store: do not rely on it",
            ),
        };
        // What comes after it looks for these.
        match self.put(BODY, &[]).await {
            Ok(()) => step,
            Err(failure) => self.refused("put", "s3:PutObject", &failure),
        }
    }

    /// Whether a URL to put is for what is sent alone: with a header of its own, its holder could have an object copied that it may not read.
    async fn copies(&self) -> Step {
        let (place, name) = (&self.store.place, format!("{}-copy", self.name));
        let url = place.own().put_object(Some(&self.credentials), &name).sign(OWN_EXPIRY);
        let source = format!("/{}/{}", place.own().name(), utf8_percent_encode(&self.name, ESCAPED));
        let sent = Sent::new(Method::PUT, url).with(vec![("x-amz-copy-source", source)]).body(Bytes::new());
        let is_refused = match self.store.client.send(sent).await {
            Ok(_) => false,
            Err(failure) if is_refusal(&failure) => true,
            Err(failure) => return unclear("copies", &failure),
        };
        let is_copied = match self.read(&name).await {
            Ok(text) => text.as_bytes() == BODY,
            Err(failure) if is_refused && failure.is_missing() => false,
            Err(failure) => return unclear("copies", &failure),
        };
        let mut step = if is_copied {
            Step::warning(
                "copies",
                "the store takes headers that were not signed: who has a URL to put can have another object copied",
                "let only those put objects here who may read all of the bucket, or ask the store's maker for a version that refuses them",
            )
        } else {
            Step::fine("copies", "a URL to put copies nothing")
        };
        if let Err(failure) = self.remove(&name).await {
            step.message = format!("{}; {name} stays ({failure})", step.message);
        }
        step
    }

    /// What large objects need: an upload in parts, as far as it can be given up.
    async fn parts(&self) -> Step {
        let name = format!("{}-parts", self.name);
        let bucket = self.store.place.own();
        let begun = bucket.create_multipart_upload(Some(&self.credentials), &name).sign(OWN_EXPIRY);
        let begun = self.text(Sent::new(Method::POST, begun).body(Bytes::new())).await;
        let id = match begun.and_then(|text| answer::upload_id(&text)) {
            Ok(id) => id,
            Err(failure) => return self.refused("parts", "s3:PutObject", &failure),
        };
        let step = self.part(&name, &id).await;
        let url = bucket.abort_multipart_upload(Some(&self.credentials), &name, &id).sign(OWN_EXPIRY);
        match self.store.client.send(Sent::new(Method::DELETE, url)).await {
            Ok(_) => step,
            Err(failure) => {
                let mut step = self.refused("parts", "s3:AbortMultipartUpload", &failure);
                step.message = format!("{}; an upload to {name} stays that was not finished", step.message);
                step
            }
        }
    }

    /// One of them, which must then be there.
    async fn part(&self, name: &str, id: &str) -> Step {
        let bucket = self.store.place.own();
        let url = bucket.upload_part(Some(&self.credentials), name, 1, id).sign(OWN_EXPIRY);
        let sent = Sent::new(Method::PUT, url).body(Bytes::from_static(BODY));
        if let Err(failure) = self.store.client.send(sent).await {
            return self.refused("parts", "s3:PutObject", &failure);
        }
        let url = bucket.list_parts(Some(&self.credentials), name, id).sign(OWN_EXPIRY);
        let listed = self.text(Sent::new(Method::GET, url)).await;
        match listed.and_then(|text| answer::parts(&text)) {
            Ok(listed) if listed.parts.get(&1).is_some_and(|(size, _)| *size == BODY.len() as u64) => {
                Step::fine("parts", "an upload in parts was begun, and given up")
            }
            Ok(_) => Step::failed(
                "parts",
                "the store does not say which parts of an upload are there",
                "multipart_sign and multipart_complete do not work in this store",
            ),
            Err(failure) => self.refused("parts", "s3:ListMultipartUploadParts", &failure),
        }
    }

    async fn text(&self, sent: Sent) -> Result<String, Failure> {
        client::text(self.store.client.send(sent).await?).await
    }

    async fn read(&self, name: &str) -> Result<String, Failure> {
        let url = self.store.place.own().get_object(Some(&self.credentials), name).sign(OWN_EXPIRY);
        self.text(Sent::new(Method::GET, url)).await
    }

    async fn remove(&self, name: &str) -> Result<(), Failure> {
        let url = self.store.place.own().delete_object(Some(&self.credentials), name).sign(OWN_EXPIRY);
        self.store.client.send(Sent::new(Method::DELETE, url)).await.map(drop)
    }

    async fn delete(&self) -> Step {
        match self.remove(&self.name).await {
            Ok(()) => Step::fine("delete", "it was removed"),
            Err(failure) => {
                let mut step = self.refused("delete", "s3:DeleteObject", &failure);
                step.message = format!("{}; {} stays", step.message, self.name);
                step
            }
        }
    }

    /// What a browser asks before it puts an object from a page.
    async fn cors(&self, origins: &[String]) -> Step {
        let Some(origin) = origins.iter().find(|origin| *origin != "*") else {
            return Step::fine("cors", "no page of another origin may call this env: nothing to look at");
        };
        let mut url = self.store.place.own().object_url(&self.name);
        url.set_query(None);
        let headers = vec![
            ("origin", origin.clone()),
            ("access-control-request-method", "PUT".to_owned()),
            ("access-control-request-headers", "content-type".to_owned()),
        ];
        let answer = self.store.client.send(Sent::new(Method::OPTIONS, url).with(headers)).await;
        let allowed = answer.as_ref().ok().and_then(|answer| answer.headers().get("access-control-allow-origin"));
        match allowed.and_then(|allowed| allowed.to_str().ok()) {
            Some(allowed) if allowed == "*" || allowed == origin => {
                Step::fine("cors", format!("pages of {origin} may put objects"))
            }
            _ => Step::warning(
                "cors",
                format!("a browser may not put objects from pages of {origin}"),
                format!(
                    "allow it in the CORS rules of the store's bucket: AllowedOrigins [{origin}], AllowedMethods [GET, PUT], AllowedHeaders [*]"
                ),
            ),
        }
    }

    fn refused(&self, step: &'static str, permission: &str, failure: &Failure) -> Step {
        meaning(self.store, (step, permission), failure)
    }
}

/// Whether the store has understood what was asked, and does not do it.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { status: 400..=412, .. })
}

/// A store that is away, or does not answer in time, has refused nothing.
fn unclear(step: &'static str, failure: &Failure) -> Step {
    Step::warning(step, format!("it could not be found out: {failure}"), "try again, or look at the store's log")
}

/// What a failure at a step that needs a permission means.
pub(super) fn meaning(store: &Store, (step, permission): (&'static str, &str), failure: &Failure) -> Step {
    let (code, date) = match failure {
        Failure::Address(_) => {
            let hint = "open the network with storageAllowPrivate of the Bridge, or look at endpoint";
            return Step::failed("endpoint", failure.to_string(), hint);
        }
        Failure::Connection { reason, .. } => return unreached(failure, reason),
        Failure::Answer(_) => {
            return Step::failed("endpoint", failure.to_string(), "look at endpoint, its port and its path");
        }
        Failure::Refused { code, date, .. } => (code.as_str(), date.as_deref()),
    };
    let said = failure.to_string();
    if let Some(skew) = skew(date).filter(|skew| skew.abs() > SKEW_SECONDS_MAX) {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        let message = format!("the Bridge's clock is {} seconds {way} the store's ({said})", skew.abs());
        return Step::failed("clock", message, "set the clock of the Bridge's machine, for example by NTP");
    }
    coded(store, (step, permission), code, said)
}

/// What its code means.
fn coded(store: &Store, (step, permission): (&'static str, &str), code: &str, said: String) -> Step {
    let place = &store.place;
    let (bucket, names) = (place.own().name(), place.names());
    match code {
        "InvalidAccessKeyId" | "NotSignedUp" => {
            Step::failed("key", said, format!("the store knows no such key: stk secrets set {}", names.0))
        }
        "SignatureDoesNotMatch" => Step::failed(
            "secret",
            said,
            format!(
                "the key does not fit its id: stk secrets set {}. Where both fit, something between here and the store changes the host or the path",
                names.1
            ),
        ),
        "InvalidToken" | "ExpiredToken" | "TokenRefreshRequired" => {
            let name = names.2.as_deref().unwrap_or("and name it as sessionToken");
            Step::failed(
                "token",
                said,
                format!("the key needs a token of a session that has not ended: stk secrets set {name}"),
            )
        }
        "RequestTimeTooSkewed" => Step::failed("clock", said, "set the clock of the Bridge's machine"),
        "NoSuchBucket" | "InvalidBucketName" => Step::failed(
            "bucket",
            said,
            format!("make the bucket {bucket} in the store, or look at bucket and pathStyle"),
        ),
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "AuthorizationQueryParametersError"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException" => {
            let region = place.own().region();
            Step::failed(
                "region",
                said,
                format!("the bucket is in another region than {region}, or endpoint is of another one"),
            )
        }
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Step::failed(
            step,
            said,
            format!("the key may not do this: give it {permission} on {bucket}/{}*", place.prefix()),
        ),
        "" | "MethodNotAllowed" => Step::failed(
            "endpoint",
            said,
            "something answers that is no store of S3, or not at this place: look at endpoint and pathStyle",
        ),
        _ => Step::failed(step, said, "the store's documentation has its codes"),
    }
}

/// No answer at all.
fn unreached(failure: &Failure, reason: &str) -> Step {
    let lower = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let said = failure.to_string();
    if has(&["lookup", "name or service", "no such host", "resolve", "nodename"]) {
        return Step::failed(
            "name",
            said,
            "nobody knows this host: look at endpoint; with pathStyle: true the bucket is no part of the host's name",
        );
    }
    if has(&["certificate", "tls", "handshake", "unknownissuer", "corrupt message"]) {
        return Step::failed(
            "tls",
            said,
            "its certificate is not trusted, not for this name, or it speaks no TLS: egressCaFile of the Bridge trusts an authority of your own",
        );
    }
    Step::failed(
        "connection",
        said,
        "is the store running, and the port of endpoint right? Does a firewall let the Bridge through?",
    )
}

/// By how many seconds this clock is ahead.
fn skew(date: Option<&str>) -> Option<i64> {
    let theirs: DateTime<Utc> = httpdate::parse_http_date(date?).ok()?.into();
    Some((Utc::now() - theirs).num_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::s3::tests::{SECRETS, store};

    /// Each code of a store is what to do about it.
    #[test]
    fn what_a_store_says_is_said_in_words() {
        let store = store(|place| place.session_token = Some("S3_TOKEN".to_owned()), &SECRETS);
        let refused = |code: &str, date: Option<&str>| Failure::Refused {
            status: 403,
            code: code.to_owned(),
            message: "of the store".to_owned(),
            date: date.map(str::to_owned),
        };
        for (failure, step, words) in [
            (refused("InvalidAccessKeyId", None), "key", "stk secrets set S3_ID"),
            (refused("SignatureDoesNotMatch", None), "secret", "stk secrets set S3_SECRET"),
            (refused("ExpiredToken", None), "token", "stk secrets set S3_TOKEN"),
            (refused("NoSuchBucket", None), "bucket", "make the bucket shop-prod"),
            (refused("PermanentRedirect", None), "region", "another region than eu-central-1"),
            (refused("AuthorizationHeaderMalformed", None), "region", "another region"),
            (refused("AccessDenied", None), "put", "s3:PutObject on shop-prod/"),
            (refused("RequestTimeTooSkewed", None), "clock", "set the clock"),
            (refused("AccessDenied", Some("Thu, 01 Jan 2015 00:00:00 GMT")), "clock", "set the clock"),
            (refused("", None), "endpoint", "no store of S3"),
            (refused("SomethingNew", None), "put", "documentation"),
            (Failure::Address("https://10.0.0.1".to_owned()), "endpoint", "storageAllowPrivate"),
            (Failure::Answer("no list".to_owned()), "endpoint", "look at endpoint"),
        ] {
            let told = meaning(&store, ("put", "s3:PutObject"), &failure);
            assert!(told.step == step && told.hint.contains(words), "{failure}: {told:?}");
        }
        for (reason, step) in [
            ("failed to lookup address information: Name or service not known", "name"),
            ("invalid peer certificate: UnknownIssuer", "tls"),
            ("received corrupt message of type InvalidContentType", "tls"),
            ("Connection refused (os error 111)", "connection"),
            ("operation timed out", "connection"),
        ] {
            let failure = Failure::Connection { host: "https://a".to_owned(), reason: reason.to_owned() };
            assert_eq!(meaning(&store, ("put", ""), &failure).step, step, "{reason}");
        }
    }
}
