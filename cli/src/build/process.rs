//! Running a compiler: its words as they come for progress, all of them for an error. No shell, no terminal.

use std::io;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::Progress;

/// What a finished process left.
pub(super) struct Finished {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// The most that is kept of what a tool says: a compiler can fill a disk.
const MAX_STDERR: usize = 1024 * 1024;

/// Runs a command to its end. Lines of stderr for which `announce` has words go to `progress`. The process is killed
/// when the future is dropped.
pub(super) async fn run(
    command: &mut Command,
    progress: Progress<'_>,
    announce: fn(&str) -> Option<&str>,
) -> io::Result<Finished> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the process has no output"));
    };
    let mut lines = BufReader::new(stderr);
    let read_stderr = async {
        let (mut kept, mut line) = (String::new(), Vec::new());
        while lines.read_until(b'\n', &mut line).await? > 0 {
            let text = String::from_utf8_lossy(&line);
            if let Some(words) = announce(text.trim()) {
                progress(words);
            }
            if kept.len() < MAX_STDERR {
                kept.push_str(&text);
            }
            line.clear();
        }
        Ok::<_, io::Error>(kept)
    };
    let read_stdout = async {
        let mut kept = Vec::new();
        stdout.read_to_end(&mut kept).await?;
        Ok::<_, io::Error>(kept)
    };
    let (stderr, stdout) = tokio::try_join!(read_stderr, read_stdout)?;
    let status = child.wait().await?;
    Ok(Finished { success: status.success(), stdout, stderr })
}

/// For tools whose words are of no interest while they run.
pub(super) fn silent(_: &str) -> Option<&str> {
    None
}

/// Runs a command and answers its stdout, trimmed; nothing where it is missing or fails.
pub(super) async fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
