//! The same answers by handlers in axum that one would write by hand for these tables: typed bodies in, the statements that the
//! Bridge runs, typed rows out. A process of its own, as the Bridge is.

use std::{collections::HashMap, process::Stdio, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
    serve::ListenerExt as _,
};
use santokit_core::release::Digest;
use serde::{Deserialize, Serialize};
use sqlx::{
    ConnectOptions as _, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::project::{KEY, OWNER, RELATED, Statements};

/// The first argument of the process.
pub(crate) const ARGUMENT: &str = "serve-by-hand";
/// As many as the Bridge has.
const READERS: u32 = 8;
const CONNECTIONS: u32 = 100;

/// Ended when it is dropped.
pub(crate) struct ByHand {
    /// `host:port`
    pub(crate) host: String,
    _process: Child,
}

/// What the process is told.
#[derive(Serialize, Deserialize)]
struct Told {
    url: String,
    statements: Statements,
}

/// Who may call, as hashes of keys.
struct Keys(HashMap<String, Digest>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Select {
    r#where: Option<ById>,
    order_by: Option<ByTime>,
    limit: Option<i64>,
    expand: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ById {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ByTime {
    created_at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    r#where: ById,
    data: Changed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Changed {
    title: String,
    total_cents: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Insert {
    data: New,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct New {
    owner: String,
    customer_id: String,
    title: String,
    note: Option<String>,
    total_cents: i32,
    is_paid: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'c> {
    id: String,
    owner: String,
    customer_id: String,
    title: String,
    note: Option<String>,
    total_cents: i32,
    is_paid: bool,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'c Customer>,
}

#[derive(Serialize)]
struct Customer {
    id: String,
    name: String,
    city: String,
}

#[derive(Serialize)]
struct Affected {
    affected: u64,
}

#[derive(Serialize)]
struct Answer<T> {
    data: T,
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {}

/// Starts the process.
pub(crate) async fn start(url: &str, statements: Statements) -> Result<ByHand> {
    let told = serde_json::to_string(&Told { url: url.to_owned(), statements })?;
    let mut process = Command::new(std::env::current_exe()?)
        .args([ARGUMENT, &told])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(process.stdout.take().context("standard output")?).lines();
    let host = lines.next_line().await?.context("the handlers by hand did not start")?;
    Ok(ByHand { host, _process: process })
}

/// The process itself: serves until it is killed.
pub(crate) async fn serve(told: &str) -> Result<()> {
    let Told { url, statements } = serde_json::from_str(told)?;
    let statements = Box::leak(Box::new(statements));
    let router = if url.starts_with("sqlite:") {
        sqlite::router(sqlite_pools(&url)?, statements)
    } else {
        let options: PgConnectOptions = url.parse()?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = pool.connect_with(options.disable_statement_logging()).await?;
        postgres::router((pool.clone(), pool), statements)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "this is how the benchmark learns of it")]
    {
        println!("{}", listener.local_addr()?);
    }
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

/// Readers, and the one writer.
fn sqlite_pools(url: &str) -> Result<(sqlx::SqlitePool, sqlx::SqlitePool)> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options.create_if_missing(false).foreign_keys(true).disable_statement_logging();
    let writing = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
    let pool = |count| SqlitePoolOptions::new().max_connections(count).test_before_acquire(false);
    Ok((pool(READERS).connect_lazy_with(options.read_only(true)), pool(1).connect_lazy_with(writing)))
}

impl Keys {
    fn new() -> Self {
        let (id, secret) = KEY.trim_start_matches("stk_").split_once('.').unwrap_or_default();
        Self(HashMap::from([(id.to_owned(), Digest::of(secret.as_bytes()))]))
    }

    /// Who calls.
    fn check(&self, headers: &HeaderMap) -> Result<&'static str, StatusCode> {
        let text = headers.get("x-santokit-api-key").and_then(|value| value.to_str().ok());
        let parts = text.and_then(|text| text.strip_prefix("stk_")?.split_once('.'));
        let (id, secret) = parts.ok_or(StatusCode::UNAUTHORIZED)?;
        let is_known = self.0.get(id).is_some_and(|hash| *hash == Digest::of(secret.as_bytes()));
        if is_known { Ok(OWNER) } else { Err(StatusCode::UNAUTHORIZED) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: sqlx::Error) -> StatusCode {
    match error {
        sqlx::Error::RowNotFound => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn answer<T>(data: T) -> Json<Answer<T>> {
    Json(Answer { data, meta: Meta {} })
}

/// The handlers for one of sqlx's databases: its types are others for each.
macro_rules! handlers {
    ($module:ident, $pool:ty, $row:ty, $time:ty, $shown:expr) => {
        mod $module {
            use super::*;

            struct Server {
                reader: $pool,
                writer: $pool,
                keys: Keys,
                statements: &'static Statements,
            }

            pub(super) fn router((reader, writer): ($pool, $pool), statements: &'static Statements) -> Router {
                Router::new()
                    .route("/db/orders/select", post(select))
                    .route("/db/orders/update", post(update))
                    .route("/db/orders/insert", post(insert))
                    .with_state(Arc::new(Server { reader, writer, keys: Keys::new(), statements }))
            }

            async fn select(
                State(server): State<Arc<Server>>,
                headers: HeaderMap,
                Json(asked): Json<Select>,
            ) -> Result<axum::response::Response, StatusCode> {
                use axum::response::IntoResponse as _;

                let owner = server.keys.check(&headers)?;
                let limit = asked.limit.unwrap_or(100) + 1;
                let query = match &asked.r#where {
                    Some(ById { id }) => sqlx::query(server.statements.by_key.as_str()).bind(id).bind(owner),
                    None if asked.order_by.is_some_and(|order| order.created_at == "desc") => {
                        sqlx::query(server.statements.list.as_str()).bind(owner)
                    }
                    None => return Err(StatusCode::BAD_REQUEST),
                };
                let rows = query.bind(limit).fetch_all(&server.reader).await.map_err(failed)?;
                let most = usize::try_from(limit - 1).unwrap_or(usize::MAX);
                let orders = rows.iter().take(most).map(order).collect::<Result<Vec<_>, _>>();
                let mut orders = orders.map_err(failed)?;
                if asked.expand.is_none_or(|names| names.is_empty()) {
                    return Ok(answer(orders).into_response());
                }
                let customers = customers(&server, &orders).await.map_err(failed)?;
                for order in &mut orders {
                    order.customer = customers.get(&order.customer_id);
                }
                Ok(answer(orders).into_response())
            }

            /// By their keys.
            async fn customers(
                server: &Server,
                orders: &[Order<'_>],
            ) -> Result<HashMap<String, Customer>, sqlx::Error> {
                let mut keys: Vec<&str> = orders.iter().map(|order| order.customer_id.as_str()).collect();
                keys.sort_unstable();
                keys.dedup();
                let last = keys.last().copied().unwrap_or_default();
                keys.resize(RELATED, last);
                let mut query = sqlx::query(server.statements.related.as_str());
                for key in keys {
                    query = query.bind(key);
                }
                let rows = query.bind(10_001_i64).fetch_all(&server.reader).await?;
                rows.iter()
                    .map(|row| {
                        let customer = Customer { id: row.try_get(0)?, name: row.try_get(1)?, city: row.try_get(2)? };
                        Ok((customer.id.clone(), customer))
                    })
                    .collect()
            }

            async fn update(
                State(server): State<Arc<Server>>,
                headers: HeaderMap,
                Json(Update { r#where: ById { id }, data: Changed { title, total_cents } }): Json<Update>,
            ) -> Result<Json<Answer<Affected>>, StatusCode> {
                let owner = server.keys.check(&headers)?;
                let query =
                    sqlx::query(server.statements.update.as_str()).bind(title).bind(total_cents).bind(id).bind(owner);
                let done = query.execute(&server.writer).await.map_err(failed)?;
                Ok(answer(Affected { affected: done.rows_affected() }))
            }

            async fn insert(
                State(server): State<Arc<Server>>,
                headers: HeaderMap,
                Json(Insert { data }): Json<Insert>,
            ) -> Result<Json<Answer<[Order<'static>; 1]>>, StatusCode> {
                let owner = server.keys.check(&headers)?;
                let mut query = sqlx::query(server.statements.insert.as_str())
                    .bind(ulid::Ulid::new().to_string())
                    .bind(data.owner)
                    .bind(data.customer_id)
                    .bind(data.title)
                    .bind(data.note)
                    .bind(data.total_cents)
                    .bind(data.is_paid);
                // What the rules ask of the new row.
                for _ in 0..server.statements.insert_rules {
                    query = query.bind(owner);
                }
                // To its end: `fetch_one` drops the statement behind the row, and with it a commit that failed.
                let rows = query.fetch_all(&server.writer).await.map_err(failed)?;
                let row = rows.first().ok_or(StatusCode::FORBIDDEN)?;
                Ok(answer([order(row).map_err(failed)?]))
            }

            fn order(row: &$row) -> Result<Order<'static>, sqlx::Error> {
                let shown: fn($time) -> String = $shown;
                Ok(Order {
                    id: row.try_get(0)?,
                    owner: row.try_get(1)?,
                    customer_id: row.try_get(2)?,
                    title: row.try_get(3)?,
                    note: row.try_get(4)?,
                    total_cents: row.try_get(5)?,
                    is_paid: row.try_get(6)?,
                    created_at: shown(row.try_get(7)?),
                    customer: None,
                })
            }
        }
    };
}

handlers!(sqlite, sqlx::SqlitePool, sqlx::sqlite::SqliteRow, String, |at| at);
handlers!(postgres, sqlx::PgPool, sqlx::postgres::PgRow, chrono::DateTime<chrono::Utc>, |at| {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
});
