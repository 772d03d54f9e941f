//! Columns of the type `file`: who may name an object in a row, what becomes of objects whose rows are gone, on every engine, and what is found that no
//! row names. What a project can say of them: `core/tests/cases/project/files`.

use std::time::Duration;

use santokit_tests::{Answer, Bridge, BridgeClient, Engine, FaultProxy, ProjectFolder, S3, StkDev, TestDatabase};
use serde_json::{Value as Json, json};

use crate::lab::Lab;

const SCHEMA: &str = "version: 1
tables:
  products:
    columns:
      name: {type: string, unique: true, maxLength: 40}
      image: {type: file, bucket: images, onDelete: cascade}
  notes:
    columns:
      text: {type: string}
      picture: {type: file, bucket: images}
      paper: {type: file, bucket: papers}
";
const STORAGE: &str = r#"version: 1
buckets:
  images:
    PROVIDER
    policies:
      "own/{name}/*":
        upload_sign:
          - {roles: [editor]}
          - {roles: [app], condition: "path.name == 'app'", maxSize: 1KB}
        download_sign: {roles: [editor]}
  papers: {provider: local}
"#;
/// Writes what it likes.
const SPELLED: &str = "---\nauth: public\nparams: {name: {type: string, required: true}, image: {type: string, required: true}}\n---\n\
    INSERT INTO products (id, name, image) VALUES (:name, :name, :image)\n";
const RULES: &str = "roles: [public, editor, app]";
const APP: &str = "stk_app.planted-key-8d01";
const EDITOR: &str = "stk_editor.planted-key-8d02";

fn project(more: &str, provider: &str) -> ProjectFolder {
    let rules = ["select", "insert", "update", "delete"].map(|verb| format!("    {verb}: {{{RULES}}}\n")).concat();
    let permissions = format!("tables:\n  products:\n{rules}  notes:\n{rules}");
    let connection = if more.starts_with("connections") {
        more.to_owned()
    } else {
        format!("connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n{more}")
    };
    let keys = format!(
        "apiKeys:\n  - {{name: app, key: {APP}, roles: [app]}}\n  - {{name: editor, key: {EDITOR}, roles: [editor]}}\n"
    );
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: filing\n"),
        ("schema/main.yaml", SCHEMA),
        ("config/storage.yaml", &STORAGE.replace("PROVIDER", provider)),
        ("config/permissions.yaml", &permissions),
        ("logics/gone.sql", "---\nauth: public\n---\nDELETE FROM products\n"),
        ("logics/spelled.sql", SPELLED),
        ("santokit.dev.yaml", &format!("{connection}{keys}")),
    ])
    .unwrap()
}

struct Served {
    dev: StkDev,
    app: BridgeClient,
    editor: BridgeClient,
    engine: &'static str,
}

impl Served {
    async fn start(folder: &ProjectFolder, engine: &'static str, env: &[(&str, &str)]) -> Self {
        let dev = StkDev::start(folder.path(), env).await.unwrap();
        let (app, editor) = (dev.client.with_key(APP), dev.client.with_key(EDITOR));
        Self { dev, app, editor, engine }
    }

    async fn done(&self, path: &str, params: Json) -> Json {
        let answer = ask(&self.editor, path, &params).await;
        assert_eq!(answer.status, 200, "{} {path} {params}: {answer:?}\n{}", self.engine, self.dev.output());
        answer.body["data"].clone()
    }

    async fn put(&self, key: &str) {
        put(&self.editor, key).await;
    }

    async fn is_there(&self, key: &str) -> bool {
        is_there(&self.editor, key).await
    }

    /// It goes after the commit, by itself.
    async fn goes(&self, key: &str) {
        for _ in 0..200 {
            if !self.is_there(key).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}: {key} is there still\n{}", self.engine, self.dev.output());
    }

    /// What was let go before is gone: what is looked at behind it was looked at.
    async fn settled(&self) {
        self.put("own/x/settled").await;
        self.done("db/products/insert", json!({"data": {"name": "settled", "image": "own/x/settled"}})).await;
        self.done("db/products/delete", json!({"where": {"name": "settled"}})).await;
        self.goes("own/x/settled").await;
    }
}

async fn ask(client: &BridgeClient, path: &str, params: &Json) -> Answer {
    client.post(&format!("/{path}"), params.to_string()).await.unwrap()
}

async fn url(client: &BridgeClient, op: &str, params: Json) -> Json {
    let answer = ask(client, &format!("storage/images/{op}"), &params).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].clone()
}

async fn put(client: &BridgeClient, key: &str) {
    let signed = url(client, "upload_sign", json!({"key": key, "size": 3})).await;
    let put = reqwest::Client::new().put(signed["url"].as_str().unwrap()).body("abc").send().await.unwrap();
    assert_eq!(put.status(), 200, "{key}: {}", put.text().await.unwrap());
}

async fn is_there(client: &BridgeClient, key: &str) -> bool {
    let signed = url(client, "download_sign", json!({"key": key})).await;
    let got = reqwest::get(signed["url"].as_str().unwrap()).await.unwrap();
    match got.status().as_u16() {
        200 => true,
        404 => false,
        other => panic!("{key}: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_with_their_rows() {
    let folder = project("", "provider: local");
    let served = Served::start(&folder, "sqlite", &[]).await;
    all(&served).await;
    // SQL takes no object with it: that is what orphans are for.
    served.put("own/x/sql").await;
    served.done("db/products/insert", json!({"data": {"name": "sql", "image": "own/x/sql"}})).await;
    served.done("logics/gone", json!({})).await;
    served.settled().await;
    assert!(served.is_there("own/x/sql").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_with_rows_on_postgres() {
    on(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_with_rows_on_mysql() {
    on(Engine::Mysql).await;
}

async fn on(engine: Engine) {
    let database = TestDatabase::create(engine).await.unwrap();
    let connection = format!("connections:\n  main: {{engine: {}, url: \"{}\"}}\n", engine.as_str(), database.url());
    let folder = project(&connection, "provider: local");
    all(&Served::start(&folder, engine.as_str(), &[]).await).await;
}

async fn all(served: &Served) {
    who_may_name(served).await;
    let product = |name: &str, key: &str| json!({"name": name, "image": key});
    for key in ["own/a/1", "own/a/2", "own/a/3", "own/a/4", "own/a/both", "own/a/caf\u{e9}"] {
        served.put(key).await;
    }
    // A key has one form, and what is removed is the object of that.
    let made = served.done("db/products/insert", json!({"data": product("p0", "own/a/cafe\u{301}")})).await;
    assert_eq!(made[0]["image"], "own/a/caf\u{e9}", "{}", served.engine);
    served.done("db/products/delete", json!({"where": {"image": "own/a/cafe\u{301}"}})).await;
    served.goes("own/a/caf\u{e9}").await;

    // By an update: the one that it had, where it has another one now.
    let rows = json!([
        product("p1", "own/a/1"),
        product("p2", "own/a/2"),
        product("p3", "own/a/both"),
        product("p4", "own/a/both")
    ]);
    served.done("db/products/insert", json!({"data": rows})).await;
    let same = json!({"where": {"name": "p1"}, "data": {"image": "own/a/1"}});
    assert_eq!(served.done("db/products/update", same).await, json!({"affected": 1}));
    let other = json!({"where": {"name": "p1"}, "data": {"image": "own/a/3"}, "returning": ["image"]});
    assert_eq!(served.done("db/products/update", other).await, json!([{"image": "own/a/3"}]), "{}", served.engine);
    served.goes("own/a/1").await;
    assert!(served.is_there("own/a/3").await && served.is_there("own/a/2").await, "{}", served.engine);
    let none = json!({"where": {"name": "nobody"}, "data": {"image": null}});
    assert_eq!(served.done("db/products/update", none).await, json!({"affected": 0}), "{}", served.engine);

    // By an insert that meets a row.
    let upsert = json!({"data": [product("p2", "own/a/4"), product("p5", "own/a/3")], "onConflict": {"columns": ["name"], "do": "update"}});
    served.done("db/products/insert", upsert).await;
    served.goes("own/a/2").await;
    assert!(served.is_there("own/a/4").await && served.is_there("own/a/3").await, "{}", served.engine);

    // With the last row that names it, and not before; also where a column names it that takes nothing with it.
    served.done("db/products/delete", json!({"where": {"name": "p3"}})).await;
    served.done("db/notes/insert", json!({"data": {"picture": "own/a/3"}})).await;
    served.done("db/products/delete", json!({"where": {"name": {"$in": ["p1", "p5"]}}})).await;
    served.settled().await;
    assert!(served.is_there("own/a/both").await && served.is_there("own/a/3").await, "{}", served.engine);
    served.done("db/products/delete", json!({"where": {"name": "p4"}, "returning": true})).await;
    served.goes("own/a/both").await;

    not_before_the_commit(served).await;
    another_spelling(served).await;
    // Who lets it go and names it again keeps it.
    served.put("own/a/6").await;
    served.done("db/products/insert", json!({"data": product("p6", "own/a/6")})).await;
    let remove = json!({"path": "db/products/delete", "params": {"where": {"name": "p6"}}});
    let again = json!({"path": "db/products/insert", "params": {"data": product("p7", "own/a/6")}});
    served.done("batch", json!({"calls": [remove, again]})).await;
    served.settled().await;
    assert!(served.is_there("own/a/6").await, "{}", served.engine);
}

/// What is rolled back lets nothing go.
async fn not_before_the_commit(served: &Served) {
    served.put("own/a/kept").await;
    served.done("db/products/insert", json!({"data": {"name": "kept", "image": "own/a/kept"}})).await;
    let remove = json!({"path": "db/products/delete", "params": {"where": {"name": "kept"}}});
    let wrong = json!({"path": "db/products/insert", "params": {"data": [{"name": "p2"}, {"name": "p2"}]}});
    let answer = ask(&served.editor, "batch", &json!({"calls": [remove, wrong]})).await;
    assert_eq!(answer.status, 409, "{} {answer:?}", served.engine);
    served.settled().await;
    assert!(served.is_there("own/a/kept").await, "{}", served.engine);
}

/// What SQL has written takes the object of no other row with it: another spelling of a key is none.
async fn another_spelling(served: &Served) {
    let key = "own/a/caf\u{e9}/menu";
    served.put(key).await;
    served.done("db/products/insert", json!({"data": {"name": "named", "image": key}})).await;
    for (name, image) in [("s1", "own/a/cafe\u{301}/menu"), ("s2", "own/a//menu"), ("s3", "own/a/../a/menu")] {
        served.done("logics/spelled", json!({"name": name, "image": image})).await;
    }
    let change = json!({"where": {"name": "s1"}, "data": {"image": null}});
    assert_eq!(served.done("db/products/update", change).await, json!({"affected": 1}), "{}", served.engine);
    served.done("logics/spelled", json!({"name": "s4", "image": "own/a/cafe\u{301}/menu"})).await;
    let removed =
        served.done("db/products/delete", json!({"where": {"name": {"$in": ["s1", "s2", "s3", "s4"]}}})).await;
    assert_eq!(removed, json!({"affected": 4}), "{}", served.engine);
    served.settled().await;
    assert!(served.is_there(key).await, "{}: a row names it", served.engine);
    served.done("db/products/delete", json!({"where": {"name": "named"}})).await;
    served.goes(key).await;
}

/// To name another's object in a row of one's own, and to remove the row, would remove what is another's.
async fn who_may_name(served: &Served) {
    served.put("own/anna/passport").await;
    let steal = json!({"data": {"name": "mine", "image": "own/anna/passport"}});
    let denied = ask(&served.app, "db/products/insert", &steal).await;
    assert_eq!((denied.status, denied.code()), (403, "FORBIDDEN"), "{} {denied:?}", served.engine);
    assert!(denied.body.to_string().contains("upload_sign"), "a key is told why: {denied:?}");
    let anonymous = ask(&served.dev.client, "db/products/insert", &steal).await;
    assert_eq!((anonymous.status, anonymous.code()), (400, "SCHEMA_VALIDATION_FAILED"), "{anonymous:?}");
    assert!(!anonymous.body.to_string().contains("upload_sign"), "nobody else is: {anonymous:?}");
    // Nor by the way of a change, an upsert or a batch, nor by another spelling.
    let mine = json!({"data": {"name": "mine", "image": "own/app/1"}});
    assert_eq!(ask(&served.app, "db/products/insert", &mine).await.status, 200);
    let change = json!({"where": {"name": "mine"}, "data": {"image": "own/anna/passport"}});
    assert_eq!(ask(&served.app, "db/products/update", &change).await.status, 403);
    let upsert = json!({"data": steal["data"], "onConflict": {"columns": ["name"], "do": "update"}});
    assert_eq!(ask(&served.app, "db/products/insert", &upsert).await.status, 403);
    let batch = json!({"calls": [{"path": "db/products/update", "params": change}]});
    assert_eq!(ask(&served.app, "batch", &batch).await.status, 403);
    for key in [
        "own/app/../anna/passport",
        "own/app//x",
        "/own/anna/passport",
        "own\\anna\\passport",
        "own/anna/passp\u{200b}ort",
        "",
    ] {
        let spelled = json!({"data": {"name": "spelled", "image": key}});
        let answer = ask(&served.app, "db/products/insert", &spelled).await;
        assert_eq!((answer.status, answer.code()), (400, "SCHEMA_VALIDATION_FAILED"), "{key:?} {answer:?}");
    }
    // A bucket without a policy: nobody may, by a request.
    let paper = json!({"data": {"paper": "a.pdf"}});
    assert_eq!(ask(&served.editor, "db/notes/insert", &paper).await.status, 403);
    assert_eq!(ask(&served.app, "db/products/delete", &json!({"where": {"name": "mine"}})).await.status, 200);
    served.settled().await;
    assert!(served.is_there("own/anna/passport").await, "{}", served.engine);
}

/// A store that is away loses nothing: it is asked again until it answers.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_when_its_store_is_back() {
    let s3 = S3::bucket().await.unwrap();
    let target = s3.endpoint.strip_prefix("http://").unwrap().to_owned();
    let mut proxy = FaultProxy::start(target).await.unwrap();
    let through = S3 { endpoint: format!("http://{}", proxy.address()), ..s3.clone() };
    let folder = project(&s3.secrets(), &through.declared("").replace(", ", "\n    "));
    let env = [("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8")];
    let served = Served::start(&folder, "s3", &env).await;
    served.put("own/a/1").await;
    served.done("db/products/insert", json!({"data": {"name": "p1", "image": "own/a/1"}})).await;
    proxy.refuse().await;
    served.done("db/products/delete", json!({"where": {"name": "p1"}})).await;
    served.dev.wait_for_output("it is tried again").await.unwrap();
    proxy.accept_again().await.unwrap();
    for _ in 0..200 {
        if s3.get("dev/own/a/1").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is there still: {}", served.dev.output());
}

/// A bucket that is not there has no objects, and that says nothing of those that rows have let go.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_when_its_bucket_is_found() {
    let s3 = S3::bucket().await.unwrap();
    s3.put("dev/own/a/1", b"abc").await.unwrap();
    let wrong = S3 { bucket: format!("{}-wrong", s3.bucket), ..s3.clone() };
    let declared = |s3: &S3| s3.declared("").replace(", ", "\n    ");
    let folder = project(&s3.secrets(), &declared(&wrong));
    let env = [("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8")];
    let served = Served::start(&folder, "s3", &env).await;
    served.done("db/products/insert", json!({"data": {"name": "p1", "image": "own/a/1"}})).await;
    served.done("db/products/delete", json!({"where": {"name": "p1"}})).await;
    served.dev.wait_for_output("it is tried again").await.unwrap();
    assert!(s3.get("dev/own/a/1").await.unwrap().is_some());
    folder.edit("config/storage.yaml", &wrong.bucket, &s3.bucket).unwrap();
    for _ in 0..400 {
        if s3.get("dev/own/a/1").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is there still: {}", served.dev.output());
}

const ADMIN: (&str, &str) = ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0");
const ID: (&str, &str) = ("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FE3");

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_no_row_names_are_found() {
    let lab = Lab::start("orphaned").await;
    lab.folder
        .write("config/storage.yaml", &STORAGE.replace("PROVIDER", "provider: local").replace("[editor]", "[public]"))
        .unwrap();
    let rules =
        ["select", "insert", "update", "delete"].map(|verb| format!("    {verb}: {{roles: [public]}}\n")).concat();
    lab.folder.write("schema/main.yaml", SCHEMA).unwrap();
    lab.folder.write("config/permissions.yaml", &format!("tables:\n  products:\n{rules}  notes:\n{rules}")).unwrap();
    let bridge = lab.bridge("one", &[ADMIN, ID]).await;
    lab.apply().await;
    let many: Vec<String> = (0..3).map(|number| format!("own/a/{number}")).collect();
    for key in &many {
        put(&bridge.client, key).await;
    }
    let named = json!({"data": [{"name": "p", "image": "own/a/1"}]});
    assert_eq!(ask(&bridge.client, "db/products/insert", &named).await.status, 200);
    let note = json!({"data": [{"picture": "own/a/2"}]});
    assert_eq!(ask(&bridge.client, "db/notes/insert", &note).await.status, 200);
    let found = orphans(&lab, &bridge, "images", "0s").await;
    assert_eq!((&found["looked"], &found["bytes"], &found["waiting"]), (&json!(3), &json!(3), &json!(0)), "{found}");
    assert_eq!(found["orphans"][0]["key"], "own/a/0", "{found}");
    assert_eq!(found["orphans"].as_array().unwrap().len(), 1, "{found}");
    // What was just put may not be named yet.
    assert_eq!(orphans(&lab, &bridge, "images", "1d").await["orphans"], json!([]));
    lab.folder.write("config/storage.yaml", "version: 1\nbuckets:\n  images: {provider: local}\n  papers: {provider: local}\n  loose: {provider: local}\n").unwrap();
    lab.apply().await;
    let loose = lab.stk(&["storage", "orphans", "loose"], "").await;
    assert!(loose.code == 1 && loose.stdout.contains("no column"), "{loose:?}");
}

async fn orphans(lab: &Lab, bridge: &Bridge, bucket: &str, older: &str) -> Json {
    // A free port of this machine is known by what the Bridge itself says.
    assert!(!bridge.admin_url().is_empty());
    lab.done(&["storage", "orphans", bucket, "--older-than", older], "").await
}

/// Page by page, in a store that others write to as well.
#[tokio::test(flavor = "multi_thread")]
async fn objects_that_no_row_names_are_found_on_every_page() {
    let lab = Lab::start("orphaned").await;
    let s3 = S3::bucket().await.unwrap();
    lab.done(&["secrets", "set", "S3_KEY"], &s3.key).await;
    lab.done(&["secrets", "set", "S3_SECRET"], &s3.secret).await;
    let provider = s3.declared("").replace(", ", "\n    ");
    let rules =
        ["select", "insert", "update", "delete"].map(|verb| format!("    {verb}: {{roles: [public]}}\n")).concat();
    lab.folder.write("schema/main.yaml", SCHEMA).unwrap();
    lab.folder.write("config/permissions.yaml", &format!("tables:\n  products:\n{rules}  notes:\n{rules}")).unwrap();
    lab.folder
        .write("config/storage.yaml", &STORAGE.replace("PROVIDER", &provider).replace("[editor]", "[public]"))
        .unwrap();
    let bridge = lab.bridge("one", &[ADMIN, ID, ("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8")]).await;
    lab.apply().await;
    // One more than two pages have.
    let keys: Vec<String> = (0..1_001).map(|number| format!("own/a/{number:04}")).collect();
    for key in &keys {
        s3.put(&format!("prod/{key}"), b"abc").await.unwrap();
    }
    s3.put("elsewhere/own/a/0001", b"abc").await.unwrap();
    // The first and the last of a page, and the last of all.
    let named = [0, 499, 500, 1_000];
    let rows: Vec<Json> = named.iter().map(|at| json!({"name": keys[*at], "image": keys[*at]})).collect();
    assert_eq!(ask(&bridge.client, "db/products/insert", &json!({"data": rows})).await.status, 200);
    let found = orphans(&lab, &bridge, "images", "0s").await;
    assert_eq!((&found["looked"], &found["bytes"]), (&json!(1_001), &json!(997 * 3)), "{}", found["looked"]);
    let orphans: Vec<&str> =
        found["orphans"].as_array().unwrap().iter().map(|orphan| orphan["key"].as_str().unwrap()).collect();
    let expected: Vec<&str> =
        keys.iter().enumerate().filter(|(at, _)| !named.contains(at)).map(|(_, key)| key.as_str()).collect();
    assert_eq!(orphans, expected);
}
