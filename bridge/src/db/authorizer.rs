//! The border around a guest's raw SQL on SQLite: the engine itself asks, for every table and verb of a statement, whether
//! the grant has it. A parser can be fooled; this cannot, because it is asked after the engine has understood the statement.
//!
//! One of the two places with `unsafe` (docs/decisions/0006): SQLite's C interface takes a function and a pointer.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::{Mutex, PoisonError},
};

use libsqlite3_sys as ffi;
use santokit_core::logic::{Grants, Verb};
use santokit_sql::guest::SEARCHES;
use sqlx::SqliteConnection;

/// What a statement may touch: verbs by table (lower case).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Access {
    tables: BTreeMap<String, BTreeSet<Verb>>,
    /// Whether it may search in texts, for which values are kept short.
    searches: bool,
}

/// An [`Access`] that lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct Authorized(&'static Access);

/// Every distinct access there ever was: a handful for each release, equal ones shared.
static KNOWN: Mutex<Option<HashSet<&'static Access>>> = Mutex::new(None);

/// Functions that reach outside of the database. The others only compute.
const FUNCTIONS_DENIED: &[&str] =
    &["load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "sqlite_compileoption_get", "sqlite_log"];

/// Largest text or blob, and longest pattern of LIKE and GLOB, in bytes.
struct Lengths {
    value: c_int,
    pattern: c_int,
}

/// SQLite's own.
const HOST_LENGTHS: Lengths = Lengths { value: 1_000_000_000, pattern: 50_000 };
/// What a guest's statement makes is held by the host.
const GUEST_LENGTHS: Lengths = Lengths { value: 16 << 20, pattern: 1_000 };
/// A search is one step of SQLite's machine and costs the product of two lengths: its deadline cannot stop it midway.
const SEARCH_LENGTHS: Lengths = Lengths { value: 512 << 10, pattern: 1_000 };

impl Access {
    /// What grants give on a connection.
    pub fn of(grants: &Grants, connection: &str) -> Self {
        let mut tables: BTreeMap<String, BTreeSet<Verb>> = BTreeMap::new();
        for grant in grants.sql.iter().filter(|grant| grant.connection == connection) {
            for (table, verbs) in &grant.tables {
                tables.entry(table.to_lowercase()).or_default().extend(verbs);
            }
        }
        Self { tables, searches: false }
    }

    /// The same, for a statement that searches in texts.
    #[must_use]
    pub fn searching(mut self) -> Self {
        self.searches = true;
        self
    }

    /// Makes it live for ever. Bounded by the number of different grants, not of calls or releases.
    pub fn authorize(self) -> Authorized {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(HashSet::new);
        if let Some(access) = known.get(&self) {
            return Authorized(access);
        }
        let access: &'static Access = Box::leak(Box::new(self));
        known.insert(access);
        Authorized(access)
    }

    /// Whether the verb is granted on the table.
    pub fn has(&self, table: &str, verb: Verb) -> bool {
        self.tables.get(&table.to_lowercase()).is_some_and(|verbs| verbs.contains(&verb))
    }

    /// The granted tables, in lower case.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    fn may_call(&self, function: &str) -> bool {
        !FUNCTIONS_DENIED.contains(&function) && (self.searches || !SEARCHES.contains(&function))
    }

    fn decide(&self, action: c_int, first: Option<&str>, second: Option<&str>, database: Option<&str>) -> bool {
        let on_table = |verb| database == Some("main") && first.is_some_and(|table| self.has(table, verb));
        match action {
            ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE => true,
            ffi::SQLITE_READ => on_table(Verb::Select) || is_json_function(first),
            ffi::SQLITE_INSERT => on_table(Verb::Insert),
            ffi::SQLITE_UPDATE => on_table(Verb::Update),
            ffi::SQLITE_DELETE => on_table(Verb::Delete),
            ffi::SQLITE_FUNCTION => second.is_some_and(|name| self.may_call(&name.to_lowercase())),
            // Schema, pragmas, attached files, transactions, savepoints: never a guest's.
            _ => false,
        }
    }
}

/// `json_each` and `json_tree` look like tables but only compute.
fn is_json_function(table: Option<&str>) -> bool {
    matches!(table, Some("json_each" | "json_tree"))
}

impl Authorized {
    /// What it lets a statement touch.
    pub fn access(self) -> &'static Access {
        self.0
    }
}

/// Lets the following statements of the connection touch only what the access has.
pub(super) async fn restrict(connection: &mut SqliteConnection, authorized: Authorized) -> Result<(), sqlx::Error> {
    set(connection, Some(authorized)).await
}

/// Lets the following statements of the connection touch everything.
pub(super) async fn clear(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    set(connection, None).await
}

#[expect(unsafe_code, reason = "SQLite's authorizer is set through its C interface")]
async fn set(connection: &mut SqliteConnection, authorized: Option<Authorized>) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    let raw = handle.as_raw_handle().as_ptr();
    let lengths = match authorized {
        None => HOST_LENGTHS,
        Some(Authorized(access)) if access.searches => SEARCH_LENGTHS,
        Some(_) => GUEST_LENGTHS,
    };
    // SAFETY: `raw` is a live connection, and the lock keeps sqlx's worker from using it now. The user pointer is null with
    // no callback, else it comes from a `&'static Access` that is never freed nor changed, so it is valid whenever the
    // callback runs, on whatever thread and however the future that set it ended. The callback has the type that SQLite asks for.
    let result = unsafe {
        ffi::sqlite3_limit(raw, ffi::SQLITE_LIMIT_LENGTH, lengths.value);
        ffi::sqlite3_limit(raw, ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, lengths.pattern);
        match authorized {
            Some(Authorized(access)) => {
                ffi::sqlite3_set_authorizer(raw, Some(callback), ptr::from_ref(access).cast_mut().cast::<c_void>())
            }
            None => ffi::sqlite3_set_authorizer(raw, None, ptr::null_mut()),
        }
    };
    if result == ffi::SQLITE_OK { Ok(()) } else { Err(sqlx::Error::Protocol("the authorizer was not set".to_owned())) }
}

#[expect(unsafe_code, reason = "called by SQLite with C pointers")]
unsafe extern "C" fn callback(
    access: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: `access` is the pointer given in `set`, made from a `&'static Access` and only read here. The strings are null
    // or NUL-terminated and live for this call (<https://sqlite.org/c3ref/set_authorizer.html>). Nothing here panics.
    let allowed = unsafe {
        let Some(access) = access.cast::<Access>().as_ref() else { return ffi::SQLITE_DENY };
        access.decide(action, text(first), text(second), text(database))
    };
    if allowed { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

/// None where it is null or no UTF-8, which no granted name is.
#[expect(unsafe_code, reason = "reads a C string")]
unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and NUL-terminated by the caller's contract.
    unsafe { CStr::from_ptr(pointer) }.to_str().ok()
}
