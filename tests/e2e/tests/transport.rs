//! Promise: with certificates, nobody speaks to control who has none of its authority, filters do, and certificates
//! are renewed without a restart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::{Certificates, Harness, wait::until};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a client of HTTP/2 says first, and settings.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Speaks to control's port for filters as a client that trusts `authority` and has the certificate of `own`, if any.
/// The certificate that control showed, if control then spoke HTTP/2 with it.
async fn spoken(
    harness: &Harness,
    authority: &Certificates,
    own: Option<&Certificates>,
) -> io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(authority.authority()).unwrap();
    roots.add(trusted).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut client = match own {
        None => client.with_no_client_auth(),
        Some(own) => {
            let chain = CertificateDer::from_pem_file(own.certificate("envoy")).unwrap();
            let key = PrivateKeyDer::from_pem_file(own.key("envoy")).unwrap();
            client.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    client.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", harness.control.grpc_port())).await?;
    let name = ServerName::try_from("control.test").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    // In TLS 1.3 a client learns only now that its certificate is not taken.
    stream.write_all(HELLO).await?;
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await?;
    Ok(shown)
}

#[tokio::test]
async fn filters_with_a_certificate_decide_and_nobody_else_is_spoken_to() {
    let mut harness = started(governed().mutual_tls()).await;
    let token = alice(&harness);
    let reply = harness
        .send(&call("refund", &large_refund()).bearer(&token))
        .await
        .unwrap();
    assert_eq!(reply.json()["result"]["isError"], true, "{}", reply.text());
    assert!(harness.recorder.take().is_empty());
    let reply = harness
        .send(&call("refund", &small_refund()).bearer(&token))
        .await
        .unwrap();
    assert_eq!(reply.json()["result"]["content"][0]["text"], "ran refund");
    let audited = async || match harness.control.audit().await.unwrap().len() {
        2 => Ok(()),
        count => Err(format!("{count} events")),
    };
    until("both are audited", PATIENCE, audited).await.unwrap();

    let own = Certificates::create(harness.folder().join("others")).unwrap();
    let theirs = Certificates::create(harness.folder().join("foreign")).unwrap();
    let real = certificates(&harness);
    assert!(spoken(&harness, &real, Some(&real)).await.is_ok());
    for (who, client) in [("nobody", None), ("a stranger", Some(&theirs))] {
        assert!(spoken(&harness, &real, client).await.is_err(), "{who}");
    }
    // A client in its turn sees that another one than control answers.
    assert!(spoken(&harness, &own, Some(&real)).await.is_err());
    let mut plain = TcpStream::connect(("127.0.0.1", harness.control.grpc_port()))
        .await
        .unwrap();
    plain.write_all(HELLO).await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    // An alert of TLS at most, whose records begin with 21; settings of HTTP/2 begin with their length.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    let told = harness.control.log();
    let told = told.matches("did not prove who it is").count();
    assert!(told >= 3, "told {told} times:\n{}", harness.control.log());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn certificates_are_renewed_without_a_restart_and_bad_ones_change_nothing() {
    let harness = started(governed().mutual_tls()).await;
    let real = certificates(&harness);
    let before = spoken(&harness, &real, Some(&real)).await.unwrap();

    let file = real.certificate("control");
    let good = fs::read(&file).unwrap();
    fs::write(&file, "no certificate").unwrap();
    let told = async || match harness.control.log().contains("those of before stay") {
        true => Ok(()),
        false => Err("nothing of it in the log".to_owned()),
    };
    until("control says so", PATIENCE, told).await.unwrap();
    assert_eq!(spoken(&harness, &real, Some(&real)).await.unwrap(), before);
    fs::write(&file, good).unwrap();

    // A new authority with all that it signs: who has a certificate of the old one is a stranger from then on.
    let old = Certificates::create(harness.folder().join("old")).unwrap();
    for (from, to) in [
        (real.authority(), old.authority()),
        (real.certificate("envoy"), old.certificate("envoy")),
        (real.key("envoy"), old.key("envoy")),
    ] {
        fs::copy(from, to).unwrap();
    }
    let new = Certificates::create(harness.folder().join("certificates")).unwrap();
    let renewed = async || match spoken(&harness, &new, Some(&new)).await {
        Ok(shown) if shown != before => Ok(()),
        Ok(_) => Err("the old certificate".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    until("control shows the new one", PATIENCE, renewed)
        .await
        .unwrap();
    assert!(spoken(&harness, &new, Some(&old)).await.is_err());
}

fn certificates(harness: &Harness) -> Certificates {
    Certificates::at(harness.folder().join("certificates"))
}
