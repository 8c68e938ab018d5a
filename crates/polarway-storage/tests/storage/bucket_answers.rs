//! Answers of services that are wrong, or refuse what was right a moment ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use polarway_bucket::Bucket;
use polarway_cloud::{ACCESS_KEY, Action, Answer, Proxy, Request, SECRET_KEY};
use polarway_storage::{Backend as _, FailureKind, ObjectBackend};

use crate::support::buckets::{Place, files, given, is_batch};

#[test]
fn an_answer_about_many_objects_that_makes_no_sense_ends_no_thread_and_each_is_deleted() {
    let of_another = "<DeleteResult><Error><Key>another</Key><Code>InternalError</Code><Message>m</Message></Error>\
                      </DeleteResult>";
    let of_number = |id: &str| {
        let part =
            format!("Content-Type: application/http\r\nContent-ID: {id}\r\n\r\nHTTP/1.1 403 No\r\n\r\n");
        format!("--x\r\n{part}\r\n--x--\r\n")
    };
    for body in
        [of_another.to_owned(), of_number("99"), of_number("none"), "<Delete".to_owned(), String::new()]
    {
        for given in given() {
            let place = Place::new(&given);
            let answer =
                Answer::new(200, body.clone()).with_header("content-type", "multipart/mixed; boundary=x");
            let decide = move |request: &Request| match is_batch(request) {
                true => Action::Refuse(answer.clone()),
                false => Action::Pass,
            };
            let Some((_proxy, backend)) = place.behind(decide) else { continue };
            let paths = files(&*backend, 3);
            backend.remove_all(&paths).unwrap_or_else(|error| panic!("{}: {body}: {error}", given.url));
            assert_eq!(backend.list("d").unwrap(), [], "{}: {body}", given.url);
        }
    }
}

/// The keys of a container, as its host gives them. They end in a hundred years.
fn keys(secret_key: &str) -> Answer {
    let keys = format!(
        r#"{{"AccessKeyId":"{ACCESS_KEY}","SecretAccessKey":"{secret_key}","Token":"","Expiration":"2126-01-01T00:00:00Z"}}"#
    );
    Answer::new(200, keys).with_header("content-type", "application/json")
}

#[test]
fn keys_of_a_container_that_were_withdrawn_are_asked_for_anew() {
    for given in given().into_iter().filter(|given| given.scheme() == "s3" && given.server.is_some()) {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        // Nobody is behind it: it answers all itself.
        let host = Proxy::start(given.server.unwrap(), move |_| {
            Action::Refuse(keys(if count.fetch_add(1, Ordering::SeqCst) == 0 { "old" } else { SECRET_KEY }))
        })
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "x").unwrap();
        let place = Place::new(&given);
        let mut options = place.options(None);
        options.variables = Some(
            [
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/", host.address())),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.display().to_string()),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        );
        let backend = ObjectBackend::of_bucket(Bucket::new(place.url(), &options).unwrap()).unwrap();
        let error = backend.replace("a", "x".into()).unwrap_err();
        assert_eq!(error.kind, FailureKind::Unauthenticated, "{error}");
        let end = Instant::now() + Duration::from_secs(60);
        while backend.replace("a", "x".into()).is_err() {
            assert!(Instant::now() < end, "the keys were asked for {} times", asked.load(Ordering::SeqCst));
            std::thread::sleep(Duration::from_millis(50)); // they are not asked for at once again
        }
        assert_eq!(backend.get("a").unwrap().unwrap(), "x");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
