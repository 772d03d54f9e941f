//! `stk project members` and `invite`: who was given a role in a project itself. It stands before what the org gives.

use serde_json::{Value as Json, json};

use crate::{
    client::HubClient,
    command::{
        Shell,
        org::{invited, member_id},
    },
    context::Target,
    report::cell,
};

/// Flags of `stk project invite`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk project invite grace@example.com --role deployer --project shop")]
pub struct Invite {
    /// Whom
    email: String,
    /// admin, deployer or viewer
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show them
    #[command(after_help = "Example:\n  stk project members list --project shop")]
    List {
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Give a member of the org, or a team of it, a role
    #[command(after_help = "Example:\n  stk project members set team:shippers --role deployer --project shop")]
    Set {
        /// Email, id, or team:NAME
        member: String,
        /// admin, deployer or viewer
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Take it back; what the org gives stays
    #[command(after_help = "Example:\n  stk project members remove grace@example.com --project shop")]
    Remove {
        /// Email, id, or team:NAME
        member: String,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub(super) async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "members"]).await?;
            shell.terminal.answer(&all, |terminal| {
                let rows = |key: &str| all[key].as_array().cloned().unwrap_or_default();
                let people = rows("members").into_iter().map(|row| {
                    vec![cell(&row["email"]), cell(&row["name"]), cell(&row["role"]), cell(&row["operator"])]
                });
                let teams = rows("teams").into_iter().map(|row| {
                    vec![format!("team:{}", cell(&row["team"])), String::new(), cell(&row["role"]), String::new()]
                });
                let rows: Vec<Vec<String>> = people.chain(teams).collect();
                if rows.is_empty() {
                    terminal.say("none; owners and admins of the org are admins of the project");
                } else {
                    terminal.table(&["who", "name", "role", "id"], rows);
                }
            });
        }
        Command::Set { member, role, target } => {
            let (hub, context) = shell.hub(&target)?;
            let project = context.project()?;
            let id = id_of(&hub, project, &member).await?;
            let set = hub.put(&["v1", "projects", project, "members", &id], &json!({"role": role})).await?;
            shell.terminal.answer(&set, |terminal| terminal.say(&format!("{member} is {role} of project {project}")));
        }
        Command::Remove { member, target } => {
            let (hub, context) = shell.hub(&target)?;
            let project = context.project()?;
            let id = id_of(&hub, project, &member).await?;
            hub.delete(&["v1", "projects", project, "members", &id]).await?;
            shell.terminal.answer(&json!({"removed": id}), |terminal| {
                terminal.say(&format!("{member} has no role of its own in project {project} any more"));
            });
        }
    }
    Ok(())
}

/// Invites into a project.
pub(super) async fn invite(options: Invite, shell: &Shell) -> anyhow::Result<()> {
    let Invite { email, role, target } = options;
    let (hub, context) = shell.hub(&target)?;
    let path = ["v1", "projects", context.project()?, "invites"];
    invited(shell, &hub.post(&path, &json!({"email": email, "role": role})).await?);
    Ok(())
}

/// An email is looked up in the project's org.
async fn id_of(hub: &HubClient, project: &str, member: &str) -> anyhow::Result<String> {
    if !member.contains('@') {
        return Ok(member.to_owned());
    }
    let all = hub.get(&["v1", "projects"]).await?;
    let mut rows = all["projects"].as_array().into_iter().flatten();
    let row = rows.find(|row| row["name"] == project).cloned().unwrap_or(Json::Null);
    member_id(hub, row["org"].as_str().unwrap_or("default"), member).await
}
