//! What a database's error code means.

/// The kind of a failure, the same for all engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// A unique value is taken.
    Unique,
    /// A row that is referred to is missing or in use.
    ForeignKey,
    /// A value is missing.
    NotNull,
    /// A check does not hold.
    Check,
    /// A lock; the same may succeed when tried again.
    Busy,
    /// The statement was stopped.
    Interrupted,
    /// The engine refuses the access.
    NotAuthorized,
    /// A write where only reading is possible.
    ReadOnly,
    /// The file is away or broken, or the disk is full.
    Unavailable,
    /// The statement itself.
    Statement,
}

impl FailureKind {
    /// From SQLite's extended result code (<https://sqlite.org/rescode.html>).
    pub fn of_sqlite(extended: i32) -> Self {
        match extended {
            2067 | 1555 | 2579 => Self::Unique,
            787 | 1811 => Self::ForeignKey,
            1299 => Self::NotNull,
            275 => Self::Check,
            _ => match extended & 0xff {
                5 | 6 => Self::Busy,
                9 => Self::Interrupted,
                23 | 3 => Self::NotAuthorized,
                8 => Self::ReadOnly,
                10 | 11 | 13 | 14 | 26 => Self::Unavailable,
                _ => Self::Statement,
            },
        }
    }

    /// As `santokit:sql` names the constraint.
    pub fn constraint(self) -> Option<&'static str> {
        match self {
            Self::Unique => Some("unique"),
            Self::ForeignKey => Some("foreign_key"),
            Self::NotNull => Some("not_null"),
            Self::Check => Some("check"),
            _ => None,
        }
    }
}
