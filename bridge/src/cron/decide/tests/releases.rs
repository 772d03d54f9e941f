//! Bridges whose releases differ, in any order of their looks.

use proptest::prelude::*;

use super::{
    looks::{Became, Bridge, World},
    *,
};

/// No tick of these comes sooner after another than a Bridge looks.
const TOLD: [&str; 7] = ["every 1m", "every 2m", "every 5m", "* * * * *", "*/3 * * * *", "1-59/2 * * * *", "7 * * * *"];

/// However they are drawn, a Bridge that is there looks as often as this.
const LOOKS_AGAIN: TimeDelta = TimeDelta::seconds(40);

/// Who looks next, and how many seconds later.
#[derive(Clone, Copy, Debug)]
enum Step {
    Current(u8),
    Behind(u8),
    /// A Bridge with the current release whose process ends each time.
    Restarted(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..3, 0_u8..20).prop_map(|(who, after)| match who {
        0 => Step::Current(after),
        1 => Step::Behind(after),
        _ => Step::Restarted(after),
    });
    prop::collection::vec(step, 50..400)
}

fn bridge() -> impl Strategy<Value = Bridge> {
    (prop::sample::select(TOLD.to_vec()), any::<bool>(), any::<bool>()).prop_map(|(told, enabled, catch_up)| Bridge {
        enabled,
        catch_up,
        ..Bridge::of(told)
    })
}

/// The ticks of a Bridge's release after a time and not after another.
fn ticks(bridge: &Bridge, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let next = |at: &DateTime<Utc>| bridge.times.next_after(*at).filter(|next| *next <= until);
    std::iter::successors(next(&after), next).collect()
}

proptest! {
    #[test]
    fn every_tick_of_the_current_release_runs_once_whoever_else_looks(behind in bridge(), current in bridge(), steps in steps()) {
        let (mut world, mut now) = (World::default(), at("09:59:31"));
        let (mut current, mut behind) = (Bridge { enabled: true, ..current }, behind);
        let mut restarted = current.clone();
        world.look(&mut behind, now);
        world.look(&mut current, now);
        let (began, mut looked) = (now, now);
        for step in steps {
            let (Step::Current(after) | Step::Behind(after) | Step::Restarted(after)) = step;
            now += TimeDelta::seconds(after.into());
            if now - looked >= LOOKS_AGAIN || matches!(step, Step::Current(_)) {
                world.look(&mut current, now);
                looked = now;
            }
            match step {
                Step::Current(_) => {}
                Step::Behind(_) => {
                    // Drawn seldom, it has missed ticks of its own release, and says so.
                    let told = world.missed.len();
                    world.look(&mut behind, now);
                    world.missed.truncate(told);
                }
                Step::Restarted(_) => {
                    restarted.restart();
                    world.look(&mut restarted, now);
                }
            }
        }
        for tick in ticks(&current, began, looked) {
            prop_assert_eq!(world.became.get(&tick), Some(&Became::Run(Cause::Schedule)), "{}", tick);
        }
        prop_assert!(world.missed.is_empty(), "{:?}", world.missed);
        // That no tick is run twice is seen at each look. What else has run is of the other release.
        for tick in world.became.keys() {
            let is_of = |bridge: &Bridge| bridge.enabled && bridge.times.at_or_before(*tick) == Some(*tick);
            prop_assert!(is_of(&current) || is_of(&behind), "{}", tick);
        }
    }

    #[test]
    fn no_change_runs_what_was_before_it(before in bridge(), after in bridge(), steps in steps(), changes in 0_usize..50) {
        let (mut world, mut now) = (World::default(), at("09:59:31"));
        let mut bridges = [before.clone(), before.clone()];
        let mut changed = [None, None];
        for (at, step) in steps.iter().enumerate() {
            let (Step::Current(seconds) | Step::Behind(seconds) | Step::Restarted(seconds)) = step;
            now += TimeDelta::seconds((*seconds).into());
            let which = usize::from(matches!(step, Step::Current(_)));
            if at >= changes && changed[which].is_none() {
                bridges[which].load(&after);
                changed[which] = Some(now);
            }
            if matches!(step, Step::Restarted(_)) {
                bridges[which].restart();
            }
            let decision = world.look(&mut bridges[which], now);
            let had = before.enabled && matches!(decision, Decision::Run(tick, _) if before.times.at_or_before(tick) == Some(tick));
            if let (Decision::Run(tick, _), false) = (decision, had) {
                let first = changed.iter().flatten().min().unwrap();
                prop_assert!(tick >= *first, "{} of a schedule since {}", tick, first);
            }
        }
    }
}

#[test]
fn a_bridge_that_is_behind_takes_no_tick() {
    for is_enabled in [true, false] {
        let (mut current, mut world) = (Bridge::of("every 1m"), World::default());
        let mut behind = Bridge { enabled: is_enabled, ..Bridge::of("30 4 * * *") };
        let began = at("10:00:30");
        for second in 0..600 {
            let now = began + TimeDelta::seconds(second);
            // The one that is behind is always the first.
            world.look(&mut behind, now);
            world.look(&mut current, now);
        }
        assert_eq!(world.count(Became::Run(Cause::Schedule)), 10, "{:?}", world.became);
    }
}
