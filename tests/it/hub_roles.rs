//! Who may do what, decided on what the store holds: roles of orgs, projects and teams, on both engines; and that what was there
//! before there were orgs goes on as it was.

use santokit_core::code::Code;
use santokit_hub::{
    app::authority::{Action, Credential, Target, Who, authorise, may},
    store::{
        Db, Place, Store, commit, envs, members,
        operators::{self, OperatorRow},
        orgs,
    },
};
use santokit_tests::{Engine, TestDatabase};
use secrecy::SecretString;
use sqlx::{AnyConnection, Connection, any::install_default_drivers};

const AT: &str = "2026-01-02T03:04:05.678Z";

fn who(operator: &str) -> Who {
    Who { operator: operator.to_owned(), credential: Credential::First }
}

/// `shop` and `lab` of the first org, `theirs` of the org `other`.
async fn furnish(db: &mut Db) {
    assert!(orgs::add(db, "other", AT).await.unwrap());
    assert!(!orgs::add(db, "other", AT).await.unwrap());
    for (org, project) in [(orgs::FIRST, "shop"), (orgs::FIRST, "lab"), ("other", "theirs")] {
        assert!(envs::add_project(db, org, project, AT).await.unwrap());
    }
    for (id, org, role) in [
        ("owner", orgs::FIRST, "owner"),
        ("admin", orgs::FIRST, "admin"),
        ("less", orgs::FIRST, "admin"),
        ("member", orgs::FIRST, "member"),
        ("given", orgs::FIRST, "member"),
        ("teamed", orgs::FIRST, "member"),
        ("both", orgs::FIRST, "member"),
        ("foreign", "other", "owner"),
    ] {
        let row = OperatorRow {
            id: id.into(),
            email: Some(format!("{id}@example.com")),
            name: id.into(),
            created_at: AT.into(),
            disabled_at: None,
        };
        assert!(operators::add(db, &row).await.unwrap());
        assert!(!operators::add(db, &OperatorRow { id: format!("{id}2"), ..row }).await.unwrap(), "an email is of one");
        members::set_org_role(db, org, id, role).await.unwrap();
    }
    let shop = (orgs::FIRST, "shop");
    for (team, role) in [("readers", "viewer"), ("shippers", "deployer")] {
        assert!(orgs::add_team(db, orgs::FIRST, team).await.unwrap());
        members::set_project_team(db, shop, team, role).await.unwrap();
        for operator in ["teamed", "both"] {
            members::add_to_team(db, orgs::FIRST, team, operator).await.unwrap();
        }
    }
    for (operator, role) in [("given", "deployer"), ("less", "viewer"), ("both", "viewer")] {
        members::set_project_operator(db, shop, operator, role).await.unwrap();
    }
}

/// What an action comes to.
async fn asked(db: &mut Db, operator: &str, action: Action, target: Target<'_>) -> Result<(), Code> {
    let outcome = authorise(db, &who(operator), action, target).await;
    assert_eq!(may(db, &who(operator), action, target).await.unwrap(), outcome.is_ok());
    outcome.map_err(|problem| problem.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_come_from_orgs_projects_and_teams() {
    let (dir, database) = (tempfile::tempdir().unwrap(), TestDatabase::create(Engine::Postgres).await.unwrap());
    let url = SecretString::from(database.url());
    for place in [Place::Directory(dir.path()), Place::Postgres(&url)] {
        let store = Store::open(place).await.unwrap();
        let mut db = store.write().await.unwrap();
        furnish(&mut db).await;
        let shop = Target::Project("shop", Some("prod"));
        let (forbidden, unknown) = (Err(Code::Forbidden), Err(Code::NotFound));
        // Reads, deploys, administers `shop`.
        for (operator, reads, deploys, administers) in [
            ("owner", Ok(()), Ok(()), Ok(())),
            ("admin", Ok(()), Ok(()), Ok(())),
            // What the project says stands before what the org gives,
            ("less", Ok(()), forbidden, forbidden),
            ("member", unknown, unknown, unknown),
            ("given", Ok(()), Ok(()), forbidden),
            // of several teams the highest,
            ("teamed", Ok(()), Ok(()), forbidden),
            // and before what teams give.
            ("both", Ok(()), forbidden, forbidden),
            ("foreign", unknown, unknown, unknown),
            ("nobody", unknown, unknown, unknown),
        ] {
            assert_eq!(asked(&mut db, operator, Action::ReleaseRead, shop).await, reads, "{operator} reads");
            assert_eq!(asked(&mut db, operator, Action::SchemaApply, shop).await, deploys, "{operator} deploys");
            assert_eq!(asked(&mut db, operator, Action::SecretSet, shop).await, administers, "{operator} administers");
        }
        // A role in one project is none in another.
        assert_eq!(asked(&mut db, "given", Action::ReleaseRead, Target::Project("lab", None)).await, unknown);
        // Who deploys does not widen what may be deployed, and who has less in a project may still say what the org allows.
        assert_eq!(asked(&mut db, "given", Action::CeilingsSet, shop).await, forbidden);
        assert_eq!(asked(&mut db, "less", Action::CeilingsSet, shop).await, Ok(()));
        for (operator, first, other, hub) in [
            ("owner", Ok(()), unknown, Ok(())),
            ("admin", Ok(()), unknown, forbidden),
            ("member", forbidden, unknown, forbidden),
            ("foreign", unknown, Ok(()), forbidden),
        ] {
            let org = Action::ProjectCreate;
            assert_eq!(asked(&mut db, operator, org, Target::Org(orgs::FIRST)).await, first, "{operator}");
            assert_eq!(asked(&mut db, operator, org, Target::Org("other")).await, other, "{operator}");
            assert_eq!(asked(&mut db, operator, Action::AuditRead, Target::Hub).await, hub, "{operator}");
        }
        let names = async |db: &mut Db, operator: &str| -> Vec<String> {
            envs::projects_of(db, operator).await.unwrap().into_iter().map(|(name, ..)| name).collect()
        };
        assert_eq!(names(&mut db, "owner").await, ["lab", "shop"]);
        assert_eq!(names(&mut db, "teamed").await, ["shop"]);
        assert_eq!(names(&mut db, "foreign").await, ["theirs"]);
        assert!(names(&mut db, "member").await.is_empty());
        commit(db).await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_told_as_what_does_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Place::Directory(dir.path())).await.unwrap();
    let mut db = store.write().await.unwrap();
    furnish(&mut db).await;
    for (known, target) in [("shop", Target::Project("shop", None)), ("other", Target::Org("other"))] {
        let nowhere = match target {
            Target::Org(_) => Target::Org("nowhere"),
            _ => Target::Project("nowhere", None),
        };
        let told = |problem: Box<santokit_core::problem::Problem>| format!("{:?}", problem.body("r"));
        let theirs = told(authorise(&mut db, &who("member"), Action::ProjectCreate, target).await.unwrap_err());
        let none = told(authorise(&mut db, &who("member"), Action::ProjectCreate, nowhere).await.unwrap_err());
        assert_eq!(theirs.replace(known, "nowhere"), none);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_org_has_nothing_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Place::Directory(dir.path())).await.unwrap();
    let mut db = store.write().await.unwrap();
    furnish(&mut db).await;
    for operator in ["teamed", "given"] {
        assert!(members::remove_from_org(&mut db, orgs::FIRST, operator).await.unwrap());
        assert!(!members::remove_from_org(&mut db, orgs::FIRST, operator).await.unwrap());
        // Back, with nothing of what it had.
        members::set_org_role(&mut db, orgs::FIRST, operator, "member").await.unwrap();
        let target = Target::Project("shop", None);
        assert_eq!(asked(&mut db, operator, Action::ReleaseRead, target).await, Err(Code::NotFound), "{operator}");
    }
    assert!(orgs::delete_team(&mut db, orgs::FIRST, "shippers").await.unwrap());
    let roles = members::project_roles(&mut db, orgs::FIRST, "shop", "both").await.unwrap();
    assert_eq!(roles.of_teams, ["viewer"]);
    assert!(members::remove_from_team(&mut db, orgs::FIRST, "readers", "both").await.unwrap());
    let roles = members::project_roles(&mut db, orgs::FIRST, "shop", "both").await.unwrap();
    assert!(roles.of_teams.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_from_before_there_were_orgs_goes_on_as_it_was() {
    install_default_drivers();
    let (dir, database) = (tempfile::tempdir().unwrap(), TestDatabase::create(Engine::Postgres).await.unwrap());
    let url = SecretString::from(database.url());
    let file = format!("sqlite://{}?mode=rwc", dir.path().join("hub.db").display());
    let before = |engine: &str, version: &str| {
        let folder = santokit_tests::folder::repository().join("hub/src/store").join(engine);
        let text = ["0001-begin", "0002-apply-locks", "0003-releases"]
            .map(|name| std::fs::read_to_string(folder.join(format!("{name}.sql"))).unwrap());
        let data = "INSERT INTO operator_tokens (id, hash, created_at) VALUES ('op_1', 'h', '2025'); \
                    INSERT INTO projects (name, created_at) VALUES ('shop', '2025');";
        format!("{}\n{data}\n{version}", text.join("\n"))
    };
    let of_postgres = "CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES (3);";
    for (address, sql, place) in [
        (file, before("sqlite", "PRAGMA user_version = 3;"), Place::Directory(dir.path())),
        (database.url(), before("postgres", of_postgres), Place::Postgres(&url)),
    ] {
        let mut old = AnyConnection::connect(&address).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "migrations are constants of several statements")]
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
        let store = Store::open(place).await.unwrap();
        let mut db = store.read().await.unwrap();
        assert_eq!(envs::projects_of(&mut db, "op_1").await.unwrap()[0].1, orgs::FIRST);
        for (action, target) in [
            (Action::SecretSet, Target::Project("shop", None)),
            (Action::ProjectCreate, Target::Org(orgs::FIRST)),
            (Action::AuditVerify, Target::Hub),
        ] {
            assert_eq!(asked(&mut db, "op_1", action, target).await, Ok(()));
        }
        assert!(operators::by_id(&mut db, "op_1").await.unwrap().unwrap().email.is_none());
    }
}
