//! Every method of every service, called without a valid token.

use polarway_proto::Reason;

use crate::auth_raw::{our_paths, paths_in, refused_at};
use crate::support::Server;

const TOKEN: &str = "pw_the-right-token-of-this-server";

fn server(flags: &[&str]) -> Server {
    Server::start_with_variables(&[("POLARWAY_AUTH_TOKEN", TOKEN)], flags)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_answers_without_the_very_token() {
    let server = server(&[]);
    let (prefix, more) = (&TOKEN[..TOKEN.len() - 1], format!("{TOKEN}x"));
    let other_case = TOKEN.to_uppercase();
    let mut paths = our_paths();
    paths.extend(["/polarway.v1.PolarwayService/None".to_owned(), "/none.Service/None".to_owned()]);
    for path in &paths {
        assert_eq!(refused_at(&server, path, &[]).await, Some(Reason::MissingToken), "{path}");
        for wrong in ["wrong", prefix, &more, &other_case, ""] {
            for value in [format!("Bearer {wrong}"), format!("bearer {wrong}")] {
                let refused = refused_at(&server, path, &[&value]).await;
                assert_eq!(refused, Some(Reason::InvalidToken), "{path}: {value}");
            }
        }
        for values in [
            &[TOKEN][..],
            &[&format!("Basic {TOKEN}")],
            &[&format!("Bearer {TOKEN}"), &format!("Bearer {TOKEN}")],
            &["Bearer wrong", &format!("Bearer {TOKEN}")],
        ] {
            assert_eq!(refused_at(&server, path, values).await, Some(Reason::InvalidToken), "{path}");
        }
        let right = format!("Bearer {TOKEN}");
        assert_eq!(refused_at(&server, path, &[&right]).await, None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_open_and_reflection_as_it_is_set() {
    let health = paths_in(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let reflection = [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ];
    for (setting, expect) in
        [("authenticated", Some(Reason::MissingToken)), ("public", None), ("off", Some(Reason::MissingToken))]
    {
        let server = server(&["--reflection", setting]);
        for path in &health {
            assert_eq!(refused_at(&server, path, &[]).await, None, "{path}");
        }
        for path in reflection {
            assert_eq!(refused_at(&server, path, &[]).await, expect, "{setting}: {path}");
            let right = format!("Bearer {TOKEN}");
            assert_eq!(refused_at(&server, path, &[&right]).await, None, "{setting}: {path}");
        }
    }
}
