//! How many names are looked up at once. Each takes a thread until the system's resolver comes back, however long that is: of all threads an env has a
//! share, so that one whose names nobody answers for holds up no other's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::EnvName;

/// Of all.
const ALL_MAX: usize = 64;
/// Of one env.
pub(in crate::egress) const ENV_MAX: usize = 8;
/// How long a name waits for its place: less than a connection may take, so that the reason is told.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// Of a client.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// Of envs that have names looked up, or wait to. There are no others.
    envs: Mutex<HashMap<EnvName, Arc<Semaphore>>>,
}

/// Of one name.
#[derive(Debug)]
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    _of_env: Option<OfEnv>,
}

/// Of an env, while it waits for its place and while it has it.
#[derive(Debug)]
struct OfEnv {
    env: EnvName,
    places: Arc<Places>,
    permit: Option<OwnedSemaphorePermit>,
}

/// There was no place in time.
#[derive(Debug, thiserror::Error)]
#[error("too many names are being looked up, and nothing answers: try again")]
pub(super) struct Busy;

impl Default for Places {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL_MAX)), envs: Mutex::default() }
    }
}

impl Places {
    /// Waits for a place; without an env, for one of those that all have.
    pub(super) async fn take(self: Arc<Self>, env: Option<EnvName>) -> Result<Place, Busy> {
        let taking = async {
            // The env's first: who waits for it takes nobody else's.
            let of_env = match env {
                None => None,
                Some(env) => Some(OfEnv::take(Arc::clone(&self), env).await?),
            };
            let all = Arc::clone(&self.all).acquire_owned().await.map_err(|_| Busy)?;
            Ok(Place { _all: all, _of_env: of_env })
        };
        tokio::time::timeout(WAIT_MAX, taking).await.map_err(|_| Busy)?
    }

    fn envs(&self) -> MutexGuard<'_, HashMap<EnvName, Arc<Semaphore>>> {
        self.envs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfEnv {
    async fn take(places: Arc<Places>, env: EnvName) -> Result<Self, Busy> {
        let found = places.envs().entry(env.clone()).or_insert_with(|| Arc::new(Semaphore::new(ENV_MAX))).clone();
        // There before the wait, which may be given up.
        let mut waiting = Self { env, places, permit: None };
        waiting.permit = Some(found.acquire_owned().await.map_err(|_| Busy)?);
        Ok(waiting)
    }
}

impl Drop for OfEnv {
    /// Who comes last takes the env away. Another one can only come by way of the map, which is locked here.
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut envs = self.places.envs();
        if envs.get(&self.env).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            envs.remove(&self.env);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> EnvName {
        EnvName::parse(name).unwrap()
    }

    #[tokio::test]
    async fn an_env_has_its_share_and_is_forgotten_when_it_has_none() {
        let places = Arc::new(Places::default());
        let mut held = Vec::new();
        for _ in 0..ENV_MAX {
            held.push(Arc::clone(&places).take(Some(env("flood/prod"))).await.unwrap());
        }
        assert!(Arc::clone(&places).take(Some(env("flood/prod"))).await.is_err(), "its share is taken");
        let other = Arc::clone(&places).take(Some(env("quiet/prod"))).await.unwrap();
        let nobodys = Arc::clone(&places).take(None).await.unwrap();
        assert_eq!(places.envs().len(), 2);
        held.pop();
        held.push(Arc::clone(&places).take(Some(env("flood/prod"))).await.unwrap());
        drop((held, other, nobodys));
        assert!(places.envs().is_empty());
        assert_eq!(places.all.available_permits(), ALL_MAX);
    }
}
