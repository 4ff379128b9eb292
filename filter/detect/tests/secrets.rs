//! What opens something, or identifies somebody, is told by its name and place; what only looks like it is not.
//!
//! Every value is made up here, and put together only when the tests run, so that nobody takes this file for a leak.
#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod support;

use gatehold_detect::{Context, Kind, Scan, Secret, scan};
use proptest::prelude::*;
use support::pack;

/// Letters that look random, always the same.
fn random(alphabet: &str, count: usize) -> String {
    let letters = alphabet.as_bytes();
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ (count as u64) ^ ((letters.len() as u64) << 20);
    let mut text = String::new();
    for _ in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(letters[(state >> 33) as usize % letters.len()]));
    }
    text
}

const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ID: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn secrets(text: &str) -> Vec<Secret> {
    scan(&pack(), Kind::Argument, Context::default(), text.as_bytes()).secrets
}

/// In a text `⟦name|value⟧` stands where one is found.
fn check(text: &str) {
    let (mut plain, mut expected, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once('⟦') {
        let (inside, after) = after.split_once('⟧').unwrap();
        let (name, value) = inside.split_once('|').unwrap();
        plain.push_str(before);
        expected.push((name.to_owned(), plain.len()..plain.len() + value.len()));
        plain.push_str(value);
        rest = after;
    }
    plain.push_str(rest);
    let found: Vec<_> = secrets(&plain)
        .into_iter()
        .map(|secret| (secret.pattern, secret.span))
        .collect();
    assert_eq!(found, expected, "{plain}");
}

/// In prose, in JSON, in JSON in JSON, in an assignment and in a URL.
fn check_everywhere(name: &str, value: &str) {
    check(&format!("⟦{name}|{value}⟧"));
    check(&format!("it is ⟦{name}|{value}⟧, and so on"));
    check(&format!("it is (⟦{name}|{value}⟧)."));
    check(&format!(r#"{{"a":"⟦{name}|{value}⟧"}}"#));
    check(&format!(r#"{{"a":"x\n⟦{name}|{value}⟧\ny"}}"#));
    check(&format!(r#"{{"a":"{{\"b\":\"x\\n⟦{name}|{value}⟧\"}}"}}"#));
    check(&format!("X_VALUE=⟦{name}|{value}⟧\n"));
    check(&format!("api_key: '⟦{name}|{value}⟧'"));
    check(&format!("Authorization: Bearer ⟦{name}|{value}⟧\r\n"));
    check(&format!(
        "https://api.example.com/v1?a=b&key=⟦{name}|{value}⟧&c=d"
    ));
}

#[test]
fn keys() {
    for (name, prefix, alphabet, count) in [
        ("aws-access-key", "AKIA", UPPER, 16),
        ("aws-access-key", "ASIA", UPPER, 16),
        ("gcp-api-key", "AIza", ID, 35),
        ("google-oauth-secret", "GOCSPX-", ID, 28),
        ("google-oauth-token", "ya29.", ID, 120),
        ("github-token", "ghp_", ALNUM, 36),
        ("github-token", "gho_", ALNUM, 36),
        ("github-token", "ghs_", ALNUM, 36),
        ("github-token", "github_pat_", ALNUM, 82),
        ("gitlab-token", "glpat-", ID, 20),
        ("slack-token", "xoxb-123456789012-123456789012-", ALNUM, 24),
        ("slack-token", "xoxp-", ALNUM, 40),
        ("stripe-key", "sk_live_", ALNUM, 24),
        ("stripe-key", "rk_live_", ALNUM, 99),
        ("stripe-webhook-secret", "whsec_", ALNUM, 32),
        ("anthropic-key", "sk-ant-api03-", ID, 93),
        ("openai-key", "sk-", ALNUM, 48),
        ("openai-key", "sk-proj-", ID, 156),
        ("huggingface-token", "hf_", ALNUM, 34),
        ("groq-key", "gsk_", ALNUM, 52),
        ("npm-token", "npm_", ALNUM, 36),
        ("pypi-token", "pypi-AgEIcHlwaS5vcmc", ID, 140),
        ("twilio-key", "SK", HEX, 32),
        ("mailgun-key", "key-", HEX, 32),
        ("digitalocean-token", "dop_v1_", HEX, 64),
        ("databricks-token", "dapi", HEX, 32),
        ("shopify-token", "shpat_", HEX, 32),
        ("vault-token", "hvs.", ID, 90),
        ("age-key", "AGE-SECRET-KEY-1", UPPER, 58),
        ("tailscale-key", "tskey-auth-", ALNUM, 40),
    ] {
        check_everywhere(name, &format!("{prefix}{}", random(alphabet, count)));
    }
}

#[test]
fn keys_of_several_parts() {
    let part = |count| random(ID, count);
    check_everywhere(
        "sendgrid-key",
        &format!("SG.{}.{}", random(ALNUM, 22), part(43)),
    );
    check_everywhere("mailchimp-key", &format!("{}-us12", random(HEX, 32)));
    check_everywhere(
        "discord-token",
        &format!("MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{}", random(ALNUM, 27)),
    );
    check_everywhere("jwt", &jwt());
    check(&format!("bot ⟦telegram-token|123456789:AA{}⟧ x", part(33)));
    check(&format!(
        "https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/⟦slack-webhook|{}⟧",
        random(ALNUM, 24)
    ));
    check(&format!(
        r#"{{"url":"https:\/\/hooks.slack.com\/services\/T01ABCDEF\/B01ABCDEF\/⟦slack-webhook|{}⟧"}}"#,
        random(ALNUM, 24)
    ));
    check(&format!(
        "https://discord.com/api/webhooks/123456789012345678/⟦discord-webhook|{}⟧",
        random(ALNUM, 68)
    ));
}

fn jwt() -> String {
    // {"alg":"HS256"} and {"sub":"a"}.
    format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.{}", random(ID, 43))
}

#[test]
fn github_tokens_with_their_checksum() {
    // Few letters, but what follows them is their checksum: nobody makes that up.
    check(&format!(
        "⟦github-token|ghp_{}{}⟧",
        "ab".repeat(15),
        "1Xla0B"
    ));
    check(&format!("ghp_{}{}", "ab".repeat(15), "1Xla0x"));
}

#[test]
fn private_keys() {
    let body = |lines: usize, end: &str| {
        let line = |nth: usize| random(&format!("{ALNUM}+/"), 64 - nth % 2);
        (0..lines).map(|nth| line(nth) + end).collect::<String>()
    };
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
    ] {
        for (end, lines) in [("\n", 3), ("\\n", 26), ("\\\\n", 40), (" ", 2)] {
            let key = format!(
                "-----BEGIN {label}-----{end}{}-----END {label}-----",
                body(lines, end)
            );
            check(&format!("x\n⟦private-key|{key}⟧\ny"));
            check(&format!(r#"{{"private_key":"⟦private-key|{key}⟧{end}"}}"#));
        }
    }
    check("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----");
    check(&format!(
        "-----BEGIN PUBLIC KEY-----\n{}-----END PUBLIC KEY-----",
        body(3, "\n")
    ));
    check(&format!(
        "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----",
        body(3, "\n")
    ));
}

#[test]
fn passwords_in_settings() {
    check(r#"{"user":"jo","password":"⟦password|Tr0ub4dor&3x⟧"}"#);
    check(r#"{"a":"{\"password\": \"⟦password|Tr0ub4dor&3x⟧\"}"}"#);
    check("DB_PASSWORD=⟦password|9vKq-s2Lm⟧\n");
    check("password is ⟦password|9vKq-s2Lm⟧ for now");
    check("<password>⟦password|9vKq-s2Lm⟧</password>");
    check("passwd: '⟦password|9vKq!s2Lm⟧'");
    for text in [
        "password: string",
        "password: str = None",
        r#""password": "password123""#,
        r#""password": "changeme1!""#,
        r#""password": "your-password-1A""#,
        r#""password": "${DB_PASSWORD_1}""#,
        r#""password": "<Password1>""#,
        r#"password = os.environ["DB_PASSWORD_1"]"#,
        "password=process.env.PASSWORD_V1",
        "password := getPassword(user1, Db2)",
        "password == Other1Value!",
        "the password is required",
        "Password: must have 8 characters",
    ] {
        check(text);
    }
}

#[test]
fn secrets_in_settings() {
    let value = random(ALNUM, 32);
    for name in [
        "api_key",
        "apiKey",
        "API_KEY",
        "client_secret",
        "x-api-key",
        "accessToken",
        "auth_token",
        "STRIPE_SECRET",
    ] {
        check(&format!("{name}=⟦credential|{value}⟧"));
        check(&format!("{{\"{name}\":\"⟦credential|{value}⟧\"}}"));
        check(&format!("{name}: ⟦credential|{value}⟧\n"));
    }
    let aws = random(&format!("{ALNUM}/+"), 40);
    check(&format!("aws_secret_access_key = ⟦aws-secret-key|{aws}⟧"));
    check(&format!(r#""SecretAccessKey": "⟦aws-secret-key|{aws}⟧""#));
    let azure = random(&format!("{ALNUM}/+"), 86) + "==";
    check(&format!(
        "AccountName=x;AccountKey=⟦azure-key|{azure}⟧;EndpointSuffix=y"
    ));
    check(&format!("Authorization: Bearer ⟦bearer-token|{value}⟧"));
    check("Authorization: Basic ⟦basic-auth|am86OXZLcS1zMkxt⟧");
    for text in [
        "secret: my-app-tls-certificate",
        "api_key: YOUR_API_KEY_1234567890",
        "api_key = settings.api_key.value_1.get",
        "api_key=xxxxxxxxxxxxxxxxxxxx1",
        "nextPageToken: CAUQAAXQ12b34c56d78",
        "tokens: 123456789012345678",
        "Bearer realm=\"mcp\", error=\"x\"",
        "Basic authentication with user1 and more",
        "checksum/secret: 2a8abfa8cb9906290437854193ca6bca41d4d4e26d1d454bd66a35158095e737",
    ] {
        check(text);
    }
}

#[test]
fn passwords_in_urls() {
    check("postgres://app:⟦url-password|9vKqs2Lm⟧@db:5432/x");
    check(r#"{"url":"redis://:⟦url-password|9vKqs2Lm⟧@cache/0"}"#);
    check(r#"{"url":"mongodb+srv:\/\/app:⟦url-password|9vKqs2Lm⟧@db\/x"}"#);
    check("postgres://postgres:password@localhost:5432/x");
    check("postgres://user:pass@host/x");
    check("postgres://app:${PASSWORD}@db/x");
    check("https://example.com:8080/a@b");
    check("https://example.com/x:y@z");
}

#[test]
fn cards() {
    // One of each issuer, with a right check digit and of no meaning.
    for card in [
        "4539578763621486",
        "5425233430109903",
        "2223000048410010",
        "6011000991300009",
        "3530111333300000",
        "374245455400126",
    ] {
        check(&format!("card ⟦card|{card}⟧."));
        check(&format!(r#"{{"card":{{"number":⟦card|{card}⟧}}}}"#));
        if card.len() == 16 {
            let groups =
                |sign: &str| [&card[..4], &card[4..8], &card[8..12], &card[12..]].join(sign);
            check(&format!("card ⟦card|{}⟧, valid", groups(" ")));
            check(&format!("\"⟦card|{}⟧\"", groups("-")));
            check(&format!("at {}", groups(".")));
        } else {
            check(&format!(
                "⟦card|{} {} {}⟧",
                &card[..4],
                &card[4..10],
                &card[10..]
            ));
        }
    }
    check("pay with ⟦card|4111 1111 1111 1111⟧");
    check("the test number 4111 1111 1111 1111 always works");
    for text in [
        "4539578763621487",
        "order 1234567890123456",
        "at 1732331866123 ms",
        "id 4539578763621486123",
        "0.4539578763621486",
        "x4539578763621486",
        "4539578763621486x",
        "4539578763621486-1",
        "20261123041516000",
        "0000 0000 0000 0000",
    ] {
        check(text);
    }
}

#[test]
fn accounts_and_people() {
    check("to ⟦iban|DE89370400440532013000⟧");
    check("to ⟦iban|DE89 3704 0044 0532 0130 00⟧ please");
    check("\"⟦iban|GB29NWBK60161331926819⟧\"");
    check("\"⟦iban|FR1420041010050500013M02606⟧\"");
    check("to DE89370400440532013001");
    check("to DE8937040044053201300");
    check("US133000000121212121212");
    check("SSN ⟦us-ssn|536-90-4399⟧.");
    check("000-12-3456, 666-12-3456, 900-12-3456, 123-45-6789, 2024-12-3456");
    check("⟦cpf|529.982.247-25⟧ but not 529.982.247-26");
    check("⟦codice-fiscale|RSSMRA85T10A562S⟧ but not RSSMRA85T10A562T");
    check("⟦aadhaar|2341 2341 2346⟧ but not 2341 2341 2347");
    // Off unless a pack turns them on.
    check("jo@corp.example.dev, +49 30 901820");
}

#[test]
fn what_only_looks_like_a_secret() {
    for text in [
        "550e8400-e29b-41d4-a716-446655440000",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-circle-fade-dot-animation-2024-keyframes-definition",
        "SKU12345678901234567890123456789012",
        "asset_3f2a1b4c5d6e7f8091a2b3c4d5e6f708.bundle.js",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJub3QiOiJhIGhlYWRlciJ9.eyJzdWIiOiJhIn0.c29tZXRoaW5nZWxzZWhlcmU",
        "getUserAuthenticationTokenProviderFactoryBean2",
        "2026-11-23T04:15:16.123456789Z",
        "v=1.2.3-4567890123456",
    ] {
        check(text);
    }
}

/// Texts in which something is found, and some in which nothing is.
fn text() -> impl Strategy<Value = String> {
    let secret = prop_oneof![
        Just(format!("ghp_{}", random(ALNUM, 36))),
        Just(jwt()),
        Just(format!("password: \"{}\"", "Tr0ub4dor&3x")),
        Just(format!("api-key = {}", random(ALNUM, 32))),
        Just(format!("Bearer {}", random(ALNUM, 32))),
        Just("4539 5787 6362 1486".to_owned()),
        Just("DE89 3704 0044 0532 0130 00".to_owned()),
        Just("postgres://app:9vKqs2Lm@db/x".to_owned()),
        Just(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n{}\n-----END PRIVATE KEY-----",
            random(ALNUM, 64),
            random(ALNUM, 60)
        )),
    ];
    let part = prop_oneof![
        3 => "[a-zA-Z0-9 .,:=@/+_-]{0,40}",
        2 => secret,
        1 => "[ \n]{1,3}",
        1 => Just("the quick brown fox jumps over the lazy dog ".repeat(120)),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(" "))
}

proptest! {
    #[test]
    fn pieces_do_not_matter(text in text(), cuts in prop::collection::vec(0..6000_usize, 0..6)) {
        let pack = pack();
        let whole = scan(&pack, Kind::Result, Context::default(), text.as_bytes()).secrets;
        let mut scan = Scan::new(&pack, Kind::Result, Context::default());
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            scan.feed(&text.as_bytes()[from..cut]);
            from = cut;
        }
        prop_assert_eq!(scan.finish().secrets, whole);
    }

    #[test]
    fn byte_by_byte(text in text()) {
        let text: String = text.chars().take(600).collect();
        let pack = pack();
        let whole = scan(&pack, Kind::Result, Context::default(), text.as_bytes()).secrets;
        let mut scan = Scan::new(&pack, Kind::Result, Context::default());
        for byte in text.as_bytes() {
            scan.feed(&[*byte]);
        }
        prop_assert_eq!(scan.finish().secrets, whole);
    }

    #[test]
    fn places_are_on_the_text(text in "\\PC{0,200}") {
        for secret in secrets(&text) {
            prop_assert!(text.get(secret.span).is_some());
        }
    }
}

#[test]
fn a_secret_that_is_written_as_something_else_is_told_where_it_stands() {
    use base64::prelude::*;
    let token = format!("AKIA{}", random(UPPER, 16));
    assert_eq!(secrets(&token).len(), 1, "{token}");
    let told = |text: &str, place: std::ops::Range<usize>| {
        let found = secrets(text);
        let names: Vec<_> = found
            .iter()
            .map(|it| (it.pattern.as_str(), it.span.clone()))
            .collect();
        assert!(
            names
                .iter()
                .any(|(_, span)| span.start < place.end && span.end > place.start),
            "{text}\n{names:?}"
        );
    };
    let encoded = BASE64_STANDARD.encode(format!("the key of the backup is {token}, keep it"));
    let text = format!("{{\"note\":\"{encoded}\"}}");
    told(&text, 9..9 + encoded.len());
    let escaped: String = token
        .bytes()
        .map(|byte| format!("\\u00{byte:02x}"))
        .collect();
    let text = format!("{{\"note\":\"the key {escaped} is new\"}}");
    told(&text, 17..17 + escaped.len());
}

#[test]
fn secrets_whose_letters_or_signs_are_written_as_escapes() {
    let token = format!("glpat-{}", random(ALNUM, 20));
    let plain = format!("{{\"token\":\"{token}\"}}");
    assert_eq!(secrets(&plain).len(), 1);
    for (character, escape) in [("-", "\\u002d"), ("g", "\\u0067")] {
        let escaped = plain.replacen(character, escape, 1);
        let found = secrets(&escaped);
        let told = |secret: &Secret| escaped[secret.span.clone()].contains(&token[8..]);
        let whole = found.iter().filter(|it| it.pattern == "gitlab-token");
        assert_eq!(
            whole.filter(|it| told(it)).count(),
            1,
            "{escaped} {found:?}"
        );
    }
}
