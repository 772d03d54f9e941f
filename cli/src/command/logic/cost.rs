//! What `stk logic inspect` says of a component's cost on this machine, and what to do where it is much.

use std::time::Duration;

use santokit_bridge::host::Session;
use santokit_core::{component::World, quantity::Bytes, release::Digest};
use santokit_wasm::{Cost, Sandbox, SandboxConfig};
use serde_json::{Value as Json, json};

use crate::report::{Terminal, took};

/// What a Bridge compiles in less needs no thought.
const LOAD_SLOW: Duration = Duration::from_secs(5);
/// A component without an interpreter in it is smaller.
const COMPILED_BYTES_MANY: usize = 2 << 20;

/// As measured.
pub(super) struct Measured(Cost);

/// Loads the component as a Bridge would. None, with a note, where it cannot be loaded here.
pub(super) async fn of(world: World, digest: &Digest, bytes: &[u8], terminal: Terminal) -> Option<Measured> {
    let measured = async {
        let sandbox = Sandbox::<Session>::new(&SandboxConfig::default()).map_err(|error| error.to_string())?;
        sandbox.cost(world, bytes, digest.as_str()).await.map_err(|error| error.to_string())
    };
    match measured.await {
        Ok(cost) => Some(Measured(cost)),
        Err(error) => {
            terminal.note(&format!("its cost cannot be measured: {error}"));
            None
        }
    }
}

impl Measured {
    pub(super) fn json(&self) -> Json {
        json!({
            "loadMs": self.0.load.as_secs_f64() * 1e3,
            "instanceUs": self.0.instance.as_secs_f64() * 1e6,
            "callUs": self.0.call.as_secs_f64() * 1e6,
            "memoryBytes": self.0.memory_bytes,
        })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        vec![
            format!("compile and link, once a release: {}", took(self.0.load)),
            format!("a fresh instance, every call: {:.0} µs", self.0.instance.as_secs_f64() * 1e6),
            format!(
                "a fresh call with {{}}, until it answers or calls the host: {:.0} µs",
                self.0.call.as_secs_f64() * 1e6
            ),
            format!("memory of an instance at its start: {}", Bytes(self.0.memory_bytes)),
        ]
    }
}

/// What could be better. Empty where nothing stands out.
pub(super) fn advice(
    Measured(cost): &Measured,
    size_bytes: usize,
    language: Option<&str>,
    memory: Option<Bytes>,
) -> Vec<String> {
    let mut advice = Vec::new();
    if cost.load > LOAD_SLOW {
        advice.push(
            "a Bridge compiles this for seconds: expect swaps to take as long, and keep few such logics".to_owned(),
        );
    }
    if matches!(language, Some("rust" | "c")) && size_bytes > COMPILED_BYTES_MANY {
        advice.push("large for compiled code: look for a heavy dependency (regex, chrono with locales, …), or build with opt-level = \"s\"".to_owned());
    }
    if let Some(limit) = memory.filter(|limit| cost.memory_bytes * 2 > limit.0) {
        advice.push(format!("half of limits.memory ({limit}) is in use before a call begins: raise it, or load less at the top of the module"));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(load: Duration, memory_bytes: u64) -> Measured {
        Measured(Cost { load, instance: Duration::from_micros(20), call: Duration::from_micros(30), memory_bytes })
    }

    #[test]
    fn advice_is_given_where_something_stands_out() {
        let small = measured(Duration::from_millis(50), 1 << 20);
        assert!(advice(&small, 100_000, Some("rust"), Some(Bytes(64 << 20))).is_empty());
        let large = measured(Duration::from_secs(9), 40 << 20);
        assert_eq!(advice(&large, 20 << 20, Some("python"), Some(Bytes(64 << 20))).len(), 2);
        assert_eq!(advice(&small, 20 << 20, Some("c"), None).len(), 1);
    }
}
