//! Objects on a disk over time: which one goes with its row, what many small ones take, what is swept, an index of before, and an upload in parts that
//! is put together once.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::*;
use crate::storage::parts::Parts;

/// The index of `dev`, past what keeps it.
async fn sql(world: &World, text: &str) {
    let path = world.dir.path().join("shop/dev/index.db");
    let mut db = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query(AssertSqlSafe(text)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

/// What all objects take together, as the index counts it.
async fn used(world: &World) -> i64 {
    let path = world.dir.path().join("shop/dev/index.db");
    let mut db = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let (bytes,) = sqlx::query_as("SELECT bytes FROM used").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    bytes
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One that is lost is lost; one that stays can be found.
#[tokio::test]
async fn an_object_that_was_put_later_is_another_one() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    let first = put(&bucket, "a", b"first", Condition::None).await.unwrap();
    assert_eq!(bucket.remove_until(&key("a"), first.modified - 1).await, Ok(Gone::Kept));
    assert_eq!(bucket.remove_until(&key("a"), first.modified).await, Ok(Gone::Removed));
    assert_eq!(bucket.remove_until(&key("a"), first.modified).await, Ok(Gone::Absent));
    tokio::time::sleep(Duration::from_millis(2)).await;
    let second = put(&bucket, "a", b"second", Condition::None).await.unwrap();
    assert!(second.modified > first.modified);
    assert_eq!(bucket.remove_until(&key("a"), first.modified).await, Ok(Gone::Kept), "however soon it was put");
    assert_eq!(read(&bucket, "a").await, b"second");
    assert_eq!(world.files("dev").len(), 1);
}

/// A disk that is not mounted is a folder of nothing: that nothing is there says nothing of what was let go before.
#[tokio::test]
async fn an_index_that_is_younger_than_what_was_let_go_knows_nothing_of_it() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    let before = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap() - 1;
    assert_eq!(bucket.remove_until(&key("a"), before).await, Err(StorageError::Unavailable));
    let after = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap();
    assert_eq!(bucket.remove_until(&key("a"), after).await, Ok(Gone::Absent));
    // One of a Bridge that did not note it is older than all.
    for text in ["DROP TABLE made", "PRAGMA user_version = 0"] {
        sql(&world, text).await;
    }
    let world = World::over(world.dir, 1 << 20);
    assert_eq!(world.bucket("dev", "one").remove_until(&key("a"), 1).await, Ok(Gone::Absent));
}

/// What takes no bytes takes a place.
#[tokio::test]
async fn small_objects_count_too() {
    let world = World::new(3 * 4_096 + 100);
    let bucket = world.bucket("dev", "one");
    let full = |found: Result<ObjectStat, StorageError>| matches!(found, Err(StorageError::Full(_)));
    for name in ["a", "b", "c"] {
        put(&bucket, name, b"", Condition::None).await.unwrap();
    }
    assert!(full(put(&bucket, "d", b"", Condition::None).await));
    put(&bucket, "c", &[1; 4_096], Condition::None).await.unwrap();
    bucket.remove(&key("c"), &Condition::None).await.unwrap();
    put(&bucket, "d", b"", Condition::None).await.unwrap();
    assert!(full(put(&bucket, "e", b"", Condition::None).await));
    // Also those that a Bridge has put which counted bytes alone.
    for text in ["PRAGMA user_version = 0", "UPDATE used SET bytes = 0"] {
        sql(&world, text).await;
    }
    let world = World::over(world.dir, 3 * 4_096 + 100);
    let bucket = world.bucket("dev", "one");
    assert!(full(put(&bucket, "e", b"", Condition::None).await));
    bucket.remove(&key("d"), &Condition::None).await.unwrap();
    put(&bucket, "e", b"", Condition::None).await.unwrap();
}

/// Not only when a Bridge starts; and of parts those that are too old, of any bucket.
#[tokio::test]
async fn what_is_left_is_swept_while_the_bridge_runs() {
    let world = World::new(1 << 20);
    let dir = world.dir.path().join("shop/dev");
    let store = local::Store::new(dir.clone(), 1 << 20, Duration::from_millis(50));
    let put = async |bucket: &str, name: &str| {
        let made = store.create(bucket.to_owned(), key(name), PutOptions::default(), 100).await.unwrap();
        made.finish().await.unwrap();
    };
    for (bucket, name) in [("one", "old"), ("one#parts", "x/00001"), ("one#parts", "y/00001"), ("two#parts", "z/00001")]
    {
        put(bucket, name).await;
    }
    sql(&world, "UPDATE objects SET modified = 1 WHERE key <> 'y/00001'").await;
    let left = dir.join("incoming/obj_LATER");
    fs::write(&left, "left").unwrap();
    let old = SystemTime::now() - Duration::from_hours(25);
    fs::File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    until("it is swept", async || !left.exists() && world.files("dev").len() == 2).await;
    assert!(store.stat("one", &key("old")).await.unwrap().is_some(), "an object is no part");
    assert!(store.stat("one#parts", &key("y/00001")).await.unwrap().is_some(), "what is young stays");
    assert!(store.stat("two#parts", &key("z/00001")).await.unwrap().is_none());
    assert_eq!(used(&world).await, 2 * 4_096, "and takes nothing any more");
}

/// An index that fails may yet have done it: the file stays, and is swept if it has not.
#[tokio::test]
async fn a_file_that_may_be_named_stays() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    let mut writer = bucket.create(key("a"), PutOptions::default()).await.unwrap();
    writer.write(b"abc".to_vec()).await.unwrap();
    sql(&world, "ALTER TABLE used RENAME TO elsewhere").await;
    assert_eq!(writer.finish().await, Err(StorageError::Unavailable));
    assert_eq!(world.files("dev").len(), 1);
    sql(&world, "ALTER TABLE elsewhere RENAME TO used").await;
    assert_eq!(bucket.stat(&key("a")).await, Ok(None));
    // What was refused is named by nothing.
    put(&bucket, "b", b"b", Condition::None).await.unwrap();
    let refused = put(&bucket, "b", b"c", Condition::Absent).await;
    assert_eq!((refused, world.files("dev").len()), (Err(StorageError::Precondition), 2));
}

/// A file that was damaged is no object of fewer bytes.
#[tokio::test]
async fn a_file_that_is_shorter_than_it_was_is_not_read_to_its_end() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    put(&bucket, "a", &[7; 1_000], Condition::None).await.unwrap();
    let reader = bucket.open(&key("a")).await.unwrap();
    for (offset, length) in [(0, 1_000), (990, 10), (1_000, 0)] {
        assert_eq!(reader.read(offset, length).await, Ok(vec![7; length]), "{offset} {length}");
    }
    fs::File::options().write(true).open(&world.files("dev")[0]).unwrap().set_len(995).unwrap();
    assert_eq!(reader.read(0, 995).await, Ok(vec![7; 995]));
    assert_eq!(reader.read(990, 10).await, Err(StorageError::Unavailable));
}

/// An upload of two parts, which are there.
async fn begun(bucket: &Bucket, name: &str) -> (String, Parts) {
    let id = bucket.begin_parts(&key(name), None).await.unwrap();
    let mut parts = Parts::new();
    for (number, bytes) in [(1, vec![1; 60_000]), (2, vec![2; 20_000])] {
        let (of_parts, place) = bucket.part_place(&id, number).unwrap();
        let mut writer = of_parts.create(place, PutOptions::default()).await.unwrap();
        writer.write(bytes.clone()).await.unwrap();
        let etag = writer.finish().await.unwrap().etag;
        parts.insert(number, (bytes.len() as u64, etag));
    }
    (id, parts)
}

/// It takes long where an object is large: who asks may be given up by a proxy, and asks again.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_put_together_once_and_to_its_end() {
    let world = World::new(1 << 20);
    let bucket = world.bucket("dev", "one");
    let name = key("whole");
    let how = || (Some("text/plain".to_owned()), Condition::Absent);
    let (id, parts) = begun(&bucket, "whole").await;
    let left = tokio::time::timeout(Duration::ZERO, bucket.join_parts(&name, &id, &parts, how())).await;
    assert!(left.is_err(), "who has asked has left");
    until("it is there all the same", async || bucket.stat(&name).await.unwrap().is_some()).await;
    until("its parts go", async || bucket.parts(&name, &id).await.unwrap().is_empty()).await;
    let again = bucket.join_parts(&name, &id, &parts, how()).await.unwrap();
    let stat = bucket.stat(&name).await.unwrap();
    assert_eq!((stat.clone(), bucket.joined(&id).await), (Some(again), Ok(stat)));
    assert_eq!(world.files("dev").len(), 1);

    // Many at once, also at another Bridge of the same disk.
    bucket.remove(&name, &Condition::None).await.unwrap();
    assert_eq!(bucket.joined(&id).await, Ok(None), "what was removed is there no more");
    let (id, parts) = begun(&bucket, "whole").await;
    let other = Stores::new(StorageConfig::at(world.dir.path().to_owned(), 1 << 20));
    let other = World { stores: other, dir: tempfile::tempdir().unwrap() }.bucket("dev", "one");
    let asked = [&bucket, &bucket, &other, &other].map(|bucket| bucket.join_parts(&name, &id, &parts, how()));
    let answers = futures_util::future::join_all(asked).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(first)), "{answers:?}");
    let whole = read(&bucket, "whole").await;
    assert!(whole.len() == 80_000 && whole[..60_000].iter().all(|byte| *byte == 1) && whole[79_999] == 2);
    until("only the object is left", async || world.files("dev").len() == 1).await;
    // Another one in its place is not what the upload has become.
    put(&bucket, "whole", b"new", Condition::None).await.unwrap();
    assert_eq!(bucket.joined(&id).await, Ok(None));
    bucket.drop_parts(&name, &id).await.unwrap();
    assert_eq!(read(&bucket, "whole").await, b"new");
}

/// Two projects in one bucket of a store see nothing of one another in their files; who runs both can.
#[test]
fn envs_that_share_a_place_are_seen() {
    let world = World::new(1);
    let storage = |bucket: &str, prefix: &str| {
        let s3 = storage::S3Place {
            bucket: bucket.to_owned(),
            prefix: Some(prefix.to_owned()),
            region: "us-east-1".to_owned(),
            endpoint: Some("https://s3.example".to_owned()),
            public_endpoint: None,
            path_style: true,
            access_key_id: "S3_KEY".to_owned(),
            secret_access_key: "S3_SECRET".to_owned(),
            session_token: None,
        };
        let bucket = storage::Bucket {
            provider: storage::Provider::S3,
            max_object: Bytes(1),
            policies: BTreeMap::new(),
            events: BucketEvents::default(),
            s3: Some(s3),
        };
        Storage { buckets: BTreeMap::from([("files".to_owned(), bucket)]) }
    };
    let env = |project: &str, env: &str| EnvName { project: project.to_owned(), env: env.to_owned() };
    let shop = env("shop", "prod");
    for (of, bucket, prefix, expected) in [
        (&shop, "all", "{env}/", vec![]),
        (&shop, "all", "{env}/", vec![]),
        (&env("shop", "dev"), "all", "{env}/", vec![]),
        (&env("blog", "prod"), "all", "{project}/{env}/", vec![]),
        (&env("news", "prod"), "all", "{env}/pages/", vec![("files".to_owned(), shop.clone(), "files".to_owned())]),
        (&env("news", "prod"), "{project}-all", "{env}/pages/", vec![]),
    ] {
        assert_eq!(world.stores.shared(of, &storage(bucket, prefix)), expected, "{of} {bucket} {prefix}");
    }
}
