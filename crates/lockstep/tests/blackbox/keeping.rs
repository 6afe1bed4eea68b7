//! What `lockstep sandbox` keeps: every acknowledged write outlives a kill, a snapshot outlives an end.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lockstep_object::{Value, from_json};
use tempfile::TempDir;

use crate::harness::wait_for_file;

pub const TOKEN: &str = "keeping";
pub const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";
/// How often the server is killed.
const KILLS: u64 = 100;
const WRITERS: usize = 4;

/// A server, and where it is.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub async fn start(folder: &Path, arguments: &[&str]) -> Self {
        let (kubeconfig, log) = (folder.join("kubeconfig"), folder.join("log"));
        if kubeconfig.exists() {
            std::fs::remove_file(&kubeconfig).unwrap();
        }
        let output = std::fs::File::create(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command.args(["sandbox", "--token", TOKEN, "--write-kubeconfig"]).arg(&kubeconfig).args(arguments);
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        wait_for_file(&kubeconfig, &log).await;
        let text = std::fs::read_to_string(&kubeconfig).unwrap();
        let address = text.split("server: https://").nth(1).unwrap().lines().next().unwrap().to_owned();
        Self { child, address }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&mut self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        self.child.wait().unwrap();
    }
}

/// Sends a request over a connection of its own; `None` if the server went away before its answer was whole.
pub fn send(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    // In this version of HTTP a body ends with its connection, and nothing stands between its pieces.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: sandbox\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let text = String::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some((code, from_json(body.as_bytes()).ok()?))
}

/// What was acknowledged: the number that an object has, or that it is gone.
type Acknowledged = BTreeMap<String, Option<u64>>;

/// Creates, changes and deletes objects of its own until told to stop or cut off.
fn write(address: &str, writer: usize, round: u64, stop: &AtomicBool, acknowledged: &Mutex<Acknowledged>) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("w{writer}-{round}-{}", number / 3);
        let path = format!("{CONFIGS}/{name}");
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"number":"{number}"}}}}"#
        );
        let (answer, kept) = match number % 3 {
            0 => (send(address, "POST", CONFIGS, &body), Some(number)),
            1 => (send(address, "PUT", &path, &body), Some(number)),
            // Every other object is deleted again.
            _ if number % 2 == 0 => (send(address, "DELETE", &path, ""), None),
            _ => continue,
        };
        match answer {
            Some((200 | 201, _)) => acknowledged.lock().unwrap().insert(name, kept),
            Some((code, status)) => panic!("{name} {number}: {code} {status:?}"),
            // Nobody knows whether this write is kept: nothing is expected of the object.
            None => {
                acknowledged.lock().unwrap().remove(&name);
                return;
            }
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_outlives_a_kill() {
    let folder = TempDir::new().unwrap();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    for round in 0..KILLS {
        let mut server = Server::start(folder.path(), &["--bare", "--data", "data"]).await;
        check(&server.address, &acknowledged.lock().unwrap());
        let before = acknowledged.lock().unwrap().len();
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (address, stop, acknowledged) = (server.address.clone(), stop.clone(), acknowledged.clone());
                std::thread::spawn(move || write(&address, writer, round, &stop, &acknowledged))
            })
            .collect();
        // Each round is killed at another place.
        let wanted = before + 5 + usize::try_from(round % 7).unwrap() * 3;
        while acknowledged.lock().unwrap().len() < wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.signal("-KILL");
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }
    let mut server = Server::start(folder.path(), &["--bare", "--data", "data"]).await;
    check(&server.address, &acknowledged.lock().unwrap());
    server.signal("-KILL");
}

fn check(address: &str, acknowledged: &Acknowledged) {
    let (code, list) = send(address, "GET", CONFIGS, "").unwrap();
    assert_eq!(code, 200);
    let found: BTreeMap<&str, &str> = list
        .get("items")
        .and_then(Value::as_list)
        .unwrap()
        .iter()
        .filter_map(|item| Some((item.at(&["metadata", "name"])?.as_str()?, item.at(&["data", "number"])?.as_str()?)))
        .collect();
    for (name, number) in acknowledged {
        let expect = number.map(|number| number.to_string());
        assert_eq!(found.get(name.as_str()).copied(), expect.as_deref(), "{name} of {}", acknowledged.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_holds_all_objects_as_yaml() {
    let folder = TempDir::new().unwrap();
    let mut first = Server::start(folder.path(), &["--snapshot", "objects.yaml"]).await;
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}"#;
    let (code, created) = send(&first.address, "POST", CONFIGS, body).unwrap();
    assert_eq!(code, 201);
    first.signal("-TERM");
    let text = std::fs::read_to_string(folder.path().join("objects.yaml")).unwrap();
    assert!(text.contains("kind: ConfigMap\nmetadata:\n"), "{text}");
    let mut second = Server::start(folder.path(), &["--snapshot", "objects.yaml"]).await;
    let (_, found) = send(&second.address, "GET", &format!("{CONFIGS}/a"), "").unwrap();
    for path in [&["metadata", "uid"][..], &["metadata", "managedFields"], &["data"]] {
        assert_eq!(found.at(path), created.at(path));
    }
    second.signal("-KILL");
}
