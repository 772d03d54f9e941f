//! The plugins that ship with `stk`, and the files that one becomes in a project. It writes nothing.

use reqwest::Url;

use crate::failure::Failure;

/// A plugin.
#[derive(Debug)]
pub struct Plugin {
    /// What it is asked for by.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Its component, as `cargo xtask plugins` has made it of its source.
    pub component: &'static [u8],
    manifest: &'static str,
    readme: &'static str,
}

/// All of them.
pub const ALL: &[Plugin] = &[Plugin {
    name: "webhook",
    about: "Hands events to an HTTPS endpoint, signed as Standard Webhooks says",
    component: include_bytes!("../../plugins/webhook/webhook.wasm"),
    manifest: include_str!("../../plugins/webhook/logic.yaml"),
    readme: include_str!("../../plugins/webhook/README.md"),
}];

/// A file of a project: below its folder, with slashes.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: String,
    /// What.
    pub content: Vec<u8>,
}

/// The endpoint that a plugin asks.
#[derive(Debug)]
pub struct Endpoint {
    url: Url,
}

/// What a project calls a plugin, and what it is given.
#[derive(Debug)]
pub struct Named<'a> {
    /// The logic.
    pub logic: &'a str,
    /// What it asks.
    pub endpoint: &'a Endpoint,
}

impl Plugin {
    /// By its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|plugin| plugin.name == name)
    }

    /// Its component and what is to be read of it.
    pub fn component(&self, logic: &str) -> Vec<File> {
        vec![
            File { path: format!("logics/{logic}/{}.wasm", self.name), content: self.component.to_vec() },
            File { path: format!("logics/{logic}/README.md"), content: self.readme.as_bytes().to_vec() },
        ]
    }

    /// Its manifest, with the words of a project.
    pub fn manifest(&self, named: &Named<'_>) -> File {
        let text = [
            ("{{url}}", named.endpoint.without_query()),
            ("{{host}}", named.endpoint.host()),
            ("{{path}}", named.endpoint.url.path().to_owned()),
            ("{{secret}}", named.secret()),
            ("{{config}}", named.config()),
        ]
        .into_iter()
        .fold(self.manifest.to_owned(), |text, (from, to)| text.replace(from, &to));
        File { path: format!("logics/{}/logic.yaml", named.logic), content: text.into_bytes() }
    }
}

impl Named<'_> {
    /// The secret that it reads.
    pub fn secret(&self) -> String {
        format!("{}_SECRET", self.word().to_uppercase())
    }

    /// The configuration value that has its URL.
    pub fn config(&self) -> String {
        format!("{}_url", self.word())
    }

    /// A subscription of a topic.
    pub fn subscription(&self, topic: &str) -> File {
        let name = format!("{}_{topic}", self.word());
        let text = format!(
            "name: {name}\ntopic: {topic}\nhandler: logics/{}\nretry: {{maxRetries: 10, minBackoff: 5s, maxBackoff: 1h}}\n",
            self.logic
        );
        File { path: format!("events/subscriptions/{name}.yaml"), content: text.into_bytes() }
    }

    /// The last part of the logic's name as configuration values are named; the component does the same.
    fn word(&self) -> String {
        self.logic.rsplit('/').next().unwrap_or(self.logic).replace('-', "_")
    }
}

impl Endpoint {
    /// What can be asked, and stand in a grant.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mistake = |what: &str| {
            let failure = Failure::usage(format!("--url {text:?} {what}"));
            anyhow::Error::from(failure.hint("for example --url https://hooks.example.com/shop"))
        };
        let url = Url::parse(text).map_err(|error| mistake(&format!("is no URL: {error}")))?;
        if url.scheme() != "https" {
            return Err(mistake("is not https: guests ask nothing else"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(mistake("has no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(mistake("has a user or a password: it would be read by everyone who reads the project"));
        }
        if url.fragment().is_some() {
            return Err(mistake("has a part behind #, which is never sent"));
        }
        // In a grant these are patterns, and the words of the manifest are in quotes. Asked of what was
        // written: the parsed path has some of them in percent signs, and would be no pattern any more.
        let written = text.split('?').next().unwrap_or(text);
        if written.contains(['*', '{', '}', '"', '\\', '\'']) {
            return Err(mistake("has a path with *, braces or quotes: a grant cannot name it"));
        }
        Ok(Self { url })
    }

    /// As it is asked.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// As a grant names it: with its port where that is not the one of https.
    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    fn without_query(&self) -> String {
        format!("https://{}{}", self.host(), self.url.path())
    }
}

/// `santokit.yaml` with a configuration value more; none where it is written in a way that only its author should change.
pub fn with_config(text: &str, name: &str, value: &str) -> Option<String> {
    let line = format!("{name}: {}", serde_json::Value::from(value));
    let lines: Vec<&str> = text.lines().collect();
    let is_key = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key == "config");
    let Some(at) = lines.iter().position(is_key) else {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Some(format!("{text}{end}config:\n  {line}\n"));
    };
    if lines.get(at)?.trim_end() != "config:" {
        return None;
    }
    let next = lines.iter().skip(at + 1).find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let indent = next.len() - next.trim_start_matches(' ').len();
    if indent == 0 || next.starts_with('\t') {
        return None;
    }
    let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    all.insert(at + 1, format!("{}{line}", " ".repeat(indent)));
    Some(all.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_becomes_files_with_the_words_of_the_project() {
        let endpoint = Endpoint::parse("https://hooks.example.com:8443/shop/in?tenant=1").unwrap();
        let named = Named { logic: "hooks/crm-eu", endpoint: &endpoint };
        let manifest = Plugin::find("webhook").unwrap().manifest(&named);
        let text = String::from_utf8(manifest.content).unwrap();
        assert_eq!(manifest.path, "logics/hooks/crm-eu/logic.yaml");
        for part in [
            r#"hosts: ["hooks.example.com:8443"]"#,
            r#"paths: ["/shop/in"]"#,
            "[CRM_EU_SECRET]",
            "[crm_eu_url]",
            "to https://hooks.example.com:8443/shop/in,",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("{{") && !text.contains("tenant"), "{text}");
        let subscription = named.subscription("order_placed");
        assert_eq!(subscription.path, "events/subscriptions/crm_eu_order_placed.yaml");
    }

    #[test]
    fn what_no_endpoint_can_be() {
        for (url, why) in [
            ("hooks.example.com", "no URL"),
            ("http://hooks.example.com/", "not https"),
            ("https://user:word@hooks.example.com/", "a password"),
            ("https://hooks.example.com/*", "a path with"),
            ("https://hooks.example.com/{auth.sub}", "a path with"),
            ("https://hooks.example.com/'", "a path with"),
            ("https://hooks.example.com/#here", "behind #"),
            ("https:///in", ""),
        ] {
            let told = Endpoint::parse(url).err().map(|failure| failure.to_string());
            assert!(told.as_ref().is_some_and(|told| told.contains(why)) || why.is_empty(), "{url}: {told:?}");
        }
    }

    #[test]
    fn a_value_is_added_where_there_are_others_or_at_the_end() {
        let added = |text| with_config(text, "webhook_url", "https://a.example/?x=\"1\"");
        let line = "webhook_url: \"https://a.example/?x=\\\"1\\\"\"";
        assert_eq!(added("version: 1\nname: a\n").unwrap(), format!("version: 1\nname: a\nconfig:\n  {line}\n"));
        assert_eq!(added("name: a").unwrap(), format!("name: a\nconfig:\n  {line}\n"));
        let kept = "name: a\nconfig:\n    # of money\n    currency: EUR\nenvs: {}\n";
        let expected = format!("name: a\nconfig:\n    {line}\n    # of money\n    currency: EUR\nenvs: {{}}\n");
        assert_eq!(added(kept).unwrap(), expected);
        for other in ["config: {currency: EUR}\n", "config: &c\n  a: b\n", "config:\nenvs: {}\n", "config:\n"] {
            assert_eq!(added(other), None, "{other}");
        }
    }
}
