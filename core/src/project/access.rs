//! Rules: those of `config/permissions.yaml`, and those that a logic carries itself.

use std::collections::BTreeMap;

use super::{
    decode::{File, Map, Word},
    diagnostic::Check,
    keys::{self, Keys},
    node::{Entry, Node, Span, Yaml},
};
use crate::{
    access::{
        Permissions, Rule, TablePermissions,
        cel::{Expression, Scope},
        decide::{AUTHENTICATED, PUBLIC},
    },
    name::check_role,
    param::Param,
    schema::{Schema, Table},
};

/// The rules of `config/permissions.yaml` for logics, to be given to them.
#[derive(Default)]
pub(super) struct LogicRules {
    pub(super) by_name: BTreeMap<String, GivenRules>,
}

/// The rules of one logic.
pub(super) struct GivenRules {
    pub(super) span: Span,
    pub(super) rules: Vec<DraftRule>,
}

/// A rule whose condition still has to be checked against what it is about.
pub(super) struct DraftRule {
    pub(super) rule: Rule,
    condition: Option<(Expression, Span)>,
}

/// Reads `config/permissions.yaml`; the schemas are those of the project.
pub(super) fn read(file: &File<'_>, root: &Node, schemas: &BTreeMap<String, Schema>) -> (Permissions, LogicRules) {
    let (mut permissions, mut logics) = (Permissions::default(), LogicRules::default());
    let Some(map) = file.map(root, &keys::PERMISSIONS) else { return (permissions, logics) };
    for entry in map.get("tables").map(|node| file.names(node)).unwrap_or_default() {
        let tables = || schemas.values().flat_map(|schema| &schema.tables);
        if let Some((name, table)) = tables().find(|(name, _)| **name == entry.key) {
            permissions.tables.extend(table_rules(file, entry, table).map(|rules| (name.clone(), rules)));
        } else {
            let message = format!("there is no table {:?}", entry.key);
            file.unknown(entry.span, Check::UnknownTable, message, &entry.key, tables().map(|(name, _)| name.as_str()));
        }
    }
    for entry in map.get("logics").map(|node| file.names(node)).unwrap_or_default() {
        let rules = rules(file, &entry.value, &keys::CALL_RULE, Scope::Call);
        logics.by_name.insert(entry.key.clone(), GivenRules { span: entry.span, rules });
    }
    if let Some(entry) = map.entry("events") {
        file.error_hint(
            entry.span,
            Check::Unsupported,
            "rules of events are not supported by this version",
            "leave \"events\" out",
        );
    }
    (permissions, logics)
}

fn table_rules(file: &File<'_>, entry: &Entry, table: &Table) -> Option<TablePermissions> {
    let map = file.map(&entry.value, &keys::TABLE_RULES)?;
    let verb = |key, keys: &'static Keys| {
        let Some(node) = map.get(key) else { return Vec::new() };
        let rules = rules(file, node, keys, Scope::Row);
        rules.into_iter().map(|rule| rule.for_table(file, &entry.key, table)).collect()
    };
    let permissions = TablePermissions {
        select: verb("select", &keys::RULE),
        insert: verb("insert", &keys::RULE),
        update: verb("update", &keys::RULE),
        delete: verb("delete", &keys::CALL_RULE),
    };
    for (key, rules) in
        [("select", &permissions.select), ("insert", &permissions.insert), ("update", &permissions.update)]
    {
        check_columns(file, map.get(key), &entry.key, table, rules);
    }
    Some(permissions)
}

/// The columns that rules name, each at its own place.
fn check_columns(file: &File<'_>, node: Option<&Node>, name: &str, table: &Table, rules: &[Rule]) {
    if rules.iter().all(|rule| rule.columns.is_none()) {
        return;
    }
    let known = || table.columns.iter().map(|column| column.name.as_str()).chain([table.id.name.as_str()]);
    for node in node.map(one_or_list).unwrap_or_default() {
        let Yaml::Map(entries) = &node.yaml else { continue };
        let Some(Yaml::List(words)) =
            entries.iter().find(|entry| entry.key == "columns").map(|entry| &entry.value.yaml)
        else {
            continue;
        };
        for word in words {
            let Yaml::Text(text) = &word.yaml else { continue };
            if text != "*" && !known().any(|column| column == text) {
                let message = format!("the table {name:?} has no column {text:?}");
                file.unknown(word.span, Check::UnknownColumn, message, text, known());
            }
        }
    }
}

/// A single rule is shorthand for a list of one.
fn one_or_list(node: &Node) -> Vec<&Node> {
    match &node.yaml {
        Yaml::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}

fn rules(file: &File<'_>, node: &Node, keys: &'static Keys, scope: Scope) -> Vec<DraftRule> {
    let rule = |node: &Node| {
        let map = file.map(node, keys)?;
        let roles = roles(file, map.get("roles")?);
        let condition = map.get("condition").and_then(|node| condition(file, node, scope));
        let columns = keys.names().any(|key| key == "columns").then(|| map.get("columns")).flatten();
        let columns = columns.map(|node| file.texts(node).into_iter().map(|word| word.text).collect::<Vec<_>>());
        let source = condition.as_ref().map(|(word, _)| word.text.clone());
        Some(DraftRule {
            rule: Rule {
                roles,
                condition: source,
                columns: columns.filter(|columns| !columns.iter().any(|column| column == "*")),
            },
            condition: condition.map(|(word, expression)| (expression, word.span)),
        })
    };
    one_or_list(node).into_iter().filter_map(rule).collect()
}

fn roles(file: &File<'_>, node: &Node) -> Vec<String> {
    let words = file.texts(node);
    if words.is_empty() && matches!(&node.yaml, Yaml::List(items) if items.is_empty()) {
        file.error_hint(
            node.span,
            Check::InvalidValue,
            "a rule needs at least one role",
            "public is anyone, authenticated every end user",
        );
    }
    words.into_iter().filter(|word| file.check_name(&word.text, word.span, check_role)).map(|word| word.text).collect()
}

/// A condition that can be read, with its source.
fn condition(file: &File<'_>, node: &Node, scope: Scope) -> Option<(Word, Expression)> {
    let word = file.text(node)?;
    match Expression::parse(&word.text, scope) {
        Ok(expression) => Some((word, expression)),
        Err(error) => {
            // On one line in quotes or without, the place inside is the place in the file; in a block it is not known.
            let quotes = node.span.width.checked_sub(u32::try_from(word.text.chars().count()).unwrap_or(u32::MAX));
            let span = match quotes {
                Some(quotes @ (0 | 2)) if error.line == 1 => {
                    Span { column: node.span.column + quotes / 2 + error.column - 1, width: error.width, ..node.span }
                }
                _ => node.span,
            };
            let code = Check::InvalidCondition;
            match error.hint {
                Some(hint) => file.error_hint(span, code, error.message, hint),
                None => file.error(span, code, error.message),
            }
            None
        }
    }
}

/// `auth`, `roles` and `condition` of a logic; `None` where it says nothing about access.
pub(super) fn own(file: &File<'_>, map: &Map<'_>) -> Option<Vec<DraftRule>> {
    let auth = map.get("auth").and_then(|node| file.word(node, keys::AUTH, &[PUBLIC, AUTHENTICATED]));
    if let (Some(_), Some(entry)) = (map.get("auth"), map.entry("roles")) {
        let hint = "public and authenticated are roles too: list them under \"roles\"";
        file.error_hint(entry.span, Check::Conflict, "\"auth\" and \"roles\" exclude each other", hint);
    }
    let condition = map.get("condition").and_then(|node| condition(file, node, Scope::Call));
    let roles = match (auth, map.get("roles")) {
        (Some(auth), _) => vec![auth.to_owned()],
        (None, Some(node)) => roles(file, node),
        (None, None) => {
            if let (Some(entry), None) = (map.entry("condition"), map.get("auth")) {
                let message = "a condition needs \"auth\" or \"roles\": it says more about who may call, not who";
                file.error(entry.span, Check::MissingKey, message);
            }
            // A wrong word under `auth` is reported already.
            return map.get("auth").or_else(|| map.get("condition")).map(|_| Vec::new());
        }
    };
    let source = condition.as_ref().map(|(word, _)| word.text.clone());
    let rule = Rule { roles, condition: source, columns: None };
    Some(vec![DraftRule { rule, condition: condition.map(|(word, expression)| (expression, word.span)) }])
}

impl DraftRule {
    /// Checks the params that the condition reads.
    pub(super) fn for_logic(self, file: &File<'_>, params: &[Param]) -> Rule {
        if let Some((expression, span)) = &self.condition {
            let known = || params.iter().map(|param| param.name.as_str());
            for name in expression.uses().params.iter().filter(|name| !known().any(|known| known == name.as_str())) {
                let message = format!("the condition reads request.params.{name}, but there is no such param");
                file.unknown(*span, Check::InvalidCondition, message, name, known());
            }
        }
        self.rule
    }

    /// Checks the columns that the condition reads.
    fn for_table(self, file: &File<'_>, name: &str, table: &Table) -> Rule {
        if let Some((expression, span)) = &self.condition {
            let known = || table.columns.iter().map(|column| column.name.as_str()).chain([table.id.name.as_str()]);
            for column in
                expression.uses().columns.iter().filter(|column| !known().any(|known| known == column.as_str()))
            {
                let message =
                    format!("the condition reads resource.{column}, but the table {name:?} has no such column");
                file.unknown(*span, Check::InvalidCondition, message, column, known());
            }
        }
        self.rule
    }
}
