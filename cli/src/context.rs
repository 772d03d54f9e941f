//! Which Hub, project and env a command means: flags first, then the environment, then `.stk/context.json`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use santokit_core::wire::Sealed;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Relative to the project folder.
pub const FILE: &str = ".stk/context.json";

/// What is kept between commands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Context {
    /// The Hub's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub_url: Option<String>,
    /// The project's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The env's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The operator's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Sealed>,
}

/// Flags that every command with a Hub takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Target {
    /// The Hub's address, for example <http://127.0.0.1:7070>
    #[arg(long, env = "STK_HUB_URL", value_name = "URL")]
    pub hub_url: Option<String>,
    /// An operator's token for the Hub
    #[arg(long, env = "STK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The project's name; default: the one of santokit.yaml
    #[arg(long, env = "STK_PROJECT", value_name = "NAME")]
    pub project: Option<String>,
    /// The env's name
    #[arg(long, env = "STK_ENV", value_name = "NAME")]
    pub env: Option<String>,
}

/// Flags of commands that are about the whole Hub.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HubTarget {
    /// The Hub's address, for example <http://127.0.0.1:7070>
    #[arg(long, env = "STK_HUB_URL", value_name = "URL")]
    pub hub_url: Option<String>,
    /// An operator's token for the Hub
    #[arg(long, env = "STK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

impl HubTarget {
    /// As flags of any command.
    pub fn target(&self) -> Target {
        Target { hub_url: self.hub_url.clone(), token: self.token.clone(), project: None, env: None }
    }
}

impl Context {
    /// Of a folder; empty where there is none.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} cannot be read; `stk context clear` removes it", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes it, readable by its owner only: it holds a token.
    pub fn save(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = folder.join(FILE);
        write_private(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }

    /// With flags and environment over it.
    #[must_use]
    pub fn under(self, target: &Target) -> Self {
        Self {
            hub_url: target.hub_url.clone().or(self.hub_url),
            project: target.project.clone().or(self.project),
            env: target.env.clone().or(self.env),
            token: target.token.clone().map(Sealed::new).or(self.token),
        }
    }

    /// The project, or what to do.
    pub fn project(&self) -> anyhow::Result<&str> {
        self.project.as_deref().ok_or_else(|| {
            Failure::usage("no project is named")
                .hint("say --project NAME, or run in a folder with santokit.yaml")
                .into()
        })
    }

    /// The env, or what to do.
    pub fn env(&self) -> anyhow::Result<&str> {
        self.env.as_deref().ok_or_else(|| {
            Failure::usage("no env is named")
                .hint("say --env NAME, or keep one with `stk context set --env NAME`")
                .into()
        })
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let aside = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
