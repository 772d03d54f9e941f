//! `santokit.yaml` and `santokit.dev.yaml`.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{
    DevApiKey, DevConnection, DevEngine, DevSecret, DevSettings, cors,
    decode::{File, Map},
    diagnostic::Check,
    keys,
    node::{Node, Yaml},
};
use crate::{
    cors::Cors,
    name::{check_identifier, check_label, check_role, check_secret},
    release::Overlay,
};

/// Connection that is meant where a project names none.
pub(super) const DEFAULT_CONNECTION: &str = "main";

/// Envs of a project.
const ENVS_MAX: usize = 10;

/// What `santokit.yaml` says.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) default_connection: String,
    pub(super) cors: Option<Cors>,
    pub(super) config: BTreeMap<String, String>,
    pub(super) envs: BTreeMap<String, Overlay>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            default_connection: DEFAULT_CONNECTION.to_owned(),
            cors: None,
            config: BTreeMap::new(),
            envs: BTreeMap::new(),
        }
    }
}

pub(super) fn read(file: &File<'_>, root: &Node) -> Settings {
    let mut settings = Settings::default();
    let Some(map) = file.map(root, &keys::PROJECT) else { return settings };
    super::version(file, &map);
    if let Some(name) = map.get("name").and_then(|node| file.name(node, |name| check_label("a project name", name))) {
        settings.name = name.text;
    }
    if let Some(name) =
        map.get("defaultConnection").and_then(|node| file.name(node, |name| check_label("a connection name", name)))
    {
        settings.default_connection = name.text;
    }
    settings.cors = cors::read(file, &map);
    settings.config = config(file, &map);
    let envs = map.get("envs").map(|node| file.names(node)).unwrap_or_default();
    if let (true, Some(node)) = (envs.len() > ENVS_MAX, map.get("envs")) {
        file.error(
            node.span,
            Check::TooMany,
            format!("a project has at most {ENVS_MAX} envs; this one has {}", envs.len()),
        );
    }
    for entry in envs {
        file.check_name(&entry.key, entry.span, |name| check_label("an env name", name));
        let overlay = file
            .map(&entry.value, &keys::ENV)
            .map(|map| Overlay { config: config(file, &map), cors: cors::read(file, &map) });
        settings.envs.insert(entry.key.clone(), overlay.unwrap_or_default());
    }
    settings
}

fn config(file: &File<'_>, map: &Map<'_>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for entry in map.get("config").map(|node| file.names(node)).unwrap_or_default() {
        file.check_name(&entry.key, entry.span, |name| check_identifier("a configuration name", name));
        values.extend(file.text(&entry.value).map(|word| (entry.key.clone(), word.text)));
    }
    values
}

/// `santokit.dev.yaml`. Findings never repeat a value: some are secrets.
pub(super) fn read_dev(file: &File<'_>, root: &Node, connections: &[&str]) -> DevSettings {
    let mut dev = DevSettings::default();
    let Some(map) = file.map(root, &keys::DEV) else { return dev };
    for entry in map.get("connections").map(|node| file.names(node)).unwrap_or_default() {
        if !connections.contains(&entry.key.as_str()) {
            let message = format!("there is no connection {:?}: no table is on it", entry.key);
            file.unknown(entry.span, Check::UnknownConnection, message, &entry.key, connections.iter().copied());
        }
        dev.connections.extend(dev_connection(file, &entry.value).map(|connection| (entry.key.clone(), connection)));
    }
    for node in map.get("apiKeys").map(|node| file.list(node)).unwrap_or_default() {
        dev.api_keys.extend(dev_api_key(file, node));
    }
    for entry in map.get("secrets").map(|node| file.names(node)).unwrap_or_default() {
        file.check_name(&entry.key, entry.span, check_secret);
        dev.secrets.extend(dev_secret(file, &entry.value).map(|secret| (entry.key.clone(), secret)));
    }
    dev
}

fn dev_connection(file: &File<'_>, node: &Node) -> Option<DevConnection> {
    let map = file.map(node, &keys::DEV_CONNECTION)?;
    let engine = map.get("engine").and_then(|node| match &node.yaml {
        Yaml::Text(text) if matches!(text.as_str(), "postgresql" | "mariadb") => {
            let (message, name) = (format!("the engine {text} has another name here"), text.as_str());
            let hint = if name == "mariadb" { "write \"mysql\"" } else { "write \"postgres\"" };
            file.error_hint(node.span, Check::UnknownValue, message, hint);
            None
        }
        _ => file.word(node, keys::DATABASES, DevEngine::ALL),
    })?;
    let url = file.text(map.get("url")?)?;
    if !engine.fits(&url.text) {
        let (message, hint) = match engine {
            DevEngine::Sqlite => ("not the URL of a SQLite database", "for example sqlite:.stk/dev/main.db"),
            DevEngine::Postgres => {
                ("not the URL of a PostgreSQL database", "for example postgres://user:password@localhost:5432/shop")
            }
            DevEngine::Mysql => {
                ("not the URL of a MySQL or MariaDB database", "for example mysql://user:password@localhost:3306/shop")
            }
        };
        file.error_hint(url.span, Check::InvalidValue, message, hint);
        return None;
    }
    Some(DevConnection { engine, url: url.text })
}

fn dev_api_key(file: &File<'_>, node: &Node) -> Option<DevApiKey> {
    let map = file.map(node, &keys::DEV_API_KEY)?;
    let name = map.get("name").and_then(|node| file.name(node, |name| check_label("the name of an API key", name)));
    let key = map.get("key").and_then(|node| file.text(node));
    let roles = map.get("roles").map(|node| file.texts(node)).unwrap_or_default();
    for role in &roles {
        if matches!(role.text.as_str(), "public" | "authenticated") {
            let message = format!("{} is not a role of keys: it applies by itself", role.text);
            file.error(role.span, Check::InvalidName, message);
        } else {
            file.check_name(&role.text, role.span, check_role);
        }
    }
    let key = key?;
    if !is_api_key(&key.text) {
        let hint = "for example stk_app.any-text-without-spaces";
        file.error_hint(key.span, Check::InvalidValue, "an API key is stk_<id>.<secret>", hint);
        return None;
    }
    let roles = roles.into_iter().map(|role| role.text).collect();
    Some(DevApiKey { name: name?.text, key: SecretString::from(key.text), roles })
}

/// `stk_<id>.<secret>`.
fn is_api_key(text: &str) -> bool {
    let parts = text.strip_prefix("stk_").and_then(|rest| rest.split_once('.'));
    parts.is_some_and(|(id, secret)| {
        (1..=40).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            && (1..=200).contains(&secret.len())
            && secret.bytes().all(|b| b.is_ascii_graphic())
    })
}

fn dev_secret(file: &File<'_>, node: &Node) -> Option<DevSecret> {
    let map = file.map(node, &keys::DEV_SECRET)?;
    match (map.get("value"), map.get("fromEnv")) {
        (Some(node), None) => file.text(node).map(|word| DevSecret::Value(SecretString::from(word.text))),
        (None, Some(node)) => file.text(node).map(|word| DevSecret::FromEnv(word.text)),
        (None, None) => {
            file.error(node.span, Check::MissingKey, "a secret needs one of \"value\" and \"fromEnv\"");
            None
        }
        (Some(_), Some(_)) => {
            file.error(node.span, Check::Conflict, "a secret has one of \"value\" and \"fromEnv\", not both");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_engines_is_complete() {
        assert_eq!(keys::DATABASES, DevEngine::ALL.iter().map(|engine| engine.as_str()).collect::<Vec<_>>());
    }
}
