//! What names may look like. Names reach SQL identifiers, URLs, file paths and metric labels: one rule for each kind.

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
}

impl NameError {
    /// The same rule for another kind of name.
    #[must_use]
    pub fn of(self, what: &'static str) -> Self {
        Self { what, ..self }
    }
}

/// Project, env, connection, topic, job and bucket names: lower case, digits, `_` and `-`, from a letter, up to 40.
pub fn check_label(what: &'static str, text: &str) -> Result<(), NameError> {
    let rule = "1 to 40 of a-z, 0-9, _ and -, beginning with a letter";
    let ok = text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if ok { Ok(()) } else { Err(NameError { what, rule }) }
}

/// Table, column and parameter names: the customer's own spelling, 1 to 63 of letters, digits and `_`, not from a digit.
/// Names that begin with `stk_` are the platform's own.
pub fn check_identifier(what: &'static str, text: &str) -> Result<(), NameError> {
    let rule = "1 to 63 of a-z, A-Z, 0-9 and _, not beginning with a digit or stk_";
    let ok = (1..=63).contains(&text.len())
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.to_ascii_lowercase().starts_with("stk_")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if ok { Ok(()) } else { Err(NameError { what, rule }) }
}

/// Logic and query names: labels joined by `/`, up to 100 characters, for example `pricing/quote`.
pub fn check_logic(text: &str) -> Result<(), NameError> {
    let rule = "parts of a-z, 0-9, _ and - joined by /, each beginning with a letter, 100 characters at most";
    let ok = text.len() <= 100 && text.split('/').all(|part| check_label("part", part).is_ok());
    if ok { Ok(()) } else { Err(NameError { what: "a logic name", rule }) }
}

/// Names of secrets: upper case, digits and `_`, from a letter, up to 64.
pub fn check_secret(text: &str) -> Result<(), NameError> {
    let rule = "1 to 64 of A-Z, 0-9 and _, beginning with a letter";
    let ok = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if ok { Ok(()) } else { Err(NameError { what: "a secret's name", rule }) }
}

/// Roles: letters, digits, `_` and `-`, from a letter, up to 63.
pub fn check_role(text: &str) -> Result<(), NameError> {
    let rule = "1 to 63 of a-z, A-Z, 0-9, _ and -, beginning with a letter";
    let ok = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if ok { Ok(()) } else { Err(NameError { what: "a role", rule }) }
}

/// The known name that is nearest to an unknown one, for "did you mean". None where nothing is near.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&unknown.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len().max(unknown.len()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logic_names_cannot_leave_their_folder() {
        assert!(check_logic("pricing/quote").is_ok());
        for bad in ["", "/", "a/", "../a", "a//b", "A", "a b", "a/../b", "1a"] {
            assert!(check_logic(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_platform_keeps_its_own_prefix() {
        assert!(check_identifier("a table name", "orders").is_ok());
        assert!(check_identifier("a table name", "STK_outbox").is_err());
        assert!(check_identifier("a table name", "x\"; drop").is_err());
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("colum", ["columns", "indexes"]), Some("columns"));
        assert_eq!(nearest("zzz", ["columns", "indexes"]), None);
    }
}
