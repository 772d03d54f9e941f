//! `stk init`: a project folder that `stk dev` serves at once.

use std::path::Path;

use anyhow::Context as _;
use rand::RngExt;
use santokit_core::name::check_label;
use serde_json::json;

use super::Shell;
use crate::{
    build::{CACHE_DIR, JsEngine, Language, template, write_sdk},
    failure::Failure,
    report::Tone,
};

/// Flags of `stk init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk init shop --template rust && cd shop && stk dev")]
pub struct Options {
    /// The project's name, and its folder's; default: this folder
    pub name: Option<String>,
    /// What the first logic is written in
    #[arg(long, value_enum, default_value_t = Template::Ts)]
    pub template: Template,
}

/// First projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A table and SQL logic; nothing is built
    Sql,
    /// The same and a logic in TypeScript
    Ts,
    /// The same and a logic in JavaScript
    Js,
    /// The same and a logic in Rust
    Rust,
    /// The same and a logic in Python
    Python,
    /// The same and a logic in C
    C,
}

const FILES: [(&str, &str); 6] = [
    ("santokit.yaml", include_str!("init/santokit.yaml")),
    ("santokit.dev.yaml", include_str!("init/santokit.dev.yaml")),
    ("schema/main.yaml", include_str!("init/schema.yaml")),
    ("logics/list_notes.sql", include_str!("init/list_notes.sql")),
    ("logics/add_note.sql", include_str!("init/add_note.sql")),
    ("seed/notes.csv", include_str!("init/notes.csv")),
];
const GITIGNORE: &str = ".stk/\ntarget/\nnode_modules/\n";

/// Runs it.
pub fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let root = options.name.as_ref().map_or_else(|| shell.dir.clone(), |name| shell.dir.join(name));
    let name = root.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    check_label("the project's name", &name)
        .map_err(|error| Failure::usage(error.to_string()).hint("name it: stk init my-project"))?;
    for file in ["santokit.yaml", "santokit.yml"] {
        if root.join(file).exists() {
            return Err(Failure::failed(format!("{} has a {file} already", root.display()))
                .hint("run `stk dev` in it")
                .into());
        }
    }
    let mut written = Vec::new();
    for (path, text) in FILES {
        let text = text.replace("{{name}}", &name).replace("{{secret}}", &secret());
        write_new(&root, path, &text, &mut written)?;
    }
    write_new(&root, ".gitignore", GITIGNORE, &mut written)?;
    let language = match options.template {
        Template::Sql => None,
        Template::Ts => Some(Language::Ts(JsEngine::default())),
        Template::Js => Some(Language::Js(JsEngine::default())),
        Template::Rust => Some(Language::Rust),
        Template::Python => Some(Language::Python),
        Template::C => Some(Language::C),
    };
    if let Some(language) = language {
        for file in template(language, "hello").unwrap_or_default() {
            write_new(&root, &format!("logics/hello/{}", file.path), &file.content, &mut written)?;
        }
        // So that an editor finds the SDK's types before the first build.
        write_sdk(&root.join(CACHE_DIR))?;
    }
    shell.terminal.answer(&json!({"project": name, "dir": root, "files": written}), |terminal| {
        terminal.say(&format!("{} {} with {} files", terminal.tone(Tone::Good, "made"), root.display(), written.len()));
        let cd = options.name.as_ref().map(|name| format!("cd {name} && ")).unwrap_or_default();
        terminal.say(&format!("next: {cd}stk dev"));
        terminal.say("then: stk call logics/list_notes; the key for the others is in santokit.dev.yaml");
    });
    Ok(())
}

/// Never over a file that is there.
fn write_new(root: &Path, path: &str, text: &str, written: &mut Vec<String>) -> anyhow::Result<()> {
    let target = root.join(path);
    if target.exists() {
        return Ok(());
    }
    let make = || -> std::io::Result<()> {
        if let Some(dir) = target.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&target, text)
    };
    make().with_context(|| format!("cannot write {}", target.display()))?;
    written.push(path.to_owned());
    Ok(())
}

/// The secret part of the development key.
fn secret() -> String {
    let mut random = rand::rng();
    (0..24).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[random.random_range(0..32)])).collect()
}
