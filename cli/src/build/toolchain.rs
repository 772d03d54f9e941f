//! Which Rust compiler builds guests: the first way that works, installed if it can be without asking.
//!
//! 1. The wasm target of the developer's own toolchain is there.
//! 2. rustup can add it.
//! 3. Debian has a second compiler with its library source, from which cargo builds the standard library (`rustc-web`,
//!    `rust-web-src`, `lld-22`).
//!
//! Else a message that says what to install.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Mutex;

use super::process::{answer, run, silent};
use super::{BuildError, Progress};

/// What guests are compiled for: it leaves no WASI import.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages: a compiler, its library source and a linker of the same LLVM.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld-22"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Downloads may be slow, but not endless.
const INSTALL_TIME: Duration = Duration::from_mins(10);

/// The compiler that builds guests.
#[derive(Debug, Clone)]
pub(super) struct RustToolchain {
    /// `rustc -vV`.
    version: String,
    /// Debian's compiler and the linker to use with it; none for the developer's own toolchain.
    pub(super) debian: Option<DebianToolchain>,
}

/// Debian's compiler, which builds the standard library along.
#[derive(Debug, Clone)]
pub(super) struct DebianToolchain {
    pub(super) rustc: &'static str,
    pub(super) linker: PathBuf,
}

/// Found toolchains by the toolchain file that decides over them: asking costs a process or two.
static FOUND: Mutex<Vec<(Option<PathBuf>, RustToolchain)>> = Mutex::const_new(Vec::new());

/// The toolchain for the package in `dir`.
pub(super) async fn rust(dir: &Path, progress: Progress<'_>) -> Result<RustToolchain, BuildError> {
    let decided_by = dir
        .ancestors()
        .flat_map(|folder| [folder.join("rust-toolchain.toml"), folder.join("rust-toolchain")])
        .find(|file| file.is_file());
    let mut found = FOUND.lock().await;
    if let Some((_, toolchain)) = found.iter().find(|(file, _)| *file == decided_by) {
        return Ok(toolchain.clone());
    }
    let toolchain = find(dir, progress).await?;
    found.push((decided_by, toolchain.clone()));
    Ok(toolchain)
}

impl RustToolchain {
    /// What of it a built component depends on.
    pub(super) fn recipe(&self) -> String {
        format!("rust {} {}", self.version, if self.debian.is_some() { "build-std" } else { "" })
    }
}

async fn find(dir: &Path, progress: Progress<'_>) -> Result<RustToolchain, BuildError> {
    if answer(Command::new("cargo").arg("--version").current_dir(dir)).await.is_none() {
        return Err(BuildError::Toolchain {
            missing: "cargo is not installed".to_owned(),
            next: "install Rust from https://rustup.rs, then build again".to_owned(),
            output: String::new(),
        });
    }
    if let Some(version) = own(dir).await {
        return Ok(RustToolchain { version, debian: None });
    }
    let mut tried = String::new();
    progress(&format!("adding the Rust target {TARGET} (once)"));
    install(Command::new("rustup").args(["target", "add", TARGET]).current_dir(dir), progress, &mut tried).await;
    if let Some(version) = own(dir).await {
        return Ok(RustToolchain { version, debian: None });
    }
    if let Some(toolchain) = debian().await {
        return Ok(toolchain);
    }
    install_debian_packages(&DEBIAN_PACKAGES, "Debian's Rust compiler for wasm", progress, &mut tried).await;
    debian().await.ok_or_else(|| BuildError::Toolchain {
        missing: format!("no Rust compiler for {TARGET}"),
        next: format!(
            "run `rustup target add {TARGET}`, or on Debian 12 as root `apt-get install {}`, then build again",
            DEBIAN_PACKAGES.join(" ")
        ),
        output: tried,
    })
}

/// The developer's own toolchain, if it has the target's standard library.
async fn own(dir: &Path) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library =
        answer(Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).current_dir(dir)).await?;
    let has_core = std::fs::read_dir(library).ok()?.flatten().any(|file| {
        let name = file.file_name();
        name.to_string_lossy().starts_with("libcore-")
    });
    if !has_core {
        return None;
    }
    answer(Command::new(&rustc).arg("-vV").current_dir(dir)).await
}

/// Debian's compiler, if its library source and a linker are there as well.
async fn debian() -> Option<RustToolchain> {
    let version = answer(Command::new(DEBIAN_RUSTC).arg("-vV")).await?;
    let sysroot = answer(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"])).await?;
    if !Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file() {
        return None;
    }
    let linker = ["wasm-ld-22", "wasm-ld", "wasm-ld-21", "wasm-ld-20", "wasm-ld-19"]
        .into_iter()
        .map(|name| Path::new("/usr/bin").join(name))
        .find(|linker| linker.is_file())?;
    Some(RustToolchain { version, debian: Some(DebianToolchain { rustc: DEBIAN_RUSTC, linker }) })
}

/// Asks nobody: as root, or with a sudo that needs no password, or not at all.
pub(super) async fn install_debian_packages(packages: &[&str], what: &str, progress: Progress<'_>, tried: &mut String) {
    if !Path::new("/usr/bin/apt-get").is_file() {
        return;
    }
    let sudo = !rustix::process::geteuid().is_root();
    if sudo && answer(Command::new("sudo").args(["-n", "true"])).await.is_none() {
        tried.push_str("apt-get: not root, and sudo asks for a password\n");
        return;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if sudo { "sudo" } else { "env" });
        if sudo {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
        command
    };
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    progress(&format!("installing {what} with apt-get (once)"));
    if !install(&mut apt(&arguments), progress, tried).await {
        install(&mut apt(&["update"]), progress, tried).await;
        install(&mut apt(&arguments), progress, tried).await;
    }
}

/// Runs an installer; what it said is kept for the message where nothing works.
pub(super) async fn install(command: &mut Command, progress: Progress<'_>, tried: &mut String) -> bool {
    let name = format!("{:?}", command.as_std());
    let (success, said) = match tokio::time::timeout(INSTALL_TIME, run(command, progress, silent)).await {
        Ok(Ok(finished)) => (finished.success, finished.stderr),
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (false, "took too long".to_owned()),
    };
    if !success {
        tried.extend([name.as_str(), ": ", said.trim(), "\n"]);
    }
    success
}
