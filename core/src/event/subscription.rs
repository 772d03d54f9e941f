//! Subscriptions: which logic is given the events of a topic, which of them, how often they are tried, and in what order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventsError, Topic};
use crate::{access::filter::Filter, limit::InvocationLimits, quantity::Millis, schema::Type};

/// Subscriptions of one topic.
pub const SUBSCRIPTIONS_MAX: usize = 50;

/// Retries of one event.
pub const RETRIES_MAX: u32 = 10;

/// The longest time between two attempts.
pub const BACKOFF_MAX: Millis = Millis(24 * 60 * 60 * 1_000);

/// Events that one subscription handles at once, over all Bridges.
pub const CONCURRENCY_MAX: u32 = 100;

/// The same where nothing is said.
pub const CONCURRENCY: u32 = 4;

/// How long an attempt may take where nothing is said.
pub const TIMEOUT: Millis = Millis(30_000);

/// Who is given the events of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscription {
    /// The topic's name.
    pub topic: String,
    /// The logic's name.
    pub handler: String,
    /// CEL on `event.payload`: which events; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How often an event is tried.
    pub retry: Retry,
    /// Whether what was tried in vain is kept.
    pub dead_letter: bool,
    /// Events at once, over all Bridges.
    pub concurrency: u32,
    /// A field of the payload: events of one value are handled in the order in which they were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// How long an attempt may take; the logic's own timeout holds beside it.
    pub timeout: Millis,
}

/// Codes after which an event is not tried again.
const NEVER_MAX: usize = 50;

/// Bytes of such a code.
const CODE_MAX: usize = 100;

/// How often an event is tried, and when again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Attempts after the first.
    pub max_retries: u32,
    /// Before the second attempt; it doubles with each further one.
    pub min_backoff: Millis,
    /// The longest.
    pub max_backoff: Millis,
    /// Codes of failures after which it is not tried again: the handler's own, or those of the catalogue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_retries: 3, min_backoff: Millis(1_000), max_backoff: Millis(60_000), never: Vec::new() }
    }
}

impl Subscription {
    /// Whether it can be meant, of a topic.
    pub fn check(&self, name: &str, topic: Option<&Topic>) -> Result<(), EventsError> {
        let wrong = |what: String| EventsError::Subscription { subscription: name.to_owned(), what };
        let topic = topic.ok_or_else(|| wrong(format!("there is no topic {:?}", self.topic)))?;
        self.retry.check().map_err(&wrong)?;
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            return Err(wrong(format!("concurrency is 1 to {CONCURRENCY_MAX}")));
        }
        if !is_timeout(self.timeout) {
            return Err(wrong(format!("an attempt takes 1ms to {}", InvocationLimits::ceiling().timeout)));
        }
        if let Some(field) = &self.order_by {
            let field = topic.fields.iter().find(|known| known.name == *field);
            if !field.is_some_and(|field| is_order(field.kind)) {
                return Err(wrong("orderBy is no field of the payload that has an order".to_owned()));
            }
        }
        if let Some(source) = &self.filter {
            let filter = Filter::parse(source).map_err(|error| wrong(format!("filter: {error}")))?;
            let is_unknown = |name: &&String| !topic.fields.iter().any(|field| field.name == **name);
            if let Some(field) = filter.fields().iter().find(is_unknown) {
                return Err(wrong(format!("filter reads event.payload.{field}, which no payload has")));
            }
        }
        Ok(())
    }
}

impl Retry {
    /// Whether it can be meant; why not.
    pub fn check(&self) -> Result<(), String> {
        if self.max_retries > RETRIES_MAX {
            return Err(format!("an event is tried again at most {RETRIES_MAX} times"));
        }
        if self.min_backoff == Millis(0) || self.min_backoff > self.max_backoff || self.max_backoff > BACKOFF_MAX {
            return Err(format!("minBackoff is 1ms or more, and at most maxBackoff, which is at most {BACKOFF_MAX}"));
        }
        if self.never.len() > NEVER_MAX || self.never.iter().any(|code| !(1..=CODE_MAX).contains(&code.len())) {
            return Err(format!("never has at most {NEVER_MAX} codes, each of 1 to {CODE_MAX} bytes"));
        }
        Ok(())
    }
}

/// Whether an attempt can be allowed so long.
pub fn is_timeout(timeout: Millis) -> bool {
    timeout > Millis(0) && timeout <= InvocationLimits::ceiling().timeout
}

/// Whether events can be ordered by a field of a type: it has one value, which can be compared.
pub fn is_order(kind: Type) -> bool {
    !matches!(kind, Type::Json | Type::Array | Type::Bytes | Type::File | Type::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{param::Param, schema::Bounds};

    fn topic() -> Topic {
        let field = |name: &str, kind: Type| Param {
            name: name.to_owned(),
            kind,
            required: false,
            default: None,
            items: None,
            bounds: Bounds::NONE,
        };
        let fields = vec![field("order", Type::String), field("any", Type::Json)];
        Topic { description: None, fields, retention: super::super::RETENTION }
    }

    fn subscription() -> Subscription {
        Subscription {
            topic: "placed".to_owned(),
            handler: "bill".to_owned(),
            filter: Some("event.payload.order != 'o1'".to_owned()),
            retry: Retry::default(),
            dead_letter: true,
            concurrency: CONCURRENCY,
            order_by: Some("order".to_owned()),
            timeout: TIMEOUT,
        }
    }

    #[test]
    fn a_manifest_cannot_say_what_no_file_can() {
        let good = subscription();
        assert_eq!(good.check("a", Some(&topic())), Ok(()));
        assert!(good.check("a", None).is_err());
        let retry = |retry: Retry| Subscription { retry, ..subscription() };
        let filter = |filter: &str| Subscription { filter: Some(filter.to_owned()), ..subscription() };
        for bad in [
            retry(Retry { max_retries: RETRIES_MAX + 1, ..Retry::default() }),
            retry(Retry { min_backoff: Millis(0), ..Retry::default() }),
            retry(Retry { max_backoff: Millis(999), ..Retry::default() }),
            retry(Retry { max_backoff: Millis(BACKOFF_MAX.0 + 1), ..Retry::default() }),
            retry(Retry { never: vec![String::new()], ..Retry::default() }),
            retry(Retry { never: vec!["A".repeat(CODE_MAX + 1)], ..Retry::default() }),
            retry(Retry { never: vec!["A".to_owned(); NEVER_MAX + 1], ..Retry::default() }),
            Subscription { concurrency: 0, ..subscription() },
            Subscription { concurrency: CONCURRENCY_MAX + 1, ..subscription() },
            Subscription { timeout: Millis(0), ..subscription() },
            Subscription { timeout: Millis(300_001), ..subscription() },
            Subscription { order_by: Some("any".to_owned()), ..subscription() },
            Subscription { order_by: Some("none".to_owned()), ..subscription() },
            filter("event.payload.none == 1"),
            filter("event.payload.order =="),
            filter("request.auth.sub == 'a'"),
        ] {
            assert!(bad.check("a", Some(&topic())).is_err(), "{bad:?}");
        }
    }
}
