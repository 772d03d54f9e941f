//! What is found and what is not.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use santokit_core::value::Column;

use super::*;

fn json(text: &str) -> Piece<'_> {
    Piece::bytes(text.as_bytes())
}

fn redactor(names: &[&str], given: &[Piece<'_>], sent: &[Piece<'_>]) -> Redactor {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut redactor = Redactor::new(&names);
    for (pieces, way) in [(given, Way::Given), (sent, Way::Sent)] {
        for piece in pieces {
            redactor.learn(piece, way).unwrap();
        }
    }
    redactor.learnt().unwrap();
    redactor
}

#[test]
fn a_value_is_left_out_by_its_name_and_wherever_it_stands_again() {
    let input =
        r#"{"user":{"E-Mail":"anna@example.org"},"amount":12345,"pin":7,"new_password":"hunter22","note":"hi"}"#;
    let sent = [
        Value::Text("mailto:anna@example.org!".into()),
        Value::Int64(12_345),
        Value::Int64(7),
        Value::Text("hi".into()),
    ];
    let redactor = redactor(&["email", "amount"], &[json(input)], &[]);
    let written = redactor.write(&json(input), Way::Given);
    assert_eq!(
        written["json"],
        json!({"user": {"E-Mail": "redacted-1@example.invalid"}, "amount": 10_002, "pin": 4, "new_password": "redacted-4", "note": "hi"})
    );
    let sent = redactor.write(&Piece::Values(Cow::Borrowed(&sent)), Way::Sent);
    // The short number is not looked for where it is given, and not compared where it is sent.
    assert_eq!(sent, json!(["mailto:redacted-1@example.invalid!", 10_002, HIDDEN, "hi"]));
    assert_eq!(
        redactor.write(&json(r#"{"other":7,"text":"hunter22x"}"#), Way::Given)["json"],
        json!({"other": 7, "text": "redacted-4x"})
    );
}

#[test]
fn what_a_guest_makes_itself_is_hidden_and_not_compared() {
    let headers =
        vec![("Authorization".to_owned(), "Bearer made-by-it".to_owned()), ("Accept".to_owned(), "*/*".to_owned())];
    let sent = Piece::Pairs(Cow::Borrowed(&headers));
    let url = Piece::text("https://a.example/b?x=1&api_key=k-123456&y=2");
    let redactor = redactor(&[], &[], &[sent.clone(), url.clone()]);
    assert_eq!(redactor.write(&sent, Way::Sent), json!([["Authorization", HIDDEN], ["Accept", "*/*"]]));
    assert_eq!(redactor.write(&url, Way::Sent), json!("https://a.example/b?x=1&api_key=[hidden]&y=2"));
}

/// JSON in a cell, forms, and what is too short to be looked for elsewhere.
#[test]
fn names_are_looked_for_within_values_too() {
    let cell = "{\"email\": \"anna@example.org\", \"n\": 1}";
    let columns = vec![Column { name: "profile".to_owned(), type_name: "json".to_owned() }];
    let rows = vec![vec![Value::Typed("json".into(), cell.into())]];
    let given = Piece::Rows(Cow::Borrowed(&columns), Cow::Borrowed(&rows));
    let form = Piece::bytes(b"user=bo&password=abc&x=1");
    let values = [Value::Text(cell.to_owned()), Value::Text("abc".to_owned())];
    let sent = Piece::Values(Cow::Borrowed(&values));
    let redactor = redactor(&["email"], std::slice::from_ref(&given), &[form.clone(), sent.clone()]);
    let hidden = "{\"email\":\"redacted-1@example.invalid\",\"n\":1}";
    assert_eq!(redactor.write(&given, Way::Given)["rows"], json!([[{"typed": "json", "text": hidden}]]));
    assert_eq!(redactor.write(&form, Way::Sent), json!({"text": "user=bo&password=[hidden]&x=1"}));
    assert_eq!(redactor.write(&sent, Way::Sent), json!([hidden, HIDDEN]));
}

#[test]
fn a_secret_is_in_no_form_in_what_is_written() {
    let secret = "s3cr\"t/+ä";
    let redactor = redactor(&[], &[Piece::Secret("KEY".to_owned(), Cow::Borrowed(secret))], &[]);
    let base64 = STANDARD.encode(secret);
    let hex = "7333637222742f2bc3a4";
    let mut binary = vec![0xff, 0xfe];
    binary.extend_from_slice(secret.as_bytes());
    for text in [
        secret.to_owned(),
        format!("before {secret} after"),
        "https://a.example/?k=s3cr%22t%2F%2B%C3%A4".to_owned(),
        json!({"k": secret, secret: 1}).to_string(),
        format!("no json: {}", json!({"k": secret})),
        format!("Basic {base64}"),
        format!("{hex}!"),
        hex.to_uppercase(),
    ] {
        for way in [Way::Given, Way::Sent] {
            let written =
                redactor.write(&json(&text), way).to_string() + &redactor.write(&Piece::text(&text), way).to_string();
            for form in [secret, "s3cr", &base64, hex, &hex.to_uppercase()] {
                assert!(!written.contains(form), "{text}: {written}");
            }
        }
    }
    assert_eq!(redactor.write(&Piece::bytes(&binary), Way::Sent), json!({"text": HIDDEN}));
    assert_eq!(
        redactor.write(&Piece::Secret("KEY".to_owned(), Cow::Borrowed(secret)), Way::Given),
        json!("secret-KEY")
    );
    assert_eq!(redactor.write(&Piece::text(secret), Way::Sent), json!("secret-KEY"), "and what is sent is compared");
}

/// As the encoders of browsers, of Python and of forms write it, and `user:secret` in base64: each was made by the encoder that it is named after.
#[test]
fn a_secret_is_found_whoever_has_encoded_it() {
    let secret = "k3y ü/+?&=(a)*!'~-\"ÿÿ>";
    let redactor = redactor(&[], &[Piece::Secret("KEY".to_owned(), Cow::Borrowed(secret))], &[]);
    for (encoder, encoded) in [
        ("encodeURIComponent", "k3y%20%C3%BC%2F%2B%3F%26%3D(a)*!'~-%22%C3%BF%C3%BF%3E"),
        ("quote", "k3y%20%C3%BC/%2B%3F%26%3D%28a%29%2A%21%27~-%22%C3%BF%C3%BF%3E"),
        ("in small letters", "k3y%20%c3%bc%2f%2b%3f%26%3d%28a%29%2a%21%27~-%22%c3%bf%c3%bf%3e"),
        ("quote_plus", "k3y+%C3%BC%2F%2B%3F%26%3D%28a%29%2A%21%27~-%22%C3%BF%C3%BF%3E"),
        ("URLSearchParams", "k3y+%C3%BC%2F%2B%3F%26%3D%28a%29*%21%27%7E-%22%C3%BF%C3%BF%3E"),
        ("nothing", secret),
        ("base64", "azN5IMO8Lys/Jj0oYSkqISd+LSLDv8O/Pg=="),
        ("base64 in a URL", "azN5IMO8Lys%2FJj0oYSkqISd%2BLSLDv8O%2FPg%3D%3D"),
        ("urlsafe_b64encode", "azN5IMO8Lys_Jj0oYSkqISd-LSLDv8O_Pg=="),
        ("of u:…", "dTprM3kgw7wvKz8mPShhKSohJ34tIsO/w78+Cg=="),
        ("of me:…", "bWU6azN5IMO8Lys/Jj0oYSkqISd+LSLDv8O/Pgo="),
        ("of user:…", "dXNlcjprM3kgw7wvKz8mPShhKSohJ34tIsO/w78+Cg=="),
        ("of u:… in a token", "dTprM3kgw7wvKz8mPShhKSohJ34tIsO_w78-"),
        ("of me:… in a token", "bWU6azN5IMO8Lys_Jj0oYSkqISd-LSLDv8O_Pg"),
    ] {
        for text in [
            format!("https://a.example/p?x=1&k={encoded}&y=2"),
            format!("x=1&k={encoded}&y=2"),
            format!("Basic {encoded}"),
            json!({"url": format!("https://a.example/{encoded}?y")}).to_string(),
        ] {
            for way in [Way::Given, Way::Sent] {
                let written = redactor.write(&json(&text), way).to_string()
                    + &redactor.write(&Piece::text(&text), way).to_string()
                    + &redactor.write(&Piece::Values(Cow::Borrowed(&[Value::Text(text.clone())])), way).to_string();
                for part in ["k3y", "(a)", "28a%29", "oYSkqISd", "ohJ34t", "mPShhKS"] {
                    assert!(!written.contains(part), "{encoder}: {written}");
                }
            }
        }
    }
}

#[test]
fn a_secret_of_the_env_is_left_out_though_no_asking_for_it_was_kept() {
    let long = "a1".repeat(5_000);
    let secrets = [("KEY", "of-the-env"), ("LONG", long.as_str()), ("ON", "1")]
        .map(|(name, text)| (name.to_owned(), SecretString::from(text.to_owned())));
    let mut redactor = Redactor::new(&[]);
    redactor.learn_secrets(&BTreeMap::from(secrets));
    redactor.learnt().unwrap();
    let sent = |text: &str| redactor.write(&Piece::text(text), Way::Sent);
    assert_eq!(sent("of-the-env"), json!(HIDDEN), "a guest that has it from elsewhere is not compared");
    assert_eq!(sent("it is of-the-env, 1"), json!("it is [hidden], 1"));
    assert_eq!(redactor.write(&Piece::text("it is of-the-env"), Way::Given), json!("it is secret-KEY"));
    // A long one is found by its beginning, and left out as far as it goes.
    assert_eq!(sent(&format!("x{long}y")), json!("x[hidden]y"));
    assert_eq!(sent(&format!("x{}y", &long[..80])), json!("x[hidden]y"));
    // In base64 too, which goes on with its padding.
    assert_eq!(sent(&format!("x {} y", STANDARD.encode(&long))), json!("x [hidden]== y"));
    assert_eq!(redactor.count(), 0, "none of them was met");
}

#[test]
fn placeholders_are_of_the_kind_that_they_stand_for() {
    let columns: Vec<Column> =
        ["secret_a", "b"].map(|name| Column { name: name.to_owned(), type_name: "x".to_owned() }).into();
    let kinds = [
        (Value::Text("3f0e6f5e-2a51-4c1e-9d1f-0a1b2c3d4e5f".into()), json!("00000000-0000-4000-8000-000000000001")),
        (Value::Text("1984-05-06T07:08:09Z".into()), json!("2000-01-01T00:00:00Z")),
        (Value::Text("4242424242424242".into()), json!("1000000000000001")),
        (Value::Typed("decimal".into(), "19.90".into()), json!({"typed": "decimal", "text": "11.00"})),
        (Value::Text("deadbeefdeadbeef".into()), json!("0000000000000001")),
        (Value::Typed("json".into(), "{\"a\": 1}".into()), json!({"typed": "json", "text": "{\"redacted\":1}"})),
        (Value::Int64(-4711), json!(1001)),
        (Value::Float64(3.25), json!({"float": "2.5"})),
        (Value::Boolean(true), json!(false)),
        (Value::Null, Json::Null),
        (Value::Bytes(vec![0xff, 0x00]), json!({"bytes": STANDARD.encode("redacted")})),
    ];
    for (value, expected) in kinds {
        let rows = vec![vec![value.clone(), Value::Null]];
        let piece = Piece::Rows(Cow::Borrowed(&columns), Cow::Borrowed(&rows));
        let written = redactor(&[], std::slice::from_ref(&piece), &[]).write(&piece, Way::Given);
        assert_eq!(written["rows"][0][0], expected, "{value:?}");
        assert!(piece::to_value(&written["rows"][0][0]).is_some());
    }
}

#[test]
fn what_would_take_too_long_to_look_for_is_not_recorded() {
    let values: Vec<String> = (0..=KNOWN_MAX).map(|number| format!("\"v-{number}\"")).collect();
    let text = format!("{{\"secret\":[{}]}}", values.join(","));
    assert_eq!(Redactor::new(&[]).learn(&json(&text), Way::Given), Err(TooMuch));
}

/// Values that somebody chose so that looking for them would take for ever.
#[test]
fn many_values_that_look_alike_are_found_in_time() {
    let values: Vec<String> = (0..1_200).map(|length| format!("\"aaaa{}b\"", "a".repeat(length))).collect();
    let text = format!("{{\"secret\":[{}],\"text\":\"{}\"}}", values.join(","), "a".repeat(1 << 20));
    let began = std::time::Instant::now();
    let written = redactor(&[], &[json(&text)], &[]).write(&json(&text), Way::Given).to_string();
    assert!(!written.contains("ab\"") && began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
