//! The numbers of objects.

use prometheus::{IntCounterVec, Registry};

use super::counter;

/// What becomes of objects that rows have let go.
#[derive(Debug)]
pub struct ObjectMetrics {
    let_go: IntCounterVec,
}

impl ObjectMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let what = "Objects that rows have let go, by what has become of them.";
        Ok(Self { let_go: counter(r, "objects_let_go_total", what, &["outcome"])? })
    }

    /// What has become of one: `removed`, `kept`, or `failed`, and then it is tried again.
    pub fn let_go(&self, outcome: &str) {
        self.let_go.with_label_values(&[outcome]).inc();
    }
}
