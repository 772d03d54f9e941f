//! A year of a job, with the time given in. What it costs is counted in looks: it takes no time that a clock could say.

use super::{
    looks::{Became, Bridge, World},
    *,
};

fn day(text: &str) -> DateTime<Utc> {
    format!("{text}T00:00:00Z").parse().unwrap()
}

/// Looks from one day to another: a moment after each tick, and at least so often.
fn pass(world: &mut World, bridge: &mut Bridge, (from, until): (DateTime<Utc>, DateTime<Utc>), at_least: TimeDelta) {
    let mut now = from;
    while now < until {
        world.look(bridge, now);
        let next = bridge.times.next_after(now).map(|next| next + TimeDelta::milliseconds(700));
        now = next.unwrap_or(until).min(now + at_least);
    }
}

fn year(told: &str, of: i32) -> World {
    let (mut world, mut bridge) = (World::default(), Bridge::of(told));
    let from = day(&format!("{of}-01-01")) - TimeDelta::milliseconds(1);
    pass(
        &mut world,
        &mut bridge,
        (from, day(&format!("{}-01-01", of + 1)) - TimeDelta::milliseconds(1)),
        TimeDelta::days(1),
    );
    world
}

#[test]
fn each_tick_of_a_year_runs_once() {
    for (told, of, runs) in [
        ("every 15m", 2027, 365 * 96),
        ("every 1d", 2027, 365),
        ("every 1d", 2028, 366),
        ("0 3 * * *", 2028, 366),
        ("*/10 9-17 * * mon-fri", 2027, 261 * 54),
        ("0 0 31 * *", 2027, 7),
        ("59 23 28-31 2 *", 2027, 1),
        ("59 23 28-31 2 *", 2028, 2),
        ("0 0 29 2 *", 2027, 0),
        ("0 0 29 2 *", 2028, 1),
        ("0 0 1 1 *", 2028, 1),
    ] {
        let world = year(told, of);
        assert_eq!(world.count(Became::Run(Cause::Schedule)), runs, "{told} in {of}");
        assert_eq!(world.became.len(), runs, "{told} in {of}: none is late, none is skipped");
        assert_eq!(world.missed, [0; 0], "{told} in {of}");
        assert!(
            world.looks <= runs + 368,
            "{told} in {of}: one look for each tick and each day, and not {}",
            world.looks
        );
    }
}

#[test]
fn a_leap_day_is_run_on_and_waited_for() {
    let world = year("0 0 29 2 *", 2028);
    assert_eq!(world.became.keys().copied().collect::<Vec<_>>(), [day("2028-02-29")]);
}

#[test]
fn a_run_that_takes_longer_than_its_interval_leaves_out_every_other_tick() {
    let (mut world, mut bridge) =
        (World { runs_for: TimeDelta::minutes(90), ..World::default() }, Bridge::of("every 1h"));
    pass(&mut world, &mut bridge, (at("00:00:00"), at("00:00:00") + TimeDelta::days(365)), TimeDelta::minutes(10));
    let (ran, skipped) = (world.count(Became::Run(Cause::Schedule)), world.count(Became::Skipped));
    assert_eq!(
        (ran, skipped),
        (365 * 12, 365 * 12 - 1),
        "the first look is the first tick's, and the job begins with it"
    );
    assert_eq!(world.skipped(), 365 * 12 - 1);
    let all: Vec<Became> = world.became.values().copied().collect();
    assert!(
        all.chunks(2)
            .all(|two| two[0] == Became::Run(Cause::Schedule) && two.get(1).is_none_or(|two| *two == Became::Skipped))
    );
}

#[test]
fn what_is_missed_while_nobody_is_there_is_one_run_or_none() {
    for (catch_up, wanted) in [(true, Became::Run(Cause::CatchUp)), (false, Became::Missed)] {
        let mut world = World::default();
        let mut bridge = Bridge { catch_up, ..Bridge::of("0 3 * * *") };
        let away = day("2028-02-20") + TimeDelta::hours(12);
        let back = day("2028-04-10") + TimeDelta::hours(7);
        pass(&mut world, &mut bridge, (day("2028-01-01"), away), TimeDelta::hours(6));
        // The Bridge that comes back knows nothing.
        bridge.restart();
        pass(&mut world, &mut bridge, (back, day("2029-01-01")), TimeDelta::hours(6));
        assert_eq!(world.count(wanted), 1, "catchUp {catch_up}");
        assert_eq!(world.became[&(day("2028-04-10") + TimeDelta::hours(3))], wanted);
        // One row tells of all, unless one run stands for them.
        let missed = if catch_up { Vec::new() } else { vec![50] };
        assert_eq!(world.missed, missed, "catchUp {catch_up}");
        // Of 366 days those are out that nobody was there, from the 21st of February to the 9th of April.
        assert_eq!(world.became.len(), 366 - 49);
        assert_eq!(world.count(Became::Run(Cause::Schedule)), 366 - 50);
    }
}
