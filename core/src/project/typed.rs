//! What columns and params share: type, element type, bounds and default.

use serde_json::Value as Json;

use super::{
    decode::{File, Map},
    diagnostic::Check,
    keys,
    node::{Node, Yaml},
};
use crate::{
    param::{BoundsError, CompiledBounds, convert},
    schema::{Bounds, Items, Type},
};

/// Levels of arrays in arrays.
const ITEMS_DEPTH_MAX: usize = 8;

/// The `type` of a column, param or element.
pub(super) fn kind(file: &File<'_>, node: &Node) -> Option<Type> {
    if let Yaml::Text(text) = &node.yaml
        && let Some(near) = other_name_of(text)
    {
        let message = format!("{text:?} is not one of {}", keys::TYPES.join(", "));
        file.error_hint(node.span, Check::UnknownValue, message, format!("write {near:?}"));
        return None;
    }
    file.word(node, keys::TYPES, Type::ALL)
}

/// What other tools call our types.
fn other_name_of(text: &str) -> Option<&'static str> {
    match text {
        "text" | "varchar" | "uuid" => Some("string"),
        "integer" | "int32" | "number" => Some("int"),
        "int64" | "long" => Some("bigint"),
        "double" | "real" => Some("float"),
        "numeric" | "money" => Some("decimal"),
        "bool" => Some("boolean"),
        "date" | "datetime" | "time" => Some("timestamp"),
        "binary" | "blob" => Some("bytes"),
        "jsonb" | "object" => Some("json"),
        _ => None,
    }
}

/// The `items` of an array.
pub(super) fn items(file: &File<'_>, map: &Map<'_>, kind: Type) -> Option<Box<Items>> {
    match (kind, map.entry("items")) {
        (Type::Array, Some(entry)) => element(file, &entry.value, 1),
        (Type::Array, None) => {
            file.error_hint(
                map.span,
                Check::MissingKey,
                "an array needs \"items\"",
                "for example items: {type: string}",
            );
            None
        }
        (_, Some(entry)) => {
            not_for(file, entry.span, "items", kind, "array");
            None
        }
        (_, None) => None,
    }
}

fn element(file: &File<'_>, node: &Node, depth: usize) -> Option<Box<Items>> {
    if depth > ITEMS_DEPTH_MAX {
        file.error(node.span, Check::TooMany, format!("arrays nest at most {ITEMS_DEPTH_MAX} levels"));
        return None;
    }
    let map = file.map(node, &keys::ITEMS)?;
    let kind = kind(file, map.get("type")?)?;
    let items = match (kind, map.entry("items")) {
        (Type::Array, Some(entry)) => Some(element(file, &entry.value, depth + 1)?),
        (Type::Array, None) => {
            file.error_hint(
                map.span,
                Check::MissingKey,
                "an array needs \"items\"",
                "for example items: {type: string}",
            );
            return None;
        }
        (_, Some(entry)) => {
            not_for(file, entry.span, "items", kind, "array");
            return None;
        }
        (_, None) => None,
    };
    Some(Box::new(Items { kind, items }))
}

/// A key that does not go with the type.
pub(super) fn not_for(file: &File<'_>, span: super::node::Span, key: &str, kind: Type, only: &str) {
    file.error(span, Check::NotForType, format!("{key:?} does not go with type {}: it is for {only}", kind.as_str()));
}

/// The bounds, and the same compiled, for checking the default.
pub(super) fn bounds(file: &File<'_>, map: &Map<'_>, kind: Type) -> (Bounds, Option<CompiledBounds>) {
    let numeric = matches!(kind, Type::Int | Type::Bigint | Type::Float | Type::Decimal);
    let fits = |key: &'static str| {
        let (right, only) = match key {
            "min" | "max" => (numeric, "int, bigint, float and decimal"),
            _ => (kind == Type::String, "string"),
        };
        let entry = map.entry(key)?;
        if !right {
            not_for(file, entry.span, key, kind, only);
        }
        right.then_some(&entry.value)
    };
    let words = |node: &Node| file.texts(node).into_iter().map(|word| word.text).collect::<Vec<_>>();
    let length = |node: &Node| file.whole(node).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let bounds = Bounds {
        one_of: fits("enum").map(words),
        max_length: fits("maxLength").and_then(length),
        min: fits("min").and_then(|node| file.number(node)).map(|word| word.text),
        max: fits("max").and_then(|node| file.number(node)).map(|word| word.text),
        pattern: fits("pattern").and_then(|node| file.text(node)).map(|word| word.text),
    };
    if let (Some(node), Some([])) = (map.get("enum"), bounds.one_of.as_deref()) {
        file.error(node.span, Check::InvalidBounds, "an enum needs at least one string");
    }
    let compiled = CompiledBounds::compile(kind, &bounds).map_err(|error| {
        let (key, code) = match &error {
            BoundsError::NotANumber { key, .. } => (*key, Check::InvalidBounds),
            BoundsError::Empty => ("min", Check::InvalidBounds),
            BoundsError::Pattern(_) => ("pattern", Check::InvalidPattern),
        };
        file.error(map.get(key).map_or(map.span, |node| node.span), code, error.to_string());
    });
    (bounds, compiled.ok())
}

/// A literal default in its one JSON spelling.
pub(super) fn literal(
    file: &File<'_>,
    node: &Node,
    kind: Type,
    items: Option<&Items>,
    bounds: Option<&CompiledBounds>,
) -> Option<Json> {
    let json = match (&node.yaml, kind) {
        // YAML numbers keep their digits; in JSON these types are strings.
        (Yaml::Whole(_) | Yaml::Float(_), Type::Decimal | Type::Bigint) => Json::String(node.raw.clone()),
        _ => node.json(),
    };
    let checked = convert::normalise(kind, items, json).and_then(|json| match bounds {
        Some(bounds) => bounds.check(kind, &json).map(|()| json),
        None => Ok(json),
    });
    checked
        .map_err(|message| file.error(node.span, Check::InvalidDefault, format!("the default does not fit: {message}")))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_types_is_complete() {
        assert_eq!(keys::TYPES, Type::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
    }
}
