//! The packed form of rows, format 1 (described in `sql.wit`), read without copying.

use super::Error;
use super::cell::Cell;

/// The format this version can read.
const FORMAT: u32 = 1;

/// Reads cells one after the other out of a batch.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(format: u32, data: &'a [u8]) -> Result<Self, Error> {
        if format == FORMAT {
            Ok(Self { rest: data })
        } else {
            Err(Error::Decode(format!(
                "the host packs rows in format {format}, this santokit-guest reads format {FORMAT}: build the logic with a newer one"
            )))
        }
    }

    /// The next cell.
    pub(crate) fn cell(&mut self) -> Result<Cell<'a>, Error> {
        Ok(match self.array::<1>()?[0] {
            0 => Cell::Null,
            1 => Cell::Boolean(false),
            2 => Cell::Boolean(true),
            3 => Cell::Int64(i64::from_le_bytes(self.array()?)),
            4 => Cell::Float64(f64::from_le_bytes(self.array()?)),
            5 => Cell::Text(self.text()?),
            6 => Cell::Bytes(self.bytes()?),
            7 => Cell::Typed(self.text()?, self.text()?),
            tag => return Err(Error::Decode(format!("unknown tag {tag} in packed rows"))),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*head)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        let (head, rest) = self.rest.split_at_checked(length).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::Decode("text in packed rows is not UTF-8".to_owned()))
    }
}

fn cut_short() -> Error {
    Error::Decode("packed rows are cut short".to_owned())
}
