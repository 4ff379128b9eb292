//! Text that was written to deceive whoever decides.

use gatehold_console::text::is_hidden;
use gatehold_desk::Definition;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::support::{App, approval};

/// Bidirectional override, TAG characters, zero width, an escape sequence, markup, a template.
const BAIT: &str = "<script>alert(1)</script>\u{202e}txt\u{2066}\u{200b}\u{e0049}\u{e0067}\u{1b}[2J\"'{{ 7 }}\u{feff}";

async fn pages_with(app: &App, cookie: &str, text: &str) -> Vec<String> {
    app.desk.all.lock().unwrap().clear();
    let mut one = approval(1);
    let mut other = approval(2);
    for approval in [&mut one, &mut other] {
        let call = &mut approval.call;
        call.server = text.to_owned();
        call.target = text.to_owned();
        call.arguments = json!({ text: text, "nested": { "list": [text] } }).to_string();
        call.rules = vec![text.to_owned()];
        call.risks = vec![text.to_owned()];
        call.requester.user = text.to_owned();
        call.requester.agent = text.to_owned();
        call.requester.roles = vec![text.to_owned()];
        call.trace_id = text.to_owned();
        call.event_id = text.to_owned();
        call.policy_version = text.to_owned();
        call.era = text.to_owned();
        approval.ended_reason = text.to_owned();
        approval.votes.push(gatehold_approvals::Vote {
            by: gatehold_approvals::Person {
                user: text.to_owned(),
                ..Default::default()
            },
            verdict: gatehold_approvals::Verdict::Approve,
            reason: text.to_owned(),
            at_unix_millis: 0,
        });
    }
    let id = app.desk.add(one);
    app.desk.add(other);
    let json =
        json!({ "name": text, "description": text, "annotations": { "readOnlyHint": true } });
    *app.desk.definition.lock().unwrap() = Some(Definition {
        digest: [0; 32],
        json: json.to_string(),
        seen_unix_millis: 0,
    });
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("q", text).append_pair("state", "all");
    let mut pages = Vec::new();
    for path in [
        format!("/approvals/{id}"),
        "/approvals".to_owned(),
        format!("/approvals?{}", query.finish()),
    ] {
        pages.push(app.get(&path, cookie).await.body);
    }
    pages
}

/// The page as it would be without that text, as far as markup goes: its tags, but for marks and line breaks.
fn tags(page: &str) -> usize {
    page.matches('<').count()
        - page.matches("<mark>").count()
        - page.matches("</mark>").count()
        - page.matches("<br>").count()
}

fn look(page: &str, text: &str) {
    let hidden: Vec<_> = page
        .chars()
        .filter(|char| is_hidden(*char) && *char != '\n')
        .collect();
    assert!(hidden.is_empty(), "{text:?} left {hidden:?} in the page");
    assert!(
        !page.contains("<script>") && !page.contains("<img") && !page.contains("<b>"),
        "{text:?}"
    );
}

#[tokio::test]
async fn what_is_hidden_is_marked_and_warned_of() {
    let app = App::new().await;
    let cookie = app
        .sign_in(json!({ "sub": "bob", "name": BAIT, "roles": ["finance-lead"] }))
        .await;
    let pages = pages_with(&app, &cookie, BAIT).await;
    for page in &pages {
        look(page, BAIT);
        assert!(
            page.contains("<mark>U+202E</mark>") && page.contains("<mark>U+2066</mark>"),
            "{page}"
        );
        assert!(page.contains("<mark>TAG “Ig”</mark>") && page.contains("<mark>U+001B</mark>"));
        assert!(page.contains("&#60;script&#62;alert(1)"));
    }
    let one = &pages[0];
    assert!(
        one.contains("Look closely")
            && one.contains("right-to-left override (U+202E)")
            && one.contains("2 × TAG character"),
        "{one}"
    );
    assert!(pages[1].contains("odd characters"));
}

#[tokio::test]
async fn letters_that_look_like_others_are_noted() {
    let app = App::new().await;
    let cookie = app
        .sign_in(json!({ "sub": "bob", "roles": ["finance-lead"] }))
        .await;
    let mut one = approval(1);
    one.call.arguments = json!({ "to": "p\u{430}ypal" }).to_string();
    let id = app.desk.add(one);
    let page = app.get(&format!("/approvals/{id}"), &cookie).await.body;
    assert!(
        page.contains("reads like “paypal”") && page.contains("U+0430"),
        "{page}"
    );
}

#[test]
fn no_text_gets_out_of_its_place() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (app, cookie) = runtime.block_on(async {
        let app = App::new().await;
        let cookie = app
            .sign_in(json!({ "sub": "bob", "roles": ["finance-lead"] }))
            .await;
        (app, cookie)
    });
    let plain: Vec<_> = runtime
        .block_on(pages_with(&app, &cookie, "plain"))
        .iter()
        .map(|page| tags(page))
        .collect();
    let odd = "[<>\"'&/=a-z \u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}-\u{200f}\u{e0020}-\u{e007e}\u{0}-\u{1f}\u{300}-\u{30f}\u{fe0f}\u{a0}я中]{1,24}";
    let mut runner = TestRunner::new(Config {
        cases: 96,
        ..Config::default()
    });
    runner
        .run(&(odd, any::<bool>()), |(text, _)| {
            let pages = runtime.block_on(pages_with(&app, &cookie, &format!("p{text}")));
            for (page, _) in pages.iter().zip(&plain) {
                look(page, &text);
            }
            Ok(())
        })
        .unwrap();
}
