//! Names at the broker: a stream for each env and connection, a subject and a consumer for each subscription. Several projects, and several fleets,
//! share a broker: whatever a project, env, connection or subscription is called, it reaches nothing of another's.

use santokit_core::release::Digest;

/// Digits of a name that keep two streams apart whose readable parts run together.
const DIGITS: usize = 16;

/// Of an env's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    stream: String,
    /// Before a subscription.
    subject: String,
}

impl Names {
    pub(super) fn of(prefix: &str, (project, env): (&str, &str), connection: &str) -> Self {
        let tokens = [project, env, connection].map(token);
        let whole = Digest::of(format!("{project}\0{env}\0{connection}").as_bytes()).to_string();
        let digits = whole.rsplit(':').next().and_then(|digits| digits.get(..DIGITS)).unwrap_or_default();
        Self {
            stream: format!("{prefix}-{}-{digits}", tokens.join("-")),
            subject: format!("{prefix}.{}", tokens.join(".")),
        }
    }

    /// The stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// All of its subjects.
    pub fn all(&self) -> String {
        format!("{}.*", self.subject)
    }

    /// Of a subscription.
    pub fn subject(&self, subscription: &str) -> String {
        format!("{}.{}", self.subject, token(subscription))
    }

    /// Of a subscription.
    pub fn consumer(&self, subscription: &str) -> String {
        token(subscription)
    }
}

/// One part of a name: what means something to the broker, or to a file system, is written in digits. Two names are never one part.
fn token(name: &str) -> String {
    use std::fmt::Write as _;

    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(token, "={byte:02X}");
        }
    }
    if token.is_empty() { "=".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_reaches_anothers_stream_or_subject() {
        let hostile =
            ["a", "a.b", "*", ">", "a.>", "", " ", "a b", "a\nb", "../a", "$JS", "a-b", "b", "=", "=2E", "é", "A"];
        let (mut streams, mut subjects) = (BTreeSet::new(), BTreeSet::new());
        for project in hostile {
            for env in hostile {
                let names = Names::of("stk", (project, env), "main");
                assert!(streams.insert(names.stream().to_owned()), "{project:?} {env:?}");
                let is_plain =
                    |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
                assert!(is_plain(names.stream()), "{}", names.stream());
                for subscription in hostile {
                    let subject = names.subject(subscription);
                    assert!(is_plain(&names.consumer(subscription)), "{subscription:?}");
                    let parts: Vec<&str> = subject.split('.').collect();
                    assert!(
                        parts.len() == 5 && parts.iter().all(|part| !part.is_empty() && is_plain(part)),
                        "{subject}"
                    );
                    assert_eq!(format!("{}.*", parts[..4].join(".")), names.all());
                    assert!(subjects.insert(subject), "{project:?} {env:?} {subscription:?}");
                }
            }
        }
        assert_ne!(Names::of("stk", ("a-b", "c"), "m").stream(), Names::of("stk", ("a", "b-c"), "m").stream());
        assert_ne!(Names::of("one", ("a", "b"), "m"), Names::of("two", ("a", "b"), "m"));
        // The longest that there are.
        let long = "x".repeat(40);
        assert!(Names::of(&"p".repeat(32), (&long, &long), &long).stream().len() < 255);
    }
}
