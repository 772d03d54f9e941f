//! The developer's databases: where a relative URL leads, and whether a database is there yet.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use santokit_core::project::{DevConnection, DevEngine};
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use crate::failure::Failure;

/// A connection of `santokit.dev.yaml`, with its path made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// As the Hub is told it.
    pub engine: &'static str,
    /// As the Hub is told it.
    pub url: String,
    /// The file.
    pub file: PathBuf,
}

impl Database {
    /// Resolves a URL against the project folder; makes the folder that the file is in.
    pub fn new(root: &Path, connection: &DevConnection) -> anyhow::Result<Self> {
        let DevEngine::Sqlite = connection.engine;
        let wrong = || {
            Failure::failed(format!("{:?} is no SQLite URL", connection.url))
                .hint("write url: \"sqlite:.stk/dev/main.db\" in santokit.dev.yaml")
        };
        let rest = connection.url.strip_prefix("sqlite:").ok_or_else(wrong)?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if path.is_empty() || path == ":memory:" {
            return Err(wrong().into());
        }
        let file = root.join(path);
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let text = file.to_str().ok_or_else(wrong)?;
        let mut url = format!("sqlite:{}", encode(text));
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        Ok(Self { engine: "sqlite", url, file })
    }

    /// Whether the file is there.
    pub fn exists(&self) -> bool {
        self.file.is_file()
    }

    /// Opens it, for seeding.
    pub async fn open(&self) -> anyhow::Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(&self.file)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(std::time::Duration::from_secs(10))
            // A seed file is long, and slow, on purpose.
            .disable_statement_logging();
        SqliteConnection::connect_with(&options).await.with_context(|| format!("cannot open {}", self.file.display()))
    }
}

/// The characters that would end or change a URL's path.
fn encode(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '%' => text.push_str("%25"),
            '?' => text.push_str("%3F"),
            '#' => text.push_str("%23"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_lead_into_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let connection = |url: &str| DevConnection { engine: DevEngine::Sqlite, url: url.to_owned() };
        let database = Database::new(folder.path(), &connection("sqlite:.stk/dev/a.db?mode=rwc")).unwrap();
        assert_eq!(database.file, folder.path().join(".stk/dev/a.db"));
        assert!(
            database.url.ends_with("/.stk/dev/a.db?mode=rwc") && database.url.starts_with("sqlite:/"),
            "{}",
            database.url
        );
        assert!(Database::new(folder.path(), &connection("postgres://x")).is_err());
        assert!(Database::new(folder.path(), &connection("sqlite::memory:")).is_err());
    }
}
