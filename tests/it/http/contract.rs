//! Whether what a Hub answers is what its OpenAPI document says: the status, the form of the body, and no field that the document
//! does not have.

use std::{collections::BTreeMap, sync::LazyLock};

use super::wire::Got;
use santokit_tests::json_schema::Document;

/// The document, ready to check with.
struct Contract {
    document: Document,
    /// By method and path: by status the place of the schema of its body, where it has one in JSON.
    operations: BTreeMap<(String, String), BTreeMap<String, Option<String>>>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::new);

/// All that differs.
pub(crate) fn differences(method: &str, path: &str, got: &Got) -> Vec<String> {
    let path = path.split('?').next().unwrap_or_default();
    let Some((of, operation)) = CONTRACT.operation(method, path) else {
        let known = got.status == 404 || got.status == 405 || got.status == 400 || got.status == 401;
        return if known { Vec::new() } else { vec![format!("{method} {path} is not in the document")] };
    };
    let status = got.status.to_string();
    let found = match operation.get(&status) {
        Some(found) => found,
        None if got.status >= 400 => &operation["default"],
        None => return vec![format!("{of} does not say that it answers {status}")],
    };
    match found {
        // The answer to a HEAD has no body.
        Some(_) if got.bytes.is_empty() && method == "HEAD" => Vec::new(),
        Some(place) => match CONTRACT.document.wrong(place, &got.body) {
            None => Vec::new(),
            Some(wrong) => vec![format!("{of} says another form of {status}: {wrong}")],
        },
        None => Vec::new(),
    }
}

impl Contract {
    fn new() -> Self {
        let document = santokit_hub::api::openapi::json_document().clone();
        let mut operations = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let mut by_status = BTreeMap::new();
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    let place = match answer["$ref"].as_str() {
                        Some(place) => place.trim_start_matches('#').to_owned(),
                        None => format!("/paths/{}/{method}/responses/{status}", path.replace('/', "~1")),
                    };
                    let place = format!("{place}/content/application~1json/schema");
                    by_status.insert(status.clone(), document.pointer(&place).map(|_| place));
                }
                operations.insert((method.to_uppercase(), path.clone()), by_status);
            }
        }
        Self { document: Document::closed(document, "/components/schemas"), operations }
    }

    /// The operation of a path, which is named as the router finds it: what stands there as a word comes before what is a parameter.
    fn operation(&self, method: &str, path: &str) -> Option<(String, &BTreeMap<String, Option<String>>)> {
        let is_of = |of: &str| {
            let (own, sent): (Vec<&str>, Vec<&str>) = (of.split('/').collect(), path.split('/').collect());
            own.len() == sent.len() && own.iter().zip(&sent).all(|(own, sent)| own.starts_with('{') || own == sent)
        };
        let found = |method: &str| {
            let of = self.operations.iter().filter(|((own, of), _)| own == method && is_of(of));
            of.min_by_key(|((_, of), _)| of.matches('{').count())
        };
        // A HEAD is answered by the GET where it has no handler of its own.
        let found = found(method).or_else(|| if method == "HEAD" { found("GET") } else { None });
        found.map(|((method, of), operation)| (format!("{method} {of}"), operation))
    }
}
