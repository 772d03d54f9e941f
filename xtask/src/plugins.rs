//! The components of the plugins, made of their sources by the `stk` of this tree as a user would make a logic. They are kept in the repository, so that
//! `stk` has them in it wherever it is built; a test sees to it that they are those of their sources.

mod strip;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process::{cargo, run};
use crate::project_copy;
use crate::terminal::step;

/// Where they lie.
const FOLDER: &str = "plugins";

/// What they are built on, from the folder of one, and what of it is in a component.
const SDK: &str = "../../sdk-guest/rust";
const OF_SDK: [&str; 3] = ["Cargo.toml", "src", "wit"];

/// The example that has some of them, as `stk plugins add` brings them.
const EXAMPLE: &str = "examples/shop/logics";

/// What stands for a project's own words while a component is made.
const WORDS: [(&str, &str); 5] = [
    ("{{url}}", "https://plugin.example/"),
    ("{{host}}", "plugin.example"),
    ("{{path}}", "/"),
    ("{{secret}}", "ITS_SECRET"),
    ("{{config}}", "its_url"),
];

/// Makes the component of each, and says of which sources.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    for name in all(root)? {
        step(&format!("plugin {name}"), || make(root, &name))?;
    }
    Ok(())
}

/// Runs cargo for each, in folders of their own: they are in no workspace.
pub(crate) fn each(root: &Path, action: &str, arguments: &[&str]) -> anyhow::Result<()> {
    for name in all(root)? {
        let mut command = cargo(root);
        command.args([action, "--locked", "--manifest-path"]).arg(source(root, &name).join("Cargo.toml"));
        run(command.args(["--target-dir", "target/guest-sdk"]).args(arguments))?;
    }
    Ok(())
}

fn make(root: &Path, name: &str) -> anyhow::Result<()> {
    let project = root.join("target/guests/plugins").join(name);
    let logic = project.join("logics").join(name);
    project_copy::renew(&source(root, name), &logic)?;
    let edited = |file: &str, from: &str, to: &str| {
        let path = logic.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        std::fs::write(&path, text.replace(from, to)).with_context(|| format!("cannot write {}", path.display()))
    };
    // The same folders lead to the SDK that `stk` writes.
    edited("Cargo.toml", "../../sdk-guest/rust", "../../.stk/cache/sdk/rust")?;
    for (word, value) in WORDS {
        edited("logic.yaml", word, value)?;
    }
    edited("logic.yaml", &format!("{{path: {name}.wasm}}"), "{build: rust}")?;
    std::fs::write(project.join("santokit.yaml"), format!("version: 1\nname: {name}\nconfig: {{its_url: none}}\n"))?;
    let components = project.join("components");
    let mut stk = Command::new(root.join("target/debug/stk"));
    stk.args(["logic", "build", name, "--output"]).arg(&components);
    // In a target folder of its own: what is shared among projects has the folder of one of them in it.
    run(stk.current_dir(&project).env_remove("STK_GUEST_TARGET_DIR"))?;
    let made = format!("{name}.wasm");
    let component = std::fs::read(components.join(&made)).with_context(|| format!("no {made}"))?;
    std::fs::write(source(root, name).join(&made), strip::strip(&component)?)?;
    std::fs::write(source(root, name).join("made-of"), made_of(&source(root, name), &made)?)?;
    bring(root, name, &made)
}

/// What a newer `stk plugins add --replace` would write, where the example has the plugin.
fn bring(root: &Path, name: &str, made: &str) -> anyhow::Result<()> {
    let logic = root.join(EXAMPLE).join(name);
    if !logic.join(made).is_file() {
        return Ok(());
    }
    for file in [made, "README.md"] {
        let (from, to) = (source(root, name).join(file), logic.join(file));
        std::fs::copy(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// What was made, and of what: a line for each file, with its SHA-256, and one for the SDK, with that of such lines of its files.
fn made_of(folder: &Path, made: &str) -> anyhow::Result<String> {
    let own = sums(folder, &below(folder, &["Cargo.lock", "Cargo.toml", "src", made])?, "")?;
    let sdk = folder.join(SDK);
    let of_sdk = sums(&sdk, &[], &sums(&sdk, &below(&sdk, &OF_SDK)?, "")?)?;
    let (digest, _) = of_sdk.split_once(' ').context("sha256sum answers a digest and a name")?;
    Ok(format!("{own}{digest}  {SDK}\n"))
}

/// Files below some names of a folder, in order.
fn below(folder: &Path, names: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut open: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut files = Vec::new();
    while let Some(name) = open.pop() {
        let path = folder.join(&name);
        if !path.is_dir() {
            files.push(name);
            continue;
        }
        for entry in std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))? {
            open.push(format!("{name}/{}", entry?.file_name().to_string_lossy()));
        }
    }
    files.sort();
    Ok(files)
}

/// A line for each file of a folder; where none is named, one for a text.
fn sums(folder: &Path, files: &[String], text: &str) -> anyhow::Result<String> {
    let mut command = Command::new("sha256sum");
    command.current_dir(folder).args(files).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut started = command.spawn().context("cannot start `sha256sum`")?;
    if let Some(mut input) = started.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let output = started.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "sha256sum failed in {}", folder.display());
    Ok(String::from_utf8(output.stdout)?)
}

fn source(root: &Path, name: &str) -> PathBuf {
    root.join(FOLDER).join(name)
}

/// Names of the plugins, in order.
fn all(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join(FOLDER)).context("cannot read plugins/")? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
