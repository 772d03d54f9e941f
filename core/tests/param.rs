//! Params: what is accepted, what it becomes, and that all errors are told together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use santokit_core::{
    code::Code,
    param::{self, CompiledParams, Param},
    schema::{Bounds, Items, Type},
    value::Value,
};
use serde_json::{Value as Json, json};

fn param(kind: Type, rest: &Json) -> Param {
    let mut declared = json!({"name": "p", "type": kind.as_str()});
    declared.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    serde_json::from_value(declared).unwrap()
}

/// The normalised value, or the message.
fn one(param: Param, sent: &Json) -> Result<Option<Json>, String> {
    match param::check(&[param], json!({"p": sent})) {
        Ok(mut checked) => Ok(checked.remove("p")),
        Err(problem) => {
            assert_eq!(problem.code, Code::SchemaValidationFailed);
            Err(problem.details["errors"][0]["message"].as_str().unwrap().to_owned())
        }
    }
}

#[test]
fn types_accept_their_forms_and_no_others() {
    let good = [
        (Type::String, json!("a"), json!("a")),
        (Type::Int, json!(2_147_483_647), json!(2_147_483_647)),
        (Type::Int, json!(3.0), json!(3)),
        (Type::Bigint, json!("9223372036854775807"), json!("9223372036854775807")),
        (Type::Bigint, json!(-5), json!("-5")),
        (Type::Float, json!(1.5), json!(1.5)),
        (Type::Decimal, json!("0.10"), json!("0.10")),
        (Type::Boolean, json!(false), json!(false)),
        (Type::Json, json!({"a": [null]}), json!({"a": [null]})),
        (Type::Timestamp, json!("2026-01-01T02:00:00+02:00"), json!("2026-01-01T00:00:00.000000Z")),
        (Type::Timestamp, json!("2026-01-01T00:00:00.123456789Z"), json!("2026-01-01T00:00:00.123456Z")),
        (Type::Bytes, json!("AAE="), json!("AAE=")),
        (Type::File, json!("a/b.png"), json!("a/b.png")),
        (Type::Array, json!([1, "a"]), json!([1, "a"])),
    ];
    for (kind, sent, expected) in good {
        assert_eq!(one(param(kind, &json!({})), &sent), Ok(Some(expected)), "{kind:?}");
    }
    let bad = [
        (Type::String, json!(1)),
        (Type::String, json!("a\u{0}b")),
        (Type::Int, json!(2_147_483_648_i64)),
        (Type::Int, json!(1.5)),
        (Type::Int, json!("1")),
        (Type::Int, json!(1e300)),
        (Type::Bigint, json!("9223372036854775808")),
        (Type::Bigint, json!(1e30)),
        (Type::Bigint, json!("1.0")),
        (Type::Float, json!("1")),
        (Type::Decimal, json!(1.5)),
        (Type::Decimal, json!("1e5")),
        (Type::Decimal, json!("1.")),
        (Type::Decimal, json!(".5")),
        (Type::Decimal, json!("1_0")),
        (Type::Decimal, json!("1".repeat(40))),
        (Type::Boolean, json!("true")),
        (Type::Timestamp, json!("2026-01-01")),
        (Type::Timestamp, json!("2026-01-01T23:59:60Z")),
        (Type::Timestamp, json!(1)),
        (Type::Bytes, json!("AAE")),
        (Type::Bytes, json!("é")),
        (Type::Array, json!({})),
        (Type::File, json!([])),
    ];
    for (kind, sent) in bad {
        assert!(one(param(kind, &json!({})), &sent).is_err(), "{kind:?} {sent}");
    }
}

#[test]
fn elements_of_arrays_are_checked() {
    let mut matrix = param(Type::Array, &json!({}));
    matrix.items =
        Some(Box::new(Items { kind: Type::Array, items: Some(Box::new(Items { kind: Type::Bigint, items: None })) }));
    assert_eq!(one(matrix.clone(), &json!([[1], ["2"]])), Ok(Some(json!([["1"], ["2"]]))));
    assert_eq!(
        one(matrix, &json!([[1], ["x"]])),
        Err("element 1: element 0: expected a whole number of 64 bits, as a string".to_owned())
    );
}

#[test]
fn bounds_hold() {
    for (kind, bounds, good, bad) in [
        (Type::Int, json!({"min": "1", "max": "100"}), vec![json!(1), json!(100)], vec![json!(0), json!(101)]),
        (
            Type::Bigint,
            json!({"max": "9007199254740993"}),
            vec![json!("9007199254740993")],
            vec![json!("9007199254740994")],
        ),
        (Type::Decimal, json!({"min": "0.10"}), vec![json!("0.10"), json!("0.1")], vec![json!("0.09999999")]),
        (Type::Float, json!({"max": "0.5"}), vec![json!(0.5), json!(-3)], vec![json!(0.51)]),
        (Type::String, json!({"maxLength": 2}), vec![json!("éé"), json!("")], vec![json!("abc")]),
        (Type::String, json!({"enum": ["a", "b"]}), vec![json!("a")], vec![json!("c"), json!("A")]),
        (
            Type::String,
            json!({"pattern": "a|bc"}),
            vec![json!("a"), json!("bc")],
            vec![json!("ab"), json!("xbc"), json!("a\n")],
        ),
        (Type::String, json!({"pattern": "(a+)+$"}), vec![json!("aaa")], vec![json!("a".repeat(50_000) + "!")]),
    ] {
        for sent in good {
            assert!(one(param(kind, &bounds), &sent).is_ok(), "{bounds} {sent}");
        }
        for sent in bad {
            assert!(one(param(kind, &bounds), &sent).is_err(), "{bounds} {sent}");
        }
    }
}

#[test]
fn required_then_default_then_type() {
    let required = param(Type::Int, &json!({"required": true}));
    assert_eq!(one(required.clone(), &Json::Null), Err("is required".to_owned()));
    assert_eq!(one(param(Type::Int, &json!({"default": 7})), &Json::Null), Ok(Some(json!(7))));
    assert_eq!(one(param(Type::Int, &json!({})), &Json::Null), Ok(None));
    // For JSON a null is a value.
    assert_eq!(one(param(Type::Json, &json!({"default": 7})), &Json::Null), Ok(Some(Json::Null)));
    assert!(param::check(&[required], Json::Null).is_err());
    assert!(param::check(&[], Json::Null).unwrap().is_empty());
    assert!(param::check(&[], json!([])).is_err());
    assert!(param::check(&[], json!("text")).is_err());
}

#[test]
fn all_errors_are_told_together() {
    let params = ["itemId", "quantity", "note"].map(|name| Param {
        name: name.to_owned(),
        kind: Type::Int,
        required: true,
        default: None,
        items: None,
        bounds: Bounds::NONE,
    });
    let compiled = CompiledParams::compile(&params).unwrap();
    let problem = compiled.check(json!({"quantity": "x", "quantty": 1, "note": 1})).unwrap_err();
    let expected = json!([
        {"param": "itemId", "message": "is required"},
        {"param": "quantity", "message": "expected a whole number, found a string"},
        {"param": "quantty", "message": "there is no such param; did you mean \"quantity\"?"},
    ]);
    assert_eq!(problem.details["errors"], expected);
    let many: Json = (0..10_000).map(|n| (format!("p{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    assert!(compiled.check(many).unwrap_err().details["errors"].as_array().unwrap().len() <= 53);
}

#[test]
fn values_are_typed_for_statements() {
    let value = |kind, json: Json| param::to_value(&param(kind, &json!({})), Some(&json)).unwrap();
    let typed = |name: &str, text: &str| Value::Typed(name.to_owned(), text.to_owned());
    assert_eq!(value(Type::Int, json!(3)), Value::Int64(3));
    assert_eq!(value(Type::Bigint, json!("9223372036854775807")), Value::Int64(i64::MAX));
    assert_eq!(value(Type::Decimal, json!("1.20")), typed("decimal", "1.20"));
    assert_eq!(
        value(Type::Timestamp, json!("2026-01-01T00:00:00Z")),
        typed("timestamp", "2026-01-01T00:00:00.000000Z")
    );
    assert_eq!(value(Type::Json, json!({"a": 1})), typed("json", "{\"a\":1}"));
    assert_eq!(value(Type::Array, json!([1])), typed("json", "[1]"));
    assert_eq!(value(Type::Bytes, json!("AAE=")), Value::Bytes(vec![0, 1]));
    assert_eq!(value(Type::String, json!("a")), Value::Text("a".to_owned()));
    assert_eq!(value(Type::Boolean, json!(true)), Value::Boolean(true));
    assert_eq!(value(Type::Float, json!(2)), Value::Float64(2.0));
    assert_eq!(param::to_value(&param(Type::Int, &json!({})), None), Ok(Value::Null));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// The nearest double is read, not one beside it, and what is written reads as the same.
    #[test]
    fn a_float_is_the_same_there_and_back(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let read: Json = serde_json::from_str(&format!("{number:e}")).unwrap();
        prop_assert_eq!(read.as_f64().map(f64::to_bits), Some(bits));
        let written: Json = serde_json::from_str(&json!(number).to_string()).unwrap();
        prop_assert_eq!(written.as_f64().map(f64::to_bits), Some(bits));
    }
}
