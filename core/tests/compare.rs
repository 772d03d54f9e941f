//! Two releases compared. A case is a folder in `cases/compare`: `before.yaml` and `after.yaml` are manifests, `expected.txt` what
//! is said of them. `UPDATE_GOLDEN=1` writes the expectations anew. On random releases, what is told of access is held against a
//! caller by caller enumeration.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::Path};

use proptest::prelude::*;
use santokit_core::{
    access::{Actor, ActorKind, Rule, table::Verb},
    release::{
        Comparison, Manifest, Section, compare,
        compare::{Access, AccessChange, Caller, Difference, Reach, Target},
    },
};
use serde_json::{Map, Value as Json, json};

const ROLES: [&str; 4] = ["public", "authenticated", "clerk", "boss"];
const COLUMNS: [&str; 3] = ["id", "a", "b"];
const TABLES: [&str; 2] = ["one", "two"];

fn manifest(path: &Path) -> Manifest {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
        .map_err(|error| format!("{}: {error}", path.display()))
        .unwrap()
}

fn said(comparison: &Comparison) -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let lines = comparison.lines(*section);
        assert_eq!(lines.is_empty(), comparison.is_empty(*section), "{section:?}");
        if !lines.is_empty() {
            writeln!(text, "{}", section.as_str()).unwrap();
        }
        for line in lines {
            writeln!(text, "  {line}").unwrap();
        }
    }
    text
}

#[test]
fn every_case_is_compared_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/compare");
    let mut failed = Vec::new();
    for case in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let (before, after) = (manifest(&case.join("before.yaml")), manifest(&case.join("after.yaml")));
        let comparison = compare(&before, &after);
        let again: Comparison = serde_json::from_value(serde_json::to_value(&comparison).unwrap()).unwrap();
        assert_eq!(again, comparison, "{}", case.display());
        let said = said(&comparison);
        let path = case.join("expected.txt");
        if update {
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != said {
            failed.push(format!("{}:\n{said}", case.display()));
        }
    }
    assert!(failed.is_empty(), "UPDATE_GOLDEN=1 writes these anew:\n{}", failed.join("\n"));
}

/// No leaf of a manifest can be another without being told, whatever section it is in.
#[test]
fn every_leaf_of_a_manifest_is_compared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/compare/everything/after.yaml");
    let whole = serde_json::to_value(manifest(&path)).unwrap();
    let (base, mut tried) = (manifest(&path), 0);
    let mut open = vec![String::new()];
    while let Some(pointer) = open.pop() {
        let value = whole.pointer(&pointer).unwrap();
        let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Json::Object(fields) => open.extend(fields.keys().map(|key| format!("{pointer}/{}", escaped(key)))),
            Json::Array(items) => open.extend((0..items.len()).map(|place| format!("{pointer}/{place}"))),
            leaf => {
                let mut changed = whole.clone();
                *changed.pointer_mut(&pointer).unwrap() = another(leaf);
                let Ok(changed) = serde_json::from_value::<Manifest>(changed) else { continue };
                // A duplicate in a set is no change.
                if changed.digest().unwrap() == base.digest().unwrap() {
                    continue;
                }
                tried += 1;
                assert!(!is_empty(&compare(&base, &changed)), "{pointer} can change without being told");
            }
        }
    }
    assert!(tried > 60, "only {tried} leaves could be changed");
}

fn another(leaf: &Json) -> Json {
    match leaf {
        Json::String(text) if text == "bigint" => json!("string"),
        Json::String(text) if text == "cascade" || text == "no_action" => json!("restrict"),
        Json::String(text) if text == "select" => json!("delete"),
        Json::String(text) => json!(format!("{text}x")),
        Json::Number(number) => json!(number.as_u64().unwrap() + 1),
        Json::Bool(truth) => json!(!truth),
        other => other.clone(),
    }
}

fn is_empty(comparison: &Comparison) -> bool {
    Section::ALL.iter().all(|section| comparison.is_empty(*section))
}

fn mirrored<Of: Clone, As: Clone>(all: &[Difference<Of, As>]) -> Vec<Difference<Of, As>> {
    let mirror = |one: &Difference<Of, As>| Difference {
        of: one.of.clone(),
        before: one.after.clone(),
        after: one.before.clone(),
    };
    all.iter().map(mirror).collect()
}

/// What the comparison of the same two the other way round must be.
fn mirror(of: &Comparison) -> Comparison {
    let change =
        |one: &AccessChange| AccessChange { before: one.after.clone(), after: one.before.clone(), ..one.clone() };
    let mut comparison = Comparison {
        schema: mirrored(&of.schema),
        permissions: mirrored(&of.permissions),
        access: Access { changes: of.access.changes.iter().map(change).collect(), is_cut: of.access.is_cut },
        logics: mirrored(&of.logics),
        queries: mirrored(&of.queries),
        events: mirrored(&of.events),
        cron: mirrored(&of.cron),
        settings: mirrored(&of.settings),
        ..of.clone()
    };
    std::mem::swap(&mut comparison.capabilities.added, &mut comparison.capabilities.removed);
    comparison.access.changes.sort();
    comparison
}

fn rules() -> impl Strategy<Value = Vec<Json>> {
    let roles = prop::sample::subsequence(ROLES.to_vec(), 1..=2);
    let condition = prop::option::weighted(0.3, prop::sample::select(vec!["request.params.x", "request.params.y"]));
    let columns = prop::option::weighted(0.5, prop::sample::subsequence(vec!["id", "a", "b", "gone", "*"], 0..=3));
    let rule = (roles, condition, columns).prop_map(|(roles, condition, columns)| {
        let mut rule = Map::new();
        rule.insert("roles".to_owned(), json!(roles));
        rule.extend(condition.map(|condition| ("condition".to_owned(), json!(condition))));
        rule.extend(columns.map(|columns| ("columns".to_owned(), json!(columns))));
        Json::Object(rule)
    });
    prop::collection::vec(rule, 0..=3)
}

fn table() -> impl Strategy<Value = (Option<Vec<&'static str>>, [Vec<Json>; 4])> {
    let columns = prop::option::weighted(0.8, prop::sample::subsequence(vec!["a", "b"], 0..=2));
    (columns, [rules(), rules(), rules(), rules()])
}

fn grants() -> impl Strategy<Value = Json> {
    let names = || prop::sample::subsequence(vec!["x", "y"], 0..=2);
    let verbs = prop::sample::subsequence(vec!["select", "insert", "update", "delete"], 0..=4);
    let crud =
        prop::sample::select(vec![json!(null), json!({"as": "caller"}), json!({"as": "service", "roles": ["clerk"]})]);
    (names(), names(), names(), verbs, crud).prop_map(|(queries, secrets, config, verbs, crud)| {
        let mut grants = json!({"queries": queries, "secrets": secrets, "config": config,
            "sql": [{"connection": "main", "tables": {"one": verbs}}]});
        if !crud.is_null() {
            grants["crud"] = crud;
        }
        grants
    })
}

fn release() -> impl Strategy<Value = Manifest> {
    let logic = || prop::option::weighted(0.8, (rules(), grants(), 1_u64..3));
    ([table(), table()], [logic(), logic()], prop::option::of(1_u64..3)).prop_map(|(tables, logics, config)| {
        let (mut schema, mut permissions, mut all) = (Map::new(), Map::new(), Map::new());
        for (name, (columns, rules)) in TABLES.iter().zip(tables) {
            if let Some(columns) = columns {
                let column = |name: &&str| json!({"name": name, "type": "int", "nullable": true});
                let columns: Vec<Json> = columns.iter().map(column).collect();
                schema.insert((*name).to_owned(), json!({"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": columns}));
            }
            let [select, insert, update, delete] = rules;
            permissions.insert((*name).to_owned(), json!({"select": select, "insert": insert, "update": update, "delete": delete}));
        }
        for (name, logic) in ["f", "g"].iter().zip(logics) {
            let Some((rules, grants, number)) = logic else { continue };
            all.insert((*name).to_owned(), json!({"rules": rules, "connection": "main", "transaction": "none", "timeout": number,
                "body": {"kind": "wasm", "component": format!("sha256:{}", number.to_string().repeat(64)), "sizeBytes": number, "language": "rust",
                    "imports": [], "grants": grants, "limits": santokit_core::limit::InvocationLimits::default()}}));
        }
        let config = config.map_or_else(|| json!({}), |number: u64| json!({"n": number.to_string()}));
        let manifest = json!({"format": 1, "project": "shop", "minimumBridge": "0.1.0", "defaultConnection": "main",
            "connections": {"main": {"tables": schema}}, "permissions": {"tables": permissions}, "logics": all, "config": config});
        serde_json::from_value(manifest).unwrap()
    })
}

/// Someone whom rules can tell from others, and how a comparison speaks of them.
struct Someone {
    actor: Actor,
    /// The callers whose changes are theirs too, the widest first; the last one is themselves.
    callers: Vec<Caller>,
}

fn everyone() -> Vec<Someone> {
    let someone = |kind, roles: &[&str], callers: &[Caller]| Someone {
        actor: Actor {
            kind,
            subject: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            claims: Map::new(),
        },
        callers: callers.to_vec(),
    };
    let mut all = vec![
        someone(ActorKind::Anonymous, &[], &[Caller::Anyone]),
        someone(ActorKind::ApiKey, &["nobody"], &[Caller::Anyone]),
        someone(ActorKind::User, &[], &[Caller::Anyone, Caller::EndUser]),
    ];
    for name in ["clerk", "boss"] {
        let role = || name.to_owned();
        let (any, key, user) =
            (Caller::Role { role: role() }, Caller::Key { role: role() }, Caller::User { role: role() });
        for kind in [ActorKind::ApiKey, ActorKind::Service] {
            all.push(someone(kind, &[name], &[Caller::Anyone, any.clone(), key.clone()]));
        }
        all.push(someone(ActorKind::User, &[name], &[Caller::Anyone, Caller::EndUser, any, user]));
    }
    all
}

/// Those of whom a change of this caller says that all of them have it.
fn is_about(caller: &Caller, someone: &Someone) -> bool {
    let own = someone.callers.last();
    match caller {
        Caller::Role { role } => {
            let (key, user) = (Caller::Key { role: role.clone() }, Caller::User { role: role.clone() });
            own == Some(&key) || own == Some(&user)
        }
        caller => own == Some(caller),
    }
}

/// As a Bridge decides, but for the condition.
fn reach(rules: &[Rule], actor: &Actor, column: Option<&str>, exists: bool) -> Reach {
    let Some(rule) = rules.iter().find(|rule| rule.roles.iter().any(|role| actor.has_role(role))) else {
        return Reach::Never;
    };
    let named = |columns: &Vec<String>| columns.iter().any(|name| name == "*" || Some(name.as_str()) == column);
    if !exists || (column.is_some() && !rule.columns.as_ref().is_none_or(named)) {
        return Reach::Never;
    }
    rule.condition.clone().map_or(Reach::Always, |condition| Reach::When { condition })
}

fn reach_of_table(release: &Manifest, table: &str, verb: Verb, actor: &Actor, column: Option<&str>) -> Reach {
    let found = release.connections["main"].tables.get(table);
    let exists = found.is_some_and(|table| {
        column.is_none_or(|column| column == "id" || table.columns.iter().any(|known| known.name == column))
    });
    let rules = release.permissions.tables.get(table).map(|rules| rules.rules(verb).to_vec()).unwrap_or_default();
    reach(&rules, actor, column, exists)
}

fn reach_of_logic(release: &Manifest, logic: &str, actor: &Actor) -> Reach {
    let found = release.logics.get(logic);
    reach(found.map(|logic| logic.rules.as_slice()).unwrap_or_default(), actor, None, found.is_some())
}

/// One thing that someone may or may not do.
type Deed = (String, Option<Verb>, Option<String>);

fn deeds() -> Vec<Deed> {
    let mut all = Vec::new();
    for table in TABLES {
        for verb in Verb::ALL {
            let columns: &[Option<&str>] = if *verb == Verb::Delete { &[None] } else { &COLUMNS.map(Some) };
            all.extend(columns.iter().map(|column| (table.to_owned(), Some(*verb), column.map(str::to_owned))));
        }
    }
    all.extend(["f", "g"].map(|logic| (logic.to_owned(), None, None)));
    all
}

fn reach_of(release: &Manifest, (name, verb, column): &Deed, actor: &Actor) -> Reach {
    match verb {
        None => reach_of_logic(release, name, actor),
        Some(verb) => reach_of_table(release, name, *verb, actor, column.as_deref()),
    }
}

fn is_target(target: &Target, (name, verb, column): &Deed) -> bool {
    match target {
        Target::Topic { topic } => topic == name && verb.is_none(),
        Target::Logic { logic } => logic == name && verb.is_none(),
        Target::Table { table, verb: done, columns } => {
            table == name && Some(*done) == *verb && column.as_ref().is_none_or(|column| columns.contains(column))
        }
    }
}

/// Everyone, verb, column and logic: what differs is told, and what is told is so.
fn check_access(before: &Manifest, after: &Manifest, told: &Access) {
    for someone in everyone() {
        for deed in deeds() {
            let (then, now) = (reach_of(before, &deed, &someone.actor), reach_of(after, &deed, &someone.actor));
            let about = || told.changes.iter().filter(|change| is_target(&change.target, &deed));
            let says_so = |change: &&AccessChange| change.before == then && change.after == now;
            if then != now {
                let is_told = about().filter(says_so).any(|change| someone.callers.contains(&change.caller));
                assert!(is_told, "{:?} {deed:?}: {then:?} {now:?} is not told: {told:?}", someone.callers);
            }
            for change in about().filter(|change| is_about(&change.caller, &someone)) {
                assert!(says_so(&change), "{:?} {deed:?}: it is {then:?} {now:?}, told is {change:?}", someone.callers);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_release_does_not_differ_from_itself(release in release()) {
        prop_assert!(is_empty(&compare(&release, &release)));
    }

    #[test]
    fn the_other_way_round_is_the_mirror_and_access_is_told_whole((before, after) in (release(), release())) {
        let forth = compare(&before, &after);
        let mut back = compare(&after, &before);
        back.access.changes.sort();
        prop_assert_eq!(&mirror(&forth), &back);
        check_access(&before, &after, &forth.access);
        let (then, now) = (before.capability_lines(), after.capability_lines());
        let added: Vec<String> = forth.capabilities.added.iter().map(ToString::to_string).collect();
        prop_assert_eq!(added, now.difference(&then).cloned().collect::<Vec<_>>());
    }
}

/// As many rules as a manifest holds are compared in the time of reading it, and what is told has an end.
#[test]
fn a_hostile_release_is_compared_in_time() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/compare/nothing/before.yaml");
    let mut releases = [manifest(&path), manifest(&path)];
    for (release, condition) in releases.iter_mut().zip(["true", "false"]) {
        let rule = |number: usize| Rule {
            roles: vec![format!("r{number}")],
            condition: Some(condition.to_owned()),
            columns: None,
        };
        release.permissions.tables.entry("a".to_owned()).or_default().select = (0..100_000).map(rule).collect();
    }
    let begin = std::time::Instant::now();
    let [before, after] = releases;
    let found = compare(&before, &after);
    assert!(found.access.is_cut && found.access.changes.len() == 10_000);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
