//! The state of the host, one per thread, and what each host call does to it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::http::{Http, Side};
use crate::pairs::{self, Pairs};

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Status of a host call, as the ABI numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// There is no such thing.
    NotFound = 1,
    /// Not now, or not with these arguments.
    BadArgument = 2,
    /// A value could not be read.
    ParseFailure = 4,
    /// Somebody else has written in between.
    CasMismatch = 8,
    /// The host failed.
    InternalFailure = 10,
    /// The host does not have this call.
    Unimplemented = 12,
}

/// A host call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the call without `proxy_`.
    pub call: &'static str,
    /// Which of its calls, from 0.
    pub occurrence: usize,
    /// Whether all later calls of that name fail too.
    pub lasting: bool,
    /// What the filter is told.
    pub status: Status,
}

/// How control can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Streams open.
    #[default]
    Up,
    /// Streams open and close at once, with status 14 (unavailable).
    Down,
    /// Streams open, and nothing comes of it.
    Mute,
    /// The cluster does not exist: streams cannot be opened.
    Missing,
}

/// One root context.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) configuration: Vec<u8>,
    /// Milliseconds between ticks, 0 for none.
    pub(crate) period: u32,
    /// It has said that it may go.
    pub(crate) done: bool,
}

/// One gRPC stream.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) target: String,
    pub(crate) open: bool,
    /// Messages of the filter that the test has not taken.
    pub(crate) sent: Vec<Vec<u8>>,
}

/// One metric.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: u64,
}

/// The host.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Nanoseconds since the Unix epoch.
    pub(crate) now: u64,
    /// Context of the callback that runs.
    pub(crate) active: u32,
    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) http: BTreeMap<u32, Http>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    pub(crate) control: Control,
    /// Streams that are to be closed when the callback is over.
    pub(crate) closing: Vec<u32>,
    /// Streams that the other side is to take when the callback is over.
    pub(crate) opening: Vec<u32>,
    /// The gRPC message of the callback that runs.
    pub(crate) message: Option<Vec<u8>>,
    pub(crate) grpc_status: u32,
    pub(crate) grpc_message: String,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) logs: Vec<String>,
    pub(crate) faults: Vec<Fault>,
    /// How often each call was made.
    pub(crate) calls: BTreeMap<&'static str, usize>,
    /// The call that was made last.
    pub(crate) last_call: &'static str,
    /// How often a fault has struck.
    pub(crate) struck: usize,
    /// What no filter may do, though the host lets it pass.
    pub(crate) violations: Vec<String>,
    /// Ids for contexts and tokens; never given twice on a thread, as the SDK's tables live as long.
    last_id: u32,
    cas: u32,
}

/// Something to do with the host's state.
pub(crate) fn with<T>(f: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(f)
}

/// One host call; fails when the test wants it to.
pub(crate) fn call<T>(
    name: &'static str,
    f: impl FnOnce(&mut World) -> Result<T, Status>,
) -> Result<T, Status> {
    with(|world| {
        let count = world.calls.entry(name).or_default();
        let occurrence = *count;
        *count += 1;
        world.last_call = name;
        let hits = |fault: &&Fault| {
            fault.call == name
                && (fault.occurrence == occurrence
                    || (fault.lasting && fault.occurrence < occurrence))
        };
        if let Some(status) = world.faults.iter().find(hits).map(|fault| fault.status) {
            world.struck += 1;
            return Err(status);
        }
        f(world)
    })
}

/// The number that the filter gets.
pub(crate) fn status(result: Result<(), Status>) -> u32 {
    result.err().unwrap_or(Status::Ok) as u32
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl World {
    /// A host that nothing has happened to yet.
    pub(crate) fn reset(&mut self, now: u64) {
        *self = Self {
            now,
            last_id: self.last_id,
            ..Self::default()
        };
        for (path, value) in [("node\0id", "node-1"), ("node\0cluster", "edge")] {
            self.properties.insert(path.into(), value.into());
        }
    }

    pub(crate) fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    fn root(&mut self) -> Result<&mut Root, Status> {
        self.roots.get_mut(&self.active).ok_or(Status::BadArgument)
    }

    fn exchange(&mut self) -> Result<&mut Http, Status> {
        self.http.get_mut(&self.active).ok_or(Status::BadArgument)
    }

    /// A call that the filter does not use; named so that its use shows.
    pub(crate) fn absent(&mut self) -> Result<(), Status> {
        self.violation(format!("`{}` is not simulated", self.last_call));
        Err(Status::Unimplemented)
    }

    pub(crate) fn log(&mut self, level: u32, line: &[u8]) -> Result<(), Status> {
        if level >= 5 {
            self.violation(format!("critical: {}", text(line)));
        }
        self.logs.push(text(line));
        Ok(())
    }

    pub(crate) fn set_tick(&mut self, period: u32) -> Result<(), Status> {
        self.root()?.period = period;
        Ok(())
    }

    pub(crate) fn done(&mut self) -> Result<(), Status> {
        self.root()?.done = true;
        Ok(())
    }

    pub(crate) fn set_effective_context(&mut self, context: u32) -> Result<(), Status> {
        if !self.roots.contains_key(&context) && !self.http.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        self.active = context;
        Ok(())
    }

    pub(crate) fn buffer(
        &mut self,
        kind: u32,
        start: usize,
        max: usize,
    ) -> Result<Vec<u8>, Status> {
        let buffer: &[u8] = match kind {
            0 => self.exchange()?.side(Side::Request).readable(),
            1 => self.exchange()?.side(Side::Response).readable(),
            5 => self.message.as_deref().ok_or(Status::NotFound)?,
            7 => &self.root()?.configuration,
            _ => return Err(Status::NotFound),
        };
        let end = start.checked_add(max).ok_or(Status::BadArgument)?;
        let end = end.min(buffer.len());
        Ok(buffer.get(start..end).unwrap_or_default().to_vec())
    }

    pub(crate) fn set_buffer(
        &mut self,
        kind: u32,
        start: usize,
        size: usize,
        new: &[u8],
    ) -> Result<(), Status> {
        let side = match kind {
            0 => Side::Request,
            1 => Side::Response,
            _ => return Err(Status::BadArgument),
        };
        self.exchange()?.side_mut(side).replace(start, size, new)
    }

    /// The map that can be reached; outside of its phase there is none.
    fn map(&mut self, map: u32) -> Result<Option<&mut Pairs>, Status> {
        let exchange = self.exchange()?;
        Ok(match map {
            0 => exchange.side_mut(Side::Request).headers(),
            1 => exchange.side_mut(Side::Request).trailers(),
            2 => exchange.side_mut(Side::Response).headers(),
            3 => exchange.side_mut(Side::Response).trailers(),
            _ => None,
        })
    }

    pub(crate) fn header_pairs(&mut self, map: u32) -> Result<Vec<u8>, Status> {
        Ok(match self.map(map)? {
            Some(map) if !map.is_empty() => pairs::serialize(map),
            _ => Vec::new(),
        })
    }

    pub(crate) fn set_header_pairs(&mut self, map: u32, new: &[u8]) -> Result<(), Status> {
        let new = pairs::parse(new).ok_or(Status::BadArgument)?;
        *self.map(map)?.ok_or(Status::BadArgument)? = new;
        Ok(())
    }

    pub(crate) fn header(&mut self, map: u32, key: &[u8]) -> Result<Vec<u8>, Status> {
        let map = self.map(map)?.ok_or(Status::BadArgument)?;
        let found = map.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value.clone())
            .ok_or(Status::NotFound)
    }

    pub(crate) fn remove_header(&mut self, map: u32, key: &[u8]) -> Result<(), Status> {
        let map = self.map(map)?.ok_or(Status::BadArgument)?;
        map.retain(|(name, _)| name != key);
        Ok(())
    }

    pub(crate) fn replace_header(
        &mut self,
        map: u32,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Status> {
        self.remove_header(map, key)?;
        self.add_header(map, key, value)
    }

    pub(crate) fn add_header(&mut self, map: u32, key: &[u8], value: &[u8]) -> Result<(), Status> {
        let map = self.map(map)?.ok_or(Status::BadArgument)?;
        map.push((key.to_ascii_lowercase(), value.to_vec()));
        Ok(())
    }

    pub(crate) fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Status> {
        // What is about a stream can be asked for only while one is spoken of.
        if let Ok(exchange) = self.exchange() {
            if path == b"request\0total_size" {
                let total = exchange.side(Side::Request).total_size() as u64;
                return Ok(total.to_le_bytes().to_vec());
            }
            if let Some(value) = exchange.filter_state.get(&text(path)) {
                return Ok(value.clone().into_bytes());
            }
        }
        self.properties.get(path).cloned().ok_or(Status::NotFound)
    }

    pub(crate) fn set_property(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let exchange = self.exchange().map_err(|_| Status::NotFound)?;
        exchange.filter_state.insert(text(path), text(value));
        Ok(())
    }

    pub(crate) fn shared(&mut self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.shared.get(key).cloned().ok_or(Status::NotFound)
    }

    pub(crate) fn set_shared(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let held = self.shared.get(key).map(|(_, version)| *version);
        if cas != 0 && held.is_some_and(|held| held != cas) {
            return Err(Status::CasMismatch);
        }
        self.cas += 1;
        self.shared.insert(key.to_vec(), (value.to_vec(), self.cas));
        Ok(())
    }

    pub(crate) fn continue_stream(&mut self, stream: u32) -> Result<(), Status> {
        let exchange = self.exchange()?;
        // Only requests wait.
        if stream != 0 || !exchange.side(Side::Request).is_complete() {
            return Err(Status::BadArgument);
        }
        exchange.resuming = true;
        Ok(())
    }

    pub(crate) fn close_stream(&mut self, stream: u32) -> Result<(), Status> {
        if stream > 1 {
            return Err(Status::BadArgument);
        }
        self.exchange()?.resetting = true;
        Ok(())
    }

    pub(crate) fn local_response(
        &mut self,
        code: u32,
        headers: &[u8],
        body: &[u8],
    ) -> Result<(), Status> {
        let headers = pairs::parse(headers).ok_or(Status::BadArgument)?;
        if !(200..600).contains(&code) {
            self.violation(format!("a local reply has the status {code}"));
        }
        let exchange = self.exchange()?;
        if exchange.replied || exchange.reply.is_some() {
            self.violation("a second local reply");
            return Err(Status::BadArgument);
        }
        exchange.reply = Some((code, headers, body.to_vec()));
        Ok(())
    }

    pub(crate) fn open_stream(
        &mut self,
        upstream: &[u8],
        service: &[u8],
        method: &[u8],
    ) -> Result<u32, Status> {
        if self.control == Control::Missing {
            return Err(Status::InternalFailure);
        }
        let root = self.active;
        self.root()?;
        let token = self.next_id();
        let target = format!("{}: {}/{}", text(upstream), text(service), text(method));
        let stream = Stream {
            root,
            target,
            open: true,
            sent: Vec::new(),
        };
        self.streams.insert(token, stream);
        match self.control {
            // Of a stream that fails the host says too that it was taken.
            Control::Down => {
                self.opening.push(token);
                self.closing.push(token);
            }
            Control::Up => self.opening.push(token),
            Control::Mute | Control::Missing => {}
        }
        Ok(token)
    }

    fn stream(&mut self, token: u32) -> Result<&mut Stream, Status> {
        let active = self.active;
        let stream = self.streams.get_mut(&token).ok_or(Status::NotFound)?;
        if stream.open && stream.root == active {
            Ok(stream)
        } else {
            Err(Status::NotFound)
        }
    }

    pub(crate) fn send(&mut self, token: u32, message: &[u8]) -> Result<(), Status> {
        self.stream(token)?.sent.push(message.to_vec());
        Ok(())
    }

    pub(crate) fn end_stream(&mut self, token: u32) -> Result<(), Status> {
        self.stream(token)?.open = false;
        Ok(())
    }

    pub(crate) fn define_metric(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let name = text(name);
        if kind > 2 {
            return Err(Status::BadArgument);
        }
        let held = self.metrics.iter().position(|metric| metric.name == name);
        let at = held.unwrap_or_else(|| {
            self.metrics.push(Metric { name, value: 0 });
            self.metrics.len() - 1
        });
        u32::try_from(at).map_err(|_| Status::InternalFailure)
    }

    pub(crate) fn metric(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let at = usize::try_from(id).map_err(|_| Status::BadArgument)?;
        self.metrics.get_mut(at).ok_or(Status::NotFound)
    }
}
