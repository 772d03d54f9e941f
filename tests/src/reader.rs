//! A reader who follows a page: a shell in a folder, with `stk` on its path, that takes commands as they are written.

use std::{
    fs,
    io::{BufRead, BufReader, Read, pipe},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::stk_process::{environment, stk_binary};

/// What a command of a page may take on a machine that is busy: a first build of a guest, or compiling an interpreter.
const COMMAND_MAX: Duration = Duration::from_mins(10);
/// What is logged comes a moment after what is answered.
const LOGGED_MAX: Duration = Duration::from_mins(1);
/// Where pages say that `stk dev` listens. In a test it takes a free port.
const ADDRESS: &str = "127.0.0.1:8080";

/// The reader, and the folder that is thrown away at the end.
pub struct Reader {
    home: TempDir,
    /// Where the next command runs: `cd` lasts.
    at: PathBuf,
    running: Vec<Running>,
    /// In place of [`ADDRESS`].
    address: Option<String>,
}

/// What a command showed, both streams in their order, and how it ended.
#[derive(Debug)]
pub struct Shown {
    /// Exit code.
    pub code: i32,
    /// As on a screen, with the address that pages name.
    pub text: String,
}

/// A command that goes on in a terminal of its own. Killed with all that it started when dropped.
struct Running {
    child: Child,
    shown: Arc<Mutex<String>>,
    /// How much of it was there when the reader last did something.
    known: usize,
}

impl Reader {
    /// In an empty folder, or in a copy of a folder of the repository.
    pub fn new(copied: Option<&Path>) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let (bin, at) = (home.path().join("bin"), home.path().join("folder"));
        fs::create_dir_all(&bin)?;
        symlink(fs::canonicalize(stk_binary()?)?, bin.join("stk"))?;
        match copied {
            Some(folder) => crate::folder::copy(folder, &at)?,
            None => fs::create_dir(&at)?,
        }
        Ok(Self { home, at, running: Vec::new(), address: None })
    }

    /// Writes a whole file.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let target = self.at.join(path);
        let parent = target.parent().context("a file has a folder")?;
        fs::create_dir_all(parent)?;
        // As an editor does: aside, then renamed, so that who watches the folder sees a whole file.
        let aside = parent.join(".write-aside");
        fs::write(&aside, content)?;
        fs::rename(&aside, &target).with_context(|| format!("write {}", target.display()))
    }

    /// Runs commands to their end, as one input of a shell that ends at the first which fails.
    pub async fn run(&mut self, script: &str) -> Result<Shown> {
        let place = self.home.path().join("at");
        let script = format!("{}\npwd > \"$READER_AT\"\n", self.addressed(script));
        let (reading, writing) = pipe()?;
        let mut command = self.shell(&script)?;
        command.env("READER_AT", &place).stdout(writing.try_clone()?).stderr(writing);
        let mut child = command.spawn()?;
        // It holds the pipe open.
        drop(command);
        let read = tokio::task::spawn_blocking(move || {
            let mut text = Vec::new();
            BufReader::new(reading).read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        let Ok(status) = timeout(COMMAND_MAX, child.wait()).await else {
            kill_group(&child);
            bail!("it did not end within {COMMAND_MAX:?}");
        };
        let code = status?.code().unwrap_or(-1);
        if code == 0 {
            self.at = PathBuf::from(fs::read_to_string(&place)?.trim_end());
        }
        Ok(Shown { code, text: self.as_written(&read.await??) })
    }

    /// Starts a command in a terminal of its own and waits until it shows a text.
    pub async fn start(&mut self, script: &str, until: &str) -> Result<()> {
        let (reading, writing) = pipe()?;
        let mut command = self.shell(&self.addressed(script))?;
        command.stdout(writing.try_clone()?).stderr(writing);
        let child = command.spawn()?;
        drop(command);
        let shown = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&shown);
        std::thread::spawn(move || {
            for line in BufReader::new(reading).split(b'\n').map_while(Result::ok) {
                if let Ok(mut kept) = kept.lock() {
                    kept.push_str(&String::from_utf8_lossy(&line));
                    kept.push('\n');
                }
            }
        });
        self.running.push(Running { child, shown, known: 0 });
        let waited = self.wait_for(COMMAND_MAX, |text| text.contains(until)).await;
        ensure!(waited, "it did not show {until:?}; it showed:\n{}", self.shown());
        if let Some((_, rest)) = self.shown().split_once(" on http://") {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.address = Some(rest[..end].to_owned());
        }
        Ok(())
    }

    /// From now on, what was shown before is old.
    pub fn look(&mut self) {
        for running in &mut self.running {
            running.known = running.shown.lock().map_or(0, |text| text.len());
        }
    }

    /// Whether what goes on shows something that is not old, now or in a moment.
    pub async fn sees(&mut self, is_it: impl Fn(&str) -> bool) -> bool {
        self.wait_for(LOGGED_MAX, is_it).await
    }

    /// What commands that go on have shown, without what is old, with the address that pages name.
    pub fn shown(&self) -> String {
        let shown =
            self.running.iter().filter_map(|running| Some(running.shown.lock().ok()?[running.known..].to_owned()));
        self.as_written(&shown.collect::<String>())
    }

    async fn wait_for(&mut self, at_most: Duration, is_it: impl Fn(&str) -> bool) -> bool {
        let until = Instant::now() + at_most;
        loop {
            // Looked at before: what it showed last counts.
            let ended = self.running.last_mut().is_none_or(|running| !matches!(running.child.try_wait(), Ok(None)));
            if is_it(&self.shown()) {
                return true;
            }
            if ended || Instant::now() > until {
                return false;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn shell(&self, script: &str) -> Result<Command> {
        let mut command = Command::new("sh");
        environment(&mut command)?;
        let mut path = self.home.path().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.args(["-eu", "-c", script]).current_dir(&self.at).stdin(Stdio::null());
        command.env("PATH", path).env("STK_DEV_PORT", "0").process_group(0).kill_on_drop(true);
        Ok(command)
    }

    fn addressed(&self, script: &str) -> String {
        self.address.as_ref().map_or_else(|| script.to_owned(), |address| script.replace(ADDRESS, address))
    }

    fn as_written(&self, text: &str) -> String {
        self.address.as_ref().map_or_else(|| text.to_owned(), |address| text.replace(address, ADDRESS))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_group(&self.child);
    }
}

fn kill_group(child: &Child) {
    if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
