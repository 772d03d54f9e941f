//! The lines of the developer's own source around the place where a guest failed. A stack is text that the guest has a say in: only
//! files in the logic's own folder are read, and only a little of them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// Lines before and after.
const AROUND: u32 = 2;
/// A line that is longer is no source that somebody reads.
const LINE_CHARS_MAX: usize = 160;
/// Of a file, and of what is looked at in a stack.
const BYTES_MAX: u64 = 1 << 20;
const FRAMES_MAX: usize = 64;

/// A piece of a source file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// Relative to the project.
    pub(super) path: String,
    /// From 1.
    pub(super) line: u32,
    /// Each with its number.
    pub(super) lines: Vec<(u32, String)>,
}

/// Of the innermost frame that is in the logic's folder.
pub(super) fn of(project: &Path, logic: &str, stack: &str) -> Option<Excerpt> {
    let folder = format!("logics/{logic}");
    let inside = fs::canonicalize(project.join(&folder)).ok()?;
    let mut places: Vec<(&str, u32)> = stack.lines().take(FRAMES_MAX).filter_map(place).collect();
    // Python's tracebacks have the innermost last.
    if stack.starts_with("Traceback ") {
        places.reverse();
    }
    places.into_iter().find_map(|(path, line)| {
        // A path that is absolute stays as it is. Links are followed before anything is believed.
        let file = fs::canonicalize(inside.join(path)).ok()?;
        let path = file.strip_prefix(&inside).ok()?.to_str()?;
        Some(Excerpt { path: format!("{folder}/{path}"), line, lines: read(&file, line)? })
    })
}

/// `name at ./src/lib.rs:3:9`, `at twice (twice.ts:3)`, `File "main.py", line 3, in handle`.
fn place(frame: &str) -> Option<(&str, u32)> {
    let frame = frame.trim();
    if let Some((path, rest)) = frame.strip_prefix("File \"").and_then(|rest| rest.split_once("\", line ")) {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return Some((path, rest[..digits].parse().ok()?));
    }
    let last = frame.rsplit([' ', '(']).next()?.trim_end_matches(')');
    let mut parts = last.split(':');
    let (path, line) = (parts.next()?, parts.next()?.parse().ok()?);
    Some((path, line))
}

fn read(file: &Path, line: u32) -> Option<Vec<(u32, String)>> {
    // A pipe or a device would never end.
    if line == 0 || !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let (first, last) = (line.saturating_sub(AROUND).max(1), line.saturating_add(AROUND));
    let mut lines = Vec::new();
    for (number, text) in (1..=last).zip(BufReader::new(File::open(file).ok()?.take(BYTES_MAX)).lines()) {
        let text = text.ok()?;
        if number >= first {
            lines.push((number, text.chars().take(LINE_CHARS_MAX).collect()));
        }
    }
    lines.iter().any(|(number, _)| *number == line).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_the_stack_of_every_language() {
        for (frame, found) in [
            ("count::handle at ./src/lib.rs:12:9", Some(("./src/lib.rs", 12))),
            ("go_wrong at ./crash.c:7:5", Some(("./crash.c", 7))),
            ("    at twice (twice.ts:2)", Some(("twice.ts", 2))),
            ("    at index.ts:33", Some(("index.ts", 33))),
            ("  File \"main.py\", line 4, in handle", Some(("main.py", 4))),
            ("core::panicking::panic", None),
            ("Traceback (most recent call last):", None),
            ("ValueError: 1:2:3 is wrong", None),
            ("at (:::)", None),
            ("", None),
        ] {
            assert_eq!(place(frame), found, "{frame:?}");
        }
    }

    #[test]
    fn only_files_of_the_logic_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("logics/a");
        fs::create_dir_all(&dir).unwrap();
        fs::write(folder.path().join("secret.txt"), "planted\n").unwrap();
        fs::write(dir.join("main.py"), "x = 1\ny = 2\n").unwrap();
        std::os::unix::fs::symlink("../../secret.txt", dir.join("link.py")).unwrap();
        let outside = format!("at f ({}:1)", folder.path().join("secret.txt").display());
        for stack in [
            "at f (../../secret.txt:1)",
            "at f (./../../secret.txt:1)",
            "at f (link.py:1)",
            &outside,
            "at f (main.py:0)",
        ] {
            assert_eq!(of(folder.path(), "a", stack), None, "{stack}");
        }
        assert_eq!(of(folder.path(), "a", "at f (main.py:3)"), None, "a line beyond the end");
        let stack = "Traceback (most recent call last):\n  File \"main.py\", line 1, in <module>\n  File \"main.py\", line 2, in f\nValueError";
        let own = format!("handle at {}:2:5", dir.join("main.py").display());
        assert_eq!(of(folder.path(), "a", &own).map(|found| found.path), Some("logics/a/main.py".to_owned()));
        let found = of(folder.path(), "a", stack).unwrap();
        assert_eq!((found.path.as_str(), found.line, found.lines.len()), ("logics/a/main.py", 2, 2));
    }
}
