//! A Hub with projects in it, and Bridges that serve them, as processes.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use santokit_tests::{Bridge, Hub, ProjectFolder, planes::OPERATOR, stk_fed};
use tempfile::TempDir;

/// Everything that a Bridge needs.
pub(crate) struct Lab {
    dir: TempDir,
    hub: Hub,
    trusted: String,
    token: String,
    envs: String,
}

impl Lab {
    /// With projects of these names, each with an env `prod`.
    pub(crate) async fn start(projects: &[&str]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let hub = Hub::start(dir.path()).await?;
        let envs: Vec<String> = projects.iter().map(|project| format!("{project}/prod")).collect();
        let mut lab = Self { trusted: hub.key().await?, token: String::new(), envs: envs.join(","), hub, dir };
        for project in projects {
            let (folder, url) = (lab.dir.path(), format!("sqlite:{}", lab.dir.path().join(project).display()));
            lab.stk(folder, project, &["project", "create", project], "").await?;
            lab.stk(folder, project, &["env", "create", "prod"], "").await?;
            lab.stk(folder, project, &["connections", "set", "main", "--engine", "sqlite", "--url-stdin"], &url)
                .await?;
        }
        lab.token = lab.hub.service_token(&envs.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        Ok(lab)
    }

    /// `stk apply`, which waits for no Bridge.
    pub(crate) async fn apply(&self, project: &str, folder: &ProjectFolder) -> Result<()> {
        self.stk(folder.path(), project, &["apply", "--accept-grants", "--yes", "--wait", "0"], "").await
    }

    async fn stk(&self, folder: &Path, project: &str, args: &[&str], input: &str) -> Result<()> {
        let env = [
            ("STK_HUB_URL", self.hub.url.as_str()),
            ("STK_TOKEN", OPERATOR),
            ("STK_PROJECT", project),
            ("STK_ENV", "prod"),
        ];
        let finished = stk_fed(folder, args, &env, input).await?;
        ensure!(finished.code == 0, "stk {args:?}: {finished:?}");
        Ok(())
    }

    /// A Bridge of all envs with a folder of its own, for what it keeps and what it has compiled.
    pub(crate) async fn bridge(&self, name: &str, more: &[(&str, &str)]) -> Result<Bridge> {
        let folder = self.dir.path().join(name);
        fs::create_dir_all(&folder)?;
        let (cache, compiled) = (folder.join("cache"), folder.join("compiled"));
        let mut settings = vec![
            ("STK_BRIDGE_HUB_URL", self.hub.url.as_str()),
            ("STK_BRIDGE_SERVICE_TOKEN", &self.token),
            ("STK_BRIDGE_TRUSTED_KEYS", &self.trusted),
            ("STK_BRIDGE_ENVS", &self.envs),
            ("STK_BRIDGE_POLL_INTERVAL", "1s"),
            ("STK_BRIDGE_CACHE_DIR", cache.to_str().unwrap_or_default()),
            ("STK_BRIDGE_COMPILED_DIR", compiled.to_str().unwrap_or_default()),
            ("STK_LOG", "error"),
        ];
        settings.extend_from_slice(more);
        Bridge::start(&folder, &settings).await
    }
}

/// A project without a database: logics that are components, each a name, its bytes and more lines of its manifest.
pub(crate) fn project<'a>(
    name: &str,
    logics: impl IntoIterator<Item = (String, &'a [u8], &'a str)>,
) -> Result<ProjectFolder> {
    let folder = ProjectFolder::new([("santokit.yaml", format!("version: 1\nname: {name}\n").as_str())])?;
    for (logic, component, more) in logics {
        let manifest = format!("component: {{path: made.wasm}}\nauth: public\n{more}");
        folder.write(&format!("logics/{logic}/logic.yaml"), &manifest)?;
        fs::write(folder.path().join(format!("logics/{logic}/made.wasm")), component)?;
    }
    Ok(folder)
}
