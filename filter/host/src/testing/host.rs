//! A host in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{NOW, without};
use crate::host::{Direction, HeaderPairs, Host, HostError, Level, LocalReply, RootHost};

/// A host in memory.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) nanos: u64,
    pub(crate) configuration: Vec<u8>,
    pub(crate) headers: [HeaderPairs; 2],
    pub(crate) trailers: HeaderPairs,
    pub(crate) bodies: [Vec<u8>; 2],
    pub(crate) replies: Vec<LocalReply>,
    pub(crate) resets: usize,
    pub(crate) resumes: usize,
    pub(crate) entered: Vec<u32>,
    pub(crate) published: BTreeMap<String, String>,
    pub(crate) logs: Vec<String>,
    pub(crate) metrics: Vec<(String, u64)>,
    pub(crate) shared: BTreeMap<String, Vec<u8>>,
    pub(crate) opened: Vec<String>,
    pub(crate) sent: Vec<(u32, Vec<u8>)>,
    pub(crate) message: Vec<u8>,
    pub(crate) status_message: String,
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) dones: usize,
    /// The call that fails, and how many of its calls succeed before.
    pub(crate) fail: Option<(&'static str, usize)>,
}

impl FakeHost {
    pub(crate) fn new() -> Self {
        let host = Self::default();
        host.with(|inner| {
            inner.nanos = NOW * 1_000_000_000;
            for field in ["id", "cluster"] {
                let path = format!("xds.node.{field}");
                inner.properties.insert(path.clone(), path.into_bytes());
            }
        });
        host
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.borrow_mut())
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.with(|inner| {
            inner
                .metrics
                .iter()
                .find(|(own, _)| own == name)
                .map_or(0, |(_, value)| *value)
        })
    }

    fn call<T>(&self, call: &'static str, f: impl FnOnce(&mut Inner) -> T) -> Result<T, HostError> {
        self.with(|inner| {
            if let Some((failing, left)) = &mut inner.fail
                && *failing == call
            {
                match left.checked_sub(1) {
                    Some(less) => *left = less,
                    None => return Err(HostError::Status { call, status: 2 }),
                }
            }
            Ok(f(inner))
        })
    }
}

pub(super) fn at(direction: Direction) -> usize {
    match direction {
        Direction::Request => 0,
        Direction::Response => 1,
    }
}

impl Host for FakeHost {
    fn now(&self) -> Result<u64, HostError> {
        self.call("now", |inner| {
            inner.nanos += 1_000;
            inner.nanos
        })
    }

    fn headers(&self, direction: Direction) -> Result<HeaderPairs, HostError> {
        self.call("headers", |inner| inner.headers[at(direction)].clone())
    }

    fn trailers(&self) -> Result<HeaderPairs, HostError> {
        self.call("trailers", |inner| inner.trailers.clone())
    }

    fn set_header(&self, direction: Direction, name: &str, value: &str) -> Result<(), HostError> {
        self.call("set_header", |inner| {
            let held = &mut inner.headers[at(direction)];
            let mut pairs = without(held, name);
            pairs.push((name.into(), value.into()));
            *held = HeaderPairs::of(&pairs);
        })
    }

    fn remove_header(&self, direction: Direction, name: &str) -> Result<(), HostError> {
        self.call("remove_header", |inner| {
            let held = &mut inner.headers[at(direction)];
            *held = HeaderPairs::of(&without(held, name));
        })
    }

    fn body(&self, direction: Direction, size: usize) -> Result<Vec<u8>, HostError> {
        self.call("body", |inner| {
            let body = &inner.bodies[at(direction)];
            body[..size.min(body.len())].to_vec()
        })
    }

    fn replace_body(&self, direction: Direction, size: usize, new: &[u8]) -> Result<(), HostError> {
        self.call("replace_body", |inner| {
            let body = &mut inner.bodies[at(direction)];
            assert_eq!(size, body.len(), "only whole bodies can be replaced");
            *body = new.to_vec();
        })
    }

    fn reply(&self, reply: &LocalReply) -> Result<(), HostError> {
        self.call("reply", |inner| inner.replies.push(reply.clone()))
    }

    fn resume(&self, _direction: Direction) -> Result<(), HostError> {
        self.call("resume", |inner| inner.resumes += 1)
    }

    fn reset(&self) -> Result<(), HostError> {
        self.call("reset", |inner| inner.resets += 1)
    }

    fn shared(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.call("shared", |inner| inner.shared.get(key).cloned())
    }

    fn set_shared(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        self.call("set_shared", |inner| {
            inner.shared.insert(key.to_owned(), value.to_vec());
        })
    }

    fn publish(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        let value = String::from_utf8(value.to_vec()).unwrap();
        self.call("publish", |inner| {
            inner.published.insert(key.to_owned(), value);
        })
    }

    fn property(&self, path: &[&str]) -> Result<Vec<u8>, HostError> {
        self.call("property", |inner| {
            let path = path.join(".");
            let published = inner
                .published
                .get(&path)
                .map(|value| value.clone().into_bytes());
            published
                .or_else(|| inner.properties.get(&path).cloned())
                .unwrap_or_default()
        })
    }

    fn count(&self, metric: u32, by: u64) {
        self.with(|inner| inner.metrics[metric as usize].1 += by);
    }

    fn log(&self, _level: Level, message: &str) {
        self.with(|inner| inner.logs.push(message.to_owned()));
    }
}

impl RootHost for FakeHost {
    fn configuration(&self) -> Result<Vec<u8>, HostError> {
        self.call("configuration", |inner| inner.configuration.clone())
    }

    fn set_tick(&self, _milliseconds: u32) -> Result<(), HostError> {
        self.call("set_tick", |_| ())
    }

    fn define_counter(&self, name: &str) -> Result<u32, HostError> {
        self.call("define_counter", |inner| {
            inner.metrics.push((name.to_owned(), 0));
            u32::try_from(inner.metrics.len() - 1).unwrap()
        })
    }

    fn define_gauge(&self, name: &str) -> Result<u32, HostError> {
        self.define_counter(name)
    }

    fn gauge(&self, metric: u32, value: u64) {
        self.with(|inner| inner.metrics[metric as usize].1 = value);
    }

    fn open_stream(&self, cluster: &str, service: &str, method: &str) -> Result<u32, HostError> {
        self.call("open_stream", |inner| {
            inner.opened.push(format!("{cluster}: {service}/{method}"));
            u32::try_from(inner.opened.len()).unwrap()
        })
    }

    fn send(&self, stream: u32, message: &[u8]) -> Result<(), HostError> {
        self.call("send", |inner| inner.sent.push((stream, message.to_vec())))
    }

    fn cancel(&self, _stream: u32) -> Result<(), HostError> {
        self.call("cancel", |_| ())
    }

    fn message(&self, size: usize) -> Result<Vec<u8>, HostError> {
        self.call("message", |inner| {
            assert_eq!(size, inner.message.len());
            inner.message.clone()
        })
    }

    fn status_message(&self) -> Result<Vec<u8>, HostError> {
        self.call("status_message", |inner| {
            inner.status_message.clone().into_bytes()
        })
    }

    fn enter(&self, context: u32) -> Result<(), HostError> {
        self.call("enter", |inner| inner.entered.push(context))
    }

    fn done(&self) -> Result<(), HostError> {
        self.call("done", |inner| inner.dones += 1)
    }
}
