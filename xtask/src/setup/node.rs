//! Node.js with npm: logic in TypeScript is bundled and embedded by two npm packages.

use anyhow::bail;

use crate::machine;
use crate::terminal::note;

/// The oldest that the packages run on.
const OLDEST: u32 = 18;

/// Finds or installs Node.js.
pub(super) fn ensure() -> anyhow::Result<()> {
    let absent = machine::major_version("node").is_none() || !machine::has("npm");
    if absent {
        machine::install(&["nodejs", "npm"])?;
    }
    match machine::major_version("node") {
        Some(major) if major >= OLDEST && machine::has("npm") => {
            note(&format!("Node.js: {major}"));
            Ok(())
        }
        Some(major) if major < OLDEST => {
            bail!("Node.js is version {major}, {OLDEST} or later is needed; install it from https://nodejs.org")
        }
        _ => bail!("Node.js {OLDEST} or later with npm is needed; install it from https://nodejs.org"),
    }
}
