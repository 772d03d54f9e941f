//! The table: every action, what it is about, and the roles that have it. A new route needs a row here; a new row changes
//! `hub/tests/golden/authority.txt`, which is read when a change is reviewed.

use std::fmt;

use super::Standing;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever is an operator of this Hub.
    Operator,
    /// An owner of the first org.
    HubOwner,
    /// Of the target's org.
    OrgOwner,
    /// Of the target's org.
    OrgAdmin,
    /// Of the target's org.
    OrgMember,
    /// Of the target: given, by a team, or as an owner or admin of the org.
    ProjectAdmin,
    /// Of the target.
    ProjectDeployer,
    /// Of the target.
    ProjectViewer,
}

/// Where it stands what an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// It is the caller's own, or a list of what the caller may see.
    Own,
    /// It is the Hub.
    Hub,
    /// `{org}` of the path.
    Org,
    /// `{project}` of the path, and `{env}` where it has one.
    Project,
    /// The body or a record says it; the handler asks [`authorise`](super::authorise).
    Told,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $scope:ident, $may:expr;)*) => {
        /// Something that an operator can do, as the audit log names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// Every action there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// `domain.verb`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Where it stands what it is about.
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope),* }
            }

            /// The roles that have it.
            pub const fn may(self) -> &'static [Role] {
                match self { $(Self::$variant => $may),* }
            }
        }
    };
}

const ANYONE: &[Role] = &[Role::Operator];
const HUB: &[Role] = &[Role::HubOwner];
const ORG_ADMINS: &[Role] = &[Role::OrgOwner, Role::OrgAdmin];
const ADMINS: &[Role] = &[Role::ProjectAdmin];
const DEPLOYERS: &[Role] = &[Role::ProjectAdmin, Role::ProjectDeployer];
const VIEWERS: &[Role] = &[Role::ProjectAdmin, Role::ProjectDeployer, Role::ProjectViewer];

actions! {
    /// Makes a project in an org.
    ProjectCreate = "project.create": Told, ORG_ADMINS;
    /// The projects in which the caller has a role.
    ProjectList = "project.list": Own, ANYONE;
    /// Makes an env.
    EnvCreate = "env.create": Project, ADMINS;
    /// The envs of a project.
    EnvList = "env.list": Project, VIEWERS;
    /// What an env runs, and the Bridges that run it.
    EnvStatus = "env.status": Project, VIEWERS;
    /// A connection, masked.
    ConnectionRead = "connection.read": Project, VIEWERS;
    /// Sets a connection's URLs.
    ConnectionSet = "connection.set": Project, ADMINS;
    /// Removes a connection.
    ConnectionDelete = "connection.delete": Project, ADMINS;
    /// Opens a database to say what is wrong with it.
    ConnectionTest = "connection.test": Project, DEPLOYERS;
    /// What is in a database.
    SchemaPull = "schema.pull": Project, DEPLOYERS;
    /// What an apply would do to the databases.
    SchemaPlan = "schema.plan": Project, DEPLOYERS;
    /// Makes a release and lets an env run it.
    SchemaApply = "schema.apply": Project, DEPLOYERS;
    /// Names of secrets.
    SecretList = "secret.list": Project, DEPLOYERS;
    /// Sets a secret.
    SecretSet = "secret.set": Project, ADMINS;
    /// Removes a secret.
    SecretDelete = "secret.delete": Project, ADMINS;
    /// API keys without their secrets.
    ApiKeyList = "apikey.list": Project, VIEWERS;
    /// Makes an API key.
    ApiKeyCreate = "apikey.create": Project, ADMINS;
    /// Ends an API key.
    ApiKeyRevoke = "apikey.revoke": Project, ADMINS;
    /// Uploads a component.
    BlobPut = "blob.put": Project, DEPLOYERS;
    /// Downloads a component.
    BlobRead = "blob.read": Project, VIEWERS;
    /// Releases, and what an env could go back to.
    ReleaseRead = "release.read": Project, VIEWERS;
    /// Lets an env run a release that exists.
    ReleasePromote = "release.promote": Project, DEPLOYERS;
    /// Lets an env run what it ran before.
    ReleaseRollback = "release.rollback": Project, DEPLOYERS;
    /// Takes over a release of another Hub.
    ReleaseImport = "release.import": Project, DEPLOYERS;
    /// Adds a signature to a release.
    ReleaseSign = "release.sign": Project, DEPLOYERS;
    /// Keeps a release to go back to.
    ReleasePin = "release.pin": Project, DEPLOYERS;
    /// Ends that.
    ReleaseUnpin = "release.unpin": Project, DEPLOYERS;
    /// The most that components may have.
    CeilingsRead = "ceilings.read": Project, VIEWERS;
    /// Says it. Who deploys must not widen what may be deployed.
    CeilingsSet = "ceilings.set": Project, ORG_ADMINS;
    /// Ends it.
    CeilingsClear = "ceilings.clear": Project, ORG_ADMINS;
    /// Makes a token for Bridges; of every project that it is for, it takes this role.
    ServiceTokenCreate = "servicetoken.create": Told, ADMINS;
    /// Tokens for Bridges, as far as they are for projects where the caller has this role.
    ServiceTokenList = "servicetoken.list": Told, ADMINS;
    /// Ends one; of every project that it is for, it takes this role.
    ServiceTokenDelete = "servicetoken.delete": Told, ADMINS;
    /// Public signing keys.
    KeyList = "signingkey.list": Own, ANYONE;
    /// The audit log, of all orgs.
    AuditRead = "audit.read": Hub, HUB;
    /// Whether it is whole.
    AuditVerify = "audit.verify": Hub, HUB;
    /// What the Hub counts.
    MetricsRead = "metrics.read": Hub, HUB;
}

impl Action {
    /// Whether a standing has it.
    pub fn allows(self, standing: Standing) -> bool {
        standing.roles().any(|role| self.may().contains(&role))
    }
}

impl Role {
    /// Every column, in order.
    pub const ALL: [Self; 8] = [
        Self::Operator,
        Self::HubOwner,
        Self::OrgOwner,
        Self::OrgAdmin,
        Self::OrgMember,
        Self::ProjectAdmin,
        Self::ProjectDeployer,
        Self::ProjectViewer,
    ];

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "any operator",
            Self::HubOwner => "an owner of the Hub's first org",
            Self::OrgOwner => "an owner of the org",
            Self::OrgAdmin => "an admin of the org",
            Self::OrgMember => "a member of the org",
            Self::ProjectAdmin => "an admin of the project",
            Self::ProjectDeployer => "a deployer of the project",
            Self::ProjectViewer => "a viewer of the project",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
