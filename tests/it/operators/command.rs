//! `stk` as a person uses it: a login that is kept, a second factor, and a session that outlives its access token; in a file, and in
//! the keychain of a system that has one.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{FIRST, Lab, PASSWORD};
use chrono::TimeDelta;
use santokit_core::wire::Sealed;
use santokit_hub::app::login::totp::Secret;
use santokit_tests::{Finished, ProjectFolder, stk_answering, stk_fed};
use serde_json::{Value as Json, json};

const ADA: &str = "ada@example.com";

/// A person's machine.
struct Machine<'a> {
    lab: &'a Lab,
    folder: ProjectFolder,
    more: Vec<(&'static str, String)>,
}

impl<'a> Machine<'a> {
    fn new(lab: &'a Lab) -> Self {
        Self { lab, folder: ProjectFolder::new([]).unwrap(), more: Vec::new() }
    }

    async fn stk(&self, args: &[&str], input: &str) -> Finished {
        let (url, config) = (self.lab.url(), self.folder.path().join("config").display().to_string());
        let mut env = vec![("STK_HUB_URL", url.as_str()), ("XDG_CONFIG_HOME", config.as_str())];
        env.extend(self.more.iter().map(|(name, value)| (*name, value.as_str())));
        stk_fed(self.folder.path(), args, &env, input).await.unwrap()
    }

    async fn ok(&self, args: &[&str], input: &str) -> Json {
        let finished = self.stk(&[args, &["--json"]].concat(), input).await;
        assert_eq!(finished.code, 0, "{args:?}: {finished:?}");
        finished.json()
    }

    fn kept(&self) -> String {
        fs::read_to_string(self.folder.path().join("config/santokit/credentials.json")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_a_second_factor_and_stays_in() {
    let [lab, _] = Lab::both().await;
    lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
    lab.ok(Some(FIRST), "POST", "/v1/projects/shop/envs", json!({"name": "prod"})).await;
    let machine = Machine::new(&lab);
    let login = ["login", "--email", ADA, "--password-stdin"];
    machine.ok(&login, PASSWORD).await;
    let file = machine.folder.path().join("config/santokit/credentials.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let enrolled = machine.ok(&["mfa", "enrol", "--password-stdin"], PASSWORD).await;
    let secret = Secret::of(&Sealed::new(enrolled["secret"].as_str().unwrap().to_owned())).unwrap();
    let confirmed = machine.ok(&["mfa", "confirm", "--code", &lab.code(&secret)], "").await;
    assert_eq!(confirmed["recoveryCodes"].as_array().unwrap().len(), 10);
    let protect = ["env", "protect", "prod", "--project", "shop"];
    assert_eq!(machine.ok(&protect, "").await["protected"], true);

    // Without a code nobody comes in; where there is nobody to ask, it says how to give one.
    let refused = machine.stk(&login, PASSWORD).await;
    assert!(refused.code == 2 && refused.stderr.contains("--code"), "{refused:?}");
    lab.later(TimeDelta::seconds(31));
    let code = lab.code(&secret);
    assert_eq!(machine.ok(&[&login[..], &["--code", &code]].concat(), PASSWORD).await["secondFactor"], true);
    // The Hub's clock is ahead: the token is over there, and not here. It is refreshed without a word.
    let before = machine.kept();
    lab.later(TimeDelta::hours(2));
    assert_eq!(machine.ok(&["whoami"], "").await["operator"]["email"], ADA);
    assert_ne!(machine.kept(), before);
    lab.later(TimeDelta::hours(2));
    // Many at once refresh once: a second time would end the session.
    let at_once = [(); 6].map(|()| machine.stk(&["whoami"], ""));
    for finished in futures_util::future::join_all(at_once).await {
        assert_eq!(finished.code, 0, "{finished:?}");
    }
    assert!(lab.audited("session.reuse").await.is_empty());
    machine.ok(&["env", "unprotect", "prod", "--project", "shop"], "").await;
    lab.later(TimeDelta::seconds(31));
    machine.ok(&["mfa", "disable", "--password-stdin", "--code", &lab.code(&secret)], PASSWORD).await;
    // A file that others can read is not used.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = machine.stk(&["whoami"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("chmod 600"), "{refused:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    machine.ok(&["logout"], "").await;
    assert!(!machine.kept().contains("stk_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_typed_is_not_shown() {
    let [lab, _] = Lab::both().await;
    let machine = Machine::new(&lab);
    let (url, config) = (lab.url(), machine.folder.path().join("config").display().to_string());
    let env = [("STK_HUB_URL", url.as_str()), ("XDG_CONFIG_HOME", config.as_str())];
    let (email, password) = (format!("{ADA}\n"), format!("{PASSWORD}\n"));
    let answers = [("Email:", email.as_str()), ("Password:", password.as_str())];
    let finished = stk_answering(machine.folder.path(), &["login"], &env, &answers).await.unwrap();
    let shown = format!("{}{}", finished.stdout, finished.stderr);
    assert!(finished.code == 0 && shown.contains("logged in"), "{finished:?}");
    assert!(shown.contains(ADA) && !shown.contains(PASSWORD), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_system_has_a_keychain_the_session_is_there() {
    let [lab, _] = Lab::both().await;
    let mut machine = Machine::new(&lab);
    // The program of libsecret, with a folder for a keychain.
    let bin = machine.folder.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let program = "#!/bin/sh\nkey=$(for last; do :; done; printf %s \"$last\" | tr -c 'a-z0-9' _)\nf=\"$0.$key\"\n\
                   case $1 in store) cat > \"$f\" ;; lookup) cat \"$f\" ;; clear) rm -f \"$f\" ;; esac\n";
    fs::write(bin.join("secret-tool"), program).unwrap();
    fs::set_permissions(bin.join("secret-tool"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    machine.more = vec![
        ("PATH", format!("{}:{path}", bin.display())),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere".to_owned()),
    ];
    let told = machine.ok(&["login", "--email", ADA, "--password-stdin"], PASSWORD).await;
    assert_eq!(told["kept"], "the keychain");
    assert!(!machine.kept().contains("stk_"), "{}", machine.kept());
    assert_eq!(machine.ok(&["whoami"], "").await["operator"]["email"], ADA);
    lab.later(TimeDelta::hours(2));
    machine.ok(&["whoami"], "").await;
    machine.ok(&["logout"], "").await;
    assert_eq!(fs::read_dir(&bin).unwrap().count(), 1, "nothing is left");
    // One that takes nothing is as if there were none.
    fs::write(bin.join("secret-tool"), "#!/bin/sh\nexit 1\n").unwrap();
    let told = machine.ok(&["login", "--email", ADA, "--password-stdin"], PASSWORD).await;
    assert!(told["kept"].as_str().unwrap().ends_with("credentials.json"));
    machine.ok(&["whoami"], "").await;
}
