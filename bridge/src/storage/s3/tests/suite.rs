//! The test suite of Signature Version 4 that AWS has published, all of it: each request as it is sent, its signature looked at as a service does.
//! It says nothing of S3 itself, which leaves paths as they are: that is in the examples of its documentation.

use std::{collections::BTreeMap, ffi::OsStr, fs, path::Path};

use super::{Request, Scope, canonical, sha256, signature, to_sign};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// Of a case: what it comes to, its one form, the request, the same when it is signed, and what is signed of it.
const ENDINGS: [&str; 5] = ["authz", "creq", "req", "sreq", "sts"];
/// A suite that has fewer is not the whole one.
const CASES: usize = 34;

/// A request, as it is sent.
struct Sent<'f> {
    method: &'f str,
    path: &'f str,
    query: &'f str,
    headers: Vec<(&'f str, String)>,
    body: &'f str,
}

#[test]
fn signatures_are_those_of_the_published_suite() {
    let cases = cases();
    assert_eq!(cases.len(), CASES, "{:?}", cases.keys());
    // With the token of a session, in each of the ways that there are.
    for name in ["get-vanilla-with-session-token", "post-sts-header-before", "post-sts-header-after"] {
        assert!(cases.contains_key(name), "{name}");
    }
    for (name, files) in &cases {
        check(name, files);
    }
}

/// Texts by their endings, by the name of their case.
fn cases() -> BTreeMap<String, BTreeMap<String, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/third_party/aws-sig-v4/suite");
    let (mut folders, mut found) = (vec![root], BTreeMap::<String, BTreeMap<String, String>>::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = |part: Option<&OsStr>| part.unwrap().to_str().unwrap().to_owned();
            let (name, ending) = (text(path.file_stem()), text(path.extension()));
            // Notes beside the cases.
            if ending != "txt" {
                found.entry(name).or_default().insert(ending, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

fn check(name: &str, files: &BTreeMap<String, String>) {
    let endings: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(endings, ENDINGS, "{name}: a case has no result");
    let (asked, sent) = (sent(&files["req"]), sent(&files["sreq"]));
    assert_eq!(
        (asked.method, asked.path, asked.query, asked.body),
        (sent.method, sent.path, sent.query, sent.body),
        "{name}: one request"
    );
    let authorization = files["authz"].strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let said: BTreeMap<&str, &str> =
        authorization.trim().split(", ").map(|field| field.split_once('=').unwrap()).collect();
    // What was added after it was signed is not of it.
    let names: Vec<&str> = said["SignedHeaders"].split(';').collect();
    let is_signed = |header: &str| names.contains(&header.to_ascii_lowercase().as_str());
    let headers: Vec<(&str, &str)> =
        sent.headers.iter().filter(|(name, _)| is_signed(name)).map(|(name, value)| (*name, value.as_str())).collect();
    let (path, payload) = (normal(sent.path), sha256(sent.body));
    let request = Request { method: sent.method, path: &path, query: sent.query, headers: &headers, payload: &payload };
    let date = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amz-date"));
    let credential: Vec<&str> = said["Credential"].split('/').collect();
    let date = date.unwrap_or_else(|| panic!("{name} says no date")).1;
    let scope = Scope { secret: SECRET, date, region: credential[2], service: credential[3] };
    let form = canonical(&request);
    assert_eq!(form, files["creq"], "{name}");
    assert_eq!(to_sign(&form, &scope), files["sts"], "{name}");
    assert_eq!(signature(&request, &scope), said["Signature"], "{name}");
}

fn sent(text: &str) -> Sent<'_> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (first, lines) = head.split_once('\n').unwrap();
    let (method, rest) = first.split_once(' ').unwrap();
    // A path of the suite has a space in it.
    let (target, _) = rest.rsplit_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(&str, String)> = Vec::new();
    for line in lines.lines() {
        match headers.last_mut() {
            // A value that goes on.
            Some((_, value)) if line.starts_with(' ') => value.push_str(line),
            _ => {
                let (name, value) = line.split_once(':').unwrap();
                headers.push((name, value.to_owned()));
            }
        }
    }
    Sent { method, path, query, headers, body }
}

/// A path as all services but S3 have it: without empty segments and dots.
fn normal(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let end = if !segments.is_empty() && path.ends_with('/') { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}
