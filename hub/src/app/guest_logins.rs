//! Logins of databases' own for guests' SQL: which ones an env needs, when they are made, when another one takes a login's place, and
//! when one is dropped. How a database is told is [`schema::logins`]' matter.
//!
//! Names are random: nobody else's user is ever taken for ours, whatever Hub, project or env shares the server. A login's row is kept
//! before its user is made and until it is gone, so that a Hub that is killed in between leaves none behind that nobody knows.

mod end;

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{
        Manifest,
        logins::{OUTBOX, TablePowers},
    },
    wire::{GuestLogin, Sealed},
};
use santokit_sql::schema::logins::{PREFIX, Secret};

use super::{
    App,
    apply::Candidate,
    bridges::pointed_manifests,
    projects::At,
    releases::ago,
    schema::{
        Address,
        logins::{self, Needed},
    },
    turn::Turn,
};
use crate::store::{
    Db, Writing,
    audit::{self, Caller, Detail},
    commit,
    envs::{self, ConnectionRow, now},
    guest_logins::{self, GuestLoginRow},
};

/// Distinct powers on one connection.
const LOGINS_MAX: usize = 50;
/// Bridges learn of a bundle by asking for it.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// What is older was never made.
const ROTATION_MAX: TimeDelta = TimeDelta::days(36_500);
/// Of random digits in a name; with the prefix it is short enough for MySQL.
const NAME_DIGITS: usize = 24;

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct LoginSettings {
    /// How old a login's password gets.
    pub rotation: Duration,
    /// Sessions that one may have at once.
    pub sessions_max: u32,
}

/// A login that a release needs.
pub(super) struct Wish {
    connection: String,
    powers: TablePowers,
    address: Address,
    place: String,
    /// Where one is there, or was about to be.
    found: Option<GuestLoginRow>,
    due: Due,
}

/// What is to be done for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It is there.
    Kept,
    /// It is not.
    Made,
    /// It is there, and its password is old.
    Rotated,
}

impl App {
    /// What a release needs on an env's servers. What could not be made later is refused here, before anything is changed; who only
    /// looks is told of it.
    async fn wanted_logins(&self, at: At<'_>, manifest: &Manifest, dry_run: bool) -> Outcome<(Vec<Wish>, Vec<String>)> {
        let rows = envs::connections(&mut *self.store.read().await?, at.project, at.env).await?;
        let known = self.known(at).await?;
        let (mut wishes, mut remarks) = (Vec::new(), Vec::new());
        for (connection, all) in manifest.logins() {
            let Some(row) = rows.iter().find(|row| row.name == connection && row.engine != "sqlite") else { continue };
            check(&connection, &all)?;
            let address = self.address(at, row, true)?;
            let before = wishes.len();
            for powers in all {
                wishes.push(self.wish(row, &address, powers, &known)?);
            }
            if wishes[before..].iter().all(|wish| wish.due == Due::Kept) {
                continue;
            }
            let outlook = logins::look(&address).await?;
            let Some(lacking) = outlook.lacking else { continue };
            let refusal = logins::blocked(&address, &[lacking]);
            if !dry_run {
                return Err(refusal);
            }
            remarks.push(format!("{}: {}", refusal.message, refusal.hint.clone().unwrap_or_default()));
        }
        Ok((wishes, remarks))
    }

    /// What is to be made for a candidate; what it says of it is added to it.
    pub(super) async fn plan_logins(&self, at: At<'_>, candidate: &mut Candidate, dry_run: bool) -> Outcome<Vec<Wish>> {
        let (wishes, remarks) = self.wanted_logins(at, &candidate.manifest, dry_run).await?;
        candidate.logins = wishes.iter().filter_map(Wish::line).collect();
        candidate.warnings.extend(remarks);
        Ok(wishes)
    }

    fn wish(
        &self,
        row: &ConnectionRow,
        address: &Address,
        powers: TablePowers,
        known: &[GuestLoginRow],
    ) -> Outcome<Wish> {
        let text = text(&powers)?;
        let is_here = |login: &&GuestLoginRow| is_at(login, row) && login.powers == text;
        let found = known.iter().find(is_here).cloned();
        let due = match found.as_ref().map(|login| login.made_at.as_deref()) {
            None | Some(None) => Due::Made,
            Some(Some(made)) if made < self.rotated_before().as_str() => Due::Rotated,
            Some(Some(_)) => Due::Kept,
        };
        Ok(Wish {
            connection: row.name.clone(),
            powers,
            address: address.clone(),
            place: row.masked.clone(),
            found,
            due,
        })
    }

    fn rotated_before(&self) -> String {
        ago(TimeDelta::from_std(self.guest_logins.rotation).unwrap_or(ROTATION_MAX).min(ROTATION_MAX))
    }

    /// Makes what is not there, gives each exactly its powers, and retires what nothing needs any more. What is worth knowing, in
    /// words. The databases are changed before the store says so; what is made twice is the same.
    pub(super) async fn make_logins(
        &self,
        caller: &Caller,
        turn: &Turn,
        manifest: &Manifest,
        wishes: &[Wish],
    ) -> Outcome<Vec<String>> {
        let at = turn.at();
        if wishes.is_empty() && self.known(at).await?.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.decide(turn, wishes).await?;
        let mut remarks = Vec::new();
        for connection in wishes.iter().map(|wish| &wish.connection).collect::<BTreeSet<_>>() {
            let here: Vec<(&Wish, &(GuestLoginRow, Secret))> =
                wishes.iter().zip(&kept).filter(|(wish, _)| wish.connection == *connection).collect();
            let needed: Vec<Needed<'_>> = here
                .iter()
                .map(|(wish, (row, secret))| Needed {
                    user: &row.name,
                    secret,
                    powers: &wish.powers,
                    sessions_max: self.guest_logins.sessions_max,
                    of: (at.project, at.env),
                })
                .collect();
            let Some((first, _)) = here.first() else { continue };
            let found = logins::bring(&first.address, &needed).await?;
            let found: BTreeSet<String> = found.into_iter().collect();
            remarks.extend(found.into_iter().map(|remark| format!("{connection}: {remark}")));
        }
        let needed = self.needed(at, manifest).await?;
        let mut db = self.store.write().await?;
        turn.need(&mut db).await?;
        for (wish, (row, _)) in wishes.iter().zip(&kept) {
            keep(&mut db, caller, at, wish, row).await?;
        }
        retire(&mut db, at, needed).await?;
        commit(db).await?;
        Ok(remarks)
    }

    /// The row and the password of each, kept before its user is made.
    async fn decide(&self, turn: &Turn, wishes: &[Wish]) -> Outcome<Vec<(GuestLoginRow, Secret)>> {
        let at = turn.at();
        let mut all = Vec::new();
        let mut db = self.store.write().await?;
        turn.need(&mut db).await?;
        for wish in wishes {
            if let Some(row) = wish.found.as_ref().filter(|_| wish.due != Due::Rotated) {
                all.push((row.clone(), self.login_secret(at, row)?));
                continue;
            }
            let (secret, name) = (Secret::generate().map_err(Problem::internal)?, name()?);
            let row = GuestLoginRow {
                password: self.seal(&at.context("guest-login", &name), &Sealed::new(secret.expose()))?,
                name,
                connection: wish.connection.clone(),
                engine: wish.address.engine.clone(),
                place: wish.place.clone(),
                powers: text(&wish.powers)?,
                created_at: now(),
                made_at: None,
                retired_at: Some(now()),
                address: None,
            };
            guest_logins::add(&mut db, at.project, at.env, &row).await?;
            all.push((row, secret));
        }
        commit(db).await?;
        Ok(all)
    }

    /// Connection and powers of what the release needs that the env is to run, that it runs (of a canary both), and that it could go
    /// back to.
    async fn needed(&self, at: At<'_>, manifest: &Manifest) -> Outcome<BTreeSet<(String, String)>> {
        let pointed = pointed_manifests(&mut *self.store.read().await?, at).await?;
        let all = std::iter::once(manifest.logins()).chain(pointed.into_iter().map(|manifest| manifest.logins()));
        let mut needed = BTreeSet::new();
        for release in all.chain(self.earlier(at).await?.into_iter().map(|release| release.logins)) {
            for (connection, powers) in release {
                for powers in powers {
                    needed.insert((connection.clone(), text(&powers)?));
                }
            }
        }
        Ok(needed)
    }

    async fn known(&self, at: At<'_>) -> Outcome<Vec<GuestLoginRow>> {
        Ok(guest_logins::of_env(&mut *self.store.read().await?, at.project, at.env).await?)
    }

    /// A connection goes, or leads elsewhere: its logins are dropped over the URL that it had, when Bridges have had time.
    pub(super) async fn leave_logins(&self, db: &mut Db, at: At<'_>, left: &ConnectionRow) -> Outcome<()> {
        let address = self.address(at, left, true)?;
        for row in guest_logins::of_env(db, at.project, at.env).await?.iter().filter(|row| is_at(row, left)) {
            let sealed = self.seal(&at.context("guest-login-address", &row.name), &address.url)?;
            guest_logins::set_left(db, &row.name, &sealed, &now()).await?;
        }
        Ok(())
    }

    /// What Bridges log in with on a connection, the newest first.
    pub(super) fn guests(
        &self,
        at: At<'_>,
        connection: &ConnectionRow,
        rows: &[GuestLoginRow],
    ) -> Outcome<Vec<GuestLogin>> {
        let here = rows.iter().filter(|row| row.made_at.is_some() && is_at(row, connection));
        let login = |row: &GuestLoginRow| {
            let tables = serde_json::from_str(&row.powers).map_err(Problem::internal)?;
            let password = Sealed::new(self.login_secret(at, row)?.expose());
            Ok(GuestLogin { tables, user: row.name.clone(), password })
        };
        here.map(login).collect()
    }

    fn login_secret(&self, at: At<'_>, row: &GuestLoginRow) -> Outcome<Secret> {
        let password = self.unseal(&at.context("guest-login", &row.name), &row.password)?;
        Secret::parse(password.expose()).map_err(Problem::internal)
    }
}

impl Wish {
    /// What is made for it, for people; none where nothing is.
    pub(super) fn line(&self) -> Option<String> {
        let tables = self.powers.iter().map(|(table, verbs)| {
            if table == OUTBOX {
                return "publish events".to_owned();
            }
            let verbs: Vec<&str> = verbs.iter().map(|verb| verb.as_str()).collect();
            format!("{} on {table}", verbs.join(", "))
        });
        let tables: Vec<String> = tables.collect();
        let may = if tables.is_empty() { "nothing".to_owned() } else { tables.join("; ") };
        let sign = match self.due {
            Due::Kept => return None,
            Due::Made => '+',
            Due::Rotated => '~',
        };
        Some(format!("{sign} {}: {may}", self.connection))
    }
}

async fn keep(db: &mut Writing, caller: &Caller, at: At<'_>, wish: &Wish, row: &GuestLoginRow) -> Outcome<()> {
    let action = match wish.due {
        Due::Kept => return Ok(guest_logins::set_retired(db, &row.name, None).await?),
        Due::Made => "guestlogin.create",
        Due::Rotated => "guestlogin.rotate",
    };
    guest_logins::set_made(db, &row.name, &now()).await?;
    let mut detail = detail(row);
    if let Some(old) = wish.found.as_ref().filter(|_| wish.due == Due::Rotated) {
        detail = detail.with("insteadOf", audit::name(&old.name));
        guest_logins::set_retired(db, &old.name, Some(&now())).await?;
    }
    Ok(audit::append(db, caller, &at.deed(action, detail)).await?)
}

/// Of those that are needed the newest stays.
async fn retire(db: &mut Db, at: At<'_>, mut needed: BTreeSet<(String, String)>) -> Outcome<()> {
    let connections = envs::connections(db, at.project, at.env).await?;
    // The newest comes first.
    for row in guest_logins::of_env(db, at.project, at.env).await? {
        let is_here = row.made_at.is_some() && connections.iter().any(|connection| is_at(&row, connection));
        let is_first = is_here && needed.remove(&(row.connection.clone(), row.powers.clone()));
        if !is_first && row.retired_at.is_none() {
            guest_logins::set_retired(db, &row.name, Some(&now())).await?;
        }
    }
    Ok(())
}

/// Whether a login was made where a connection leads.
fn is_at(login: &GuestLoginRow, connection: &ConnectionRow) -> bool {
    login.address.is_none()
        && login.connection == connection.name
        && login.engine == connection.engine
        && login.place == connection.masked
}

/// A server has not endless users. That each is for declared tables alone is looked at for every engine (`verify::manifest`).
fn check(connection: &str, all: &BTreeSet<TablePowers>) -> Outcome<()> {
    if all.len() <= LOGINS_MAX {
        return Ok(());
    }
    let message = format!("guests' SQL on connection {connection:?} may have {LOGINS_MAX} distinct sets of powers");
    Err(Problem::limit(Code::BadRequest, "guestLogins", message)
        .hint("give logics that may do the same the same grants"))
}

/// Equal powers have one text.
fn text(powers: &TablePowers) -> Outcome<String> {
    serde_json::to_string(powers).map_err(Problem::internal)
}

fn detail(row: &GuestLoginRow) -> Detail {
    Detail::of("connection", audit::name(&row.connection))
        .with("user", audit::name(&row.name))
        .with("powers", audit::line(&row.powers))
}

fn name() -> Outcome<String> {
    let random = Secret::generate().map_err(Problem::internal)?;
    Ok(format!("{PREFIX}{}", &random.expose()[..NAME_DIGITS]))
}
