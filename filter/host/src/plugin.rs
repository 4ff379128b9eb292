//! The entry points: the SDK's traits, handed on to [`Root`] and [`Exchange`].

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::abi::{self, Abi};
use crate::exchange::Exchange;
use crate::host::{Flow, Level};
use crate::root::Root;

proxy_wasm::main! {{
    std::panic::set_hook(Box::new(|panic| {
        abi::log(Level::Critical, &format!("gatehold: {panic}"));
    }));
    proxy_wasm::set_root_context(|_| Box::new(RootPlugin::default()));
}}

#[derive(Debug, Default)]
struct RootPlugin {
    root: Root,
}

#[derive(Debug)]
struct HttpPlugin {
    exchange: Exchange,
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
    use crate::host::{Direction, Host as _};
    let asked = Abi
        .headers(Direction::Request)
        .is_ok_and(|headers| headers.values("x-gatehold-trap").next().is_some());
    if asked {
        std::process::abort();
    }
}

impl Context for RootPlugin {
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

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(HttpPlugin {
            exchange: Exchange::new(self.root.worker()),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for HttpPlugin {
    fn on_done(&mut self) -> bool {
        self.exchange.done(&Abi);
        true
    }
}

impl HttpContext for HttpPlugin {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        #[cfg(feature = "trap-for-tests")]
        trap_when_asked();
        action(self.exchange.request_headers(&Abi, end))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        action(self.exchange.request_body(&Abi, size, end))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        action(self.exchange.request_trailers(&Abi))
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        action(self.exchange.response_headers(&Abi, end))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        action(self.exchange.response_body(&Abi, size, end))
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        action(self.exchange.response_trailers(&Abi))
    }

    fn on_log(&mut self) {
        self.exchange.done(&Abi);
    }
}
