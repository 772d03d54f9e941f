//! Going through the log from its first entry to its head, and finding the first place where it does not hold.

use serde_json::Value as Json;

use super::{BEGIN, Checkpoint, Head, RESTORE, Row};
use crate::release::{Digest, Envelope, VerifyingKey};

/// A walk through a log. After [`Walk::begin`] come the entries in their order, then [`Walk::end`].
#[derive(Debug)]
pub struct Walk {
    keys: Vec<VerifyingKey>,
    /// Heads that were kept elsewhere, each with where.
    known: Vec<(Head, String)>,
    checkpoint: Option<Checkpoint>,
    /// Of the last entry that holds.
    seq: i64,
    hash: Option<String>,
    entries: i64,
    unsigned: i64,
    is_signed: bool,
    restored: Option<i64>,
    broken: Option<Broken>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries hold.
    pub entries: i64,
    /// How many of them are older than signatures: only their links were checked.
    pub unsigned: i64,
    /// What stands for removed entries.
    pub checkpoint: Option<Checkpoint>,
    /// Where the log ends, as it says itself.
    pub head: Option<Head>,
    /// How many heads that were kept elsewhere are of entries that were removed since: they could not be compared.
    pub uncompared: usize,
    /// None where it holds.
    pub broken: Option<Broken>,
}

/// The first place where a log does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The entry's number.
    pub at: i64,
    /// In words.
    pub why: String,
}

impl Walk {
    /// With the keys of the Hub, and heads that were kept elsewhere.
    pub fn new(keys: Vec<VerifyingKey>, known: Vec<(Head, String)>) -> Self {
        Self {
            keys,
            known,
            checkpoint: None,
            seq: 0,
            hash: None,
            entries: 0,
            unsigned: 0,
            is_signed: false,
            restored: None,
            broken: None,
        }
    }

    /// Begins after what was removed, where something was.
    pub fn begin(&mut self, checkpoint: Option<&Envelope>) {
        let Some(envelope) = checkpoint else { return };
        match Checkpoint::open(envelope, &self.keys) {
            Ok(checkpoint) => {
                (self.seq, self.hash) = (checkpoint.seq, Some(checkpoint.hash.as_str().to_owned()));
                self.compare(checkpoint.seq, checkpoint.hash.as_str());
                self.checkpoint = Some(checkpoint);
            }
            Err(_) => self.fail(1, "the checkpoint in the place of removed entries is not signed by this Hub"),
        }
    }

    /// The number of the last entry that holds.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// The first place that does not hold, so far.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Takes one entry; false where the log is broken.
    pub fn step(&mut self, row: &Row) -> bool {
        if self.broken.is_some() {
            return false;
        }
        if let Err((at, why)) = self.check(row) {
            self.fail(at, why);
            return false;
        }
        self.compare(row.seq, &row.hash);
        if self.broken.is_some() {
            return false;
        }
        (self.seq, self.hash) = (row.seq, Some(row.hash.clone()));
        self.entries += 1;
        true
    }

    /// Says that an entry does not hold for a reason that this walk cannot see; the first one counts.
    pub fn fail(&mut self, at: i64, why: impl Into<String>) {
        self.broken.get_or_insert(Broken { at, why: why.into() });
    }

    /// Ends at the head.
    pub fn end(mut self, head: Option<&Envelope>) -> Verdict {
        let opened = head.map(|envelope| Head::open(envelope, &self.keys));
        let head = match opened {
            Some(Ok(head)) => {
                self.check_head(&head);
                Some(head)
            }
            Some(Err(_)) => {
                self.fail(self.seq, "the head of the log is not signed by this Hub");
                None
            }
            None if self.is_signed => {
                self.fail(self.seq, "the log has lost its head: entries after this one may be missing");
                None
            }
            None => None,
        };
        let lost: Option<&(Head, String)> = self.known.iter().find(|(known, _)| known.seq > self.seq);
        if let Some((known, place)) = lost {
            let why = format!(
                "entries {} to {} are missing at the end: {}",
                self.seq + 1,
                known.seq,
                self.said(known, place)
            );
            self.fail(self.seq + 1, why);
        }
        let removed = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.seq);
        let uncompared = self.known.iter().filter(|(known, _)| known.seq < removed).count();
        let Self { entries, unsigned, checkpoint, broken, .. } = self;
        Verdict { entries, unsigned, checkpoint, head, uncompared, broken }
    }

    fn check(&mut self, row: &Row) -> Result<(), (i64, String)> {
        let next = self.seq + 1;
        if row.seq > next {
            let gone = if row.seq == next + 1 {
                format!("entry {next} is missing")
            } else {
                format!("entries {next} to {} are missing", row.seq - 1)
            };
            let is_start = self.seq == 0 && self.checkpoint.is_none();
            let why = if is_start { format!("{gone}, and no checkpoint stands for them") } else { gone };
            return Err((next, why));
        }
        if row.seq < next {
            return Err((next, format!("entry {} stands where entry {next} should", row.seq)));
        }
        let at = |why: &str| (next, why.to_owned());
        let entry: Json = serde_json::from_str(&row.entry).map_err(|_| at("its text cannot be read"))?;
        if Digest::of(row.entry.as_bytes()).as_str() != row.hash {
            return Err(at("its text was changed"));
        }
        if entry["seq"] != row.seq {
            return Err(at("another entry's text stands in its place"));
        }
        if entry["prevHash"].as_str() != self.hash.as_deref() {
            return Err(at("it does not follow the entry before it: one of the two was changed"));
        }
        if row.signature.is_none() && !self.is_signed {
            self.unsigned += 1;
            return Ok(());
        }
        if !row.is_signed(&self.keys) {
            return Err(at("it is not signed by this Hub: it was written, or written anew, by somebody else"));
        }
        // The first signed entry of a log that is older says so; a later one says that the Hub has lost where it was.
        let begins = entry["action"] == BEGIN;
        let follows_unsigned = self.unsigned > 0 && !self.is_signed;
        if begins != follows_unsigned {
            return Err(at(
                "the log begins a second time: what was before it was replaced, or its head was taken away",
            ));
        }
        self.is_signed = true;
        if entry["action"] == RESTORE {
            self.restored = Some(row.seq);
        }
        Ok(())
    }

    fn check_head(&mut self, head: &Head) {
        if head.seq > self.seq {
            let why = format!("entries {} to {} are missing at the end: the head says so", self.seq + 1, head.seq);
            self.fail(self.seq + 1, why);
        } else if head.seq < self.seq {
            self.fail(head.seq + 1, "the head was replaced by an older one: it stands before this entry");
        } else if Some(head.hash.as_str()) != self.hash.as_deref() {
            self.fail(head.seq, "the head names another entry");
        }
    }

    /// With the heads that were kept elsewhere.
    fn compare(&mut self, seq: i64, hash: &str) {
        let other = self.known.iter().find(|(known, _)| known.seq == seq && known.hash.as_str() != hash);
        if let Some((known, place)) = other {
            let why = format!("it is another entry than it was: {}", self.said(known, place));
            self.fail(seq, why);
        }
    }

    fn said(&self, known: &Head, place: &str) -> String {
        let said = format!("{place} is of {} and names entry {}", known.ts, known.seq);
        match self.restored {
            Some(seq) => format!("{said}; the Hub was restored from a backup at entry {seq}"),
            None => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::{SigningKey, canonical_json};

    /// A log of signed entries.
    struct Log {
        key: SigningKey,
        rows: Vec<Row>,
    }

    impl Log {
        fn of(count: i64) -> Self {
            let mut log = Self { key: SigningKey::generate().unwrap(), rows: Vec::new() };
            for seq in 1..=count {
                log.add(seq, "a.b");
            }
            log
        }

        fn add(&mut self, seq: i64, action: &str) {
            let prev = self.rows.last().map(|row| row.hash.clone());
            let entry = canonical_json(&json!({"seq": seq, "action": action, "ts": "t", "prevHash": prev})).unwrap();
            self.rows.push(Row::sign(seq, String::from_utf8(entry).unwrap(), &self.key).unwrap());
        }

        fn head_at(&self, seq: usize) -> Head {
            let row = &self.rows[seq - 1];
            Head { epoch: 0, seq: row.seq, hash: Digest::parse(&row.hash).unwrap(), ts: "t".into() }
        }

        fn walk(&self, rows: &[Row], head: Option<&Envelope>, known: Vec<(Head, String)>) -> Verdict {
            let mut walk = Walk::new(vec![self.key.verifying_key()], known);
            walk.begin(None);
            for row in rows {
                walk.step(row);
            }
            walk.end(head)
        }
    }

    fn broken(verdict: &Verdict) -> (i64, &str) {
        verdict.broken.as_ref().map_or((0, "whole"), |broken| (broken.at, broken.why.as_str()))
    }

    #[test]
    fn every_change_is_found_at_its_entry() {
        let log = Log::of(5);
        let head = log.head_at(5).sign(&log.key).unwrap();
        let found = |rows: &[Row], head: Option<&Envelope>| log.walk(rows, head, Vec::new());
        assert_eq!(broken(&found(&log.rows, Some(&head))), (0, "whole"));

        let mut rows = log.rows.clone();
        rows[2].entry = rows[2].entry.replace("a.b", "a.c");
        assert_eq!(broken(&found(&rows, Some(&head))), (3, "its text was changed"));
        let mut rows = log.rows.clone();
        rows.remove(2);
        assert_eq!(broken(&found(&rows, Some(&head))), (3, "entry 3 is missing"));
        assert_eq!(broken(&found(&log.rows[..3], Some(&head))).0, 4);
        assert!(broken(&found(&log.rows[2..], Some(&head))).1.contains("no checkpoint"));
        let mut rows = log.rows.clone();
        let (second, third) = (rows[1].clone(), rows[2].clone());
        (rows[1], rows[2]) = (Row { seq: 2, ..third }, Row { seq: 3, ..second });
        assert_eq!(broken(&found(&rows, Some(&head))), (2, "another entry's text stands in its place"));
        // By somebody who can compute hashes and has a key, but not the Hub's.
        let mut forged = Log { key: SigningKey::generate().unwrap(), rows: log.rows[..2].to_vec() };
        for seq in 3..=5 {
            forged.add(seq, "a.c");
        }
        let forged_head = forged.head_at(5).sign(&forged.key).unwrap();
        for head in [&head, &forged_head] {
            assert_eq!(broken(&found(&forged.rows, Some(head))).0, 3);
        }
        assert_eq!(broken(&found(&log.rows, Some(&forged_head))).0, 5);
        assert_eq!(broken(&found(&log.rows, None)).0, 5);
        let older = log.head_at(2).sign(&log.key).unwrap();
        assert_eq!(broken(&found(&log.rows, Some(&older))).0, 3);
    }

    #[test]
    fn a_cut_that_fits_its_head_is_found_by_a_head_that_was_kept() {
        let log = Log::of(5);
        let older = log.head_at(3).sign(&log.key).unwrap();
        let known = |seq| vec![(log.head_at(seq), "what was kept".to_owned())];
        assert_eq!(broken(&log.walk(&log.rows[..3], Some(&older), Vec::new())).0, 0, "by itself it is whole");
        let verdict = log.walk(&log.rows[..3], Some(&older), known(5));
        assert_eq!(broken(&verdict).0, 4, "{verdict:?}");
        let head = log.head_at(5).sign(&log.key).unwrap();
        assert_eq!(broken(&log.walk(&log.rows, Some(&head), known(2))).0, 0);
        // A Hub that lost its memory goes another way, with its own key.
        let mut other = Log { key: log.key, rows: log.rows[..2].to_vec() };
        for seq in 3..=6 {
            other.add(seq, if seq == 3 { RESTORE } else { "a.c" });
        }
        let head = other.head_at(6).sign(&other.key).unwrap();
        let verdict = other.walk(&other.rows, Some(&head), vec![(Log::of(4).head_at(4), "what was kept".to_owned())]);
        assert_eq!(broken(&verdict).0, 4);
        assert!(broken(&verdict).1.contains("restored from a backup at entry 3"), "{verdict:?}");
    }

    #[test]
    fn a_log_that_is_older_than_signatures_begins_once() {
        let mut log = Log::of(2);
        for row in &mut log.rows {
            row.signature = None;
        }
        log.add(3, BEGIN);
        log.add(4, "a.b");
        let head = log.head_at(4).sign(&log.key).unwrap();
        let verdict = log.walk(&log.rows, Some(&head), Vec::new());
        assert_eq!((broken(&verdict).0, verdict.unsigned), (0, 2));
        let mut stripped = log.rows.clone();
        stripped[3].signature = None;
        assert_eq!(broken(&log.walk(&stripped, Some(&head), Vec::new())).0, 4);
        log.add(5, BEGIN);
        let head = log.head_at(5).sign(&log.key).unwrap();
        assert_eq!(broken(&log.walk(&log.rows, Some(&head), Vec::new())).0, 5);
        // Who strips all signatures has no head that holds.
        for row in &mut log.rows {
            row.signature = None;
        }
        assert_eq!(broken(&log.walk(&log.rows[..2], Some(&head), Vec::new())).0, 3);
    }

    #[test]
    fn a_checkpoint_stands_for_what_was_removed() {
        let log = Log::of(5);
        let checkpoint = Checkpoint { seq: 2, hash: log.head_at(2).hash, until: "t".into(), ts: "t".into() };
        let head = log.head_at(5).sign(&log.key).unwrap();
        let walk = |checkpoint: &Envelope, rows: &[Row], known: Vec<(Head, String)>| {
            let mut walk = Walk::new(vec![log.key.verifying_key()], known);
            walk.begin(Some(checkpoint));
            for row in rows {
                walk.step(row);
            }
            walk.end(Some(&head))
        };
        let signed = checkpoint.sign(&log.key).unwrap();
        let verdict = walk(&signed, &log.rows[2..], vec![(log.head_at(1), "k".into()), (log.head_at(2), "k".into())]);
        assert_eq!((broken(&verdict).0, verdict.entries, verdict.uncompared), (0, 3, 1));
        assert_eq!(broken(&walk(&signed, &log.rows[3..], Vec::new())).0, 3);
        let forged = checkpoint.sign(&SigningKey::generate().unwrap()).unwrap();
        assert_eq!(broken(&walk(&forged, &log.rows[2..], Vec::new())).0, 1);
        let other = Checkpoint { hash: Digest::of(b"x"), ..checkpoint }.sign(&log.key).unwrap();
        assert_eq!(broken(&walk(&other, &log.rows[2..], Vec::new())).0, 3);
    }

    #[test]
    fn what_is_given_out_is_read_again() {
        let log = Log::of(2);
        for row in &log.rows {
            assert_eq!(Row::of_json(&row.to_json()).as_ref(), Some(row));
        }
        assert_eq!(Row::of_json(&json!({"seq": 1})), None);
        assert_eq!(Row::of_json(&json!([])), None);
    }
}
