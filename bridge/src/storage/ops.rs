//! What applications may ask of a bucket, and with which params.

use std::sync::LazyLock;

use santokit_core::{
    param::{CompiledParams, Param},
    schema::{Bounds, Type},
    storage::ObjectVerb,
};
use serde::Deserialize;

const SAVE_AS_CHARS_MAX: u32 = 200;
const CONTENT_TYPE_CHARS_MAX: u32 = 200;
const UPLOAD_CHARS_MAX: u32 = 8_192;

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectOp {
    /// A URL for an object that is put.
    UploadSign,
    /// That it was put at its URL.
    UploadComplete,
    /// A URL for one that is read.
    DownloadSign,
    /// That it is removed.
    Delete,
    /// An upload in parts begins.
    MultipartStart,
    /// URLs of parts that are missing.
    MultipartSign,
    /// The parts are put together.
    MultipartComplete,
    /// The parts are given up.
    MultipartAbort,
}

impl ObjectOp {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::UploadSign,
        Self::UploadComplete,
        Self::DownloadSign,
        Self::Delete,
        Self::MultipartStart,
        Self::MultipartSign,
        Self::MultipartComplete,
        Self::MultipartAbort,
    ];

    /// As in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UploadSign => "upload_sign",
            Self::UploadComplete => "upload_complete",
            Self::DownloadSign => "download_sign",
            Self::Delete => "delete",
            Self::MultipartStart => "multipart_start",
            Self::MultipartSign => "multipart_sign",
            Self::MultipartComplete => "multipart_complete",
            Self::MultipartAbort => "multipart_abort",
        }
    }

    /// Whose rules decide.
    pub(super) const fn verb(self) -> ObjectVerb {
        match self {
            Self::DownloadSign => ObjectVerb::Download,
            Self::Delete => ObjectVerb::Delete,
            _ => ObjectVerb::Upload,
        }
    }

    pub(super) fn declared(self) -> &'static Result<CompiledParams, String> {
        match self {
            Self::UploadSign => &UPLOAD,
            Self::DownloadSign => &DOWNLOAD,
            Self::Delete | Self::UploadComplete => &KEY,
            Self::MultipartStart => &START,
            Self::MultipartSign => &SIGN,
            Self::MultipartComplete | Self::MultipartAbort => &END,
        }
    }
}

/// The params of all; each has what is its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params {
    #[serde(default)]
    pub(super) key: String,
    pub(super) expires_in: Option<u64>,
    pub(super) content_type: Option<String>,
    /// As checked: 64 bits stand as a text.
    pub(super) size: Option<String>,
    pub(super) sha256: Option<String>,
    #[serde(default)]
    pub(super) only_new: bool,
    pub(super) save_as: Option<String>,
    #[serde(default)]
    pub(super) upload: String,
    pub(super) from: Option<u16>,
}

static UPLOAD: LazyLock<Result<CompiledParams, String>> = LazyLock::new(|| {
    compiled(&[
        key(),
        content_type(),
        size(false),
        param("sha256", Type::String, false, Bounds { pattern: Some("[0-9a-f]{64}".to_owned()), ..Bounds::NONE }),
        param("onlyNew", Type::Boolean, false, Bounds::NONE),
        expires_in(),
    ])
});
static DOWNLOAD: LazyLock<Result<CompiledParams, String>> = LazyLock::new(|| {
    compiled(&[
        key(),
        param("saveAs", Type::String, false, Bounds { max_length: Some(SAVE_AS_CHARS_MAX), ..Bounds::NONE }),
        expires_in(),
    ])
});
static KEY: LazyLock<Result<CompiledParams, String>> = LazyLock::new(|| compiled(&[key()]));
static START: LazyLock<Result<CompiledParams, String>> = LazyLock::new(|| {
    compiled(&[key(), content_type(), size(true), param("onlyNew", Type::Boolean, false, Bounds::NONE)])
});
static SIGN: LazyLock<Result<CompiledParams, String>> = LazyLock::new(|| {
    let bounds = Bounds { min: Some("1".to_owned()), max: Some("10000".to_owned()), ..Bounds::NONE };
    compiled(&[begun(), param("from", Type::Int, false, bounds), expires_in()])
});
static END: LazyLock<Result<CompiledParams, String>> = LazyLock::new(|| compiled(&[begun()]));

fn compiled(params: &[Param]) -> Result<CompiledParams, String> {
    CompiledParams::compile(params).map_err(|error| error.to_string())
}

fn key() -> Param {
    param("key", Type::String, true, Bounds { max_length: Some(1_024), ..Bounds::NONE })
}

fn content_type() -> Param {
    param("contentType", Type::String, false, Bounds { max_length: Some(CONTENT_TYPE_CHARS_MAX), ..Bounds::NONE })
}

fn size(required: bool) -> Param {
    param("size", Type::Bigint, required, Bounds { min: Some("0".to_owned()), ..Bounds::NONE })
}

/// What `multipart_start` has answered.
fn begun() -> Param {
    param("upload", Type::String, true, Bounds { max_length: Some(UPLOAD_CHARS_MAX), ..Bounds::NONE })
}

fn expires_in() -> Param {
    param("expiresIn", Type::Int, false, Bounds { min: Some("1".to_owned()), ..Bounds::NONE })
}

fn param(name: &str, kind: Type, required: bool, bounds: Bounds) -> Param {
    Param { name: name.to_owned(), kind, required, default: None, items: None, bounds }
}
