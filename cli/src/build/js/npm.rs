//! Packages of the npm registry, fetched without npm. The two tools are one package for each platform with one program in it.
//!
//! Their versions and digests are those of `package-lock.json`, which `npm install --package-lock-only` writes in that folder.
//! No script of a package is run, and nothing that does not have its digest is unpacked.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA512, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value as Json;

use crate::build::cache::blocking;
use crate::build::{BuildError, Progress};
use crate::user_cache;

/// Pins versions and digests.
pub(super) const LOCK: &str = include_str!("package-lock.json");

const REGISTRY: &str = "https://registry.npmjs.org/";
/// What a package may have, packed and unpacked.
const PACKED_MAX: u64 = 64 << 20;
const UNPACKED_MAX: u64 = 256 << 20;
const FETCH_TIME: Duration = Duration::from_mins(10);

/// Where the programs are.
pub(super) struct Tools {
    pub(super) esbuild: PathBuf,
    pub(super) tsc: PathBuf,
}

/// One package as it is pinned.
pub(super) struct Package {
    pub(super) name: Cow<'static, str>,
    pub(super) version: Cow<'static, str>,
    /// `sha512-` and base64, as `npm view NAME@VERSION dist.integrity` prints it.
    pub(super) integrity: Cow<'static, str>,
}

/// Finds the tools, or fetches them.
pub(super) async fn tools(cache: &Path, progress: Progress<'_>) -> Result<Tools, BuildError> {
    let folder = folder(cache);
    let (system, processor) = platform();
    let (esbuild, tsc) = if system == "win32" { ("esbuild.exe", "lib/tsc.exe") } else { ("bin/esbuild", "lib/tsc") };
    let esbuild = program(&folder, &format!("@esbuild/{system}-{processor}"), esbuild, progress).await?;
    let tsc = program(&folder, &format!("@typescript/typescript-{system}-{processor}"), tsc, progress).await?;
    Ok(Tools { esbuild, tsc })
}

/// Where the tools are kept.
pub(super) fn folder(cache: &Path) -> PathBuf {
    user_cache::folder("STK_JS_TOOLCHAIN_DIR", "js-toolchain", cache)
}

/// The registry's words for this machine.
fn platform() -> (&'static str, &'static str) {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    (system, processor)
}

/// A program of a package, which is fetched where it is not there yet.
async fn program(folder: &Path, name: &str, program: &str, progress: Progress<'_>) -> Result<PathBuf, BuildError> {
    let package = pinned(name).ok_or_else(|| BuildError::Toolchain {
        missing: format!("{name} is not made for this platform"),
        next: "build the logic on another machine, and name the component with `component: {path: …}`".to_owned(),
        output: String::new(),
    })?;
    Ok(unpacked(folder, &package, progress).await?.join(program))
}

/// The folder of a package's files, which are fetched where they are not there yet.
pub(super) async fn unpacked(folder: &Path, package: &Package, progress: Progress<'_>) -> Result<PathBuf, BuildError> {
    let home = folder.join(format!("{}-{}", package.name.replace(['@', '/'], "_"), package.version));
    if home.is_dir() {
        return Ok(home);
    }
    let _turn = turn(folder).await?;
    if !home.is_dir() {
        progress(&format!("fetching {} {} (once)", package.name, package.version));
        let packed = fetch(package).await?;
        let home = home.clone();
        blocking(move || unpack(&packed, &home)).await?;
    }
    Ok(home)
}

fn pinned(name: &str) -> Option<Package> {
    let lock: Json = serde_json::from_str(LOCK).ok()?;
    let entry = &lock["packages"][format!("node_modules/{name}")];
    let text = |key: &str| entry[key].as_str().map(|text| Cow::Owned(text.to_owned()));
    Some(Package { name: Cow::Owned(name.to_owned()), version: text("version")?, integrity: text("integrity")? })
}

async fn fetch(package: &Package) -> Result<Vec<u8>, BuildError> {
    let registry = Registry::of_this_machine();
    let (_, short) = package.name.split_once('/').unwrap_or(("", &package.name));
    let url = format!("{}{}/-/{short}-{}.tgz", registry.url, package.name, package.version);
    let failed = |why: String| BuildError::Toolchain {
        missing: format!("{} {} cannot be fetched from {url}", package.name, package.version),
        next: "check that the registry can be reached, or name another with NPM_CONFIG_REGISTRY, then build again"
            .to_owned(),
        output: why,
    };
    let fetched = async {
        let client = reqwest::Client::builder().timeout(FETCH_TIME).build()?;
        let mut request = client.get(&url);
        if let Some(token) = &registry.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?.error_for_status()?;
        if response.content_length().is_some_and(|length| length > PACKED_MAX) {
            return Ok(Vec::new());
        }
        response.bytes().await.map(|bytes| bytes.to_vec())
    };
    let packed = fetched.await.map_err(|error: reqwest::Error| failed(error.without_url().to_string()))?;
    let found = format!("sha512-{}", STANDARD.encode(digest(&SHA512, &packed)));
    if found != package.integrity {
        return Err(failed(format!("what came has the digest {found}, and {} is expected", package.integrity)));
    }
    Ok(packed)
}

/// Unpacks aside, then renames: a package is whole or not there.
fn unpack(packed: &[u8], home: &Path) -> Result<(), BuildError> {
    let parent = home.parent().unwrap_or(home);
    let failed = |source| BuildError::io("unpack", home, source);
    let aside = tempfile::tempdir_in(parent).map_err(failed)?;
    let limited = flate2::read::GzDecoder::new(packed).take(UNPACKED_MAX);
    let mut archive = tar::Archive::new(limited);
    archive.set_preserve_permissions(true);
    archive.unpack(aside.path()).map_err(failed)?;
    match std::fs::rename(aside.path().join("package"), home) {
        Err(_) if home.is_dir() => Ok(()),
        other => other.map_err(failed),
    }
}

/// Where packages come from.
struct Registry {
    /// With a slash at its end.
    url: String,
    token: Option<String>,
}

impl Registry {
    /// As npm finds it: the environment, then the user's `.npmrc`, then the public one.
    fn of_this_machine() -> Self {
        let variable = ["NPM_CONFIG_REGISTRY", "npm_config_registry"].iter().find_map(|name| std::env::var(name).ok());
        let rc = std::env::home_dir().and_then(|home| std::fs::read_to_string(home.join(".npmrc")).ok());
        Self::of(variable.as_deref(), rc.as_deref().unwrap_or_default())
    }

    fn of(variable: Option<&str>, rc: &str) -> Self {
        let setting = |wanted: &str| {
            let pairs = rc.lines().filter_map(|line| line.split_once('='));
            pairs.filter(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim().to_owned()).next_back()
        };
        let url = variable.map(str::to_owned).filter(|url| !url.is_empty()).or_else(|| setting("registry"));
        let url = format!("{}/", url.as_deref().unwrap_or(REGISTRY).trim_end_matches('/'));
        let place = url.split_once(':').map_or("", |(_, place)| place);
        let token = setting(&format!("{place}:_authToken"));
        // npm lets the token be a variable: `${NPM_TOKEN}`.
        let token = token.and_then(|token| match token.strip_prefix("${").and_then(|name| name.strip_suffix('}')) {
            Some(name) => std::env::var(name).ok(),
            None => Some(token),
        });
        Self { url, token }
    }
}

/// One fetches, the others wait.
async fn turn(folder: &Path) -> Result<File, BuildError> {
    let folder = folder.to_owned();
    blocking(move || {
        let path = folder.join(".stk-lock");
        std::fs::create_dir_all(&folder)
            .and_then(|()| File::create(&path))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| BuildError::io("lock", &path, source))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{LOCK, Registry, pinned, unpack};

    #[test]
    fn both_tools_are_pinned_for_the_platforms_that_people_develop_on() {
        for platform in ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"] {
            for name in [format!("@esbuild/{platform}"), format!("@typescript/typescript-{platform}")] {
                let package = pinned(&name).unwrap_or_else(|| panic!("{name} is not in the lock file"));
                assert!(package.integrity.starts_with("sha512-"), "{name}");
            }
        }
        assert!(!LOCK.contains("\"resolved\""), "the lock file is for any registry");
    }

    #[test]
    fn the_registry_is_found_as_npm_finds_it() {
        assert_eq!(Registry::of(None, "").url, super::REGISTRY);
        let rc = "registry = https://npm.example.com/team\n//npm.example.com/team/:_authToken=abc\n";
        let found = Registry::of(None, rc);
        assert_eq!((found.url.as_str(), found.token.as_deref()), ("https://npm.example.com/team/", Some("abc")));
        let found = Registry::of(Some("http://other.example.com"), rc);
        assert_eq!((found.url.as_str(), found.token), ("http://other.example.com/", None));
    }

    #[test]
    fn a_package_cannot_write_outside_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.as_gnu_mut().unwrap().name[..16].copy_from_slice(b"package/../../up");
        header.set_cksum();
        archive.append(&header, b"text".as_slice()).unwrap();
        let packed = archive.into_inner().unwrap().finish().unwrap();
        assert!(unpack(&packed, &folder.path().join("inner/home")).is_err());
        assert!(!folder.path().join("up").exists());
    }
}
