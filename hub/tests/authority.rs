//! The role × action table as it is reviewed, what it must never say, and that every route has a row.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use santokit_hub::{
    api::{self, Access},
    app::authority::{Action, Need, OrgRole, ProjectRole, Role, Scope, Standing},
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/authority.txt");

#[test]
fn the_table_is_the_one_that_was_reviewed() {
    let mut table = String::from(
        "# Who may do what. Made by tests/authority.rs (UPDATE_GOLDEN=1); a change here is a change of powers.\n",
    );
    for (number, role) in Role::ALL.iter().enumerate() {
        writeln!(table, "# {}: {}", number + 1, role.as_str()).unwrap();
    }
    table.push('\n');
    for action in Action::ALL {
        let marks: String = (1..)
            .zip(Role::ALL)
            .map(|(n, role)| if action.may().contains(&role) { format!(" {n}") } else { " ·".into() })
            .collect();
        let needs = match action.need() {
            Need::Nothing => "",
            Need::Person => "  no token",
            Need::SecondFactor => "  second factor",
            Need::SecondFactorWhereProtected => "  second factor where the env is protected",
        };
        let name = action.as_str();
        writeln!(table, "{name:<22} {:<8}{marks}{needs}", format!("{:?}", action.scope()).to_lowercase()).unwrap();
    }
    table.push('\n');
    for (route, access) in api::access() {
        let access = match access {
            Access::Anyone => "anyone".to_owned(),
            Access::Fleet => "a service token".to_owned(),
            Access::Operator(action) => action.to_string(),
        };
        writeln!(table, "{:<6} {} = {access}", route.method, route.path).unwrap();
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(table, golden, "powers or routes have changed: read the difference, then set UPDATE_GOLDEN=1");
}

#[test]
fn every_route_has_a_row_and_every_row_a_use() {
    let routes = api::routes();
    assert_eq!(routes.len(), api::access().len(), "a route is mounted without an action");
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for (route, access) in api::access() {
        match access {
            Access::Anyone => {
                // The last ones want a secret in their body.
                let auth = ["login", "refresh", "join", "reset"].map(|what| format!("/v1/auth/{what}"));
                let open = ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"].map(str::to_owned);
                assert!([&open[..], &auth].concat().contains(&route.path), "{route:?}");
            }
            Access::Fleet => assert!(route.path.starts_with("/internal/"), "{route:?}"),
            Access::Operator(action) => {
                assert!(route.path.starts_with("/v1/"), "{route:?}");
                *used.entry(action.as_str()).or_default() += 1;
                let named = |name: &str| route.path.split('/').any(|part| part == name);
                match action.scope() {
                    Scope::Org => assert!(named("{org}"), "{route:?} does not name its org"),
                    Scope::Project => assert!(named("{project}"), "{route:?} does not name its project"),
                    // What the path names is decided before the handler, not in it.
                    Scope::Own | Scope::Hub | Scope::Told => {
                        assert!(
                            !named("{org}") && !named("{project}"),
                            "{route:?} names what {action} does not look at"
                        );
                    }
                }
            }
        }
    }
    // Checked beside a token of its own, and of who is an owner beside what is done to other members.
    used.extend([(Action::MetricsRead.as_str(), 1), (Action::OwnerSet.as_str(), 1)]);
    for action in Action::ALL {
        assert!(used.contains_key(action.as_str()), "{action} is of no route");
    }
    let mut names: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), Action::ALL.len());
    assert!(names.iter().all(|name| name.split('.').count() == 2));
}

#[test]
fn a_higher_role_never_has_less() {
    for action in Action::ALL {
        let project = |role| action.allows(Standing { project: Some(role), ..Standing::default() });
        let org = |role| action.allows(Standing { org: Some(role), ..Standing::default() });
        for pair in ProjectRole::ALL.windows(2) {
            assert!(project(pair[0]) || !project(pair[1]), "{action}: {pair:?}");
        }
        for pair in OrgRole::ALL.windows(2) {
            assert!(org(pair[0]) || !org(pair[1]), "{action}: {pair:?}");
        }
    }
}

#[test]
fn viewers_read_and_see_no_secrets_and_members_have_nothing_in_projects() {
    for action in Action::ALL {
        let (domain, verb) = action.as_str().split_once('.').unwrap();
        if action.allows(Standing { project: Some(ProjectRole::Viewer), ..Standing::default() })
            && action.scope() == Scope::Project
        {
            assert!(["read", "list", "status"].contains(&verb), "a viewer may {action}");
            assert_ne!(domain, "secret");
        }
        if matches!(action.scope(), Scope::Project) {
            assert!(
                !action.allows(Standing { org: Some(OrgRole::Member), ..Standing::default() }),
                "a member may {action}"
            );
        }
        if action.allows(Standing::default()) {
            assert_eq!(action.scope(), Scope::Own, "whoever is an operator may {action}");
        }
    }
}
