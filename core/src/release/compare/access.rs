//! What callers may do, enumerated: every kind of caller, table, verb and column, every logic, and every topic. The rules of both releases are
//! looked at as a Bridge does: the first that is for a role of the caller decides. Conditions are shown, not evaluated.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::{
    access::{
        Rule,
        decide::{AUTHENTICATED, PUBLIC},
        table::Verb,
    },
    schema::Table,
};

/// So many changes are told: a release may have more rules than anyone reads.
const CHANGES_MAX: usize = 10_000;

/// What differs in what callers may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AccessChanges")]
pub struct Access {
    /// By what it is about, then by the caller, the widest first. What changes for a wider caller is not told again for a narrower one.
    pub changes: Vec<AccessChange>,
    /// There are more than are told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// What a caller might do before and may do after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessChange {
    /// What is done, and to what.
    pub target: Target,
    /// By whom.
    pub caller: Caller,
    /// In the first release.
    pub before: Reach,
    /// In the second one.
    pub after: Reach,
}

/// What is done, and to what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[schemars(rename = "AccessTarget")]
pub enum Target {
    /// A verb on columns of a table, or, to delete, on its rows.
    Table {
        /// Its name.
        table: String,
        /// What is done.
        verb: Verb,
        /// To these columns, sorted; none for delete.
        columns: Vec<String>,
    },
    /// A call.
    Logic {
        /// Its name.
        logic: String,
    },
    /// Publishing by requests.
    Topic {
        /// Its name.
        topic: String,
    },
}

/// Who asks. Who has several roles is decided by the first rule for any of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[schemars(rename = "AccessCaller")]
pub enum Caller {
    /// Also without a credential, and so everyone to whom no rule of another role comes first.
    Anyone,
    /// Every end user, likewise.
    EndUser,
    /// Whoever has a role: a key, a component as a service, an end user.
    Role {
        /// Its name.
        role: String,
    },
    /// A key, or a component as a service, with a role.
    Key {
        /// Its name.
        role: String,
    },
    /// An end user with a role.
    User {
        /// Its name.
        role: String,
    },
}

/// Whether a caller may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "may", rename_all = "camelCase")]
#[schemars(rename = "AccessReach")]
pub enum Reach {
    /// It may not, or there is nothing of that name.
    Never,
    /// It may.
    Always,
    /// Where a condition holds.
    When {
        /// CEL, as written.
        condition: String,
    },
}

/// The rule of each release that decides, by its place.
type Deciding = (Option<usize>, Option<usize>);

/// The rules for one thing in one release.
struct Side<'a> {
    rules: &'a [Rule],
    /// The first rule for each role.
    first: BTreeMap<&'a str, usize>,
    /// What there is to reach; one nameless thing for what has no columns.
    columns: BTreeSet<&'a str>,
}

/// Compares what callers may do. Its work grows with the releases and the changes that are told, not with their product.
pub fn access(before: &Manifest, after: &Manifest) -> Access {
    let mut found = Access::default();
    let (then, now) = (tables(before), tables(after));
    let names: BTreeSet<&str> = then.keys().chain(now.keys()).copied().collect();
    for table in names {
        for verb in Verb::ALL {
            let of = |manifest| Side::of_table(manifest, table, *verb);
            let (then, now) = (of((before, then.get(table).copied())), of((after, now.get(table).copied())));
            let target = |columns: Vec<String>| Target::Table { table: table.to_owned(), verb: *verb, columns };
            found.add(&then, &now, target);
        }
    }
    let names: BTreeSet<&String> = before.logics.keys().chain(after.logics.keys()).collect();
    for name in names {
        let of = |manifest: &'_ Manifest| -> Vec<Rule> {
            manifest.logics.get(name).map(|logic| logic.rules.clone()).unwrap_or_default()
        };
        let (then, now) = (of(before), of(after));
        let target = |_| Target::Logic { logic: name.clone() };
        found.add(&Side::of_calls(&then), &Side::of_calls(&now), target);
    }
    let topics: BTreeSet<&String> = before.permissions.events.keys().chain(after.permissions.events.keys()).collect();
    for name in topics {
        let of = |manifest: &'_ Manifest| -> Vec<Rule> {
            manifest.permissions.events.get(name).map(|rules| rules.publish.clone()).unwrap_or_default()
        };
        let (then, now) = (of(before), of(after));
        let target = |_| Target::Topic { topic: name.clone() };
        found.add(&Side::of_calls(&then), &Side::of_calls(&now), target);
    }
    found
}

fn tables(manifest: &Manifest) -> BTreeMap<&str, &Table> {
    manifest
        .connections
        .values()
        .flat_map(|schema| &schema.tables)
        .map(|(name, table)| (name.as_str(), table))
        .collect()
}

impl Access {
    /// Whether everyone may what it might.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn add(&mut self, then: &Side<'_>, now: &Side<'_>, target: impl Fn(Vec<String>) -> Target) {
        if then.rules == now.rules && then.columns == now.columns {
            return;
        }
        let mut known: BTreeMap<Deciding, Vec<(Vec<String>, Reach, Reach)>> = BTreeMap::new();
        for (caller, deciding) in callers(then, now) {
            let changes = known.entry(deciding).or_insert_with(|| changes(then, now, deciding));
            for (columns, before, after) in changes.iter() {
                if self.changes.len() == CHANGES_MAX {
                    self.is_cut = true;
                    return;
                }
                self.changes.push(AccessChange {
                    target: target(columns.clone()),
                    caller: caller.clone(),
                    before: before.clone(),
                    after: after.clone(),
                });
            }
        }
    }
}

/// Every caller for whom rules of its own decide, the widest first.
fn callers(then: &Side<'_>, now: &Side<'_>) -> Vec<(Caller, Deciding)> {
    let of = |roles: &[&str]| (then.deciding(roles), now.deciding(roles));
    let (anyone, user) = (of(&[PUBLIC]), of(&[PUBLIC, AUTHENTICATED]));
    let mut callers = vec![(Caller::Anyone, anyone)];
    if user != anyone {
        callers.push((Caller::EndUser, user));
    }
    let named: BTreeSet<&str> = then.first.keys().chain(now.first.keys()).copied().collect();
    for name in named.into_iter().filter(|name| ![PUBLIC, AUTHENTICATED].contains(name)) {
        let role = || name.to_owned();
        let (as_key, as_user) = (of(&[PUBLIC, name]), of(&[PUBLIC, AUTHENTICATED, name]));
        if as_key == as_user && (as_key != anyone || as_user != user) {
            callers.push((Caller::Role { role: role() }, as_key));
            continue;
        }
        if as_key != anyone {
            callers.push((Caller::Key { role: role() }, as_key));
        }
        if as_user != user {
            callers.push((Caller::User { role: role() }, as_user));
        }
    }
    callers
}

/// The columns of equal change together.
fn changes(then: &Side<'_>, now: &Side<'_>, (rule_then, rule_now): Deciding) -> Vec<(Vec<String>, Reach, Reach)> {
    let (how_then, how_now) = (then.how(rule_then), now.how(rule_now));
    if how_then == how_now && then.columns == now.columns && then.listed(rule_then) == now.listed(rule_now) {
        return Vec::new();
    }
    let (reached_then, reached_now) = (then.reached(rule_then), now.reached(rule_now));
    let mut found: BTreeMap<(Reach, Reach), Vec<String>> = BTreeMap::new();
    for column in reached_then.union(&reached_now) {
        let before = if reached_then.contains(column) { how_then.clone() } else { Reach::Never };
        let after = if reached_now.contains(column) { how_now.clone() } else { Reach::Never };
        if before != after {
            found.entry((before, after)).or_default().push((*column).to_owned());
        }
    }
    let named = |columns: Vec<String>| columns.into_iter().filter(|column| !column.is_empty()).collect();
    found.into_iter().map(|((before, after), columns)| (named(columns), before, after)).collect()
}

impl<'a> Side<'a> {
    fn new(rules: &'a [Rule], columns: BTreeSet<&'a str>) -> Self {
        let mut first = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate() {
            for role in &rule.roles {
                first.entry(role.as_str()).or_insert(place);
            }
        }
        Self { rules, first, columns }
    }

    fn of_table((manifest, table): (&'a Manifest, Option<&'a Table>), name: &str, verb: Verb) -> Self {
        let rules = manifest.permissions.tables.get(name).map(|rules| rules.rules(verb)).unwrap_or_default();
        let columns = match (table, verb) {
            (None, _) => BTreeSet::new(),
            (Some(_), Verb::Delete) => BTreeSet::from([""]),
            (Some(table), _) => {
                table.columns.iter().map(|column| column.name.as_str()).chain([table.id.name.as_str()]).collect()
            }
        };
        Self::new(rules, columns)
    }

    fn of_calls(rules: &'a [Rule]) -> Self {
        Self::new(rules, BTreeSet::from([""]))
    }

    /// The rule for who has these roles.
    fn deciding(&self, roles: &[&str]) -> Option<usize> {
        roles.iter().filter_map(|role| self.first.get(role)).min().copied()
    }

    fn listed(&self, rule: Option<usize>) -> Option<&'a [String]> {
        self.rules.get(rule?)?.columns.as_deref()
    }

    /// Nothing, where no rule decides.
    fn reached(&self, rule: Option<usize>) -> BTreeSet<&'a str> {
        let Some(rule) = rule.and_then(|place| self.rules.get(place)) else { return BTreeSet::new() };
        match &rule.columns {
            Some(columns) if !columns.iter().any(|column| column == "*") && !self.columns.contains("") => {
                columns.iter().map(String::as_str).filter(|column| self.columns.contains(column)).collect()
            }
            _ => self.columns.clone(),
        }
    }

    fn how(&self, rule: Option<usize>) -> Reach {
        match rule.and_then(|place| self.rules.get(place)) {
            None => Reach::Never,
            Some(Rule { condition: None, .. }) => Reach::Always,
            Some(Rule { condition: Some(condition), .. }) => Reach::When { condition: condition.trim().to_owned() },
        }
    }
}
