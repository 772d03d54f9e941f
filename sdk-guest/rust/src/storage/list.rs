//! A list of objects, page by page.

use std::collections::VecDeque;

use super::{Error, Stat, host};

/// The objects of a list. Each is asked for when it is needed: an error ends it.
#[derive(Debug)]
pub struct Objects {
    bucket: String,
    prefix: String,
    page: u32,
    read: VecDeque<Stat>,
    next: Option<String>,
}

impl Objects {
    pub(super) fn begin(bucket: &str, prefix: &str, page: u32) -> Result<Self, Error> {
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        let mut list = Self { bucket, prefix, page, read: VecDeque::new(), next: None };
        list.read(None)?;
        Ok(list)
    }

    fn read(&mut self, cursor: Option<&str>) -> Result<(), Error> {
        let page = host::list_objects(&self.bucket, &self.prefix, self.page, cursor)?;
        self.read.extend(page.objects.into_iter().map(Stat::from));
        self.next = page.next;
        Ok(())
    }
}

impl Iterator for Objects {
    type Item = Result<Stat, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.is_empty() {
            let cursor = self.next.take()?;
            if let Err(error) = self.read(Some(&cursor)) {
                return Some(Err(error));
            }
        }
        self.read.pop_front().map(Ok)
    }
}
