//! The thread's loop.

use std::collections::{HashMap, VecDeque};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use hdrhistogram::Histogram;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::Command;
use super::connection::{Connection, Input, Role};
use super::job::{Job, Outcome, Plan, Reply};
use crate::answers::Answers;

const LISTENER: u64 = 0;
const WAKE: u64 = 1;
const TIMER: u64 = 2;
const FIRST: u64 = 3;

/// How long a job may take longer than it should.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest latency that is told from a longer one.
const LONGEST: u64 = 60_000_000_000;
const BUFFER: usize = 256 * 1024;

/// A job under way.
struct Running {
    job: Job,
    begin: Instant,
    sent: u64,
    answered: u64,
    idle: Vec<usize>,
    /// Requests that are due and wait for a connection.
    late: VecDeque<Instant>,
    latencies: Histogram<u64>,
    first: Option<Reply>,
    last: Instant,
}

impl Running {
    /// When the next request is due, if there is to be one more.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        match self.job.plan {
            Plan::Once => (self.sent == 0).then_some(now),
            Plan::Closed { length, at_most } => {
                let more = now.duration_since(self.begin) < length;
                let at_most = u64::try_from(at_most).unwrap_or(u64::MAX);
                (more && self.sent < at_most).then_some(now)
            }
            // What waits for a connection is not sent yet, but is not to come either.
            Plan::Open(schedule) => {
                let waiting = u64::try_from(self.late.len()).unwrap_or(u64::MAX);
                let due = schedule.due(self.sent.saturating_add(waiting))?;
                Some(self.begin + due)
            }
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.sent == self.answered && self.late.is_empty() && self.next_due(now).is_none()
    }
}

/// The loop's state.
pub(super) struct Work {
    epoll: OwnedFd,
    timer: OwnedFd,
    listener: TcpListener,
    wake: UnixStream,
    answers: Answers,
    received: Arc<AtomicU64>,
    connections: Vec<Option<Connection>>,
    /// Idle connections of clients, by port.
    pools: HashMap<u16, Vec<usize>>,
    buffer: Vec<u8>,
    running: Option<Running>,
}

impl Work {
    pub(super) fn new(
        listener: TcpListener,
        wake: UnixStream,
        answers: Answers,
        received: Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let context = "could not set up the load generator";
        listener.set_nonblocking(true).context(context)?;
        wake.set_nonblocking(true).context(context)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context(context)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        );
        let timer = timer.context(context)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )
        .context(context)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN).context(context)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN).context(context)?;
        Ok(Self {
            epoll,
            timer,
            listener,
            wake,
            answers,
            received,
            connections: Vec::new(),
            pools: HashMap::new(),
            buffer: vec![0; BUFFER],
            running: None,
        })
    }

    /// Serves until nobody can send commands any more.
    pub(super) fn serve(&mut self, commands: &Receiver<Command>) {
        // The default slack of 50 us would blur when requests are sent.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        loop {
            match commands.try_recv() {
                Ok((job, done)) => {
                    let port = job.port;
                    let outcome = self.job(job);
                    self.running = None;
                    if outcome.is_err() {
                        // Whatever is still under way there belongs to nobody any more.
                        self.forget(port);
                    }
                    let _ = done.send(outcome);
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    if self.turn().is_err() {
                        // Outside of a job it is a peer that went away in the middle of a message.
                        continue;
                    }
                }
            }
        }
    }

    fn job(&mut self, job: Job) -> anyhow::Result<Outcome> {
        let port = job.port;
        // A single request gets a connection of its own, because a refusal may end its connection.
        let once = matches!(job.plan, Plan::Once);
        let mut idle = match once {
            true => Vec::new(),
            false => self.pools.remove(&port).unwrap_or_default(),
        };
        while idle.len() < job.connections {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .with_context(|| format!("could not connect to port {port}"))?;
            idle.push(self.add(Connection::new(stream, Role::Client { port, due: None })?)?);
        }
        let spare = idle.split_off(job.connections);
        let length = match job.plan {
            Plan::Once => Duration::ZERO,
            Plan::Closed { length, .. } => length,
            Plan::Open(schedule) => schedule
                .due(schedule.count().saturating_sub(1))
                .unwrap_or_default(),
        };
        let begin = Instant::now();
        self.running = Some(Running {
            job,
            begin,
            sent: 0,
            answered: 0,
            idle,
            late: VecDeque::new(),
            latencies: Histogram::new_with_bounds(1, LONGEST, 3)?,
            first: None,
            last: begin,
        });
        let deadline = begin + length + PATIENCE;
        self.send_due()?;
        while self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_over(Instant::now()))
        {
            if Instant::now() > deadline {
                bail!("port {port} has not answered within {PATIENCE:?}");
            }
            self.turn()?;
        }
        let running = self.running.take().context("the job is gone")?;
        let mut idle = running.idle;
        if once {
            for index in idle {
                if let Some(place) = self.connections.get_mut(index) {
                    *place = None;
                }
            }
        } else {
            idle.extend(spare);
            self.pools.insert(port, idle);
        }
        Ok(Outcome {
            answered: running.answered,
            elapsed: running.last.duration_since(running.begin),
            latencies: running.latencies,
            first: running.first,
        })
    }

    /// Closes every connection to `of`.
    fn forget(&mut self, of: u16) {
        self.pools.remove(&of);
        for place in &mut self.connections {
            let role = place.as_ref().map(|connection| connection.role);
            if matches!(role, Some(Role::Client { port, .. }) if port == of) {
                *place = None;
            }
        }
    }

    /// Sends what is due to be sent now.
    fn send_due(&mut self) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            let Some(running) = &mut self.running else {
                return Ok(());
            };
            if let Some(due) = running.next_due(now) {
                if due <= now {
                    if running.idle.is_empty() {
                        if !matches!(running.job.plan, Plan::Open(_)) {
                            return Ok(());
                        }
                        running.late.push_back(due);
                        continue;
                    }
                    self.send_one(due)?;
                    continue;
                }
                let wait = due.duration_since(now).max(Duration::from_nanos(1));
                let value = Itimerspec {
                    it_interval: timespec(Duration::ZERO),
                    it_value: timespec(wait),
                };
                timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)
                    .context("could not set a timer")?;
            }
            return Ok(());
        }
    }

    fn send_one(&mut self, due: Instant) -> anyhow::Result<()> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let Some(index) = running.idle.pop() else {
            return Ok(());
        };
        let count = u64::try_from(running.job.requests.len())
            .unwrap_or(u64::MAX)
            .max(1);
        let next = usize::try_from(running.sent.checked_rem(count).unwrap_or(0)).unwrap_or(0);
        let request = running
            .job
            .requests
            .get(next)
            .cloned()
            .context("a job without requests")?;
        let keep = running.job.expected.is_none();
        running.sent = running.sent.saturating_add(1);
        let connection = self.connections.get_mut(index).and_then(Option::as_mut);
        let connection = connection.context("a connection is gone")?;
        connection.reader.next(keep);
        if let Role::Client { due: under_way, .. } = &mut connection.role {
            *under_way = Some(due);
        }
        let all = connection.send(request)?;
        self.watch(index, !all)
    }

    /// Waits for events and handles them.
    fn turn(&mut self) -> anyhow::Result<()> {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }; 64];
        let second = timespec(Duration::from_secs(1));
        let count = match epoll::wait(&self.epoll, &mut events, Some(&second)) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error).context("could not wait for events"),
        };
        for event in events.iter().take(count) {
            match event.data.u64() {
                LISTENER => self.accept()?,
                WAKE => {
                    let _ = self.wake.read(&mut self.buffer);
                }
                TIMER => {
                    let _ = rustix::io::read(&self.timer, &mut [0_u8; 8]);
                    self.send_due()?;
                }
                token => {
                    let index = usize::try_from(token.saturating_sub(FIRST)).unwrap_or(usize::MAX);
                    self.ready(index)?;
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            let connection = Connection::new(stream, Role::Upstream)?;
            self.add(connection)?;
        }
        Ok(())
    }

    fn add(&mut self, connection: Connection) -> anyhow::Result<usize> {
        let free = self.connections.iter().position(Option::is_none);
        let index = free.unwrap_or(self.connections.len());
        epoll::add(
            &self.epoll,
            &connection.stream,
            token(index),
            EventFlags::IN,
        )
        .context("could not watch a connection")?;
        match self.connections.get_mut(index) {
            Some(place) => *place = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        Ok(index)
    }

    /// Asks `epoll` for room to write, or no longer.
    fn watch(&mut self, index: usize, out: bool) -> anyhow::Result<()> {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        if connection.watched != out {
            connection.watched = out;
            let flags = if out {
                EventFlags::IN | EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(&self.epoll, &connection.stream, token(index), flags)
                .context("could not watch a connection")?;
        }
        Ok(())
    }

    fn ready(&mut self, index: usize) -> anyhow::Result<()> {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        if connection.watched {
            let all = connection.flush()?;
            self.watch(index, !all)?;
        }
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        match (connection.read(&mut self.buffer)?, connection.role) {
            (Input::Partial, _) => Ok(()),
            (Input::Closed, role) => self.closed(index, role),
            (Input::Message, Role::Upstream) => {
                if connection.reader.head().method == "POST" {
                    self.received.fetch_add(1, Ordering::SeqCst);
                }
                let answer = self
                    .answers
                    .answer(connection.reader.head(), connection.reader.body());
                connection.reader.next(false);
                let all = connection.send(answer)?;
                self.watch(index, !all)
            }
            (Input::Message, Role::Client { due, .. }) => self.answered(index, due),
        }
    }

    fn answered(&mut self, index: usize, due: Option<Instant>) -> anyhow::Result<()> {
        let now = Instant::now();
        let connection = self.connections.get_mut(index).and_then(Option::as_mut);
        let connection = connection.context("a connection is gone")?;
        let (Some(running), Some(due)) = (&mut self.running, due) else {
            bail!("an answer came that nobody waits for");
        };
        if let Role::Client { due, .. } = &mut connection.role {
            *due = None;
        }
        let latency = now.duration_since(due).as_nanos();
        running
            .latencies
            .saturating_record(u64::try_from(latency).unwrap_or(LONGEST).max(1));
        running.answered = running.answered.saturating_add(1);
        running.last = now;
        let reader = &connection.reader;
        let (status, length) = (reader.head().status, reader.length());
        match running.job.expected {
            Some(expected) if !expected.is_met(status, length) => {
                bail!(
                    "an answer of port {} has status {status} and {length} bytes instead of {} and {}",
                    running.job.port,
                    expected.status,
                    expected.length
                );
            }
            Some(_) => {}
            None if running.first.is_none() => {
                running.first = Some(Reply {
                    status,
                    session: reader.head().session.clone(),
                    body: reader.body().to_vec(),
                });
            }
            None => {}
        }
        running.idle.push(index);
        if let Some(due) = running.late.pop_front() {
            return self.send_one(due);
        }
        match running.job.plan {
            Plan::Open(_) => Ok(()),
            Plan::Once | Plan::Closed { .. } => self.send_due(),
        }
    }

    fn closed(&mut self, index: usize, role: Role) -> anyhow::Result<()> {
        if let Some(place) = self.connections.get_mut(index) {
            *place = None;
        }
        let Role::Client { port, due } = role else {
            return Ok(());
        };
        if let Some(pool) = self.pools.get_mut(&port) {
            pool.retain(|idle| *idle != index);
        }
        if due.is_some() {
            return Err(anyhow!(
                "port {port} has closed a connection without an answer"
            ));
        }
        if let Some(running) = &mut self.running {
            running.idle.retain(|idle| *idle != index);
        }
        Ok(())
    }
}

fn token(index: usize) -> EventData {
    EventData::new_u64(
        u64::try_from(index)
            .unwrap_or(u64::MAX)
            .saturating_add(FIRST),
    )
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
