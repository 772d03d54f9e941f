//! Waiting for a save: every folder of the project that is its author's own, a burst of events counted as one.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::folder::FOREIGN;

/// A save is over when nothing happened for this long.
const QUIET: Duration = Duration::from_millis(80);
/// Even if something writes all the time.
const BURST_MAX: Duration = Duration::from_secs(1);
const FOLDERS_MAX: usize = 5000;

/// A watched project folder.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    gone: Arc<Mutex<Vec<PathBuf>>>,
    changed: Arc<Notify>,
}

impl Watch {
    /// Begins to watch. Events from now on are not lost, whoever waits.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let changed = Arc::new(Notify::new());
        let gone = Arc::new(Mutex::new(Vec::new()));
        let (notify, base, removed) = (changed.clone(), root.to_owned(), gone.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) => {
                if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
                    locked(&removed).extend(event.paths.iter().cloned());
                }
                if matters(&event, &base) {
                    tracing::debug!(?event, "a save");
                    notify.notify_one();
                }
            }
            // An error may hide an event: look rather once too often.
            Err(_) => notify.notify_one(),
        })
        .context("the project folder cannot be watched")?;
        let mut watch = Self { root: root.to_owned(), watcher, watched: BTreeSet::new(), gone, changed };
        watch.add_folders()?;
        Ok(watch)
    }

    /// Returns after the next save.
    pub async fn changed(&mut self) -> anyhow::Result<()> {
        self.changed.notified().await;
        let since = Instant::now();
        while since.elapsed() < BURST_MAX && timeout(QUIET, self.changed.notified()).await.is_ok() {}
        self.add_folders()
    }

    /// Whole trees are not given to the watcher: build folders below them are large and busy.
    fn add_folders(&mut self) -> anyhow::Result<()> {
        // A folder that went and came again is another one.
        for path in locked(&self.gone).drain(..) {
            self.watched.retain(|dir| !dir.starts_with(&path) || *dir == self.root);
        }
        let mut open = vec![self.root.clone()];
        let mut count = 0;
        while let Some(dir) = open.pop() {
            count += 1;
            anyhow::ensure!(
                count <= FOLDERS_MAX,
                "more than {FOLDERS_MAX} folders in the project; move what is no part of it"
            );
            if !self.watched.contains(&dir) {
                if let Err(error) = self.watcher.watch(&dir, RecursiveMode::NonRecursive) {
                    if dir == self.root {
                        return Err(error).context("the project folder cannot be watched");
                    }
                    // It went between the look and the watch.
                    continue;
                }
                self.watched.insert(dir.clone());
            }
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            for entry in entries.flatten() {
                let is_own = !is_foreign(entry.file_name().to_str().unwrap_or_default());
                if is_own && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(entry.path());
                }
            }
        }
        Ok(())
    }
}

fn locked(paths: &Mutex<Vec<PathBuf>>) -> MutexGuard<'_, Vec<PathBuf>> {
    paths.lock().unwrap_or_else(PoisonError::into_inner)
}

fn matters(event: &Event, root: &Path) -> bool {
    let kind = match event.kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    };
    kind && (event.paths.is_empty() || event.paths.iter().any(|path| is_own(path.strip_prefix(root).unwrap_or(path))))
}

fn is_own(path: &Path) -> bool {
    let foreign = path
        .components()
        .any(|part| matches!(part, Component::Normal(name) if is_foreign(name.to_str().unwrap_or_default())));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // Editors' and tools' own files; a lock file is written by the build itself.
    let by_tools = name.ends_with('~')
        || path.extension().is_some_and(|extension| extension == "swp")
        || name == "4913"
        || name == "Cargo.lock";
    !foreign && !by_tools
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name) || name == ".git"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn saves_are_seen_and_builds_are_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("logics/a/target")).unwrap();
        std::fs::create_dir_all(folder.path().join(".stk")).unwrap();
        let mut watch = Watch::new(folder.path()).unwrap();
        std::fs::write(folder.path().join("logics/a/target/x.o"), "x").unwrap();
        std::fs::write(folder.path().join(".stk/x"), "x").unwrap();
        std::fs::write(folder.path().join("logics/a/Cargo.lock"), "x").unwrap();
        assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
        std::fs::write(folder.path().join("logics/a/aside"), "x").unwrap();
        std::fs::rename(folder.path().join("logics/a/aside"), folder.path().join("logics/a/index.ts")).unwrap();
        timeout(Duration::from_secs(5), watch.changed()).await.unwrap().unwrap();
        std::fs::create_dir_all(folder.path().join("logics/b")).unwrap();
        timeout(Duration::from_secs(5), watch.changed()).await.unwrap().unwrap();
        std::fs::write(folder.path().join("logics/b/index.ts"), "x").unwrap();
        timeout(Duration::from_secs(5), watch.changed()).await.unwrap().unwrap();
    }
}
