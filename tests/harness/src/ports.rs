//! Ports that are free, and stay so until their user has them.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use crate::error::HarnessError;

/// A port of the loopback interface that nobody else gets while this value lives, except a program that sets
/// `SO_REUSEPORT` as Envoy does: the socket is bound, but does not listen, so it takes no connection away.
#[derive(Debug)]
pub struct Reserved {
    port: u16,
    _socket: TcpSocket,
}

impl Reserved {
    /// Takes a free port.
    ///
    /// # Errors
    /// When the system has none.
    pub fn any() -> Result<Self, HarnessError> {
        let bind = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let port = socket.local_addr()?.port();
            Ok(Self {
                port,
                _socket: socket,
            })
        };
        bind().map_err(HarnessError::io("reserve a port"))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A port that was free a moment ago, for programs that can neither choose one themselves nor share it.
pub(crate) fn free() -> Result<u16, HarnessError> {
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr());
    Ok(port.map_err(HarnessError::io("find a free port"))?.port())
}
