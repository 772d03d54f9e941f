//! What is fuzzed: readers of bytes from outside, each a function of bytes that must not panic, hang or break the promise that it checks.
//!
//! Called by libFuzzer (`fuzz_targets/`) and, over the seeds and a fixed number of their mutations, by a test of the gate (`gate.rs`).

use santokit_core::{
    component::{self, World},
    logic::{Grants, Verb},
    release::{
        Envelope, Pointer, SignedRelease, Statement, VerifyingKey, compare,
        envelope::{POINTER_TYPE, RELEASE_TYPE},
        verify::{self, Trust},
    },
    sql_text,
};
use santokit_sql::{
    dialect::Dialect,
    guest::{self, GuestStatement, Refused},
};

#[path = "guest_sdk.rs"]
mod guest_sdk;

pub use guest_sdk::{Value, cells, packed};

/// The public key of RFC 8032's first test, with which nobody signs.
const NOBODYS_KEY: &str = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// The gate for components: what it takes, it takes again, and the checks after it end.
pub fn component(data: &[u8]) {
    let Ok(inspection) = component::inspect(data) else { return };
    assert_eq!(inspection.size_bytes, data.len());
    assert!(inspection.functions <= 200_000 && inspection.modules <= 64, "{inspection:?}");
    assert_eq!(component::inspect(data).as_ref(), Ok(&inspection));
    let is_whole = component::check_world(&inspection, World::Logic).is_ok()
        && component::check_imports(&inspection.imports, &Grants::default()).is_ok();
    // Without a grant nothing is let by that is not offered.
    assert!(!is_whole || component::check_offered(&inspection.imports).is_ok());
    let as_it_is = (World::Logic, &inspection.handles());
    assert_eq!(component::check(data, as_it_is, &Grants::default(), &inspection.imports).is_ok(), is_whole);
}

/// A manifest: what is read is the only spelling of what it says, and can be compared and described.
pub fn manifest(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(manifest) = verify::manifest(text) else { return };
    assert_eq!(manifest.canonical().ok().as_deref(), Some(data));
    assert_eq!(verify::manifest(text).ok().as_ref(), Some(&manifest));
    assert_eq!(serde_json::to_string(&compare(&manifest, &manifest)).ok(), serde_json::to_string(&nothing()).ok());
    manifest.powers();
    manifest.capability_lines();
    manifest.components();
}

/// Nothing differs.
fn nothing() -> santokit_core::release::Comparison {
    santokit_core::release::Comparison::default()
}

/// Envelopes, signed releases and pointers: none is believed that no key of ours has signed.
pub fn envelope(data: &[u8]) {
    let Ok(key) = VerifyingKey::parse(NOBODYS_KEY) else { unreachable!("the key is one") };
    let trust = Trust::in_each([key.clone()], 1);
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(data) {
        assert!(envelope.open::<Statement>(RELEASE_TYPE, &trust.signers, 1).is_err());
        assert!(envelope.open::<Statement>(RELEASE_TYPE, &trust.signers, 0).is_err());
        assert!(envelope.open::<Pointer>(POINTER_TYPE, &trust.signers, 1).is_err());
        assert!(verify::pointer(&envelope, &trust, "shop", "prod").is_err());
        let unverified = envelope.unverified::<Statement>(RELEASE_TYPE);
        assert!(unverified.is_err() || envelope.payload_type == RELEASE_TYPE);
        for signature in &envelope.signatures {
            assert!(envelope.clone().attach(&key, &signature.sig).is_err());
        }
    }
    if let Ok(release) = serde_json::from_slice::<SignedRelease>(data) {
        assert!(verify::release(&release, &trust).is_err());
    }
}

/// A way to look at a statement, and which verbs of which tables are granted.
type Look<'l> = &'l dyn Fn(Granted<'_>) -> Result<GuestStatement, Refused>;
type Granted<'g> = &'g dyn Fn(&str, Verb) -> bool;

/// What a guest writes as SQL: what is let by without a grant only reads, and a grant takes nothing away.
pub fn guest_sql(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let looks: [Look<'_>; 3] = [
        &|granted| guest::check(text, granted, ["items"].into_iter()),
        &|granted| guest::check_on_server(text, Dialect::Postgres, granted, ["items"].into_iter()),
        &|granted| guest::check_on_server(text, Dialect::Mysql, granted, ["items"].into_iter()),
    ];
    for (index, look) in looks.iter().enumerate() {
        let nothing = look(&|_, _| false);
        let everything = look(&|_, _| true);
        if let Ok(statement) = &nothing {
            // On a server what is written within a statement that reads is its login's matter.
            assert!(statement.verb == Verb::Select || index > 0, "{text:?}: {statement:?}");
            assert_eq!(everything.as_ref(), Ok(statement), "{text:?}");
        }
        if everything.is_ok() {
            assert!(text.len() <= guest::STATEMENT_BYTES_MAX);
            assert!(index == 0 || !text.contains('\0'), "{text:?}");
        }
    }
    // What takes SQL apart for declared queries and logics.
    for (at, statement) in sql_text::statements(text) {
        assert_eq!(text.get(at..at + statement.len()), Some(statement));
    }
    assert_eq!(sql_text::replace_placeholders(text, |name| format!(":{name}")), text);
    let _ = sql_text::check_ends(text);
    sql_text::is_read_only(text);
}
