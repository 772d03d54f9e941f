//! Rules: those of `config/permissions.yaml`, and those that a logic carries itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    decode::{File, Map},
    diagnostic::Check,
    keys::{self, Keys},
    node::{Entry, Node, Span, Yaml},
};
use crate::{
    access::{
        EventPermissions, Permissions, Rule, TablePermissions,
        cel::{Expression, ExpressionError, Scope},
        decide::{AUTHENTICATED, PUBLIC},
        lower::RowCondition,
    },
    event::{Events, Topic},
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
    condition: Option<DraftCondition>,
}

/// A condition that can be read, and where it stands.
pub(super) struct DraftCondition {
    source: String,
    expression: Expression,
    span: Span,
}

/// Reads `config/permissions.yaml`; the schemas and topics are those of the project.
pub(super) fn read(
    file: &File<'_>,
    root: &Node,
    (schemas, events): (&BTreeMap<String, Schema>, &Events),
) -> (Permissions, LogicRules) {
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
    for entry in map.get("events").map(|node| file.names(node)).unwrap_or_default() {
        if let Some(topic) = events.topics.get(&entry.key) {
            permissions.events.extend(event_rules(file, entry, topic).map(|rules| (entry.key.clone(), rules)));
        } else {
            let message = format!("there is no topic {:?}", entry.key);
            let known = events.topics.keys().map(String::as_str);
            file.unknown(entry.span, Check::UnknownTopic, message, &entry.key, known);
        }
    }
    (permissions, logics)
}

/// The payload is what a condition sees as `request.params`.
fn event_rules(file: &File<'_>, entry: &Entry, topic: &Topic) -> Option<EventPermissions> {
    let map = file.map(&entry.value, &keys::EVENT_RULES)?;
    let publish = map.get("publish").map(|node| rules(file, node, &keys::CALL_RULE, Scope::Call)).unwrap_or_default();
    Some(EventPermissions { publish: publish.into_iter().map(|rule| rule.for_logic(file, &topic.fields)).collect() })
}

fn table_rules(file: &File<'_>, entry: &Entry, table: &Table) -> Option<TablePermissions> {
    let map = file.map(&entry.value, &keys::TABLE_RULES)?;
    let verb = |key, keys: &'static Keys| {
        let Some(node) = map.get(key) else { return Vec::new() };
        let rules = rules(file, node, keys, Scope::Row);
        rules.into_iter().map(|rule| rule.for_table(file, table)).collect()
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
        let mut draft = draft(file, &map, scope)?;
        let columns = keys.names().any(|key| key == "columns").then(|| map.get("columns")).flatten();
        let columns = columns.map(|node| file.texts(node).into_iter().map(|word| word.text).collect::<Vec<_>>());
        draft.rule.columns = columns.filter(|columns| !columns.iter().any(|column| column == "*"));
        Some(draft)
    };
    one_or_list(node).into_iter().filter_map(rule).collect()
}

/// `roles` and `condition` of a rule.
fn draft(file: &File<'_>, map: &Map<'_>, scope: Scope) -> Option<DraftRule> {
    let roles = roles(file, map.get("roles")?);
    let condition = map.get("condition").and_then(|node| DraftCondition::read(file, node, scope));
    let source = condition.as_ref().map(|condition| condition.source.clone());
    Some(DraftRule { rule: Rule { roles, condition: source, columns: None }, condition })
}

/// Rules for objects whose pattern has these names. `more` reads what else a rule says.
pub(super) fn for_objects<T>(
    file: &File<'_>,
    node: &Node,
    keys: &'static Keys,
    names: &[&str],
    more: impl Fn(Rule, &Map<'_>) -> T,
) -> Vec<T> {
    let rule = |node: &Node| {
        let map = file.map(node, keys)?;
        let rule = draft(file, &map, Scope::Object)?.for_object(file, names);
        Some(more(rule, &map))
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

/// `auth`, `roles` and `condition` of a logic; `None` where it says nothing about access.
pub(super) fn own(file: &File<'_>, map: &Map<'_>) -> Option<Vec<DraftRule>> {
    let auth = map.get("auth").and_then(|node| file.word(node, keys::AUTH, &[PUBLIC, AUTHENTICATED]));
    if let (Some(_), Some(entry)) = (map.get("auth"), map.entry("roles")) {
        let hint = "public and authenticated are roles too: list them under \"roles\"";
        file.error_hint(entry.span, Check::Conflict, "\"auth\" and \"roles\" exclude each other", hint);
    }
    let condition = map.get("condition").and_then(|node| DraftCondition::read(file, node, Scope::Call));
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
    let source = condition.as_ref().map(|condition| condition.source.clone());
    let rule = Rule { roles, condition: source, columns: None };
    Some(vec![DraftRule { rule, condition }])
}

impl DraftCondition {
    pub(super) fn read(file: &File<'_>, node: &Node, scope: Scope) -> Option<Self> {
        let word = file.text(node)?;
        match Expression::parse(&word.text, scope) {
            Ok(expression) => Some(Self { source: word.text, expression, span: node.span }),
            Err(error) => {
                report(file, node.span, &word.text, error);
                None
            }
        }
    }

    /// Params that it reads, or fields of a payload.
    pub(super) fn read_params(&self) -> &BTreeSet<String> {
        &self.expression.uses().params
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn into_source(self) -> String {
        self.source
    }
}

/// The place inside of the condition, where the file shows it as it is; else the condition as a whole.
fn report(file: &File<'_>, span: Span, source: &str, error: ExpressionError) {
    let place = file.place_in(span, source, (error.line, error.column));
    let span = place.map_or(span, |place| Span { width: error.width, ..place });
    match error.hint {
        Some(hint) => file.error_hint(span, Check::InvalidCondition, error.message, hint),
        None => file.error(span, Check::InvalidCondition, error.message),
    }
}

impl DraftRule {
    /// Checks the params that the condition reads.
    pub(super) fn for_logic(self, file: &File<'_>, params: &[Param]) -> Rule {
        if let Some(DraftCondition { expression, span, .. }) = &self.condition {
            let known = || params.iter().map(|param| param.name.as_str());
            for name in expression.uses().params.iter().filter(|name| !known().any(|known| known == name.as_str())) {
                let message = format!("the condition reads request.params.{name}, but there is no such param");
                file.unknown(*span, Check::InvalidCondition, message, name, known());
            }
        }
        self.rule
    }

    /// Checks what the condition reads of the key.
    fn for_object(self, file: &File<'_>, names: &[&str]) -> Rule {
        if let Some(DraftCondition { expression, span, .. }) = &self.condition {
            for name in expression.uses().path.iter().filter(|name| !names.contains(&name.as_str())) {
                let message = format!("the condition reads path.{name}, and the pattern has no {{{name}}}");
                file.unknown(*span, Check::InvalidCondition, message, name, names.iter().copied());
            }
        }
        self.rule
    }

    /// Checks that the condition can be asked of the table's rows in SQL.
    fn for_table(self, file: &File<'_>, table: &Table) -> Rule {
        if let Some(DraftCondition { source, span, .. }) = self.condition
            && let Err(errors) = RowCondition::compile(&source, table)
        {
            for error in errors {
                report(file, span, &source, error);
            }
        }
        self.rule
    }
}
