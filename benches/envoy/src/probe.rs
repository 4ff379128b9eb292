//! Before anything is measured: each site does what its variant says. Figures of something that does not work would
//! be worse than none.

use anyhow::{Context as _, ensure};

use crate::cases::Case;
use crate::load::{Expected, Load, Reply};
use crate::policy;
use crate::site::Site;
use crate::variant::Variant;

/// Sends one request of `case`, which must reach the upstream and come back as a result; says what to expect of the
/// others.
///
/// # Errors
/// When it is refused, does not reach the upstream, or the answer is not what the variant makes of it.
pub fn allowed(load: &Load, site: &Site, case: &Case, token: &str) -> anyhow::Result<Expected> {
    let name = site.variant.name();
    let wrong = |reply: &Reply| {
        let start: String = reply.text().chars().take(300).collect();
        format!(
            "`{}` at `{name}` was answered with {}: {start}",
            case.name, reply.status
        )
    };
    let tools = case.tools();
    let tool = tools.last().map_or("", String::as_str);
    let before = load.received();
    let reply = load.ask(
        site.port,
        case.request(&site.way, tool, token, site.session.as_deref()),
    )?;
    let text = reply.text();
    let good = reply.status == 200
        && text.contains("\"result\":")
        && !text.contains("\"isError\":true")
        && !text.contains("\"error\":");
    ensure!(good, wrong(&reply));
    let reached = load.received().saturating_sub(before);
    ensure!(
        reached == 1,
        "`{}` at `{name}` came to the upstream {reached} times",
        case.name
    );
    if tools.is_empty() {
        let whole = text.contains("\"name\":\"delete_");
        ensure!(
            whole != site.variant.is_ours(),
            "the list at `{name}` is not what the policy says: {}",
            wrong(&reply)
        );
    }
    Ok(reply.expected())
}

/// Sends a call that the policy denies: it must be refused, and not reach the upstream, wherever there is a policy.
///
/// # Errors
/// When it is not so.
pub fn denied(load: &Load, site: &Site, token: &str) -> anyhow::Result<()> {
    let name = site.variant.name();
    if site.variant == Variant::McpProxy {
        return Ok(());
    }
    let case = if site.variant.is_peer() {
        "call-2k-modern"
    } else {
        "call-2k"
    };
    let case = Case::of(case).context("no case to deny")?;
    let governs = site.variant.governs() || site.variant.is_peer();
    let request = case.request(&site.way, policy::DENIED, token, site.session.as_deref());
    for (what, request, denied) in [
        ("a denied call", request, governs),
        (
            "a call without a good token",
            case.request(&site.way, policy::ALLOWED, "a.b.c", None),
            governs,
        ),
    ] {
        // A peer is told the caller in a header, so there is no token to be bad.
        if site.variant.is_peer() && what != "a denied call" {
            continue;
        }
        let before = load.received();
        let reply = load.ask(site.port, request)?;
        let reached = load.received().saturating_sub(before);
        let refused = reply.status != 200 || !reply.text().contains("\"isError\":false");
        ensure!(
            (reached == 0) == denied && refused == denied,
            "{what} at `{name}` came to the upstream {reached} times, and was answered with {}: {}",
            reply.status,
            reply.text()
        );
    }
    Ok(())
}
