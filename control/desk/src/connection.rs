//! A filter that is connected.

use std::sync::Arc;

use gatehold_store::StoreError;
use gatehold_wire::hold::{FromFilter, ToFilter};
use tokio::sync::mpsc;

use crate::DeskError;
use crate::actor::Ask;
use crate::wire::{self, Inbound};

/// Messages that may wait for one filter. A filter that reads so slowly that there are more has to connect anew, and
/// then asks again for what it still needs.
pub(crate) const OUTBOX: usize = 65_536;

/// A filter that is connected. Dropped, it is disconnected.
#[derive(Debug)]
pub struct Connection {
    pub(crate) sender: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) outbox: mpsc::Receiver<ToFilter>,
}

impl Connection {
    /// Takes a message of the filter; waits while the desk has much to do.
    ///
    /// # Errors
    /// When the desk is closed, or has no random numbers.
    pub async fn send(&self, message: FromFilter) -> Result<(), DeskError> {
        let Some(message) = message.message else {
            return Ok(());
        };
        let ask = match wire::command(&self.sender, message, random()?) {
            Inbound::Command(command) => Ask::Command(command),
            Inbound::Answer(answer) => Ask::Say {
                sender: self.sender.clone(),
                generation: self.generation,
                message: ToFilter {
                    message: Some(answer),
                },
            },
            Inbound::Nothing => return Ok(()),
        };
        self.asks.send(ask).await.map_err(|_| DeskError::Closed)
    }

    /// The next message to the filter; `None` when the filter has to connect again.
    pub async fn next(&mut self) -> Option<ToFilter> {
        self.outbox.recv().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let ask = Ask::Disconnect {
            sender: self.sender.clone(),
            generation: self.generation,
        };
        let Err(mpsc::error::TrySendError::Full(ask)) = self.asks.try_send(ask) else {
            return;
        };
        let asks = self.asks.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // When the desk is closed it does not matter who is connected.
                let _ = asks.send(ask).await;
            });
        }
    }
}

pub(crate) fn random() -> Result<[u8; 16], DeskError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(bytes)
}
