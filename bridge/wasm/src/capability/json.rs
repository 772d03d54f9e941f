//! JSON that guests hand over to be read. What the host makes of it is no memory of the guest's and is made in one go, so that nothing ends
//! it: it is counted here before it is read, and held to the guest's own limit. It reads nothing itself.

use crate::{host::Host, state::State};

/// The most, as much as the body of a request is by default.
const BYTES_MAX: usize = 10_000_000;
/// The most that one byte of it takes when it is read: the begin of an object, and itself.
const EACH_BYTES_MAX: u64 = 417;

impl<H: Host> State<H> {
    /// Whether JSON of this kind can be read; else why not.
    pub(super) fn check_json(&self, what: &str, json: &[u8]) -> Result<(), String> {
        if json.len() > BYTES_MAX {
            return Err(format!("the {what} are longer than {BYTES_MAX} bytes"));
        }
        let memory = self.limits.memory;
        // What is within it whatever stands in it need not be counted.
        if (json.len() as u64).saturating_mul(EACH_BYTES_MAX) <= memory.0 {
            return Ok(());
        }
        let read = bytes_when_read(json);
        if read > memory.0 {
            return Err(format!(
                "the {what} take up to {read} bytes when they are read, more than the limit `memory` ({memory})"
            ));
        }
        Ok(())
    }
}

/// What a tree of it takes at most when it is there; while a list grows it can be half as much again. A value is 72 bytes and a field 104
/// and its name; lists and objects have room for four and three to begin with, and grow to twice what they hold. What is no JSON is refused
/// before it comes to that much.
fn bytes_when_read(json: &[u8]) -> u64 {
    let (mut bytes, mut in_string, mut is_escaped) = (json.len() as u64, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b',' | b':' => bytes += 144,
            b'[' => bytes += 288,
            b'{' => bytes += 416,
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The most that serde_json can have taken: capacities are not to be seen, so that they are taken as twice the length, and no less than
    /// a list and an object begin with.
    fn taken(value: &Value) -> u64 {
        let own = |room: usize, each: usize| (room * each) as u64;
        match value {
            Value::Array(values) if !values.is_empty() => {
                own((values.len() * 2).max(4), size_of::<Value>()) + values.iter().map(taken).sum::<u64>()
            }
            Value::Object(fields) if !fields.is_empty() => {
                let entry = size_of::<Value>() + size_of::<String>() + size_of::<u64>();
                let names: u64 = fields.iter().map(|(name, value)| name.len() as u64 + taken(value)).sum();
                own((fields.len() * 2).max(3), entry) + names
            }
            Value::String(text) => text.len() as u64,
            _ => 0,
        }
    }

    #[test]
    fn no_tree_takes_more_than_is_said() {
        let fields: Vec<String> = (0..10_000).map(|number| format!("\"{number}\":0")).collect();
        for json in [
            "[]".to_owned(),
            "0".to_owned(),
            format!("[{}0]", "0,".repeat(10_000)),
            format!("[{}0]", "[0],".repeat(10_000)),
            format!("[{}0]", "[],".repeat(10_000)),
            format!("[{}0]", "{},".repeat(10_000)),
            format!("[{}0]", "{\"\":0},".repeat(10_000)),
            format!("{}{}", "[".repeat(100), "]".repeat(100)),
            format!("{}0{}", "{\"\":".repeat(100), "}".repeat(100)),
            format!("{{{}}}", fields.join(",")),
        ] {
            let (said, taken) = (bytes_when_read(json.as_bytes()), taken(&serde_json::from_str(&json).unwrap()));
            assert!(said >= taken, "{said} bytes, and {taken} are taken, for {}", &json[..json.len().min(40)]);
            assert!(said <= (taken + 1_000) * 8, "{said} bytes for {taken} refuse far too much");
        }
    }

    #[test]
    fn text_is_no_more_than_its_length() {
        assert_eq!(bytes_when_read(b"{"), EACH_BYTES_MAX);
        for text in [",[{:".repeat(1_000), "\\\"[,".repeat(1_000), "\\\\".repeat(1_000)] {
            let json = format!("\"{text}\"");
            assert_eq!(bytes_when_read(json.as_bytes()), json.len() as u64, "{}", &json[..10]);
        }
    }
}
