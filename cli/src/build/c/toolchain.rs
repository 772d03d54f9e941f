//! Which C compiler builds guests: the first way that works, installed if it can be without asking.
//!
//! 1. `WASI_SDK_PATH`, or `/opt/wasi-sdk`.
//! 2. A `clang` that finds a wasm linker, wasi-libc and its own runtime library for wasm (Debian's packages, or any other).
//! 3. `zig`, which has all of these inside.
//! 4. zig from the Python package `ziglang`, in a folder of our own.
//!
//! On Debian and Ubuntu the packages of 2 are installed, elsewhere 4. Else a message that says what to do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

use super::super::process::answer;
use super::super::toolchain::{install, install_debian_packages};
use super::super::{BuildError, Progress};

/// Debian's and Ubuntu's packages: compiler, linker, its runtime library for wasm, the C library.
const DEBIAN_PACKAGES: [&str; 4] = ["clang", "lld", "libclang-rt-dev-wasm32", "wasi-libc"];

/// The Python package with zig inside, at the version that was tried.
const ZIGLANG: &str = "ziglang==0.15.2";

/// Names under which a clang may be found; distributions number them.
const CLANGS: [&str; 11] = [
    "clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15",
    "clang-14", "clang-13",
];

/// The target's names, the newer first: wasi-libc is installed under one of them.
const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasi"];

/// A compiler and linker for guests in C.
#[derive(Debug, Clone)]
pub(in super::super) struct CToolchain {
    program: PathBuf,
    /// What stands before all other arguments.
    first: Vec<OsString>,
    /// Where zig keeps what it has compiled of its library; none for clang.
    zig_cache: Option<PathBuf>,
    /// The compiler's name and version.
    version: String,
}

/// Asking costs some processes; what was found stays.
static FOUND: Mutex<Option<CToolchain>> = Mutex::const_new(None);

/// The toolchain. `folder` is where one may be installed.
pub(in super::super) async fn find(folder: &Path, progress: Progress<'_>) -> Result<CToolchain, BuildError> {
    let mut found = FOUND.lock().await;
    if let Some(toolchain) = &*found {
        return Ok(toolchain.clone());
    }
    let toolchain = search(folder, progress).await?;
    *found = Some(toolchain.clone());
    Ok(toolchain)
}

impl CToolchain {
    /// The compiler for wasm, to which arguments are added.
    pub(in super::super) fn compiler(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.first);
        // What a build for the machine itself wants is not wanted here.
        for variable in ["CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "CCC_OVERRIDE_OPTIONS", "SDKROOT"] {
            command.env_remove(variable);
        }
        command.env("LC_ALL", "C");
        if let Some(cache) = &self.zig_cache {
            command.env("ZIG_GLOBAL_CACHE_DIR", cache).env("ZIG_LOCAL_CACHE_DIR", cache);
        }
        command
    }

    /// What of it a built component depends on.
    pub(in super::super) fn recipe(&self) -> String {
        format!("{} {:?}", self.version, self.first)
    }
}

async fn search(folder: &Path, progress: Progress<'_>) -> Result<CToolchain, BuildError> {
    if let Some(named) = std::env::var_os("WASI_SDK_PATH") {
        // Who names one does not want another.
        return clang(&Path::new(&named).join("bin/clang")).await.ok_or_else(|| BuildError::Toolchain {
            missing: format!("WASI_SDK_PATH names {}, where no working clang is", named.display()),
            next: "let it name an unpacked wasi-sdk, or unset it".to_owned(),
            output: String::new(),
        });
    }
    if let Some(toolchain) = installed(folder).await {
        return Ok(toolchain);
    }
    let mut tried = String::new();
    install_debian_packages(&DEBIAN_PACKAGES, "a C compiler for wasm", progress, &mut tried).await;
    if let Some(toolchain) = installed(folder).await {
        return Ok(toolchain);
    }
    install_ziglang(folder, progress, &mut tried).await;
    installed(folder).await.ok_or_else(|| BuildError::Toolchain {
        missing: "no C compiler for wasm".to_owned(),
        next: format!(
            "on Debian or Ubuntu run as root `apt-get install {}`; elsewhere install zig (https://ziglang.org), or \
             unpack a wasi-sdk (https://github.com/WebAssembly/wasi-sdk/releases) and set WASI_SDK_PATH; then build again",
            DEBIAN_PACKAGES.join(" ")
        ),
        output: tried,
    })
}

async fn installed(folder: &Path) -> Option<CToolchain> {
    if let Some(toolchain) = clang(Path::new("/opt/wasi-sdk/bin/clang")).await {
        return Some(toolchain);
    }
    for name in CLANGS {
        if let Some(toolchain) = clang(Path::new(name)).await {
            return Some(toolchain);
        }
    }
    if let Some(toolchain) = zig(Path::new("zig"), &[], folder).await {
        return Some(toolchain);
    }
    zig(&python(folder), &["-m", "ziglang"], folder).await
}

/// A clang with everything that a guest is made of; it says itself where that would be.
async fn clang(program: &Path) -> Option<CToolchain> {
    let version = answer(Command::new(program).arg("--version")).await?.lines().next()?.to_owned();
    for target in TARGETS {
        let target = format!("--target={target}");
        let has = async |question: &[&str]| {
            let found = answer(Command::new(program).arg(&target).args(question)).await;
            found.is_some_and(|path| Path::new(&path).is_absolute() && Path::new(&path).is_file())
        };
        if has(&["-print-file-name=crt1-reactor.o"]).await
            && has(&["-print-file-name=libc.a"]).await
            && has(&["-rtlib=compiler-rt", "-print-libgcc-file-name"]).await
            && has(&["-print-prog-name=wasm-ld"]).await
        {
            return Some(CToolchain {
                program: program.to_owned(),
                first: vec![target.into()],
                zig_cache: None,
                version,
            });
        }
    }
    None
}

async fn zig(program: &Path, before: &[&str], folder: &Path) -> Option<CToolchain> {
    let version = answer(Command::new(program).args(before).arg("version")).await?;
    let first = before.iter().chain(&["cc", "-target", "wasm32-wasi"]).map(OsString::from).collect();
    Some(CToolchain {
        program: program.to_owned(),
        first,
        zig_cache: Some(folder.join("zig-cache")),
        version: format!("zig {version}"),
    })
}

fn environment(folder: &Path) -> PathBuf {
    folder.join("ziglang")
}

fn python(folder: &Path) -> PathBuf {
    environment(folder).join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// zig as a Python package, in an environment of its own: nothing of the machine's is touched.
async fn install_ziglang(folder: &Path, progress: Progress<'_>, tried: &mut String) {
    let python3 = if cfg!(windows) { "python" } else { "python3" };
    progress("installing zig as a C compiler for wasm with pip (once, about 90 MB)");
    if install(Command::new(python3).args(["-m", "venv"]).arg(environment(folder)), progress, tried).await {
        let mut pip = Command::new(python(folder));
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--disable-pip-version-check", ZIGLANG]);
        install(&mut pip, progress, tried).await;
    }
}
