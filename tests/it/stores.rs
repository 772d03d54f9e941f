//! What keeps objects, asked as the Bridge asks it: the same over a disk and over a store that speaks S3. What guests and applications see of it:
//! `guest_storage.rs` and `objects.rs`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use santokit_bridge::{
    config::{EnvName, Network},
    generation::Runtime,
    storage::{
        Bucket, StorageConfig, Stores, UrlFor,
        s3::Secrets,
        signed::{Deed, Size, Upload},
    },
};
use santokit_core::{
    quantity::Bytes,
    release::Digest,
    storage::{self, BucketEvents, ObjectKey, ObjectPrefix, Provider, S3Place, Storage},
    wire::{RuntimeBundle, Sealed},
};
use santokit_tests::S3;
use santokit_wasm::{Condition, ObjectStat, PutOptions, StorageError};

const MAX: u64 = 16 << 20;

/// Buckets of two envs, over one provider, reached in one way.
struct World {
    name: &'static str,
    stores: Stores,
    s3: Option<S3>,
    /// Whether the bucket of the store stands in the path, and not in the host's name.
    is_path: bool,
    secrets: Secrets,
    _dir: tempfile::TempDir,
}

impl World {
    /// One for each provider, and for each way in which a store names its buckets.
    async fn each() -> [Self; 3] {
        let made = |name, s3: Option<S3>, is_path| {
            let dir = tempfile::tempdir().unwrap();
            let config = StorageConfig {
                allow_private: vec![Network::parse("127.0.0.0/8").unwrap()],
                ..StorageConfig::at(dir.path().to_owned(), 1 << 30)
            };
            let secrets = secrets(s3.iter().flat_map(|s3| [("S3_KEY", s3.key.as_str()), ("S3_SECRET", &s3.secret)]));
            Self { name, stores: Stores::new(config), s3, is_path, secrets, _dir: dir }
        };
        let (path, named) = (S3::bucket().await.unwrap(), S3::bucket().await.unwrap());
        [made("local", None, true), made("s3", Some(path), true), made("s3 by name", Some(named), false)]
    }

    fn bucket(&self, env: &str) -> Bucket {
        let reached = self.s3.as_ref().map(|s3| if self.is_path { s3.clone() } else { s3.by_name().unwrap() });
        let s3 = reached.map(|s3| S3Place {
            bucket: s3.bucket,
            prefix: None,
            region: s3.region,
            endpoint: Some(s3.endpoint),
            public_endpoint: None,
            path_style: self.is_path,
            access_key_id: "S3_KEY".to_owned(),
            secret_access_key: "S3_SECRET".to_owned(),
            session_token: None,
        });
        let provider = if s3.is_some() { Provider::S3 } else { Provider::Local };
        let bucket = storage::Bucket {
            provider,
            max_object: Bytes(MAX),
            policies: BTreeMap::new(),
            events: BucketEvents::default(),
            s3,
        };
        let declared = Storage { buckets: BTreeMap::from([("files".to_owned(), bucket)]) };
        declared.check().unwrap();
        let env = EnvName { project: "shop".to_owned(), env: env.to_owned() };
        self.stores.buckets(&env, &declared, &self.secrets).unwrap().get("files").unwrap().clone()
    }
}

fn secrets<'a>(named: impl Iterator<Item = (&'a str, &'a str)>) -> Secrets {
    let bundle = RuntimeBundle {
        connections: BTreeMap::new(),
        secrets: named.map(|(name, value)| (name.to_owned(), Sealed::new(value))).collect(),
        api_keys: Vec::new(),
        user_keys: Vec::new(),
        storage_key: None,
    };
    Secrets::new(Arc::new(Runtime::new(&bundle, None)).into())
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

async fn put(bucket: &Bucket, name: &str, bytes: &[u8], options: PutOptions) -> Result<ObjectStat, StorageError> {
    let mut writer = bucket.create(key(name), options).await?;
    for part in bytes.chunks(1 << 20) {
        writer.write(part.to_vec()).await?;
    }
    writer.finish().await
}

fn only(condition: Condition) -> PutOptions {
    PutOptions { condition, ..PutOptions::default() }
}

async fn read(bucket: &Bucket, name: &str) -> Result<Vec<u8>, StorageError> {
    let reader = bucket.open(&key(name)).await?;
    reader.read(0, usize::try_from(reader.stat.size).unwrap()).await
}

async fn names(bucket: &Bucket, prefix: &str, limit: u32) -> Vec<Vec<String>> {
    let (prefix, mut after, mut pages) = (ObjectPrefix::parse(prefix).unwrap(), None, Vec::new());
    loop {
        let page = bucket.list(&prefix, after.as_ref(), limit).await.unwrap();
        pages.push(page.objects.into_iter().map(|object| object.key).collect());
        match page.next {
            Some(next) => after = Some(key(&next)),
            None => return pages,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_what_was_put() {
    for world in World::each().await {
        let (bucket, other) = (world.bucket("dev"), world.bucket("prod"));
        let names = ["a", "b c/\u{e9} +%2F?#&=", "deep/er/\u{1f980}", "quotes'\"!*()", "colon:semi;@$,~"];
        for (number, name) in names.iter().enumerate() {
            let options = PutOptions { content_type: Some("text/plain; a=b".to_owned()), ..PutOptions::default() };
            let body = vec![u8::try_from(number).unwrap(); number];
            let put = put(&bucket, name, &body, options).await.unwrap();
            let stat = bucket.stat(&key(name)).await.unwrap().unwrap();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            assert_eq!((stat.key.as_str(), stat.size), (*name, number as u64), "{}", world.name);
            assert_eq!((&stat.content_type, &stat.etag), (&put.content_type, &put.etag), "{}", world.name);
            assert!(now.abs_diff(Duration::from_millis(stat.modified)) < Duration::from_mins(1), "{stat:?}");
            assert_eq!(read(&bucket, name).await.unwrap(), body, "{} {name}", world.name);
            assert_eq!(other.stat(&key(name)).await, Ok(None), "{}: another env has its own", world.name);
            assert_eq!(read(&other, name).await, Err(StorageError::Missing), "{}", world.name);
        }
        let plain = put(&bucket, "plain", b"", PutOptions::default()).await.unwrap();
        assert_eq!(plain.content_type, "application/octet-stream", "{}", world.name);
        assert_eq!(bucket.remove(&key("a"), &Condition::None).await, Ok(true), "{}", world.name);
        assert_eq!(bucket.remove(&key("a"), &Condition::None).await, Ok(false), "{}", world.name);
        assert_eq!(read(&bucket, "a").await, Err(StorageError::Missing), "{}", world.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_held_to() {
    for world in World::each().await {
        let bucket = world.bucket("dev");
        // At once, and in parts.
        for size in [3, 6 << 20] {
            let (old, new) = (vec![1; size], vec![2; size]);
            let conflict = Err(StorageError::Precondition);
            let absent = || only(Condition::Absent);
            let first = put(&bucket, "one", &old, absent()).await.unwrap();
            assert_eq!(put(&bucket, "one", &new, absent()).await, conflict, "{} {size}", world.name);
            let is = |etag: &str| only(Condition::Is(etag.to_owned()));
            for wrong in ["other", "a\"b", "", "*"] {
                assert_eq!(put(&bucket, "one", &new, is(wrong)).await, conflict, "{} {size} {wrong}", world.name);
            }
            assert_eq!(put(&bucket, "none", &new, is(&first.etag)).await, conflict, "{} {size}", world.name);
            assert_eq!(read(&bucket, "one").await.unwrap(), old, "{} {size}", world.name);
            let second = put(&bucket, "one", &new, is(&first.etag)).await.unwrap();
            assert_ne!(first.etag, second.etag, "{}", world.name);
            let wrong = Digest::of(b"other");
            let options = PutOptions { digest: Some(wrong), ..PutOptions::default() };
            assert_eq!(put(&bucket, "one", &old, options).await, Err(StorageError::Checksum), "{}", world.name);
            let options = PutOptions { digest: Some(Digest::of(&new)), ..PutOptions::default() };
            put(&bucket, "one", &new, options).await.unwrap();
            let old = Condition::Is(first.etag.clone());
            assert_eq!(bucket.remove(&key("one"), &old).await, Err(StorageError::Precondition), "{}", world.name);
            let current = bucket.stat(&key("one")).await.unwrap().unwrap().etag;
            assert_eq!(bucket.remove(&key("one"), &Condition::Is(current)).await, Ok(true), "{}", world.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_goes_in_parts() {
    let bytes: Vec<u8> = (0..11_u32 << 20).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    for world in World::each().await {
        let bucket = world.bucket("dev");
        let put_large = put(&bucket, "large", &bytes, PutOptions::default()).await.unwrap();
        assert_eq!(put_large.size, bytes.len() as u64, "{}", world.name);
        let reader = bucket.open(&key("large")).await.unwrap();
        // In order, back, and far ahead; then another is put in its place.
        for (offset, length) in [(0, 10), (10, 1 << 20), (5, 5), (10 << 20, 1 << 20), (7_000_000, 1), (0, 0)] {
            let found = reader.read(offset as u64, length).await.unwrap();
            assert!(found == bytes[offset..offset + length], "{} {offset} {length}", world.name);
        }
        put(&bucket, "large", b"short", PutOptions::default()).await.unwrap();
        match reader.read(1 << 20, 5).await {
            Ok(found) => assert_eq!(found, bytes[1 << 20..(1 << 20) + 5], "{}: the same one to the end", world.name),
            Err(error) => {
                assert_eq!((error, world.s3.is_some()), (StorageError::Precondition, true), "or it is said");
            }
        }
        // What was begun and not finished is not there, and what is too large is not put.
        let mut writer = bucket.create(key("begun"), PutOptions::default()).await.unwrap();
        for part in bytes.chunks(1 << 20) {
            writer.write(part.to_vec()).await.unwrap();
        }
        drop(writer);
        let long = vec![0; usize::try_from(MAX).unwrap() + 1];
        let refused = put(&bucket, "long", &long, PutOptions::default()).await;
        assert_eq!(refused, Err(StorageError::TooLarge(MAX)), "{}", world.name);
        assert_eq!(names(&bucket, "", 10).await, [["large"]], "{}", world.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page() {
    for world in World::each().await {
        let bucket = world.bucket("dev");
        for name in ["b", "a/2", "a/10", "a/1", "a0", "A", "a/\u{e9}", "a/z", "ab"] {
            put(&bucket, name, b"x", PutOptions::default()).await.unwrap();
        }
        put(&world.bucket("prod"), "a/other", b"x", PutOptions::default()).await.unwrap();
        let pages = names(&bucket, "a/", 2).await;
        assert_eq!(pages, [vec!["a/1", "a/10"], vec!["a/2", "a/z"], vec!["a/\u{e9}"]], "{}", world.name);
        assert_eq!(names(&bucket, "a/", 5).await.len(), 1, "{}: no page of nothing", world.name);
        let all = names(&bucket, "", 100).await;
        assert_eq!(all, [["A", "a/1", "a/10", "a/2", "a/z", "a/\u{e9}", "a0", "ab", "b"]], "{}", world.name);
        assert_eq!(names(&bucket, "c", 1).await, [Vec::<String>::new()], "{}", world.name);
        let prefix = ObjectPrefix::parse("a/").unwrap();
        for (after, found) in [("A", 5), ("a/2", 2), ("b", 0)] {
            let page = bucket.list(&prefix, Some(&key(after)), 9).await.unwrap();
            assert_eq!(page.objects.len(), found, "{} {after}", world.name);
            assert!(page.objects.iter().all(|object| object.size == 1 && object.modified > 0), "{page:?}");
        }
    }
}

/// Others may write to a bucket of S3: what is no key is not seen, and nothing outside of the env's prefix ever is.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_is_seen_where_it_is_a_key() {
    let [_, world, _] = World::each().await;
    let (s3, bucket) = (world.s3.as_ref().unwrap(), world.bucket("dev"));
    for name in ["dev/fine", "dev/e\u{301}", "dev/a\u{200b}b", "dev/zz", "develop/x", "prod/x", "outside"] {
        s3.put(name, b"theirs").await.unwrap();
    }
    assert_eq!(names(&bucket, "", 1).await, [["fine"], ["zz"]]);
    assert_eq!(read(&bucket, "fine").await.unwrap(), b"theirs");
    put(&bucket, "mine", b"mine", PutOptions::default()).await.unwrap();
    assert_eq!(s3.get("dev/mine").await.unwrap().as_deref(), Some(&b"mine"[..]), "where it is said that it lies");
}

/// A key that is exchanged is used at once, and one that opens nothing says nothing to the caller.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_exchanged_while_the_bridge_runs() {
    let [_, world, _] = World::each().await;
    let bucket = world.bucket("dev");
    put(&bucket, "a", b"a", PutOptions::default()).await.unwrap();
    let fine = world.secrets.load_full();
    for wrong in
        [vec![], vec![("S3_KEY", "test-key"), ("S3_SECRET", "wrong")], vec![("S3_KEY", "x"), ("S3_SECRET", "y")]]
    {
        let others = secrets(wrong.into_iter());
        world.secrets.store(others.load_full());
        assert_eq!(read(&bucket, "a").await, Err(StorageError::Unavailable));
        assert_eq!(put(&bucket, "b", b"b", PutOptions::default()).await, Err(StorageError::Unavailable));
        assert_eq!(bucket.stat(&key("a")).await, Err(StorageError::Unavailable));
        assert_eq!(bucket.remove(&key("a"), &Condition::None).await, Err(StorageError::Unavailable));
        let listed = bucket.list(&ObjectPrefix::default(), None, 1).await;
        assert_eq!(listed.map(|page| page.objects.len()), Err(StorageError::Unavailable));
    }
    world.secrets.store(Arc::clone(&fine));
    assert_eq!(read(&bucket, "a").await.unwrap(), b"a");
    assert_eq!(bucket.stat(&key("b")).await, Ok(None));
}

/// The bucket stands in the host's name, which is signed: a real store takes such a URL, and takes it for no other bucket.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_may_be_a_part_of_the_hosts_name() {
    let [.., world] = World::each().await;
    let (own, other) = (world.s3.as_ref().unwrap(), S3::bucket().await.unwrap());
    let bucket = world.bucket("dev");
    let host = |bucket: &str| own.host(bucket).unwrap();
    let http = own.http(&[&other.bucket]).unwrap();
    let env = EnvName { project: "shop".to_owned(), env: "dev".to_owned() };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let of = UrlFor { env: &env, base: "", now, lives: 60 };
    let upload = Upload { size: Size::Exactly(3), ..Upload::default() };
    let name = key("a b/\u{e9}+.txt");
    let put = bucket.url(&name, &Deed::Put(upload), of).await.unwrap().url;
    let port = own.endpoint.rsplit(':').next().unwrap();
    assert!(put.starts_with(&format!("http://{}:{port}/dev/a%20b/", host(&own.bucket))), "{put}");
    let elsewhere = put.replace(&host(&own.bucket), &host(&other.bucket));
    for (url, is_fine) in [(&elsewhere, false), (&put, true)] {
        let answer = http.put(url).header("content-length", 3).body("abc").send().await.unwrap();
        assert_eq!(answer.status().is_success(), is_fine, "{url}: {}", answer.text().await.unwrap());
    }
    assert_eq!(own.get("dev/a b/\u{e9}+.txt").await.unwrap().as_deref(), Some(&b"abc"[..]));
    let get = bucket.url(&name, &Deed::Get { save_as: None }, of).await.unwrap().url;
    assert_eq!(http.get(&get).send().await.unwrap().text().await.unwrap(), "abc");
    let stolen = http.get(get.replace("dev/", "prod/")).send().await.unwrap();
    assert_eq!(stolen.status(), 403);
}

/// That a bucket is not there says nothing of its objects.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_gone_is_not_one_of_nothing() {
    let [_, path, named] = World::each().await;
    for mut world in [path, named] {
        assert_eq!(world.bucket("dev").stat(&key("a")).await, Ok(None), "{}", world.name);
        let there = world.s3.as_ref().unwrap().clone();
        world.s3 = Some(S3 { bucket: format!("{}-none", there.bucket), ..there });
        let bucket = world.bucket("dev");
        assert_eq!(bucket.stat(&key("a")).await, Err(StorageError::Unavailable), "{}", world.name);
        let removed = bucket.remove(&key("a"), &Condition::None).await;
        assert_eq!(removed, Err(StorageError::Unavailable), "{}", world.name);
    }
}
