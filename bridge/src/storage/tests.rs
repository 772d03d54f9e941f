//! Objects on a disk: what is seen while others write, after a crash, and where there is no room.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use santokit_core::{quantity::Bytes, storage};

use super::*;

mod kept;

struct World {
    dir: tempfile::TempDir,
    stores: Stores,
}

impl World {
    fn new(env_bytes_max: u64) -> Self {
        Self::over(tempfile::tempdir().unwrap(), env_bytes_max)
    }

    /// A Bridge that starts, where another one was.
    fn over(dir: tempfile::TempDir, env_bytes_max: u64) -> Self {
        let stores = Stores::new(StorageConfig::at(dir.path().to_owned(), env_bytes_max));
        Self { dir, stores }
    }

    fn bucket(&self, env: &str, alias: &str) -> Bucket {
        let env = EnvName { project: "shop".to_owned(), env: env.to_owned() };
        let bucket = storage::Bucket {
            provider: storage::Provider::Local,
            max_object: Bytes(100_000),
            policies: BTreeMap::new(),
            events: BucketEvents::default(),
            s3: None,
        };
        let buckets = BTreeMap::from([("one".to_owned(), bucket.clone()), ("two".to_owned(), bucket)]);
        self.stores.buckets(&env, &Storage { buckets }, &Secrets::default()).unwrap().get(alias).unwrap().clone()
    }

    /// Files of an env that hold bytes of objects.
    fn files(&self, env: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.path().join("shop").join(env)];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.path().is_dir() { open.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("obj_")));
        found
    }
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn prefix(text: &str) -> ObjectPrefix {
    ObjectPrefix::parse(text).unwrap()
}

async fn put(bucket: &Bucket, name: &str, bytes: &[u8], condition: Condition) -> Result<ObjectStat, StorageError> {
    let mut writer = bucket.create(key(name), PutOptions { condition, ..PutOptions::default() }).await?;
    writer.write(bytes.to_vec()).await?;
    writer.finish().await
}

async fn read(bucket: &Bucket, name: &str) -> Vec<u8> {
    let reader = bucket.open(&key(name)).await.unwrap();
    let length = usize::try_from(reader.stat.size).unwrap();
    reader.read(0, length).await.unwrap()
}

#[tokio::test]
async fn keys_are_names_and_no_paths() {
    let world = World::new(1 << 20);
    let (one, two, other) = (world.bucket("dev", "one"), world.bucket("dev", "two"), world.bucket("prod", "one"));
    let names = ["a", "a/b", "A", "%2e%2e/x", "é", "…", "index.db", "objects", "con", &"x".repeat(1_000)];
    for (number, name) in names.iter().enumerate() {
        put(&one, name, &[u8::try_from(number).unwrap()], Condition::None).await.unwrap();
    }
    for (number, name) in names.iter().enumerate() {
        assert_eq!(read(&one, name).await, [u8::try_from(number).unwrap()], "{name}");
        assert_eq!(two.stat(&key(name)).await, Ok(None), "another bucket");
        assert_eq!(other.stat(&key(name)).await, Ok(None), "another env");
    }
    let outside: Vec<PathBuf> = fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(outside, [world.dir.path().join("shop")], "nothing is written elsewhere");
    #[cfg(unix)]
    for path in world.files("dev").iter().map(PathBuf::as_path).chain([&*world.dir.path().join("shop/dev")]) {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn lists_go_page_by_page_in_the_order_of_bytes() {
    let world = World::new(1 << 20);
    let (one, two) = (world.bucket("dev", "one"), world.bucket("dev", "two"));
    for name in ["b", "a/2", "a/10", "a/1", "a0", "a", "A", "a/é", "a/z", "ab"] {
        put(&one, name, b"x", Condition::None).await.unwrap();
    }
    put(&two, "a/other", b"x", Condition::None).await.unwrap();
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = one.list(&prefix("a/"), after.as_ref(), 2).await.unwrap();
        pages.push(page.objects.into_iter().map(|object| object.key).collect::<Vec<_>>());
        match page.next {
            Some(next) => after = Some(key(&next)),
            None => break,
        }
    }
    assert_eq!(pages, [vec!["a/1", "a/10"], vec!["a/2", "a/z"], vec!["a/é"]]);
    let all = one.list(&prefix(""), None, 100).await.unwrap();
    let all: Vec<&str> = all.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(all, ["A", "a", "a/1", "a/10", "a/2", "a/z", "a/é", "a0", "ab", "b"]);
    assert!(one.list(&prefix("c"), None, 1).await.unwrap().objects.is_empty());
    // A cursor that lies before what is listed, or behind it.
    assert_eq!(one.list(&prefix("a/"), Some(&key("A")), 9).await.unwrap().objects.len(), 5);
    assert_eq!(one.list(&prefix("a/"), Some(&key("b")), 9).await.unwrap().objects.len(), 0);
}

/// Of many that write at once where there is nothing, one does; and who reads sees one of them whole.
#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_write_at_once_one_is_first() {
    let world = World::new(1 << 20);
    let writers = (0..20_u8).map(|number| {
        let bucket = world.bucket("dev", "one");
        tokio::spawn(async move { put(&bucket, "first", &[number; 50], Condition::Absent).await.is_ok() })
    });
    let mut first = 0;
    for writer in writers.collect::<Vec<_>>() {
        first += usize::from(writer.await.unwrap());
    }
    assert_eq!(first, 1);
    let bucket = world.bucket("dev", "one");
    let found = read(&bucket, "first").await;
    assert!(found.len() == 50 && found.iter().all(|byte| *byte == found[0]), "{found:?}");
    assert_eq!(world.files("dev").len(), 1, "what lost leaves nothing");
    // Each on what it has read: none is lost.
    let etag = bucket.stat(&key("first")).await.unwrap().unwrap().etag;
    assert!(put(&bucket, "first", b"new", Condition::Is(etag.clone())).await.is_ok());
    assert_eq!(put(&bucket, "first", b"old", Condition::Is(etag.clone())).await, Err(StorageError::Precondition));
    assert_eq!(bucket.remove(&key("first"), &Condition::Is(etag)).await, Err(StorageError::Precondition));
    assert_eq!(bucket.remove(&key("first"), &Condition::None).await, Ok(true));
    assert_eq!(world.files("dev").len(), 0);
}

#[tokio::test]
async fn what_is_larger_than_may_be_is_not_kept() {
    let world = World::new(250_000);
    let bucket = world.bucket("dev", "one");
    assert_eq!(put(&bucket, "large", &vec![0; 100_001], Condition::None).await, Err(StorageError::TooLarge(100_000)));
    for name in ["a", "b"] {
        put(&bucket, name, &vec![0; 100_000], Condition::None).await.unwrap();
    }
    let full = |found: Result<ObjectStat, StorageError>| matches!(found, Err(StorageError::Full(_)));
    assert!(full(put(&bucket, "c", &vec![0; 50_001], Condition::None).await));
    put(&bucket, "b", &vec![1; 100_000], Condition::None).await.unwrap();
    put(&bucket, "c", &vec![0; 50_000], Condition::None).await.unwrap();
    assert!(full(put(&bucket, "d", &[0; 1], Condition::None).await));
    // Two that fit each by itself, and not together.
    bucket.remove(&key("a"), &Condition::None).await.unwrap();
    let mut first = bucket.create(key("e"), PutOptions::default()).await.unwrap();
    let mut second = bucket.create(key("f"), PutOptions::default()).await.unwrap();
    first.write(vec![0; 60_000]).await.unwrap();
    assert!(
        matches!(second.write(vec![0; 60_000]).await, Err(StorageError::Full(_))),
        "the disk has no more than may be"
    );
    first.finish().await.unwrap();
    // What is given up makes room again.
    let mut given_up = bucket.create(key("f"), PutOptions::default()).await.unwrap();
    given_up.write(vec![0; 40_000]).await.unwrap();
    drop(given_up);
    bucket.create(key("f"), PutOptions::default()).await.unwrap().write(vec![0; 40_000]).await.unwrap();
    assert_eq!(bucket.stat(&key("f")).await, Ok(None));
    assert_eq!(world.files("dev").len(), 3, "b, c and e");
}

/// What a crash leaves is not seen, and goes; what is young may still be written by another Bridge.
#[tokio::test]
async fn what_nothing_names_is_swept() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    put(&bucket, "kept", b"kept", Condition::None).await.unwrap();
    let env = world.dir.path().join("shop/dev");
    let old = SystemTime::now() - Duration::from_hours(25);
    let plant = |path: &Path, at: SystemTime| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "left").unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    };
    let left = [env.join("incoming/obj_OLD1"), env.join("objects/D2/obj_OLD2")];
    let young = [env.join("incoming/obj_NEW1"), env.join("objects/W2/obj_NEW2")];
    for path in &left {
        plant(path, old);
    }
    for path in &young {
        plant(path, SystemTime::now());
    }
    for kept in world.files("dev").iter().filter(|path| !left.contains(path) && !young.contains(path)) {
        fs::File::options().write(true).open(kept).unwrap().set_modified(old).unwrap();
    }
    // A Bridge that starts.
    let again = World::over(world.dir, 1 << 20);
    let bucket = again.bucket("dev", "one");
    assert_eq!(read(&bucket, "kept").await, b"kept");
    for _ in 0..200 {
        if left.iter().all(|path| !path.exists()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(left.iter().all(|path| !path.exists()), "what is old is gone");
    assert!(young.iter().all(|path| path.exists()) && read(&bucket, "kept").await == b"kept");
}

/// The guest's time is over while its object is put in its place: it is there or it is not.
#[tokio::test]
async fn who_stops_waiting_leaves_nothing_half_done() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    for number in 0..50_u64 {
        let mut writer = bucket.create(key("raced"), PutOptions::default()).await.unwrap();
        writer.write(vec![7; 50]).await.unwrap();
        drop(tokio::time::timeout(Duration::from_micros(number * 40), writer.finish()).await);
        if bucket.stat(&key("raced")).await.unwrap().is_some() {
            assert_eq!(read(&bucket, "raced").await, [7; 50]);
        }
    }
}
