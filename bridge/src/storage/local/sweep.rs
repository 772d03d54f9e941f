//! What a crash has left of objects on a disk is removed: files that no index names, parts of uploads that were never finished. What is young may
//! still be on its way, also from another Bridge that shares the disk.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use super::{Folder, Index, blocking, now, remove_file};

const UNNAMED_KEPT: Duration = Duration::from_hours(24);
/// Parts may be on their way for as long as a URL lives, and an upload lives for a day.
const PARTS_KEPT: Duration = Duration::from_hours(48);
/// After the first time, which looks at all folders of objects, each time looks at so many parts of them: what is old enough to go is a day old.
const TURNS: usize = 24;
/// Files that the index is asked of at once.
const FILES_AT_ONCE: usize = 1_000;

/// As long as somebody has the store.
pub(super) async fn again_and_again(folder: Weak<Folder>, index: Index, every: Duration) {
    let mut turn = None;
    loop {
        let Some(folder) = folder.upgrade() else { return };
        sweep(&folder, &index, turn).await;
        drop(folder);
        turn = Some(turn.map_or(0, |turn| (turn + 1) % TURNS));
        tokio::time::sleep(every).await;
    }
}

/// What fails is tried the next time; why is in the log.
async fn sweep(folder: &Arc<Folder>, index: &Index, turn: Option<usize>) {
    let of = Arc::clone(folder);
    for dir in blocking(move || Ok(of.swept(turn))).await.unwrap_or_default() {
        unnamed(dir, folder, index).await;
    }
    let since = now().saturating_sub(u64::try_from(PARTS_KEPT.as_millis()).unwrap_or(u64::MAX));
    while let Ok(files) = index.remove_old_parts(since).await
        && !files.is_empty()
    {
        let paths = files.iter().map(|file| folder.object(file)).collect();
        remove(paths).await;
    }
    // Whoever asks for more is told that the upload has expired.
    drop(index.forget_joined(since).await);
}

/// Those of a folder that are old, and that no index names.
async fn unnamed(dir: PathBuf, folder: &Arc<Folder>, index: &Index) {
    let is_incoming = dir == folder.incoming();
    let of = dir.clone();
    let old = blocking(move || Ok(old_files(&of))).await.unwrap_or_default();
    for names in old.chunks(FILES_AT_ONCE) {
        let Ok(named) = index.named(names).await else { return };
        let is_left = |name: &&String| is_incoming || !named.contains(*name);
        remove(names.iter().filter(is_left).map(|name| dir.join(name)).collect()).await;
    }
}

async fn remove(paths: Vec<PathBuf>) {
    let removed = blocking(move || {
        for path in &paths {
            remove_file(path);
        }
        Ok(())
    });
    drop(removed.await);
}

impl Folder {
    /// The folders that are looked at.
    fn swept(&self, turn: Option<usize>) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.objects()).into_iter().flatten().flatten();
        let is_due = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let number = name
                .as_encoded_bytes()
                .iter()
                .fold(0_usize, |number, byte| number.wrapping_mul(31).wrapping_add(usize::from(*byte)));
            turn.is_none_or(|turn| number % TURNS == turn)
        };
        entries.filter(is_due).map(|entry| entry.path()).chain([self.incoming()]).collect()
    }
}

fn old_files(dir: &Path) -> Vec<String> {
    let is_old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|known| known.modified()).unwrap_or_else(|_| SystemTime::now());
        modified.elapsed().is_ok_and(|age| age > UNNAMED_KEPT)
    };
    let files = fs::read_dir(dir).into_iter().flatten().flatten().filter(is_old);
    files.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
