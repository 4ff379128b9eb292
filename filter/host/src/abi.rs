//! The only door to the host, and the only file of the workspace with `unsafe` in it.
//!
//! The SDK's wrappers panic on a status they do not expect, which would let one request end a worker.
//! The calls of the data path are therefore declared here once more, over the same imports, and return
//! what the host said. Opening a gRPC stream stays with the SDK, because its dispatcher has to learn
//! the token; [`crate::config`] refuses the cluster names with which that call could panic.
#![expect(unsafe_code, reason = "calls of the proxy-wasm ABI pass pointers")]

use std::borrow::Cow;
use std::ptr::null_mut;

use proxy_wasm::hostcalls;

use crate::config::grpc_service;
use crate::host::{Direction, HeaderPairs, Host, HostError, Level, LocalReply, RootHost};
use crate::pairs;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BUFFER_GRPC_MESSAGE: u32 = 5;
const BUFFER_PLUGIN_CONFIGURATION: u32 = 7;
const METRIC_COUNTER: u32 = 0;
const METRIC_GAUGE: u32 = 1;
/// No gRPC status in a local reply.
const GRPC_NONE: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_grpc_send(token: u32, message: *const u8, size: usize, end_stream: bool) -> u32;
    fn proxy_grpc_cancel(token: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_done() -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
}

/// The host that runs this module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abi;

/// Writes a line to the host's log; allowed even while the module starts.
pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
        Level::Critical => 5,
    };
    // SAFETY: the host only reads `size` bytes from the pointer during the call. A line that cannot be
    // written has nowhere to be reported, so the status is dropped.
    let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

fn check(call: &'static str, status: u32) -> Result<(), HostError> {
    match status {
        OK => Ok(()),
        status => Err(HostError::Status { call, status }),
    }
}

/// Takes over a buffer that the host filled through `proxy_on_memory_allocate`.
///
/// # Safety
/// `data` is null, or came from that function with exactly `size` bytes and is owned by nobody else.
unsafe fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the allocator of the SDK hands out a boxed slice of `size` bytes, that is capacity and
    // length are both `size`; the host has initialized all of them; ownership is the caller's promise.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

fn take_buffer(call: &'static str, buffer: u32, max_size: usize) -> Result<Vec<u8>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both out-pointers are valid for the call.
    let status = unsafe { proxy_get_buffer_bytes(buffer, 0, max_size, &mut data, &mut size) };
    match status {
        // An empty buffer may be answered as absent.
        NOT_FOUND => Ok(Vec::new()),
        // SAFETY: on `Ok` the host has allocated and filled the buffer for us.
        OK => Ok(unsafe { take(data, size) }),
        status => Err(HostError::Status { call, status }),
    }
}

fn body_buffer(direction: Direction) -> u32 {
    match direction {
        Direction::Request => 0,
        Direction::Response => 1,
    }
}

/// The map of the request's trailers.
const REQUEST_TRAILERS: u32 = 1;

fn header_map(direction: Direction) -> u32 {
    match direction {
        Direction::Request => 0,
        Direction::Response => 2,
    }
}

fn define(kind: u32, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the name is only read during the call and the out-pointer is valid for it.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
    check("define_metric", status)?;
    Ok(id)
}

fn header_pairs(map: u32) -> Result<HeaderPairs, HostError> {
    const CALL: &str = "get_header_map_pairs";
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: both out-pointers are valid for the call.
    let status = unsafe { proxy_get_header_map_pairs(map, &mut data, &mut size) };
    check(CALL, status)?;
    // SAFETY: on `Ok` the host has allocated and filled the buffer for us.
    let bytes = unsafe { take(data, size) };
    pairs::parse(bytes).ok_or(HostError::Malformed { call: CALL })
}

impl Host for Abi {
    fn now(&self) -> Result<u64, HostError> {
        let mut nanos = 0;
        // SAFETY: the out-pointer is valid for the call.
        let status = unsafe { proxy_get_current_time_nanoseconds(&mut nanos) };
        check("get_current_time", status)?;
        Ok(nanos)
    }

    fn headers(&self, direction: Direction) -> Result<HeaderPairs, HostError> {
        header_pairs(header_map(direction))
    }

    fn trailers(&self) -> Result<HeaderPairs, HostError> {
        header_pairs(REQUEST_TRAILERS)
    }

    fn set_header(&self, direction: Direction, name: &str, value: &str) -> Result<(), HostError> {
        // SAFETY: name and value are only read during the call.
        let status = unsafe {
            proxy_replace_header_map_value(
                header_map(direction),
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        };
        check("replace_header_map_value", status)
    }

    fn remove_header(&self, direction: Direction, name: &str) -> Result<(), HostError> {
        // SAFETY: the name is only read during the call.
        let status = unsafe {
            proxy_remove_header_map_value(header_map(direction), name.as_ptr(), name.len())
        };
        match status {
            NOT_FOUND => Ok(()),
            status => check("remove_header_map_value", status),
        }
    }

    fn body(&self, direction: Direction, size: usize) -> Result<Vec<u8>, HostError> {
        take_buffer("get_buffer_bytes", body_buffer(direction), size)
    }

    fn replace_body(&self, direction: Direction, size: usize, new: &[u8]) -> Result<(), HostError> {
        // Envoy takes a replacement only from the start of the buffer on.
        // SAFETY: the new bytes are only read during the call.
        let status = unsafe {
            proxy_set_buffer_bytes(body_buffer(direction), 0, size, new.as_ptr(), new.len())
        };
        check("set_buffer_bytes", status)
    }

    fn reply(&self, reply: &LocalReply) -> Result<(), HostError> {
        let headers: Vec<(&str, &str)> = reply
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let headers = pairs::serialize(&headers);
        let details = "gatehold";
        // SAFETY: details, body and headers are only read during the call.
        let status = unsafe {
            proxy_send_local_response(
                reply.status,
                details.as_ptr(),
                details.len(),
                reply.body.as_ptr(),
                reply.body.len(),
                headers.as_ptr(),
                headers.len(),
                GRPC_NONE,
            )
        };
        check("send_local_response", status)
    }

    fn resume(&self, direction: Direction) -> Result<(), HostError> {
        let stream = body_buffer(direction);
        // SAFETY: no pointers are passed.
        check("continue_stream", unsafe { proxy_continue_stream(stream) })
    }

    fn reset(&self) -> Result<(), HostError> {
        const HTTP_RESPONSE: u32 = 1;
        // SAFETY: no pointers are passed.
        check("close_stream", unsafe { proxy_close_stream(HTTP_RESPONSE) })
    }

    fn shared(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        let (mut data, mut size, mut cas) = (null_mut(), 0, 0);
        // SAFETY: the key is only read during the call and the out-pointers are valid for it.
        let status = unsafe {
            proxy_get_shared_data(key.as_ptr(), key.len(), &mut data, &mut size, &mut cas)
        };
        match status {
            NOT_FOUND => Ok(None),
            // SAFETY: on `Ok` the host has allocated and filled the buffer for us.
            OK => Ok(Some(unsafe { take(data, size) })),
            status => Err(HostError::Status {
                call: "get_shared_data",
                status,
            }),
        }
    }

    fn set_shared(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        // Zero means that the last writer wins: all workers write what control sent them.
        const ANY_VERSION: u32 = 0;
        // SAFETY: key and value are only read during the call.
        let status = unsafe {
            proxy_set_shared_data(
                key.as_ptr(),
                key.len(),
                value.as_ptr(),
                value.len(),
                ANY_VERSION,
            )
        };
        check("set_shared_data", status)
    }

    fn publish(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        let mut path = Vec::with_capacity(key.len() + 1);
        path.extend_from_slice(key.as_bytes());
        // SAFETY: path and value are only read during the call.
        let status =
            unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
        check("set_property", status)
    }

    fn property(&self, path: &[&str]) -> Result<Vec<u8>, HostError> {
        let path = path.join("\0");
        let (mut data, mut size) = (null_mut(), 0);
        // SAFETY: the path is only read during the call and both out-pointers are valid for it.
        let status = unsafe { proxy_get_property(path.as_ptr(), path.len(), &mut data, &mut size) };
        match status {
            NOT_FOUND => Ok(Vec::new()),
            // SAFETY: on `Ok` the host has allocated and filled the buffer for us.
            OK => Ok(unsafe { take(data, size) }),
            status => Err(HostError::Status {
                call: "get_property",
                status,
            }),
        }
    }

    fn count(&self, metric: u32, by: u64) {
        let by = i64::try_from(by).unwrap_or(i64::MAX);
        // SAFETY: no pointers are passed. A counter that the host does not know is not worth a refusal.
        let _ = unsafe { proxy_increment_metric(metric, by) };
    }

    fn log(&self, level: Level, message: &str) {
        log(level, message);
    }
}

impl RootHost for Abi {
    fn configuration(&self) -> Result<Vec<u8>, HostError> {
        take_buffer(
            "get_configuration",
            BUFFER_PLUGIN_CONFIGURATION,
            usize::MAX >> 1,
        )
    }

    fn set_tick(&self, milliseconds: u32) -> Result<(), HostError> {
        // SAFETY: no pointers are passed.
        let status = unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
        check("set_tick_period", status)
    }

    fn define_counter(&self, name: &str) -> Result<u32, HostError> {
        define(METRIC_COUNTER, name)
    }

    fn define_gauge(&self, name: &str) -> Result<u32, HostError> {
        define(METRIC_GAUGE, name)
    }

    fn gauge(&self, metric: u32, value: u64) {
        // SAFETY: no pointers are passed. A gauge that the host does not know is not worth an error.
        let _ = unsafe { proxy_record_metric(metric, value) };
    }

    fn open_stream(&self, cluster: &str, service: &str, method: &str) -> Result<u32, HostError> {
        let cluster = grpc_service(cluster).unwrap_or(Cow::Borrowed(cluster));
        hostcalls::open_grpc_stream(&cluster, service, method, Vec::new()).map_err(|status| {
            HostError::Status {
                call: "grpc_stream",
                status: status as u32,
            }
        })
    }

    fn send(&self, stream: u32, message: &[u8]) -> Result<(), HostError> {
        // SAFETY: the message is only read during the call.
        let status = unsafe { proxy_grpc_send(stream, message.as_ptr(), message.len(), false) };
        check("grpc_send", status)
    }

    fn cancel(&self, stream: u32) -> Result<(), HostError> {
        // SAFETY: no pointers are passed.
        check("grpc_cancel", unsafe { proxy_grpc_cancel(stream) })
    }

    fn message(&self, size: usize) -> Result<Vec<u8>, HostError> {
        take_buffer("get_grpc_message", BUFFER_GRPC_MESSAGE, size)
    }

    fn status_message(&self) -> Result<Vec<u8>, HostError> {
        let (mut code, mut data, mut size) = (0, null_mut(), 0);
        // SAFETY: all out-pointers are valid for the call.
        let status = unsafe { proxy_get_status(&mut code, &mut data, &mut size) };
        check("get_status", status)?;
        // SAFETY: on `Ok` the host has allocated and filled the buffer for us.
        Ok(unsafe { take(data, size) })
    }

    fn enter(&self, context: u32) -> Result<(), HostError> {
        // SAFETY: no pointers are passed.
        let status = unsafe { proxy_set_effective_context(context) };
        check("set_effective_context", status)
    }

    fn done(&self) -> Result<(), HostError> {
        // SAFETY: no pointers are passed.
        check("done", unsafe { proxy_done() })
    }
}
