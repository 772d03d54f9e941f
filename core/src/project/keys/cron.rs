//! The keys of jobs.

use super::{Keys, Shape, key, must};

pub(in crate::project) static CRON: Keys = Keys {
    what: "job",
    keys: &[
        must("name", Shape::Text, "Unique in the project, for example nightly-report."),
        key("description", Shape::Text, "For people."),
        key("schedule", Shape::Text, "Minute, hour, day of month, month and day of week, in UTC; or every."),
        key("every", Shape::Duration, "An interval that divides a day evenly, from midnight UTC on; or schedule."),
        must("handler", Shape::Text, "The logic that runs, as logics/NAME; it is called with no params."),
        key("connection", Shape::Text, "Beside whose tables runs are kept; the project's default by default."),
        key("timeout", Shape::Duration, "Wall time of a run; 30s by default."),
        key("enabled", Shape::Boolean, "Whether it runs by itself; true by default."),
        key("catchUp", Shape::Boolean, "Whether what was missed runs once when a Bridge is back; false by default."),
    ],
};
