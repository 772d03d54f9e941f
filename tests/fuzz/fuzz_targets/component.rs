//! libFuzzer's way into `targets::component`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| santokit_fuzz::targets::component(data));
