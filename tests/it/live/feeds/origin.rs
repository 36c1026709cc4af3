//! A server elsewhere whose feeds the tests write, and who remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is answered at a path: everything behind the protocol's name.
#[derive(Clone)]
pub enum Page {
    /// A status with headers and a body.
    Says(String, Vec<u8>),
    /// A calendar with an ETag: asked for by it, nothing is sent.
    Tagged(String, Vec<u8>),
    /// A body without an end.
    Endless,
}

pub struct Origin {
    pages: Arc<Mutex<HashMap<String, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
    address: String,
    serving: JoinHandle<()>,
}

impl Origin {
    pub async fn open() -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let (pages, asked) = (Arc::<Mutex<HashMap<String, Page>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (known, heard) = (pages.clone(), asked.clone());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, known.clone(), heard.clone()));
            }
        });
        Origin { pages, asked, address, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn set(&self, path: &str, page: Page) {
        self.pages.lock().expect("no panic").insert(path.to_owned(), page);
    }

    /// A calendar at a path, as it is.
    pub fn calendar(&self, path: &str, text: &str) {
        let head = "200 OK\r\nContent-Type: text/calendar".to_owned();
        self.set(path, Page::Says(head, text.as_bytes().to_vec()));
    }

    /// The heads of the requests since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, pages: Arc<Mutex<HashMap<String, Page>>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("no panic").push(head.clone());
    let page = pages.lock().expect("no panic").get(&path).cloned();
    let answer = |head: &str, body: &[u8]| {
        let mut answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        answer.push_str("");
        [answer.as_bytes(), body].concat()
    };
    let bytes = match page {
        None => answer("404 Not Found", b""),
        Some(Page::Says(head, body)) => answer(&head, &body),
        Some(Page::Tagged(tag, _)) if head.to_lowercase().contains(&format!("if-none-match: {tag}")) => {
            b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec()
        }
        Some(Page::Tagged(tag, body)) => {
            answer(&format!("200 OK\r\nContent-Type: text/calendar\r\nETag: {tag}"), &body)
        }
        Some(Page::Endless) => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nBEGIN:VCALENDAR\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
            return;
        }
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}
