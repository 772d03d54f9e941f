//! JSON objects that guests send. What is no object is not repeated to who sent it: it can be as large as what may be sent, and in quotes several times
//! as large.

use serde_json::{Map, Value as Json};

/// Reads one. The error says why it is none.
pub(super) fn read(bytes: &[u8]) -> Result<Map<String, Json>, String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    // The parser would quote a text that stands where an object should.
    if first.is_some_and(|byte| *byte != b'{') {
        return Err("it is something else".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_not_repeated() {
        assert_eq!(read(b" {\"a\": 1}").unwrap().len(), 1);
        let text = format!("\"{}\"", "planted".repeat(100_000));
        for wrong in [text.as_str(), &format!("[{text}]"), &format!("{{{text}}}"), &format!("{{\"a\": {text}"), "", "1"]
        {
            let told = read(wrong.as_bytes()).unwrap_err();
            assert!(!told.contains("planted") && told.len() < 100, "{}", told.len());
        }
    }
}
