//! Objects in parts: read as [`std::io::Read`] and [`std::io::Seek`], written as [`std::io::Write`].

use std::io;

use super::{Error, Stat, host};

/// Bytes that go over the border at once.
const PART: usize = 1 << 20;

/// An object that is read in parts.
#[derive(Debug)]
pub struct Reader {
    inner: host::Reader,
    stat: Stat,
    at: u64,
}

/// An object that is written in parts. Dropped without [`finish`](Self::finish), nothing was written.
#[derive(Debug)]
#[must_use = "without `finish` nothing is written"]
pub struct Writer {
    inner: host::Writer,
}

impl Reader {
    pub(super) fn new(inner: host::Reader) -> Self {
        let stat = inner.stat().into();
        Self { inner, stat, at: 0 }
    }

    /// What is known of it.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Bytes from a place on: at most a mebibyte, and fewer than were asked for only at the end.
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        Ok(self.inner.read(offset, u32::try_from(length.min(PART)).unwrap_or(u32::MAX))?)
    }
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.read_at(self.at, buffer.len()).map_err(io::Error::other)?;
        buffer[..part.len()].copy_from_slice(&part);
        self.at += part.len() as u64;
        Ok(part.len())
    }
}

impl io::Seek for Reader {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(by) => self.stat.size.checked_add_signed(by),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl Writer {
    pub(super) fn new(inner: host::Writer) -> Self {
        Self { inner }
    }

    /// Adds bytes, in as many parts as it takes.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        bytes.chunks(PART).try_for_each(|part| self.inner.write(part)).map_err(Into::into)
    }

    /// Puts it in its place.
    pub fn finish(self) -> Result<Stat, Error> {
        Ok(self.inner.finish()?.into())
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(PART)];
        self.inner.write(part).map_err(|error| io::Error::other(Error::from(error)))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
