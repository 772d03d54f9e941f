//! Which pages of its memory every call of a component writes. They are written once, as they are, before the call, so that it does not
//! stop at each of them for the kernel to give it: most of what a short call in an instance that was made ahead still costs.
//!
//! Known is what several calls have all written, and nothing else of them: their habits are those of the component.

use std::sync::{Mutex, OnceLock, PoisonError};

use wasmtime::{
    Store,
    component::{Instance, TypedFunc},
};

use crate::{
    compile::touching::{SUM, TOUCH},
    state::State,
};

/// Calls that are looked at.
const LESSONS: u8 = 4;
/// Of 4 KiB each, from the beginning of the memory: 32 MiB.
const LOOKED_AT_MAX: u32 = 8_192;
/// 4 MiB.
const WRITTEN_MAX: u32 = 1_024;

/// The two functions at the end of a component, in one instance.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    touch: TypedFunc<(u32, u32, u32), ()>,
    sum: TypedFunc<(u32,), (u64,)>,
}

/// What is known of a component.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// First page and how many.
    written: OnceLock<Vec<(u32, u32)>>,
    learning: Mutex<Learning>,
}

#[derive(Debug, Default)]
struct Learning {
    /// Of an instance that nobody has called, page by page.
    fresh: Vec<u64>,
    /// Whether all calls so far have changed it.
    changed: Vec<bool>,
    lessons: u8,
}

impl Probe {
    /// None where the component could not be given them.
    pub(crate) fn of<H: 'static>(store: &mut Store<State<H>>, instance: &Instance) -> Option<Self> {
        let touch = instance.get_typed_func(&mut *store, TOUCH).ok()?;
        Some(Self { touch, sum: instance.get_typed_func(store, SUM).ok()? })
    }

    /// None of an instance that cannot be entered any more: its call trapped, or was cut short.
    async fn sums<H: Send + 'static>(&self, store: &mut Store<State<H>>) -> Option<Vec<u64>> {
        // What runs is ours, and has an end: the clock of the call does not run here, and must not be asked. Who is called next arms anew.
        store.set_epoch_deadline(1 << 40);
        let mut sums = Vec::new();
        for page in 0..LOOKED_AT_MAX {
            match self.sum.call_async(&mut *store, (page,)).await.ok()? {
                (0,) => break,
                (sum,) => sums.push(sum),
            }
        }
        Some(sums)
    }
}

impl Pages {
    pub(super) fn is_learning(&self) -> bool {
        self.written.get().is_none()
    }

    /// Looks at an instance that nobody has called, if that was not done.
    pub(super) async fn see_fresh<H: Send + 'static>(&self, store: &mut Store<State<H>>, probe: &Probe) {
        if !self.is_learning() || !self.lock().fresh.is_empty() {
            return;
        }
        let sums = probe.sums(store).await.unwrap_or_default();
        let mut learning = self.lock();
        learning.changed = vec![true; sums.len()];
        learning.fresh = sums;
    }

    /// Looks at one whose call has ended.
    pub(super) async fn see_used<H: Send + 'static>(&self, store: &mut Store<State<H>>, probe: &Probe) {
        if !self.is_learning() || self.lock().fresh.is_empty() {
            return;
        }
        // What a call has grown its memory by is not there before it.
        let Some(sums) = probe.sums(store).await else { return };
        let mut learning = self.lock();
        learning.see(&sums);
        if learning.lessons >= LESSONS {
            let written = runs(&learning.changed);
            *learning = Learning::default();
            drop(learning);
            self.written.set(written).ok();
        }
    }

    /// Writes what calls will write, if that is known and anything: whether it is. An error leaves an instance that is none.
    pub(super) async fn prepare<H: Send + 'static>(
        &self,
        store: &mut Store<State<H>>,
        probe: &Probe,
    ) -> wasmtime::Result<bool> {
        let Some(written) = self.written.get() else { return Ok(false) };
        for (page, count) in written {
            probe.touch.call_async(&mut *store, (*page, *count, 0)).await?;
        }
        Ok(!written.is_empty())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Learning> {
        self.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learning {
    fn see(&mut self, sums: &[u64]) {
        for ((changed, fresh), sum) in self.changed.iter_mut().zip(&self.fresh).zip(sums) {
            *changed &= fresh != sum;
        }
        self.lessons += 1;
    }
}

/// Pages one after the other, as one.
fn runs(changed: &[bool]) -> Vec<(u32, u32)> {
    let (mut runs, mut left) = (Vec::<(u32, u32)>::new(), WRITTEN_MAX);
    for (page, _) in (0..).zip(changed).filter(|(_, changed)| **changed) {
        if left == 0 {
            break;
        }
        left -= 1;
        match runs.last_mut() {
            Some((first, count)) if *first + *count == page => *count += 1,
            _ => runs.push((page, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_is_what_all_calls_have_changed() {
        let mut learning = Learning { fresh: vec![1, 1, 1, 1, 1], changed: vec![true; 5], lessons: 0 };
        learning.see(&[2, 2, 1, 2, 2, 9]);
        learning.see(&[3, 3, 3, 1, 3]);
        assert_eq!((learning.changed.as_slice(), learning.lessons), ([true, true, false, false, true].as_slice(), 2));
        assert_eq!(runs(&learning.changed), [(0, 2), (4, 1)]);
    }

    #[test]
    fn no_more_is_written_than_may_be() {
        let every_other: Vec<bool> = (0..5_000).map(|page| page % 2 == 0).collect();
        for changed in [vec![true; 5_000], every_other] {
            let written: u32 = runs(&changed).iter().map(|(_, count)| count).sum();
            assert_eq!(written, WRITTEN_MAX);
        }
        assert!(runs(&[]).is_empty() && runs(&[false; 9]).is_empty());
    }
}
