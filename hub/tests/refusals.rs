//! Every route of the Hub, asked as it must not be: with no credential, one that is malformed, over, used twice or of another kind; for
//! what is of another org; and with bodies that are too large, no JSON, or not what the document says. One Hub for all; a new route
//! is asked too, or the test says what it needs to be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Client;
use santokit_core::wire::Sealed;
use santokit_hub::{
    HubConfig, RunningHub,
    api::{self, Access, openapi::json_document},
    app::{authority::Scope, login::totp::Secret},
    clock::Clock,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const FIRST: &str = "the-first-token-of-this-hub";
const PASSWORD: &str = "correct horse battery staple";
const COMPONENT: &[u8] = include_bytes!("../../tests/guests/kept/logic-0.1.0-rust.wasm");
const BRIDGE: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// A Hub with two orgs that know nothing of each other: `default`, which is Ada's, with the project `shop`; `other`, which is Eve's,
/// with `theirs`.
struct World {
    hub: RunningHub,
    http: Client,
    dir: TempDir,
    ada: String,
    eve: String,
    /// Service tokens of the one and of the other.
    fleets: [String; 2],
    /// By the name of a path's parameter: what `default` and `shop` have.
    own: BTreeMap<&'static str, String>,
    /// What no route takes, and why it is none.
    useless: Vec<(&'static str, String)>,
    /// A refresh token that was used, and an invite.
    used: [String; 2],
}

impl World {
    async fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = HubConfig::local(dir.path().join("hub"), FIRST.into()).unwrap();
        let mut world = Self {
            hub: santokit_hub::serve(config).await.unwrap(),
            http: Client::new(),
            dir,
            ada: String::new(),
            eve: String::new(),
            fleets: [String::new(), String::new()],
            own: BTreeMap::new(),
            useless: Vec::new(),
            used: [String::new(), String::new()],
        };
        world.people().await;
        world.things().await;
        world.over().await;
        world
    }

    async fn ask(&self, token: Option<&str>, method: &str, path: &str, body: Vec<u8>) -> (u16, Json) {
        let request = self.http.request(method.parse().unwrap(), format!("http://{}{path}", self.hub.addr)).body(body);
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn ok(&self, token: &str, method: &str, path: &str, body: Json) -> Json {
        let (status, answer) = self.ask(Some(&bearer(token)), method, path, body.to_string().into_bytes()).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Opens a session; its access and refresh token.
    async fn session(&self, email: &str) -> [String; 2] {
        let answer = self.ok("", "POST", "/v1/auth/login", json!({"email": email, "password": PASSWORD})).await;
        ["accessToken", "refreshToken"].map(|name| text(&answer[name]))
    }

    async fn people(&mut self) {
        let of = |name: &str| json!({"email": format!("{name}@example.com"), "name": name, "password": PASSWORD});
        let made = self.ok(FIRST, "POST", "/v1/auth/bootstrap", of("ada")).await;
        self.own.insert("operator", text(&made["id"]));
        self.own.insert("member", text(&made["id"]));
        [self.ada, _] = self.session("ada@example.com").await;
        let enrolled = self.ok(&self.ada, "POST", "/v1/auth/mfa/enrol", json!({"password": PASSWORD})).await;
        let secret = Secret::of(&Sealed::new(text(&enrolled["secret"]))).unwrap();
        let code = secret.code_at(Clock::default().now().timestamp());
        self.ok(&self.ada, "POST", "/v1/auth/mfa/confirm", json!({"code": code})).await;
        self.ok(&self.ada, "POST", "/v1/orgs", json!({"name": "other"})).await;
        let invite = json!({"email": "eve@example.com", "role": "owner"});
        let invite = self.ok(&self.ada, "POST", "/v1/orgs/other/invites", invite).await;
        let secret = text(&invite["invite"]);
        let body = json!({"invite": secret, "name": "eve", "password": PASSWORD});
        self.ok("", "POST", "/v1/auth/join", body).await;
        self.used[1] = secret;
        [self.eve, _] = self.session("eve@example.com").await;
        self.ok(&self.eve, "DELETE", &format!("/v1/orgs/other/members/{}", self.own["operator"]), Json::Null).await;
    }

    async fn things(&mut self) {
        let ada = self.ada.clone();
        for (who, project, org) in [(&self.ada, "shop", "default"), (&self.eve, "theirs", "other")] {
            self.ok(who, "POST", "/v1/projects", json!({"name": project, "org": org})).await;
            self.ok(who, "POST", &format!("/v1/projects/{project}/envs"), json!({"name": "dev"})).await;
        }
        let env = "/v1/projects/shop/envs/dev";
        let url = format!("sqlite:{}", self.dir.path().join("main.db").display());
        self.ok(&ada, "PUT", &format!("{env}/connections/main"), json!({"engine": "sqlite", "url": url})).await;
        self.ok(&ada, "PUT", &format!("{env}/secrets/MAIN"), json!({"value": "planted"})).await;
        let key = self.ok(&ada, "POST", &format!("{env}/apikeys"), json!({"name": "app", "roles": ["app"]})).await;
        let manifest = json!({
            "connections": {"main": {"tables": {}}}, "defaultConnection": "main", "format": 1, "minimumBridge": "0.1.0", "project": "shop",
        });
        let applied = self.ok(&ada, "POST", &format!("{env}/apply"), json!({"manifest": manifest.to_string()})).await;
        let user_keys = self.ok(&ada, "GET", &format!("{env}/userkeys"), Json::Null).await;
        let digest = santokit_core::release::Digest::of(COMPONENT).to_string();
        let path = format!("/v1/projects/shop/blobs/{digest}");
        assert_eq!(self.ask(Some(&bearer(&ada)), "PUT", &path, COMPONENT.to_vec()).await.0, 201);
        let team = self.ok(&ada, "POST", "/v1/orgs/default/teams", json!({"name": "makers"})).await;
        let invite = json!({"email": "x@example.com", "role": "member"});
        let invite = self.ok(&ada, "POST", "/v1/orgs/default/invites", invite).await;
        let token = self.ok(&ada, "POST", "/v1/tokens", json!({"name": "t", "level": "read"})).await;
        let shop = self.ok(&ada, "POST", "/v1/service-tokens", json!({"name": "s", "envs": ["shop/dev"]})).await;
        let theirs =
            self.ok(&self.eve, "POST", "/v1/service-tokens", json!({"name": "t", "envs": ["theirs/dev"]})).await;
        self.fleets = [text(&shop["token"]), text(&theirs["token"])];
        let report = json!({"version": "0.1.0", "envs": [{"project": "shop", "env": "dev", "state": "fresh", "releaseId": null,
            "sequence": 1, "cacheAgeSeconds": 0, "refused": null}]});
        self.ok(&self.fleets[0], "POST", &format!("/internal/bridges/{BRIDGE}/report"), report).await;
        self.own.extend([
            ("org", "default".to_owned()),
            ("project", "shop".to_owned()),
            ("env", "dev".to_owned()),
            // A connection's.
            ("name", "main".to_owned()),
            ("secret", "MAIN".to_owned()),
            ("team", text(&team["name"])),
            ("digest", digest),
            ("invite", text(&invite["id"])),
            ("token", text(&token["id"])),
            ("serviceToken", text(&shop["id"])),
            ("apiKey", text(&key["id"])),
            ("release", text(&applied["releaseId"])),
            ("bridge", BRIDGE.to_owned()),
            ("userKey", text(&user_keys["keys"][0]["id"])),
        ]);
        self.useless.push(("an API key", text(&key["key"])));
        self.useless.push(("an invite", text(&invite["invite"])));
    }

    /// What was good once.
    async fn over(&mut self) {
        let [access, refresh] = self.session("eve@example.com").await;
        let renewed = self.ok("", "POST", "/v1/auth/refresh", json!({"refreshToken": refresh})).await;
        let (newer, next) = (text(&renewed["accessToken"]), text(&renewed["refreshToken"]));
        // Whoever uses it twice ends the session for both.
        let again = json!({"refreshToken": refresh}).to_string().into_bytes();
        assert_eq!(self.ask(None, "POST", "/v1/auth/refresh", again).await.0, 401);
        let token = self.ok(&self.ada, "POST", "/v1/tokens", json!({"name": "r", "level": "admin"})).await;
        self.ok(&self.ada, "DELETE", &format!("/v1/tokens/{}", text(&token["id"])), Json::Null).await;
        let [out, _] = self.session("eve@example.com").await;
        self.ok(&out, "POST", "/v1/auth/logout", json!({})).await;
        self.useless.extend([
            ("a token of a session whose refresh token came twice", access),
            ("the newer one of it", newer),
            ("a refresh token", next),
            ("a token that was revoked", text(&token["token"])),
            ("a token of a session that was ended", out),
            ("nothing that ever was", "stk_at_nothing".to_owned()),
        ]);
        self.used[0] = refresh;
    }

    /// A route's path with ids of `default` in it; another org's or project's name where one is said.
    fn path(&self, path: &str, org: &str, project: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
                parts.push(part);
                continue;
            };
            // What an id is of stands before it.
            let name = match (name, parts.last().copied()) {
                ("name", Some("secrets")) => "secret",
                ("id", Some("invites")) => "invite",
                // Of the Hub's own keys there is one, which no id here names.
                ("id", Some("tokens" | "keys")) => "token",
                ("id", Some("service-tokens")) => "serviceToken",
                ("id", Some("apikeys")) => "apiKey",
                ("id", Some("releases")) => "release",
                ("id", Some("bridges")) => "bridge",
                ("id", Some("operators")) => "operator",
                ("id", Some("userkeys")) => "userKey",
                (name, _) => name,
            };
            parts.push(match name {
                "org" => org,
                "project" => project,
                name => self.own.get(name).unwrap_or_else(|| panic!("what is {{{name}}} of {path}?")),
            });
        }
        let path = parts.join("/");
        if path == "/internal/releases/current" { format!("{path}?project={project}&env=dev") } else { path }
    }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What the document says of a route.
fn operation(method: &str, path: &str) -> &'static Json {
    &json_document()["paths"][path][method.to_lowercase()]
}

/// The JSON Schema of a route's body, where it has one.
fn schema(method: &str, path: &str) -> Option<&'static Json> {
    let schema = operation(method, path).pointer("/requestBody/content/application~1json/schema")?;
    match schema["$ref"].as_str() {
        Some(place) => json_document().pointer(place.trim_start_matches('#')),
        None => Some(schema),
    }
}

/// A body that is taken, by operation. It does nothing where it is refused for who asks, which is what it is for.
fn body(name: &str) -> Json {
    let moved = json!({"releaseId": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "dryRun": true});
    match name {
        "session.login" => json!({"email": "ada@example.com", "password": "p"}),
        "session.refresh" => json!({"refreshToken": "t"}),
        "session.reset" => json!({"code": "c", "password": "p"}),
        "userkey.rotate" | "signingkey.retire" => json!({"force": false}),
        "usertoken.issue" => json!({"sub": "s"}),
        "invite.join" => json!({"invite": "i", "name": "n", "password": "p"}),
        "operator.bootstrap" => {
            json!({"email": "x@example.com", "name": "n", "password": PASSWORD})
        }
        "password.change" => json!({"current": "p", "new": "q"}),
        "mfa.enrol" => json!({"password": "p"}),
        "mfa.confirm" => json!({"code": "000000"}),
        "mfa.disable" => json!({"password": "p", "code": "000000"}),
        "invite.accept" => json!({"invite": "i"}),
        "token.create" => json!({"name": "n", "level": "read", "envs": ["shop/dev"]}),
        "org.create" | "team.create" | "env.create" => json!({"name": "made"}),
        "member.set" => json!({"role": "member"}),
        "invite.create" => json!({"email": "y@example.com", "role": "member"}),
        "projectmember.set" => json!({"role": "viewer"}),
        "projectmember.invite" => json!({"email": "y@example.com", "role": "viewer"}),
        "env.protect" => json!({"protected": true}),
        "project.create" => json!({"name": "made", "org": "default"}),
        "connection.set" => json!({"engine": "sqlite", "url": "sqlite:x.db"}),
        "schema.plan" => json!({"connections": {}}),
        "secret.set" => json!({"value": "v"}),
        "apikey.create" => json!({"name": "n", "roles": ["app"]}),
        "bridge.token" => json!({"deed": "sync"}),
        "recording.token" => json!({"recording": "rec_01ARZ3NDEKTSV4RRFFQ69G5FAV"}),
        "schema.apply" => json!({"manifest": "{}", "dryRun": true}),
        "release.promote" | "release.rollback" => moved,
        "canary.set" => {
            json!({"releaseId": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "percent": 5, "dryRun": true})
        }
        "canary.promote" => json!({"dryRun": true}),
        "servicetoken.create" => json!({"name": "n", "envs": ["shop/dev"]}),
        "release.import" => {
            json!({"manifest": "{}", "envelope": {"payloadType": "t", "payload": "", "signatures": []}, "keys": []})
        }
        "release.sign" => json!({"key": format!("ed25519:{}=", "A".repeat(43)), "sig": ""}),
        "release.pin" => json!({"reason": "r"}),
        "ceilings.set" | "orgceilings.set" => json!({"deny": ["x"]}),
        "bridge.report" => json!({"version": "0.1.0", "envs": []}),
        name => panic!("what is a body of {name}? write one here"),
    }
}

/// What is sent to a route so that its body is no reason to refuse it.
fn good(method: &str, path: &str) -> Vec<u8> {
    match schema(method, path) {
        Some(_) => body(operation(method, path)["operationId"].as_str().unwrap()).to_string().into_bytes(),
        None => Vec::new(),
    }
}

#[tokio::test]
async fn every_route_refuses_what_it_must() {
    let world = World::make().await;
    let mut wrong = credentials(&world).await;
    wrong.extend(other_orgs(&world).await);
    wrong.extend(secrets_of_bodies(&world).await);
    wrong.extend(bodies(&world).await);
    assert!(wrong.is_empty(), "{} request(s) were not refused as they must be:\n{}", wrong.len(), wrong.join("\n"));
    // All of that has changed nothing for who may.
    world.ok(&world.ada, "GET", "/v1/projects", Json::Null).await;
    let verdict = world.ok(FIRST, "GET", "/v1/audit/verify", Json::Null).await;
    assert_eq!(verdict["verified"], true);
}

/// None, malformed, over, of another kind.
async fn credentials(world: &World) -> Vec<String> {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (route, access) in api::access() {
        let (method, path) = (route.method.as_str(), world.path(&route.path, "default", "shop"));
        let mut kinds: Vec<(&str, Option<String>)> = vec![
            ("nothing", None),
            ("an empty header", Some(String::new())),
            ("no token", Some("Bearer".to_owned())),
            ("an empty token", Some("Bearer ".to_owned())),
            ("another scheme", Some(format!("Basic {}", world.ada))),
            ("no scheme", Some(world.ada.clone())),
            ("a token and more", Some(bearer(&format!("{} {}", world.ada, world.ada)))),
            ("a long token", Some(bearer(&"x".repeat(4_000)))),
        ];
        kinds.extend(world.useless.iter().map(|(kind, token)| (*kind, Some(bearer(token)))));
        match access {
            Access::Operator(_) => kinds.push(("a service token", Some(bearer(&world.fleets[0])))),
            Access::Fleet => {
                kinds.push(("an operator's token", Some(bearer(&world.ada))));
                kinds.push(("the first token", Some(bearer(FIRST))));
            }
            Access::Anyone if route.path == "/metrics" => {
                kinds.push(("a service token", Some(bearer(&world.fleets[0]))));
            }
            Access::Anyone => continue,
        }
        for (kind, header) in kinds {
            let (status, answer) = world.ask(header.as_deref(), method, &path, good(method, &route.path)).await;
            asked += 1;
            if status != 401 || (method != "HEAD" && answer["error"]["code"] != "UNAUTHORIZED") {
                wrong.push(format!("{method} {path} with {kind}: {status} {answer}"));
            }
        }
    }
    assert!(asked > 1_000, "only {asked} requests");
    wrong
}

/// Ids of an org that the caller is not in: told as what does not exist.
async fn other_orgs(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (route, access) in api::access() {
        let (method, name) =
            (route.method.as_str(), operation(route.method.as_str(), &route.path)["operationId"].as_str());
        let name = name.unwrap();
        let has = |parameter: &str| route.path.contains(&format!("{{{parameter}}}"));
        let sent = || good(method, &route.path);
        let mut expected: Vec<(String, u16)> = Vec::new();
        match access {
            Access::Operator(action) => {
                let theirs = world.path(&route.path, "default", "shop");
                expected.push((
                    theirs,
                    match action.scope() {
                        Scope::Hub => 403,
                        // A list has nothing of theirs, and what names an id is asked below.
                        Scope::Own | Scope::Told
                            if !route.path.contains('{')
                                && name != "project.create"
                                && name != "servicetoken.create" =>
                        {
                            continue;
                        }
                        Scope::Org | Scope::Project | Scope::Own | Scope::Told => 404,
                    },
                ));
                // In one's own org, what is of the other.
                let more = route
                    .path
                    .split('/')
                    .filter(|part| part.starts_with('{'))
                    .any(|part| !["{org}", "{project}", "{env}"].contains(&part));
                if more && (has("org") || has("project")) {
                    // Setting makes it here, under the same name.
                    let makes = ["connection.set", "secret.set", "blob.put"].contains(&name);
                    if !makes {
                        expected.push((world.path(&route.path, "other", "theirs"), 404));
                    }
                }
            }
            Access::Fleet if route.path == "/internal/healthz" => continue,
            Access::Fleet => {
                let status = if has("id") && name != "bridge.report" || has("digest") { 404 } else { 403 };
                expected.push((world.path(&route.path, "default", "shop"), status));
            }
            Access::Anyone => continue,
        }
        for (path, status) in expected {
            let token = bearer(if access == Access::Fleet { &world.fleets[1] } else { &world.eve });
            let body = match name {
                "bridge.report" => {
                    json!({"version": "0.1.0", "envs": [{"project": "shop", "env": "dev", "state": "fresh",
                    "releaseId": null, "sequence": 1, "cacheAgeSeconds": 0, "refused": null}]})
                    .to_string()
                    .into_bytes()
                }
                _ => sent(),
            };
            let (got, answer) = world.ask(Some(&token), method, &path, body).await;
            if got != status {
                wrong.push(format!("{method} {path} from another org: expected {status}, got {got} {answer}"));
            }
        }
    }
    wrong
}

/// Secrets in bodies, which stand for credentials where there is none yet.
async fn secrets_of_bodies(world: &World) -> Vec<String> {
    let [refresh, invite] = &world.used;
    let mut wrong = Vec::new();
    for (path, body) in [
        ("/v1/auth/login", json!({"email": "ada@example.com", "password": "wrong"})),
        ("/v1/auth/login", json!({"email": "nobody@example.com", "password": PASSWORD})),
        ("/v1/auth/refresh", json!({"refreshToken": refresh})),
        ("/v1/auth/refresh", json!({"refreshToken": world.ada})),
        ("/v1/auth/refresh", json!({"refreshToken": ""})),
        ("/v1/auth/join", json!({"invite": invite, "name": "n", "password": PASSWORD})),
        ("/v1/auth/join", json!({"invite": "", "name": "n", "password": PASSWORD})),
    ] {
        let (status, answer) = world.ask(None, "POST", path, body.to_string().into_bytes()).await;
        if status != 401 {
            wrong.push(format!("POST {path} with {body}: {status} {answer}"));
        }
    }
    wrong
}

/// Bodies that are not what the document says, from who may: refused before anything is done.
async fn bodies(world: &World) -> Vec<String> {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for (route, access) in api::access() {
        let (method, path) = (route.method.as_str(), world.path(&route.path, "default", "shop"));
        let operation = operation(method, &route.path);
        let Some(most) = operation["x-body-bytes-max"].as_u64() else {
            continue;
        };
        let name = operation["operationId"].as_str().unwrap();
        let token = match access {
            Access::Operator(_) => Some(bearer(&world.ada)),
            Access::Fleet => Some(bearer(&world.fleets[0])),
            Access::Anyone => None,
        };
        seen.insert(name);
        let mut sent: Vec<(String, Vec<u8>)> = Vec::new();
        if let Some(schema) = schema(method, &route.path) {
            let good = body(name);
            for bad in ["", "{", "no json", "[]", "7", "\"x\"", "null", "{\"a\":1}{}", "\u{0}", "{\"\":"] {
                sent.push((format!("{bad:?}"), bad.as_bytes().to_vec()));
            }
            sent.push(("bytes that are no text".to_owned(), vec![b'"', 0xff, 0xfe, b'"']));
            sent.push(("a deep nest".to_owned(), "[".repeat(100_000).into_bytes()));
            if name == "bridge.report" {
                assert_ne!(schema["additionalProperties"], false, "newer Bridges say more");
            } else {
                assert_eq!(schema["additionalProperties"], false, "{name} takes any field");
                let mut more = good.clone();
                more["planted"] = json!(true);
                sent.push(("an unknown field".to_owned(), more.to_string().into_bytes()));
            }
            for (field, shape) in schema["properties"].as_object().unwrap() {
                let mut other = good.clone();
                let is_number = ["integer", "number"].iter().any(|kind| shape["type"].to_string().contains(kind));
                other[field] = if is_number { json!({"no": "such"}) } else { json!(7) };
                sent.push((format!("another type of {field}"), other.to_string().into_bytes()));
                if schema["required"].as_array().is_some_and(|needed| needed.contains(&json!(field))) {
                    let mut less = good.clone();
                    less.as_object_mut().unwrap().shift_remove(field);
                    sent.push((format!("no {field}"), less.to_string().into_bytes()));
                }
            }
        }
        // The largest are as large as the kept component allows: what is cut off is the same code.
        let large = vec![b' '; usize::try_from(most).unwrap() + 1];
        sent.push(("too much".to_owned(), large));
        for (what, bytes) in sent {
            let is_large = what == "too much";
            let (status, answer) = world.ask(token.as_deref(), method, &path, bytes).await;
            let limit = &answer["error"]["details"]["limit"];
            if status != 400 || answer["error"]["code"] != "BAD_REQUEST" || is_large != (limit == "requestBody") {
                wrong.push(format!("{method} {path} with {what}: {status} {answer}"));
            }
        }
    }
    assert!(seen.len() > 30, "only {seen:?} take a body");
    wrong
}
