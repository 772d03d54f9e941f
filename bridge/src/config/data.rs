//! Settings of databases and of requests to tables.

use super::{
    Settings,
    read::{Check, duration, number},
};
use crate::{crud::limits::CrudLimits, db::DatabaseSettings};

impl Settings {
    pub(super) fn databases(&mut self, check: &mut Check) -> DatabaseSettings {
        let default = DatabaseSettings::default();
        let settings = DatabaseSettings {
            pool_size: check.value("poolSize", self.pool_size.take(), default.pool_size, number),
            guest_pool_size: check.optional("guestPoolSize", self.guest_pool_size.take(), number),
            pool_wait: check.value("poolWait", self.pool_wait.take(), default.pool_wait, duration),
            query_timeout: check.value("queryTimeout", self.query_timeout.take(), default.query_timeout, duration),
        };
        if settings.pool_size == 0 {
            check.add("poolSize", "must be at least 1");
        } else if settings.guest_pool_size.is_some_and(|guests| guests == 0 || guests > settings.pool_size) {
            check.add("guestPoolSize", "must be between 1 and poolSize");
        }
        settings
    }

    pub(super) fn crud(&mut self, check: &mut Check) -> CrudLimits {
        let default = CrudLimits::default();
        let expand_relations = self.expand_relations.take();
        CrudLimits {
            result_rows: check.value("resultRows", self.result_rows.take(), default.result_rows, number),
            conditions: check.value("whereConditions", self.where_conditions.take(), default.conditions, number),
            list_values: check.value("listValues", self.list_values.take(), default.list_values, number),
            expand_depth: check.value("expandDepth", self.expand_depth.take(), default.expand_depth, number),
            expand_relations: check.value("expandRelations", expand_relations, default.expand_relations, number),
            insert_rows: check.value("insertRows", self.insert_rows.take(), default.insert_rows, number),
            batch_calls: check.value("batchCalls", self.batch_calls.take(), default.batch_calls, number),
        }
    }
}
