//! What this machine has, and how to add to it without asking anybody: Debian's package manager as root or with sudo.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::process::{answer, run, succeeds};
use crate::terminal::note;

const APT: &str = "/usr/bin/apt-get";

/// Installs Debian packages; the error says what the user has to do instead.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = format!("as root: `apt-get install {}`", packages.join(" "));
    if !Path::new(APT).is_file() {
        bail!("this machine has no apt-get; install the counterpart of {}", packages.join(" "));
    }
    if !may_install() {
        bail!("not root, and sudo asks for a password; {by_hand}");
    }
    note(&format!("installing {} (apt-get)", packages.join(" ")));
    let mut wanted = vec!["install", "-y", "-q", "--no-install-recommends"];
    wanted.extend(packages);
    // The lists of a fresh machine are empty or old: refresh them once when the first attempt does not find the packages.
    if succeeds(&mut apt(&wanted)) {
        return Ok(());
    }
    note("refreshing the list of packages (apt-get update)");
    if !succeeds(&mut apt(&["update", "-q"])) {
        note("some package lists could not be had; trying with those that could");
    }
    if run(&mut apt(&wanted)).is_err() {
        bail!("apt-get could not install {}; see its output above, then {by_hand}", packages.join(" "));
    }
    Ok(())
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    answer(program, &["--version"]).is_some()
}

/// The major version that a program reports, as in `v20.1.0` or `20.1.0`.
pub(crate) fn major_version(program: &str) -> Option<u32> {
    parse_major(&answer(program, &["--version"])?)
}

fn parse_major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn may_install() -> bool {
    is_root() || succeeds(Command::new("sudo").args(["-n", "true"]))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = if is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", APT]).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        assert_eq!(parse_major("v20.20.2"), Some(20));
        assert_eq!(parse_major("11.19.1"), Some(11));
        assert_eq!(parse_major("unknown"), None);
    }
}
