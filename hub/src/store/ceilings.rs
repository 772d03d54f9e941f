//! What the components of a project, or of all projects of an org, may have at most: one document for each that has one.

use super::{Db, StoreError};

/// Whose a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// A project, by name.
    Project(&'a str),
    /// An org, by name.
    Org(&'a str),
}

/// Sets a document, which is JSON.
pub async fn set(db: &mut Db, holder: Holder<'_>, document: &str, at: &str) -> Result<(), StoreError> {
    let sql = match holder {
        Holder::Project(_) => {
            "INSERT INTO ceilings (project, document, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (project) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at"
        }
        Holder::Org(_) => {
            "INSERT INTO org_ceilings (org, document, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (org) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at"
        }
    };
    sqlx::query(sql).bind(holder.name()).bind(document).bind(at).execute(db).await?;
    Ok(())
}

/// A document and when it was set.
pub async fn get(db: &mut Db, holder: Holder<'_>) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query_as(match holder {
        Holder::Project(_) => "SELECT document, updated_at FROM ceilings WHERE project = $1",
        Holder::Org(_) => "SELECT document, updated_at FROM org_ceilings WHERE org = $1",
    });
    Ok(row.bind(holder.name()).fetch_optional(db).await?)
}

/// Removes it; false where there was none.
pub async fn remove(db: &mut Db, holder: Holder<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(match holder {
        Holder::Project(_) => "DELETE FROM ceilings WHERE project = $1",
        Holder::Org(_) => "DELETE FROM org_ceilings WHERE org = $1",
    });
    Ok(done.bind(holder.name()).execute(db).await?.rows_affected() == 1)
}

impl<'a> Holder<'a> {
    /// Its name.
    pub const fn name(self) -> &'a str {
        match self {
            Self::Project(name) | Self::Org(name) => name,
        }
    }
}
