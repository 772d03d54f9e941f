//! libFuzzer's way into `targets::packed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| santokit_fuzz::targets::packed(data));
