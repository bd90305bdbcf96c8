//! A way to the server on which answers get lost: what was asked is done, and nobody is told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Listens until the process ends.
pub struct LossyProxy {
    port: u16,
    lost: Arc<AtomicU64>,
}

impl LossyProxy {
    /// Loses about one in `each` answers of the server at `port`, and the connection with it.
    pub fn start(port: u16, each: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let (lost, answers) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
        let counted = lost.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // The server may be down.
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let (lost, answers) = (counted.clone(), answers.clone());
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || forward(up, down, || true));
                thread::spawn(move || {
                    forward(server, client, || {
                        // Spread over all kinds of answers, the same each time.
                        let number = answers.fetch_add(1, Ordering::Relaxed);
                        let passes = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                        let passes = !passes.is_multiple_of(each);
                        lost.fetch_add(u64::from(!passes), Ordering::Relaxed);
                        passes
                    });
                });
            }
        });
        Self { port: own, lost }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many answers were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Carries bytes until either side ends or something does not pass.
fn forward(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut() -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if !passes() || to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
