//! A request's JSON, with each floating point number the one that is nearest to its digits, as every other reader of JSON has it.
//!
//! The library reads them a little faster and, without a feature that all of the program would pay for, sometimes one step beside.
//! So the digits are read once more, by the standard library; what is JSON and what is not stays the library's matter.

use std::{collections::VecDeque, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

/// Reads a value, and nothing behind it.
pub(super) fn from_slice(bytes: &[u8]) -> Result<Json, serde_json::Error> {
    let mut floats = floats(bytes);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Exact(&mut floats).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The numbers that are no whole ones of 64 bits, in their order.
fn floats(bytes: &[u8]) -> VecDeque<f64> {
    let (mut floats, mut at) = (VecDeque::new(), 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = behind_string(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let is_number = |b: &&u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = bytes[at..].iter().take_while(is_number).count();
                floats.extend(std::str::from_utf8(&bytes[at..at + length]).ok().and_then(float));
                at += length;
            }
            _ => at += 1,
        }
    }
    floats
}

fn behind_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// `-0` is one: there is no whole number of that sign.
fn float(digits: &str) -> Option<f64> {
    let is_whole = digits.parse::<u64>().is_ok() || digits.parse::<i64>().is_ok_and(|whole| whole != 0);
    if is_whole { None } else { digits.parse().ok() }
}

/// A value whose floating point numbers are the next ones of the list.
struct Exact<'f>(&'f mut VecDeque<f64>);

impl<'de> DeserializeSeed<'de> for Exact<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Exact<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, read: f64) -> Result<Json, E> {
        let exact = self.0.pop_front().unwrap_or(read);
        Number::from_f64(exact).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Exact(self.0))? {
            all.push(item);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            all.insert(name, fields.next_value_seed(Exact(self.0))?);
        }
        Ok(Json::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn read(text: &str) -> Json {
        from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn numbers_are_what_their_digits_say() {
        let text = r#"{"a\"1.5": [0.1, -0, -0.0, 1, {"b": 1e3, "b": 2.5e-3}], "c": "\\", "d": 18446744073709551616, "e": "9.9\\\""}"#;
        assert_eq!(
            read(text).to_string(),
            r#"{"a\"1.5":[0.1,-0.0,-0.0,1,{"b":0.0025}],"c":"\\","d":1.8446744073709552e+19,"e":"9.9\\\""}"#
        );
        // One that the library alone reads one step beside.
        assert_eq!(read("122.416294033786585").as_f64(), Some(122.416_294_033_786_58));
        for wrong in
            ["", "1e999", "-", "1.", "[1.5", "{\"a\": 1.5,}", "1.5 2.5", "\"", "\"\\", "\"\\\"", "01.5", "+1.5"]
        {
            assert!(from_slice(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(from_slice(b"\"\xff\"").is_err() && from_slice(b"\xff1.5").is_err());
        let deep = format!("{}1.5{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(from_slice(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn every_float_that_is_written_is_read(
            numbers in vec(any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()), 0..20)
        ) {
            for text in [serde_json::to_string(&numbers).unwrap(), format!("{numbers:?}")] {
                let back: Vec<f64> = read(&text).as_array().unwrap().iter().filter_map(Json::as_f64).collect();
                prop_assert_eq!(
                    back.iter().map(|number| number.to_bits()).collect::<Vec<_>>(),
                    numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>()
                );
            }
        }

        #[test]
        fn digits_are_read_as_the_standard_library_reads_them(text in "-?(0|[1-9][0-9]{0,25})\\.[0-9]{1,25}([eE][-+]?[0-9]{1,2})?") {
            prop_assert_eq!(read(&text).as_f64().map(f64::to_bits), text.parse::<f64>().ok().map(f64::to_bits));
        }

        #[test]
        fn all_else_is_as_the_library_has_it(bytes in vec(any::<u8>(), 0..60), text in "[\\[\\]{}:,\"\\\\ 0-9.eE+-]{0,40}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                match (from_slice(bytes), serde_json::from_slice::<Json>(bytes)) {
                    (Ok(ours), Ok(theirs)) => {
                        let shape = |json: &Json| json.to_string().replace(|c: char| c.is_ascii_digit() || "-+.eE".contains(c), "");
                        prop_assert_eq!(shape(&ours), shape(&theirs));
                    }
                    (Err(ours), Err(theirs)) => {
                        prop_assert_eq!((ours.line(), ours.column()), (theirs.line(), theirs.column()));
                    }
                    (ours, theirs) => prop_assert!(false, "{:?} {:?}", ours, theirs),
                }
            }
        }
    }
}
