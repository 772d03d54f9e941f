//! Who may call: the first matching rule, conditions, and conditions that were written to do harm.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use santokit_core::access::{
    Actor, ActorKind, CompiledRules, Decision, Denial, Rule,
    cel::{Expression, Scope},
};
use serde_json::{Value as Json, json};

fn rule(roles: &[&str], condition: Option<&str>) -> Rule {
    Rule {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        condition: condition.map(str::to_owned),
        columns: None,
    }
}

fn actor(kind: ActorKind, roles: &[&str]) -> Actor {
    let claims = json!({"team": "blue", "level": 3}).as_object().unwrap().clone();
    Actor { kind, subject: Some("u1".to_owned()), roles: roles.iter().map(|role| (*role).to_owned()).collect(), claims }
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-06-01T12:00:00Z").unwrap().to_utc()
}

fn decide(rules: &[Rule], actor: &Actor, params: &Json) -> Decision {
    let params = params.as_object().cloned().unwrap_or_default();
    CompiledRules::compile(rules).unwrap().decide(actor, &params, now())
}

fn holds(condition: &str, params: &Json) -> Decision {
    decide(&[rule(&["authenticated"], Some(condition))], &actor(ActorKind::User, &["admin", "staff"]), params)
}

#[test]
fn the_first_rule_with_a_role_of_the_caller_decides() {
    let rules = [rule(&["admin"], Some("false")), rule(&["app", "admin"], None), rule(&["authenticated"], None)];
    let condition = Decision::Deny { reason: Denial::Condition { rule: 1 } };
    assert_eq!(decide(&rules, &actor(ActorKind::ApiKey, &["admin"]), &json!({})), condition);
    assert_eq!(decide(&rules, &actor(ActorKind::ApiKey, &["app"]), &json!({})), Decision::Allow);
    assert_eq!(decide(&rules, &actor(ActorKind::User, &[]), &json!({})), Decision::Allow);
    let no_rule = Decision::Deny { reason: Denial::NoRule };
    assert_eq!(decide(&rules, &actor(ActorKind::ApiKey, &["other"]), &json!({})), no_rule);
    // A key cannot become an end user by a role's name.
    assert_eq!(decide(&rules, &actor(ActorKind::ApiKey, &["authenticated"]), &json!({})), no_rule);
    assert_eq!(decide(&[], &actor(ActorKind::User, &["admin"]), &json!({})), no_rule);
    assert_eq!(decide(&[], &actor(ActorKind::System, &[]), &json!({})), Decision::Allow);
}

#[test]
fn an_anonymous_caller_has_public_rules_only() {
    let anonymous = Actor::anonymous();
    assert_eq!(decide(&[rule(&["public"], None)], &anonymous, &json!({})), Decision::Allow);
    assert_eq!(
        decide(&[rule(&["authenticated"], None), rule(&["app"], None)], &anonymous, &json!({})),
        Decision::DenyAnonymous
    );
    assert_eq!(decide(&[rule(&["public"], Some("false"))], &anonymous, &json!({})), Decision::DenyAnonymous);
    assert_eq!(decide(&[rule(&["public"], Some("request.auth.sub == null"))], &anonymous, &json!({})), Decision::Allow);
}

#[test]
fn conditions_see_the_request() {
    for condition in [
        "request.auth.sub == 'u1'",
        "'admin' in request.auth.roles",
        "request.auth.type == 'user'",
        "request.auth.claims.team == 'blue' && request.auth.claims.level >= 3",
        "request.params.n > 1 && request.params.n < 1.5e1",
        "request.params['text'].startsWith('a') && request.params.text.matches('^a.c$')",
        "has(request.params.n) && !has(request.params.missing)",
        "request.now > timestamp('2026-01-01T00:00:00Z') && request.now.getFullYear() == 2026",
        "request.params.list.all(x, x > 0) && request.params.list.exists(x, x == 2) && request.params.list.exists_one(x, x == 2)",
        "request.params.list.map(x, x * 2)[0] == 2 && size(request.params.list.filter(x, x > 1)) == 2",
        "request.params.object.a.b == null",
        "(request.params.n == 2 ? request.params.text : '') == 'abc'",
        "request.params.a != request.params.text + 'd'",
        "request.now - duration('1h') < request.now",
    ] {
        let params = json!({"n": 2, "text": "abc", "a": "x", "list": [1, 2, 3], "object": {"a": {"b": null}}});
        assert_eq!(holds(condition, &params), Decision::Allow, "{condition}");
    }
}

#[test]
fn what_cannot_be_evaluated_denies() {
    for condition in [
        "request.params.missing == 1",
        "request.params.text > 1",
        "1 / request.params.zero == 1",
        "request.params.text",
        "9223372036854775807 * request.params.two > 0",
        "request.params.list[7] == 1",
        "timestamp(request.params.text) < request.now",
    ] {
        let decision = holds(condition, &json!({"text": "abc", "zero": 0, "two": 2, "list": []}));
        assert!(
            matches!(decision, Decision::Deny { reason: Denial::Evaluation { rule: 1, .. } }),
            "{condition}: {decision:?}"
        );
    }
    let huge = json!({"text": "x".repeat(300_000), "small": 1});
    assert!(matches!(holds("request.params.text != ''", &huge), Decision::Deny { .. }));
    // Only what a condition reads counts.
    assert_eq!(holds("request.params.small == 1", &huge), Decision::Allow);
}

/// Conditions that were written to do harm. Each is refused when it is read.
fn hostile() -> Vec<String> {
    vec![
        (0..900).map(|_| "1").collect::<Vec<_>>().join("+"),
        (0..300).map(|_| "1").collect::<Vec<_>>().join("*") + " == 1",
        "(".repeat(1_000) + "true" + &")".repeat(1_000),
        "(".repeat(2_000),
        "[".repeat(1_000) + &"]".repeat(1_000),
        "{1:".repeat(600) + "1" + &"}".repeat(600),
        "request".to_owned() + &".a".repeat(900),
        "request.params".to_owned() + &"[0]".repeat(600),
        "true?true:".repeat(200) + "true",
        "request.params.a.all(a, request.params.a.all(b, request.params.a.all(c, request.params.a.all(d, a + b + c + d > 0))))".to_owned(),
        "request.params.a.all(a, a.all(b, true))".to_owned(),
        "request.params.a.map(a, [a]).map(b, b).all(c, true)".to_owned(),
        "request.params.a.all(x, x.matches('a'))".to_owned(),
        "request.params.a.matches(request.params.b)".to_owned(),
        "request.params.a.matches('(a{1000}){1000}')".to_owned(),
        "'unterminated".to_owned(), "\"unterminated".to_owned(), "'''".to_owned(), "b'".to_owned(), "1 +".to_owned(), String::new(),
        " ".to_owned(), "a".to_owned(), "resource.a == 1".to_owned(), "request.other".to_owned(), "request.auth.password".to_owned(),
        "dyn(1) == 1".to_owned(), "type(1) == int".to_owned(), "optional.of(1)".to_owned(), "Foo{a: 1}".to_owned(), "a.?b".to_owned(),
        "size()".repeat(300), "x".repeat(4_000), "\u{0}".to_owned(), "é".to_owned(), "1 == 1 // comment\n &&".to_owned(),
        "!!(!!!!!(!!!!!(!!!(!!!!".repeat(7), "request.auth.roles.all(request, true) && unknown".to_owned(),
        (0..40).map(|_| "request.params.a").collect::<Vec<_>>().join("+") + " == ''",
    ]
}

#[test]
fn harm_is_refused_when_it_is_read() {
    for source in hostile() {
        let begin = Instant::now();
        let error = Expression::parse(&source, Scope::Call);
        assert!(begin.elapsed() < Duration::from_secs(2), "{source:.60}: {:?}", begin.elapsed());
        let Err(error) = error else { panic!("{source:.60} was taken") };
        assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty(), "{source:.60}");
    }
}

#[test]
fn the_largest_conditions_fit_a_small_stack() {
    let deep = [
        (0..63).map(|_| "true").collect::<Vec<_>>().join(" && "),
        // The parser folds these, and must not recurse for it.
        "!".repeat(2_000) + "true",
        "-".repeat(1_999) + "1 < 0",
        (0..60).map(|_| "1").collect::<Vec<_>>().join("-") + " < 0",
        "[".repeat(60) + "1" + &"]".repeat(60) + " != []",
        "true ? true : ".repeat(60) + "true",
        "request.params.list.all(x, ".to_owned() + &(0..40).map(|_| "x").collect::<Vec<_>>().join(" - ") + " < 1000)",
    ];
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let run = move || {
        for source in deep {
            let decision = holds(&source, &json!({"list": (0..900).collect::<Vec<i32>>()}));
            assert_ne!(decision, Decision::DenyAnonymous, "{source:.60}");
        }
        // The parser itself, on what it refuses.
        for source in hostile() {
            let _ = Expression::parse(&source, Scope::Call);
        }
    };
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn evaluation_is_bounded_in_time() {
    let big = json!({"a": "a".repeat(16_000), "list": (0..990).collect::<Vec<i32>>()});
    let condition = "request.params.list.map(x, ".to_owned() + &["request.params.a"; 15].join(" + ") + ").size() > 0";
    for condition in [condition.as_str(), "request.params.list.filter(x, request.params.a.contains('b')).size() == 0"] {
        let begin = Instant::now();
        let _ = holds(condition, &big);
        assert!(begin.elapsed() < Duration::from_secs(10), "{condition:.40}: {:?}", begin.elapsed());
    }
}

#[test]
fn places_of_errors_are_those_of_the_source() {
    let place = |source: &str| {
        let error = Expression::parse(source, Scope::Call).unwrap_err();
        (error.line, error.column, error.hint)
    };
    let near = |name: &str| Some(format!("did you mean {name:?}?"));
    assert_eq!(place("'rols' == request.auth.rols"), (1, 24, near("roles")));
    assert_eq!(place("true &&\n  requst.now > 1"), (2, 3, near("request")));
    assert_eq!(place("siz(request.auth.roles) > 0"), (1, 1, near("size")));
}

#[test]
fn what_a_condition_reads_is_known() {
    let expression =
        Expression::parse("resource.owner == request.auth.sub && resource.a.b == request.params.x", Scope::Row)
            .unwrap();
    assert_eq!(expression.uses().columns.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "owner"]);
    assert_eq!(expression.uses().params.iter().map(String::as_str).collect::<Vec<_>>(), ["x"]);
    assert!(!expression.uses().all_params);
    assert!(Expression::parse("request.params == {}", Scope::Call).unwrap().uses().all_params);
    assert!(Expression::parse("path.user == request.auth.sub", Scope::Object).is_ok());
    let rules = [rule(&["public"], None), rule(&["public"], Some("x"))];
    assert_eq!(CompiledRules::compile(&rules).unwrap_err().rule, 2);
}
