//! What stores of S3 answer in XML, by the names of its elements: AWS has a namespace, others have another one, or none. What is not known is
//! passed over; what is cut off, too much, or of another type is no answer.
//!
//! A store can be anybody's. Nothing is expanded here, and nothing is sent: a body is bounded before it comes here.

use instant_xml::{Deserializer, Error, FromXml, Id, Kind, de::Node};
use percent_encoding::percent_decode_str;

use super::Failure;
use crate::storage::parts::Parts;

/// Stores send a thousand at once, whatever is asked.
const ITEMS_MAX: usize = 10_000;
/// Of an etag and of the id of an upload, in bytes: both are sent on.
const NAME_BYTES_MAX: usize = 1_024;
/// Of a key, in bytes. Of S3 it has a thousand; others may keep files.
const KEY_BYTES_MAX: usize = 4 << 10;
/// Of a message for people.
const MESSAGE_CHARS_MAX: usize = 300;

/// An error, as S3 has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

/// A page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) objects: Vec<Object>,
    is_truncated: Option<bool>,
    token: Option<String>,
    encoding: Option<String>,
}

/// What a list says of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// With what stands before keys of the env.
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) etag: String,
    /// As it is said.
    pub(super) modified: Option<String>,
}

/// A page of what is there of an upload in parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct PartsListed {
    pub(in crate::storage) parts: Parts,
    pub(in crate::storage) is_truncated: bool,
}

#[derive(Default)]
struct Begun(Option<String>);

#[derive(Default)]
struct Completed(Option<String>);

/// An error; none where the body is none of S3.
pub(super) fn refusal(body: &str) -> Option<Refusal> {
    read::<Refusal>(body).ok()
}

/// The id of an upload in parts that has begun.
pub(super) fn upload_id(body: &str) -> Result<String, Failure> {
    let Begun(id) = read(body)?;
    let id = id.filter(|id| is_name(id));
    id.ok_or_else(|| Failure::Answer("an upload has begun that has no id to work with".to_owned()))
}

/// The etag of parts that were put together. An answer that says 200 may yet be an error.
pub(super) fn completed(body: &str) -> Result<String, Failure> {
    if let Some(Refusal { code, message }) = refusal(body) {
        let code = code.unwrap_or_default();
        let status = match code.as_str() {
            "PreconditionFailed" => 412,
            "ConditionalRequestConflict" => 409,
            "NoSuchUpload" => 404,
            _ => 500,
        };
        return Err(Failure::Refused { status, code, message: message.unwrap_or_default(), date: None });
    }
    let Completed(etag) = read(body)?;
    let etag = etag.filter(|etag| is_name(etag));
    etag.ok_or_else(|| Failure::Answer("the upload may have failed: what was put together has no etag".to_owned()))
}

/// Objects.
pub(super) fn listed(body: &str) -> Result<Listed, Failure> {
    let mut listed: Listed = read(body)?;
    // As forms have it: a space may be a plus, and a plus is not one.
    if listed.encoding.as_deref() == Some("url") {
        for object in &mut listed.objects {
            let key = object.key.replace('+', " ");
            let key = percent_decode_str(&key).decode_utf8();
            let key = key.map_err(|_| Failure::Answer("a list names what is no text".to_owned()))?;
            object.key = key.into_owned();
        }
    }
    if listed.objects.iter().any(|object| object.key.len() > KEY_BYTES_MAX) {
        return Err(Failure::Answer("a list has a key that is too long to go on from".to_owned()));
    }
    Ok(listed)
}

/// Parts of an upload.
pub(in crate::storage) fn parts(body: &str) -> Result<PartsListed, Failure> {
    read(body)
}

impl Listed {
    /// Whether there is more behind it. Not each store says it in both ways.
    pub(super) fn is_truncated(&self) -> bool {
        self.is_truncated.unwrap_or_else(|| self.token.as_ref().is_some_and(|token| !token.is_empty()))
    }
}

/// A document of one name.
trait Document: Default {
    const NAME: &'static str;

    /// Takes an element of it. What is left of one is passed over.
    fn take(&mut self, name: &str, element: &mut Deserializer<'_, '_>) -> Result<(), Error>;
}

impl Document for Refusal {
    const NAME: &'static str = "Error";

    fn take(&mut self, name: &str, element: &mut Deserializer<'_, '_>) -> Result<(), Error> {
        match name {
            "Code" => set(&mut self.code, "Code", line(&text(element)?)),
            "Message" => set(&mut self.message, "Message", line(&text(element)?)),
            _ => Ok(()),
        }
    }
}

impl Document for Begun {
    const NAME: &'static str = "InitiateMultipartUploadResult";

    fn take(&mut self, name: &str, element: &mut Deserializer<'_, '_>) -> Result<(), Error> {
        if name == "UploadId" { set(&mut self.0, "UploadId", text(element)?) } else { Ok(()) }
    }
}

impl Document for Completed {
    const NAME: &'static str = "CompleteMultipartUploadResult";

    fn take(&mut self, name: &str, element: &mut Deserializer<'_, '_>) -> Result<(), Error> {
        if name == "ETag" { set(&mut self.0, "ETag", text(element)?) } else { Ok(()) }
    }
}

impl Document for Listed {
    const NAME: &'static str = "ListBucketResult";

    fn take(&mut self, name: &str, element: &mut Deserializer<'_, '_>) -> Result<(), Error> {
        match name {
            "Contents" => {
                bounded(self.objects.len())?;
                self.objects.push(object(element)?);
                Ok(())
            }
            "IsTruncated" => set(&mut self.is_truncated, "IsTruncated", parsed(element)?),
            "NextContinuationToken" => set(&mut self.token, "NextContinuationToken", text(element)?),
            "EncodingType" => set(&mut self.encoding, "EncodingType", text(element)?),
            _ => Ok(()),
        }
    }
}

impl Document for PartsListed {
    const NAME: &'static str = "ListPartsResult";

    fn take(&mut self, name: &str, element: &mut Deserializer<'_, '_>) -> Result<(), Error> {
        match name {
            "Part" => {
                bounded(self.parts.len())?;
                let (number, part) = part(element)?;
                // Of one that is said twice, nobody knows which it is.
                if self.parts.insert(number, part).is_some() { Err(Error::DuplicateValue("Part")) } else { Ok(()) }
            }
            "IsTruncated" => {
                self.is_truncated = parsed(element)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn object(parent: &mut Deserializer<'_, '_>) -> Result<Object, Error> {
    let (mut key, mut size, mut etag, mut modified) = (None, None, None, None);
    each(parent, |name, element| match name {
        "Key" => set(&mut key, "Key", text(element)?),
        "Size" => set(&mut size, "Size", parsed(element)?),
        "ETag" => set(&mut etag, "ETag", text(element)?),
        "LastModified" => set(&mut modified, "LastModified", text(element)?),
        _ => Ok(()),
    })?;
    let etag = etag.unwrap_or_default();
    if !etag.is_empty() && !is_name(&etag) {
        return Err(Error::UnexpectedValue("an etag is too long".to_owned()));
    }
    Ok(Object { key: key.ok_or(Error::MissingValue("Key"))?, size: size.unwrap_or(0), etag, modified })
}

/// Its number, how large it is, and how the store calls it. Not each store does; one that wants it said again will refuse what has none.
fn part(parent: &mut Deserializer<'_, '_>) -> Result<(u16, (u64, String)), Error> {
    let (mut number, mut size, mut etag) = (None, None, None);
    each(parent, |name, element| match name {
        "PartNumber" => set(&mut number, "PartNumber", parsed(element)?),
        "Size" => set(&mut size, "Size", parsed(element)?),
        "ETag" => set(&mut etag, "ETag", text(element)?),
        _ => Ok(()),
    })?;
    let etag: String = etag.unwrap_or_default();
    if !etag.is_empty() && !is_name(&etag) {
        return Err(Error::UnexpectedValue("an etag is too long".to_owned()));
    }
    let number = number.ok_or(Error::MissingValue("PartNumber"))?;
    Ok((number, (size.ok_or(Error::MissingValue("Size"))?, etag)))
}

/// What the library reads.
struct Read<T>(T);

impl<'xml, T: Document> FromXml<'xml> for Read<T> {
    type Accumulator = Option<Self>;
    const KIND: Kind = Kind::Element;

    fn matches(id: Id<'_>, _: Option<Id<'_>>) -> bool {
        id.name == T::NAME
    }

    fn deserialize<'cx>(
        into: &mut Option<Self>,
        _: &'static str,
        document: &mut Deserializer<'cx, 'xml>,
    ) -> Result<(), Error> {
        let mut read = T::default();
        each(document, |name, element| read.take(name, element))?;
        *into = Some(Self(read));
        Ok(())
    }
}

/// All of a document, or nothing.
fn read<T: Document>(body: &str) -> Result<T, Failure> {
    // The library takes the end of a text for the end of the document. Nothing that follows a whole one is read; one that was cut off meets
    // this, which begins an element and has none.
    let ended = format!("{}<", without_prologue(body));
    let read = instant_xml::from_str::<Read<T>>(&ended);
    read.map(|Read(read)| read).map_err(|error| {
        let error = line(&error.to_string());
        Failure::Answer(format!("the answer is no {}: {error}", T::NAME))
    })
}

/// A document without its declaration. What takes a store long is declared at once, and spaces follow until it is done, so that the connection stays.
fn without_prologue(body: &str) -> &str {
    let body = body.trim_start();
    let declared = body.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    declared.map_or(body, |(_, rest)| rest.trim_start())
}

/// Gives each element of one to a function, by its name.
fn each<'xml>(
    parent: &mut Deserializer<'_, 'xml>,
    mut take: impl FnMut(&str, &mut Deserializer<'_, 'xml>) -> Result<(), Error>,
) -> Result<(), Error> {
    while let Some(node) = parent.next() {
        if let Node::Open(element) = node? {
            let name = parent.element_id(&element)?.name;
            let mut nested = parent.nested(element);
            take(name, &mut nested)?;
            nested.ignore()?;
        }
    }
    Ok(())
}

/// All text of an element, which has nothing else: a comment or a CDATA section may lie between.
fn text(element: &mut Deserializer<'_, '_>) -> Result<String, Error> {
    let mut text = String::new();
    for node in element.by_ref() {
        match node? {
            Node::Text(part) => text.push_str(&part),
            Node::Attribute(_) | Node::AttributeValue(_) => {}
            Node::Open(_) | Node::Close { .. } => return Err(Error::ExpectedScalar("an element".to_owned())),
        }
    }
    Ok(text)
}

fn parsed<T: std::str::FromStr>(element: &mut Deserializer<'_, '_>) -> Result<T, Error> {
    let text = text(element)?;
    text.trim().parse().map_err(|_| Error::UnexpectedValue(line(&text)))
}

/// What is said twice is not said.
fn set<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::DuplicateValue(name)),
    }
}

fn bounded(items: usize) -> Result<(), Error> {
    if items < ITEMS_MAX { Ok(()) } else { Err(Error::Other(format!("more than {ITEMS_MAX} items at once"))) }
}

/// What can be sent back as it is.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

/// For people: short, in one line.
fn line(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
