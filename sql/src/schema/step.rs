//! Steps: what each does, what it risks, and what it holds up meanwhile. Their statements are made elsewhere.

use std::fmt;

use super::Engine;

/// One change that brings a database nearer to what is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does; its `Display` is for people.
    pub change: Change,
    /// Its statements, in order.
    pub statements: Vec<String>,
    /// Whether it is taken with the others or after them.
    pub when: When,
}

/// What a step risks. The order is that of the risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It adds, or allows more than before.
    Safe,
    /// It writes into rows that are there.
    NeedsBackfill,
    /// It takes away, or allows less than before.
    Destructive,
}

/// Where an engine has transactions around such statements: whether the step is taken in that of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// With the others: all or none.
    Together,
    /// After them, by itself: so that it does not keep writers waiting. What was taken before it stands.
    After,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new table, without its indexes and, but on SQLite, without its foreign keys.
    CreateTable {
        /// Its name.
        table: String,
    },
    /// A new column of a table that is there.
    AddColumn {
        /// Of this table.
        table: String,
        /// Its name.
        column: String,
    },
    /// A new index.
    CreateIndex {
        /// Of this table.
        table: String,
        /// Its name.
        index: String,
    },
    /// A new foreign key between columns that are there.
    AddReference {
        /// Of this table.
        table: String,
        /// Of this column.
        column: String,
        /// To this table.
        target: String,
    },
    /// The rows that were there before a foreign key are held against it.
    ValidateReference {
        /// Of this table.
        table: String,
        /// The constraint.
        name: String,
    },
    /// Another name, the same values.
    RenameColumn {
        /// Of this table.
        table: String,
        /// The name from now on.
        column: String,
        /// The name until now.
        from: String,
    },
    /// A column that is there becomes what is declared.
    AlterColumn {
        /// Of this table.
        table: String,
        /// Its name.
        column: String,
        /// In which regards.
        parts: Vec<Part>,
    },
    /// Rows without a value get the default, so that the column can require one.
    Backfill {
        /// Of this table.
        table: String,
        /// Of this column.
        column: String,
    },
    /// A column goes, and its values with it.
    DropColumn {
        /// Of this table.
        table: String,
        /// Its name.
        column: String,
    },
    /// A table goes, and its rows with it.
    DropTable {
        /// Its name.
        table: String,
    },
    /// An index of the platform's making goes.
    DropIndex {
        /// Of this table.
        table: String,
        /// Its name.
        index: String,
    },
    /// A foreign key goes.
    DropReference {
        /// Of this table.
        table: String,
        /// Of this column.
        column: String,
        /// To this table.
        target: String,
    },
    /// A table is made anew with all its rows: SQLite changes a column no other way.
    Rebuild {
        /// Its name.
        table: String,
        /// What is different in it then.
        changes: Vec<Change>,
    },
}

/// What changes of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its type, in the engine's words.
    Type {
        /// Until now.
        from: String,
        /// From now on.
        to: String,
    },
    /// NULL is allowed.
    AllowNull,
    /// NULL is not allowed any more.
    RequireValue,
    /// What an insert without a value gets.
    Default,
}

impl Step {
    /// Of one statement, with the others.
    pub(super) fn one(change: Change, sql: String) -> Self {
        Self { change, statements: vec![sql], when: When::Together }
    }

    /// Its statements as one text.
    pub fn sql(&self) -> String {
        self.statements.join(";\n")
    }

    /// What it holds up while it runs, for people.
    pub fn lock(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.change.lock_on_sqlite(),
            Engine::Postgres => self.change.lock_on_postgres(self.when),
            Engine::Mysql | Engine::Mariadb => self.change.lock_on_mysql(),
        }
    }
}

impl Class {
    /// As the API tells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::NeedsBackfill => "needs-backfill",
            Self::Destructive => "destructive",
        }
    }
}

impl Change {
    /// Of which table.
    pub fn table(&self) -> &str {
        match self {
            Change::CreateTable { table }
            | Change::AddColumn { table, .. }
            | Change::CreateIndex { table, .. }
            | Change::AddReference { table, .. }
            | Change::ValidateReference { table, .. }
            | Change::RenameColumn { table, .. }
            | Change::AlterColumn { table, .. }
            | Change::Backfill { table, .. }
            | Change::DropColumn { table, .. }
            | Change::DropTable { table }
            | Change::DropIndex { table, .. }
            | Change::DropReference { table, .. }
            | Change::Rebuild { table, .. } => table,
        }
    }

    /// What it risks.
    pub fn class(&self) -> Class {
        match self {
            Change::Backfill { .. } => Class::NeedsBackfill,
            Change::DropColumn { .. } | Change::DropTable { .. } => Class::Destructive,
            Change::AlterColumn { parts, .. } if parts.iter().any(Part::tightens) => Class::Destructive,
            Change::Rebuild { changes, .. } => changes.iter().map(Change::class).max().unwrap_or(Class::Safe),
            Change::CreateTable { .. }
            | Change::AddColumn { .. }
            | Change::CreateIndex { .. }
            | Change::AddReference { .. }
            | Change::ValidateReference { .. }
            | Change::RenameColumn { .. }
            | Change::DropIndex { .. }
            | Change::DropReference { .. }
            | Change::AlterColumn { .. } => Class::Safe,
        }
    }

    /// Whether the release before this one would meet a database that it does not know any more.
    pub fn is_breaking(&self) -> bool {
        match self {
            Change::RenameColumn { .. } => true,
            Change::Rebuild { changes, .. } => changes.iter().any(Change::is_breaking),
            change => change.class() == Class::Destructive,
        }
    }

    fn lock_on_sqlite(&self) -> &'static str {
        match self {
            Change::Rebuild { .. } => "all writers, while the table is copied",
            Change::CreateIndex { .. } => "all writers, while the table is read",
            _ => "all writers, for a moment",
        }
    }

    fn lock_on_postgres(&self, when: When) -> &'static str {
        match (self, when) {
            (Change::CreateTable { .. }, _) => "nobody",
            (Change::CreateIndex { .. }, When::After) | (Change::ValidateReference { .. }, _) => {
                "nobody: readers and writers go on"
            }
            (Change::CreateIndex { .. }, When::Together) => "writers of the table, while it is read",
            (Change::AddReference { .. } | Change::DropReference { .. }, _) => "writers of both tables, for a moment",
            (Change::Backfill { .. }, _) => "the rows that get a value, until the end",
            (Change::AlterColumn { parts, .. }, _) if parts.iter().any(|part| matches!(part, Part::Type { .. })) => {
                "readers and writers of the table, while it is written anew"
            }
            (Change::AlterColumn { parts, .. }, _) if parts.contains(&Part::RequireValue) => {
                "readers and writers of the table, while it is read"
            }
            _ => "readers and writers of the table, for a moment",
        }
    }

    fn lock_on_mysql(&self) -> &'static str {
        match self {
            Change::CreateTable { .. } => "nobody",
            Change::Backfill { .. } => "the rows that get a value",
            Change::AlterColumn { parts, .. } if parts.iter().any(Part::tightens) => {
                "writers of the table, while it is copied"
            }
            Change::CreateIndex { .. } | Change::AddReference { .. } => {
                "writers of the table, at the begin and the end"
            }
            _ => "readers and writers of the table, for a moment",
        }
    }
}

impl Part {
    fn tightens(&self) -> bool {
        matches!(self, Part::Type { .. } | Part::RequireValue)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CreateTable { table } => write!(f, "create table {table}"),
            Change::AddColumn { table, column } => write!(f, "add column {table}.{column}"),
            Change::CreateIndex { index, .. } => write!(f, "create index {index}"),
            Change::AddReference { table, column, target } => write!(f, "add reference {table}.{column} to {target}"),
            Change::ValidateReference { name, .. } => write!(f, "validate reference {name}"),
            Change::RenameColumn { table, column, from } => write!(f, "rename column {table}.{from} to {column}"),
            Change::AlterColumn { table, column, parts } => {
                write!(f, "change column {table}.{column}: {}", listed(parts))
            }
            Change::Backfill { table, column } => write!(f, "fill {table}.{column} with its default where it is NULL"),
            Change::DropColumn { table, column } => write!(f, "drop column {table}.{column}"),
            Change::DropTable { table } => write!(f, "drop table {table}"),
            Change::DropIndex { index, .. } => write!(f, "drop index {index}"),
            Change::DropReference { table, column, target } => {
                write!(f, "drop reference {table}.{column} to {target}")
            }
            Change::Rebuild { table, changes } => write!(f, "make table {table} anew: {}", listed(changes)),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Type { from, to } => write!(f, "{from} becomes {to}"),
            Part::AllowNull => f.write_str("NULL is allowed"),
            Part::RequireValue => f.write_str("NULL is not allowed any more"),
            Part::Default => f.write_str("another default"),
        }
    }
}

fn listed(items: &[impl fmt::Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
