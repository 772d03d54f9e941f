//! The border around statements on SQLite, a guest's raw SQL and declared queries: the engine itself asks, for every table and verb of a statement, whether
//! the grant has it. A parser can be fooled; this cannot, because it is asked after the engine has understood the statement.
//!
//! One of the three places with `unsafe` (docs/decisions/0006): SQLite's C interface takes a function and a pointer.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

use libsqlite3_sys as ffi;
use santokit_core::logic::{Grants, Verb};
use santokit_sql::guest::{GuestStatement, SEARCHES};
use sqlx::SqliteConnection;

/// What a statement may touch: verbs by table (lower case).
#[derive(Debug, Default)]
pub struct Access {
    tables: BTreeMap<String, BTreeSet<Verb>>,
}

/// An [`Access`] for one statement.
#[derive(Clone, Debug)]
pub struct Authorized {
    access: Arc<Access>,
    /// Whether it may search in texts, for which values are kept short.
    searches: bool,
    /// What the statement's own WITH names.
    common_tables: Vec<String>,
}

/// Notes what a statement would touch, instead of asking a grant. Nothing but rows of these tables.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    /// Names as declared, by lower case.
    tables: Arc<BTreeMap<String, String>>,
    seen: Arc<Mutex<Seen>>,
}

/// What an [`Observer`] saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Verbs by table, as declared.
    pub(crate) tables: BTreeMap<String, BTreeSet<Verb>>,
    /// What a statement of a release may never touch.
    pub(crate) refused: Option<String>,
}

/// What stands between a connection's statements and the database.
#[derive(Clone, Debug)]
enum Border {
    Enforce(Authorized),
    Observe(Observer),
}

/// Sorting and what a statement keeps in between: for guests in memory, which has a bound ([`memory`](crate::memory)); a disk has none.
/// The platform's own goes where SQLite puts it.
const GUEST_TEMPORARY: &CStr = c"PRAGMA temp_store = MEMORY";
const HOST_TEMPORARY: &CStr = c"PRAGMA temp_store = DEFAULT";

/// The name under which a connection owns its [`Border`].
const OWNED: &CStr = c"santokit authorizer";

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
        Self { tables }
    }

    /// What a statement of a release was found to touch.
    pub fn exactly(tables: &BTreeMap<String, BTreeSet<Verb>>) -> Self {
        Self { tables: tables.iter().map(|(table, verbs)| (table.to_lowercase(), verbs.clone())).collect() }
    }

    /// Whether the verb is granted on the table.
    pub fn has(&self, table: &str, verb: Verb) -> bool {
        self.tables.get(&table.to_lowercase()).is_some_and(|verbs| verbs.contains(&verb))
    }

    /// The granted tables, in lower case.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

impl Authorized {
    /// For a statement that was looked at before.
    pub fn new(access: Arc<Access>, statement: GuestStatement) -> Self {
        Self { access, searches: statement.searches, common_tables: statement.common_tables }
    }

    /// Whether it decides everything as the other does.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.access, &other.access)
            && self.searches == other.searches
            && self.common_tables == other.common_tables
    }

    fn may_call(&self, function: &str) -> bool {
        !FUNCTIONS_DENIED.contains(&function) && (self.searches || !SEARCHES.contains(&function))
    }

    /// A table of which no column is read, as in `count(*)`, is told by the name in the statement, and where that has no
    /// schema, without one. A name of the outermost WITH stands for that everywhere; other tables there are `main`'s, as a guest
    /// can make no temporary ones.
    fn may_count(&self, name: &str) -> bool {
        self.access.has(name, Verb::Select) || self.common_tables.contains(&name.to_ascii_lowercase())
    }

    fn decide(&self, action: c_int, first: Option<&str>, second: Option<&str>, database: Option<&str>) -> bool {
        let on_table = |verb| database == Some("main") && first.is_some_and(|table| self.access.has(table, verb));
        match action {
            ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE => true,
            ffi::SQLITE_READ if database.is_none() && second == Some("") => {
                first.is_some_and(|name| self.may_count(name) || is_json_function(first))
            }
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

impl Border {
    fn decide(&self, action: c_int, first: Option<&str>, second: Option<&str>, database: Option<&str>) -> bool {
        match self {
            Border::Enforce(authorized) => authorized.decide(action, first, second, database),
            Border::Observe(observer) => observer.decide(action, first, second, database),
        }
    }

    fn lengths(&self) -> Lengths {
        match self {
            Border::Enforce(authorized) if authorized.searches => SEARCH_LENGTHS,
            Border::Enforce(_) | Border::Observe(_) => GUEST_LENGTHS,
        }
    }
}

impl Observer {
    /// For tables with these names.
    pub(crate) fn new<'a>(tables: impl Iterator<Item = &'a String>) -> Self {
        let tables = tables.map(|name| (name.to_lowercase(), name.clone())).collect();
        Self { tables: Arc::new(tables), seen: Arc::default() }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a verb on a declared table; false where there is no such table.
    pub(crate) fn note(&self, table: &str, verb: Verb) -> bool {
        let Some(name) = self.tables.get(&table.to_lowercase()) else { return false };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.tables.entry(name.clone()).or_default().insert(verb);
        true
    }

    fn refuse(&self, what: String) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).refused.get_or_insert(what);
        false
    }

    fn touch(&self, table: Option<&str>, verb: Verb, database: Option<&str>) -> bool {
        let table = table.unwrap_or_default();
        if database == Some("main") && self.note(table, verb) {
            return true;
        }
        self.refuse(format!("{} of {table:?}, which is no table of the project", verb.as_str()))
    }

    fn decide(&self, action: c_int, first: Option<&str>, second: Option<&str>, database: Option<&str>) -> bool {
        match action {
            ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE => true,
            ffi::SQLITE_READ if is_json_function(first) => true,
            // A table of which no column is read. What is no table is a name of the statement's own WITH; the statement is
            // prepared once more under what was noted, and then that is checked.
            ffi::SQLITE_READ if database.is_none() && second == Some("") => {
                self.note(first.unwrap_or_default(), Verb::Select);
                true
            }
            ffi::SQLITE_READ => self.touch(first, Verb::Select, database),
            ffi::SQLITE_INSERT => self.touch(first, Verb::Insert, database),
            ffi::SQLITE_UPDATE => self.touch(first, Verb::Update, database),
            ffi::SQLITE_DELETE => self.touch(first, Verb::Delete, database),
            ffi::SQLITE_FUNCTION => {
                let name = second.unwrap_or_default().to_lowercase();
                !FUNCTIONS_DENIED.contains(&name.as_str())
                    || self.refuse(format!("the function {name}, which reaches outside of the database"))
            }
            _ => self.refuse("more than rows: the schema, settings, other files or transactions".to_owned()),
        }
    }
}

/// `json_each` and `json_tree` look like tables but only compute.
fn is_json_function(table: Option<&str>) -> bool {
    matches!(table, Some("json_each" | "json_tree"))
}

/// Lets the following statements of the connection touch only what the access has.
pub async fn restrict(connection: &mut SqliteConnection, authorized: Authorized) -> Result<(), sqlx::Error> {
    set(connection, Some(Border::Enforce(authorized))).await
}

/// Notes what the following statements of the connection would touch.
pub(crate) async fn observe(connection: &mut SqliteConnection, observer: Observer) -> Result<(), sqlx::Error> {
    set(connection, Some(Border::Observe(observer))).await
}

/// Lets the following statements of the connection touch everything.
pub async fn clear(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    set(connection, None).await
}

#[expect(unsafe_code, reason = "SQLite's authorizer is set through its C interface")]
async fn set(connection: &mut SqliteConnection, border: Option<Border>) -> Result<(), sqlx::Error> {
    let lengths = border.as_ref().map_or(HOST_LENGTHS, Border::lengths);
    let temporary = if border.is_some() { GUEST_TEMPORARY } else { HOST_TEMPORARY };
    let mut handle = connection.lock_handle().await?;
    let owned = border.map_or(ptr::null_mut(), |border| Box::into_raw(Box::new(border)).cast::<c_void>());
    let raw = handle.as_raw_handle().as_ptr();
    // SAFETY: `raw` is a live connection, and the lock keeps sqlx's worker from using it until `handle` is dropped, with no
    // await between. `owned` is null or from `Box::into_raw`. Client data belongs to the connection: SQLite gives it to `free`
    // once, when it is replaced, when the connection is closed, or at once where it cannot be kept. No authorizer is set while
    // it is replaced, and one is set only after SQLite has kept the pointer, so the callback never sees one that was freed,
    // on whatever thread it runs and however the future that set it ended. Nothing is changed behind the pointer but what a
    // lock guards.
    let result = unsafe {
        ffi::sqlite3_limit(raw, ffi::SQLITE_LIMIT_LENGTH, lengths.value);
        ffi::sqlite3_limit(raw, ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, lengths.pattern);
        ffi::sqlite3_set_authorizer(raw, None, ptr::null_mut());
        let is_moved = ffi::sqlite3_exec(raw, temporary.as_ptr(), None, ptr::null_mut(), ptr::null_mut());
        let kept = ffi::sqlite3_set_clientdata(raw, OWNED.as_ptr(), owned, Some(free));
        let armed = if kept == ffi::SQLITE_OK && !owned.is_null() {
            ffi::sqlite3_set_authorizer(raw, Some(callback), owned)
        } else {
            kept
        };
        if armed == ffi::SQLITE_OK { is_moved } else { armed }
    };
    if result == ffi::SQLITE_OK { Ok(()) } else { Err(sqlx::Error::Protocol("the authorizer was not set".to_owned())) }
}

/// # Safety
/// `owned` is null or from `Box::into_raw` of a [`Border`], and not used again.
#[expect(unsafe_code, reason = "called by SQLite with the pointer that it was given")]
unsafe extern "C" fn free(owned: *mut c_void) {
    if !owned.is_null() {
        // SAFETY: by the contract above.
        drop(unsafe { Box::from_raw(owned.cast::<Border>()) });
    }
}

#[expect(unsafe_code, reason = "called by SQLite with C pointers")]
unsafe extern "C" fn callback(
    border: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: `border` is the pointer given in `set`, owned by the connection that calls, and only read here. The strings are
    // null or NUL-terminated and live for this call (<https://sqlite.org/c3ref/set_authorizer.html>). Nothing here panics.
    let allowed = unsafe {
        let Some(border) = border.cast::<Border>().as_ref() else { return ffi::SQLITE_DENY };
        border.decide(action, text(first), text(second), text(database))
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
