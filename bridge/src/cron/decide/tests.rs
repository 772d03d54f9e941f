//! What is decided of one row at one time. What comes of many looks is below: of Bridges whose releases differ, and of a year.

use super::*;

mod looks;
mod releases;
mod year;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-03-01T{text}Z").parse().unwrap()
}

fn state(last_tick: &str) -> State {
    State {
        times: "hourly".to_owned(),
        last_tick: at(last_tick),
        failures: 0,
        skipped: 0,
        opened_at: None,
        run: None,
        lease_until: None,
    }
}

fn hourly() -> Times {
    Times::Schedule(Schedule::parse("0 * * * *").unwrap())
}

/// By a Bridge that begins now: nothing but the row says what was dealt with.
fn decided(state: &State, now: &str, catch_up: bool) -> Decision {
    decided_since(state, now, (now, false), catch_up)
}

fn decided_since(state: &State, now: &str, (since, is_claimed): (&str, bool), catch_up: bool) -> Decision {
    let declared = Declared { times: &hourly(), told: "hourly", enabled: true, catch_up };
    state.decide(declared, Seen { now: at(now), since: at(since), is_claimed })
}

#[test]
fn a_tick_is_dealt_with_once() {
    let state = state("09:00:00");
    assert_eq!(decided(&state, "09:59:59", false), Decision::Wait);
    assert_eq!(decided(&state, "10:00:00", false), Decision::Run(at("10:00:00"), Cause::Schedule));
    assert_eq!(decided(&state, "10:00:59", false), Decision::Run(at("10:00:00"), Cause::Schedule));
    let dealt_with = State { last_tick: at("10:00:00"), ..state };
    assert_eq!(decided(&dealt_with, "10:00:59", false), Decision::Wait);
}

#[test]
fn what_was_missed_runs_once_or_never() {
    let state = state("03:00:00");
    assert_eq!(decided(&state, "10:30:00", false), Decision::Miss(at("10:00:00")));
    assert_eq!(decided(&state, "10:30:00", true), Decision::Run(at("10:00:00"), Cause::CatchUp));
    // Its own tick is not late, and it stands for the six before.
    assert_eq!(decided(&state, "10:00:30", true), Decision::Run(at("10:00:00"), Cause::CatchUp));
}

/// What is decided of a job whose last tick was at nine, and what is told of those that nobody has run.
fn told(told: &str, now: &str, catch_up: bool, change: fn(&mut State)) -> (Decision, Option<Missed>) {
    let times = looks::Bridge::of(told).times;
    let mut row = State { times: told.to_owned(), ..state("09:00:00") };
    change(&mut row);
    let declared = Declared { times: &times, told, enabled: true, catch_up };
    let decision = row.decide(declared, Seen { now: at(now), since: at(now), is_claimed: false });
    (decision, row.missed(decision, declared, at(now)))
}

#[test]
fn ticks_that_nobody_has_run_are_told_by_one_row() {
    let run = |tick, cause| Decision::Run(at(tick), cause);
    let missed = |count, first, last| Some(Missed { count, first: at(first), last: at(last) });
    for (times, now, decision, wanted) in [
        // The last one is not late: it runs, and the eleven before are told.
        ("*/5 * * * *", "10:00:30", run("10:00:00", Cause::Schedule), missed(11, "09:05:00", "09:55:00")),
        ("*/5 * * * *", "10:02:00", Decision::Miss(at("10:00:00")), missed(12, "09:05:00", "10:00:00")),
        ("*/5 * * * *", "09:05:30", run("09:05:00", Cause::Schedule), None),
        ("*/5 * * * *", "09:07:00", Decision::Miss(at("09:05:00")), missed(1, "09:05:00", "09:05:00")),
        ("every 10s", "10:00:03", run("10:00:00", Cause::Schedule), missed(359, "09:00:10", "09:59:50")),
        // Who is there again within a minute has missed none.
        ("every 10s", "09:01:10", run("09:01:10", Cause::Schedule), None),
        ("every 10s", "09:01:11", run("09:01:10", Cause::Schedule), missed(6, "09:00:10", "09:01:00")),
        ("every 1s", "20:00:00", run("20:00:00", Cause::Schedule), missed(MISSED_MAX + 1, "09:00:01", "19:59:59")),
    ] {
        assert_eq!(told(times, now, false, |_| {}), (decision, wanted), "{times} {now}");
    }
    // One run stands for all, also of a job whose ticks are never late.
    assert_eq!(told("every 10s", "10:00:03", true, |_| {}), (run("10:00:00", Cause::CatchUp), None));
    assert_eq!(told("*/5 * * * *", "10:02:00", true, |_| {}), (run("10:00:00", Cause::CatchUp), None));
    assert_eq!(told("every 10s", "09:01:00", true, |_| {}), (run("09:01:00", Cause::Schedule), None));
}

#[test]
fn only_ticks_that_were_to_run_are_missed() {
    let hour = |change: fn(&mut State)| told("every 10s", "10:00:03", false, change);
    let running = hour(|row| (row.run, row.lease_until) = (Some("r".into()), Some(at("10:00:10"))));
    assert_eq!(running.0, Decision::Skip(at("10:00:00")));
    assert_eq!(running.1.map(|missed| missed.count), Some(359), "no Bridge has looked, whatever goes on");
    for (change, why) in [
        (hour(|row| row.opened_at = Some(at("09:00:00"))), "it was stopped"),
        (hour(|row| row.times = "every 1m".into()), "its schedule was another one"),
        (hour(|row| row.times = NEVER.into()), "it was disabled"),
        (hour(|row| row.last_tick = at("23:00:00")), "a clock was wrong"),
    ] {
        assert_eq!(change.1, None, "{why}: {:?}", change.0);
    }
}

#[test]
fn how_many_were_missed_is_said() {
    let said = |count| Missed { count, first: at("09:05:00"), last: at("09:55:00") }.to_string();
    assert_eq!(said(1), "one tick was missed, that of 2026-03-01T09:05:00Z");
    assert_eq!(said(11), "11 ticks were missed, from that of 2026-03-01T09:05:00Z on");
    assert_eq!(said(MISSED_MAX + 2), "more than 10000 ticks were missed, from that of 2026-03-01T09:05:00Z on");
}

#[test]
fn runs_do_not_overlap_and_a_dead_bridge_is_not_waited_for() {
    let running = State { run: Some("r".into()), lease_until: Some(at("10:00:10")), ..state("09:00:00") };
    assert_eq!(decided(&running, "10:00:00", false), Decision::Skip(at("10:00:00")));
    assert!(!running.is_lost(at("10:00:00")) && running.is_lost(at("10:00:10")));
    assert_eq!(decided(&running, "10:00:11", false), Decision::Run(at("10:00:00"), Cause::Schedule));
}

#[test]
fn ten_failures_open_the_breaker_and_a_success_forgets_them() {
    let mut state = state("09:00:00");
    for _ in 1..FAILURES_MAX {
        assert!(!state.end(false, at("10:00:00")));
    }
    assert!(!state.end(true, at("10:00:00")) && state.failures == 0);
    let opened: Vec<bool> = (0..12).map(|_| state.end(false, at("10:00:00"))).collect();
    assert_eq!(opened.iter().position(|opens| *opens), Some(9));
    assert_eq!(opened.iter().filter(|opens| **opens).count(), 1, "it is opened once");
    assert_eq!(decided(&state, "11:00:00", true), Decision::Pass(at("11:00:00")));
}

#[test]
fn a_clock_that_was_ahead_stops_no_job_for_as_long() {
    let ahead = state("23:00:00");
    assert_eq!(decided(&ahead, "10:00:30", true), Decision::Pass(at("10:00:30")));
    let hardly = state("10:00:00");
    assert_eq!(decided(&hardly, "09:59:30", true), Decision::Wait, "it runs once");
    let held = State { run: Some("r".into()), lease_until: Some(at("23:00:00")), ..state("09:00:00") };
    assert!(held.is_lost(at("10:00:00")) && !held.is_running(at("10:00:00")));
    assert_eq!(decided(&held, "10:00:00", false), Decision::Run(at("10:00:00"), Cause::Schedule));
}

#[test]
fn another_schedule_begins_with_now() {
    let before = State { times: "0 1 * * *".into(), ..state("01:00:00") };
    assert_eq!(decided(&before, "10:30:00", true), Decision::Pass(at("10:30:00")));
}

#[test]
fn a_tick_that_has_come_meanwhile_runs_whatever_schedule_the_row_is_of() {
    let other = State { times: "30 3 * * *".into(), ..state("10:00:02") };
    let decided = |now, since, is_claimed| decided_since(&other, now, (since, is_claimed), false);
    assert_eq!(decided("10:00:05", "09:30:00", false), Decision::Run(at("10:00:00"), Cause::Schedule));
    assert_eq!(decided("10:00:05", "10:00:00", false), Decision::Run(at("10:00:00"), Cause::Schedule));
    assert_eq!(decided("10:00:05", "10:00:01", false), Decision::Pass(at("10:00:05")), "it was before the change");
    assert_eq!(decided("10:00:05", "09:30:00", true), Decision::Pass(at("10:00:00")), "it has run");
    assert_eq!(decided("10:02:00", "09:30:00", false), Decision::Miss(at("10:00:00")), "it is told, not lost");
    // Of another release that has the same schedule, and began after the tick.
    let passed = state("10:00:02");
    let decided = |since| decided_since(&passed, "10:00:05", (since, false), false);
    assert_eq!(decided("09:30:00"), Decision::Run(at("10:00:00"), Cause::Schedule));
    assert_eq!(decided("10:00:01"), Decision::Wait);
}

#[test]
fn a_tick_of_both_schedules_is_not_lost_by_the_change() {
    let of = |times: &str| decided(&State { times: times.into(), ..state("09:00:00") }, "10:00:05", false);
    for times in ["*/30 * * * *", "0 10 * * *", "every 5m", "every 1h"] {
        assert_eq!(of(times), Decision::Run(at("10:00:00"), Cause::Schedule), "{times}");
    }
    for times in ["30 * * * *", "0 11 * * *", "every 1d", NEVER, "every 7m", "every", ""] {
        assert_eq!(of(times), Decision::Pass(at("10:00:05")), "{times}");
    }
}

#[test]
fn who_is_disabled_takes_no_tick_from_another_release() {
    let (times, mut row) = (hourly(), state("09:00:00"));
    let disabled = Declared { times: &times, told: "hourly", enabled: false, catch_up: true };
    let seen = |now: &str, since: &str| Seen { now: at(now), since: at(since), is_claimed: false };
    let decision = row.decide(disabled, seen("10:00:01", "09:30:00"));
    assert_eq!(decision, Decision::Pass(at("10:00:01")));
    row.note(decision, disabled);
    assert_eq!(row.decide(disabled, seen("10:00:02", "09:30:00")), Decision::Wait, "it is written once");
    let decided = |since| decided_since(&row, "10:00:05", (since, false), false);
    assert_eq!(decided("09:30:00"), Decision::Run(at("10:00:00"), Cause::Schedule));
    // Whoever lets it run by itself begins with then, and catches nothing up.
    assert_eq!(decided("10:00:02"), Decision::Pass(at("10:00:05")));
    assert_eq!(decided_since(&row, "12:30:00", ("12:30:00", false), true), Decision::Pass(at("12:30:00")));
}

#[test]
fn rare_runs_are_kept_longer() {
    let kept = |text: &str| {
        let times = Times::Schedule(Schedule::parse(text).unwrap());
        (expires_at(&times, at("00:00:00")) - at("00:00:00")).num_days()
    };
    assert_eq!((kept("* * * * *"), kept("*/5 * * * *"), kept("0 0 * * *"), kept("0 0 29 2 *")), (1, 3, 30, 30));
}
