//! What is wrong with a Bridge, in words, and what to do about it. Pure: from what was reported and what the Hub knows.

use super::{
    super::answers::fleet::{Finding, Severity},
    Bridge, Surroundings, time,
};
use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    release::{VERSION, verify},
    wire::{EnvReport, EnvState, Refused, Standing},
};

/// Clocks that differ by more make keys and tokens expire at the wrong time.
const SKEW_SECONDS_MAX: i64 = 10;
/// A Bridge has this long to load what an env points to before it is said to be behind.
const LOADING_MAX: TimeDelta = TimeDelta::seconds(60);

/// Of one Bridge, the worst first.
pub(super) fn of_bridge(bridge: &Bridge, around: &Surroundings) -> Vec<Finding> {
    if bridge.is_silent(around.now) {
        let (since, until) = (span(around.now - bridge.seen), time(bridge.seen + around.kept));
        let todo = format!(
            "if it should run, run `stk bridge test-hub-connectivity` where it does; else nothing: it is forgotten at {until}"
        );
        return vec![finding(Severity::Warning, None, format!("it has not reported for {since}"), todo)];
    }
    let mut all: Vec<Finding> = bridge.envs.values().filter_map(|env| of_env(bridge, env, around)).collect();
    all.extend(bridge.envs.values().filter_map(of_jobs));
    all.extend(of_clock(bridge));
    if let Some(standing) = &bridge.standing {
        all.extend(of_trust(standing, around));
        all.extend(of_standing(standing));
    }
    if !verify::is_at_most(VERSION, &bridge.version) {
        let what = format!("it is older than the Hub ({VERSION})");
        all.push(finding(Severity::Note, None, what, "update it, before a release needs it".to_owned()));
    }
    all.sort_by_key(|finding| finding.severity as u8);
    all
}

/// Envs that run a release, and that no Bridge serves.
pub(super) fn of_envs(bridges: &[Bridge], around: &Surroundings) -> Vec<Finding> {
    let serves =
        |env: &str| bridges.iter().any(|bridge| !bridge.is_silent(around.now) && bridge.envs.contains_key(env));
    let without = around.pointers.keys().filter(|env| !serves(env));
    let tell = |env: &String| {
        let todo = format!("start one with `stk bridge serve --envs {}/{env}`", around.project);
        finding(Severity::Warning, Some(env), "no Bridge serves it".to_owned(), todo)
    };
    without.map(tell).collect()
}

/// The first of what can be wrong with one env: what comes after follows from it.
fn of_env(bridge: &Bridge, env: &EnvReport, around: &Surroundings) -> Option<Finding> {
    let (release, sequence, since) = around.pointers.get(&env.env)?;
    let tell = |severity, what: String, todo: String| Some(finding(severity, Some(&env.env), what, todo));
    if env.sequence > *sequence {
        let what = format!(
            "it runs pointer {}, the Hub's is {sequence}: the Hub was restored from an older state",
            env.sequence
        );
        let todo = format!("move the pointer until it is above {}: `stk release promote` there and back", env.sequence);
        return tell(Severity::Error, what, todo);
    }
    if let Some(refused) = &env.refused {
        let name = if refused.release_id.is_empty() { "the Hub's pointer" } else { &refused.release_id };
        let what = format!("it refuses {name} ({}): {}", refused.code, refused.message);
        return tell(Severity::Error, what, of_refusal(bridge, env, refused));
    }
    match env.state {
        EnvState::Expired => {
            let what =
                format!("it answers 503: the Hub has not confirmed its release for {}", seconds(env.cache_age_seconds));
            tell(
                Severity::Error,
                what,
                "its log says why polls fail; `stk bridge test-hub-connectivity` where it runs".to_owned(),
            )
        }
        EnvState::Stale => {
            let what = format!("the Hub has not confirmed its release for {}", seconds(env.cache_age_seconds));
            tell(
                Severity::Warning,
                what,
                "its log says why polls fail; `stk bridge test-hub-connectivity` where it runs".to_owned(),
            )
        }
        _ if env.sequence < *sequence && around.now - *since > LOADING_MAX => {
            let what = format!("it has not loaded {release} since {}", time(*since));
            tell(Severity::Warning, what, "its log says what it waits for".to_owned())
        }
        _ => None,
    }
}

fn of_refusal(bridge: &Bridge, env: &EnvReport, refused: &Refused) -> String {
    match refused.code {
        Code::IncompatibleBridge => format!("update this Bridge (it is {})", bridge.version),
        _ if refused.release_id.is_empty() || refused.message.contains("signature") => {
            "its trustedKeys must name who signs: `stk keys status` shows which it trusts and which sign".to_owned()
        }
        Code::ServiceUnavailable => "the log of the Hub; the Bridge tries again by itself".to_owned(),
        _ => format!(
            "correct the cause and apply again, or go back with `stk release rollback --env {}`; it serves what it ran before",
            env.env
        ),
    }
}

/// Jobs that wait for somebody. Each Bridge of the env says the same: what they know is in its database.
fn of_jobs(env: &EnvReport) -> Option<Finding> {
    let first = env.stopped_jobs.first()?;
    let names: Vec<&str> = env.stopped_jobs.iter().map(String::as_str).collect();
    let what = format!("failed too often and not run any more: {}", names.join(", "));
    let todo = format!(
        "`stk cron status {first} --env {env}` says why; `stk cron resume {first} --env {env}` lets it run again",
        env = env.env
    );
    Some(finding(Severity::Warning, Some(&env.env), what, todo))
}

fn of_clock(bridge: &Bridge) -> Option<Finding> {
    let skew = bridge.clock_skew_seconds.filter(|skew| skew.abs() > SKEW_SECONDS_MAX)?;
    let (by, where_to) = (skew.unsigned_abs(), if skew > 0 { "ahead of" } else { "behind" });
    let what = format!("its clock is {} {where_to} the Hub's", seconds(by));
    let todo = "let both keep time by NTP: keys and operators' tokens expire by their clocks".to_owned();
    Some(finding(Severity::Warning, None, what, todo))
}

/// Whether it believes the Hub's newest key, an older one only, or none.
fn of_trust(standing: &Standing, around: &Surroundings) -> Option<Finding> {
    let [newest, older @ ..] = around.signing_keys.as_slice() else { return None };
    let trusts = |key: &String| standing.trusted_keys.iter().flatten().any(|trusted| trusted == key);
    if trusts(newest) {
        return None;
    }
    let todo = format!("add key {newest} to its STK_BRIDGE_TRUSTED_KEYS (`stk keys list` shows it) and restart it");
    Some(match older.iter().find(|key| trusts(key)) {
        Some(old) => {
            finding(Severity::Warning, None, format!("of the Hub's keys it trusts the older {old} only"), todo)
        }
        None => finding(Severity::Error, None, "it trusts no key of this Hub".to_owned(), todo),
    })
}

fn of_standing(standing: &Standing) -> Vec<Finding> {
    let mut all = Vec::new();
    if !standing.limits_hit.is_empty() {
        let hit: Vec<String> =
            standing.limits_hit.iter().map(|(limit, count)| format!("{limit} {count} times")).collect();
        let what = format!("limits hit since it started: {}", hit.join(", "));
        all.push(finding(Severity::Note, None, what, "see docs/reference/limits.md for each".to_owned()));
    }
    if standing.events_wait {
        let what = "NATS is away: events wait in the database".to_owned();
        let todo = "look at the NATS that STK_BRIDGE_NATS_URL names, and at the Bridge's log; how many wait is stk_bridge_events_waiting".to_owned();
        all.push(finding(Severity::Error, None, what, todo));
    }
    if !standing.seals_cache {
        let what = "a restart of it while the Hub is away answers 503".to_owned();
        let todo = "set STK_BRIDGE_CACHE_KEY, so that its cache has connections and secrets, sealed".to_owned();
        all.push(finding(Severity::Note, None, what, todo));
    }
    all
}

fn finding(severity: Severity, env: Option<&String>, what: String, todo: String) -> Finding {
    Finding { severity, env: env.cloned(), what, todo }
}

fn span(time: TimeDelta) -> String {
    seconds(time.num_seconds().unsigned_abs())
}

/// The two largest units.
fn seconds(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests;
