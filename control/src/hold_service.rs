//! The gRPC service by which filters hold calls until people have decided.

use std::pin::Pin;

use gatehold_api::{Metrics, Stream as StreamKind};
use gatehold_desk::{Connection, Desk};
use gatehold_proto::hold::holds_server::{Holds, HoldsServer};
use gatehold_wire::hold::{FromFilter, Hello, ToFilter, from_filter};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::debug;

/// A message has the arguments of a call, or the answer of a task.
const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// `gatehold.hold.v1.Holds`: carries messages between filters and the desk.
#[derive(Clone, Debug)]
pub struct HoldService {
    desk: Desk,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl HoldService {
    /// Filters are connected to `desk`; streams end on `shutdown`.
    pub fn new(desk: Desk, metrics: Metrics, shutdown: CancellationToken) -> Self {
        Self {
            desk,
            metrics,
            shutdown,
        }
    }

    /// The service as a server takes it.
    pub fn into_server(self) -> HoldsServer<Self> {
        HoldsServer::new(self).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    async fn run(
        self,
        inbound: Streaming<FromFilter>,
        outbound: mpsc::Sender<Result<ToFilter, Status>>,
    ) {
        let _connected = self.metrics.stream_opened(StreamKind::Hold);
        let end = self.follow(inbound, &outbound).await;
        debug!(?end, "a hold stream ended");
        if let Err(status) = end {
            // The filter may be gone already, and then nobody needs the status.
            let _ = outbound.send(Err(status)).await;
        }
    }

    async fn follow(
        &self,
        mut inbound: Streaming<FromFilter>,
        outbound: &mpsc::Sender<Result<ToFilter, Status>>,
    ) -> Result<(), Status> {
        let ending = || Status::unavailable("control is shutting down; connect again");
        let first = tokio::select! {
            () = self.shutdown.cancelled() => return Err(ending()),
            first = inbound.message() => first?,
        };
        let mut connection = match first {
            None => return Ok(()),
            Some(first) => self.connect(first).await?,
        };
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(ending()),
                message = inbound.message() => match message? {
                    None => return Ok(()),
                    Some(message) => connection.send(message).await.map_err(unavailable)?,
                },
                message = connection.next() => match message {
                    None => return Err(Status::unavailable("the desk starts anew; connect again")),
                    Some(message) => if outbound.send(Ok(message)).await.is_err() {
                        return Ok(());
                    },
                },
            }
        }
    }

    async fn connect(&self, first: FromFilter) -> Result<Connection, Status> {
        match first.message {
            Some(from_filter::Message::Hello(Hello { sender, node })) if !sender.is_empty() => {
                self.desk.connect(&sender, &node).await.map_err(unavailable)
            }
            _ => Err(Status::invalid_argument(
                "the first message has to be `hello`, with a `sender`",
            )),
        }
    }
}

fn unavailable(error: impl std::error::Error) -> Status {
    Status::unavailable(error.to_string())
}

type Messages = Pin<Box<dyn Stream<Item = Result<ToFilter, Status>> + Send>>;

#[tonic::async_trait]
impl Holds for HoldService {
    type HoldStream = Messages;

    async fn hold(
        &self,
        request: Request<Streaming<FromFilter>>,
    ) -> Result<Response<Messages>, Status> {
        let (outbound, receiver) = mpsc::channel(64);
        tokio::spawn(self.clone().run(request.into_inner(), outbound));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
