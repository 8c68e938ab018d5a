//! The Compose files are those that users were shown, with lines added at most.

use crate::support::file;

const ONE_WORKER: &str = r#"
version: '3.8'
services:
  polarway-server:
    image: polarway/polarway:latest
    container_name: polarway-server
    ports:
      - "50052:50052"
    volumes:
      - ./data:/data
    environment:
      - POLARWAY_BIND_ADDRESS=0.0.0.0:50052
      - POLARWAY_CACHE_SIZE=2.0
      - RUST_LOG=info
    command: server --grpc-port 50052 --data-dir /data
    restart: unless-stopped
"#;

const BALANCER: &str = r#"
version: '3.8'
services:
  polarway-lb:
    image: nginx:alpine
    container_name: polarway-lb
    ports:
      - "50052:50052"
    volumes:
      - ./nginx.conf:/etc/nginx/nginx.conf:ro
    depends_on:
      - worker-1
      - worker-2
      - worker-3
    restart: unless-stopped
"#;

const WORKER: &str = "
  worker-N:
    image: polarway/polarway:latest
    volumes:
      - shared-data:/data
      - shared-state:/state
    environment:
      - POLARWAY_BIND_ADDRESS=0.0.0.0:50052
      - POLARWAY_HANDLE_STORE=external
      - POLARWAY_STATE_DIR=/state
      - RUST_LOG=info
    command: server --grpc-port 50052 --data-dir /data
";

const VOLUMES: &str = "
volumes:
  shared-data:
  shared-state:
";

/// Every line of the promise is a line of the file, in the same order.
#[track_caller]
fn check(name: &str, promise: &str) {
    let text = file(name);
    let mut lines = text.lines();
    for promised in promise.lines().filter(|line| !line.is_empty()) {
        assert!(lines.any(|line| line == promised), "deploy/{name} lacks {promised:?}, or has it elsewhere");
    }
}

#[test]
fn the_compose_file_of_one_worker_is_the_promised_one() {
    check("docker-compose.yml", ONE_WORKER);
}

#[test]
fn the_compose_file_of_three_workers_is_the_promised_one() {
    let workers = ["1", "2", "3"].map(|number| WORKER.replace("worker-N", &format!("worker-{number}")));
    check("nginx/docker-compose.yml", &[BALANCER, &workers.concat(), VOLUMES].concat());
}

#[test]
fn nginx_listens_and_passes_calls_on_as_promised() {
    let promise = "    upstream polarway_backend {
        listen 50052 http2;
        location / {
            grpc_pass grpc://polarway_backend;
            grpc_set_header Host $host;
";
    check("nginx/nginx.conf", promise);
}
