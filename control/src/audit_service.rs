//! The gRPC service that takes audit events in.

use std::pin::Pin;

use gatehold_api::{Metrics, Stream as StreamKind};
use gatehold_proto::audit::audit_server::{Audit, AuditServer};
use gatehold_store::{Appended, AuditBatch, Store};
use gatehold_wire::audit::{AppendRequest, AppendResponse};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, error};

/// A batch holds many events, each with arguments up to a bound.
const MAX_BATCH_BYTES: usize = 32 << 20;

/// `gatehold.audit.v1.Audit`: a batch is acknowledged when the store has it on disk.
#[derive(Clone, Debug)]
pub struct AuditService {
    store: Store,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl AuditService {
    /// Batches go to `store`; streams end on `shutdown`.
    pub fn new(store: Store, metrics: Metrics, shutdown: CancellationToken) -> Self {
        Self {
            store,
            metrics,
            shutdown,
        }
    }

    /// The service as a server takes it.
    pub fn into_server(self) -> AuditServer<Self> {
        AuditServer::new(self).max_decoding_message_size(MAX_BATCH_BYTES)
    }

    async fn run(
        self,
        mut inbound: Streaming<AppendRequest>,
        acknowledgements: mpsc::Sender<Result<AppendResponse, Status>>,
    ) {
        let _connected = self.metrics.stream_opened(StreamKind::Audit);
        loop {
            let request = tokio::select! {
                () = self.shutdown.cancelled() => {
                    Err(Status::unavailable("control is shutting down; connect again"))
                }
                request = inbound.message() => request,
            };
            let answer = match request {
                Ok(None) => return,
                Ok(Some(request)) => self.append(request).await,
                Err(status) => Err(status),
            };
            let is_end = answer.is_err();
            if acknowledgements.send(answer).await.is_err() || is_end {
                debug!("an audit stream ended");
                return;
            }
        }
    }

    /// An acknowledgement covers all batches before it, so after a failure the stream has to end.
    async fn append(&self, request: AppendRequest) -> Result<AppendResponse, Status> {
        if request.sender.is_empty() || request.batch == 0 {
            return Err(Status::invalid_argument(
                "`sender` and `batch` (from 1) are required",
            ));
        }
        let batch = AuditBatch::from(request);
        let (sender, number) = (batch.sender.clone(), batch.batch);
        let (events, dropped) = (batch.events.len() as u64, batch.dropped);
        match self.store.append(batch).await {
            Ok(Appended::Stored { head, .. }) => {
                self.metrics.audit_stored(events, dropped);
                self.metrics.audit_head(head.sequence);
            }
            Ok(Appended::Repeated) => self.metrics.audit_repeated(),
            Err(error) => {
                self.metrics.audit_failed();
                error!(sender, batch = number, %error, "an audit batch was not stored");
                return Err(Status::unavailable(error.to_string()));
            }
        }
        Ok(AppendResponse { batch: number })
    }
}

type Acknowledgements = Pin<Box<dyn Stream<Item = Result<AppendResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Audit for AuditService {
    type AppendStream = Acknowledgements;

    async fn append(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<Acknowledgements>, Status> {
        let (acknowledgements, receiver) = mpsc::channel(16);
        tokio::spawn(self.clone().run(request.into_inner(), acknowledgements));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
