//! What the Hub keeps of logins, on both of its stores: that what is half made is not given, and what is not needed is found.

use santokit_hub::store::{
    Place, Store, commit, envs,
    guest_logins::{self, GuestLoginRow},
    orgs,
};
use santokit_tests::{Engine, TestDatabase};
use secrecy::SecretString;

const AT: &str = "2026-01-02T03:04:05.678Z";
const LATER: &str = "2026-01-03T03:04:05.678Z";

fn row(name: &str) -> GuestLoginRow {
    GuestLoginRow {
        name: name.to_owned(),
        connection: "main".to_owned(),
        engine: "postgres".to_owned(),
        place: "postgres://…@host:5432/shop".to_owned(),
        powers: r#"{"numbers":["select"]}"#.to_owned(),
        password: vec![0, 255, 1],
        created_at: AT.to_owned(),
        made_at: None,
        retired_at: Some(AT.to_owned()),
        address: None,
    }
}

async fn is_found_as_it_was_kept(store: Store) {
    let mut db = store.write().await.unwrap();
    assert!(envs::add_project(&mut db, orgs::FIRST, "shop", AT).await.unwrap());
    for env in ["dev", "prod"] {
        assert!(envs::add_env(&mut db, "shop", env, AT).await.unwrap());
    }
    for (env, name) in [("dev", "first"), ("dev", "second"), ("prod", "third")] {
        guest_logins::add(&mut db, "shop", env, &row(name)).await.unwrap();
    }
    commit(db).await.unwrap();
    let mut db = store.write().await.unwrap();
    guest_logins::set_made(&mut db, "second", LATER).await.unwrap();
    let all = guest_logins::of_env(&mut db, "shop", "dev").await.unwrap();
    let seen: Vec<_> =
        all.iter().map(|row| (row.name.as_str(), row.made_at.as_deref(), row.retired_at.as_deref())).collect();
    assert_eq!(seen, [("second", Some(LATER), None), ("first", None, Some(AT))], "the newest first");
    assert_eq!((&all[0].password, &all[0].powers), (&vec![0, 255, 1], &row("").powers));
    let due = async |db: &mut _, made: &str, retired: &str| guest_logins::due(db, made, retired).await.unwrap();
    let (dev, prod) = (("shop".to_owned(), "dev".to_owned()), ("shop".to_owned(), "prod".to_owned()));
    assert_eq!(due(&mut db, "2020", "2020").await, []);
    assert_eq!(due(&mut db, LATER, "2020").await, std::slice::from_ref(&dev), "old enough for a successor");
    assert_eq!(due(&mut db, "2020", AT).await, [dev, prod], "retired for long enough");
    guest_logins::set_left(&mut db, "second", &[7], LATER).await.unwrap();
    guest_logins::set_left(&mut db, "second", &[8], AT).await.unwrap();
    let left = guest_logins::of_env(&mut db, "shop", "dev").await.unwrap().remove(0);
    assert_eq!((left.address, left.retired_at.as_deref()), (Some(vec![7]), Some(LATER)), "where it was first");
    guest_logins::set_retired(&mut db, "first", None).await.unwrap();
    guest_logins::remove(&mut db, "second").await.unwrap();
    commit(db).await.unwrap();
    let all = guest_logins::of_env(&mut store.read().await.unwrap(), "shop", "dev").await.unwrap();
    assert_eq!(
        all.iter().map(|row| (row.name.as_str(), row.retired_at.is_none())).collect::<Vec<_>>(),
        [("first", true)]
    );
    let mut db = store.write().await.unwrap();
    assert!(guest_logins::add(&mut db, "shop", "prod", &row("first")).await.is_err(), "a name is used once");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_found_as_they_were_kept_on_both_stores() {
    let dir = tempfile::tempdir().unwrap();
    is_found_as_it_was_kept(Store::open(Place::Directory(dir.path())).await.unwrap()).await;
    let database = TestDatabase::create(Engine::Postgres).await.unwrap();
    let url = SecretString::from(database.url());
    is_found_as_it_was_kept(Store::open(Place::Postgres(&url)).await.unwrap()).await;
}
