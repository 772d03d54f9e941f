//! Hands events to an HTTPS endpoint, signed as Standard Webhooks says. Which endpoint and which secrets follow from the name that the project gave
//! this logic; when it is tried again, and how often, is the subscription's matter.
//!
//! It must not tell anybody what the endpoint answers: that text is a stranger's.

mod signature;

use std::time::Duration;

use santokit_guest::prelude::*;
use serde_json::value::RawValue;

use signature::Secret;

/// As long as the standard asks receivers to need at most.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is sent: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-structure>.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: &'a str,
    data: &'a RawValue,
}

fn on_event(event: events::Event, payload: Box<RawValue>) -> Result<(), LogicError> {
    let name = own_name(&context::invocation().logic);
    let url = config::require(&format!("{name}_url"))?;
    let secrets = secrets::get(&format!("{}_SECRET", name.to_uppercase()))?;
    let secrets = Secret::all(&secrets).map_err(|why| LogicError::new("WEBHOOK_SECRET", why))?;

    let message = Message { kind: &event.topic, timestamp: &event.published_at, data: &payload };
    let body = serde_json::to_vec(&message).map_err(|error| LogicError::new("WEBHOOK_PAYLOAD", error.to_string()))?;
    // Of this attempt: a receiver refuses what is old, so that nobody can send it again later.
    let seconds = clock::now().unix_millis() / 1000;
    let answer = http::post(&url)
        .header("content-type", "application/json")
        .header("webhook-id", &event.id)
        .header("webhook-timestamp", &seconds.to_string())
        .header("webhook-signature", &signature::header(&secrets, &event.id, seconds, &body))
        .body(body)
        .timeout(TIMEOUT)
        .without_redirects()
        .send()?;
    taken(answer.status(), answer.header("retry-after"))
}

/// What becomes of the attempt.
fn taken(status: u16, retry_after: Option<&str>) -> Result<(), LogicError> {
    match refusal(status) {
        None => Ok(()),
        Some((code, message)) => Err(LogicError::new(code, format!("{message} (status {status})"))
            .details(json!({"status": status, "retryAfter": retry_after.and_then(seconds)}))),
    }
}

/// Why an event is not taken. Only a status of success says that the endpoint has it.
fn refusal(status: u16) -> Option<(&'static str, &'static str)> {
    match status {
        200..=299 => None,
        300..=399 => Some(("WEBHOOK_REDIRECTED", "the endpoint is elsewhere: a redirect is not followed, set its URL")),
        410 => Some(("WEBHOOK_GONE", "the endpoint wants no more events: take the subscription away")),
        _ => Some(("WEBHOOK_REFUSED", "the endpoint did not take the event")),
    }
}

/// Seconds or nothing: a date, or other words of the endpoint, are not repeated.
fn seconds(retry_after: &str) -> Option<u32> {
    retry_after.trim().parse().ok()
}

/// The last part of the logic's name, as names of configuration values and secrets can be: `hooks/crm-eu` is `crm_eu`.
fn own_name(logic: &str) -> String {
    logic.rsplit('/').next().unwrap_or(logic).replace('-', "_")
}

santokit_guest::on_event!(on_event);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_success() {
        let code = |status| refusal(status).map_or("", |(code, _)| code);
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(code(status), "", "{status}");
        }
        assert_eq!((code(301), code(308), code(410)), ("WEBHOOK_REDIRECTED", "WEBHOOK_REDIRECTED", "WEBHOOK_GONE"));
        for status in [100, 199, 400, 401, 404, 429, 500, 503, 599, 0] {
            assert_eq!(code(status), "WEBHOOK_REFUSED", "{status}");
        }
    }

    #[test]
    fn what_an_endpoint_says_is_repeated_as_a_number_or_not_at_all() {
        assert_eq!(seconds(" 120 "), Some(120));
        for text in ["<script>", "", "-1", "99999999999", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_those_of_the_logic() {
        for (logic, name) in [("webhook", "webhook"), ("hooks/crm-eu", "crm_eu"), ("a/b/c_d", "c_d")] {
            assert_eq!(own_name(logic), name);
        }
    }
}
