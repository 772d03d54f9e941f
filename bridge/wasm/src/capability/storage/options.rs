//! The options of `santokit:storage`: pairs of texts, of which every one means something or is refused.

use santokit_core::release::Digest;

use crate::{
    host::{Condition, PutOptions, StorageError, UrlAsked, UrlDeed},
    told::ToldName,
};

const ETAG_BYTES_MAX: usize = 200;
const CONTENT_TYPE_BYTES_MAX: usize = 255;
const SAVE_AS_BYTES_MAX: usize = 800;
/// Of a digest as it is written.
const DIGEST_BYTES: usize = 64;

type Pairs = Vec<(String, String)>;

/// Of `put` and `create`.
pub(super) fn of_put(pairs: Pairs) -> Result<PutOptions, StorageError> {
    let mut options = PutOptions::default();
    for (name, value) in once_each(pairs)? {
        match name.as_str() {
            "content-type" => options.content_type = Some(content_type(value)?),
            "if-none-match" if value == "*" => options.condition = condition(&options.condition, Condition::Absent)?,
            "if-none-match" => return Err(invalid("if-none-match is * here: only where there is no object")),
            "if-match" => options.condition = condition(&options.condition, Condition::Is(etag(value)?))?,
            "sha-256" => options.digest = Some(digest(&value)?),
            _ => return Err(unknown(&name)),
        }
    }
    Ok(options)
}

/// Of `remove`.
pub(super) fn of_remove(pairs: Pairs) -> Result<Condition, StorageError> {
    let mut asked = Condition::None;
    for (name, value) in once_each(pairs)? {
        match name.as_str() {
            "if-match" => asked = Condition::Is(etag(value)?),
            _ => return Err(unknown(&name)),
        }
    }
    Ok(asked)
}

/// Of `presign-get`.
pub(super) fn of_get_url(pairs: Pairs) -> Result<UrlAsked, StorageError> {
    let (mut save_as, mut expires_in) = (None, None);
    for (name, value) in once_each(pairs)? {
        match name.as_str() {
            "expires-in" => expires_in = Some(number(&value, "expires-in")?),
            "save-as" if value.len() <= SAVE_AS_BYTES_MAX => save_as = Some(value),
            "save-as" => return Err(invalid("save-as is too long")),
            _ => return Err(unknown(&name)),
        }
    }
    Ok(UrlAsked { deed: UrlDeed::Get { save_as }, expires_in })
}

/// Of `presign-put`.
pub(super) fn of_put_url(pairs: Pairs) -> Result<UrlAsked, StorageError> {
    let (mut size, mut kind, mut sum, mut is_new, mut expires_in) = (None, None, None, false, None);
    for (name, value) in once_each(pairs)? {
        match name.as_str() {
            "expires-in" => expires_in = Some(number(&value, "expires-in")?),
            "size" => size = Some(number(&value, "size")?),
            "content-type" => kind = Some(content_type(value)?),
            "sha-256" => sum = Some(digest(&value)?),
            "if-none-match" if value == "*" => is_new = true,
            "if-none-match" => return Err(invalid("if-none-match is * here: only where there is no object")),
            _ => return Err(unknown(&name)),
        }
    }
    Ok(UrlAsked { deed: UrlDeed::Put { size, content_type: kind, digest: sum, is_new }, expires_in })
}

fn number<T: std::str::FromStr>(text: &str, name: &str) -> Result<T, StorageError> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|_| is_plain);
    read.ok_or_else(|| StorageError::Invalid(format!("{name} is a whole number")))
}

fn once_each(pairs: Pairs) -> Result<Pairs, StorageError> {
    for (at, (name, _)) in pairs.iter().enumerate().take(10) {
        if pairs[..at].iter().any(|(before, _)| before == name) {
            return Err(invalid("an option stands twice"));
        }
    }
    if pairs.len() > 10 { Err(invalid("more than 10 options")) } else { Ok(pairs) }
}

fn condition(before: &Condition, asked: Condition) -> Result<Condition, StorageError> {
    match before {
        Condition::None => Ok(asked),
        Condition::Absent | Condition::Is(_) => Err(invalid("if-match and if-none-match contradict each other")),
    }
}

fn etag(text: String) -> Result<String, StorageError> {
    let is_fine = !text.is_empty() && text.len() <= ETAG_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_fine { Ok(text) } else { Err(invalid("if-match is the etag of an object")) }
}

/// `type/subtype`, and parameters; what could end a header is not in it.
fn content_type(text: String) -> Result<String, StorageError> {
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let has_form =
        essence.split_once('/').is_some_and(|(kind, rest)| is_token(kind) && is_token(rest) && !rest.contains('/'));
    let is_printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if has_form && is_printable && text.len() <= CONTENT_TYPE_BYTES_MAX {
        return Ok(text);
    }
    Err(invalid("content-type is written as type/subtype, as in image/png"))
}

fn digest(text: &str) -> Result<Digest, StorageError> {
    let wrong = || invalid("sha-256 is 64 characters of hex");
    // Looked at before anything is made of it: it may be as large as the guest.
    if text.len() != DIGEST_BYTES {
        return Err(wrong());
    }
    Digest::parse(&format!("sha256:{}", text.to_ascii_lowercase())).map_err(|_| wrong())
}

fn unknown(name: &str) -> StorageError {
    StorageError::Invalid(format!("unknown option {}", ToldName(name)))
}

fn invalid(message: &str) -> StorageError {
    StorageError::Invalid(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(pairs: &[(&str, &str)]) -> Result<PutOptions, StorageError> {
        of_put(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn options_are_read() {
        let zeros = "0".repeat(64);
        let read = put(&[("content-type", "text/plain; charset=utf-8"), ("if-match", "abc"), ("sha-256", &zeros)]);
        let expected = PutOptions {
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            condition: Condition::Is("abc".to_owned()),
            digest: Some(Digest::parse(&format!("sha256:{zeros}")).unwrap()),
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(put(&[("if-none-match", "*")]).map(|read| read.condition), Ok(Condition::Absent));
        assert_eq!(of_remove(Vec::new()), Ok(Condition::None));
    }

    #[test]
    fn what_a_url_is_for_is_read_and_nothing_else() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Pairs>()
        };
        let get = of_get_url(pairs(&[("expires-in", "60"), ("save-as", "a.pdf")])).unwrap();
        assert_eq!(get, UrlAsked { deed: UrlDeed::Get { save_as: Some("a.pdf".to_owned()) }, expires_in: Some(60) });
        let put = of_put_url(pairs(&[("size", "9"), ("content-type", "a/b"), ("if-none-match", "*")])).unwrap();
        let deed = UrlDeed::Put { size: Some(9), content_type: Some("a/b".to_owned()), digest: None, is_new: true };
        assert_eq!(put, UrlAsked { deed, expires_in: None });
        for bad in [("size", "9"), ("expires-in", "-1"), ("expires-in", ""), ("expires-in", "99999999999"), ("x", "y")]
        {
            assert!(matches!(of_get_url(pairs(&[bad])), Err(StorageError::Invalid(_))), "{bad:?}");
        }
        for bad in [("save-as", "a"), ("size", "+9"), ("size", "1e3"), ("if-none-match", "a"), ("if-match", "a")] {
            assert!(matches!(of_put_url(pairs(&[bad])), Err(StorageError::Invalid(_))), "{bad:?}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for pairs in [
            &[("content-typ", "a/b")][..],
            &[("content-type", "a")],
            &[("content-type", "")],
            &[("content-type", "a/b\r\nset-cookie: x")],
            &[("content-type", "a/b/c")],
            &[("content-type", "text/é")],
            &[("if-none-match", "abc")],
            &[("if-none-match", "*"), ("if-match", "a")],
            &[("if-match", "")],
            &[("if-match", "a"), ("if-match", "b")],
            &[("sha-256", "0")],
            &[("sha-256", &"g".repeat(64))],
            &[("sha-256", &"é".repeat(32))],
            &[("sha-256", &format!("+{}", "0".repeat(63)))],
        ] {
            assert!(matches!(put(pairs), Err(StorageError::Invalid(_))), "{pairs:?}");
        }
        assert!(of_remove(vec![("content-type".to_owned(), "a/b".to_owned())]).is_err());
    }
}
