//! What browsers are told: preflights, answers and refusals, by the release's setting.

use santokit_core::{
    cors::{ANY, Cors, HEADERS_DEFAULT, METHODS_DEFAULT},
    quantity::Millis,
    release::Overlay,
};

use super::*;

const PAGE: &str = "https://shop.example";

fn cors(origins: &[&str], credentials: bool) -> Cors {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Cors {
        origins: set(origins),
        methods: set(METHODS_DEFAULT),
        headers: set(HEADERS_DEFAULT),
        exposed_headers: set(&["x-quota"]),
        credentials,
        max_age: Millis(90_000),
    }
}

impl Client {
    async fn preflight(&self, path: &str, origin: &str) -> (u16, HeaderMap, Value) {
        let request = self.client.request(http::Method::OPTIONS, format!("{}{path}", self.base));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        read(request.header("access-control-request-headers", "content-type").send().await.unwrap()).await
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    headers.get_all("vary").iter().any(|value| value.to_str().unwrap().eq_ignore_ascii_case("origin"))
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_call_and_no_other() {
    let hub = Hub::start();
    let dir = scratch();
    let bridge = serve(hub.config(&dir, false)).await.unwrap();
    let client = Client::of(&bridge);
    // Nothing is loaded: nobody may call, and a browser can read that no answer is for it.
    assert_eq!(client.preflight("/call", PAGE).await.0, 403);
    hub.point(hub.release_with("one", &hub.key, |manifest| manifest.cors = Some(cors(&[PAGE], true))), 1);
    client.until(|status, _| status == 200).await;

    for path in ["/call", "/logics/a/b", "/nowhere"] {
        let (status, headers, _) = client.preflight(path, PAGE).await;
        assert_eq!((status, header(&headers, "access-control-allow-origin")), (204, PAGE), "{path}");
        assert_eq!(header(&headers, "access-control-allow-credentials"), "true");
        assert_eq!(header(&headers, "access-control-allow-methods"), "GET, POST");
        assert!(header(&headers, "access-control-allow-headers").contains("x-santokit-api-key"));
        assert_eq!(header(&headers, "access-control-max-age"), "90");
        assert!(varies_by_origin(&headers));
    }
    for origin in
        ["https://shop.example.evil", "https://evil.example", "http://shop.example", "null", "https://shop.example:444"]
    {
        let (status, headers, body) = client.preflight("/call", origin).await;
        assert_eq!((status, body["error"]["code"].as_str()), (403, Some("FORBIDDEN")), "{origin}");
        assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{origin}: {headers:?}");
        assert!(varies_by_origin(&headers));
    }

    // Every answer can be read by the page, errors above all; another page reads none.
    let calls = [("/logics/a", "", 401), ("/call", "{", 400), ("/nowhere", "", 404), ("/readyz", "", 405)];
    for (path, body, expected) in calls {
        let (status, headers, _) = client.post(path, &[("origin", PAGE)], body).await;
        assert_eq!((status, header(&headers, "access-control-allow-origin")), (expected, PAGE), "{path}");
        let exposed = header(&headers, "access-control-expose-headers");
        for name in ["x-request-id", "x-santokit-release", "retry-after", "x-quota"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{exposed}");
        }
        let (status, headers, _) = client.post(path, &[("origin", "https://evil.example")], body).await;
        assert_eq!((status, header(&headers, "access-control-allow-origin")), (expected, ""), "{path}");
        assert!(varies_by_origin(&headers));
    }
    let (_, headers, _) = client.post("/logics/a", &[], "").await;
    assert!(varies_by_origin(&headers) && !headers.contains_key("access-control-allow-origin"));
    let plain = client.client.request(http::Method::OPTIONS, format!("{}/call", client.base)).send().await.unwrap();
    assert_eq!(plain.status(), 405, "what is no preflight is a method like any other");
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn an_env_has_its_own_setting_and_a_star_has_no_credentials() {
    let hub = Hub::start();
    let dir = scratch();
    let bridge = serve(hub.config(&dir, false)).await.unwrap();
    let client = Client::of(&bridge);
    let change = |manifest: &mut Manifest| {
        manifest.cors = Some(cors(&[PAGE], true));
        manifest.envs.insert("dev".into(), Overlay { cors: Some(cors(&[ANY], false)), ..Overlay::default() });
    };
    hub.point(hub.release_with("one", &hub.key, change), 1);
    client.until(|status, _| status == 200).await;
    let (status, headers, _) = client.preflight("/call", "https://anyone.example").await;
    assert_eq!((status, header(&headers, "access-control-allow-origin")), (204, "*"));
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let (_, headers, _) = client.post("/call", &[("origin", "null")], "").await;
    assert_eq!(header(&headers, "access-control-allow-origin"), "*");

    // A release that says both is none, whoever signed it.
    let both = hub.release_with("two", &hub.key, |manifest| manifest.cors = Some(cors(&[ANY], true)));
    let refused = hub.point(both, 2);
    client.until(|_, body| body["envs"][0]["reason"].as_str().is_some_and(|why| why.contains(&refused))).await;
    assert!(bridge.status().envs[0].refused.clone().unwrap().message.contains("credentials"));
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}
