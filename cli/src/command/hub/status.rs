//! `stk hub status` and `stk hub time`.

use std::time::Instant;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{HubTarget, Shell};
use crate::report::{Tone, cell};

/// Tokens and expiries are looked at by the minute; more than this is worth a word.
const APART_MAX_MS: i64 = 5_000;

pub(super) async fn status(target: &HubTarget, shell: &Shell) -> anyhow::Result<()> {
    let (hub, _) = shell.hub(&target.target())?;
    let status = hub.get(&["v1", "status"]).await?;
    shell.terminal.answer(&status, |terminal| {
        let (audit, head) = (&status["audit"], &status["audit"]["head"]);
        terminal.say(&format!(
            "{} version {} since {}",
            terminal.tone(Tone::Good, "running"),
            cell(&status["version"]),
            cell(&status["startedAt"])
        ));
        terminal.say(&format!(
            "  store: {}, tables of version {}",
            cell(&status["engine"]),
            cell(&status["schemaVersion"])
        ));
        terminal.say(&format!("  projects: {}", cell(&status["projects"])));
        terminal.say(&format!(
            "  audit log: entry {} of {}, {} in the last day",
            cell(&head["seq"]),
            cell(&head["ts"]),
            cell(&audit["entriesLastDay"])
        ));
        match status["lastBackupAt"].as_str() {
            Some(at) => terminal.say(&format!("  last backup: {at}")),
            None => terminal
                .say(&format!("  last backup: {}; `stk hub backup --out FILE`", terminal.tone(Tone::Warn, "never"))),
        }
    });
    Ok(())
}

pub(super) async fn time(target: &HubTarget, shell: &Shell) -> anyhow::Result<()> {
    let (hub, _) = shell.hub(&target.target())?;
    let (asked, began) = (Utc::now(), Instant::now());
    let told = hub.get(&["v1", "time"]).await?;
    let round_trip = began.elapsed();
    let text = told["hub"].as_str().context("the Hub's answer has no time")?;
    let there = DateTime::parse_from_rfc3339(text).context("the Hub's answer has no time")?.to_utc();
    // It was written halfway between question and answer, as far as one can know.
    let here = asked + TimeDelta::from_std(round_trip / 2).unwrap_or_default();
    let (ahead, database) = ((there - here).num_milliseconds(), told["databaseAheadMs"].as_i64().unwrap_or_default());
    let round_trip = i64::try_from(round_trip.as_millis()).unwrap_or(i64::MAX);
    let answer = json!({
        "here": here.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), "hub": told["hub"], "database": told["database"],
        "hubAheadMs": ahead, "databaseAheadOfHubMs": database, "roundTripMs": round_trip,
    });
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!(
            "hub       {} ({ahead:+} ms against here, give or take {} ms)",
            cell(&told["hub"]),
            round_trip / 2 + 1
        ));
        terminal.say(&format!("database  {} ({database:+} ms against the Hub)", cell(&told["database"])));
    });
    if ahead.abs() > APART_MAX_MS + round_trip || database.abs() > APART_MAX_MS {
        shell.terminal.warn("the clocks are seconds apart: what expires, expires at another time than it seems");
    }
    Ok(())
}
