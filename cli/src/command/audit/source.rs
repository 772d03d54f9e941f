//! A log to go through: from a Hub, page by page, or from a file of `stk audit export`. Nothing of it is believed.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, Lines, Read, Take},
    path::Path,
};

use anyhow::Context as _;
use santokit_core::{
    audit::Row,
    release::{Envelope, VerifyingKey},
};
use serde_json::{Value as Json, json};

use crate::{
    client::HubClient,
    failure::{Exit, Failure},
};

/// Of an export's first line.
pub(super) const FORMAT: &str = "santokit-audit-1";
/// More in one line is no entry.
const FILE_BYTES_MAX: u64 = 1 << 40;
const PAGE: i64 = 1_000;

/// Entries in their order, between what stands before and after them.
pub(super) struct Source {
    /// As the Hub or the file says; who wants proof brings others.
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) checkpoint: Option<Envelope>,
    /// Of a file, known when it was read to its end.
    pub(super) head: Option<Envelope>,
    entries: Entries,
}

enum Entries {
    Hub { hub: HubClient, page: VecDeque<Json>, after: i64, last: i64 },
    File { lines: Box<Lines<BufReader<Take<File>>>>, number: usize },
}

impl Source {
    /// A Hub's log, up to where it ends now.
    pub(super) async fn of_hub(hub: HubClient) -> anyhow::Result<Self> {
        let answer = hub.get(&["v1", "audit", "head"]).await?;
        let last = answer["head"]["seq"].as_i64().unwrap_or(i64::MAX);
        Ok(Self {
            keys: keys(&answer["keys"]),
            checkpoint: serde_json::from_value(answer["signedCheckpoint"].clone()).ok(),
            head: serde_json::from_value(answer["signed"].clone()).ok(),
            entries: Entries::Hub { hub, page: VecDeque::new(), after: 0, last },
        })
    }

    /// A file's log.
    pub(super) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut lines = BufReader::new(file.take(FILE_BYTES_MAX)).lines();
        let first: Json = lines
            .next()
            .and_then(Result::ok)
            .and_then(|line| serde_json::from_str(&line).ok())
            .filter(|first: &Json| first["kind"] == FORMAT)
            .ok_or_else(|| {
                Failure::new(Exit::Failed, format!("{} is no export of an audit log", path.display()))
                    .hint("it is made with `stk audit export`")
            })?;
        Ok(Self {
            keys: keys(&first["keys"]),
            checkpoint: serde_json::from_value(first["checkpoint"].clone()).ok(),
            head: None,
            entries: Entries::File { lines: Box::new(lines), number: 1 },
        })
    }

    /// The first line of an export.
    pub(super) fn first_line(&self) -> Json {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        json!({"kind": FORMAT, "keys": keys, "checkpoint": self.checkpoint})
    }

    /// The next entry; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Row>> {
        match &mut self.entries {
            Entries::Hub { hub, page, after, last } => {
                if page.is_empty() && after < last {
                    let query = [("after", after.to_string()), ("limit", PAGE.to_string())];
                    let answer = hub.find(&["v1", "audit"], &query).await?;
                    *page = answer["entries"].as_array().cloned().unwrap_or_default().into();
                }
                let Some(json) = page.pop_front() else { return Ok(None) };
                let row = Row::of_json(&json).context("the Hub answered what is no audit entry")?;
                *after = row.seq;
                // What was added since is not looked at.
                Ok((row.seq <= *last).then_some(row))
            }
            Entries::File { lines, number } => {
                let Some(line) = lines.next() else { return Ok(None) };
                *number += 1;
                let json: Json = serde_json::from_str(&line?).with_context(|| format!("line {number} is no JSON"))?;
                if json["kind"] == "head" {
                    self.head = serde_json::from_value(json["head"].clone()).ok();
                    if lines.next().is_some() {
                        return Err(
                            Failure::failed(format!("line {}: nothing comes after the head", *number + 1)).into()
                        );
                    }
                    return Ok(None);
                }
                Row::of_json(&json).with_context(|| format!("line {number} is no audit entry")).map(Some)
            }
        }
    }
}

fn keys(list: &Json) -> Vec<VerifyingKey> {
    let texts = list.as_array().into_iter().flatten().filter_map(Json::as_str);
    texts.filter_map(|text| VerifyingKey::parse(text).ok()).collect()
}
