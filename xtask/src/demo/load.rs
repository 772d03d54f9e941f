//! Requests that flow while something else happens, each counted, and each answer noted with the release that gave it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::client::Client;
use crate::process::pause;

const THREADS: usize = 4;
/// Between two requests of a thread: a steady flow, not a benchmark.
const PAUSE: Duration = Duration::from_millis(5);

/// A running load.
#[derive(Debug)]
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Counts>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: usize,
    pub(crate) failed: usize,
    /// Different answers by release: with one input, a release has one answer.
    pub(crate) answers: BTreeMap<String, BTreeSet<String>>,
    first_failure: Option<String>,
}

impl Load {
    /// Asks for quotes, again and again.
    pub(crate) fn start(client: &Client, params: &Value) -> anyhow::Result<Self> {
        // One before the others: a failure that has nothing to do with the flow is told as itself.
        client.call("logics/quote", params)?.expect_status(200)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = (0..THREADS)
            .map(|_| {
                let (client, params, is_over) = (client.clone(), params.clone(), Arc::clone(&is_over));
                std::thread::spawn(move || flow(&client, &params, &is_over))
            })
            .collect();
        Ok(Self { is_over, threads })
    }

    /// Ends it when every open request is answered.
    pub(crate) fn stop(self) -> Counts {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Counts::default();
        for thread in self.threads {
            match thread.join() {
                Ok(counts) => all.add(counts),
                Err(_) => all.fail("a thread of the load panicked".to_owned()),
            }
        }
        all
    }
}

impl Counts {
    pub(crate) fn expect_no_failure(&self) -> anyhow::Result<()> {
        match &self.first_failure {
            Some(failure) => bail!("{} of {} requests failed; the first: {failure}", self.failed, self.sent),
            None => Ok(()),
        }
    }

    /// No release may answer now the old and now the new.
    pub(crate) fn expect_no_mix(&self) -> anyhow::Result<()> {
        match self.answers.iter().find(|(_, answers)| answers.len() > 1) {
            Some((release, answers)) => bail!("the release {release} gave different answers: {answers:?}"),
            None => Ok(()),
        }
    }

    fn fail(&mut self, reason: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(reason);
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.failed += other.failed;
        for (release, answers) in other.answers {
            self.answers.entry(release).or_default().extend(answers);
        }
        if let Some(failure) = other.first_failure {
            self.first_failure.get_or_insert(failure);
        }
    }
}

fn flow(client: &Client, params: &Value, is_over: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    while !is_over.load(Ordering::Relaxed) {
        counts.sent += 1;
        match client.call("logics/quote", params).and_then(|answer| answer.expect_status(200)) {
            Ok(answer) => match answer.release {
                Some(release) => {
                    counts.answers.entry(release).or_default().insert(answer.body["data"].to_string());
                }
                None => counts.fail("an answer does not name its release".to_owned()),
            },
            Err(error) => counts.fail(format!("{error:#}")),
        }
        pause(PAUSE);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_with_two_answers_is_a_mix() {
        let mut counts = Counts::default();
        counts.answers.entry("rel_1".to_owned()).or_default().insert("10".to_owned());
        counts.answers.entry("rel_2".to_owned()).or_default().insert("25".to_owned());
        assert!(counts.expect_no_mix().is_ok());
        counts.answers.entry("rel_2".to_owned()).or_default().insert("10".to_owned());
        assert!(counts.expect_no_mix().is_err());
    }
}
