//! What of WASI preview 1 the engine needs to load two scripts: its settings, its arguments on standard input, the scripts in
//! a folder that is in memory, and a place to print. Everything else stays closed, clocks stand still, random numbers repeat.

use std::collections::BTreeMap;

use wasmtime::{Caller, Extern, Linker, Memory};

/// The module of these imports.
const MODULE: &str = "wasi_snapshot_preview1";

/// How much of what is printed is kept, in bytes.
const PRINTED_MAX: usize = 16 << 10;
/// The one folder; what is opened comes behind it.
const FOLDER: u32 = 3;
const FILES_MAX: usize = 64;

// Numbers of WASI's errors and kinds of files.
const OK: i32 = 0;
const BAD_FILE: i32 = 8;
const INVALID: i32 = 28;
const NO_ENTRY: i32 = 44;
const TOO_MANY: i32 = 33;
const DEVICE: u8 = 2;
const DIRECTORY: u8 = 3;
const REGULAR: u8 = 4;

/// The engine's surroundings.
pub(super) struct Surroundings {
    /// `NAME=value`.
    settings: Vec<String>,
    scripts: BTreeMap<&'static str, Vec<u8>>,
    /// By number from 0: standard input, then from `FOLDER + 1` on what is opened.
    input: Open,
    opened: Vec<Option<Open>>,
    printed: Vec<u8>,
}

/// Bytes that are being read.
struct Open {
    bytes: Vec<u8>,
    at: usize,
}

type Result<T> = wasmtime::Result<T>;

impl Surroundings {
    pub(super) fn new(
        settings: impl IntoIterator<Item = (String, String)>,
        arguments: String,
        scripts: [(&'static str, &str); 2],
    ) -> Self {
        Self {
            settings: settings.into_iter().map(|(name, value)| format!("{name}={value}\0")).collect(),
            scripts: scripts.into_iter().map(|(name, text)| (name, text.as_bytes().to_vec())).collect(),
            input: Open { bytes: arguments.into_bytes(), at: 0 },
            opened: Vec::new(),
            printed: Vec::new(),
        }
    }

    /// What the engine has printed.
    pub(super) fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed).trim().to_owned()
    }

    fn open(&mut self, file: u32) -> Option<&mut Open> {
        match file {
            0 => Some(&mut self.input),
            _ => self.opened.get_mut(file.checked_sub(FOLDER + 1)? as usize)?.as_mut(),
        }
    }

    fn kind(&mut self, file: u32) -> Option<u8> {
        match file {
            0..FOLDER => Some(DEVICE),
            FOLDER => Some(DIRECTORY),
            _ => self.open(file).map(|_| REGULAR),
        }
    }
}

/// Makes these functions known to the engine.
pub(super) fn link(linker: &mut Linker<Surroundings>) -> Result<()> {
    settings(linker)?;
    standing_still(linker)?;
    describing(linker)?;
    opening(linker)?;
    reading(linker)
}

fn settings(linker: &mut Linker<Surroundings>) -> Result<()> {
    linker.func_wrap(MODULE, "args_sizes_get", |mut guest: Guest<'_>, count: u32, bytes: u32| {
        write(&mut guest, count, &[0; 4])?;
        write(&mut guest, bytes, &[0; 4])
    })?;
    linker.func_wrap(MODULE, "args_get", |_: u32, _: u32| OK)?;
    linker.func_wrap(MODULE, "environ_sizes_get", |mut guest: Guest<'_>, count: u32, bytes: u32| {
        let settings = &guest.data().settings;
        let (number, length) = (settings.len(), settings.iter().map(String::len).sum());
        write_u32(&mut guest, count, number)?;
        write_u32(&mut guest, bytes, length)
    })?;
    linker.func_wrap(MODULE, "environ_get", |mut guest: Guest<'_>, mut places: u32, mut place: u32| {
        for setting in guest.data().settings.clone() {
            write(&mut guest, places, &place.to_le_bytes())?;
            write(&mut guest, place, setting.as_bytes())?;
            places = places.wrapping_add(4);
            place = place.wrapping_add(u32::try_from(setting.len())?);
        }
        Ok(OK)
    })?;
    Ok(())
}

fn standing_still(linker: &mut Linker<Surroundings>) -> Result<()> {
    linker.func_wrap(MODULE, "clock_time_get", |mut guest: Guest<'_>, _: u32, _: u64, place: u32| {
        write(&mut guest, place, &[0; 8])
    })?;
    linker.func_wrap(MODULE, "random_get", |mut guest: Guest<'_>, place: u32, length: u32| {
        let memory = memory(&mut guest)?;
        match memory.data_mut(&mut guest).get_mut(place as usize..).and_then(|rest| rest.get_mut(..length as usize)) {
            Some(bytes) => bytes.fill(0x5a),
            None => return outside(),
        }
        Ok(OK)
    })?;
    linker
        .func_wrap(MODULE, "proc_exit", |_: u32| -> Result<()> { Err(wasmtime::Error::msg("the engine has ended")) })?;
    Ok(())
}

fn describing(linker: &mut Linker<Surroundings>) -> Result<()> {
    linker.func_wrap(MODULE, "fd_prestat_get", |mut guest: Guest<'_>, file: u32, place: u32| match file {
        FOLDER => write(&mut guest, place, &[0, 0, 0, 0, 1, 0, 0, 0]),
        _ => Ok(BAD_FILE),
    })?;
    linker.func_wrap(
        MODULE,
        "fd_prestat_dir_name",
        |mut guest: Guest<'_>, file: u32, place: u32, _: u32| match file {
            FOLDER => write(&mut guest, place, b"/"),
            _ => Ok(BAD_FILE),
        },
    )?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |mut guest: Guest<'_>, file: u32, place: u32| {
        let Some(kind) = guest.data_mut().kind(file) else { return Ok(BAD_FILE) };
        // Behind the kind come flags, none of them set, and rights, all of them given.
        let mut description = [0xff; 24];
        description[..8].copy_from_slice(&[kind, 0, 0, 0, 0, 0, 0, 0]);
        write(&mut guest, place, &description)
    })?;
    linker.func_wrap(MODULE, "fd_fdstat_set_flags", |_: u32, _: u32| OK)?;
    Ok(())
}

fn opening(linker: &mut Linker<Surroundings>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "path_filestat_get",
        |mut guest: Guest<'_>, file: u32, _: u32, path: u32, length: u32, place: u32| {
            let Some(script) = script(&mut guest, file, path, length)? else { return Ok(NO_ENTRY) };
            let mut description = [0; 64];
            description[16] = REGULAR;
            description[32..40].copy_from_slice(&(script.len() as u64).to_le_bytes());
            write(&mut guest, place, &description)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_open",
        |mut guest: Guest<'_>,
         file: u32,
         _: u32,
         path: u32,
         length: u32,
         _: u32,
         _: u64,
         _: u64,
         _: u32,
         place: u32| {
            let Some(bytes) = script(&mut guest, file, path, length)? else { return Ok(NO_ENTRY) };
            let opened = &mut guest.data_mut().opened;
            if opened.len() >= FILES_MAX {
                return Ok(TOO_MANY);
            }
            opened.push(Some(Open { bytes, at: 0 }));
            let number = opened.len() + FOLDER as usize;
            write_u32(&mut guest, place, number)
        },
    )?;
    linker.func_wrap(MODULE, "fd_close", |mut guest: Guest<'_>, file: u32| {
        let place = file.checked_sub(FOLDER + 1).map(|index| index as usize);
        match place.and_then(|index| guest.data_mut().opened.get_mut(index)).and_then(Option::take) {
            Some(_) => OK,
            None => BAD_FILE,
        }
    })?;
    Ok(())
}

fn reading(linker: &mut Linker<Surroundings>) -> Result<()> {
    linker.func_wrap(MODULE, "fd_read", |mut guest: Guest<'_>, file: u32, parts: u32, count: u32, place: u32| {
        let mut total = 0;
        for part in 0..count {
            let (start, length) = part_of(&mut guest, parts, part)?;
            let Some(open) = guest.data_mut().open(file) else { return Ok(BAD_FILE) };
            let rest = open.bytes.get(open.at..).unwrap_or_default();
            let taken = rest[..rest.len().min(length as usize)].to_vec();
            open.at += taken.len();
            write(&mut guest, start, &taken)?;
            total += taken.len();
        }
        write_u32(&mut guest, place, total)
    })?;
    linker.func_wrap(MODULE, "fd_write", |mut guest: Guest<'_>, file: u32, parts: u32, count: u32, place: u32| {
        if !(1..FOLDER).contains(&file) {
            return Ok(BAD_FILE);
        }
        let mut total = 0;
        for part in 0..count {
            let (start, length) = part_of(&mut guest, parts, part)?;
            let bytes = read(&mut guest, start, length)?;
            total += bytes.len();
            let printed = &mut guest.data_mut().printed;
            printed.extend(bytes.into_iter().take(PRINTED_MAX.saturating_sub(printed.len())));
        }
        write_u32(&mut guest, place, total)
    })?;
    linker.func_wrap(MODULE, "fd_seek", |mut guest: Guest<'_>, file: u32, by: i64, from: u32, place: u32| {
        let Some(open) = guest.data_mut().open(file) else { return Ok(BAD_FILE) };
        let start = match from {
            0 => 0,
            1 => open.at,
            2 => open.bytes.len(),
            _ => return Ok(INVALID),
        };
        let Some(at) = (start as u64).checked_add_signed(by) else { return Ok(INVALID) };
        open.at = usize::try_from(at)?;
        write(&mut guest, place, &at.to_le_bytes())
    })?;
    Ok(())
}

type Guest<'a> = Caller<'a, Surroundings>;

/// The script that the engine names, with or without the slash of its folder.
fn script(guest: &mut Guest<'_>, folder: u32, path: u32, length: u32) -> Result<Option<Vec<u8>>> {
    let name = read(guest, path, length)?;
    let name = String::from_utf8_lossy(&name);
    let found = guest.data().scripts.get(name.trim_start_matches("./").trim_start_matches('/'));
    Ok(found.filter(|_| folder == FOLDER).cloned())
}

/// Place and length of one of several parts.
fn part_of(guest: &mut Guest<'_>, parts: u32, part: u32) -> Result<(u32, u32)> {
    let place = part.checked_mul(8).and_then(|offset| parts.checked_add(offset));
    let bytes = place.map(|place| read(guest, place, 8)).transpose()?.unwrap_or_default();
    let (start, length) = bytes
        .split_first_chunk::<4>()
        .and_then(|(start, rest)| Some((start, rest.first_chunk::<4>()?)))
        .map_or_else(outside, Ok)?;
    Ok((u32::from_le_bytes(*start), u32::from_le_bytes(*length)))
}

fn memory(guest: &mut Guest<'_>) -> Result<Memory> {
    guest.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| wasmtime::Error::msg("no memory"))
}

fn read(guest: &mut Guest<'_>, place: u32, length: u32) -> Result<Vec<u8>> {
    let memory = memory(guest)?;
    let bytes = memory.data(&*guest).get(place as usize..).and_then(|rest| rest.get(..length as usize));
    bytes.map(<[u8]>::to_vec).map_or_else(outside, Ok)
}

fn write(guest: &mut Guest<'_>, place: u32, bytes: &[u8]) -> Result<i32> {
    let memory = memory(guest)?;
    memory.write(guest, place as usize, bytes)?;
    Ok(OK)
}

fn write_u32(guest: &mut Guest<'_>, place: u32, number: usize) -> Result<i32> {
    write(guest, place, &u32::try_from(number)?.to_le_bytes())
}

fn outside<T>() -> Result<T> {
    Err(wasmtime::Error::msg("a place outside of the memory"))
}
