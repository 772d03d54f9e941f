//! What is written is read again, each case of each kind.

use std::{fmt::Debug, time::Duration};

use santokit_core::value::Value;

use super::*;

fn comes_back<T: Answer + Debug>(answers: impl IntoIterator<Item = T>) {
    for answer in answers {
        let text = answer.piece().owned().json().to_string();
        let read: Json = serde_json::from_str(&text).unwrap();
        let again = T::read(&read);
        // The words of a database's error are not in its `Debug`: what is written is compared as well.
        assert_eq!(again.as_ref().map(|again| again.piece().json()), Some(answer.piece().json()), "{text}");
        assert_eq!(format!("{again:?}"), format!("{:?}", Some(answer)), "{text}");
    }
    for wrong in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"ok": {"kind": "no such"}}),
        json!({"kind": "no such", "message": ""}),
    ] {
        let _no_panic = T::read(&wrong);
    }
}

fn words() -> String {
    "wörds \"\n\0".to_owned()
}

fn stat() -> ObjectStat {
    ObjectStat { key: "a/b".to_owned(), size: 1 << 40, etag: "e".to_owned(), content_type: "t".to_owned(), modified: 7 }
}

#[test]
fn answers_come_back() {
    let columns = vec![Column { name: "a".to_owned(), type_name: "int".to_owned() }];
    let cells = [
        Value::Null,
        Value::Boolean(true),
        Value::Int64(i64::MIN),
        Value::Float64(0.1),
        Value::Float64(f64::NEG_INFINITY),
        Value::Float64(-0.0),
        Value::Text(words()),
        Value::Text("[1]".to_owned()),
        Value::Bytes(vec![0, 255]),
        Value::Typed("decimal".to_owned(), "1.20".to_owned()),
    ];
    let rows = RowSet { columns: columns.clone(), rows: cells.into_iter().map(|cell| vec![cell]).collect() };
    comes_back::<Result<RowSet, SqlError>>([Ok(rows.clone()), Ok(RowSet::default())]);
    comes_back::<Result<(CursorId, Vec<Column>), SqlError>>([Ok((CursorId(3), columns.clone()))]);
    comes_back::<Result<Option<String>, LookupError>>([Ok(None), Ok(Some(words()))]);
    comes_back::<Result<u64, SqlError>>([Ok(u64::MAX)]);
    comes_back::<Result<(), SqlError>>([Ok(())]);
    comes_back::<Result<bool, StorageError>>([Ok(false), Ok(true)]);
    comes_back::<Result<Vec<u8>, StorageError>>(
        [&b""[..], b"text", b"{\"a\":1}", b" {\"a\": 1}", b"{broken", b"7", &[0xff, 0]].map(|bytes| Ok(bytes.to_vec())),
    );
    comes_back::<Result<(ReaderId, ObjectStat), StorageError>>([Ok((ReaderId(1), stat()))]);
    comes_back::<Result<Option<ObjectStat>, StorageError>>([Ok(None), Ok(Some(stat()))]);
    comes_back([ObjectPage { objects: vec![stat(), stat()], next: Some("n".to_owned()) }, ObjectPage::default()]);
    comes_back([CrudAnswer { data: b"[{\"a\": 1.0}]".to_vec(), meta: b"{}".to_vec(), rows: 1 }]);
    let response = HttpResponse {
        status: 204,
        headers: vec![("a".to_owned(), words())],
        body: vec![1, 200],
        url: "https://a".to_owned(),
    };
    comes_back([HttpDone { answer: Ok(response), requests: 2, bytes: 9 }]);
    let usage = LogicUsage { cpu: Duration::from_micros(5), host_calls: 1, sql_rows: 2, ..LogicUsage::default() };
    comes_back([LogicCalled { answer: Ok(b"{\"b\":1,\"a\":2}".to_vec()), usage }]);
    let batch = PackedRows::of(&rows.rows).batch(0, RowBudget { rows: u64::MAX, bytes: u64::MAX });
    for batch in [Ok(Some(batch)), Ok(None), Err(SqlError::Timeout(words()))] {
        assert_eq!(to_batch(&of_batch(&batch, &columns).json()), Some(batch));
    }
}

#[test]
fn errors_come_back() {
    comes_back([
        LookupError::Denied(words()),
        LookupError::Missing(words()),
        LookupError::Other("A".to_owned(), words()),
    ]);
    let database = DatabaseError {
        code: "sqlite:2067".to_owned(),
        message: words(),
        constraint_kind: Some("unique".to_owned()),
        retryable: true,
    };
    comes_back([
        SqlError::Denied(words()),
        SqlError::Invalid(words()),
        SqlError::Timeout(words()),
        SqlError::Unavailable(words()),
        SqlError::Database(database.clone()),
        SqlError::Database(DatabaseError { constraint_kind: None, retryable: false, ..database }),
        SqlError::Other("A".to_owned(), words()),
    ]);
    comes_back(LimitName::ALL.iter().map(|limit| SqlError::Limit(*limit)));
    let problem = CrudProblem { code: "CONFLICT", message: words(), hint: Some(words()), details: b"{}".to_vec() };
    comes_back([
        CrudError::Denied(words()),
        CrudError::Invalid(words()),
        CrudError::Timeout(words()),
        CrudError::Limit(LimitName::SqlRows),
        CrudError::Refused(problem.clone()),
        CrudError::Refused(CrudProblem { hint: None, ..problem }),
    ]);
    comes_back([
        HttpError::Denied(words()),
        HttpError::Address(words()),
        HttpError::Invalid(words()),
        HttpError::Transaction(words()),
        HttpError::Timeout(words()),
        HttpError::Unreachable(words()),
        HttpError::Redirects(words()),
        HttpError::Answer(words()),
        HttpError::Requests,
        HttpError::Bytes,
    ]);
    comes_back(KINDS.map(|kind| LogicCallError {
        kind,
        code: "A".to_owned(),
        message: words(),
        details: (kind == "refused").then(|| b"[1]".to_vec()),
        limit: (kind == "limit").then_some(LimitName::SqlBytes),
    }));
    comes_back([
        StorageError::Denied(words()),
        StorageError::Invalid(words()),
        StorageError::Full(words()),
        StorageError::Missing,
        StorageError::Precondition,
        StorageError::Checksum,
        StorageError::TooLarge(9),
        StorageError::Unavailable,
        StorageError::Bytes,
    ]);
}

#[test]
fn errors_of_events_come_back() {
    comes_back([
        EventError::Denied(words()),
        EventError::Invalid(words()),
        EventError::Schema(words(), b"{\"a\":1}".to_vec()),
        EventError::TooLarge(9),
        EventError::Rate(250),
        EventError::Conflict,
        EventError::Timeout,
        EventError::Unavailable,
    ]);
    comes_back::<Result<String, EventError>>([Ok("evt_1".to_owned())]);
}

/// What is recorded must open nothing.
#[test]
fn a_url_comes_back_without_what_was_signed() {
    let url = |url: &str| SignedUrl {
        url: url.to_owned(),
        method: "GET".to_owned(),
        headers: vec![("content-type".to_owned(), words())],
        expires: 7,
    };
    comes_back::<Result<SignedUrl, StorageError>>([Ok(url("https://a/b%3Fc"))]);
    let text = url("https://a/b?verb=get&signature=planted").piece().owned().json().to_string();
    assert!(!text.contains("planted") && text.contains("https://a/b\""), "{text}");
}
