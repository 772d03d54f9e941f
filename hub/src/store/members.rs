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

/// A member as it is shown: operator, email, name, role.
pub type MemberRow = (String, Option<String>, String, String);

/// The members of an org.
pub async fn of_org(db: &mut Db, org: &str) -> Result<Vec<MemberRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT o.id, o.email, o.name, m.role FROM org_members m JOIN operators o ON o.id = m.operator \
         WHERE m.org = $1 ORDER BY o.created_at, o.id",
    );
    Ok(rows.bind(org).fetch_all(db).await?)
}

/// How many owners of an org may work.
pub async fn count_owners(db: &mut Db, org: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_as::<_, (i64,)>(
        "SELECT count(*) FROM org_members m JOIN operators o ON o.id = m.operator \
         WHERE m.org = $1 AND m.role = 'owner' AND o.disabled_at IS NULL",
    );
    Ok(count.bind(org).fetch_one(db).await?.0)
}

/// The members of a team: operator, email, name, and their role in the org.
pub async fn of_team(db: &mut Db, org: &str, team: &str) -> Result<Vec<MemberRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT o.id, o.email, o.name, m.role FROM team_members t JOIN operators o ON o.id = t.operator \
         JOIN org_members m ON m.org = t.org AND m.operator = t.operator \
         WHERE t.org = $1 AND t.team = $2 ORDER BY o.created_at, o.id",
    );
    Ok(rows.bind(org).bind(team).fetch_all(db).await?)
}

/// Who was given a role in a project itself.
pub async fn of_project(db: &mut Db, project: &str) -> Result<Vec<MemberRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT o.id, o.email, o.name, p.role FROM project_operators p JOIN operators o ON o.id = p.operator \
         WHERE p.project = $1 ORDER BY o.created_at, o.id",
    );
    Ok(rows.bind(project).fetch_all(db).await?)
}

/// The teams that were given a role in a project: name, role.
pub async fn teams_of_project(db: &mut Db, project: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as("SELECT team, role FROM project_teams WHERE project = $1 ORDER BY team");
    Ok(rows.bind(project).fetch_all(db).await?)
}

/// Takes back the role that an operator was given in a project; false where it was given none.
pub async fn remove_project_operator(db: &mut Db, project: &str, operator: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM project_operators WHERE project = $1 AND operator = $2");
    Ok(done.bind(project).bind(operator).execute(db).await?.rows_affected() == 1)
}

/// Takes back the role that a team was given in a project; false where it was given none.
pub async fn remove_project_team(db: &mut Db, project: &str, team: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM project_teams WHERE project = $1 AND team = $2").bind(project).bind(team);
    Ok(done.execute(db).await?.rows_affected() == 1)
}
