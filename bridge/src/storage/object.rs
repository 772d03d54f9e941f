//! An object that is open, wherever it lies.

use santokit_wasm::{ObjectStat, StorageError};

use super::{local, s3};

/// An object that is read.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    /// What is known of it.
    pub stat: ObjectStat,
}

/// An object that is not there yet. Dropped before its end, it never was.
#[derive(Debug)]
pub struct Writer(Target);

#[derive(Debug)]
enum Source {
    Local(local::Reader),
    S3(Box<s3::Reader>),
}

#[derive(Debug)]
enum Target {
    Local(Box<local::Writer>),
    S3(Box<s3::Writer>),
}

impl Reader {
    /// So many bytes from a place on; they must be there.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        match &self.source {
            Source::Local(reader) => reader.read(offset, length).await,
            Source::S3(reader) => reader.read(offset, length).await,
        }
    }
}

impl Writer {
    /// Adds bytes. After an error there is nothing more to do with it.
    pub async fn write(&mut self, part: Vec<u8>) -> Result<(), StorageError> {
        match &mut self.0 {
            Target::Local(writer) => writer.write(part).await,
            Target::S3(writer) => writer.write(part).await,
        }
    }

    /// Puts it in its place, if what must be true of the one before is.
    pub async fn finish(self) -> Result<ObjectStat, StorageError> {
        match self.0 {
            Target::Local(writer) => writer.finish().await,
            Target::S3(writer) => writer.finish().await,
        }
    }
}

impl From<local::Reader> for Reader {
    fn from(reader: local::Reader) -> Self {
        Self { stat: reader.stat.clone(), source: Source::Local(reader) }
    }
}

impl From<(s3::Reader, ObjectStat)> for Reader {
    fn from((reader, stat): (s3::Reader, ObjectStat)) -> Self {
        Self { stat, source: Source::S3(Box::new(reader)) }
    }
}

impl From<local::Writer> for Writer {
    fn from(writer: local::Writer) -> Self {
        Self(Target::Local(Box::new(writer)))
    }
}

impl From<s3::Writer> for Writer {
    fn from(writer: s3::Writer) -> Self {
        Self(Target::S3(Box::new(writer)))
    }
}
