//! The main job, shown over HTTP as a user would see it: the shop on SQLite, a purchase, a refusal, hostile logic
//! stopped by its limit, and an edit that goes live while requests flow.
//!
//! Works on a copy of `examples/shop` under `target/`, so that the edit never touches the repository.

mod client;
mod load;
mod server;
mod shop;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::gate;
use crate::process::pause;
use crate::setup::{self, Purpose};
use crate::terminal::{note, passed, step, title};
use client::{Answer, Client};
use load::Load;
use server::Server;
use shop::Shop;

/// An edit must be live within this.
const SWAP_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the load runs before the edit and after it is live.
const CALM: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The port that the shop is served on; another free one if it is taken
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Stop at the end instead of serving until Ctrl-C
    #[arg(long)]
    exit: bool,
}

/// Runs the demo.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Demo)?;
    gate::build_stk(root)?;
    let shop = Shop::copy(root).context("cannot copy examples/shop")?;
    let server = step("start the shop: stk dev", || Server::start(root, shop.folder(), arguments.port))?;
    let client = Client::new(server.url());

    show_data(&client)?;
    show_purchase(&client)?;
    show_refusal(&client)?;
    show_limit(&client)?;
    show_swap(&shop, &client)?;
    show_next(&server);

    if arguments.exit || !std::io::stdin().is_terminal() {
        return server.stop();
    }
    note("it keeps serving; Ctrl-C stops it");
    server.wait()
}

fn show_data(client: &Client) -> anyhow::Result<()> {
    title("1. The shop runs on SQLite; SQL logic reads its data");
    let answer = client.call("logics/top_products", &json!({"limit": 3}))?.expect_status(200)?;
    let rows = answer.body["data"].as_array().context("top_products did not answer rows")?;
    for row in rows {
        note(&row.to_string());
    }
    if rows.len() != 3 {
        bail!("top_products answered {} rows, not 3", rows.len());
    }
    passed("top_products answered from 1,000 products and 50,000 orders");
    Ok(())
}

fn show_purchase(client: &Client) -> anyhow::Result<()> {
    title("2. A purchase: Rust logic, one transaction over stock, order and item");
    let answer = client.call("logics/purchase", &shop::purchase())?.expect_status(200)?;
    note(&answer.body["data"].to_string());
    passed(&format!("answered by {}", answer.release.as_deref().unwrap_or("a release without a name")));
    Ok(())
}

fn show_refusal(client: &Client) -> anyhow::Result<()> {
    title("3. Out of stock: the logic says no, and nothing has changed");
    let answer = client.call("logics/purchase", &shop::sold_out())?.expect_status(422)?;
    note(&answer.body["error"].to_string());
    answer.expect_code("LOGIC_ERROR")?;
    if !answer.body["error"].to_string().contains(shop::SOLD_OUT_CODE) {
        bail!("the refusal does not say {}", shop::SOLD_OUT_CODE);
    }
    passed("refused with the logic's own code");
    Ok(())
}

fn show_limit(client: &Client) -> anyhow::Result<()> {
    title("4. Hostile logic: an endless loop is stopped by its CPU limit; its neighbours go on");
    let load = Load::start(client, &shop::quote())?;
    let start = Instant::now();
    let answer = client.call("logics/hostile", &json!({}))?.expect_status(500)?;
    let took = start.elapsed();
    let neighbours = load.stop();
    note(&answer.body["error"].to_string());
    answer.expect_code("LOGIC_FAILED")?;
    if answer.body["error"]["details"]["limit"] != "cpu" {
        bail!("the error does not name the limit `cpu`");
    }
    neighbours.expect_no_failure()?;
    passed(&format!(
        "stopped after {} ms; {} requests of others meanwhile, 0 failed",
        took.as_millis(),
        neighbours.sent
    ));
    Ok(())
}

fn show_swap(shop: &Shop, client: &Client) -> anyhow::Result<()> {
    title("5. An edit of `quote` goes live while requests flow");
    let load = Load::start(client, &shop::quote())?;
    pause(CALM);
    let before = client.call("logics/quote", &shop::quote())?.expect_status(200)?;
    shop.edit_quote()?;
    note(&format!("saved {}", shop.quote_source().display()));
    let saved = Instant::now();
    let after = wait_for_edit(client, saved)?;
    let live = saved.elapsed();
    pause(CALM);
    let counts = load.stop();
    note(&format!("before: {} by {}", before.body["data"], before.release.as_deref().unwrap_or("?")));
    note(&format!("after:  {} by {}", after.body["data"], after.release.as_deref().unwrap_or("?")));
    if before.release == after.release {
        bail!("the edit is live but the answer names the same release");
    }
    counts.expect_no_failure()?;
    counts.expect_no_mix()?;
    passed(&format!(
        "live {:.1} s after the save; {} requests meanwhile, {} failed, {} releases seen, none mixed",
        live.as_secs_f64(),
        counts.sent,
        counts.failed,
        counts.answers.len()
    ));
    Ok(())
}

fn wait_for_edit(client: &Client, saved: Instant) -> anyhow::Result<Answer> {
    loop {
        let answer = client.call("logics/quote", &shop::quote())?.expect_status(200)?;
        if shop::is_edited(&answer.body["data"]) {
            return Ok(answer);
        }
        if saved.elapsed() > SWAP_TIMEOUT {
            bail!("the edit is not live after {} s", SWAP_TIMEOUT.as_secs());
        }
        pause(Duration::from_millis(20));
    }
}

fn show_next(server: &Server) {
    let url = server.url();
    title("The main job works");
    note(&format!("the shop:      {url}"));
    note(&format!("its files:     {}", server.folder().display()));
    note(&format!("its log:       {}", server.log().display()));
    note("try, in another terminal:");
    let quote: Value = shop::quote();
    note(&format!("  curl -i {url}/logics/quote -d '{quote}'"));
    note(&format!(
        "  curl -i {url}/logics/purchase -H '{}: {}' -d '{}'",
        client::KEY_HEADER,
        shop::KEY,
        shop::purchase()
    ));
    note(&format!("  edit {} and ask again", server.folder().join(shop::QUOTE_SOURCE).display()));
    note("  examples/shop/README.md goes on from here");
}
