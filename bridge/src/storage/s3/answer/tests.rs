//! What stores say, what they may say, and what somebody says who means harm.

use super::*;

const AWS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const LIST: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <Name>shop</Name><Prefix>a/</Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>\
    <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>\
    <EncodingType>url</EncodingType><Contents><Key>a/b+c%2Bd%C3%A9</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
    <ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><Size>5000000000</Size><StorageClass>STANDARD</StorageClass>\
    <Owner><ID/><DisplayName></DisplayName></Owner></Contents><Contents><Key>a/z</Key></Contents></ListBucketResult>";

fn told(answer: Result<impl std::fmt::Debug, Failure>) -> String {
    match answer {
        Err(Failure::Answer(told)) => told,
        other => panic!("{other:?}"),
    }
}

fn part(number: u32) -> String {
    format!("<Part><PartNumber>{number}</PartNumber><ETag>e</ETag><Size>1</Size></Part>")
}

#[test]
fn a_namespace_is_nobodys_business() {
    let inside = "<Code>AccessDenied</Code><Message>no</Message><Resource>/a</Resource>";
    let expected = Refusal { code: Some("AccessDenied".to_owned()), message: Some("no".to_owned()) };
    let prefixed = inside.replace("</", "</ns:").replace('<', "<ns:").replace("<ns:/ns:", "</ns:");
    for body in [
        format!("<Error>{inside}</Error>"),
        format!("<Error xmlns=\"{AWS}\">{inside}</Error>"),
        format!("<Error xmlns='http://doc.s3.amazonaws.com/2006-03-01'>{inside}</Error>"),
        format!("<ns:Error xmlns:ns=\"{AWS}\">{prefixed}</ns:Error>"),
        format!("\u{feff}<?xml version='1.0'?>\r\n<!-- a --><Error a=\"b\"> \n{inside}\n</Error>\n"),
        format!("<Error><Extra><Code>of another</Code></Extra><Empty/>{inside}</Error>"),
        "<Error><Code><![CDATA[Access]]>Denied</Code><Message>n<!-- -->o</Message></Error>".to_owned(),
    ] {
        assert_eq!(refusal(&body).as_ref(), Some(&expected), "{body}");
    }
    // What answers in the place of a store, or is cut off, has no code.
    for body in ["", "no", "{\"error\": {}}", "<html><body><Code>a</Code></body></html>", "<Error><Code>a</Code>"] {
        assert_eq!(refusal(body), None, "{body}");
    }
    assert_eq!(refusal("<Error/>"), Some(Refusal::default()));
}

#[test]
fn a_list_is_read_with_and_without_its_namespace() {
    for body in [LIST.to_owned(), LIST.replace(&format!(" xmlns=\"{AWS}\""), "")] {
        let list = listed(&body).unwrap();
        let first = Object {
            key: "a/b c+d\u{e9}".to_owned(),
            size: 5_000_000_000,
            etag: "\"9b2cf535f27731c974343645a3985328\"".to_owned(),
            modified: Some("2026-01-02T03:04:05.000Z".to_owned()),
        };
        assert_eq!(list.objects, [first, Object { key: "a/z".to_owned(), ..Object::default() }]);
        assert!(list.is_truncated());
    }
    // Only what is said to be escaped is.
    let plain = listed(&LIST.replace("<EncodingType>url</EncodingType>", "")).unwrap();
    assert_eq!(plain.objects[0].key, "a/b+c%2Bd%C3%A9");
    for (said, is_truncated) in [
        ("", false),
        ("<IsTruncated>false</IsTruncated><NextContinuationToken>a</NextContinuationToken>", false),
        ("<IsTruncated> true </IsTruncated>", true),
        ("<NextContinuationToken>a</NextContinuationToken>", true),
        ("<NextContinuationToken/>", false),
    ] {
        let list = listed(&format!("<ListBucketResult>{said}</ListBucketResult>")).unwrap();
        assert_eq!(list.is_truncated(), is_truncated, "{said}");
    }
}

/// Wherever it is cut off, it is no answer: half a list is not a shorter one, and half an etag is another one.
#[test]
fn half_an_answer_is_none() {
    let completed_body = "<CompleteMultipartUploadResult><ETag>abc</ETag></CompleteMultipartUploadResult>";
    let begun = "<InitiateMultipartUploadResult><UploadId>abc</UploadId></InitiateMultipartUploadResult>";
    for end in (0..LIST.len()).filter(|end| LIST.is_char_boundary(*end)) {
        assert!(listed(&LIST[..end]).is_err(), "{}", &LIST[..end]);
    }
    for end in 0..completed_body.len() {
        assert!(completed(&completed_body[..end]).is_err(), "{}", &completed_body[..end]);
    }
    for end in 0..begun.len() {
        assert!(upload_id(&begun[..end]).is_err(), "{}", &begun[..end]);
    }
    assert_eq!((completed(completed_body).unwrap(), upload_id(begun).unwrap()), ("abc".to_owned(), "abc".to_owned()));
}

#[test]
fn a_store_that_takes_long_sends_spaces_meanwhile() {
    let declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let done = "<CompleteMultipartUploadResult><ETag>&quot;a-2&quot;</ETag></CompleteMultipartUploadResult>";
    for between in ["", " ", "\n   \n "] {
        assert_eq!(completed(&format!("{declared}{between}{done}")), Ok("\"a-2\"".to_owned()));
        assert_eq!(completed(&format!("{between}{declared}{between}{done}")), Ok("\"a-2\"".to_owned()));
    }
}

#[test]
fn an_answer_that_says_200_may_be_an_error() {
    for (code, status) in [
        ("PreconditionFailed", 412),
        ("ConditionalRequestConflict", 409),
        ("NoSuchUpload", 404),
        ("InternalError", 500),
        ("", 500),
    ] {
        let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>a\nb</Message></Error>");
        let (code, message) = (code.to_owned(), "ab".to_owned());
        assert_eq!(completed(&body), Err(Failure::Refused { status, code, message, date: None }));
    }
    let other = "<CompleteMultipartUploadResult><Bucket>Error</Bucket><Code>no code</Code><ETag>&#34;a-2&#34;</ETag>\
        </CompleteMultipartUploadResult>";
    assert_eq!(completed(other), Ok("\"a-2\"".to_owned()));
    let long = format!(
        "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
        "a".repeat(NAME_BYTES_MAX + 1)
    );
    for body in ["<CompleteMultipartUploadResult/>", "<html></html>", "", long.as_str()] {
        told(completed(body));
    }
}

#[test]
fn an_upload_has_an_id_that_can_be_sent_on() {
    let of = |id: &str| {
        format!(
            "<InitiateMultipartUploadResult xmlns=\"{AWS}\"><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        )
    };
    assert_eq!(upload_id(&of("VXBsb2FkIElE&amp;=")), Ok("VXBsb2FkIElE&=".to_owned()));
    let long = "a".repeat(NAME_BYTES_MAX + 1);
    for id in ["", "a\nb", "a&#x9;b", long.as_str(), "<UploadId>a</UploadId>", "a</UploadId><UploadId>b"] {
        told(upload_id(&of(id)));
    }
}

#[test]
fn parts_are_what_they_are_said_to_be() {
    let of =
        |inside: &str| format!("<ListPartsResult xmlns=\"{AWS}\"><MaxParts>1000</MaxParts>{inside}</ListPartsResult>");
    let read = parts(&of(&format!(
        "<IsTruncated>true</IsTruncated>{}<Part><PartNumber>3</PartNumber><LastModified>x</LastModified>\
         <ETag>&quot;b&quot;</ETag><Size>8388608</Size></Part>",
        part(1)
    )));
    let expected = Parts::from([(1, (1, "e".to_owned())), (3, (8_388_608, "\"b\"".to_owned()))]);
    assert_eq!(read, Ok(PartsListed { parts: expected, is_truncated: true }));
    assert_eq!(parts(&of("")), Ok(PartsListed::default()));
    let unnamed = parts(&of(&part(1).replace("<ETag>e</ETag>", ""))).unwrap();
    assert_eq!(unnamed.parts, Parts::from([(1, (1, String::new()))]));
    for inside in [
        format!("{}{}", part(1), part(1)),
        part(65_536),
        part(1).replace("<Size>1</Size>", "<Size>-1</Size>"),
        part(1).replace("<Size>1</Size>", "<Size>99999999999999999999</Size>"),
        part(1).replace("<Size>1</Size>", "<Size>1</Size><Size>2</Size>"),
        part(1).replace("<Size>1</Size>", ""),
        part(1).replace("<ETag>e</ETag>", &format!("<ETag>{}</ETag>", "e".repeat(NAME_BYTES_MAX + 1))),
        part(1).replace("<ETag>e</ETag>", "<ETag><b>e</b></ETag>"),
        "<IsTruncated>perhaps</IsTruncated>".to_owned(),
    ] {
        told(parts(&of(&inside)));
    }
}

/// A store that means harm: each is refused, at once, and what is told of it is short and in one line.
#[test]
fn what_means_harm_is_no_answer() {
    let attributes: String = (0..100).fold(String::new(), |all, at| format!("{all} a{at}=\"\""));
    let key = |inside: &str| format!("<Contents><Key>{inside}</Key></Contents>");
    let size = |inside: &str| format!("<Contents><Key>a</Key><Size>{inside}</Size></Contents>");
    for (name, inside) in [
        ("many", key("a").repeat(ITEMS_MAX + 1)),
        ("deep", "<a>".repeat(1 << 20)),
        ("deep and whole", format!("{}{}", "<a>".repeat(200), "</a>".repeat(200))),
        ("attributes", format!("<Contents{attributes}/>")),
        ("an entity", key("&b;")),
        ("a reference that is none", key("&#0;")),
        ("an element in a text", key("a<b/>")),
        ("two keys", key("a</Key><Key>b")),
        ("no key", "<Contents><Size>1</Size></Contents>".to_owned()),
        ("a size that is none", size("1e9")),
        ("a size that is a text", size(&format!("{}\n\u{202e}", "9".repeat(9_999)))),
        ("a long key", key(&"a".repeat(KEY_BYTES_MAX + 1))),
        ("a long etag", format!("<Contents><Key>a</Key><ETag>{}</ETag></Contents>", "a".repeat(NAME_BYTES_MAX + 1))),
        ("no text", format!("<EncodingType>url</EncodingType>{}", key("%ff"))),
        ("a prefix of nobody", "<x:Contents/>".to_owned()),
        ("not closed", "<Contents></Key>".to_owned()),
        ("an instruction", "<?php a ?>".to_owned()),
        ("another document", "</ListBucketResult".to_owned()),
    ] {
        let told = told(listed(&format!("<ListBucketResult>{inside}</ListBucketResult>")));
        assert!(told.len() < 1_000 && !told.contains(char::is_control), "{name}: {told:.2000}");
    }
}

/// What is no list from its beginning.
#[test]
fn what_is_another_document_is_no_answer() {
    let bombs = "<!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
    for body in [
        format!("{bombs}<ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>"),
        format!("{bombs}<ListBucketResult/>"),
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><ListBucketResult/>".to_owned(),
        "<x:ListBucketResult/>".to_owned(),
        "<".repeat(1 << 20),
        "&".repeat(1 << 20),
        "\0".to_owned(),
        format!("<ListBucketResult a=\"{}", "b".repeat(1 << 20)),
        format!("<{}/>", "b".repeat(1 << 20)),
    ] {
        let told = told(listed(&body));
        assert!(told.len() < 1_000, "{body:.100}: {told:.2000}");
    }
}
