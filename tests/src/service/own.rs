//! A server process of a test's own. A shell keeps it: the shell reads from us, and when we end, however that happens, it stops
//! the server and removes the folder.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::Service;

/// `kill`, `stop` and `start` from standard input, each answered with a line.
const KEEPER: &str = r#"
folder=$1 stop=$2 crash=$3; shift 3
begin() { "$@" >>"$folder/log" 2>&1 </dev/null & server=$!; }
end() { kill -s "$1" "$server" 2>/dev/null; wait "$server"; }
begin "$@"
while read -r word; do
  case $word in
    kill) end "$crash" ;;
    stop) end "$stop" ;;
    start) begin "$@" ;;
  esac
  echo done
done
end "$stop"
rm -rf "$folder"
"#;

const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOKS: usize = 1_200;

/// A running server. Stopped, and its data removed, when dropped.
#[derive(Debug)]
pub struct OwnServer {
    service: Service,
    url: String,
    folder: PathBuf,
    keeper: Child,
    /// Empty once it is closed.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// How a server is started and ended.
pub(super) struct Recipe<'a> {
    pub service: Service,
    pub url: String,
    pub folder: PathBuf,
    pub program: &'a Path,
    pub arguments: Vec<String>,
    pub account: Option<(u32, u32)>,
    /// The signal that ends it in order.
    pub stop: &'a str,
    /// The signal that ends it as a crash does, its children with it.
    pub crash: &'a str,
}

impl OwnServer {
    /// Starts it and waits until it answers.
    pub(super) async fn start(recipe: Recipe<'_>) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&recipe.folder).args([recipe.stop, recipe.crash]);
        command.arg(recipe.program).args(&recipe.arguments).current_dir("/");
        // A group of its own: Ctrl-C is for the tests, and their end is for the keeper.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        if let Some((user, group)) = recipe.account {
            command.uid(user).gid(group);
        }
        let mut keeper = command.spawn()?;
        let orders = keeper.stdin.take();
        let answers = BufReader::new(keeper.stdout.take().context("standard output")?);
        let server = Self { service: recipe.service, url: recipe.url, folder: recipe.folder, keeper, orders, answers };
        server.until_it_answers().await?;
        Ok(server)
    }

    /// The URL of one who may do anything there.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a crash does. Its data stays.
    pub fn kill(&mut self) -> Result<()> {
        self.order("kill")
    }

    /// Ends it in order. Its data stays.
    pub fn stop(&mut self) -> Result<()> {
        self.order("stop")
    }

    /// Starts it again on its data, at the same port.
    pub async fn start_again(&mut self) -> Result<()> {
        self.order("start")?;
        self.until_it_answers().await
    }

    /// Removes what it keeps, as a disk does that fails. It must be stopped.
    pub fn lose_data(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.folder.join(super::STORE))?)
    }

    /// Where it keeps what it has.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// All that it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn order(&mut self, word: &str) -> Result<()> {
        let orders = self.orders.as_mut().context("the keeper has ended")?;
        writeln!(orders, "{word}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        anyhow::ensure!(answer == "done\n", "the keeper of a server has ended");
        Ok(())
    }

    async fn until_it_answers(&self) -> Result<()> {
        for _ in 0..LOOKS {
            if self.service.ask(&self.url).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("it does not answer; it wrote:\n{}", self.log())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Closed, it tells the keeper to end all.
        drop(self.orders.take());
        drop(self.keeper.wait());
    }
}

/// A folder for a server's data that its account owns. The keeper removes it.
pub(super) fn folder(account: Option<(u32, u32)>) -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("stk-test-server-").tempdir()?.keep();
    if let Some((user, group)) = account {
        std::os::unix::fs::chown(&folder, Some(user), Some(group))?;
    }
    Ok(folder)
}
