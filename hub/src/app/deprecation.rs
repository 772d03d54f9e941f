//! The end of tables and columns: what is deprecated gets no new users, and stays until its sunset, whatever whoever applies agrees to.

use std::collections::{BTreeMap, BTreeSet};

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
/// So many are told, of however many there are.
const TOLD_MAX: usize = 100;
const USES_TOLD_MAX: usize = 20;

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
    let deprecated = manifest.deprecated();
    let told = |(thing, uses): (Thing, BTreeSet<String>)| {
        let why = deprecated.get(&thing).map_or("", |notice| notice.why.as_str());
        let more = if uses.len() > USES_TOLD_MAX { "; and more" } else { "" };
        let uses: Vec<String> = uses.into_iter().take(USES_TOLD_MAX).collect();
        format!("{thing} is deprecated ({why}) and used: {}{more}", uses.join("; "))
    };
    Ok(manifest.uses(&deprecated).into_iter().take(TOLD_MAX).map(told).collect())
}

fn refuse_new_uses(deprecated: &BTreeMap<Thing, Notice>, before: &Manifest, manifest: &Manifest) -> Outcome<()> {
    let known = before.uses(deprecated);
    let mut new = Vec::new();
    for (thing, uses) in manifest.uses(deprecated) {
        let why = deprecated.get(&thing).map_or("", |notice| notice.why.as_str());
        let uses = uses.into_iter().filter(|used| !known.get(&thing).is_some_and(|known| known.contains(used)));
        new.extend(uses.map(|used| format!("{thing}: {used} ({why})")));
    }
    if new.is_empty() {
        return Ok(());
    }
    let count = new.len();
    new.truncate(TOLD_MAX);
    Err(Problem::new(Code::ReleaseBlocked, format!("{count} new use(s) of what is deprecated"))
        .hint("use what takes its place; or take `deprecated` away and apply that first")
        .detail("newUses", new))
}

async fn refuse_early_ends(
    db: &mut Db,
    at: At<'_>,
    deprecated: &BTreeMap<Thing, Notice>,
    manifest: &Manifest,
) -> Outcome<()> {
    let today = Utc::now().date_naive();
    let ends: BTreeMap<&Thing, &Notice> = deprecated.iter().filter(|(thing, _)| !manifest.declares(thing)).collect();
    let undated = ends.iter().filter(|(_, notice)| notice.sunset.is_none()).map(|(thing, _)| *thing).collect();
    let since = since(db, at, undated).await?;
    let sunset = |thing: &Thing, notice: &Notice| notice.sunset(since.get(thing).copied().unwrap_or(today));
    let early = ends.into_iter().map(|(thing, notice)| (thing, sunset(thing, notice)));
    let mut early: Vec<String> =
        early.filter(|(_, day)| today < *day).map(|(thing, day)| format!("{thing} may go from {day}")).collect();
    if early.is_empty() {
        return Ok(());
    }
    let count = early.len();
    early.truncate(TOLD_MAX);
    Err(Problem::new(Code::ReleaseBlocked, format!("{count} thing(s) are to stay until their sunset"))
        .hint("keep them declared until then; for an earlier end declare an earlier `sunset` and apply that first")
        .detail("sunsets", early))
}

/// The day of the first of the moves without a gap to releases that have a thing deprecated. The moves are walked once for all, and
/// each release is read once.
async fn since<'t>(
    db: &mut Db,
    at: At<'_>,
    mut things: BTreeSet<&'t Thing>,
) -> Outcome<BTreeMap<&'t Thing, NaiveDate>> {
    let mut first = BTreeMap::new();
    if things.is_empty() {
        return Ok(first);
    }
    let mut known: BTreeMap<String, BTreeMap<Thing, Notice>> = BTreeMap::new();
    for (release, moved_at) in moves::history(db, at.project, at.env, MOVES_MAX).await? {
        if !known.contains_key(&release) {
            let Some(row) = releases::by_id(db, &release).await? else { break };
            let manifest: Manifest = serde_json::from_str(&row.manifest).map_err(Problem::internal)?;
            known.insert(release.clone(), manifest.deprecated());
        }
        things.retain(|thing| known.get(&release).is_some_and(|deprecated| deprecated.contains_key(*thing)));
        if things.is_empty() {
            break;
        }
        let moved_at = DateTime::parse_from_rfc3339(&moved_at).map_err(Problem::internal)?.to_utc().date_naive();
        first.extend(things.iter().map(|thing| (*thing, moved_at)));
    }
    Ok(first)
}
