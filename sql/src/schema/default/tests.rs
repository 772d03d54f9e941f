//! What catalogues were seen to say.

use super::*;

fn literal(text: &str) -> CurrentDefault {
    CurrentDefault::Literal(text.to_owned())
}

#[test]
fn defaults_are_read_as_the_engines_tell_them() {
    for (engine, text, expected) in [
        (Engine::Postgres, "'a''b\\c'::text", literal("a'b\\c")),
        (Engine::Postgres, "'-1'::integer", literal("-1")),
        (Engine::Postgres, "(-1)", literal("-1")),
        (Engine::Postgres, "'\\x00ff'::bytea", literal("\\x00ff")),
        (Engine::Postgres, "'2020-01-01 00:00:00.5+00'::timestamp with time zone", literal("2020-01-01 00:00:00.5+00")),
        (Engine::Postgres, "true", literal("true")),
        (Engine::Postgres, "NULL::character varying", CurrentDefault::None),
        (Engine::Postgres, "CURRENT_TIMESTAMP", CurrentDefault::Now),
        (Engine::Postgres, "nextval('a'::regclass)", CurrentDefault::Expression("nextval('a'::regclass)".to_owned())),
        (
            Engine::Postgres,
            "('a'::text || 'b'::text)",
            CurrentDefault::Expression("('a'::text || 'b'::text)".to_owned()),
        ),
        (Engine::Mariadb, "'a''b\\\\c'", literal("a'b\\c")),
        (Engine::Mariadb, "'x\\'y'", literal("x'y")),
        (Engine::Mariadb, "X'00ff'", literal("\\x00ff")),
        (Engine::Mariadb, "current_timestamp(6)", CurrentDefault::Now),
        (Engine::Mariadb, "current_timestamp() + 1", CurrentDefault::Expression("current_timestamp() + 1".to_owned())),
        (Engine::Mariadb, "NULL", CurrentDefault::None),
        (Engine::Sqlite, SQLITE_NOW, CurrentDefault::Now),
        (Engine::Sqlite, "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'", CurrentDefault::Now),
        (Engine::Sqlite, "('it''s')", literal("it's")),
        (Engine::Sqlite, "CURRENT_TIMESTAMP", CurrentDefault::Expression("CURRENT_TIMESTAMP".to_owned())),
        (Engine::Sqlite, "(1) + (2)", CurrentDefault::Expression("(1) + (2)".to_owned())),
    ] {
        assert_eq!(read(engine, Some(text)), expected, "{engine:?} {text}");
    }
    assert_eq!(read_mysql(Some("x'y"), false), literal("x'y"));
    assert_eq!(read_mysql(Some("_utf8mb4\\'x\\'"), true), literal("x"));
    assert_eq!(read_mysql(Some("CURRENT_TIMESTAMP(6)"), true), CurrentDefault::Now);
    assert_eq!(read_mysql(Some("(uuid())"), true), CurrentDefault::Expression("(uuid())".to_owned()));
}

#[test]
fn values_are_compared_as_values() {
    for (kind, a, b) in [
        (Type::Decimal, "1.50", "1.500000000000000000000000000000"),
        (Type::Decimal, "-0", "0.00"),
        (Type::Float, "1e2", "100"),
        (Type::Timestamp, "2020-01-01T00:00:00.123456Z", "2020-01-01 01:00:00.123456+01"),
        (Type::Timestamp, "2020-01-01T00:00:00.000000Z", "2020-01-01 00:00:00"),
        (Type::Json, r#"{"b":1.0,"a":[2]}"#, r#"{"a": [2], "b": 1}"#),
        (Type::Boolean, "1", "true"),
    ] {
        assert_eq!(canonical_text(kind, a), canonical_text(kind, b), "{kind:?} {a} {b}");
        assert!(canonical_text(kind, a).is_some(), "{kind:?} {a}");
    }
    assert_ne!(canonical_text(Type::String, "1"), canonical_text(Type::String, "1.0"));
    assert_eq!(canonical_text(Type::Bigint, "1); DROP TABLE x"), None);
    assert_eq!(canonical_text(Type::Int, "2147483648"), None);
}
