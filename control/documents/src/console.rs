//! `kind: Console`.

use std::path::PathBuf;

use crate::fields::{self, Fields};
use crate::format;
use crate::names::{all_checked, checked, values};
use crate::problem::{At, Report};
use crate::yaml::Node;

/// Seconds of a session in which nothing happens, when the document does not say.
const DEFAULT_IDLE: u64 = 3600;
/// Seconds of a session, when the document does not say.
const DEFAULT_LONGEST: u64 = 12 * 3600;

/// The `spec` of the console.
#[derive(Debug)]
pub(crate) struct ConsoleSpec {
    pub(crate) url: String,
    pub(crate) issuer: At<String>,
    pub(crate) client_id: String,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) scopes: Vec<String>,
    pub(crate) api_audiences: Vec<String>,
    pub(crate) idle_seconds: u64,
    pub(crate) longest_seconds: u64,
}

/// Reads the `spec`; nothing when a required field is missing or wrong.
pub(crate) fn console(spec: &Node, report: &mut Report) -> Option<ConsoleSpec> {
    let what = "a console's `spec`";
    let fields = Fields::new(spec, what, &["url", "signIn", "api", "sessions"], report)?;
    let help = "write the address at which browsers reach it: `url: https://gatehold.example.com`";
    let url = fields.require("url", what, help, report);
    let url = url.and_then(|node| fields::text(node, "`url`", report));
    let url = url.and_then(|text| checked(text, "address of a console", format::site, report));
    let help = "say who signs people in: `signIn: { issuer: corp, clientId: gatehold-console }`";
    let sign_in = fields.require("signIn", what, help, report);
    let sign_in = sign_in.and_then(|node| sign_in_of(node, report));
    let audiences = fields.get("api").and_then(|node| api(node, report));
    let sessions = fields.get("sessions");
    let sessions = sessions.and_then(|node| self::sessions(node, report));
    let (idle_seconds, longest_seconds) = sessions.unwrap_or((DEFAULT_IDLE, DEFAULT_LONGEST));
    let (issuer, client_id, client_secret_file, scopes) = sign_in?;
    Some(ConsoleSpec {
        url: url?.value,
        issuer,
        client_id,
        client_secret_file,
        scopes,
        api_audiences: audiences.unwrap_or_default(),
        idle_seconds,
        longest_seconds,
    })
}

type SignIn = (At<String>, String, Option<PathBuf>, Vec<String>);

fn sign_in_of(node: &Node, report: &mut Report) -> Option<SignIn> {
    let known = ["issuer", "clientId", "clientSecretFile", "scopes"];
    let fields = Fields::new(node, "`signIn`", &known, report)?;
    let help = "name the Issuer document that signs people in: `issuer: corp`";
    let issuer = fields.require("issuer", "`signIn`", help, report);
    let issuer = issuer.and_then(|node| fields::text(node, "`issuer`", report));
    let help =
        "write the client id under which the console is registered: `clientId: gatehold-console`";
    let client_id = fields.require("clientId", "`signIn`", help, report);
    let client_id = client_id.and_then(|node| fields::text(node, "`clientId`", report));
    let client_id = client_id.and_then(|text| checked(text, "client id", format::exact, report));
    let secret = fields.get("clientSecretFile");
    let secret = secret.map(|node| fields::file(node, "`clientSecretFile`", report));
    let scopes = fields.get("scopes").map(|node| {
        let scopes = fields::some_texts(node, "`scopes`", report);
        let scopes = values(all_checked(scopes, "scope", format::scope, report));
        if !scopes.iter().any(|scope| scope == "openid") {
            let help = "add `openid`, without which nobody is told who signs in";
            report.add(node.at, "`scopes` has no `openid`", help.to_owned());
        }
        scopes
    });
    let client_secret_file = match secret {
        Some(file) => Some(file?),
        None => None,
    };
    let scopes = scopes.unwrap_or_else(|| vec!["openid".to_owned(), "profile".to_owned()]);
    Some((issuer?, client_id?.value, client_secret_file, scopes))
}

fn api(node: &Node, report: &mut Report) -> Option<Vec<String>> {
    let fields = Fields::new(node, "`api`", &["audiences"], report)?;
    let help = "write what tokens for the API carry as `aud`: `audiences: [gatehold-api]`";
    let audiences = fields.require("audiences", "`api`", help, report)?;
    let audiences = fields::some_texts(audiences, "`audiences`", report);
    Some(values(all_checked(
        audiences,
        "audience",
        format::exact,
        report,
    )))
}

/// Seconds of a session in which nothing happens, and of any.
fn sessions(node: &Node, report: &mut Report) -> Option<(u64, u64)> {
    let fields = Fields::new(node, "`sessions`", &["idle", "longest"], report)?;
    let mut seconds = |name: &str, most| {
        let node = fields.get(name)?;
        let read = |text: &str| format::duration(text, 60, most);
        fields::scalar(node, &format!("`{name}`"), read, report)
    };
    let idle = seconds("idle", 7 * 86_400);
    let longest = seconds("longest", 30 * 86_400);
    let longest_or_default = longest.unwrap_or(DEFAULT_LONGEST);
    if idle.is_some_and(|idle| idle > longest_or_default) {
        let longest = format::spell(longest_or_default);
        let help = format!("make it at most `longest`, which is {longest}, or make that more");
        report.add(node.at, "`idle` is longer than `longest`", help);
    }
    let idle = idle.unwrap_or(DEFAULT_IDLE.min(longest_or_default));
    Some((idle, longest_or_default))
}
