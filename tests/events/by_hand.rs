//! What an application would have in place of the Bridge's requests to tables: a handler in axum and sqlx that writes the row and its job in one
//! transaction. A process of its own, as the Bridge is.

use std::process::Stdio;

use anyhow::{Context as _, Result};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post, serve::ListenerExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use ulid::Ulid;

use crate::measure::PATH;

/// The first argument of the process.
pub(crate) const ARGUMENT: &str = "serve-by-hand";

/// Ended when it is dropped.
pub(crate) struct ByHand {
    pub(crate) url: String,
    _process: Child,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Insert {
    data: Order,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Order {
    title: String,
    total_cents: i32,
    sent_at: Option<f64>,
}

impl ByHand {
    /// Starts the process.
    pub(crate) async fn start(database: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args([ARGUMENT, database]).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("it says where it is")?).lines();
        let url = lines.next_line().await?.context("it says where it is")?;
        Ok(Self { url, _process: process })
    }
}

/// The process itself.
pub(crate) async fn serve(database: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(32).connect(database).await?;
    let router = Router::new().route(PATH, post(insert)).with_state(pool);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

async fn insert(State(pool): State<PgPool>, Json(Insert { data }): Json<Insert>) -> Result<Json<Value>, StatusCode> {
    let inserted = async {
        let id = Ulid::new().to_string();
        let mut transaction = pool.begin().await?;
        sqlx::query("INSERT INTO orders (id, title, total_cents, sent_at) VALUES ($1, $2, $3, $4)")
            .bind(&id)
            .bind(&data.title)
            .bind(data.total_cents)
            .bind(data.sent_at)
            .execute(&mut *transaction)
            .await?;
        let payload = json!({"orderId": id, "totalCents": data.total_cents, "sentAt": data.sent_at});
        sqlx::query("SELECT graphile_worker.add_job('placed', $1::json)")
            .bind(payload)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok::<_, sqlx::Error>(
            json!({"data": [{"id": id, "title": data.title, "totalCents": data.total_cents, "sentAt": data.sent_at}]}),
        )
    };
    inserted.await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
