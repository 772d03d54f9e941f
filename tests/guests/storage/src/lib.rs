//! Does to objects what its input says, one step after the other, and answers what each came to.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    time::Duration,
};

use santokit_guest::prelude::*;
use santokit_guest::storage::{Error, Presign, Put, SignedUrl, Stat, Writer};
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Input {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Step {
    op: String,
    bucket: String,
    key: String,
    /// What is written; so many times where it says.
    text: String,
    times: usize,
    content_type: Option<String>,
    only_new: bool,
    if_match: Option<String>,
    sha256: Option<String>,
    /// Of `read`.
    offset: u64,
    length: usize,
    /// Of `presignGet` and `presignPut`.
    expires_in: Option<u64>,
    save_as: Option<String>,
    size: Option<u64>,
    /// Not to catch the error of a limit.
    give_up: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            op: String::new(),
            bucket: "files".to_owned(),
            key: String::new(),
            text: String::new(),
            times: 1,
            content_type: None,
            only_new: false,
            if_match: None,
            sha256: None,
            offset: 0,
            length: 1 << 20,
            expires_in: None,
            save_as: None,
            size: None,
            give_up: false,
        }
    }
}

fn handle(Input { steps }: Input) -> Result<Vec<Json>, LogicError> {
    steps.iter().map(step).collect()
}

fn step(step: &Step) -> Result<Json, LogicError> {
    match done(step) {
        Ok(answer) => Ok(answer),
        // As any logic does: then the caller is told the limit.
        Err(error @ Error::Limit(_)) if step.give_up => Err(error.into()),
        Err(error) => {
            let said = error.to_string();
            Ok(json!({"code": LogicError::from(error).code(), "message": said}))
        }
    }
}

fn done(step: &Step) -> Result<Json, Error> {
    let bucket = storage::bucket(&step.bucket);
    let key = &step.key;
    Ok(match step.op.as_str() {
        "get" => match bucket.get(key)? {
            Some(object) => json!({"text": String::from_utf8_lossy(&object.body), "stat": told(&object.stat)}),
            None => Json::Null,
        },
        "stat" => bucket.stat(key)?.map_or(Json::Null, |stat| told(&stat)),
        "put" => told(&options(bucket.put(key), step).body(step.text.repeat(step.times).as_bytes())?),
        "stream" => {
            let mut writer = options(bucket.put(key), step).stream()?;
            write(&mut writer, step)?;
            told(&writer.finish()?)
        }
        // A guest that thinks better of it.
        "drop" => {
            write(&mut bucket.put(key).stream()?, step)?;
            Json::Null
        }
        "read" => {
            let reader = bucket.open(key)?;
            json!({"text": String::from_utf8_lossy(&reader.read_at(step.offset, step.length)?), "stat": told(reader.stat())})
        }
        // While it is open, another is put in its place.
        "overtaken" => {
            let mut reader = bucket.open(key)?;
            bucket.put(key).body(step.text.as_bytes())?;
            let mut text = String::new();
            reader.read_to_string(&mut text).map_err(|error| Error::Invalid(error.to_string()))?;
            let size = reader.seek(SeekFrom::End(0)).map_err(|error| Error::Invalid(error.to_string()))?;
            json!({"text": text, "size": size})
        }
        // Each of them is an open file at the host.
        "openAll" => {
            let all = (0..step.times).map(|_| bucket.open(key)).collect::<Result<Vec<_>, Error>>()?;
            json!(all.len())
        }
        "list" => json!(bucket.list(key)?.map(|object| Ok(object?.key)).collect::<Result<Vec<String>, Error>>()?),
        "delete" => match &step.if_match {
            Some(etag) => json!(bucket.remove_if(key, etag)?),
            None => json!(bucket.remove(key)?),
        },
        "presignGet" => signed(&presigned(bucket.presign_get(key), step).sign()?),
        "presignPut" => signed(&presigned(bucket.presign_put(key), step).sign()?),
        other => return Err(Error::Invalid(format!("no such op: {other}"))),
    })
}

fn presigned<'a>(mut url: Presign<'a>, step: &Step) -> Presign<'a> {
    if let Some(seconds) = step.expires_in {
        url = url.expires_in(Duration::from_secs(seconds));
    }
    if let Some(name) = &step.save_as {
        url = url.save_as(name);
    }
    if let Some(size) = step.size {
        url = url.size(size);
    }
    if let Some(kind) = &step.content_type {
        url = url.content_type(kind);
    }
    url
}

fn signed(signed: &SignedUrl) -> Json {
    let lives = i64::try_from(signed.expires).is_ok_and(|expires| expires > clock::now().unix_millis());
    json!({"url": signed.url, "method": signed.method, "headers": signed.headers, "lives": lives})
}

fn write(writer: &mut Writer, step: &Step) -> Result<(), Error> {
    (0..step.times).try_for_each(|_| writer.add(step.text.as_bytes()))
}

fn options<'a>(mut put: Put<'a>, step: &Step) -> Put<'a> {
    if let Some(content_type) = &step.content_type {
        put = put.content_type(content_type);
    }
    if step.only_new {
        put = put.only_new();
    }
    if let Some(etag) = &step.if_match {
        put = put.only_over(etag);
    }
    match &step.sha256 {
        Some(hex) => put.sha256(hex),
        None => put,
    }
}

fn told(stat: &Stat) -> Json {
    let made = stat.modified > 1_700_000_000_000;
    json!({"key": stat.key, "size": stat.size, "etag": stat.etag, "type": stat.content_type, "made": made})
}

santokit_guest::logic!(handle);
