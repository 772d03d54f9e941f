//! JSON Schema 2020-12, as much of it as the documents of this repository use. A keyword that is not known here fails, so that no
//! document says what nobody checks.

use serde_json::{Map, Value as Json};

/// What says nothing of whether a value is right. The form of texts is what the code checks when it reads them.
const NO_BOUNDS: &[&str] = &["description", "title", "default", "format", "pattern", "$schema"];

/// A document with schemas in it.
#[derive(Clone, Debug)]
pub struct Document(Json);

impl Document {
    /// As it stands.
    pub fn new(document: Json) -> Self {
        Self(document)
    }

    /// With each named schema at a place closed: a field that it does not have is wrong there. Clients bear more, tests do not.
    pub fn closed(mut document: Json, place: &str) -> Self {
        if let Some(Json::Object(schemas)) = document.pointer_mut(place) {
            for schema in schemas.values_mut() {
                let is_open = schema.get("properties").is_some() && schema.get("additionalProperties").is_none();
                if is_open {
                    schema["additionalProperties"] = false.into();
                }
            }
        }
        Self(document)
    }

    /// What is wrong with a value, by the schema at a place (a JSON pointer); the first such thing.
    pub fn wrong(&self, place: &str, value: &Json) -> Option<String> {
        match self.0.pointer(place) {
            Some(schema) => self.check(schema, value, "").err(),
            None => Some(format!("there is no schema at {place}")),
        }
    }

    fn check(&self, schema: &Json, value: &Json, at: &str) -> Result<(), String> {
        let rules = match schema {
            Json::Bool(true) => return Ok(()),
            Json::Object(rules) => rules,
            _ => return Err(format!("{at}: nothing may be here")),
        };
        for (keyword, rule) in rules {
            self.keyword(rules, (keyword, rule), value, at)?;
        }
        Ok(())
    }

    fn keyword(
        &self,
        rules: &Map<String, Json>,
        (keyword, rule): (&str, &Json),
        value: &Json,
        at: &str,
    ) -> Result<(), String> {
        let ensure =
            |is_so: bool, what: &str| if is_so { Ok(()) } else { Err(format!("{at}: {value} is not {what} {rule}")) };
        let list = || rule.as_array().map(Vec::as_slice).unwrap_or_default();
        let holds = || list().iter().filter(|schema| self.check(schema, value, at).is_ok()).count();
        match keyword {
            "$ref" => {
                let place = rule.as_str().unwrap_or_default().trim_start_matches('#');
                let schema = self.0.pointer(place).ok_or_else(|| format!("{place} leads nowhere"))?;
                self.check(schema, value, at)
            }
            "type" => {
                let kinds = match rule {
                    Json::Array(kinds) => kinds.as_slice(),
                    one => std::slice::from_ref(one),
                };
                ensure(kinds.iter().filter_map(Json::as_str).any(|kind| is_of(kind, value)), "of type")
            }
            "enum" => ensure(list().contains(value), "one of"),
            "const" => ensure(rule == value, "equal to"),
            "anyOf" => ensure(holds() > 0, "any of"),
            "oneOf" => ensure(holds() == 1, "exactly one of"),
            "allOf" => list().iter().try_for_each(|schema| self.check(schema, value, at)),
            "minimum" => ensure(value.as_f64().zip(rule.as_f64()).is_none_or(|(own, least)| own >= least), "at least"),
            "maximum" => ensure(value.as_f64().zip(rule.as_f64()).is_none_or(|(own, most)| own <= most), "at most"),
            "minItems" | "maxItems" => {
                let (count, bound) = (value.as_array().map(Vec::len), rule.as_u64().unwrap_or_default());
                let fits =
                    |count: usize| if keyword == "minItems" { count as u64 >= bound } else { count as u64 <= bound };
                ensure(count.is_none_or(fits), keyword)
            }
            "required" => {
                let has = |name: &Json| {
                    value.as_object().is_none_or(|own| name.as_str().is_some_and(|name| own.contains_key(name)))
                };
                ensure(list().iter().all(has), "what has")
            }
            "properties" => {
                let fields = rule.as_object().into_iter().flatten();
                let sent = fields.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
                sent.into_iter().try_for_each(|(name, schema, own)| self.check(schema, own, &format!("{at}/{name}")))
            }
            "additionalProperties" => {
                let known = |name: &str| rules.get("properties").is_some_and(|known| known.get(name).is_some());
                let more = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
                more.into_iter().try_for_each(|(name, own)| self.check(rule, own, &format!("{at}/{name}")))
            }
            "prefixItems" => {
                let pairs = list().iter().zip(value.as_array().into_iter().flatten());
                pairs.enumerate().try_for_each(|(n, (schema, own))| self.check(schema, own, &format!("{at}/{n}")))
            }
            "items" => {
                let mut items = value.as_array().into_iter().flatten().enumerate();
                items.try_for_each(|(n, own)| self.check(rule, own, &format!("{at}/{n}")))
            }
            "uniqueItems" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                ensure((1..items.len()).all(|n| !items[..n].contains(&items[n])), "a list without doubles")
            }
            known if NO_BOUNDS.contains(&known) => Ok(()),
            other => Err(format!("{at}: the keyword {other} is not known to the tests")),
        }
    }
}

fn is_of(kind: &str, value: &Json) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_found_and_what_is_right_is_not() {
        let document = Document::closed(
            json!({"named": {
                "Pair": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": ["string", "null"]}},
                    "required": ["a"]},
                "Pairs": {"type": "array", "items": {"$ref": "#/named/Pair"}},
                "Map": {"type": "object", "additionalProperties": {"anyOf": [{"const": 1}, {"enum": ["x"]}]}},
                "New": {"multipleOf": 2},
            }}),
            "/named",
        );
        for (place, value, is_right) in [
            ("/named/Pair", json!({"a": 1}), true),
            ("/named/Pair", json!({"a": 1, "b": null}), true),
            ("/named/Pair", json!({"b": "x"}), false),
            ("/named/Pair", json!({"a": -1}), false),
            ("/named/Pair", json!({"a": 1.5}), false),
            ("/named/Pair", json!({"a": 1, "c": 1}), false),
            ("/named/Pair", json!([]), false),
            ("/named/Pairs", json!([{"a": 1}, {"a": 2}]), true),
            ("/named/Pairs", json!([{"a": 1}, {}]), false),
            ("/named/Map", json!({"k": 1, "l": "x"}), true),
            ("/named/Map", json!({"k": 2}), false),
            ("/named/New", json!(2), false),
            ("/named/None", json!(2), false),
        ] {
            assert_eq!(document.wrong(place, &value).is_none(), is_right, "{place} {value}");
        }
    }
}
