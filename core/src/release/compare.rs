//! What differs between two releases, section by section, for who decides whether the second may run.
//!
//! Pure, and about content only: who made a release and when is not compared. A section is empty where nothing differs in it; two
//! releases of which only the order or the spelling differs have other digests and no difference here.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Manifest;
use crate::access::Rule;

mod access;
mod capabilities;
mod events;
mod fields;
mod permissions;
mod schema;
mod words;

pub use access::{Access, AccessChange, Caller, Reach, Target, access};
pub use capabilities::{Capabilities, Power, capabilities};
pub use events::{Break, Broken};
pub use fields::Field;
pub use permissions::Ruled;
pub use schema::SchemaPart;
pub use words::Line;

/// One thing that is not what it was. Without `before` it is new, without `after` it is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference<Of, As> {
    /// What it is about.
    #[serde(flatten)]
    pub of: Of,
    /// In the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<As>,
    /// In the second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<As>,
}

/// All that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Tables, columns, indexes and references.
    pub schema: Vec<Difference<SchemaPart, String>>,
    /// The rules as written.
    pub permissions: Vec<Difference<Ruled, Vec<Rule>>>,
    /// What components may do.
    pub capabilities: Capabilities,
    /// What callers may do: what the rules come to.
    pub access: Access,
    /// What runs, what it takes, and its limits.
    pub logics: Vec<Difference<Field, Json>>,
    /// Declared queries.
    pub queries: Vec<Difference<Field, Json>>,
    /// Topics, triggers, and what else there is of events.
    #[serde(default)]
    pub events: Vec<Difference<Field, Json>>,
    /// What of it takes from those who publish or handle events what they rely on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaking_events: Vec<Break>,
    /// Jobs.
    #[serde(default)]
    pub cron: Vec<Difference<Field, Json>>,
    /// Everything else: configuration values, envs, CORS.
    pub settings: Vec<Difference<Field, Json>>,
}

/// A part of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// [`Comparison::schema`].
    Schema,
    /// [`Comparison::permissions`].
    Permissions,
    /// [`Comparison::capabilities`].
    Capabilities,
    /// [`Comparison::access`].
    Access,
    /// [`Comparison::logics`].
    Logics,
    /// [`Comparison::queries`].
    Queries,
    /// [`Comparison::events`] and [`Comparison::breaking_events`].
    Events,
    /// [`Comparison::cron`].
    Cron,
    /// [`Comparison::settings`].
    Settings,
}

/// Compares two releases.
pub fn compare(before: &Manifest, after: &Manifest) -> Comparison {
    Comparison {
        schema: schema::differences(before, after),
        permissions: permissions::differences(before, after),
        capabilities: capabilities(Some(before), after),
        access: access(before, after),
        logics: fields::of_logics(before, after),
        queries: fields::of_queries(before, after),
        events: fields::of_events(before, after),
        breaking_events: events::breaks(before, after),
        cron: fields::of_cron(before, after),
        settings: fields::of_settings(before, after),
    }
}

impl Section {
    /// Every section, in the order in which they are shown.
    pub const ALL: &'static [Section] = &[
        Section::Schema,
        Section::Permissions,
        Section::Access,
        Section::Capabilities,
        Section::Logics,
        Section::Queries,
        Section::Events,
        Section::Cron,
        Section::Settings,
    ];

    /// As the command line and the JSON name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Section::Schema => "schema",
            Section::Permissions => "permissions",
            Section::Capabilities => "capabilities",
            Section::Access => "access",
            Section::Logics => "logics",
            Section::Queries => "queries",
            Section::Events => "events",
            Section::Cron => "cron",
            Section::Settings => "settings",
        }
    }
}

impl Comparison {
    /// Whether nothing differs in a section.
    pub fn is_empty(&self, section: Section) -> bool {
        match section {
            Section::Schema => self.schema.is_empty(),
            Section::Permissions => self.permissions.is_empty(),
            Section::Capabilities => self.capabilities.is_empty(),
            Section::Access => self.access.is_empty(),
            Section::Logics => self.logics.is_empty(),
            Section::Queries => self.queries.is_empty(),
            Section::Events => self.events.is_empty() && self.breaking_events.is_empty(),
            Section::Cron => self.cron.is_empty(),
            Section::Settings => self.settings.is_empty(),
        }
    }
}

/// What two maps say differently.
fn of_maps<Of: Ord + Clone, As: PartialEq>(
    mut before: std::collections::BTreeMap<Of, As>,
    after: std::collections::BTreeMap<Of, As>,
) -> Vec<Difference<Of, As>> {
    let mut found = Vec::new();
    for (of, now) in after {
        match before.remove(&of) {
            Some(then) if then == now => {}
            then => found.push(Difference { of, before: then, after: Some(now) }),
        }
    }
    found.extend(before.into_iter().map(|(of, then)| Difference { of, before: Some(then), after: None }));
    found.sort_by(|one, other| one.of.cmp(&other.of));
    found
}
