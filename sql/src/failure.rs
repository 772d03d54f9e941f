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
    /// A value does not fit its column: out of range, too long, not of its form.
    Value,
    /// A lock, a deadlock, a serialization failure: it was not done, and the same may succeed when tried again.
    Busy,
    /// No connection became free in time: it was not begun.
    Exhausted,
    /// The statement was stopped.
    Interrupted,
    /// The engine refuses the access.
    NotAuthorized,
    /// A write where only reading is possible.
    ReadOnly,
    /// The connection ended before the answer: whether it was done is not known.
    Lost,
    /// The database is away or broken, lets nobody in, or its disk is full.
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

    /// From PostgreSQL's SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    pub fn of_postgres(sqlstate: &str) -> Self {
        match sqlstate {
            // Two rows that exclude each other are two of the same, as far as a caller can tell.
            "23505" | "23P01" => Self::Unique,
            "23503" | "23001" => Self::ForeignKey,
            "23502" => Self::NotNull,
            "23514" => Self::Check,
            "40001" | "40P01" | "55P03" | "55006" => Self::Busy,
            "57014" => Self::Interrupted,
            "42501" => Self::NotAuthorized,
            "25006" => Self::ReadOnly,
            // Ended while nothing ran, or with the server.
            "25P03" | "25P04" | "57P01" | "57P02" | "57P04" | "57P05" => Self::Lost,
            "57P03" | "3D000" => Self::Unavailable,
            _ => match sqlstate.get(..2) {
                // A row that is too large for a page or an index is 54.
                Some("22" | "54") => Self::Value,
                Some("08") => Self::Lost,
                Some("28" | "53" | "58" | "F0" | "XX") => Self::Unavailable,
                _ => Self::Statement,
            },
        }
    }

    /// From the error number of MySQL or MariaDB, and its SQLSTATE where the number is not known
    /// (<https://mariadb.com/kb/en/mariadb-error-code-reference/>).
    pub fn of_mysql(number: u16, sqlstate: &str) -> Self {
        match number {
            1022 | 1062 | 1169 | 1586 | 1859 => Self::Unique,
            1216 | 1217 | 1451 | 1452 | 1557 | 1761 | 1762 => Self::ForeignKey,
            1048 | 1263 | 1364 => Self::NotNull,
            3819 | 4025 => Self::Check,
            // A row that another one changed since (1020): MariaDB's snapshots.
            1020 | 1205 | 1213 | 1412 | 1613 | 1614 | 3572 => Self::Busy,
            1317 | 1969 | 3024 => Self::Interrupted,
            1142 | 1143 | 1227 | 1370 => Self::NotAuthorized,
            1290 | 1792 | 1836 => Self::ReadOnly,
            1053 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 | 4031 => Self::Lost,
            3 | 28 | 1021 | 1030 | 1037 | 1038 | 1040 | 1041 | 1044 | 1045 | 1049 | 1114 | 1129 | 1130 | 1135
            | 1203 | 1226 => Self::Unavailable,
            1071 | 1118 | 1153 | 1264 | 1265 | 1292 | 1301 | 1365 | 1366 | 1406 | 1411 | 1690 | 3140 | 3141 | 3156
            | 4037 | 4038 => Self::Value,
            _ => match sqlstate.get(..2) {
                Some("22") => Self::Value,
                Some("40") => Self::Busy,
                Some("08") => Self::Lost,
                Some("28") => Self::Unavailable,
                _ => Self::Statement,
            },
        }
    }

    /// Whether it was not done, and may succeed when all of its transaction is done again.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Busy)
    }

    /// Its name in logs and spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unique => "unique",
            Self::ForeignKey => "foreign_key",
            Self::NotNull => "not_null",
            Self::Check => "check",
            Self::Value => "value",
            Self::Busy => "busy",
            Self::Exhausted => "exhausted",
            Self::Interrupted => "interrupted",
            Self::NotAuthorized => "not_authorized",
            Self::ReadOnly => "read_only",
            Self::Lost => "lost",
            Self::Unavailable => "unavailable",
            Self::Statement => "statement",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_is_the_same_on_every_engine() {
        for (kind, sqlite, postgres, mysql) in [
            (FailureKind::Unique, 2067, "23505", 1062),
            (FailureKind::ForeignKey, 787, "23503", 1452),
            (FailureKind::NotNull, 1299, "23502", 1048),
            (FailureKind::Check, 275, "23514", 4025),
            (FailureKind::Busy, 5, "40001", 1213),
            (FailureKind::Busy, 6, "40P01", 1205),
            (FailureKind::Interrupted, 9, "57014", 1317),
            (FailureKind::ReadOnly, 8, "25006", 1792),
            (FailureKind::Unavailable, 13, "53100", 1021),
            (FailureKind::Statement, 1, "42703", 1054),
        ] {
            let all = [
                FailureKind::of_sqlite(sqlite),
                FailureKind::of_postgres(postgres),
                FailureKind::of_mysql(mysql, "HY000"),
            ];
            assert_eq!(all, [kind; 3], "{sqlite} {postgres} {mysql}");
        }
    }

    #[test]
    fn a_code_that_nobody_knows_goes_by_its_class() {
        assert_eq!(FailureKind::of_postgres("22099"), FailureKind::Value);
        assert_eq!(FailureKind::of_postgres("08P01"), FailureKind::Lost);
        assert_eq!(FailureKind::of_postgres("53999"), FailureKind::Unavailable);
        assert_eq!(FailureKind::of_postgres(""), FailureKind::Statement);
        assert_eq!(FailureKind::of_postgres("é"), FailureKind::Statement);
        assert_eq!(FailureKind::of_mysql(9999, "22003"), FailureKind::Value);
        assert_eq!(FailureKind::of_mysql(9999, ""), FailureKind::Statement);
    }
}
