//! The entry points.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

#[derive(Debug)]
struct Root;

#[derive(Debug)]
struct Exchange;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Exchange {}

// The SDK's defaults do the same; they are written out because this is what is measured.
impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        Action::Continue
    }

    fn on_http_request_body(&mut self, _size: usize, _end: bool) -> Action {
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        Action::Continue
    }

    fn on_http_response_body(&mut self, _size: usize, _end: bool) -> Action {
        Action::Continue
    }
}
