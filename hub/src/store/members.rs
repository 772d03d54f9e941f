//! Who is in which org and team, and what they are in its projects. Roles are texts here; what they mean is decided in `app`.

use super::{Db, StoreError, envs::now};

/// What an operator was given that bears on a project.
#[derive(Clone, Debug)]
pub struct ProjectRoles {
    /// In the project's org; none where the operator is not in it, who then has nothing else either.
    pub in_org: Option<String>,
    /// In the project itself.
    pub own: Option<String>,
    /// By teams.
    pub of_teams: Vec<String>,
}

/// An operator's role in an org.
pub async fn org_role(db: &mut Db, org: &str, operator: &str) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_as::<_, (String,)>("SELECT role FROM org_members WHERE org = $1 AND operator = $2");
    Ok(found.bind(org).bind(operator).fetch_optional(db).await?.map(|(role,)| role))
}

/// The orgs that an operator is in: name, role.
pub async fn orgs_of(db: &mut Db, operator: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as("SELECT org, role FROM org_members WHERE operator = $1 ORDER BY org");
    Ok(rows.bind(operator).fetch_all(db).await?)
}

/// Puts an operator into an org, or changes the role there.
pub async fn set_org_role(db: &mut Db, org: &str, operator: &str, role: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO org_members (org, operator, role, added_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (org, operator) DO UPDATE SET role = excluded.role",
    );
    done.bind(org).bind(operator).bind(role).bind(now()).execute(db).await?;
    Ok(())
}

/// Takes an operator out of an org, its teams and projects; false where it was not in it.
pub async fn remove_from_org(db: &mut Db, org: &str, operator: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM org_members WHERE org = $1 AND operator = $2").bind(org).bind(operator);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Puts a member of an org into a team of it.
pub async fn add_to_team(db: &mut Db, org: &str, team: &str, operator: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO team_members (org, team, operator, added_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    );
    done.bind(org).bind(team).bind(operator).bind(now()).execute(db).await?;
    Ok(())
}

/// Takes an operator out of a team; false where it was not in it.
pub async fn remove_from_team(db: &mut Db, org: &str, team: &str, operator: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM team_members WHERE org = $1 AND team = $2 AND operator = $3");
    Ok(done.bind(org).bind(team).bind(operator).execute(db).await?.rows_affected() == 1)
}

/// What an operator was given that bears on a project of an org.
pub async fn project_roles(db: &mut Db, org: &str, project: &str, operator: &str) -> Result<ProjectRoles, StoreError> {
    let in_org = org_role(&mut *db, org, operator).await?;
    let own = sqlx::query_as::<_, (String,)>("SELECT role FROM project_operators WHERE project = $1 AND operator = $2");
    let own = own.bind(project).bind(operator).fetch_optional(&mut *db).await?.map(|(role,)| role);
    let of_teams = sqlx::query_as::<_, (String,)>(
        "SELECT t.role FROM project_teams t JOIN team_members m ON m.org = t.org AND m.team = t.team \
         WHERE t.project = $1 AND t.org = $2 AND m.operator = $3",
    );
    let of_teams = of_teams.bind(project).bind(org).bind(operator).fetch_all(db).await?;
    Ok(ProjectRoles { in_org, own, of_teams: of_teams.into_iter().map(|(role,)| role).collect() })
}

/// Gives a member of a project's org a role in the project.
pub async fn set_project_operator(
    db: &mut Db,
    (org, project): (&str, &str),
    operator: &str,
    role: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO project_operators (project, org, operator, role, added_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (project, operator) DO UPDATE SET role = excluded.role",
    );
    done.bind(project).bind(org).bind(operator).bind(role).bind(now()).execute(db).await?;
    Ok(())
}

/// Gives a team of a project's org a role in the project.
pub async fn set_project_team(
    db: &mut Db,
    (org, project): (&str, &str),
    team: &str,
    role: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO project_teams (project, org, team, role, added_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (project, team) DO UPDATE SET role = excluded.role",
    );
    done.bind(project).bind(org).bind(team).bind(role).bind(now()).execute(db).await?;
    Ok(())
}
