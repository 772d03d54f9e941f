//! Running `stk` as a process: once to its end, `stk dev` with its events, and servers until they are ready.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use crate::BridgeClient;

/// How long a build of a guest, cold, may take.
const READY_MAX: Duration = Duration::from_mins(10);

/// What a finished `stk` left behind.
#[derive(Debug)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// `stk dev --json` in a folder. Killed when dropped.
pub struct StkDev {
    child: Child,
    events: mpsc::Receiver<Value>,
    log: Arc<Mutex<String>>,
    /// Of its Bridge.
    pub client: BridgeClient,
    /// The release that was live when it got ready.
    pub release_id: String,
}

/// A server process (`stk hub serve`, `stk bridge serve`). Killed when dropped.
pub struct StkServer {
    child: Child,
    log: Arc<Mutex<String>>,
}

/// The binary under test: `STK_BIN`, else the one beside the test binary.
pub fn stk_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("STK_BIN") {
        return Ok(path.into());
    }
    let exe = std::env::current_exe()?;
    let path = exe.parent().and_then(Path::parent).context("target/debug/deps")?.join("stk");
    if !path.is_file() {
        bail!("{} is missing: run `cargo build -p stk`, or `cargo xtask test`, which does", path.display());
    }
    Ok(path)
}

/// Runs `stk` to its end, with nothing on its standard input.
pub async fn stk(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Finished> {
    stk_fed(dir, args, env, "").await
}

/// Runs `stk` to its end, with a text on its standard input.
pub async fn stk_fed(dir: &Path, args: &[&str], env: &[(&str, &str)], input: &str) -> Result<Finished> {
    let mut command = stk_command(dir, args, env)?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("stdin")?;
    // A command that reads nothing may have ended already.
    let feeding = async move { drop(stdin.write_all(input.as_bytes()).await) };
    let (output, ()) = tokio::join!(child.wait_with_output(), feeding);
    let output = output?;
    Ok(Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a script of the shell that calls `stk` to its end. It finds the binary under test as `STK`.
pub async fn script(dir: &Path, script: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Finished> {
    let mut command = Command::new("sh");
    environment(&mut command)?;
    command.arg(script).args(args).current_dir(dir).kill_on_drop(true).env("STK", stk_binary()?);
    let output = command.envs(env.iter().copied()).stdin(Stdio::null()).output().await?;
    Ok(Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// `stk` as a process that is not started yet. Killed when dropped.
pub fn stk_command(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Command> {
    let mut command = Command::new(stk_binary()?);
    environment(&mut command)?;
    command.args(args).current_dir(dir).kill_on_drop(true).envs(env.iter().copied());
    Ok(command)
}

/// What an `stk` of a test is told: where what guests are built with is shared, and nothing of the developer's own.
pub(crate) fn environment(command: &mut Command) -> Result<()> {
    // A test may open its files itself, before another one opens a database as a Bridge does.
    santokit_sqlite::memory::install();
    // What the developer has set for a Hub of theirs is not for a test.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STK_")) {
        command.env_remove(name);
    }
    let shared = toolchains()?;
    // Nor is a login of theirs.
    command.env("XDG_CONFIG_HOME", shared.join("no-login")).env_remove("DBUS_SESSION_BUS_ADDRESS");
    command.env("STK_GUEST_TARGET_DIR", shared.join("rust"));
    command.env("STK_JS_TOOLCHAIN_DIR", shared.join("js")).env("STK_C_TOOLCHAIN_DIR", shared.join("c"));
    command.env("STK_PYTHON_TOOLCHAIN_DIR", shared.join("python"));
    // What one test's Bridge has compiled, the next one's loads.
    command.env("STK_COMPILED_DIR", shared.join("compiled")).env("STK_BRIDGE_COMPILED_DIR", shared.join("compiled"));
    Ok(())
}

/// What guests of all tests are built with: fetched once, and the standard library is built for wasm once.
pub fn toolchains() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.ancestors().nth(3).context("target")?.join("guests"))
}

impl StkDev {
    /// Starts it and waits until it serves.
    pub async fn start(dir: &Path, env: &[(&str, &str)]) -> Result<Self> {
        let mut child = stk_command(dir, &["dev", "--json", "--port", "0"], env)?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Mutex::new(String::new()));
        let events = read_events(&mut child, &log)?;
        let mut dev =
            Self { child, events, log, client: BridgeClient::new("http://127.0.0.1:1"), release_id: String::new() };
        let ready = dev.wait_until_ready().await?;
        dev.client = BridgeClient::new(ready["url"].as_str().context("ready has a url")?);
        dev.release_id.push_str(ready["releaseId"].as_str().unwrap_or_default());
        Ok(dev)
    }

    /// A project that does not build waits for the next save: no test makes one before it serves.
    async fn wait_until_ready(&mut self) -> Result<Value> {
        let found = timeout(READY_MAX, async {
            while let Some(event) = self.events.recv().await {
                if event["event"] == "ready" || event["event"] == "failed" {
                    return Some(event);
                }
            }
            None
        });
        match found.await {
            Ok(Some(event)) if event["event"] == "ready" => Ok(event),
            _ => bail!("stk dev is not ready; its output:\n{}", self.output()),
        }
    }

    /// The next event of a name; others are passed over.
    pub async fn wait_for(&mut self, name: &str, at_most: Duration) -> Result<Value> {
        let found = timeout(at_most, async {
            while let Some(event) = self.events.recv().await {
                if event["event"] == name {
                    return Some(event);
                }
            }
            None
        })
        .await;
        match found {
            Ok(Some(event)) => Ok(event),
            Ok(None) => bail!("stk dev ended before {name:?}; its output:\n{}", self.output()),
            Err(_) => bail!("no {name:?} within {at_most:?}; output of stk dev:\n{}", self.output()),
        }
    }

    /// Until it has written a text; what it logs comes a moment after what it answers.
    pub async fn wait_for_output(&self, text: &str) -> Result<()> {
        let written = async {
            while !self.output().contains(text) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = timeout(Duration::from_secs(30), written).await;
        waited.with_context(|| format!("{text:?} is not in the output of stk dev:\n{}", self.output()))
    }

    /// All that it wrote so far, both streams.
    pub fn output(&self) -> String {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }
}

impl Finished {
    /// Its answer, with `--json`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_default()
    }
}

impl StkServer {
    /// Starts a server; `ready` is a part of the line that says so.
    pub async fn start(dir: &Path, args: &[&str], env: &[(&str, &str)], ready: &str) -> Result<Self> {
        let mut child =
            stk_command(dir, args, env)?.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = read_lines(&mut child, &log)?;
        let waiting = async {
            while let Some(line) = lines.recv().await {
                if line.contains(ready) {
                    tokio::spawn(async move { while lines.recv().await.is_some() {} });
                    return true;
                }
            }
            false
        };
        let is_ready = timeout(Duration::from_mins(1), waiting).await.unwrap_or(false);
        let server = Self { child, log };
        anyhow::ensure!(is_ready, "stk {args:?} did not get ready; its output:\n{}", server.output());
        Ok(server)
    }

    /// Starts a command that is not waited for.
    pub fn begin(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let mut child =
            stk_command(dir, args, env)?.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = read_lines(&mut child, &log)?;
        tokio::spawn(async move { while lines.recv().await.is_some() {} });
        Ok(Self { child, log })
    }

    /// All that it wrote so far, both streams.
    pub fn output(&self) -> String {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Its event `ready`, with `--json`.
    pub fn ready(&self) -> Value {
        let output = self.output();
        let mut events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.find(|event| event["event"] == "ready").unwrap_or_default()
    }

    /// Asks it to end, as an orchestrator does (SIGTERM), and waits until it has; its exit code.
    pub async fn end(mut self) -> Result<i32> {
        let process = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
        rustix::process::kill_process(process.context("it runs")?, rustix::process::Signal::TERM)?;
        let ended = timeout(Duration::from_mins(2), self.child.wait()).await;
        let status = ended.with_context(|| format!("it did not end; its output:\n{}", self.output()))??;
        Ok(status.code().unwrap_or(-1))
    }

    /// Ends it at once, as a power cut would.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill")
    }
}

fn read_events(child: &mut Child, log: &Arc<Mutex<String>>) -> Result<mpsc::Receiver<Value>> {
    let mut lines = read_lines(child, log)?;
    let (sender, events) = mpsc::channel(10_000);
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if let Ok(event) = serde_json::from_str(&line) {
                let _ = sender.send(event).await;
            }
        }
    });
    Ok(events)
}

fn read_lines(child: &mut Child, log: &Arc<Mutex<String>>) -> Result<mpsc::Receiver<String>> {
    let (sender, lines) = mpsc::channel(10_000);
    let stdout = BufReader::new(child.stdout.take().context("stdout")?);
    let stderr = BufReader::new(child.stderr.take().context("stderr")?);
    let (log_out, log_err, sender_err) = (Arc::clone(log), Arc::clone(log), sender.clone());
    tokio::spawn(async move {
        let mut reader = stdout.lines();
        while let Ok(Some(line)) = reader.next_line().await {
            keep(&log_out, &line);
            let _ = sender.send(line).await;
        }
    });
    tokio::spawn(async move {
        let mut reader = stderr.lines();
        while let Ok(Some(line)) = reader.next_line().await {
            keep(&log_err, &line);
            let _ = sender_err.send(line).await;
        }
    });
    Ok(lines)
}

fn keep(log: &Mutex<String>, line: &str) {
    if let Ok(mut log) = log.lock() {
        log.push_str(line);
        log.push('\n');
    }
}
