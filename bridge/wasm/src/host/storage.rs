//! Objects in buckets, as a guest asks for them: nothing of it is checked but its form.

use santokit_core::release::Digest;

/// An object that is read in parts, of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReaderId(pub u32);

/// An object that is written in parts, of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriterId(pub u32);

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStat {
    /// Its name.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Another one for each content.
    pub etag: String,
    /// As it was said when it was written.
    pub content_type: String,
    /// Milliseconds since 1970, UTC.
    pub modified: u64,
}

/// Objects, in the order of the bytes of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// At most as many as were asked for.
    pub objects: Vec<ObjectStat>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

/// What must be true of the object that is there, or nothing is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// There is none.
    Absent,
    /// It is the one with this etag.
    Is(String),
}

/// How an object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// What it says it is.
    pub content_type: Option<String>,
    /// What must be true of the one before.
    pub condition: Condition,
    /// Of all its bytes.
    pub digest: Option<Digest>,
}

/// What a URL is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlAsked {
    /// The deed.
    pub deed: UrlDeed,
    /// In seconds; as long as may be where it is not said.
    pub expires_in: Option<u32>,
}

/// What is done at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlDeed {
    /// The object is read.
    Get {
        /// The name under which browsers save it.
        save_as: Option<String>,
    },
    /// An object is put.
    Put {
        /// Exactly so many bytes.
        size: Option<u64>,
        /// What it says it is.
        content_type: Option<String>,
        /// Of all its bytes.
        digest: Option<Digest>,
        /// Only where there is none.
        is_new: bool,
    },
}

/// A URL that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// Whole. It is a credential.
    pub url: String,
    /// `GET` or `PUT`.
    pub method: String,
    /// What must be sent with it.
    pub headers: Vec<(String, String)>,
    /// Milliseconds since 1970, UTC.
    pub expires: u64,
}

/// Why something was not done; the cases are the codes of `santokit:storage/storage.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// Not granted.
    Denied(String),
    /// Not acceptable as it stands.
    Invalid(String),
    /// There is no such object.
    Missing,
    /// The condition does not hold.
    Precondition,
    /// The bytes have another digest.
    Checksum,
    /// Larger than objects of the bucket may be, in bytes.
    TooLarge(u64),
    /// There is no room.
    Full(String),
    /// The store does not answer. The cause is in the log.
    Unavailable,
    /// The invocation has no bytes left.
    Bytes,
}

impl StorageError {
    /// As the guest sees it.
    pub const fn code(&self) -> &'static str {
        match self {
            StorageError::Denied(_) => "denied",
            StorageError::Invalid(_) => "invalid",
            StorageError::Missing => "missing",
            StorageError::Precondition => "precondition",
            StorageError::Checksum => "checksum",
            StorageError::TooLarge(_) => "too-large",
            StorageError::Full(_) => "full",
            StorageError::Unavailable => "unavailable",
            StorageError::Bytes => "limit",
        }
    }
}
