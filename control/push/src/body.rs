//! The body of a stream's response: pieces as they are, without a copy for each stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tonic::Status;

use crate::Response;

/// What a stream has to say: responses, and with which status it ends.
pub(crate) type Outgoing = Result<Response, Status>;

/// Sends what comes out of a channel; a stream that has nothing more to say ends well.
#[derive(Debug)]
pub(crate) struct StreamBody {
    outgoing: mpsc::Receiver<Outgoing>,
    rest: Option<Bytes>,
    is_over: bool,
}

impl StreamBody {
    /// The body that sends these.
    pub(crate) fn new(outgoing: mpsc::Receiver<Outgoing>) -> Self {
        Self {
            outgoing,
            rest: None,
            is_over: false,
        }
    }

    fn end(&mut self, status: &Status) -> Result<Frame<Bytes>, Status> {
        self.is_over = true;
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers)?;
        Ok(Frame::trailers(trailers))
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let frame = match ready!(self.outgoing.poll_recv(context)) {
            Some(Ok(response)) => match response.pieces() {
                Some((first, rest)) => {
                    self.rest = rest;
                    Ok(Frame::data(first))
                }
                None => self.end(&Status::resource_exhausted(
                    "the snapshot is longer than a message can be; divide it among more installations",
                )),
            },
            Some(Err(status)) => self.end(&status),
            None => self.end(&Status::ok("")),
        };
        Poll::Ready(Some(frame))
    }
}
