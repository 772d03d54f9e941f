//! Seed files against a real SQLite file.

use std::path::Path;

use santokit_core::project::{DevConnection, DevEngine, SourceTree, parse};
use sqlx::{Connection, Row, sqlite::SqliteConnection};

use super::*;

const SCHEMA: &str = "version: 1
tables:
  books:
    id: {name: id, generate: ulid}
    columns:
      title: {type: string, nullable: false}
      pages: {type: int}
      tags: {type: array, items: {type: string}}
      shelf: {type: string, references: {table: shelves}}
  shelves:
    id: {name: id, generate: client}
    columns:
      room: {type: string}
";

async fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Database, Schema) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("seed")).unwrap();
    for (path, text) in files {
        fs::write(folder.path().join("seed").join(path), text).unwrap();
    }
    let sources = SourceTree::from_iter([("santokit.yaml", "version: 1\nname: a\n"), ("schema/a.yaml", SCHEMA)]);
    let mut project = parse(&sources).unwrap();
    let schema = project.connections.remove("main").unwrap();
    let connection = DevConnection { engine: DevEngine::Sqlite, url: "sqlite:a.db".to_owned() };
    let database = Database::new(folder.path(), &connection).unwrap();
    make(database.file.as_ref().unwrap()).await;
    (folder, database, schema)
}

async fn make(file: &Path) {
    santokit_sqlite::memory::install();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in [
        "CREATE TABLE shelves (id TEXT PRIMARY KEY, room TEXT)",
        "CREATE TABLE books (id TEXT PRIMARY KEY, title TEXT NOT NULL, pages INTEGER, tags TEXT, shelf TEXT REFERENCES shelves)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
}

async fn count(database: &Database, table: &'static str) -> i64 {
    let Opened::Sqlite(mut connection) = database.open().await.unwrap() else { panic!("it is SQLite") };
    let sql = if table == "books" { "SELECT count(*) FROM books" } else { "SELECT count(*) FROM shelves" };
    sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
}

#[tokio::test]
async fn files_of_every_kind_are_loaded_once() {
    let (folder, database, schema) = folder(&[
        ("1_shelves.csv", "id,room\ns1,\"north, upper\"\ns2,\n"),
        (
            "2_books.json",
            r#"[{"title": "A", "tags": ["x"], "shelf": "s1"}, {"title": "B'); DROP TABLE books;--", "pages": 3}]"#,
        ),
        (
            "3_more.sql",
            "INSERT INTO books (id, title) VALUES ('b3', 'C');\nINSERT INTO books (id, title) VALUES ('b4', 'D');",
        ),
    ])
    .await;
    let terminal = Terminal::new(true).quiet();
    let loaded = load(folder.path(), &database, &schema, terminal).await.unwrap();
    assert_eq!(loaded.iter().map(|file| file.rows).collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!((count(&database, "books").await, count(&database, "shelves").await), (4, 2));
    assert!(load(folder.path(), &database, &schema, terminal).await.unwrap().is_empty());

    // A new database at the same place has nothing in it.
    let file = database.file.as_ref().unwrap();
    fs::remove_file(file).unwrap();
    forget_if_fresh(folder.path(), &database).await.unwrap();
    make(file).await;
    assert_eq!(load(folder.path(), &database, &schema, terminal).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_file_is_loaded_whole_or_not_at_all() {
    let (folder, database, schema) = folder(&[("books.csv", "title,pages,shelf\nA,1,\nB,many,\n")]).await;
    let terminal = Terminal::new(true).quiet();
    let error = format!("{:#}", load(folder.path(), &database, &schema, terminal).await.unwrap_err());
    assert!(error.contains("seed/books.csv") && error.contains("line 3, column pages"), "{error}");
    fs::write(folder.path().join("seed/books.csv"), "title,shelf\nA,\nB,nowhere\n").unwrap();
    assert!(load(folder.path(), &database, &schema, terminal).await.is_err(), "the reference leads nowhere");
    assert_eq!(count(&database, "books").await, 0);
    fs::write(folder.path().join("seed/books.csv"), "titel\nA\n").unwrap();
    let error = format!("{:#}", load(folder.path(), &database, &schema, terminal).await.unwrap_err());
    assert!(error.contains("did you mean title?"), "{error}");
}
