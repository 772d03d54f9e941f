//! Signing, one URL after the other: with the bucket's own functions, which ask no store, and as an application asks for it over HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use santokit_bridge::{
    config::EnvName,
    generation::Runtime,
    storage::{
        Bucket, StorageConfig, Stores, UrlFor,
        s3::Secrets,
        signed::{Deed, Size, Upload},
    },
};
use santokit_core::{
    quantity::Bytes,
    storage::{self, BucketEvents, ObjectKey, Provider, S3Place, Storage},
    wire::{RuntimeBundle, Sealed},
};
use santokit_tests::{PlainClient, ProjectFolder, StkDev};
use serde_json::json;

use crate::percentile;

const SIGNED: usize = 20_000;
const ASKED: usize = 2_000;
const WARM: usize = 200;

/// Prints a line for each provider and deed.
pub(crate) async fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let stores = Stores::new(StorageConfig::at(dir.path().to_owned(), 1 << 30));
    for provider in [Provider::Local, Provider::S3] {
        let bucket = bucket(&stores, provider);
        let name = if provider == Provider::S3 { "s3" } else { "local" };
        let put =
            Upload { size: Size::Exactly(1_000), content_type: Some("image/png".to_owned()), ..Upload::default() };
        for (deed, op) in [(Deed::Get { save_as: None }, "download_sign"), (Deed::Put(put), "upload_sign")] {
            let took = sign(&bucket, &deed).await;
            print(name, op, "function", took);
        }
    }
    over_http().await;
}

async fn sign(bucket: &Bucket, deed: &Deed) -> Vec<f64> {
    let env = env();
    let mut took = Vec::with_capacity(SIGNED);
    for number in 0..SIGNED + WARM {
        let key = ObjectKey::parse(&format!("products/{number}/image.png")).unwrap();
        let began = Instant::now();
        let of = UrlFor { env: &env, base: "https://api.example.com", now: 1_767_225_600, lives: 3_600 };
        let url = bucket.url(&key, deed, of).await.unwrap();
        let micros = began.elapsed().as_secs_f64() * 1e6;
        assert!(url.url.contains("image.png"));
        if number >= WARM {
            took.push(micros);
        }
    }
    took
}

/// As an application does, with everything that a request has besides: a key, a policy, an answer.
async fn over_http() {
    let storage = "version: 1\nbuckets:\n  images:\n    provider: local\n    policies:\n      \"products/{id}/*\":\n        \
        upload_sign: {roles: [app], condition: \"path.id != ''\"}\n";
    let key = "stk_app.planted-key-b1d0";
    let dev = format!(
        "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\napiKeys:\n  - {{name: app, key: {key}, roles: [app]}}\n"
    );
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: signing\n"),
        ("config/storage.yaml", storage),
        ("santokit.dev.yaml", dev.as_str()),
    ])
    .unwrap();
    let dev = StkDev::start(folder.path(), &[("STK_LOG", "error")]).await.unwrap();
    // One that does as little as can be: what is measured is the request, not its client.
    let mut client = PlainClient::connect(dev.client.url()).await.unwrap().with("x-santokit-api-key", key);
    let mut took = Vec::new();
    for number in 0..ASKED + WARM {
        let params = json!({"key": format!("products/{number}/image.png"), "size": 1_000, "contentType": "image/png"});
        let params = params.to_string();
        let began = Instant::now();
        let status = client.post("/storage/images/upload_sign", &params).await.unwrap();
        let micros = began.elapsed().as_secs_f64() * 1e6;
        assert_eq!(status, 200, "{}", client.answer());
        if number >= WARM {
            took.push(micros);
        }
    }
    print("local", "upload_sign", "over HTTP", took);
}

fn print(provider: &str, op: &str, how: &str, mut took: Vec<f64>) {
    took.sort_unstable_by(f64::total_cmp);
    let line = json!({
        "bench": "presign", "name": op, "provider": provider, "how": how, "p50Us": percentile(&took, 50), "p99Us": percentile(&took, 99),
    });
    println!("{line}");
}

fn env() -> EnvName {
    EnvName { project: "shop".to_owned(), env: "prod".to_owned() }
}

fn bucket(stores: &Stores, provider: Provider) -> Bucket {
    let s3 = (provider == Provider::S3).then(|| S3Place {
        bucket: "shop-{env}".to_owned(),
        prefix: None,
        region: "eu-central-1".to_owned(),
        endpoint: None,
        public_endpoint: None,
        path_style: false,
        access_key_id: "S3_KEY".to_owned(),
        secret_access_key: "S3_SECRET".to_owned(),
        session_token: None,
    });
    let declared = storage::Bucket {
        provider,
        max_object: Bytes(1 << 30),
        policies: BTreeMap::new(),
        events: BucketEvents::default(),
        s3,
    };
    let storage = Storage { buckets: BTreeMap::from([("images".to_owned(), declared)]) };
    stores.buckets(&env(), &storage, &secrets()).unwrap().get("images").unwrap().clone()
}

fn secrets() -> Secrets {
    let secrets = ["S3_KEY", "S3_SECRET"].map(|name| (name.to_owned(), Sealed::new("planted-secret")));
    let bundle = RuntimeBundle {
        connections: BTreeMap::new(),
        secrets: secrets.into_iter().collect(),
        api_keys: Vec::new(),
        user_keys: Vec::new(),
        storage_key: None,
    };
    Secrets::new(Arc::new(Runtime::new(&bundle, None)).into())
}
