//! Users of a database server's own for guests' SQL: the statements that make one, give it exactly some verbs on some tables,
//! change its password and drop it, and the questions of the catalogue that tell what one has.
//!
//! Pure. Names are quoted; a password is in a statement only as what the server keeps of it, or, on MySQL, as 64 hex digits.

use std::collections::BTreeSet;

pub mod mysql;
pub mod postgres;
pub mod publisher;
mod secret;

pub use secret::{Secret, SecretError};

/// How a user's name begins: an administrator sees whose it is.
pub const PREFIX: &str = "stk_g_";

/// A user that is to be there.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Its name.
    pub user: &'a str,
    /// Sessions that it may have at once.
    pub sessions_max: u32,
}

/// A verb on an object; how it is written is the engine's matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Privilege<O> {
    /// On what.
    pub object: O,
    /// `SELECT`, `USAGE`, …; with [`AND_TO_GIVE`] behind it where the user may give it to others.
    pub verb: String,
}

/// What stands behind a verb that may be passed on.
pub const AND_TO_GIVE: char = '*';

/// What the user that makes logins lacks, and how an administrator gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// For people, after "it lacks".
    pub what: String,
    /// The statement.
    pub statement: String,
}

impl<O: Clone + Ord> Privilege<O> {
    fn new(object: O, verb: impl Into<String>) -> Self {
        Self { object, verb: verb.into() }
    }

    /// The verbs of each object, in the order of the objects.
    fn by_object<'a>(all: impl IntoIterator<Item = &'a Self>) -> Vec<(&'a O, Vec<&'a str>)>
    where
        O: 'a,
    {
        let sorted: BTreeSet<&Self> = all.into_iter().collect();
        let mut grouped: Vec<(&O, Vec<&str>)> = Vec::new();
        for privilege in sorted {
            match grouped.last_mut() {
                Some((object, verbs)) if **object == privilege.object => verbs.push(&privilege.verb),
                _ => grouped.push((&privilege.object, vec![&privilege.verb])),
            }
        }
        grouped
    }
}
