//! The role × action table end to end: every route of operators is asked by everyone, and who gets through is what the table says.
//! Getting through is told from being refused by the code of the answer; what the body is worth is told after it.

use super::{FIRST, Lab, PASSWORD, text};
use santokit_hub::{
    api::{self, Access},
    app::authority::{Action, Need, OrgRole, ProjectRole, Scope, Standing},
};
use serde_json::{Value as Json, json};

/// Who asks, and what they are to the Hub, to the org `acme` and to its project `site`.
struct Person {
    name: &'static str,
    token: String,
    standing: Standing,
}

async fn people(lab: &Lab) -> Vec<Person> {
    let ada = lab.session("ada@example.com").await;
    lab.ok(Some(&ada), "POST", "/v1/orgs", json!({"name": "acme"})).await;
    lab.ok(Some(&ada), "POST", "/v1/projects", json!({"name": "site", "org": "acme"})).await;
    // The second one is asked for by nobody: a project with an env is not removed.
    for env in ["dev", "kept"] {
        lab.ok(Some(&ada), "POST", "/v1/projects/site/envs", json!({"name": env})).await;
    }
    let mut people = Vec::new();
    for (name, role, given, org, project) in [
        ("owner", "owner", None, OrgRole::Owner, Some(ProjectRole::Admin)),
        ("admin", "admin", None, OrgRole::Admin, Some(ProjectRole::Admin)),
        ("member", "member", None, OrgRole::Member, None),
        ("project admin", "member", Some("admin"), OrgRole::Member, Some(ProjectRole::Admin)),
        ("deployer", "member", Some("deployer"), OrgRole::Member, Some(ProjectRole::Deployer)),
        ("viewer", "member", Some("viewer"), OrgRole::Member, Some(ProjectRole::Viewer)),
        ("demoted owner", "owner", Some("viewer"), OrgRole::Owner, Some(ProjectRole::Viewer)),
    ] {
        let email = format!("{}@example.com", name.replace(' ', "-"));
        let id = lab.invited(&ada, "acme", role, &email).await;
        if let Some(given) = given {
            lab.ok(Some(&ada), "PUT", &format!("/v1/projects/site/members/{id}"), json!({"role": given})).await;
        }
        let standing = Standing { runs_hub: false, org: Some(org), project };
        people.push(Person { name, token: lab.session(&email).await, standing });
    }
    lab.invited(&ada, "default", "admin", "stranger@example.com").await;
    people.push(Person {
        name: "stranger",
        token: lab.session("stranger@example.com").await,
        standing: Standing::default(),
    });
    lab.invited(&ada, "default", "owner", "hub-owner@example.com").await;
    let standing = Standing { runs_hub: true, ..Standing::default() };
    people.push(Person { name: "owner of the Hub", token: lab.session("hub-owner@example.com").await, standing });
    people
}

/// The status that says that somebody did not get through, or none for who did.
fn refusal(action: Action, standing: Standing) -> Option<u16> {
    let (seen, part) = match action.scope() {
        Scope::Own | Scope::Told => (true, standing),
        Scope::Hub => (true, Standing { runs_hub: standing.runs_hub, ..Standing::default() }),
        Scope::Org => (standing.org.is_some(), Standing { runs_hub: false, project: None, ..standing }),
        Scope::Project => (standing.project.is_some(), Standing { runs_hub: false, ..standing }),
    };
    match (seen, action.allows(part)) {
        (false, _) => Some(404),
        (true, false) => Some(403),
        (true, true) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_through_whom_the_table_says() {
    for lab in Lab::both().await {
        let people = people(&lab).await;
        let mut wrong = Vec::new();
        for (route, access) in api::access() {
            let Access::Operator(action) = access else { continue };
            // These decide by what the body says, and would end the sessions of the others.
            if action.scope() == Scope::Told || ["operator.logout", "operator.bootstrap"].contains(&action.as_str()) {
                continue;
            }
            let path = route.path.replace("{org}", "acme").replace("{project}", "site").replace("{env}", "dev");
            // Nothing has such a name: who gets through changes nothing.
            let path = path.split('/').map(|part| if part.starts_with('{') { "nothing" } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            for person in &people {
                // A body that is none: who gets through is told so.
                let method = route.method.as_str();
                let body = if ["POST", "PUT"].contains(&method) { json!([]) } else { Json::Null };
                // An org with a project is not removed.
                let got = lab.ask(Some(&person.token), method, &path, body).await;
                let code = got.body["error"]["details"]["needs"].as_str();
                let expected = refusal(action, person.standing);
                let is_right = match expected {
                    Some(status) if method == "HEAD" => got.status == status,
                    Some(404) => got.status == 404 && told_unknown(&got.body),
                    Some(status) => got.status == status && code.is_none(),
                    None if action.need() == Need::SecondFactor => got.status == 403 && code == Some("secondFactor"),
                    None => got.status != 401 && got.status != 403 && !(got.status == 404 && told_unknown(&got.body)),
                };
                if !is_right {
                    wrong.push(format!(
                        "{} {path} ({action}) by {}: {expected:?}, got {got:?}",
                        route.method, person.name
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Whether it is the org or the project that is told not to be there.
fn told_unknown(body: &Json) -> bool {
    let message = body["error"]["message"].as_str().unwrap_or_default();
    message.contains("there is no org \"acme\"") || message.contains("there is no project \"site\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_body_names_is_decided_as_what_the_path_names() {
    for lab in Lab::both().await {
        let people = people(&lab).await;
        for person in &people {
            let service = json!({"name": "fleet", "envs": ["site/dev"]});
            let expected = match (person.standing.project, Action::ServiceTokenCreate.allows(person.standing)) {
                (None, _) => 404,
                (Some(_), false) => 403,
                (Some(_), true) => 201,
            };
            let got = lab.ask(Some(&person.token), "POST", "/v1/service-tokens", service).await;
            assert_eq!(got.status, expected, "{}: {got:?}", person.name);
            let expected = match (person.standing.org, Action::ProjectCreate.allows(person.standing)) {
                (None, _) => 404,
                (Some(_), false) => 403,
                (Some(_), true) => 201,
            };
            let name = format!("p-{}", person.name.replace(' ', "-").to_lowercase());
            let got = lab.ask(Some(&person.token), "POST", "/v1/projects", json!({"name": name, "org": "acme"})).await;
            assert_eq!(got.status, expected, "{}: {got:?}", person.name);
        }
        // A token for what one may see is listed, for so much of it as one may see, and ended by who may end all of it.
        let ada = lab.session("ada@example.com").await;
        lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
        lab.ok(Some(FIRST), "POST", "/v1/projects/shop/envs", json!({"name": "prod"})).await;
        let both = json!({"name": "both", "envs": ["site/dev", "shop/prod"]});
        let made = lab.ok(Some(&ada), "POST", "/v1/service-tokens", both).await;
        let path = format!("/v1/service-tokens/{}", text(&made, "/id"));
        for person in &people {
            let list = lab.ok(Some(&person.token), "GET", "/v1/service-tokens", Json::Null).await;
            let row = list["serviceTokens"].as_array().unwrap().iter().find(|row| row["name"] == "both").cloned();
            let runs_shop = ["stranger", "owner of the Hub"].contains(&person.name);
            let expected = match (Action::ServiceTokenList.allows(person.standing), runs_shop) {
                (true, _) => Some(json!(["site/dev"])),
                (_, true) => Some(json!(["shop/prod"])),
                _ => None,
            };
            assert_eq!(row.map(|row| row["envs"].clone()), expected, "{}", person.name);
            let status = if expected.is_some() { 403 } else { 404 };
            lab.no(&person.token, "DELETE", &path, Json::Null, status).await;
        }
        lab.ok(Some(&ada), "DELETE", &path, Json::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_shows_an_owner_what_is_about_their_org() {
    for lab in Lab::both().await {
        let people = people(&lab).await;
        let ada = lab.session("ada@example.com").await;
        lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
        lab.ok(Some(&ada), "POST", "/v1/orgs", json!({"name": "other"})).await;
        let read = async |token: &str, query: &str| {
            let got = lab.ask(Some(token), "GET", &format!("/v1/audit?limit=1000{query}"), Json::Null).await;
            let entries = got.body["entries"].as_array().cloned().unwrap_or_default();
            let said = |entry: &Json| (text(entry, "/action"), entry["org"].clone(), entry["project"].clone());
            (got.status, entries.iter().map(said).collect::<Vec<_>>())
        };
        for person in &people {
            let (status, seen) = read(&person.token, "").await;
            match (person.standing.runs_hub, person.standing.org) {
                (true, _) => {
                    assert_eq!(status, 200);
                    for org in [json!("acme"), json!("other"), json!("default"), Json::Null] {
                        assert!(seen.iter().any(|(_, of, _)| *of == org), "{org} is not in {seen:?}");
                    }
                    assert!(read(&person.token, "&org=acme").await.1.iter().all(|(_, org, _)| *org == json!("acme")));
                }
                // Also one who has less in a project of it.
                (false, Some(OrgRole::Owner)) => {
                    assert!(status == 200 && seen.iter().all(|(_, org, _)| *org == json!("acme")), "{seen:?}");
                    for action in ["org.create", "invite.create", "project.create", "env.create", "operator.create"] {
                        assert!(seen.iter().any(|(done, ..)| done == action), "{action} is not in {seen:?}");
                    }
                    assert_eq!(read(&person.token, "&org=acme").await.1, seen);
                    assert_eq!(read(&person.token, "&project=shop").await, (200, vec![]));
                    for org in ["other", "default", "nowhere"] {
                        assert_eq!(read(&person.token, &format!("&org={org}")).await.0, 404, "{org}");
                    }
                }
                _ => {
                    assert_eq!(status, 403, "{}", person.name);
                    let status = if person.standing.org.is_some() { 403 } else { 404 };
                    assert_eq!(read(&person.token, "&org=acme").await.0, status, "{}", person.name);
                }
            }
            // Whether all of it is whole is for who sees all of it.
            let status = if person.standing.runs_hub { 200 } else { 403 };
            for path in ["/v1/audit/verify", "/v1/audit/head"] {
                assert_eq!(lab.ask(Some(&person.token), "GET", path, Json::Null).await.status, status);
            }
        }
        // A token is for what it is made for.
        let owner = people.iter().find(|person| person.name == "owner").unwrap();
        let tokens = [("admin", json!([]), 200), ("deploy", json!([]), 403), ("admin", json!(["site/dev"]), 403)];
        for (level, envs, status) in tokens {
            let body = json!({"name": "t", "level": level, "envs": envs});
            let token = text(&lab.ok(Some(&owner.token), "POST", "/v1/tokens", body).await, "/token");
            assert_eq!(read(&token, "").await.0, status, "{level} {envs}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_what_one_may_see() {
    let [lab, _] = Lab::both().await;
    let people = people(&lab).await;
    lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
    for person in &people {
        let list = lab.ok(Some(&person.token), "GET", "/v1/projects", Json::Null).await;
        let names: Vec<&str> =
            list["projects"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        let mut expected = Vec::new();
        expected.extend(["stranger", "owner of the Hub"].contains(&person.name).then_some("shop"));
        expected.extend(person.standing.project.map(|_| "site"));
        assert_eq!(names, expected, "{}", person.name);
        let orgs = lab.ok(Some(&person.token), "GET", "/v1/orgs", Json::Null).await.to_string();
        assert_eq!(orgs.contains("acme"), person.standing.org.is_some(), "{}", person.name);
        assert!(!orgs.contains(PASSWORD));
    }
    // Who is in several orgs says in which one; who is in none makes no project.
    let ada = lab.session("ada@example.com").await;
    lab.ok(Some(&ada), "POST", "/v1/projects", json!({"name": "in-the-first"})).await;
    let owner = people.iter().find(|person| person.name == "owner").unwrap();
    let made = lab.ok(Some(&owner.token), "POST", "/v1/projects", json!({"name": "in-the-only"})).await;
    assert_eq!(made["org"], "acme");
}
