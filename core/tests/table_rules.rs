//! Who may do what to rows of a table: which rule decides, and what it leaves to be asked of the rows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{
        Actor, ActorKind, Denial, Permissions, Rule, TablePermissions,
        predicate::Predicate,
        table::{Allowed, Columns, TableDecision, TableRules, Verb},
    },
    schema::{
        Schema,
        relation::{Cardinality, Relations},
    },
};
use serde_json::{Map, json};

fn schema() -> Schema {
    let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true});
    let reference = |name: &str, table: &str, alias: &str| {
        let to = json!({"table": table, "column": "id", "as": alias, "onDelete": "restrict", "onUpdate": "restrict"});
        json!({"name": name, "type": "string", "nullable": true, "references": to})
    };
    let id = json!({"name": "id", "generate": "ulid", "type": "string"});
    serde_json::from_value(json!({"tables": {
        "customers": {"id": id, "columns": [column("name", "string"), column("reviews", "int")]},
        "orders": {"id": id, "columns": [column("owner", "string"), column("paid", "boolean"), reference("buyerId", "customers", "buyer"), reference("payerId", "customers", "payer")]},
        "reviews": {"id": id, "columns": [reference("customerId", "customers", "customer")]},
        "people": {"id": id, "columns": [reference("bossId", "people", "boss")]},
        "notes": {"id": id, "columns": [reference("orderId", "orders", "order")]},
    }}))
    .unwrap()
}

fn rule(roles: &[&str], condition: Option<&str>, columns: Option<&[&str]>) -> Rule {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Rule { roles: owned(roles), condition: condition.map(str::to_owned), columns: columns.map(owned) }
}

fn actor(kind: ActorKind, roles: &[&str]) -> Actor {
    Actor {
        kind,
        subject: Some("u1".to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        claims: Map::new(),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-06-01T12:00:00Z").unwrap().to_utc()
}

fn orders(select: Vec<Rule>) -> TableRules {
    let permissions = TablePermissions { select, ..TablePermissions::default() };
    TableRules::compile("orders", &schema().tables["orders"], &permissions).unwrap()
}

fn decide(rules: &TableRules, actor: &Actor) -> TableDecision {
    let params = json!({"all": true, "text": "x"}).as_object().unwrap().clone();
    rules.decide(Verb::Select, actor, &params, now())
}

#[test]
fn the_first_rule_with_a_role_of_the_caller_is_the_rule() {
    let rules = orders(vec![
        rule(&["clerk"], None, Some(&["id", "paid"])),
        rule(&["authenticated"], Some("resource.owner == request.auth.sub"), None),
        rule(&["clerk", "admin"], None, None),
    ]);
    let clerk = Allowed {
        rule: Some(1),
        columns: Columns::Only(["id".to_owned(), "paid".to_owned()].into()),
        predicate: Predicate::ALWAYS,
    };
    // A role of a key and of an end user alike; the rule with all columns further down is not reached.
    for kind in [ActorKind::ApiKey, ActorKind::User] {
        assert_eq!(decide(&rules, &actor(kind, &["admin", "clerk"])), TableDecision::Allow(clerk.clone()));
    }
    assert!(clerk.columns.contains("paid") && !clerk.columns.contains("owner") && Columns::All.contains("owner"));
    let TableDecision::Allow(own) = decide(&rules, &actor(ActorKind::User, &[])) else { panic!() };
    assert!((own.rule, own.columns == Columns::All) == (Some(2), true) && matches!(own.predicate, Predicate::Same(..)));
    // A key is no end user, whatever its roles are called.
    let no_rule = TableDecision::Deny { reason: Denial::NoRule };
    assert_eq!(decide(&rules, &actor(ActorKind::ApiKey, &["authenticated"])), no_rule);
    assert_eq!(decide(&rules, &Actor::anonymous()), TableDecision::DenyAnonymous);
}

#[test]
fn nothing_is_allowed_that_no_rule_allows() {
    let rules = orders(vec![rule(&["public"], None, None)]);
    for verb in Verb::ALL {
        let allowed = matches!(
            rules.decide(*verb, &actor(ActorKind::User, &["admin"]), &Map::new(), now()),
            TableDecision::Allow(_)
        );
        assert_eq!(allowed, *verb == Verb::Select, "{verb:?}");
        // The platform itself may everything, on every column and row.
        let own = TableDecision::Allow(Allowed { rule: None, columns: Columns::All, predicate: Predicate::ALWAYS });
        assert_eq!(rules.decide(*verb, &actor(ActorKind::System, &[]), &Map::new(), now()), own);
    }
    let all = TableRules::compile_all(&schema(), &Permissions::default()).unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(
        decide(&all["orders"], &actor(ActorKind::User, &["admin"])),
        TableDecision::Deny { reason: Denial::NoRule }
    );
}

#[test]
fn a_condition_on_the_request_decides_before_any_row() {
    let user = actor(ActorKind::User, &[]);
    let denied = |condition| match decide(&orders(vec![rule(&["public"], Some(condition), None)]), &user) {
        TableDecision::Deny { reason } => reason,
        other => panic!("{condition}: {other:?}"),
    };
    assert_eq!(denied("request.auth.type == 'apiKey'"), Denial::Condition { rule: 1 });
    assert!(matches!(denied("request.params.missing"), Denial::Evaluation { rule: 1, .. }));
    assert!(matches!(denied("request.params.text"), Denial::Evaluation { rule: 1, .. }));
    let rules = orders(vec![rule(&["public"], Some("request.params.all == true"), None)]);
    assert!(matches!(decide(&rules, &user), TableDecision::Allow(Allowed { predicate, .. }) if predicate.is_always()));
    // Anonymous callers are asked for a credential, whatever it was that denied.
    for condition in ["request.auth.type == 'user'", "request.params.missing"] {
        let rules = orders(vec![rule(&["public"], Some(condition), None)]);
        assert_eq!(decide(&rules, &Actor::anonymous()), TableDecision::DenyAnonymous, "{condition}");
    }
}

#[test]
fn what_cannot_be_evaluated_admits_no_row_however_it_is_negated() {
    let predicate = |condition: &str| match decide(
        &orders(vec![rule(&["public"], Some(condition), None)]),
        &actor(ActorKind::User, &[]),
    ) {
        TableDecision::Allow(allowed) => allowed.predicate,
        other => panic!("{condition}: {other:?}"),
    };
    for condition in [
        "resource.owner == request.params.missing",
        "!(resource.owner == request.params.missing)",
        "resource.owner != request.params.missing",
        "!!(resource.owner != request.params.missing)",
        "resource.owner in request.params.text",
        "!(resource.owner in request.params.text)",
        "resource.owner < request.params.all",
        "!(resource.owner < request.params.all)",
        "!(resource.owner.startsWith(request.params.all))",
        "!(resource.paid && request.params.missing) && false",
        "!(request.params.missing || resource.owner == request.params.missing)",
        "resource.owner in [request.params.missing, 'a']",
    ] {
        assert!(predicate(condition).is_never(), "{condition}: {:?}", predicate(condition));
    }
    // A value of another type is equal to nothing, and that is known.
    assert!(predicate("resource.owner == request.params.all").is_never());
    assert!(predicate("resource.owner != request.params.all").is_always());
}

#[test]
fn a_rule_that_cannot_be_compiled_is_named() {
    let delete = vec![rule(&["public"], None, None), rule(&["public"], Some("resource.paid == 1"), None)];
    let permissions = TablePermissions { delete, ..TablePermissions::default() };
    let error = TableRules::compile("orders", &schema().tables["orders"], &permissions).unwrap_err();
    assert_eq!((error.table.as_str(), error.verb, error.error.rule), ("orders", Verb::Delete, 2));
}

#[test]
fn relations_have_the_names_that_requests_use() {
    let relations = Relations::of(&schema());
    let names = |table| relations.of_table(table).map(|relation| relation.name.as_str()).collect::<Vec<_>>();
    // Two references from one table, a column of the name of the table, a table that refers to itself.
    assert_eq!(names("customers"), ["orders_buyer", "orders_payer", "reviews_customer"]);
    assert_eq!(names("orders"), ["buyer", "notes", "payer"]);
    assert_eq!(names("people"), ["boss", "people"]);
    assert!(relations.collisions().is_empty());
    let many = relations.get("customers", "orders_payer").unwrap();
    assert_eq!(
        (many.cardinality, many.local.as_str(), many.table.as_str(), many.remote.as_str()),
        (Cardinality::Many, "id", "orders", "payerId")
    );
    let one = relations.get("orders", "buyer").unwrap();
    assert_eq!(
        (one.cardinality, one.local.as_str(), one.table.as_str(), one.remote.as_str()),
        (Cardinality::One, "buyerId", "customers", "id")
    );
    assert_eq!(relations.nearest("orders", "buyr", |_| true), Some("buyer"));
    // What a caller may not see is no hint.
    assert_eq!(relations.nearest("orders", "buyr", |relation| relation.name != "buyer"), None);
}
