//! Load generator and upstream in one thread: what they cost must not be what is measured, so one `epoll` serves the
//! clients and the server, answers are rendered before the start, and nothing is allocated per request.

mod connection;
mod job;
mod work;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context as _, anyhow};

pub use job::{Expected, Job, Outcome, Plan, Reply};

use crate::answers::Answers;
use work::Work;

type Command = (Job, Sender<anyhow::Result<Outcome>>);

/// The running thread. Dropping it ends it.
#[derive(Debug)]
pub struct Load {
    commands: Option<Sender<Command>>,
    wake: UnixStream,
    upstream: u16,
    received: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Load {
    /// Starts the upstream, on a port of its own, with these answers.
    ///
    /// # Errors
    /// When the system refuses a socket or the thread.
    pub fn start(answers: Answers) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not listen")?;
        let upstream = listener.local_addr()?.port();
        let (wake, woken) = UnixStream::pair().context("could not make a socket")?;
        let (commands, jobs): (Sender<Command>, Receiver<Command>) = channel();
        let received = Arc::new(AtomicU64::new(0));
        let mut work = Work::new(listener, woken, answers, Arc::clone(&received))?;
        let thread = thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || work.serve(&jobs))
            .context("could not start the load generator")?;
        Ok(Self {
            commands: Some(commands),
            wake,
            upstream,
            received,
            thread: Some(thread),
        })
    }

    /// Port of the upstream.
    #[must_use]
    pub fn upstream(&self) -> u16 {
        self.upstream
    }

    /// POST requests that have reached the upstream so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Runs a job to its end, when nothing is under way any more.
    ///
    /// # Errors
    /// When a connection fails, or an answer is not what the job expects; with the first such answer.
    pub fn run(&self, job: Job) -> anyhow::Result<Outcome> {
        let gone = || anyhow!("the load generator has ended");
        let (done, result) = channel();
        self.commands
            .as_ref()
            .ok_or_else(gone)?
            .send((job, done))
            .map_err(|_| gone())?;
        (&self.wake)
            .write_all(&[1])
            .context("could not wake the load generator")?;
        result.recv().map_err(|_| gone())?
    }

    /// Sends one request and gives its answer.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&self, port: u16, request: Vec<u8>) -> anyhow::Result<Reply> {
        let outcome = self.run(Job {
            port,
            connections: 1,
            requests: vec![request.into()],
            plan: Plan::Once,
            expected: None,
        })?;
        outcome.first.context("no answer came")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.commands = None;
        let _ = (&self.wake).write_all(&[1]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
