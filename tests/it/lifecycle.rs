//! The life of a project from an empty folder to a verified audit log, as people and CI live it: a Hub and Bridges as processes,
//! PostgreSQL databases for `dev` and `prod`, and nothing but `stk` and the script that CI copies.

use std::{
    fs,
    path::{Path, PathBuf},
};

use santokit_tests::{
    Bridge, Engine, Finished, Hub, TestDatabase, folder::repository, planes::OPERATOR, script, stk_fed,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::lab::{COMPONENT, SECRET};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";
const ENVS: [&str; 2] = ["dev", "prod"];

/// A person's machine, and what they have set up.
struct Shop {
    hub: Hub,
    dir: TempDir,
    /// Keys of applications, of `dev` and of `prod`.
    keys: [String; 2],
    service_token: String,
    trusted: String,
    /// Dropped after who uses them.
    databases: [TestDatabase; 2],
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

impl Shop {
    /// From an empty folder to two envs with databases and keys: `init`, `login`, `project`, `env`, `connections`, `apikey`, `hub token`.
    async fn open() -> Self {
        let databases = [
            TestDatabase::create(Engine::Postgres).await.unwrap(),
            TestDatabase::create(Engine::Postgres).await.unwrap(),
        ];
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub::start(dir.path()).await.unwrap();
        let (keys, none) = ([String::new(), String::new()], String::new());
        let mut shop = Self { hub, dir, keys, service_token: none.clone(), trusted: none, databases };
        shop.stk_in(shop.dir.path(), &["init", "shop", "--template", "sql"], &[], "").await;
        let bootstrap = ["login", "--bootstrap", "--email", EMAIL, "--name", "Ada", "--password-stdin"];
        shop.stk_in(&shop.folder(), &bootstrap, &[("STK_TOKEN", OPERATOR)], PASSWORD).await;
        shop.stk(&["logout"], "").await;
        shop.stk(&["login", "--email", EMAIL, "--password-stdin"], PASSWORD).await;
        assert_eq!(shop.stk(&["whoami"], "").await["credential"]["kind"], "session");
        shop.stk(&["project", "create", "shop"], "").await;
        for (number, env) in ENVS.into_iter().enumerate() {
            shop.stk(&["env", "create", env], "").await;
            let url = shop.databases[number].url();
            let set = ["connections", "set", "main", "--env", env, "--engine", "postgres", "--url-stdin"];
            shop.stk(&set, &url).await;
            let made = shop.stk(&["apikey", "create", "app", "--role", "app", "--env", env], "").await;
            shop.keys[number] = text(&made["key"]);
        }
        let token = ["hub", "token", "create", "fleet", "--for", "shop/dev", "--for", "shop/prod"];
        shop.service_token = text(&shop.stk(&token, "").await["token"]);
        shop.trusted = text(&shop.stk(&["keys", "list"], "").await["keys"][0]["key"]);
        shop
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What `logics/version.sql` answers.
    fn set_version(&self, number: u32) {
        self.write("logics/version.sql", &format!("---\nauth: public\n---\nSELECT {number} AS number\n"));
    }

    /// A command of the person who has logged in, which succeeds; its answer.
    async fn stk(&self, args: &[&str], input: &str) -> Json {
        self.stk_in(&self.folder(), args, &[], input).await
    }

    async fn stk_in(&self, dir: &Path, args: &[&str], more: &[(&str, &str)], input: &str) -> Json {
        let config = self.dir.path().join("config").display().to_string();
        let own = [("STK_HUB_URL", self.hub.url.as_str()), ("XDG_CONFIG_HOME", config.as_str())];
        let env: Vec<(&str, &str)> = own.iter().chain(more).copied().collect();
        let finished = stk_fed(dir, &[args, &["--json"]].concat(), &env, input).await.unwrap();
        assert_eq!(finished.code, 0, "stk {args:?}: {finished:?}");
        finished.json()
    }

    /// A Bridge of some envs.
    async fn bridge(&self, envs: &str) -> Bridge {
        let cache = self.dir.path().join(envs.replace(['/', ','], "-"));
        let settings = [
            ("STK_BRIDGE_HUB_URL", self.hub.url.as_str()),
            ("STK_BRIDGE_SERVICE_TOKEN", &self.service_token),
            ("STK_BRIDGE_TRUSTED_KEYS", &self.trusted),
            ("STK_BRIDGE_ENVS", envs),
            ("STK_BRIDGE_POLL_INTERVAL", "1s"),
            ("STK_BRIDGE_CACHE_DIR", cache.to_str().unwrap()),
        ];
        Bridge::start(self.dir.path(), &settings).await.unwrap()
    }
}

/// What a caller with this name gets; none where the Bridge serves nothing yet.
async fn version(bridge: &Bridge, name: &str) -> Option<u64> {
    let answer = bridge.client.named(name).logic("version", json!({})).await.unwrap();
    answer.body["data"][0]["number"].as_u64()
}

async fn notes(bridge: &Bridge) -> Vec<String> {
    let answer = bridge.client.logic("list_notes", json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].as_array().unwrap().iter().map(|row| text(&row["text"])).collect()
}

async fn add_note(bridge: &Bridge, key: &str, note: &str) {
    let params = json!({"id": note, "text": note});
    assert_eq!(bridge.client.logic("add_note", params.clone()).await.unwrap().status, 401);
    let added = bridge.client.with_key(key).logic("add_note", params).await.unwrap();
    assert_eq!(added.status, 200, "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_empty_folder_to_a_verified_log() {
    let shop = Shop::open().await;
    let (dev, prod) = (shop.bridge("shop/dev").await, shop.bridge("shop/prod").await);
    shop.set_version(1);
    shop.stk(&["check"], "").await;
    let applied = shop.stk(&["apply", "--env", "dev"], "").await;
    assert_eq!(applied["schemaSteps"][0], "main: create table notes", "{applied}");
    let first = text(&applied["releaseId"]);
    add_note(&dev, &shop.keys[0], "in dev").await;
    assert_eq!((notes(&dev).await, version(&dev, "ada").await), (vec!["in dev".to_owned()], Some(1)));
    assert_eq!(version(&prod, "ada").await, None, "nothing was promoted");

    shop.stk(&["release", "promote", &first, "--env", "prod", "--apply-schema"], "").await;
    assert_eq!((notes(&prod).await.len(), version(&prod, "ada").await), (0, Some(1)), "a database of its own");
    add_note(&prod, &shop.keys[1], "in prod").await;

    shop.set_version(2);
    let second = text(&shop.stk(&["apply", "--env", "dev"], "").await["releaseId"]);
    assert_eq!((version(&dev, "ada").await, version(&prod, "ada").await), (Some(2), Some(1)));
    let canary = ["release", "canary", &second, "--env", "prod", "--percent", "50", "--auto-rollback", "error-rate>5%"];
    shop.stk(&canary, "").await;
    let mut got = std::collections::BTreeSet::new();
    for number in 0..40 {
        let name = format!("caller-{number}");
        let answered = version(&prod, &name).await.unwrap();
        assert_eq!(version(&prod, &name).await, Some(answered), "whoever asks again gets the same again");
        got.insert(answered);
    }
    assert_eq!(got.into_iter().collect::<Vec<_>>(), [1, 2]);
    shop.stk(&["release", "canary", "promote", "--env", "prod"], "").await;
    for number in 0..10 {
        assert_eq!(version(&prod, &format!("caller-{number}")).await, Some(2));
    }

    let back = shop.stk(&["release", "rollback", "--env", "prod"], "").await;
    assert_eq!(back["releaseId"], json!(first), "{back}");
    assert_eq!((notes(&prod).await, version(&prod, "ada").await), (vec!["in prod".to_owned()], Some(1)));
    assert_eq!(version(&dev, "ada").await, Some(2), "dev is not prod");

    let verified = shop.stk(&["audit", "verify", "--key", &shop.trusted], "").await;
    assert_eq!(verified["verified"], true, "{verified}");
    let log = shop.stk(&["audit", "log", "--project", "shop", "--env", "prod", "--limit", "1000"], "").await;
    let actions: Vec<&str> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let wanted = [
        "env.create",
        "connection.set",
        "apikey.create",
        "schema.apply",
        "release.promote",
        "canary.start",
        "canary.promote",
        "release.promote",
        "release.rollback",
    ];
    assert_eq!(actions, wanted, "each deed in its order");
}

/// The script, where a pipeline has copied it to, and its token.
struct Pipeline<'a> {
    shop: &'a Shop,
    script: PathBuf,
    token: String,
}

impl Pipeline<'_> {
    async fn run(&self, args: &[&str], accept: &str) -> Finished {
        let env = [
            ("STK_HUB_URL", self.shop.hub.url.as_str()),
            ("STK_TOKEN", self.token.as_str()),
            ("DEPLOY_ACCEPT", accept),
        ];
        script(&self.shop.folder(), &self.script, args, &env).await.unwrap()
    }

    async fn done(&self, args: &[&str], accept: &str) -> String {
        let finished = self.run(args, accept).await;
        assert_eq!(finished.code, 0, "deploy.sh {args:?}: {finished:?}");
        finished.stdout
    }

    /// Ends with 3, and says what is missing.
    async fn refused(&self, args: &[&str], says: &str) -> String {
        let finished = self.run(args, "").await;
        assert!(finished.code == 3 && finished.stderr.contains(says), "deploy.sh {args:?}: {finished:?}");
        finished.stdout
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_ci_plans_applies_and_promotes() {
    let shop = Shop::open().await;
    let bridge = shop.bridge("shop/dev,shop/prod").await;
    let [dev, prod] = [0, 1].map(|number: usize| bridge.client.with_key(&shop.keys[number]));
    let create = ["token", "create", "ci", "--level", "deploy", "--for", "shop/dev", "--for", "shop/prod"];
    let token = text(&shop.stk(&create, "").await["token"]);
    let pipeline = Pipeline { shop: &shop, script: repository().join("examples/gitops/deploy.sh"), token };
    for wrong in [&[][..], &["apply"], &["promote", "dev"], &["destroy", "dev"]] {
        assert_eq!(pipeline.run(wrong, "").await.code, 2, "{wrong:?}");
    }
    assert_eq!(pipeline.run(&["plan", "dev"], "everything").await.code, 2);

    // A pull request, and its merge.
    let planned = pipeline.done(&["plan", "dev"], "").await;
    assert!(planned.contains("schema: main: create table notes"), "{planned}");
    assert_eq!(dev.logic("list_notes", json!({})).await.unwrap().status, 503, "a plan changes nothing");
    let applied = pipeline.done(&["apply", "dev"], "").await;
    assert!(applied.contains("dev runs rel_") && applied.contains("sequence 1, sha256:"), "{applied}");
    assert_eq!(dev.logic("list_notes", json!({})).await.unwrap().status, 200);

    // One that gives a component powers, and somebody access.
    shop.write("santokit.yaml", "version: 1\nname: shop\nconfig: {greeting: hello}\n");
    shop.write(
        "logics/every/logic.yaml",
        "component: {path: every.wasm}\nauth: public\nparams:\n  connection: {type: string, default: main}\n  \
         query: {type: string, default: SELECT 1 AS number}\n  statement: {type: string, default: UPDATE notes SET text = text}\n  \
         config: {type: string, default: greeting}\n  secret: {type: string, default: TOKEN}\ngrants:\n  \
         sql: [{connection: main, tables: {notes: [select, insert, update]}}]\n  secrets: [TOKEN]\n  config: [greeting]\n",
    );
    fs::copy(repository().join(COMPONENT), shop.folder().join("logics/every/every.wasm")).unwrap();
    for env in ENVS {
        shop.stk(&["secrets", "set", "TOKEN", "--env", env], SECRET).await;
    }
    let planned = pipeline.refused(&["plan", "dev"], "set DEPLOY_ACCEPT='grants'").await;
    for line in ["grants: + every: secret TOKEN", "access: + anyone gains calls of every", "dry run"] {
        assert!(planned.contains(line), "{line:?} is not in {planned}");
    }
    pipeline.refused(&["apply", "dev"], "consent is missing").await;
    assert_eq!(dev.logic("every", json!({})).await.unwrap().status, 404, "nothing was applied");
    pipeline.done(&["apply", "dev"], "grants").await;
    let every = dev.logic("every", json!({})).await.unwrap();
    assert_eq!(every.body["data"]["secret"], SECRET.len(), "{every:?}");

    // A tag: what dev runs and is checked out goes to prod, with its tables.
    pipeline.refused(&["promote", "dev", "prod"], "set DEPLOY_ACCEPT='grants'").await;
    assert_eq!(prod.logic("list_notes", json!({})).await.unwrap().status, 503);
    let promoted = pipeline.done(&["promote", "dev", "prod"], "grants").await;
    assert!(promoted.contains("prod runs rel_"), "{promoted}");
    assert_eq!(prod.logic("every", json!({})).await.unwrap().status, 200);
    shop.set_version(7);
    pipeline.refused(&["promote", "dev", "prod"], "does not run what is checked out").await;
    pipeline.done(&["apply", "dev"], "").await;
    pipeline.done(&["promote", "dev", "prod"], "").await;
    assert_eq!(prod.logic("version", json!({})).await.unwrap().body["data"][0]["number"], 7);
    pipeline.done(&["rollback", "prod"], "").await;
    assert_eq!(prod.logic("version", json!({})).await.unwrap().status, 404);
    // What takes away is told as that, whatever the Hub would refuse.
    shop.write("schema/main.yaml", "version: 1\ntables: {}\n");
    for logic in ["list_notes.sql", "add_note.sql", "every/logic.yaml"] {
        fs::remove_file(shop.folder().join("logics").join(logic)).unwrap();
    }
    pipeline.refused(&["plan", "dev"], "set DEPLOY_ACCEPT='destructive'").await;

    // The answers that a pipeline keeps prove to its owner that nothing was cut from the log since.
    let kept = "deploy-out/applied-dev.json";
    let verify = ["audit", "verify", "--since-head", kept, "--key", &shop.trusted];
    let verified = shop.stk(&verify, "").await;
    assert_eq!((&verified["verified"], &verified["comparedHeads"]), (&json!(true), &json!(1)), "{verified}");
}

/// What the snippets call is there.
#[test]
fn the_snippets_for_ci_call_the_script_as_it_is() {
    let folder = repository().join("examples/gitops");
    let page = fs::read_to_string(repository().join("docs/reference/ci.md")).unwrap();
    for name in ["github.yml", "gitlab-ci.yml"] {
        let snippet = fs::read_to_string(folder.join(name)).unwrap();
        let _parsed: Json = serde_saphyr::from_str(&snippet).unwrap();
        let calls: Vec<&str> = snippet.match_indices("./deploy.sh ").map(|(at, _)| &snippet[at..]).collect();
        assert!(calls.len() >= 3, "{name}");
        for call in calls {
            let words: Vec<&str> = call.split([' ', '\n', ']']).skip(1).take(3).collect();
            let is_known = matches!(words[..], ["plan" | "apply", "dev", _] | ["promote", "dev", "prod"]);
            assert!(is_known, "{name} calls {words:?}");
        }
        assert!(page.contains(name), "docs/reference/ci.md does not name {name}");
    }
}
