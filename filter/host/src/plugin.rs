//! The entry points: the SDK's traits, handed on to [`Root`] and [`Exchange`].

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::abi::{self, Abi};
use crate::exchange::Exchange;
use crate::host::{Flow, Host as _, Level};
use crate::root::Root;

proxy_wasm::main! {{
    std::panic::set_hook(Box::new(|panic| {
        abi::log(Level::Critical, &format!("gatehold: {panic}"));
    }));
    proxy_wasm::set_root_context(|context| Box::new(RootPlugin { root: Root::new(context) }));
}}

#[derive(Debug)]
struct RootPlugin {
    root: Root,
}

#[derive(Debug)]
struct HttpPlugin {
    /// Shared with the requests that wait, through which the root finds it.
    exchange: Rc<RefCell<Exchange>>,
}

impl HttpPlugin {
    /// Nothing else holds it while an event of the stream is on: the root lets go of it before it returns. Should
    /// that ever fail, the request must not pass.
    fn with(&self, event: impl FnOnce(&mut Exchange) -> Flow) -> Flow {
        match self.exchange.try_borrow_mut() {
            Ok(mut exchange) => event(&mut exchange),
            Err(_) => {
                let _ = Abi.reset();
                Flow::Pause
            }
        }
    }

    fn done(&self) {
        if let Ok(mut exchange) = self.exchange.try_borrow_mut() {
            exchange.done(&Abi);
        }
    }
}

fn action(flow: Flow) -> Action {
    match flow {
        Flow::Continue => Action::Continue,
        Flow::Pause => Action::Pause,
    }
}

/// Ends the VM as a bug would, for requests with the header `x-gatehold-trap`.
#[cfg(feature = "trap-for-tests")]
fn trap_when_asked() {
    use crate::host::Direction;
    let asked = Abi
        .headers(Direction::Request)
        .is_ok_and(|headers| headers.values("x-gatehold-trap").next().is_some());
    if asked {
        std::process::abort();
    }
}

impl Context for RootPlugin {
    fn on_grpc_stream_initial_metadata(&mut self, stream: u32, _count: u32) {
        self.root.opened(stream);
    }

    fn on_grpc_stream_message(&mut self, stream: u32, size: usize) {
        self.root.message(&Abi, stream, size);
    }

    fn on_grpc_stream_close(&mut self, stream: u32, status: u32) {
        self.root.closed(&Abi, stream, status);
    }

    fn on_done(&mut self) -> bool {
        self.root.done()
    }
}

impl RootContext for RootPlugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.root.configure(&Abi)
    }

    fn on_tick(&mut self) {
        self.root.tick(&Abi);
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(HttpPlugin {
            exchange: Exchange::shared(self.root.worker(), context),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for HttpPlugin {
    fn on_done(&mut self) -> bool {
        self.done();
        true
    }
}

impl HttpContext for HttpPlugin {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        #[cfg(feature = "trap-for-tests")]
        trap_when_asked();
        action(self.with(|it| it.request_headers(&Abi, end)))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        action(self.with(|it| it.request_body(&Abi, size, end)))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        action(self.with(|it| it.request_trailers(&Abi)))
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        action(self.with(|it| it.response_headers(&Abi, end)))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        action(self.with(|it| it.response_body(&Abi, size, end)))
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        action(self.with(|it| it.response_trailers(&Abi)))
    }

    fn on_log(&mut self) {
        self.done();
    }
}
