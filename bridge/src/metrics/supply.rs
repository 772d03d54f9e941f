//! The numbers of instances that are made ahead of calls.

use prometheus::{IntCounterVec, IntGaugeVec, Registry};
use santokit_wasm::SupplyUsage;

use super::{counter, gauge};

/// What is taken, and what is held.
#[derive(Debug)]
pub struct SupplyMetrics {
    instances: IntCounterVec,
    live: IntGaugeVec,
    held: IntGaugeVec,
    held_bytes: IntGaugeVec,
    resident_bytes: IntGaugeVec,
}

impl SupplyMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            instances: counter(
                r,
                "logic_instances_total",
                "Instances of components that calls had: made ahead, or in the call.",
                &["logic", "made"],
            )?,
            live: gauge(r, "sandbox_instances", "Instances alive, those made ahead too.", &[])?,
            held: gauge(r, "sandbox_supply_instances", "Instances that wait for a call, or for their end.", &[])?,
            held_bytes: gauge(r, "sandbox_supply_memory_bytes", "Linear memory of those.", &[])?,
            resident_bytes: gauge(
                r,
                "sandbox_idle_resident_bytes",
                "Memory that is kept for the next instances where none is.",
                &[],
            )?,
        })
    }

    /// A call had an instance.
    pub fn instance(&self, logic: &str, is_supplied: bool) {
        self.instances.with_label_values(&[logic, if is_supplied { "ahead" } else { "call" }]).inc();
    }

    /// What is held, at a scrape.
    pub fn holding(&self, usage: &SupplyUsage) {
        let set = |gauge: &IntGaugeVec, value: u64| {
            gauge.with_label_values::<&str>(&[]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.live, usage.live);
        set(&self.held, usage.held);
        set(&self.held_bytes, usage.held_memory_bytes);
        set(&self.resident_bytes, usage.idle_resident_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn calls_are_counted_by_where_their_instance_was_made() {
        let metrics = Metrics::new().unwrap();
        for is_supplied in [true, true, false] {
            metrics.supply.instance("purchase", is_supplied);
        }
        metrics.supply.holding(&SupplyUsage { live: 3, held: 2, held_memory_bytes: 1 << 20, ..SupplyUsage::default() });
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            "stk_bridge_logic_instances_total{logic=\"purchase\",made=\"ahead\"} 2",
            "stk_bridge_logic_instances_total{logic=\"purchase\",made=\"call\"} 1",
            "stk_bridge_sandbox_instances 3",
            "stk_bridge_sandbox_supply_instances 2",
            "stk_bridge_sandbox_supply_memory_bytes 1048576",
            "stk_bridge_sandbox_idle_resident_bytes 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
