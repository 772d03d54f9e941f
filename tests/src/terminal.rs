//! `stk` on a terminal of its own, where it asks before it destroys something. A person's answer is typed ahead.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{Finished, stk_process::command};

/// Runs `stk` on a terminal to its end. What it wrote, to either stream, and what was typed is in `stdout`, as on a screen.
pub async fn stk_on_terminal(dir: &Path, args: &[&str], env: &[(&str, &str)], typed: &str) -> Result<Finished> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).context("a terminal")?;
    grantpt(&controller)?;
    unlockpt(&controller)?;
    let name = ptsname(&controller, Vec::new())?;
    let screen = || -> Result<Stdio> {
        Ok(OpenOptions::new().read(true).write(true).open(name.to_str()?).context("the terminal's other side")?.into())
    };
    let mut command = command(dir, args, env)?;
    command.stdin(screen()?).stdout(screen()?).stderr(screen()?);
    let mut child = command.spawn()?;
    // It holds the terminal open; the screen ends with the last who does.
    drop(command);
    let mut controller = File::from(controller);
    controller.write_all(typed.as_bytes())?;
    let reading = tokio::task::spawn_blocking(move || {
        let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
        // The end of a terminal is an error on Linux.
        while let Ok(length @ 1..) = controller.read(&mut buffer) {
            shown.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    let status = child.wait().await?;
    Ok(Finished { code: status.code().unwrap_or(-1), stdout: reading.await?, stderr: String::new() })
}
