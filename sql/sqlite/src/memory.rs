//! What SQLite takes of the memory for one connection, counted where it takes it and refused above a bound: one statement can ask for
//! gigabytes before the first row is anybody's to count. SQLite's own bound ([`sqlite3_hard_heap_limit64`]) is one for the whole
//! process, so that who reaches it makes everybody's statements fail.
//!
//! The driver runs a connection on a thread of its own, and its rows are copies that SQLite makes on that thread: what is allocated
//! there is the connection's, wherever and whenever it is freed.
//!
//! One of the three places with `unsafe` (docs/decisions/0027): SQLite takes functions for its memory through its C interface.
//!
//! [`sqlite3_hard_heap_limit64`]: https://sqlite.org/c3ref/hard_heap_limit64.html

use std::{
    alloc::{self, Layout},
    cell::OnceCell,
    ffi::{c_int, c_void},
    ptr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use libsqlite3_sys as ffi;
use sqlx::{Executor, SqliteConnection};

/// The memory of one connection.
#[derive(Debug)]
pub struct Memory {
    /// Bytes that are allocated now.
    live: AtomicUsize,
    /// The most that there may be.
    most: AtomicUsize,
    /// Whether something was refused since [`Memory::bound`].
    is_refused: AtomicBool,
}

/// Before each allocation. Its size keeps what follows aligned.
#[repr(C, align(16))]
struct Head {
    /// From `Arc::into_raw`, or null: whose it is.
    owner: *const Memory,
    /// Without the head.
    bytes: usize,
}

const HEAD_BYTES: usize = size_of::<Head>();

thread_local! {
    /// Of the connection whose thread this is.
    static OF_THREAD: OnceCell<Arc<Memory>> = const { OnceCell::new() };
}

/// Makes SQLite count, for the rest of the process. It must be called before anything opens a database; false where it was too late.
pub fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(set)
}

#[expect(unsafe_code, reason = "SQLite's memory is set through its C interface")]
fn set() -> bool {
    let methods = ffi::sqlite3_mem_methods {
        xMalloc: Some(allocate),
        xFree: Some(free),
        xRealloc: Some(reallocate),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(begin),
        xShutdown: Some(end),
        pAppData: ptr::null_mut(),
    };
    // SAFETY: SQLite copies the structure. The functions keep its contract (<https://sqlite.org/c3ref/mem_methods.html>): what one
    // gives is aligned to 16 bytes, and is only given back to these. Where SQLite runs already, it answers that and changes nothing.
    let set = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) };
    set == ffi::SQLITE_OK
}

impl Memory {
    fn new() -> Self {
        Self { live: AtomicUsize::new(0), most: AtomicUsize::new(usize::MAX), is_refused: AtomicBool::new(false) }
    }

    /// That of a connection, which counts from now on what its thread allocates.
    pub async fn of(connection: &mut SqliteConnection) -> Result<Arc<Self>, sqlx::Error> {
        let found: Arc<Mutex<Option<Arc<Self>>>> = Arc::default();
        let slot = Arc::clone(&found);
        let mut handle = connection.lock_handle().await?;
        // It is called where statements run, which is the thread that is looked for.
        handle.set_progress_handler(1, move || {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = of_thread();
            true
        });
        drop(handle);
        let some_steps =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT max(i) FROM n";
        let ran = connection.execute(some_steps).await;
        connection.lock_handle().await?.remove_progress_handler();
        ran?;
        let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        found.ok_or_else(|| sqlx::Error::Protocol("the thread of the connection was not found".to_owned()))
    }

    /// For the next statement: so many bytes beside what is allocated now.
    pub fn bound(&self, bytes: usize) {
        self.is_refused.store(false, Ordering::Release);
        self.most.store(self.live.load(Ordering::Acquire).saturating_add(bytes), Ordering::Release);
    }

    /// No bound.
    pub fn unbound(&self) {
        self.is_refused.store(false, Ordering::Release);
        self.most.store(usize::MAX, Ordering::Release);
    }

    /// Whether the bound was reached since it was set.
    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Acquire)
    }

    /// Bytes that are allocated now.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Counts an allocation; false where there is no room for it.
    fn take(&self, bytes: usize) -> bool {
        let before = self.live.fetch_add(bytes, Ordering::AcqRel);
        if before.saturating_add(bytes) <= self.most.load(Ordering::Acquire) {
            return true;
        }
        self.give(bytes);
        self.is_refused.store(true, Ordering::Release);
        false
    }

    fn give(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// Of this thread; it has one from now on. None while the thread ends.
fn of_thread() -> Option<Arc<Memory>> {
    OF_THREAD.try_with(|memory| Arc::clone(memory.get_or_init(|| Arc::new(Memory::new())))).ok()
}

/// Of this thread, where it is a connection's.
fn counted() -> Option<Arc<Memory>> {
    OF_THREAD.try_with(|memory| memory.get().cloned()).ok().flatten()
}

/// With its head; none for a size that nothing can have.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(HEAD_BYTES)?, align_of::<Head>()).ok()
}

#[expect(unsafe_code, reason = "called by SQLite")]
unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
    let Some((bytes, layout)) = usize::try_from(bytes).ok().and_then(|bytes| Some((bytes, layout(bytes)?))) else {
        return ptr::null_mut();
    };
    let owner = counted();
    if owner.as_ref().is_some_and(|owner| !owner.take(layout.size())) {
        return ptr::null_mut();
    }
    // SAFETY: the size is not zero, as there is a head. What was given is written within its size, and it is aligned as a head is.
    unsafe {
        let head = alloc::alloc(layout).cast::<c_void>().cast::<Head>();
        if head.is_null() {
            owner.inspect(|owner| owner.give(layout.size()));
            return ptr::null_mut();
        }
        head.write(Head { owner: owner.map_or(ptr::null(), Arc::into_raw), bytes });
        head.add(1).cast()
    }
}

#[expect(unsafe_code, reason = "called by SQLite with what it was given")]
unsafe extern "C" fn free(given: *mut c_void) {
    if given.is_null() {
        return;
    }
    // SAFETY: it was given by `allocate` or `reallocate` and is given back once, so that a head is before it, and its owner is one
    // reference that nobody else drops.
    unsafe {
        let head = given.cast::<Head>().sub(1);
        let Head { owner, bytes } = head.read();
        let Some(layout) = layout(bytes) else { return };
        if !owner.is_null() {
            Arc::from_raw(owner).give(layout.size());
        }
        alloc::dealloc(head.cast(), layout);
    }
}

#[expect(unsafe_code, reason = "called by SQLite with what it was given")]
unsafe extern "C" fn reallocate(given: *mut c_void, bytes: c_int) -> *mut c_void {
    if given.is_null() {
        // SAFETY: as its own contract.
        return unsafe { allocate(bytes) };
    }
    let Some((bytes, new)) = usize::try_from(bytes).ok().and_then(|bytes| Some((bytes, layout(bytes)?))) else {
        return ptr::null_mut();
    };
    // SAFETY: as in `free`; the owner lives as long as the allocation, which keeps a reference of it. Where there is no room, nothing
    // of what was given has changed.
    unsafe {
        let head = given.cast::<Head>().sub(1);
        let Head { owner, bytes: before } = head.read();
        let Some(old) = layout(before) else { return ptr::null_mut() };
        let owner = owner.as_ref();
        let (more, less) = (new.size().saturating_sub(old.size()), old.size().saturating_sub(new.size()));
        if !owner.is_none_or(|owner| is_within(owner, more)) {
            return ptr::null_mut();
        }
        let moved = alloc::realloc(head.cast(), old, new.size()).cast::<c_void>().cast::<Head>();
        if moved.is_null() {
            owner.inspect(|owner| owner.give(more));
            return ptr::null_mut();
        }
        owner.inspect(|owner| owner.give(less));
        (*moved).bytes = bytes;
        moved.add(1).cast()
    }
}

/// Counts what is more. Who reads a row on another thread is never refused: a value that it cannot have would look empty.
fn is_within(owner: &Memory, more: usize) -> bool {
    if counted().is_some_and(|mine| ptr::eq(Arc::as_ptr(&mine), owner)) {
        return owner.take(more);
    }
    owner.live.fetch_add(more, Ordering::AcqRel);
    true
}

#[expect(unsafe_code, reason = "called by SQLite with what it was given")]
unsafe extern "C" fn size(given: *mut c_void) -> c_int {
    if given.is_null() {
        return 0;
    }
    // SAFETY: as in `free`.
    let bytes = unsafe { (*given.cast::<Head>().sub(1)).bytes };
    c_int::try_from(bytes).unwrap_or(c_int::MAX)
}

extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

extern "C" fn begin(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

extern "C" fn end(_: *mut c_void) {}
