//! What an answer says before its body: the status of a code, how long to wait, and which request it is of. What stands in a body is a matter of
//! the planes.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use santokit_core::{
    code::Code,
    id::{Kind, is_acceptable_request_id},
};

/// Names the request; kept where the client sent a valid one.
pub const REQUEST_ID: &str = "x-request-id";

/// The status of a code. There is no other such table.
pub const fn status(code: Code) -> StatusCode {
    match code {
        Code::BadRequest | Code::SchemaValidationFailed => StatusCode::BAD_REQUEST,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Code::LogicError => StatusCode::UNPROCESSABLE_ENTITY,
        Code::LogicFailed | Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Conflict
        | Code::SchemaDrift
        | Code::DestructiveChange
        | Code::GrantsWidened
        | Code::ReleaseBlocked
        | Code::IncompatibleBridge => StatusCode::CONFLICT,
    }
}

/// For `Retry-After`, rounded up: who comes back after that long is not too early.
pub fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
}

/// The id that the client sent, where that is one, or a new one.
pub fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    sent.filter(|text| is_acceptable_request_id(text)).map_or_else(|| Kind::Request.generate(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_the_contract() {
        let statuses: Vec<String> = Code::ALL.iter().map(|code| format!("{code} {}", status(*code).as_u16())).collect();
        assert_eq!(
            statuses,
            [
                "BAD_REQUEST 400",
                "SCHEMA_VALIDATION_FAILED 400",
                "UNAUTHORIZED 401",
                "FORBIDDEN 403",
                "NOT_FOUND 404",
                "CONFLICT 409",
                "TOO_MANY_REQUESTS 429",
                "LOGIC_ERROR 422",
                "LOGIC_FAILED 500",
                "INTERNAL_ERROR 500",
                "SERVICE_UNAVAILABLE 503",
                "SCHEMA_DRIFT 409",
                "DESTRUCTIVE_CHANGE 409",
                "GRANTS_WIDENED 409",
                "RELEASE_BLOCKED 409",
                "INCOMPATIBLE_BRIDGE 409",
            ]
        );
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (999, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            assert_eq!(retry_after(Duration::from_millis(millis)), seconds);
        }
        assert_eq!(retry_after(Duration::MAX), u64::MAX.to_string().as_str());
    }

    #[test]
    fn an_id_is_kept_where_it_is_one() {
        let mut headers = HeaderMap::new();
        assert!(Kind::Request.is_valid(&request_id(&headers)));
        for (sent, is_kept) in [("abc-1", true), ("a b", false), ("", false), ("\u{e9}", false)] {
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(sent.as_bytes()).unwrap());
            assert_eq!(request_id(&headers) == sent, is_kept, "{sent}");
        }
    }
}
