//! `stk dev` as a child process: started, waited for, its output shown until it serves, and always stopped.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::client::Client;
use crate::guests;
use crate::process::pause;
use crate::terminal::note;

/// Building the guests for the first time fetches and compiles their dependencies.
const START_TIMEOUT: Duration = Duration::from_mins(15);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A running `stk dev`.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    url: String,
    folder: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until it serves.
    pub(crate) fn start(root: &Path, folder: &Path, port: u16) -> anyhow::Result<Self> {
        let port = free_port(port)?;
        let log = root.join("target/demo/stk-dev.log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = root.join("target/debug/stk");
        let child = Command::new(&program)
            .args(["dev", "--port", &port.to_string()])
            .current_dir(folder)
            .envs(guests::shared_folders(root))
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share the log file")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Self { child, url, folder: folder.to_owned(), log };
        server.wait_until_ready()?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Until the user ends it.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        self.child.wait().context("cannot wait for stk dev")?;
        Ok(())
    }

    /// Asks it to end and sees that it does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        if !self.end() {
            bail!("stk dev did not stop within {} s of SIGTERM", STOP_TIMEOUT.as_secs());
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let client = Client::new(&self.url);
        let mut log = File::open(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        let start = Instant::now();
        loop {
            show_new_lines(&mut log)?;
            if let Some(status) = self.child.try_wait().context("cannot watch stk dev")? {
                show_new_lines(&mut log)?;
                bail!("stk dev ended before it served ({status}); its output is above");
            }
            if client.is_ready() {
                return Ok(());
            }
            if start.elapsed() > START_TIMEOUT {
                bail!("stk dev does not serve after {} s; its output is above", START_TIMEOUT.as_secs());
            }
            pause(Duration::from_millis(200));
        }
    }

    /// Whether it ended by itself when asked.
    fn end(&mut self) -> bool {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return true;
        }
        if let Some(process) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // Where it cannot be asked, the wait below runs out and it is killed.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            pause(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What was written since the last look, indented.
fn show_new_lines(log: &mut File) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes).context("cannot read the log of stk dev")?;
    // A line that is still being written waits for its end.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let rest = i64::try_from(bytes.len() - whole).context("the log of stk dev is too long")?;
    log.seek(SeekFrom::Current(-rest)).context("cannot read the log of stk dev")?;
    for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
        note(&format!("| {line}"));
    }
    Ok(())
}

/// The port that was asked for, or another that is free.
fn free_port(wanted: u16) -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", wanted))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("a port without a number")?.port())
}
