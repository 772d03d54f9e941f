//! Schedules beside what another implementation says of them, and what is refused.

use std::time::Instant;

use serde::Deserialize;

use super::*;

/// Ticks that another implementation has found: `schedules.json`, made by `schedules.py` beside it.
#[derive(Deserialize)]
struct Known {
    schedule: String,
    from: DateTime<Utc>,
    count: usize,
    /// All ticks of the years that follow, as the sum of their minutes since 1970.
    sum: i64,
    first: Vec<DateTime<Utc>>,
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn years_of_ticks_are_those_of_another_implementation() {
    let all: Vec<Known> = serde_json::from_str(include_str!("schedules.json")).unwrap();
    assert!(all.len() > 30);
    let began = Instant::now();
    for known in &all {
        let schedule = schedule(&known.schedule);
        let (mut at, mut found) = (known.from, Vec::new());
        while found.len() < known.count {
            at = schedule.next_after(at).unwrap();
            found.push(at);
        }
        let text = &known.schedule;
        assert_eq!(found[..known.first.len()], known.first[..], "{text}");
        let sum: i64 = found.iter().map(|tick| tick.timestamp() / 60).sum();
        assert_eq!(sum, known.sum, "{text}");
        for pair in found.windows(2).take(500) {
            let before_next = pair[1] - TimeDelta::seconds(1);
            assert_eq!(schedule.at_or_before(before_next), Some(pair[0]), "{text}");
            assert_eq!(schedule.at_or_before(pair[1]), Some(pair[1]), "{text}");
        }
    }
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn a_leap_day_is_waited_for() {
    let leap = schedule("0 0 29 2 *");
    let next = |at: &str| leap.next_after(at.parse().unwrap()).unwrap().to_rfc3339();
    assert_eq!(next("2096-03-01T00:00:00Z"), "2104-02-29T00:00:00+00:00");
    assert_eq!(next("2026-01-01T00:00:00Z"), "2028-02-29T00:00:00+00:00");
}

#[test]
fn a_tick_is_after_now_and_never_now() {
    let hourly = schedule("0 * * * *");
    let at: DateTime<Utc> = "2026-01-01T10:00:00Z".parse().unwrap();
    assert_eq!(hourly.next_after(at).unwrap().to_rfc3339(), "2026-01-01T11:00:00+00:00");
    assert_eq!(hourly.next_after(at - TimeDelta::milliseconds(1)), Some(at));
    assert_eq!(hourly.at_or_before(at), Some(at));
    assert!(hourly.next_after(DateTime::<Utc>::MAX_UTC).is_none());
    assert!(hourly.at_or_before(DateTime::<Utc>::MIN_UTC).is_none_or(|found| found <= DateTime::<Utc>::MIN_UTC));
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    for (text, column, part) in [
        ("", 1, "five fields"),
        ("* * * *", 1, "five fields"),
        ("0 0 * * * *", 1, "five fields"),
        ("@daily", 1, "five fields"),
        ("60 * * * *", 1, "minute"),
        ("0 24 * * *", 3, "hour"),
        ("0  0 0 * *", 6, "day of month"),
        ("0 0 * jam *", 7, "month"),
        ("0 0 * * 8", 9, "day of week"),
        ("0 0 * * 1,2,x", 13, "day of week"),
        ("5-1 * * * *", 1, "ends before"),
        ("*/0 * * * *", 1, "step"),
        ("5/10 * * * *", 1, "two ways"),
        ("*/-1 * * * *", 1, "step"),
        ("+1 * * * *", 1, "minute"),
        ("1, * * * *", 3, "minute"),
        ("0 0 31 2 *", 5, "no such day"),
        ("0 0 31 4,6,9,11 *", 5, "no such day"),
        ("0 0 L * *", 5, "day of month"),
        ("0 0 1W * *", 5, "day of month"),
        ("0 0 * * 1#2", 9, "day of week"),
        ("0 0 ? * *", 5, "day of month"),
        ("H * * * *", 1, "minute"),
        ("0 0 * * mon-sun", 9, "ends before"),
        ("9999999999999999999999 * * * *", 1, "minute"),
        ("\u{661} * * * *", 1, "minute"),
    ] {
        let error = Schedule::parse(text).unwrap_err();
        assert!(error.column == column && error.message.contains(part), "{text}: {} {error}", error.column);
    }
    assert!(Schedule::parse(&"*".repeat(300)).is_err());
    assert!(Schedule::parse("1-59/2,0 0-23/1 1,15 JAN-dec Mon,7").is_ok());
}
