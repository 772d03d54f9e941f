//! `stk` on a terminal of its own, where it asks before it destroys something, and for passwords. A person's answers are typed ahead,
//! or each after its question.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{Finished, stk_process::stk_command as command};

/// Runs `stk` on a terminal to its end. What it wrote, to either stream, and what was typed is in `stdout`, as on a screen.
pub async fn stk_on_terminal(dir: &Path, args: &[&str], env: &[(&str, &str)], typed: &str) -> Result<Finished> {
    stk_answering(dir, args, env, &[("", typed)]).await
}

/// The same, where each answer is typed when its question is on the screen; an empty question is there at once.
pub async fn stk_answering(
    dir: &Path,
    args: &[&str],
    env: &[(&str, &str)],
    answers: &[(&str, &str)],
) -> Result<Finished> {
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
    let answers: Vec<(String, String)> = answers.iter().map(|(q, a)| ((*q).to_owned(), (*a).to_owned())).collect();
    let reading = tokio::task::spawn_blocking(move || {
        let (mut shown, mut buffer, mut answers) = (Vec::new(), [0; 4096], answers.into_iter().peekable());
        loop {
            while let Some((_, answer)) =
                answers.next_if(|(question, _)| String::from_utf8_lossy(&shown).contains(question.as_str()))
            {
                // Who has ended reads nothing.
                drop(controller.write_all(answer.as_bytes()));
            }
            // The end of a terminal is an error on Linux.
            let Ok(length @ 1..) = controller.read(&mut buffer) else { break };
            shown.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    let status = child.wait().await?;
    Ok(Finished { code: status.code().unwrap_or(-1), stdout: reading.await?, stderr: String::new() })
}
