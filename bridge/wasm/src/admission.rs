//! Who may have an instance now. There are so many at once, and of them one project, within it one env, and within that one logic can
//! hold no more than its share: whoever floods a Bridge waits in its own queue, however many envs it has. It knows names, and nothing of
//! what runs.

use std::{
    collections::{BTreeMap, HashMap},
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

/// A project, an env of it, or a logic of that: its names from the outside in.
type Share = Vec<String>;

/// The places of a sandbox.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    project_max: usize,
    env_max: usize,
    logic_max: usize,
    shares: Mutex<Shares>,
    slices: Slices,
    /// Queues for the processors.
    queues: Mutex<Shares>,
}

/// Of projects, of envs in them, and of logics in those, as long as something has a [`Turn`] there: a logic of two releases has one share.
type Shares = HashMap<Share, Weak<Semaphore>>;

/// What a logic shares, and with whom.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Whose places it takes, the narrowest first: who waits for one keeps none of the wider ones.
    places: Vec<(&'static str, Arc<Semaphore>)>,
    slices: Slices,
}

/// Places, until it is dropped.
pub(crate) type Admitted = Vec<OwnedSemaphorePermit>;

impl SandboxConfig {
    /// Where nobody says how many instances one of several may have: a project half of them (or as many as one env of it where that is
    /// set to more), an env half of its project's, and who is alone all. `projects` names that of each env.
    pub fn share_between<'a>(&mut self, projects: impl IntoIterator<Item = &'a str>) {
        let mut envs = BTreeMap::<&str, usize>::new();
        for project in projects {
            *envs.entry(project).or_default() += 1;
        }
        if envs.len() > 1 {
            let half = self.instances_max / 2;
            // What somebody has set for one env is not made less by what nobody has set for its project.
            let project = self.env_instances_max.map_or(half, |env| env.max(half));
            self.project_instances_max.get_or_insert(project);
        }
        if envs.values().any(|envs| *envs > 1) {
            let project = self.project_instances_max.unwrap_or(self.instances_max).min(self.instances_max);
            self.env_instances_max.get_or_insert(project / 2);
        }
    }
}

impl Admission {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let all = config.instances_max.max(INSTANCES_MIN);
        let project = config.project_instances_max.unwrap_or(all).clamp(1, all);
        let env = config.env_instances_max.unwrap_or(project).clamp(1, project);
        let logic = config.logic_instances_max.unwrap_or(env.div_ceil(2)).clamp(1, env);
        Self {
            all: Arc::new(Semaphore::new(all as usize)),
            project_max: project as usize,
            env_max: env as usize,
            logic_max: logic as usize,
            shares: Mutex::default(),
            slices: Slices::new(),
            queues: Mutex::default(),
        }
    }

    /// Of nobody's share.
    pub(crate) fn turn(&self) -> Turn {
        Turn { places: vec![("sandboxInstances", Arc::clone(&self.all))], slices: self.slices.clone() }
    }

    /// Of a logic of an env of a project.
    pub(crate) fn turn_of(&self, project: &str, env: &str, logic: &str) -> Turn {
        let (logic, env) = (&[project, env, logic][..], &[project, env][..]);
        let places = vec![
            ("sandboxLogicInstances", kept(&self.shares, logic, self.logic_max)),
            ("sandboxEnvInstances", kept(&self.shares, env, self.env_max)),
            ("sandboxProjectInstances", kept(&self.shares, &[project], self.project_max)),
            ("sandboxInstances", Arc::clone(&self.all)),
        ];
        let processors = Slices::processors();
        let queues = [kept(&self.queues, env, processors), kept(&self.queues, &[project], processors)];
        Turn { places, slices: self.slices.behind(queues) }
    }
}

/// The share of one, which begins with the first that has a turn there.
fn kept(shares: &Mutex<Shares>, of: &[&str], most: usize) -> Arc<Semaphore> {
    let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
    shares.retain(|_, share| share.strong_count() > 0);
    let kept = shares.entry(of.iter().map(|&name| name.to_owned()).collect()).or_default();
    kept.upgrade().unwrap_or_else(|| {
        let new = Arc::new(Semaphore::new(most));
        *kept = Arc::downgrade(&new);
        new
    })
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

    fn admission(instances: u32, project: Option<u32>, env: Option<u32>, logic: Option<u32>) -> Admission {
        Admission::new(&SandboxConfig {
            instances_max: instances,
            project_instances_max: project,
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
        let admission = admission(20, None, Some(12), Some(8));
        let (one, other) = (admission.turn_of("a", "prod", "one"), admission.turn_of("a", "prod", "other"));
        let neighbour = admission.turn_of("b", "prod", "one");
        let (first, full) = fill(&one).await;
        assert_eq!((first.len(), full), (8, "sandboxLogicInstances"));
        let (second, full) = fill(&other).await;
        assert_eq!((second.len(), full), (4, "sandboxEnvInstances"));
        let (third, full) = fill(&neighbour).await;
        assert_eq!((third.len(), full), (8, "sandboxLogicInstances"));
        let (none, full) = fill(&admission.turn_of("b", "prod", "other")).await;
        assert_eq!((none.len(), full), (0, "sandboxInstances"));
        // Who waited in vain keeps nothing.
        drop((first, second, third));
        assert_eq!(fill(&neighbour).await.0.len(), 8);
        assert_eq!(fill(&admission.turn()).await.0.len(), 20);
    }

    #[tokio::test]
    async fn the_envs_of_a_project_have_no_more_together_than_its_share() {
        let admission = admission(20, Some(12), Some(8), Some(8));
        let (first, full) = fill(&admission.turn_of("a", "dev", "one")).await;
        assert_eq!((first.len(), full), (8, "sandboxLogicInstances"));
        let (second, full) = fill(&admission.turn_of("a", "prod", "one")).await;
        assert_eq!((second.len(), full), (4, "sandboxProjectInstances"));
        let (none, full) = fill(&admission.turn_of("a", "third", "one")).await;
        assert_eq!((none.len(), full), (0, "sandboxProjectInstances"));
        let (neighbour, _) = fill(&admission.turn_of("b", "dev", "one")).await;
        assert_eq!(neighbour.len(), 8, "an env of the same name in another project has what is left");
        drop(first);
        assert_eq!(fill(&admission.turn_of("a", "third", "one")).await.0.len(), 8);
    }

    /// A project's envs have one part of the processors between them, and each its own within it.
    #[test]
    fn slices_are_a_projects_and_within_it_an_envs() {
        let admission = admission(20, None, None, None);
        let turn = |project, env| admission.turn_of(project, env, "one");
        let (dev, prod, other) = (turn("a", "dev"), turn("a", "prod"), turn("b", "dev"));
        let in_common = |with: &Turn| dev.slices.in_common_with(&with.slices);
        assert_eq!((in_common(&turn("a", "dev")), in_common(&prod), in_common(&other)), (3, 2, 1));
        drop((dev, prod));
        turn("c", "dev");
        assert_eq!(admission.queues.lock().unwrap().len(), 4, "what nobody uses is forgotten");
    }

    /// A release that is swapped in while the one before still runs.
    #[tokio::test]
    async fn a_logic_of_two_releases_has_one_share() {
        let admission = admission(20, None, None, Some(3));
        let before = admission.turn_of("a", "prod", "one");
        let (held, _) = fill(&before).await;
        let after = admission.turn_of("a", "prod", "one");
        assert_eq!(fill(&after).await.0.len(), 0);
        drop((held, before));
        assert_eq!(fill(&after).await.0.len(), 3);
        drop(after);
        drop(admission.turn_of("b", "prod", "two"));
        admission.turn_of("c", "prod", "three");
        assert_eq!(admission.shares.lock().unwrap().len(), 3, "what nobody uses is forgotten");
    }

    #[test]
    fn shares_are_never_more_than_there_is_nor_nothing() {
        for (instances, project, env, logic, expected) in [
            (1, None, None, None, (16, 16, 8)),
            (20, Some(0), Some(0), Some(0), (1, 1, 1)),
            (20, Some(100), Some(100), Some(100), (20, 20, 20)),
            (32, None, Some(9), None, (32, 9, 5)),
            (32, Some(9), None, None, (9, 9, 5)),
            (32, Some(9), Some(10), Some(10), (9, 9, 9)),
        ] {
            let admission = admission(instances, project, env, logic);
            assert_eq!((admission.project_max, admission.env_max, admission.logic_max), expected);
        }
    }

    #[test]
    fn who_is_alone_has_all_and_who_is_not_has_half() {
        for (projects, expected) in [
            (vec!["a"], (None, None)),
            (vec!["a", "a"], (None, Some(50))),
            (vec!["a", "b"], (Some(50), None)),
            (vec!["a", "a", "b"], (Some(50), Some(25))),
        ] {
            let mut config = SandboxConfig { instances_max: 100, ..SandboxConfig::default() };
            config.share_between(projects.iter().copied());
            assert_eq!((config.project_instances_max, config.env_instances_max), expected, "{projects:?}");
        }
        let mut set = SandboxConfig { instances_max: 100, env_instances_max: Some(9), ..SandboxConfig::default() };
        set.share_between(["a", "a", "b"]);
        assert_eq!((set.project_instances_max, set.env_instances_max), (Some(50), Some(9)));
        let mut more = SandboxConfig { instances_max: 100, env_instances_max: Some(80), ..SandboxConfig::default() };
        more.share_between(["a", "a", "b"]);
        assert_eq!((more.project_instances_max, more.env_instances_max), (Some(80), Some(80)));
        assert_eq!(Admission::new(&more).env_max, 80);
    }
}
