//! A thousand watchers that do not read: `lockstep sandbox` holds a place for each of them, and no queue.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use http_body_util::Empty;
use hyper::{Request, Response, body::Bytes, body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;

use crate::keeping::{CONFIGS, Server, TOKEN, send};

/// Watchers over connections of their own, which speak HTTP/1.1.
const ALONE: usize = 500;
/// Connections in HTTP/2, and the watchers of each.
const SHARED: (usize, usize) = (5, 100);
const CHANGES: usize = 600;
/// The size of the object that is changed, in bytes.
const SIZE: usize = 250_000;
/// How much memory all this may cost the server, in MiB. The changes are 143 MiB long, and a queue of them for each watcher
/// would take a thousand times as much; the server remembers 64 MiB of them and keeps less than 128 KiB for a watcher.
const MOST: u64 = 256;

fn resident_mib(server: &Server) -> u64 {
    let output = Command::new("ps").args(["-o", "rss=", "-p", &server.pid().to_string()]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap() / 1024
}

fn watch_alone(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {CONFIGS}?watch=1 HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // The head of the answer says that the watch stands.
    let mut first = [0; 12];
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

async fn watch_together(address: &str, count: usize) -> Vec<Response<Incoming>> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut watches = Vec::new();
    for _ in 0..count {
        let request = Request::get(format!("http://{address}{CONFIGS}?watch=1"));
        let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Empty::<Bytes>::new()).unwrap();
        let response = sender.clone().send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        watches.push(response);
    }
    watches
}

fn config(data: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a"}},"data":{{"x":"{data}"}}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_watchers_that_do_not_read_cost_no_memory_and_hinder_nobody() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path(), &["--bare"]).await;
    assert_eq!(send(&server.address, "POST", CONFIGS, &config("")).unwrap().0, 201);
    let mut alone: Vec<_> = (0..ALONE).map(|_| watch_alone(&server.address)).collect();
    let mut together = Vec::new();
    for _ in 0..SHARED.0 {
        together.extend(watch_together(&server.address, SHARED.1).await);
    }
    assert_eq!(alone.len() + together.len(), 1000);
    let before = resident_mib(&server);
    for number in 0..CHANGES {
        let data = format!("{number}{}", "x".repeat(SIZE));
        assert_eq!(send(&server.address, "PUT", &format!("{CONFIGS}/a"), &config(&data)).unwrap().0, 200);
    }
    let grown = resident_mib(&server).saturating_sub(before);
    assert!(grown < MOST, "the server took {grown} MiB more");
    // Who reads at last hears that too much has happened meanwhile.
    let mut rest = Vec::new();
    let mut late = alone.pop().unwrap();
    late.read_to_end(&mut rest).ok();
    assert!(String::from_utf8_lossy(&rest).contains("too old resource version"), "{} bytes", rest.len());
    server.signal("-KILL");
}
