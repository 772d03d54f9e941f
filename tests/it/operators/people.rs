//! Orgs, teams, invites and owners: who comes in, who goes, who may say so, and how many there may be.

use super::{FIRST, Lab, PASSWORD, text};
use chrono::TimeDelta;
use serde_json::{Value as Json, json};

const ADA: &str = "ada@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_lets_one_person_in_once_and_within_a_day() {
    for lab in Lab::both().await {
        let ada = lab.session(ADA).await;
        let path = "/v1/orgs/default/invites";
        let body = |email: &str| json!({"email": email, "role": "member"});
        let join = |invite: &str| json!({"invite": invite, "name": "Grace", "password": PASSWORD});
        for wrong in [json!({"email": "grace", "role": "member"}), json!({"email": "g@example.com", "role": "boss"})] {
            lab.no(&ada, "POST", path, wrong, 400).await;
        }
        let made = lab.ok(Some(&ada), "POST", path, body("Grace@Example.com")).await;
        let invite = text(&made, "/invite");
        let listed = lab.ok(Some(&ada), "GET", path, Json::Null).await;
        assert!(listed["invites"][0]["email"] == "grace@example.com" && !listed.to_string().contains(&invite));
        // What opens an invite opens nothing else, and nothing else opens one.
        lab.no(&invite, "GET", "/v1/projects", Json::Null, 401).await;
        for wrong in ["stk_inv_nothing", ""] {
            assert_eq!(lab.ask(None, "POST", "/v1/auth/join", join(wrong)).await.status, 401);
        }
        let mut short = join(&invite);
        short["password"] = json!("short");
        assert_eq!(lab.ask(None, "POST", "/v1/auth/join", short).await.status, 400);
        let at_once = [(); 4].map(|()| lab.ask(None, "POST", "/v1/auth/join", join(&invite)));
        let joined = futures_util::future::join_all(at_once).await;
        assert_eq!(joined.iter().filter(|got| got.status == 201).count(), 1, "{joined:?}");
        assert_eq!(lab.ask(None, "POST", "/v1/auth/join", join(&invite)).await.status, 401, "an invite works once");
        assert_eq!(lab.log_in("grace@example.com", PASSWORD, None).await.status, 200);

        let late = lab.ok(Some(&ada), "POST", path, body("late@example.com")).await;
        let gone = lab.ok(Some(&ada), "POST", path, body("gone@example.com")).await;
        lab.ok(Some(&ada), "DELETE", &format!("{path}/{}", text(&gone, "/id")), Json::Null).await;
        lab.no(&ada, "DELETE", &format!("{path}/{}", text(&gone, "/id")), Json::Null, 404).await;
        assert_eq!(lab.ask(None, "POST", "/v1/auth/join", join(&text(&gone, "/invite"))).await.status, 401);
        lab.later(TimeDelta::hours(24));
        assert_eq!(lab.ask(None, "POST", "/v1/auth/join", join(&text(&late, "/invite"))).await.status, 401);
        assert_eq!(lab.audited("operator.create").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_an_operator_already_accepts_and_nobody_else_can() {
    for lab in Lab::both().await {
        let ada = lab.session(ADA).await;
        lab.invited(&ada, "default", "member", "grace@example.com").await;
        lab.invited(&ada, "default", "member", "eve@example.com").await;
        lab.ok(Some(&ada), "POST", "/v1/orgs", json!({"name": "acme"})).await;
        let body = json!({"email": "grace@example.com", "role": "admin"});
        let invite = text(&lab.ok(Some(&ada), "POST", "/v1/orgs/acme/invites", body).await, "/invite");
        let join = json!({"invite": invite, "name": "Grace", "password": PASSWORD});
        assert_eq!(lab.ask(None, "POST", "/v1/auth/join", join).await.status, 409);
        let eve = lab.session("eve@example.com").await;
        lab.no(&eve, "POST", "/v1/auth/accept", json!({"invite": invite}), 403).await;
        let grace = lab.session("grace@example.com").await;
        lab.ok(Some(&grace), "POST", "/v1/auth/accept", json!({"invite": invite})).await;
        lab.no(&grace, "POST", "/v1/auth/accept", json!({"invite": invite}), 401).await;
        let orgs = lab.ok(Some(&grace), "GET", "/v1/orgs", Json::Null).await;
        assert_eq!(orgs["orgs"], json!([{"name": "acme", "role": "admin"}, {"name": "default", "role": "member"}]));
        // An invite to less takes nothing away.
        let body = json!({"email": "grace@example.com", "role": "member"});
        let invite = text(&lab.ok(Some(&ada), "POST", "/v1/orgs/acme/invites", body).await, "/invite");
        lab.ok(Some(&grace), "POST", "/v1/auth/accept", json!({"invite": invite})).await;
        assert_eq!(lab.ok(Some(&grace), "GET", "/v1/orgs", Json::Null).await["orgs"][0]["role"], "admin");
        // Into a project, as what it says; what who leaves has invited is taken back.
        lab.ok(Some(&grace), "POST", "/v1/projects", json!({"name": "site", "org": "acme"})).await;
        let body = json!({"email": "eve@example.com", "role": "viewer"});
        let into_site = text(&lab.ok(Some(&grace), "POST", "/v1/projects/site/invites", body).await, "/invite");
        let body = json!({"email": "eve@example.com", "role": "admin"});
        let into_acme = text(&lab.ok(Some(&ada), "POST", "/v1/orgs/acme/invites", body).await, "/invite");
        lab.ok(Some(&eve), "POST", "/v1/auth/accept", json!({"invite": into_site})).await;
        lab.ok(Some(&eve), "GET", "/v1/projects/site/envs", Json::Null).await;
        lab.no(&eve, "POST", "/v1/projects/site/envs", json!({"name": "dev"}), 403).await;
        let body = json!({"email": "new@example.com", "role": "admin"});
        let by_grace = text(&lab.ok(Some(&grace), "POST", "/v1/orgs/acme/invites", body).await, "/invite");
        let members = lab.ok(Some(&ada), "GET", "/v1/orgs/acme/members", Json::Null).await;
        let row =
            members["members"].as_array().unwrap().iter().find(|row| row["email"] == "grace@example.com").unwrap();
        lab.ok(Some(&ada), "DELETE", &format!("/v1/orgs/acme/members/{}", text(row, "/operator")), Json::Null).await;
        let join = json!({"invite": by_grace, "name": "New", "password": PASSWORD});
        assert_eq!(lab.ask(None, "POST", "/v1/auth/join", join).await.status, 401);
        lab.ok(Some(&eve), "POST", "/v1/auth/accept", json!({"invite": into_acme})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_make_owners_and_there_is_always_one() {
    for lab in Lab::both().await {
        let ada = lab.session(ADA).await;
        lab.ok(Some(&ada), "POST", "/v1/orgs", json!({"name": "acme"})).await;
        lab.ok(Some(&ada), "POST", "/v1/projects", json!({"name": "site", "org": "acme"})).await;
        let bob_id = lab.invited(&ada, "acme", "admin", "bob@example.com").await;
        let (bob, who) = (lab.session("bob@example.com").await, "/v1/auth/whoami");
        let ada_id = text(&lab.ok(Some(&ada), "GET", who, Json::Null).await, "/operator/id");
        let member = |id: &str| format!("/v1/orgs/acme/members/{id}");
        let role = |role: &str| json!({"role": role});
        // An admin makes no owner, of whomever, by whatever way, and touches none.
        lab.no(&bob, "PUT", &member(&bob_id), role("owner"), 403).await;
        lab.no(&bob, "POST", "/v1/orgs/acme/invites", json!({"email": "x@example.com", "role": "owner"}), 403).await;
        lab.no(&bob, "PUT", &member(&ada_id), role("member"), 403).await;
        lab.no(&bob, "DELETE", &member(&ada_id), Json::Null, 403).await;
        lab.no(&bob, "DELETE", "/v1/orgs/acme", Json::Null, 403).await;
        lab.no(&bob, "POST", "/v1/orgs", json!({"name": "bobs"}), 403).await;
        lab.ok(Some(&bob), "POST", "/v1/orgs/acme/invites", json!({"email": "x@example.com", "role": "admin"})).await;
        // The last owner stays one.
        for (method, body) in [("PUT", role("admin")), ("DELETE", Json::Null)] {
            assert_eq!(lab.no(&ada, method, &member(&ada_id), body, 409).await.body["error"]["code"], "CONFLICT");
        }
        lab.no(FIRST, "POST", &format!("/v1/operators/{ada_id}/disable"), json!({}), 409).await;
        lab.ok(Some(&ada), "PUT", &member(&bob_id), role("owner")).await;
        lab.ok(Some(&bob), "DELETE", &member(&ada_id), Json::Null).await;
        lab.no(&ada, "GET", "/v1/orgs/acme/members", Json::Null, 404).await;
        lab.no(&bob, "DELETE", "/v1/orgs/acme", Json::Null, 409).await;
        lab.no(&ada, "DELETE", "/v1/orgs/default", Json::Null, 409).await;
        // A disabled owner is none.
        let eve_id = lab.invited(&bob, "acme", "owner", "eve@example.com").await;
        lab.ok(Some(FIRST), "POST", &format!("/v1/operators/{eve_id}/disable"), json!({})).await;
        lab.no(&bob, "DELETE", &member(&bob_id), Json::Null, 409).await;
        lab.no(&bob, "PUT", &member("op_nobody"), role("admin"), 404).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_give_roles_and_take_them_back() {
    for lab in Lab::both().await {
        lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
        let id = lab.invited(FIRST, "default", "member", "dan@example.com").await;
        let dan = lab.session("dan@example.com").await;
        let teams = "/v1/orgs/default/teams";
        lab.ok(Some(FIRST), "POST", teams, json!({"name": "shippers"})).await;
        lab.no(FIRST, "POST", teams, json!({"name": "shippers"}), 409).await;
        lab.no(FIRST, "POST", teams, json!({"name": "Not A Name"}), 400).await;
        lab.no(&dan, "POST", teams, json!({"name": "mine"}), 403).await;
        let member = format!("{teams}/shippers/members/{id}");
        lab.no(&dan, "PUT", &member, json!({}), 403).await;
        lab.no(FIRST, "PUT", &format!("{teams}/nobody/members/{id}"), json!({}), 404).await;
        lab.no(FIRST, "PUT", &format!("{teams}/shippers/members/op_nobody"), json!({}), 404).await;
        let project = "/v1/projects/shop";
        let given = format!("{project}/members/team:shippers");
        lab.no(FIRST, "PUT", &format!("{project}/members/team:nobody"), json!({"role": "admin"}), 404).await;
        lab.no(FIRST, "PUT", &format!("{project}/members/op_nobody"), json!({"role": "admin"}), 404).await;
        lab.ok(Some(FIRST), "PUT", &given, json!({"role": "deployer"})).await;
        lab.no(&dan, "GET", "/v1/projects/shop/envs", Json::Null, 404).await;
        lab.ok(Some(FIRST), "PUT", &member, json!({})).await;
        lab.ok(Some(&dan), "GET", "/v1/projects/shop/envs", Json::Null).await;
        let shown = lab.ok(Some(&dan), "GET", &format!("{teams}/shippers/members"), Json::Null).await;
        assert_eq!(shown["members"][0]["operator"], json!(id));
        let shown = lab.ok(Some(&dan), "GET", &format!("{project}/members"), Json::Null).await;
        assert_eq!(shown, json!({"members": [], "teams": [{"team": "shippers", "role": "deployer"}]}));
        // Who deploys gives nobody anything.
        lab.no(&dan, "PUT", &format!("{project}/members/{id}"), json!({"role": "admin"}), 403).await;
        lab.no(&dan, "POST", &format!("{project}/invites"), json!({"email": "x@example.com", "role": "viewer"}), 403)
            .await;
        lab.ok(Some(FIRST), "PUT", &format!("{project}/members/{id}"), json!({"role": "viewer"})).await;
        lab.no(&dan, "POST", &format!("{project}/envs"), json!({"name": "dev"}), 403).await;
        lab.ok(Some(FIRST), "DELETE", &format!("{project}/members/{id}"), Json::Null).await;
        lab.no(FIRST, "DELETE", &format!("{project}/members/{id}"), Json::Null, 404).await;
        lab.ok(Some(FIRST), "DELETE", &member, Json::Null).await;
        lab.no(FIRST, "DELETE", &member, Json::Null, 404).await;
        lab.no(&dan, "GET", "/v1/projects/shop/envs", Json::Null, 404).await;
        lab.ok(Some(FIRST), "DELETE", &given, Json::Null).await;
        lab.ok(Some(FIRST), "DELETE", &format!("{teams}/shippers"), Json::Null).await;
        lab.no(FIRST, "DELETE", &format!("{teams}/shippers"), Json::Null, 404).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_orgs_teams_projects_and_invites() {
    let [lab, _] = Lab::both().await;
    lab.ok(Some(FIRST), "POST", "/v1/orgs", json!({"name": "acme"})).await;
    lab.no(FIRST, "POST", "/v1/orgs", json!({"name": "acme"}), 409).await;
    for (path, most, limit) in [
        ("/v1/orgs", 998, "orgs"),
        ("/v1/orgs/acme/teams", 100, "teams"),
        ("/v1/projects", 500, "projects"),
        ("/v1/orgs/acme/invites", 100, "invites"),
    ] {
        let body = |n: usize| match limit {
            "invites" => json!({"email": format!("u{n}@example.com"), "role": "member"}),
            "projects" => json!({"name": format!("p{n}"), "org": "acme"}),
            _ => json!({"name": format!("n{n}")}),
        };
        for n in 0..most {
            lab.ok(Some(FIRST), "POST", path, body(n)).await;
        }
        let got = lab.no(FIRST, "POST", path, body(most), 409).await;
        assert_eq!(
            (&got.body["error"]["code"], &got.body["error"]["details"]["limit"]),
            (&json!("CONFLICT"), &json!(limit))
        );
    }
    // Another org has its own.
    lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "other"})).await;
    lab.ok(Some(FIRST), "DELETE", "/v1/orgs/n1", Json::Null).await;
    lab.ok(Some(FIRST), "POST", "/v1/orgs", json!({"name": "room"})).await;
}
