//! Schedules beside what another implementation says of them, and what is refused.

use std::cell::Cell;

use serde::Deserialize;

use super::*;

thread_local! {
    /// What a search costs: it goes from day to day, and within a day it asks sets of bits.
    pub(super) static DAYS_LOOKED_AT: Cell<i64> = const { Cell::new(0) };
}

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
    for known in &all {
        let schedule = schedule(&known.schedule);
        let (mut at, mut found) = (known.from, Vec::new());
        DAYS_LOOKED_AT.set(0);
        while found.len() < known.count {
            at = schedule.next_after(at).unwrap();
            found.push(at);
        }
        // Each day that lies between, and for each tick the one on which the search begins.
        let most = (at - known.from).num_days() + 1 + i64::try_from(known.count).unwrap();
        assert!(DAYS_LOOKED_AT.get() <= most, "{}: {} of {most}", known.schedule, DAYS_LOOKED_AT.get());
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
}

#[test]
fn the_search_goes_through_no_more_days_than_lie_between() {
    let looked_at = |find: &dyn Fn() -> Option<DateTime<Utc>>| {
        DAYS_LOOKED_AT.set(0);
        let found = find().unwrap();
        (found.to_rfc3339(), DAYS_LOOKED_AT.get())
    };
    let at: DateTime<Utc> = "2096-03-01T00:00:00Z".parse().unwrap();
    let leap = schedule("59 23 29 2 *");
    let days = (at.with_year(2104).unwrap() - at).num_days();
    assert_eq!(looked_at(&|| leap.next_after(at)), ("2104-02-29T23:59:00+00:00".to_owned(), days));
    assert_eq!(looked_at(&|| leap.at_or_before(at)), ("2096-02-29T23:59:00+00:00".to_owned(), 2));
    for (text, day) in [("59 23 * * *", 1), ("* * * * *", 1), ("0 0 * * *", 2)] {
        let schedule = schedule(text);
        assert_eq!(looked_at(&|| schedule.next_after(at)).1, day, "{text}");
    }
}

#[test]
fn minutes_are_those_that_the_fields_have() {
    for text in ["* * * * *", "0 0 * * *", "59 23 * * *", "0,59 0,12,23 * * *", "7-13/3 5-20/5 * * *", "30 * * * *"] {
        let schedule = schedule(text);
        let is_one = |minute: &u32| has(schedule.hours, minute / 60) && has(schedule.minutes, minute % 60);
        for minute in 0..24 * 60 {
            assert_eq!(schedule.first_from(minute), (minute..24 * 60).find(is_one), "{text} from {minute}");
            assert_eq!(schedule.last_until(minute), (0..=minute).rev().find(is_one), "{text} until {minute}");
        }
    }
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
