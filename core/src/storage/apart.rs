//! Whether two places in stores can be one, for some names of envs and projects: a release is for all of them, and what may be done with an object is
//! said once.

use std::net::Ipv6Addr;

use super::place::{ENV, PROJECT, PlaceError, S3Place};

/// Of AWS a bucket has one name in all regions.
const AWS: &str = ".amazonaws.com";

/// A piece of a name, as it is said for all envs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// The first of a name that stands there: a small letter.
    First,
    /// What follows it, if anything.
    Rest,
    /// The same name of a project on both sides.
    Project,
}

impl Piece {
    /// Whether it can be one of a name after its first character.
    fn is_label(self) -> bool {
        match self {
            Piece::Char(one) => one.is_ascii_lowercase() || one.is_ascii_digit() || matches!(one, '_' | '-'),
            Piece::First | Piece::Rest | Piece::Project => true,
        }
    }

    fn is_first(self) -> bool {
        match self {
            Piece::Char(one) => one.is_ascii_lowercase(),
            Piece::First | Piece::Rest | Piece::Project => true,
        }
    }

    /// Of two that are each one character.
    fn can_be(self, other: Self) -> bool {
        match (self, other) {
            (Piece::First, other) | (other, Piece::First) => other.is_first(),
            (one, other) => one == other,
        }
    }
}

impl S3Place {
    /// Whether objects of the one could be objects of the other, in the same env or in another one.
    pub fn overlaps(&self, other: &Self) -> bool {
        let is_of_both = [self, other]
            .iter()
            .all(|place| [place.bucket.as_str(), place.prefix_or_default()].iter().any(|text| text.contains(PROJECT)));
        store(&self.endpoint()) == store(&other.endpoint())
            && can_be(&pieces(&self.bucket, is_of_both), &pieces(&other.bucket, is_of_both))
            && nests(self.prefix_or_default(), other.prefix_or_default(), is_of_both)
    }

    /// The place of an env.
    pub fn filled(&self, project: &str, env: &str) -> Result<Filled, PlaceError> {
        let (bucket, prefix) = (self.bucket_of(project, env)?, self.prefix_of(project, env));
        Ok(Filled { store: store(&self.endpoint()), bucket, prefix })
    }
}

/// A place of one env.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    store: String,
    bucket: String,
    prefix: String,
}

impl Filled {
    /// Whether objects of the one are objects of the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.bucket == other.bucket
            && self.store == other.store
            && (self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix))
    }
}

/// Whether one prefix can be the beginning of the other: names that are filled in have no slash, so it is looked at segment by segment.
fn nests(one: &str, other: &str, is_of_both: bool) -> bool {
    let segments = |text: &str| -> Vec<Vec<Piece>> {
        text.split('/').filter(|segment| !segment.is_empty()).map(|segment| pieces(segment, is_of_both)).collect()
    };
    segments(one).iter().zip(&segments(other)).all(|(one, other)| can_be(one, other))
}

fn pieces(text: &str, is_of_both: bool) -> Vec<Piece> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(next) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(ENV) {
            pieces.extend([Piece::First, Piece::Rest]);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(PROJECT) {
            pieces.extend(if is_of_both { &[Piece::Project][..] } else { &[Piece::First, Piece::Rest] });
            rest = after;
        } else {
            pieces.push(Piece::Char(next));
            rest = &rest[next.len_utf8()..];
        }
    }
    pieces
}

/// Whether a name can be both.
fn can_be(one: &[Piece], other: &[Piece]) -> bool {
    // From the end: whether what is left of the one from `at` on, and of the other from each place on, can be the same.
    let mut after = vec![false; other.len() + 1];
    for at in (0..=one.len()).rev() {
        let mut now = vec![false; other.len() + 1];
        for to in (0..=other.len()).rev() {
            let (mine, theirs) = (one.get(at).copied(), other.get(to).copied());
            let ends = mine == Some(Piece::Rest) && after[to];
            let ends = ends || (theirs == Some(Piece::Rest) && now[to + 1]);
            now[to] = ends
                || match (mine, theirs) {
                    (None, None) => true,
                    (None, _) | (_, None) | (Some(Piece::Rest), Some(Piece::Rest)) => false,
                    (Some(Piece::Rest), Some(piece)) => piece.is_label() && now[to + 1],
                    (Some(piece), Some(Piece::Rest)) => piece.is_label() && after[to],
                    (Some(mine), Some(theirs)) => mine.can_be(theirs) && after[to + 1],
                };
        }
        after = now;
    }
    after[0]
}

/// A store, however its endpoint is written. Of the port that each scheme has by default it is not said which one it is: a store answers at both.
fn store(endpoint: &str) -> String {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://")).unwrap_or(endpoint);
    let default = if endpoint.starts_with("https://") { "443" } else { "80" };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port.trim_start_matches('0')),
        _ => (authority, ""),
    };
    let port = if port == default { "" } else { port };
    let host = host.trim_end_matches('.');
    if host.ends_with(AWS) {
        return AWS.to_owned();
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = address.and_then(|address| address.parse::<Ipv6Addr>().ok());
    let host = address.map_or_else(|| host.to_owned(), |address| address.to_string());
    format!("{host}|{port}|{}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(bucket: &str, prefix: Option<&str>, endpoint: Option<&str>) -> S3Place {
        S3Place {
            bucket: bucket.to_owned(),
            prefix: prefix.map(str::to_owned),
            region: "eu-central-1".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            public_endpoint: None,
            path_style: false,
            access_key_id: "S3_KEY".to_owned(),
            secret_access_key: "S3_SECRET".to_owned(),
            session_token: None,
        }
    }

    #[test]
    fn what_some_names_make_one_lies_not_apart() {
        for (one, other, overlaps) in [
            (("shop", None), ("shop", None), true),
            // Of `staging` the second lies in what `prod` has of the first.
            (("shop", None), ("shop", Some("prod/{env}/")), true),
            (("shop", Some("{env}/a/")), ("shop", Some("{env}/b/")), false),
            (("shop", Some("{env}/a/")), ("shop", Some("{env}/a/b/")), true),
            (("shop", Some("images/{env}/")), ("shop", Some("{env}/files/")), true),
            (("shop", Some("images/{env}/")), ("shop", Some("files/{env}/")), false),
            (("shop", Some("2026/{env}/")), ("shop", None), false),
            (("shop", Some("images.{env}/")), ("shop", None), false),
            (("shop", Some("images-{env}/")), ("shop", None), true),
            (("shop-{env}", None), ("shop-prod", Some("{env}/")), true),
            (("shop-{env}", None), ("shop-images-{env}", None), true),
            (("shop-{env}", None), ("shop", None), false),
            (("shop-{env}", None), ("shop-", None), false),
            (("images-{env}", None), ("files-{env}", None), false),
            (("{env}-images", None), ("{env}-files", None), false),
            (("{env}-images", None), ("shop-{env}", None), true),
            (("{env}.images", None), ("shop-{env}", None), false),
            (("shop-{env}", Some("images/")), ("shop-{env}", Some("files/")), false),
            (("{project}-images-{env}", None), ("{project}-files-{env}", None), false),
            (("{project}-{env}", None), ("{project}-files-{env}", None), true),
            (("{project}-{env}", None), ("shop-{env}", None), true),
            (("{project}-{env}", None), ("{env}", Some("{project}/")), true),
            (("a", Some("{project}/{env}/")), ("a", Some("{project}/x/{env}/")), true),
        ] {
            let places = [one, other].map(|(bucket, prefix)| place(bucket, prefix, None));
            assert_eq!(places[0].overlaps(&places[1]), overlaps, "{one:?} {other:?}");
            assert_eq!(places[1].overlaps(&places[0]), overlaps, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_store_is_one_however_it_is_written() {
        for (one, other, is_one) in [
            ("https://a.example", "https://a.example/", true),
            ("https://a.example", "https://a.example:443", true),
            ("https://a.example", "http://a.example:80/", true),
            ("https://a.example", "https://a.example.", true),
            ("https://a.example:0443", "https://a.example", true),
            ("http://[::1]:9000", "http://[0:0:0:0:0:0:0:1]:9000/", true),
            ("https://s3.eu-central-1.amazonaws.com", "https://s3.amazonaws.com/", true),
            ("https://a.example/s3", "https://a.example/s3/", true),
            ("https://a.example/s3", "https://a.example", false),
            ("http://a.example:9000", "http://a.example:9001", false),
            ("http://a.example:443", "https://a.example", false),
            ("https://a.example", "https://b.example", false),
            ("https://amazonaws.com.example", "https://s3.amazonaws.com", false),
        ] {
            let places = [one, other].map(|endpoint| place("shop-{env}", None, Some(endpoint)));
            assert_eq!(places[0].overlaps(&places[1]), is_one, "{one} {other}");
        }
        // That of AWS, where nobody says it.
        let said = place("shop-{env}", None, Some("https://s3.eu-central-1.amazonaws.com:443/"));
        assert!(said.overlaps(&place("shop-{env}", None, None)));
    }
}
