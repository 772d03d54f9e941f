//! What this machine has, and how to add to it without asking anybody: Debian's package manager as root or with sudo.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::process::{answer, run, succeeds};
use crate::terminal::note;

const APT: &str = "/usr/bin/apt-get";
/// There where systemd runs.
const SERVICE_MANAGER: &str = "/run/systemd/system";
/// What Debian's packages ask whether they may start a service; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

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

/// Installs packages of servers. Where no service manager runs, as in a container, nothing is started: a package whose service
/// does not start there counts as not installed.
pub(crate) fn install_without_starting(packages: &[&str]) -> anyhow::Result<()> {
    if Path::new(SERVICE_MANAGER).is_dir() || Path::new(POLICY).exists() || !may_install() {
        return install(packages);
    }
    let written = format!("printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}");
    run(&mut as_root(&["sh", "-c", &written]))?;
    let installed = install(packages);
    run(&mut as_root(&["rm", "-f", POLICY]))?;
    installed
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    answer(program, &["--version"]).is_some()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn may_install() -> bool {
    is_root() || succeeds(Command::new("sudo").args(["-n", "true"]))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = as_root(&["env", "DEBIAN_FRONTEND=noninteractive", APT]);
    command.args(arguments);
    command
}

fn as_root(words: &[&str]) -> Command {
    let mut all = if is_root() { Vec::new() } else { vec!["sudo", "-n"] };
    all.extend(words);
    let mut command = Command::new(all[0]);
    command.args(&all[1..]);
    command
}
