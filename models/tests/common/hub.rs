//! A hub on this machine: the part of the Hugging Face hub's protocol that fetching a checkpoint needs, and its faults.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit that every revision stands for.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends after so many bytes of a weight file, once.
    BreakOnce(usize),
    /// Weight files arrive whole, whatever range was asked for.
    IgnoreRange,
    /// A byte of each weight file is another.
    Corrupt,
    /// Weight files are said to be so large.
    Claim(u64),
    /// Every request is answered with this status.
    Status(u16),
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// First byte asked for.
    pub from: Option<usize>,
    /// `Authorization`.
    pub authorization: Option<String>,
}

struct State {
    id: String,
    port: u16,
    files: BTreeMap<String, Vec<u8>>,
    licence: Value,
    fault: Mutex<Option<Fault>>,
    requests: Mutex<Vec<Request>>,
}

/// The hub, which ends with the test.
pub struct Server(Arc<State>);

impl Server {
    /// A hub of one model, `id`, that has the files of `folder`, after `change`.
    pub fn new(id: &str, folder: &Path, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Self {
        let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        change(&mut files);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            id: id.into(),
            port: listener.local_addr().unwrap().port(),
            files,
            licence: json!("cc-by-nc-4.0"),
            fault: Mutex::new(None),
            requests: Mutex::new(Vec::new()),
        });
        let served = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let served = served.clone();
                // What a client that has gone away is not told is no fault of the test.
                thread::spawn(move || drop(served.answer(&stream.unwrap())));
            }
        });
        Self(state)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    pub fn fail(&self, fault: Fault) {
        *self.0.fault.lock().unwrap() = Some(fault);
    }

    /// Takes the requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.0.requests.lock().unwrap())
    }

    /// A file's bytes.
    pub fn file(&self, name: &str) -> &[u8] {
        &self.0.files[name]
    }
}

impl State {
    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap()?;
        let (mut from, mut authorization) = (None, None);
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match &*name.to_ascii_lowercase() {
                "range" => {
                    let bounds = value.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                    from = Some(bounds.0.parse().unwrap());
                }
                "authorization" => authorization = Some(value.to_owned()),
                _ => {}
            }
        }
        let path = first.split(' ').nth(1).unwrap().to_owned();
        self.requests.lock().unwrap().push(Request { path: path.clone(), from, authorization });
        let fault = *self.fault.lock().unwrap();
        if let Some(Fault::Status(status)) = fault {
            return send(stream, status, "", b"{\"error\": \"no\"}");
        }
        if let Some(hash) = path.strip_prefix("/cdn/") {
            let bytes = self.files.values().find(|bytes| sha256(bytes) == hash).unwrap();
            return self.send_weights(stream, bytes.clone(), from, fault);
        }
        if path.strip_prefix("/api/models/").is_some_and(|rest| rest.starts_with(&*self.id)) {
            return send(stream, 200, "", self.listing().to_string().as_bytes());
        }
        let resolve = format!("/{}/resolve/{COMMIT}/", self.id);
        match path.strip_prefix(&resolve).and_then(|name| Some((name, self.files.get(name)?))) {
            Some((name, bytes)) if is_large(name) => {
                let headers = format!(
                    "Location: http://localhost:{}/cdn/{hash}\r\nX-Linked-Etag: \"{hash}\"\r\nX-Linked-Size: {}\r\n\
                     X-Repo-Commit: {COMMIT}\r\n",
                    self.port,
                    bytes.len(),
                    hash = sha256(bytes),
                );
                send(stream, 302, &headers, b"")
            }
            Some((_, bytes)) => {
                let headers = format!("ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n", git_blob(bytes));
                send(stream, 200, &headers, bytes)
            }
            None => send(stream, 404, "", b"{\"error\": \"not found\"}"),
        }
    }

    /// What the hub's store of large files does.
    fn send_weights(
        &self,
        mut stream: &TcpStream,
        mut bytes: Vec<u8>,
        from: Option<usize>,
        fault: Option<Fault>,
    ) -> std::io::Result<()> {
        let size = bytes.len();
        if fault == Some(Fault::Corrupt) {
            bytes[size / 2] ^= 1;
        }
        let from = from.filter(|_| fault != Some(Fault::IgnoreRange));
        if from.is_some_and(|from| from >= size) {
            return send(stream, 416, &format!("Content-Range: bytes */{size}\r\n"), b"");
        }
        let (status, headers) = match from {
            Some(from) => (206, format!("Content-Range: bytes {from}-{}/{size}\r\n", size - 1)),
            None => (200, String::new()),
        };
        let body = &bytes[from.unwrap_or(0)..];
        let Some(Fault::BreakOnce(after)) = fault else { return send(stream, status, &headers, body) };
        *self.fault.lock().unwrap() = None;
        let length = body.len();
        write!(stream, "HTTP/1.1 {status} OK\r\n{headers}Content-Length: {length}\r\n\r\n")?;
        stream.write_all(&body[..after])
    }

    fn listing(&self) -> Value {
        let fault = *self.fault.lock().unwrap();
        let sibling = |(name, bytes): (&String, &Vec<u8>)| {
            let mut sibling = json!({ "rfilename": name, "size": bytes.len(), "blobId": git_blob(bytes) });
            if is_large(name) {
                let size = if let Some(Fault::Claim(size)) = fault { size } else { bytes.len() as u64 };
                sibling["lfs"] = json!({ "sha256": sha256(bytes), "size": size, "pointerSize": 134 });
            }
            sibling
        };
        json!({
            "id": self.id,
            "sha": COMMIT,
            "gated": false,
            "tags": ["transformers", "license:cc-by-nc-4.0"],
            "cardData": { "license": self.licence },
            "siblings": self.files.iter().map(sibling).collect::<Vec<_>>(),
        })
    }
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin")
}

fn send(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} .\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)
}

fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn git_blob(bytes: &[u8]) -> String {
    hexadecimal(&Sha1::digest([format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
