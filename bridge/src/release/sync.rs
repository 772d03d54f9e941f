//! Asking a watcher to look at the Hub at once, and learning what came of it.

use tokio::sync::watch;

/// Between who asks and the watcher of an env.
#[derive(Debug)]
pub struct Syncs {
    /// How often it was asked.
    asked: watch::Sender<u64>,
    /// Up to which of these it was answered, and what went wrong.
    done: watch::Sender<(u64, Option<String>)>,
}

impl Default for Syncs {
    fn default() -> Self {
        Self { asked: watch::Sender::new(0), done: watch::Sender::new((0, None)) }
    }
}

impl Syncs {
    /// Asks, and waits for the answer to this or a later question; what went wrong with the Hub, in words.
    pub async fn ask(&self) -> Result<(), String> {
        let mut done = self.done.subscribe();
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        match done.wait_for(|(answered, _)| *answered >= number).await.as_deref() {
            Ok((_, None)) => Ok(()),
            Ok((_, Some(error))) => Err(error.clone()),
            Err(_) => Err("this Bridge is ending".to_owned()),
        }
    }

    /// For the watcher: the questions that come from now on.
    pub fn questions(&self) -> watch::Receiver<u64> {
        self.asked.subscribe()
    }

    /// The number of the last question, where it was not answered yet.
    pub fn open(&self) -> Option<u64> {
        let asked = *self.asked.borrow();
        (asked > self.done.borrow().0).then_some(asked)
    }

    /// Answers all questions up to one.
    pub fn answer(&self, number: u64, error: Option<String>) {
        self.done.send_replace((number, error));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_for_all_who_asked_before_it() {
        let syncs = Arc::new(Syncs::default());
        let mut questions = syncs.questions();
        assert_eq!(syncs.open(), None);
        let ask = || {
            tokio::spawn({
                let syncs = syncs.clone();
                async move { syncs.ask().await }
            })
        };
        let (one, other) = (ask(), ask());
        questions.wait_for(|asked| *asked == 2).await.unwrap();
        assert_eq!(syncs.open(), Some(2));
        let late = {
            syncs.answer(2, Some("away".to_owned()));
            ask()
        };
        assert_eq!((one.await.unwrap(), other.await.unwrap()), (Err("away".to_owned()), Err("away".to_owned())));
        questions.wait_for(|asked| *asked == 3).await.unwrap();
        assert!(!late.is_finished(), "an answer of before is none to it");
        syncs.answer(3, None);
        assert_eq!(late.await.unwrap(), Ok(()));
        assert_eq!(syncs.open(), None);
    }
}
