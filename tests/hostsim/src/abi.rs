//! The two doors between host and filter: the host calls that the filter imports, defined here as plain
//! symbols, and the entry points that the filter exports, called here.
//!
//! The only file of this crate with `unsafe` in it. What the calls do stands in [`crate::world`].
#![allow(
    unsafe_code,
    reason = "calls of the proxy-wasm ABI pass pointers, in both directions"
)]

use std::ptr::copy_nonoverlapping;

use crate::meter;
use crate::world::{Status, World, call, status};

// Links the filter, whose entry points are declared below.
use gatehold_filter as _;

unsafe extern "C" {
    fn _initialize();
    fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    fn proxy_on_context_create(context: u32, root: u32);
    fn proxy_on_vm_start(context: u32, size: usize) -> bool;
    fn proxy_on_configure(context: u32, size: usize) -> bool;
    fn proxy_on_tick(context: u32);
    fn proxy_on_log(context: u32);
    fn proxy_on_done(context: u32) -> bool;
    fn proxy_on_delete(context: u32);
    fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_grpc_receive_initial_metadata(context: u32, token: u32, count: u32);
    fn proxy_on_grpc_receive(context: u32, token: u32, size: usize);
    fn proxy_on_grpc_close(context: u32, token: u32, status: u32);
}

/// A callback into the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Initialize,
    Create { root: u32 },
    VmStart,
    Configure { size: usize },
    Tick,
    Log,
    Done,
    Delete,
    RequestHeaders { count: usize, end: bool },
    RequestBody { size: usize, end: bool },
    RequestTrailers { count: usize },
    ResponseHeaders { count: usize, end: bool },
    ResponseBody { size: usize, end: bool },
    ResponseTrailers { count: usize },
    Opened { token: u32 },
    Receive { token: u32, size: usize },
    Close { token: u32, status: u32 },
}

/// Calls into the filter. The answer is that of the entry point as a number: 1 is `true` and `Pause`.
pub(crate) fn enter(context: u32, callback: Callback) -> u32 {
    meter::run_as(true, || enter_filter(context, callback))
}

/// A function of its own, as are the host calls, so that who measures can tell the filter's work from the host's.
#[inline(never)]
fn enter_filter(context: u32, callback: Callback) -> u32 {
    use Callback as C;
    // SAFETY: these are safe functions of the SDK and the filter, with the signatures that the SDK gives
    // them; no pointers are passed. A panic in them aborts the process, because they are `extern "C"`.
    unsafe {
        match callback {
            C::Initialize => _initialize(),
            C::Create { root } => proxy_on_context_create(context, root),
            C::VmStart => return proxy_on_vm_start(context, 0).into(),
            C::Configure { size } => return proxy_on_configure(context, size).into(),
            C::Tick => proxy_on_tick(context),
            C::Log => proxy_on_log(context),
            C::Done => return proxy_on_done(context).into(),
            C::Delete => proxy_on_delete(context),
            C::RequestHeaders { count, end } => {
                return proxy_on_request_headers(context, count, end);
            }
            C::RequestBody { size, end } => return proxy_on_request_body(context, size, end),
            C::RequestTrailers { count } => return proxy_on_request_trailers(context, count),
            C::ResponseHeaders { count, end } => {
                return proxy_on_response_headers(context, count, end);
            }
            C::ResponseBody { size, end } => return proxy_on_response_body(context, size, end),
            C::ResponseTrailers { count } => return proxy_on_response_trailers(context, count),
            C::Opened { token } => proxy_on_grpc_receive_initial_metadata(context, token, 0),
            C::Receive { token, size } => proxy_on_grpc_receive(context, token, size),
            C::Close { token, status } => proxy_on_grpc_close(context, token, status),
        }
    }
    0
}

/// Memory of the filter, given by the filter.
#[inline(never)]
fn enter_allocator(size: usize) -> *mut u8 {
    // SAFETY: a safe function of the SDK, with the signature that the SDK gives it.
    unsafe { proxy_on_memory_allocate(size) }
}

/// What the filter passed in.
///
/// # Safety
/// `size` bytes can be read at `data` until the host call returns.
unsafe fn read<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    meter::note_bytes(size);
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// Hands a value to the filter, in memory that the filter allocates. As in Envoy nothing is written for
/// an empty one.
///
/// # Safety
/// Both out-pointers can be written.
unsafe fn give(value: Result<Vec<u8>, Status>, data: *mut *mut u8, size: *mut usize) -> u32 {
    match value {
        Err(error) => error as u32,
        Ok(value) => {
            if !value.is_empty() {
                meter::note_bytes(value.len());
                let target = meter::run_as(true, || enter_allocator(value.len()));
                // SAFETY: the allocator gives as many bytes as it is asked for, and nobody else has
                // them; the out-pointers are the caller's promise.
                unsafe {
                    copy_nonoverlapping(value.as_ptr(), target, value.len());
                    data.write(target);
                    size.write(value.len());
                }
            }
            Status::Ok as u32
        }
    }
}

/// Hands a number to the filter.
///
/// # Safety
/// The out-pointer can be written.
unsafe fn put<T>(value: Result<T, Status>, out: *mut T) -> u32 {
    match value {
        Err(error) => error as u32,
        Ok(value) => {
            // SAFETY: the caller's promise.
            unsafe { out.write(value) };
            Status::Ok as u32
        }
    }
}

/// Defines host calls. In each, arguments are the filter's own memory, valid during the call.
macro_rules! host_calls {
    ($($name:ident ( $($argument:ident : $type:ty),* $(,)? ) $body:block)*) => {
        $(
            /// # Safety
            /// Pointers come from the filter and are valid for the sizes beside them, during the call.
            #[inline(never)]
            #[unsafe(no_mangle)]
            #[allow(unused_unsafe, reason = "some of the calls take no pointers")]
            unsafe extern "C" fn $name($($argument: $type),*) -> u32 {
                meter::note_call();
                // SAFETY: the promise of the caller above, which the ABI makes.
                meter::run_as(false, || unsafe { $body })
            }
        )*
    };
}

host_calls! {
    proxy_log(level: u32, data: *const u8, size: usize) {
        let line = read(data, size);
        status(call("log", |world| world.log(level, line)))
    }
    proxy_get_log_level(level: *mut u32) {
        put(call("get_log_level", |_| Ok(2)), level)
    }
    proxy_get_current_time_nanoseconds(time: *mut u64) {
        put(call("get_current_time", |world| Ok(world.now)), time)
    }
    proxy_set_tick_period_milliseconds(period: u32) {
        status(call("set_tick_period", |world| world.set_tick(period)))
    }
    proxy_get_buffer_bytes(
        kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize,
    ) {
        give(call("get_buffer_bytes", |world| world.buffer(kind, start, max)), data, size)
    }
    proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, length: usize) {
        let new = read(data, length);
        status(call("set_buffer_bytes", |world| world.set_buffer(kind, start, size, new)))
    }
    proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) {
        give(call("get_header_map_pairs", |world| world.header_pairs(map)), data, size)
    }
    proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) {
        let pairs = read(data, size);
        status(call("set_header_map_pairs", |world| world.set_header_pairs(map, pairs)))
    }
    proxy_get_header_map_value(
        map: u32, key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize,
    ) {
        let key = read(key, key_size);
        give(call("get_header_map_value", |world| world.header(map, key)), data, size)
    }
    proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) {
        let key = read(key, key_size);
        status(call("remove_header_map_value", |world| world.remove_header(map, key)))
    }
    proxy_replace_header_map_value(
        map: u32, key: *const u8, key_size: usize, value: *const u8, size: usize,
    ) {
        let (key, value) = (read(key, key_size), read(value, size));
        status(call("replace_header_map_value", |world| world.replace_header(map, key, value)))
    }
    proxy_add_header_map_value(
        map: u32, key: *const u8, key_size: usize, value: *const u8, size: usize,
    ) {
        let (key, value) = (read(key, key_size), read(value, size));
        status(call("add_header_map_value", |world| world.add_header(map, key, value)))
    }
    proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) {
        let path = read(path, path_size);
        give(call("get_property", |world| world.property(path)), data, size)
    }
    proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) {
        let (path, value) = (read(path, path_size), read(value, size));
        status(call("set_property", |world| world.set_property(path, value)))
    }
    proxy_get_shared_data(
        key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize, cas: *mut u32,
    ) {
        let key = read(key, key_size);
        match call("get_shared_data", |world| world.shared(key)) {
            Err(error) => error as u32,
            Ok((value, version)) => {
                put(Ok(version), cas);
                give(Ok(value), data, size)
            }
        }
    }
    proxy_set_shared_data(
        key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32,
    ) {
        let (key, value) = (read(key, key_size), read(value, size));
        status(call("set_shared_data", |world| world.set_shared(key, value, cas)))
    }
    proxy_register_shared_queue(_name: *const u8, _size: usize, _id: *mut u32) {
        status(call("register_shared_queue", World::absent))
    }
    proxy_resolve_shared_queue(
        _vm: *const u8, _vm_size: usize, _name: *const u8, _size: usize, _id: *mut u32,
    ) {
        status(call("resolve_shared_queue", World::absent))
    }
    proxy_dequeue_shared_queue(_queue: u32, _data: *mut *mut u8, _size: *mut usize) {
        status(call("dequeue_shared_queue", World::absent))
    }
    proxy_enqueue_shared_queue(_queue: u32, _value: *const u8, _size: usize) {
        status(call("enqueue_shared_queue", World::absent))
    }
    proxy_continue_stream(stream: u32) {
        status(call("continue_stream", |world| world.continue_stream(stream)))
    }
    proxy_close_stream(stream: u32) {
        status(call("close_stream", |world| world.close_stream(stream)))
    }
    proxy_send_local_response(
        code: u32, _details: *const u8, _details_size: usize, body: *const u8, body_size: usize,
        headers: *const u8, headers_size: usize, _grpc: i32,
    ) {
        let (body, headers) = (read(body, body_size), read(headers, headers_size));
        status(call("send_local_response", |world| world.local_response(code, headers, body)))
    }
    proxy_http_call(
        _upstream: *const u8, _upstream_size: usize, _headers: *const u8, _headers_size: usize,
        _body: *const u8, _body_size: usize, _trailers: *const u8, _trailers_size: usize,
        _timeout: u32, _token: *mut u32,
    ) {
        status(call("http_call", World::absent))
    }
    proxy_grpc_call(
        _upstream: *const u8, _upstream_size: usize, _service: *const u8, _service_size: usize,
        _method: *const u8, _method_size: usize, _metadata: *const u8, _metadata_size: usize,
        _message: *const u8, _message_size: usize, _timeout: u32, _token: *mut u32,
    ) {
        status(call("grpc_call", World::absent))
    }
    proxy_grpc_stream(
        upstream: *const u8, upstream_size: usize, service: *const u8, service_size: usize,
        method: *const u8, method_size: usize, _metadata: *const u8, _metadata_size: usize,
        token: *mut u32,
    ) {
        let upstream = read(upstream, upstream_size);
        let (service, method) = (read(service, service_size), read(method, method_size));
        put(call("grpc_stream", |world| world.open_stream(upstream, service, method)), token)
    }
    proxy_grpc_send(token: u32, message: *const u8, size: usize, _end: bool) {
        let message = read(message, size);
        status(call("grpc_send", |world| world.send(token, message)))
    }
    proxy_grpc_cancel(token: u32) {
        status(call("grpc_cancel", |world| world.end_stream(token)))
    }
    proxy_grpc_close(token: u32) {
        status(call("grpc_close", |world| world.end_stream(token)))
    }
    proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) {
        match call("get_status", |world| {
            Ok((world.grpc_status, world.grpc_message.clone().into_bytes()))
        }) {
            Err(error) => error as u32,
            Ok((status, message)) => {
                put(Ok(status), code);
                give(Ok(message), data, size)
            }
        }
    }
    proxy_set_effective_context(context: u32) {
        status(call("set_effective_context", |world| world.set_effective_context(context)))
    }
    proxy_call_foreign_function(
        _name: *const u8, _name_size: usize, _arguments: *const u8, _size: usize,
        _data: *mut *mut u8, _results: *mut usize,
    ) {
        status(call("call_foreign_function", World::absent))
    }
    proxy_done() {
        status(call("done", World::done))
    }
    proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) {
        let name = read(name, size);
        put(call("define_metric", |world| world.define_metric(kind, name)), id)
    }
    proxy_get_metric(id: u32, value: *mut u64) {
        put(call("get_metric", |world| world.metric(id).map(|metric| metric.value)), value)
    }
    proxy_record_metric(id: u32, value: u64) {
        status(call("record_metric", |world| {
            world.metric(id).map(|metric| metric.value = value)
        }))
    }
    proxy_increment_metric(id: u32, offset: i64) {
        status(call("increment_metric", |world| {
            world.metric(id).map(|metric| metric.value = metric.value.wrapping_add_signed(offset))
        }))
    }
}
