//! Who may have an instance now. There are so many at once, and of them one env, and within it one logic, can hold no more than its
//! share: whoever floods a Bridge waits in its own queue. It knows names, and nothing of what runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{engine::SandboxConfig, slices::Slices};

/// The least number of instances that a sandbox has.
const INSTANCES_MIN: u32 = 16;

/// An env, or a logic of it.
type Share = (String, Option<String>);

/// The places of a sandbox.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    env_max: usize,
    logic_max: usize,
    shares: Mutex<Shares>,
    slices: Slices,
    /// Of envs, as long as something has a [`Turn`] there.
    env_slices: Mutex<HashMap<String, Weak<Slices>>>,
}

/// Of envs, and of logics in them, as long as something has a [`Turn`] there: a logic of two releases has one share.
type Shares = HashMap<Share, Weak<Semaphore>>;

/// What a logic shares, and with whom.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Whose places it takes, the narrowest first: who waits for one keeps none of the others.
    places: Vec<(&'static str, Arc<Semaphore>)>,
    slices: Arc<Slices>,
}

/// Places, until it is dropped.
pub(crate) type Admitted = Vec<OwnedSemaphorePermit>;

impl SandboxConfig {
    /// Where nobody says how many instances one of so many envs may have: half of them, and all where it is alone.
    pub fn share_between(&mut self, envs: usize) {
        if envs > 1 {
            self.env_instances_max.get_or_insert(self.instances_max / 2);
        }
    }
}

impl Admission {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let all = config.instances_max.max(INSTANCES_MIN);
        let env = config.env_instances_max.unwrap_or(all).clamp(1, all);
        let logic = config.logic_instances_max.unwrap_or(env.div_ceil(2)).clamp(1, env);
        Self {
            all: Arc::new(Semaphore::new(all as usize)),
            env_max: env as usize,
            logic_max: logic as usize,
            shares: Mutex::default(),
            slices: Slices::new(),
            env_slices: Mutex::default(),
        }
    }

    /// Of nobody's share.
    pub(crate) fn turn(&self) -> Turn {
        Turn { places: vec![("sandboxInstances", Arc::clone(&self.all))], slices: Arc::new(self.slices.clone()) }
    }

    /// Of a logic of an env.
    pub(crate) fn turn_of(&self, env: &str, logic: &str) -> Turn {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        let mut share = |logic: Option<&str>, most: usize| {
            let kept = shares.entry((env.to_owned(), logic.map(str::to_owned))).or_default();
            kept.upgrade().unwrap_or_else(|| {
                let new = Arc::new(Semaphore::new(most));
                *kept = Arc::downgrade(&new);
                new
            })
        };
        let places = vec![
            ("sandboxLogicInstances", share(Some(logic), self.logic_max)),
            ("sandboxEnvInstances", share(None, self.env_max)),
            ("sandboxInstances", Arc::clone(&self.all)),
        ];
        drop(shares);
        Turn { places, slices: self.slices_of(env) }
    }

    fn slices_of(&self, env: &str) -> Arc<Slices> {
        let mut known = self.env_slices.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, slices| slices.strong_count() > 0);
        let kept = known.entry(env.to_owned()).or_default();
        kept.upgrade().unwrap_or_else(|| {
            let new = Arc::new(self.slices.of_another());
            *kept = Arc::downgrade(&new);
            new
        })
    }
}

impl Turn {
    /// Waits for its places no longer than so; else which setting bounds those that are all taken.
    pub(crate) async fn wait(&self, patience: Duration) -> Result<Admitted, &'static str> {
        let deadline = Instant::now() + patience;
        let mut admitted = Admitted::with_capacity(self.places.len());
        for (setting, places) in &self.places {
            // They are never closed.
            match timeout_at(deadline, Arc::clone(places).acquire_owned()).await {
                Ok(Ok(place)) => admitted.push(place),
                Ok(Err(_)) | Err(_) => return Err(setting),
            }
        }
        Ok(admitted)
    }

    /// Of the processors.
    pub(crate) fn slices(&self) -> &Slices {
        &self.slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn admission(instances: u32, env: Option<u32>, logic: Option<u32>) -> Admission {
        Admission::new(&SandboxConfig {
            instances_max: instances,
            env_instances_max: env,
            logic_instances_max: logic,
            ..SandboxConfig::default()
        })
    }

    async fn fill(turn: &Turn) -> (Vec<Admitted>, &'static str) {
        let mut all = Vec::new();
        loop {
            match turn.wait(SOON).await {
                Ok(one) => all.push(one),
                Err(setting) => return (all, setting),
            }
        }
    }

    #[tokio::test]
    async fn a_flood_takes_its_share_and_no_more() {
        let admission = admission(20, Some(12), Some(8));
        let (one, other) = (admission.turn_of("a/prod", "one"), admission.turn_of("a/prod", "other"));
        let neighbour = admission.turn_of("b/prod", "one");
        let (first, full) = fill(&one).await;
        assert_eq!((first.len(), full), (8, "sandboxLogicInstances"));
        let (second, full) = fill(&other).await;
        assert_eq!((second.len(), full), (4, "sandboxEnvInstances"));
        let (third, full) = fill(&neighbour).await;
        assert_eq!((third.len(), full), (8, "sandboxLogicInstances"));
        let (none, full) = fill(&admission.turn_of("b/prod", "other")).await;
        assert_eq!((none.len(), full), (0, "sandboxInstances"));
        // Who waited in vain keeps nothing.
        drop((first, second, third));
        assert_eq!(fill(&neighbour).await.0.len(), 8);
        assert_eq!(fill(&admission.turn()).await.0.len(), 20);
    }

    /// A release that is swapped in while the one before still runs.
    #[tokio::test]
    async fn a_logic_of_two_releases_has_one_share() {
        let admission = admission(20, None, Some(3));
        let before = admission.turn_of("a/prod", "one");
        let (held, _) = fill(&before).await;
        let after = admission.turn_of("a/prod", "one");
        assert_eq!(fill(&after).await.0.len(), 0);
        drop((held, before));
        assert_eq!(fill(&after).await.0.len(), 3);
        drop(after);
        drop(admission.turn_of("b/prod", "two"));
        admission.turn_of("c/prod", "three");
        assert_eq!(admission.shares.lock().unwrap().len(), 2, "what nobody uses is forgotten");
    }

    #[test]
    fn shares_are_never_more_than_there_is_nor_nothing() {
        for (instances, env, logic, expected) in [
            (1, None, None, (16, 8)),
            (20, Some(0), Some(0), (1, 1)),
            (20, Some(100), Some(100), (20, 20)),
            (32, Some(9), None, (9, 5)),
        ] {
            let admission = admission(instances, env, logic);
            assert_eq!((admission.env_max, admission.logic_max), expected);
        }
    }
}
