//! libFuzzer's way into `targets::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| santokit_fuzz::targets::manifest(data));
