//! Where `stk login` keeps what it was given: in the keychain of the system where there is one that can be asked, else in a file that
//! only its owner may read. What the file always has is which Hubs there are, and which was logged in to last.
//!
//! A keychain is asked through the program that comes with it (`security` of macOS, `secret-tool` of libsecret), so that nothing
//! of it has to be there to build or to start `stk`; what is secret goes through its standard input, never its arguments.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::Context as _;
use base64::{Engine, engine::general_purpose::STANDARD};
use santokit_core::wire::Sealed;
use serde::{Deserialize, Serialize};

use crate::{context::write_private, failure::Failure};

const FILE: &str = "santokit/credentials.json";
const SERVICE: &str = "santokit";

/// The tokens of a session at a Hub.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whose it is.
    pub email: String,
    /// Shown to the Hub.
    pub access_token: Sealed,
    /// Until when; RFC 3339.
    pub expires_at: String,
    /// For the next one; used once.
    pub refresh_token: Sealed,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kept {
    /// The Hub that was logged in to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    /// By address; none where the keychain has it.
    hubs: BTreeMap<String, Option<Session>>,
}

/// Where a session was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The system's keychain.
    Keychain,
    /// A file.
    File(PathBuf),
}

/// The Hub that was logged in to last, if it was not logged out of.
pub fn current() -> Option<String> {
    load().ok().and_then(|kept| kept.current)
}

/// The session at a Hub.
pub fn session(hub: &str) -> anyhow::Result<Option<Session>> {
    match load()?.hubs.remove(&key(hub)) {
        None => Ok(None),
        Some(Some(session)) => Ok(Some(session)),
        Some(None) => {
            let keychain = Keychain::find().context("the session is in a keychain that is not there any more")?;
            Ok(keychain.get(&key(hub)).as_deref().and_then(decoded))
        }
    }
}

/// Keeps a session, in place of the one before.
pub fn keep(hub: &str, session: &Session) -> anyhow::Result<Place> {
    let (mut kept, hub) = (load()?, key(hub));
    let is_in_keychain = match Keychain::find() {
        Some(keychain) => keychain.set(&hub, &encoded(session)?),
        None => false,
    };
    kept.hubs.insert(hub.clone(), (!is_in_keychain).then(|| session.clone()));
    kept.current = Some(hub);
    save(&kept)?;
    Ok(if is_in_keychain { Place::Keychain } else { Place::File(path()?) })
}

/// Forgets the session at a Hub.
pub fn forget(hub: &str) -> anyhow::Result<()> {
    let (mut kept, hub) = (load()?, key(hub));
    if let Some(None) = kept.hubs.remove(&hub)
        && let Some(keychain) = Keychain::find()
    {
        keychain.remove(&hub);
    }
    kept.current = kept.current.filter(|current| *current != hub);
    save(&kept)
}

/// Keeps every other process of this user out until it is dropped: two that refresh with one token would end the session.
pub fn lock() -> anyhow::Result<fs::File> {
    let path = path()?.with_extension("lock");
    let open = || -> io::Result<fs::File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(file)
    };
    open().with_context(|| format!("cannot lock {}", path.display()))
}

fn key(hub: &str) -> String {
    hub.trim_end_matches('/').to_owned()
}

fn path() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let folder = folder.ok_or_else(|| {
        Failure::usage("there is no folder for what a login keeps").hint("set HOME, or give a token as STK_TOKEN")
    })?;
    Ok(folder.join(FILE))
}

fn load() -> anyhow::Result<Kept> {
    let path = path()?;
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let shown = path.display();
        return Err(Failure::failed(format!("{shown} can be read by others, and is not used"))
            .hint(format!("chmod 600 {shown}; if others use this machine, log in again"))
            .into());
    }
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be read; `stk login` after removing it", path.display()))
}

fn save(kept: &Kept) -> anyhow::Result<()> {
    write_private(&path()?, &serde_json::to_vec_pretty(kept)?)
}

/// On one line, of characters that every keychain keeps as they are.
fn encoded(session: &Session) -> anyhow::Result<Sealed> {
    Ok(Sealed::new(STANDARD.encode(serde_json::to_vec(session)?)))
}

fn decoded(text: &str) -> Option<Session> {
    serde_json::from_slice(&STANDARD.decode(text.trim()).ok()?).ok()
}

/// The program of a keychain.
#[derive(Clone, Copy, Debug)]
enum Keychain {
    MacOs,
    SecretService,
}

impl Keychain {
    /// None where there is none, or nothing to ask it through.
    fn find() -> Option<Self> {
        if cfg!(target_os = "macos") {
            return Some(Self::MacOs);
        }
        let has_bus = env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty());
        let is_there = || {
            let folders = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&folders).any(|folder| folder.join("secret-tool").is_file())
        };
        (has_bus && is_there()).then_some(Self::SecretService)
    }

    fn get(self, hub: &str) -> Option<String> {
        let mut command = match self {
            Self::MacOs => asking("security", &["find-generic-password", "-s", SERVICE, "-a", hub, "-w"]),
            Self::SecretService => asking("secret-tool", &["lookup", "service", SERVICE, "hub", hub]),
        };
        let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().filter(|text| !text.trim().is_empty())
    }

    /// False where it does not take it: it is locked, or nobody is there to unlock it.
    fn set(self, hub: &str, secret: &Sealed) -> bool {
        let (mut command, input) = match self {
            // Of its arguments other processes could see; the commands on its standard input they cannot.
            Self::MacOs => (
                asking("security", &["-i"]),
                format!("add-generic-password -U -s {SERVICE} -a \"{hub}\" -w \"{}\"\n", secret.expose()),
            ),
            Self::SecretService => (
                asking(
                    "secret-tool",
                    &["store", "--label", &format!("Santokit {hub}"), "service", SERVICE, "hub", hub],
                ),
                secret.expose().to_owned(),
            ),
        };
        let mut stored = || -> io::Result<bool> {
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes())?;
            }
            Ok(child.wait()?.success())
        };
        // `security -i` ends well whatever its commands do: what counts is what it has.
        stored().unwrap_or(false) && self.get(hub).is_some_and(|kept| kept.trim() == secret.expose())
    }

    fn remove(self, hub: &str) {
        let mut command = match self {
            Self::MacOs => asking("security", &["delete-generic-password", "-s", SERVICE, "-a", hub]),
            Self::SecretService => asking("secret-tool", &["clear", "service", SERVICE, "hub", hub]),
        };
        // What is not there need not be removed.
        drop(command.stdin(Stdio::null()).stdout(Stdio::null()).status());
    }
}

fn asking(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stderr(Stdio::null());
    command
}
