//! The end of tables and columns: what is deprecated gets no new users, and stays until its sunset, whatever whoever applies agrees to.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{
        Manifest,
        deprecation::{Notice, Thing},
    },
};

use super::projects::At;
use crate::store::{Db, moves, releases};

/// So many moves of the pointer are looked at for the first one to a deprecation.
const MOVES_MAX: i64 = 1_000;

/// Refuses what the env's deprecations do not allow; what a release uses of them is told.
pub(super) async fn check(
    db: &mut Db,
    at: At<'_>,
    before: Option<&Manifest>,
    manifest: &Manifest,
) -> Outcome<Vec<String>> {
    if let Some(before) = before {
        let deprecated = before.deprecated();
        refuse_new_uses(&deprecated, before, manifest)?;
        refuse_early_ends(db, at, &deprecated, manifest).await?;
    }
    let of_thing = |(thing, notice): (&Thing, &Notice)| {
        let uses: Vec<String> = manifest.uses(thing).into_iter().collect();
        (!uses.is_empty()).then(|| format!("{thing} is deprecated ({}) and used: {}", notice.why, uses.join("; ")))
    };
    Ok(manifest.deprecated().iter().filter_map(of_thing).collect())
}

fn refuse_new_uses(deprecated: &BTreeMap<Thing, Notice>, before: &Manifest, manifest: &Manifest) -> Outcome<()> {
    let mut new = Vec::new();
    for (thing, notice) in deprecated {
        let known = before.uses(thing);
        let uses = manifest.uses(thing).into_iter().filter(|used| !known.contains(used));
        new.extend(uses.map(|used| format!("{thing}: {used} ({})", notice.why)));
    }
    if new.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::ReleaseBlocked, format!("{} new use(s) of what is deprecated", new.len()))
        .hint("use what takes its place; or take `deprecated` away and apply that first")
        .detail("newUses", new))
}

async fn refuse_early_ends(
    db: &mut Db,
    at: At<'_>,
    deprecated: &BTreeMap<Thing, Notice>,
    manifest: &Manifest,
) -> Outcome<()> {
    let (today, mut early) = (Utc::now().date_naive(), Vec::new());
    for (thing, notice) in deprecated.iter().filter(|(thing, _)| !manifest.declares(thing)) {
        let sunset = match notice.sunset {
            Some(day) => day,
            None => notice.sunset(since(db, at, thing).await?.unwrap_or(today)),
        };
        if today < sunset {
            early.push(format!("{thing} may go from {sunset}"));
        }
    }
    if early.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::ReleaseBlocked, format!("{} thing(s) are to stay until their sunset", early.len()))
        .hint("keep them declared until then; for an earlier end declare an earlier `sunset` and apply that first")
        .detail("sunsets", early))
}

/// The day of the first of the moves without a gap to releases that have it deprecated.
async fn since(db: &mut Db, at: At<'_>, thing: &Thing) -> Outcome<Option<NaiveDate>> {
    let mut first = None;
    for (release, moved_at) in moves::history(db, at.project, at.env, MOVES_MAX).await? {
        let Some(row) = releases::by_id(db, &release).await? else { break };
        let manifest: Manifest = serde_json::from_str(&row.manifest).map_err(Problem::internal)?;
        if !manifest.deprecated().contains_key(thing) {
            break;
        }
        let moved_at = DateTime::parse_from_rfc3339(&moved_at).map_err(Problem::internal)?;
        first = Some(moved_at.to_utc().date_naive());
    }
    Ok(first)
}
