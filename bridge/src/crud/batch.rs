//! `batch`: calls that succeed together or not at all. A later call may have values of earlier answers, by `{"$ref": "0.data.0.id"}`.
//!
//! What is here is pure: the calls, and references put in the place of values. A reference gives a single value, or with `*` the list of
//! the values that stand there; never a whole row, so that what it takes does not grow with what is put together.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json};

use super::{
    findings::{Findings, Place, shown},
    limits::CrudLimits,
};

/// Names an earlier value.
const REFERENCE: &str = "$ref";

/// Says that what it holds is no reference.
const LITERAL: &str = "$literal";

/// Values that the references of a batch may give in all.
const VALUES_MAX: usize = 10_000;

/// Bytes that the texts among them may have in all, and that an answer may have that is referred to.
const BYTES_MAX: usize = 1 << 20;

/// What a batch does.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `db/{table}/{verb}`.
    pub path: String,
    /// With references.
    pub params: Map<String, Json>,
}

/// The answers so far, as references see them.
#[derive(Debug, Default)]
pub struct Earlier {
    /// None: too large.
    answers: Vec<Option<Json>>,
    values: usize,
    bytes: usize,
}

/// Reads the calls.
pub fn read(params: &Map<String, Json>, limits: &CrudLimits) -> Outcome<Vec<Step>> {
    let mut findings = Findings::default();
    for name in params.keys().filter(|name| *name != "calls") {
        findings.unknown(Place::Params.field(name), "param", name, ["calls"]);
    }
    let place = Place::Params.field("calls");
    let mut steps = Vec::new();
    match params.get("calls") {
        Some(Json::Array(calls)) if calls.is_empty() => findings.request(place, "must not be empty"),
        Some(Json::Array(calls)) if calls.len() > limits.batch_calls => {
            let message = format!("has {} calls; {} is the most", calls.len(), limits.batch_calls);
            findings.limit(place, "batchCalls", message);
        }
        Some(Json::Array(calls)) => {
            for (index, call) in calls.iter().enumerate() {
                steps.extend(step(call, place.element(index), &mut findings));
            }
        }
        _ => {
            let hint = "for example {\"calls\": [{\"path\": \"db/orders/insert\", \"params\": {\"data\": {}}}]}";
            findings.hinted(place, "must be a list of calls", hint);
        }
    }
    findings.check()?;
    Ok(steps)
}

fn step(call: &Json, place: Place<'_>, findings: &mut Findings) -> Option<Step> {
    let Json::Object(fields) = call else {
        findings.request(place, "must be an object of path and params");
        return None;
    };
    for name in fields.keys().filter(|name| !["path", "params"].contains(&name.as_str())) {
        findings.unknown(place.field(name), "field", name, ["path", "params"]);
    }
    let path = fields.get("path").and_then(Json::as_str);
    if path.is_none() {
        findings.request(place.field("path"), "must be a text, for example \"db/orders/insert\"");
    }
    let params = match fields.get("params") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(params)) => params.clone(),
        Some(_) => {
            findings.request(place.field("params"), "must be an object");
            return None;
        }
    };
    Some(Step { path: path?.to_owned(), params })
}

/// Whether anything in the params is a reference, so that answers have to be kept for it.
pub fn has_references(params: &Map<String, Json>) -> bool {
    params.values().any(is_reference_in)
}

/// Recursion is bounded: JSON from outside is read with a depth limit of 128.
fn is_reference_in(json: &Json) -> bool {
    match json {
        Json::Object(fields) => {
            fields.contains_key(REFERENCE)
                || (!fields.contains_key(LITERAL) || fields.len() > 1) && fields.values().any(is_reference_in)
        }
        Json::Array(items) => items.iter().any(is_reference_in),
        _ => false,
    }
}

impl Earlier {
    /// Keeps an answer, `{"data": …, "meta": …}`.
    pub fn keep(&mut self, answer: &[u8]) -> Result<(), serde_json::Error> {
        let kept = if answer.len() > BYTES_MAX { None } else { Some(serde_json::from_slice(answer)?) };
        self.answers.push(kept);
        Ok(())
    }

    /// The params with every reference replaced. The error names the reference's place.
    pub fn resolve(&mut self, params: &Map<String, Json>) -> Outcome<Map<String, Json>> {
        let mut findings = Findings::default();
        let resolved = params
            .iter()
            .map(|(name, json)| (name.clone(), self.value(json, Place::Params.field(name), &mut findings)));
        let resolved = resolved.collect();
        findings.check()?;
        Ok(resolved)
    }

    fn value(&mut self, json: &Json, place: Place<'_>, findings: &mut Findings) -> Json {
        match json {
            Json::Object(fields) if fields.len() == 1 && fields.contains_key(LITERAL) => fields[LITERAL].clone(),
            Json::Object(fields) if fields.contains_key(REFERENCE) => {
                let found = match (&fields[REFERENCE], fields.len()) {
                    (Json::String(path), 1) => self.find(path),
                    _ => Err("is no reference; one is {\"$ref\": \"0.data.0.id\"}".to_owned()),
                };
                found.unwrap_or_else(|message| {
                    findings.request(place, message);
                    Json::Null
                })
            }
            Json::Object(fields) => fields
                .iter()
                .map(|(name, json)| (name.clone(), self.value(json, place.field(name), findings)))
                .collect::<Map<_, _>>()
                .into(),
            Json::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, json)| self.value(json, place.element(index), findings)).collect()
            }
            other => other.clone(),
        }
    }

    /// `0.data.0.id`: the call, then where in its answer. `*` is every element of a list, once.
    fn find(&mut self, path: &str) -> Result<Json, String> {
        let mut parts = path.split('.');
        let index: usize = parts
            .next()
            .and_then(|part| part.parse().ok())
            .ok_or_else(|| "begins with the number of a call, from 0".to_owned())?;
        let answer = self.answers.get(index).ok_or_else(|| "names a call that is not an earlier one".to_owned())?;
        let Some(answer) = answer else { return Err(format!("the answer of call {index} is too large to refer to")) };
        let missing = || format!("{:?} leads to nothing in the answer of call {index}", shown(path));
        let parts: Vec<&str> = parts.collect();
        let found = match parts.iter().position(|part| *part == "*") {
            None => walk(answer, &parts).ok_or_else(missing)?.clone(),
            Some(star) => {
                let list = walk(answer, &parts[..star]).and_then(Json::as_array).ok_or_else(missing)?;
                if list.len() > VALUES_MAX {
                    return Err(too_much());
                }
                let each = list.iter().map(|item| walk(item, &parts[star + 1..]).cloned());
                Json::Array(each.collect::<Option<Vec<_>>>().ok_or_else(missing)?)
            }
        };
        self.spend(&found)?;
        Ok(found)
    }

    fn spend(&mut self, found: &Json) -> Result<(), String> {
        let values = match found {
            Json::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        self.values += values.len();
        for value in values {
            match value {
                Json::Array(_) | Json::Object(_) => {
                    return Err("is a list or an object; a reference gives single values".to_owned());
                }
                Json::String(text) => self.bytes += text.len(),
                Json::Null | Json::Bool(_) | Json::Number(_) => {}
            }
        }
        if self.values > VALUES_MAX || self.bytes > BYTES_MAX { Err(too_much()) } else { Ok(()) }
    }
}

fn walk<'j>(json: &'j Json, parts: &[&str]) -> Option<&'j Json> {
    parts.iter().try_fold(json, |json, part| match json {
        Json::Object(fields) => fields.get(*part),
        Json::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn too_much() -> String {
    format!("the references of a batch give at most {VALUES_MAX} values and {BYTES_MAX} bytes of text")
}

/// A failure of one call as that of the batch.
pub fn failed(index: usize, mut problem: Box<Problem>) -> Box<Problem> {
    if !matches!(problem.code, Code::InternalError | Code::ServiceUnavailable) {
        problem.message = format!("call {index}: {}", problem.message);
    }
    problem.detail("call", index)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(json: &Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    fn earlier() -> Earlier {
        let mut earlier = Earlier::default();
        let answer = json!({"data": [{"id": "a", "tags": [1]}, {"id": "b", "tags": []}], "meta": {"total": 2}});
        earlier.keep(answer.to_string().as_bytes()).unwrap();
        earlier
    }

    #[test]
    fn references_give_single_values_of_earlier_answers() {
        let params = object(&json!({
            "data": {"order": {"$ref": "0.data.0.id"}, "raw": {"$literal": {"$ref": "x"}}, "n": {"$ref": "0.meta.total"}},
            "where": {"id": {"$in": {"$ref": "0.data.*.id"}}},
        }));
        assert!(has_references(&params));
        let resolved = earlier().resolve(&params).unwrap();
        assert_eq!(
            Json::Object(resolved),
            json!({"data": {"order": "a", "raw": {"$ref": "x"}, "n": 2}, "where": {"id": {"$in": ["a", "b"]}}})
        );
        assert!(!has_references(&object(&json!({"data": {"a": {"$literal": {"$ref": "x"}}}}))));
    }

    #[test]
    fn a_reference_to_what_is_not_there_is_told_with_its_place() {
        for path in [
            "",
            "x",
            "1.data",
            "0",
            "0.data",
            "0.data.0",
            "0.data.2.id",
            "0.data.0.nope",
            "0.data.*.tags",
            "0.data.*.*.id",
            "-1.data",
            "0.data.0.id.x",
            "99999999999999999999.data",
            "__proto__",
        ] {
            let params = object(&json!({"where": {"id": {"$ref": path}}}));
            let problem = earlier().resolve(&params).unwrap_err();
            assert_eq!(problem.code, Code::BadRequest, "{path}");
            assert_eq!(problem.details["errors"][0]["path"], "where.id", "{path}");
        }
        for other in [json!({"$ref": 1}), json!({"$ref": "0.data.0.id", "more": 1})] {
            assert!(earlier().resolve(&object(&json!({"data": other}))).is_err());
        }
    }

    #[test]
    fn references_cannot_make_much_of_little() {
        let mut earlier = Earlier::default();
        earlier.keep(json!({"data": [{"t": "x".repeat(1 << 19)}]}).to_string().as_bytes()).unwrap();
        let many: Vec<Json> = (0..3).map(|_| json!({"$ref": "0.data.0.t"})).collect();
        assert!(earlier.resolve(&object(&json!({"data": many}))).is_err());
        let mut earlier = Earlier::default();
        let rows: Vec<Json> = (0..9_000).map(|n| json!({"n": n})).collect();
        earlier.keep(json!({"data": rows}).to_string().as_bytes()).unwrap();
        let twice = [json!({"$ref": "0.data.*.n"}), json!({"$ref": "0.data.*.n"})];
        assert!(earlier.resolve(&object(&json!({"data": twice}))).is_err());
    }

    #[test]
    fn calls_are_read_and_bounded() {
        let limits = CrudLimits::default();
        let calls = |json: Json| read(&object(&json), &limits);
        let steps = calls(json!({"calls": [{"path": "db/a/select"}, {"path": "db/b/insert", "params": {"data": {}}}]}));
        assert_eq!(steps.unwrap().len(), 2);
        for bad in [
            json!({}),
            json!({"calls": []}),
            json!({"calls": [1]}),
            json!({"calls": [{"params": {}}]}),
            json!({"calls": [{"path": "db/a/select", "params": []}]}),
            json!({"calls": [{"path": "db/a/select", "param": {}}]}),
            json!({"call": []}),
        ] {
            assert_eq!(calls(bad).unwrap_err().code, Code::BadRequest);
        }
        let many: Vec<Json> = (0..51).map(|_| json!({"path": "db/a/select"})).collect();
        assert_eq!(calls(json!({"calls": many})).unwrap_err().details["limit"], "batchCalls");
    }
}
