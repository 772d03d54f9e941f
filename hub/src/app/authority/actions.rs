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

/// What is to be shown besides a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A login: a token that was stolen must not make others, nor change what proves who its operator is.
    Person,
    /// A second factor.
    SecondFactor,
    /// A second factor, where the env is protected.
    SecondFactorWhereProtected,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $scope:ident, $may:expr $(, $need:ident)?;)*) => {
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

            /// What it needs besides.
            pub const fn need(self) -> Need {
                match self { $(Self::$variant => need!($($need)?)),* }
            }
        }
    };
}

macro_rules! need {
    () => {
        Need::Nothing
    };
    ($need:ident) => {
        Need::$need
    };
}

const ANYONE: &[Role] = &[Role::Operator];
const HUB: &[Role] = &[Role::HubOwner];
const AUDITORS: &[Role] = &[Role::HubOwner, Role::OrgOwner];
const ORG_ADMINS: &[Role] = &[Role::OrgOwner, Role::OrgAdmin];
const OWNERS: &[Role] = &[Role::OrgOwner];
const MEMBERS: &[Role] = &[Role::OrgOwner, Role::OrgAdmin, Role::OrgMember];
/// Also an owner who has less in the project: somebody must be able to set that right.
const MEMBER_ADMINS: &[Role] = &[Role::OrgOwner, Role::ProjectAdmin];
const ADMINS: &[Role] = &[Role::ProjectAdmin];
const DEPLOYERS: &[Role] = &[Role::ProjectAdmin, Role::ProjectDeployer];
const VIEWERS: &[Role] = &[Role::ProjectAdmin, Role::ProjectDeployer, Role::ProjectViewer];

actions! {
    /// Makes the first owner with a password.
    OperatorBootstrap = "operator.bootstrap": Hub, HUB;
    /// All operators of the Hub.
    OperatorList = "operator.list": Hub, HUB;
    /// Ends what an operator may do.
    OperatorDisable = "operator.disable": Hub, HUB;
    /// Lets an operator work again.
    OperatorEnable = "operator.enable": Hub, HUB;
    /// Lets an operator set a new password, once; the second factor ends with it.
    OperatorReset = "operator.reset": Hub, HUB, Person;
    /// Who one is.
    SessionRead = "session.read": Own, ANYONE;
    /// Ends the session that asks.
    SessionEnd = "operator.logout": Own, ANYONE;
    /// Sets another password.
    PasswordChange = "password.change": Own, ANYONE, Person;
    /// Begins to set up a second factor.
    MfaEnrol = "mfa.enrol": Own, ANYONE, Person;
    /// Confirms it.
    MfaConfirm = "mfa.confirm": Own, ANYONE, Person;
    /// Ends it.
    MfaDisable = "mfa.disable": Own, ANYONE, Person;
    /// Makes a personal token.
    TokenCreate = "token.create": Own, ANYONE, Person;
    /// One's own tokens.
    TokenList = "token.list": Own, ANYONE;
    /// Ends one of them.
    TokenRevoke = "token.revoke": Own, ANYONE, Person;
    /// Takes an invite.
    InviteAccept = "invite.accept": Own, ANYONE, Person;
    /// Makes an org.
    OrgCreate = "org.create": Hub, HUB;
    /// The orgs that one is in.
    OrgList = "org.list": Own, ANYONE;
    /// Removes an org.
    OrgDelete = "org.delete": Org, OWNERS;
    /// The members of an org.
    MemberList = "member.list": Org, MEMBERS;
    /// The most that components of all projects of an org may have.
    OrgCeilingsRead = "orgceilings.read": Org, MEMBERS;
    /// Says it. Admins, who say it of projects, must not pass what binds them.
    OrgCeilingsSet = "orgceilings.set": Org, OWNERS;
    /// Ends it.
    OrgCeilingsClear = "orgceilings.clear": Org, OWNERS;
    /// Changes what a member is.
    MemberSet = "member.set": Org, ORG_ADMINS;
    /// Takes a member out.
    MemberRemove = "member.remove": Org, ORG_ADMINS;
    /// The same of who is an owner, or is to be one.
    OwnerSet = "owner.set": Told, OWNERS;
    /// Invites into an org.
    InviteCreate = "invite.create": Org, ORG_ADMINS;
    /// The invites that nobody has used.
    InviteList = "invite.list": Org, ORG_ADMINS;
    /// Takes one back.
    InviteDelete = "invite.delete": Org, ORG_ADMINS;
    /// Makes a team.
    TeamCreate = "team.create": Org, ORG_ADMINS;
    /// The teams of an org.
    TeamList = "team.list": Org, MEMBERS;
    /// The members of a team.
    TeamRead = "team.read": Org, MEMBERS;
    /// Removes a team.
    TeamDelete = "team.delete": Org, ORG_ADMINS;
    /// Puts a member into a team.
    TeamAdd = "team.add": Org, ORG_ADMINS;
    /// Takes one out.
    TeamRemove = "team.remove": Org, ORG_ADMINS;
    /// Who was given a role in a project.
    ProjectMemberList = "projectmember.list": Project, VIEWERS;
    /// Gives one.
    ProjectMemberSet = "projectmember.set": Project, MEMBER_ADMINS;
    /// Takes one back.
    ProjectMemberRemove = "projectmember.remove": Project, MEMBER_ADMINS;
    /// Invites into a project.
    ProjectMemberInvite = "projectmember.invite": Project, MEMBER_ADMINS;
    /// Says whether what an env runs wants a second factor.
    EnvProtect = "env.protect": Project, ADMINS, SecondFactor;
    /// Makes a project in an org.
    ProjectCreate = "project.create": Told, ORG_ADMINS;
    /// The projects in which the caller has a role.
    ProjectList = "project.list": Own, ANYONE;
    /// Removes a project that has no envs.
    ProjectDelete = "project.delete": Project, ORG_ADMINS;
    /// Makes an env.
    EnvCreate = "env.create": Project, ADMINS;
    /// Removes an env with all that it has.
    EnvDelete = "env.delete": Project, ADMINS, SecondFactorWhereProtected;
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
    SchemaApply = "schema.apply": Project, DEPLOYERS, SecondFactorWhereProtected;
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
    ReleasePromote = "release.promote": Project, DEPLOYERS, SecondFactorWhereProtected;
    /// Lets an env run what it ran before.
    ReleaseRollback = "release.rollback": Project, DEPLOYERS, SecondFactorWhereProtected;
    /// Begins a canary, or changes its share and its gates.
    CanarySet = "canary.set": Project, DEPLOYERS, SecondFactorWhereProtected;
    /// Lets everyone have the candidate.
    CanaryPromote = "canary.promote": Project, DEPLOYERS, SecondFactorWhereProtected;
    /// Takes everyone back to the baseline. Nothing must hold it up.
    CanaryAbort = "canary.abort": Project, DEPLOYERS;
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
    /// Which Bridges of all orgs trust which of them.
    KeyStatus = "signingkey.status": Hub, HUB;
    /// Makes a new one.
    KeyRotate = "signingkey.rotate": Hub, HUB;
    /// Ends the one before the current one.
    KeyRetire = "signingkey.retire": Hub, HUB;
    /// The keys for tokens of end users of an env.
    UserKeyList = "userkey.list": Project, VIEWERS;
    /// Makes a new one.
    UserKeyRotate = "userkey.rotate": Project, ADMINS;
    /// Ends the one before the current one.
    UserKeyEnd = "userkey.end": Project, ADMINS;
    /// Makes a token of any end user.
    UserTokenIssue = "usertoken.issue": Project, ADMINS;
    /// Makes a token with which an operator speaks to a Bridge itself.
    BridgeToken = "bridge.token": Project, DEPLOYERS;
    /// Makes a token with which recordings of invocations are read at a Bridge: what customers sent.
    RecordingToken = "recording.token": Project, ADMINS, SecondFactorWhereProtected;
    /// The audit log: of all orgs, or the entries of orgs that one owns.
    AuditRead = "audit.read": Told, AUDITORS;
    /// Whether it is whole.
    AuditVerify = "audit.verify": Hub, HUB;
    /// How the Hub fares, and its clocks.
    HubStatus = "hub.status": Hub, HUB;
    /// All that the Hub keeps, sealed as it is.
    HubBackup = "hub.backup": Hub, HUB;
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
