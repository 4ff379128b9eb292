//! Keys that are known by how they begin.

/// What may stand behind a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `-`, `_`.
    Id,
    /// Digits and `a` to `f`.
    Hex,
    /// Capitals and digits.
    Upper,
}

impl Charset {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Id => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }
}

/// A format of keys.
pub(super) struct Key {
    /// Name of the pattern.
    pub(super) name: &'static str,
    /// How it begins; with a dot at its end, what stands in front of the run of letters.
    pub(super) prefix: &'static str,
    /// How many bytes follow, at least and at most.
    pub(super) length: (usize, usize),
    pub(super) charset: Charset,
}

const fn key(
    name: &'static str,
    prefix: &'static str,
    least: usize,
    most: usize,
    charset: Charset,
) -> Key {
    Key {
        name,
        prefix,
        length: (least, most),
        charset,
    }
}

use Charset::{Alnum, Hex, Id, Upper};

/// The formats by their first letters; of two prefixes the longer one comes first.
pub(super) const KEYS: &[Key] = &[
    key("aws-access-key", "AKIA", 16, 16, Upper),
    key("aws-access-key", "ASIA", 16, 16, Upper),
    key("aws-access-key", "ABIA", 16, 16, Upper),
    key("aws-access-key", "ACCA", 16, 16, Upper),
    key("aws-bedrock-key", "ABSK", 100, 160, Alnum),
    key("gcp-api-key", "AIza", 35, 35, Id),
    key("atlassian-token", "ATATT3xFf", 100, 240, Id),
    key("age-key", "AGE-SECRET-KEY-1", 58, 58, Upper),
    key("google-oauth-secret", "GOCSPX-", 28, 28, Id),
    key("gitlab-token", "GR1348941", 20, 20, Id),
    key("heroku-key", "HRKU-", 36, 70, Id),
    key("newrelic-key", "NRAK-", 27, 27, Upper),
    key("postman-key", "PMAK-", 59, 59, Id),
    key("twilio-key", "SK", 32, 32, Hex),
    key("huggingface-token", "api_org_", 34, 40, Alnum),
    key("buildkite-token", "bkua_", 40, 40, Hex),
    key("crates-token", "cio", 32, 32, Alnum),
    key("dockerhub-token", "dckr_pat_", 27, 32, Id),
    key("digitalocean-token", "dop_v1_", 64, 64, Hex),
    key("digitalocean-token", "doo_v1_", 64, 64, Hex),
    key("digitalocean-token", "dor_v1_", 64, 64, Hex),
    key("databricks-token", "dapi", 32, 32, Hex),
    key("figma-token", "figd_", 38, 48, Id),
    key("flyio-token", "fm2_", 100, 800, Id),
    key("github-token", "github_pat_", 82, 82, Id),
    key("github-token", "ghp_", 36, 36, Alnum),
    key("github-token", "gho_", 36, 36, Alnum),
    key("github-token", "ghu_", 36, 36, Alnum),
    key("github-token", "ghs_", 36, 36, Alnum),
    key("github-token", "ghr_", 36, 76, Alnum),
    key("gitlab-token", "glpat-", 20, 64, Id),
    key("gitlab-token", "gldt-", 20, 64, Id),
    key("gitlab-token", "glrt-", 20, 64, Id),
    key("gitlab-token", "glcbt-", 20, 72, Id),
    key("gitlab-token", "glptt-", 40, 64, Id),
    key("gitlab-token", "glft-", 20, 64, Id),
    key("gitlab-token", "glsoat-", 20, 64, Id),
    key("gitlab-token", "glagent-", 50, 80, Id),
    key("groq-key", "gsk_", 48, 60, Alnum),
    key("grafana-token", "glsa_", 41, 41, Id),
    key("huggingface-token", "hf_", 34, 40, Alnum),
    key("mailgun-key", "key-", 32, 32, Hex),
    key("langsmith-key", "lsv2_pt_", 32, 64, Id),
    key("langsmith-key", "lsv2_sk_", 32, 64, Id),
    key("linear-key", "lin_api_", 32, 48, Alnum),
    key("npm-token", "npm_", 36, 36, Alnum),
    key("notion-token", "ntn_", 40, 50, Alnum),
    key("nvidia-key", "nvapi-", 60, 80, Id),
    key("onepassword-token", "ops_eyJ", 200, 1200, Id),
    key("perplexity-key", "pplx-", 40, 64, Alnum),
    key("pypi-token", "pypi-AgEIcHlwaS5vcmc", 40, 300, Id),
    key("pypi-token", "pypi-AgENdGVzdC5weXBpLm9yZw", 40, 300, Id),
    key("planetscale-token", "pscale_tkn_", 32, 64, Id),
    key("planetscale-token", "pscale_pw_", 32, 64, Id),
    key("pulumi-token", "pul-", 40, 40, Hex),
    key("stripe-key", "rk_live_", 16, 247, Alnum),
    key("stripe-key", "rk_test_", 16, 247, Alnum),
    key("replicate-token", "r8_", 37, 40, Alnum),
    key("rubygems-key", "rubygems_", 48, 48, Hex),
    key("stripe-key", "sk_live_", 16, 247, Alnum),
    key("stripe-key", "sk_test_", 16, 247, Alnum),
    key("anthropic-key", "sk-ant-", 32, 160, Id),
    key("openrouter-key", "sk-or-v1-", 64, 64, Hex),
    key("openai-key", "sk-proj-", 32, 200, Id),
    key("openai-key", "sk-svcacct-", 32, 200, Id),
    key("openai-key", "sk-admin-", 32, 200, Id),
    key("langfuse-key", "sk-lf-", 36, 36, Id),
    key("openai-key", "sk-", 32, 64, Alnum),
    key("shopify-token", "shpat_", 32, 32, Hex),
    key("shopify-token", "shpca_", 32, 32, Hex),
    key("shopify-token", "shppa_", 32, 32, Hex),
    key("shopify-token", "shpss_", 32, 32, Hex),
    key("square-token", "sq0atp-", 22, 22, Id),
    key("square-token", "sq0csp-", 43, 43, Id),
    key("sentry-token", "sntrys_", 60, 400, Id),
    key("sentry-token", "sntryu_", 64, 64, Hex),
    key("supabase-token", "sbp_", 40, 40, Hex),
    key("supabase-key", "sb_secret_", 24, 48, Id),
    key("sonar-token", "sqp_", 40, 40, Hex),
    key("sonar-token", "squ_", 40, 40, Hex),
    key("tailscale-key", "tskey-", 24, 80, Id),
    key("stripe-webhook-secret", "whsec_", 32, 64, Alnum),
    key("slack-token", "xoxb-", 24, 160, Id),
    key("slack-token", "xoxp-", 24, 160, Id),
    key("slack-token", "xoxa-", 24, 160, Id),
    key("slack-token", "xoxr-", 24, 160, Id),
    key("slack-token", "xoxs-", 24, 160, Id),
    key("slack-token", "xoxc-", 24, 160, Id),
    key("slack-token", "xoxe-", 24, 260, Id),
    key("slack-token", "xapp-", 24, 160, Id),
    key("xai-key", "xai-", 70, 90, Alnum),
    key("brevo-key", "xkeysib-", 64, 90, Id),
];

/// The formats with a dot at the end of their prefix.
pub(super) const DOTTED: &[Key] = &[
    key("google-oauth-token", "ya29.", 30, 2048, Id),
    key("sendgrid-key", "SG.", 22, 22, Id),
    key("doppler-token", "dp.pt.", 40, 44, Alnum),
    key("vault-token", "hvs.", 24, 130, Id),
    key("vault-token", "hvb.", 80, 240, Id),
];

/// By first letter, where its formats begin in [`KEYS`] and how many there are.
const PLACES: [(u8, u8); 128] = places();

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "evaluated at compile time"
)]
const fn places() -> [(u8, u8); 128] {
    let mut places = [(0, 0); 128];
    let mut at = KEYS.len();
    while at > 0 {
        at -= 1;
        let first = KEYS[at].prefix.as_bytes()[0] as usize;
        places[first] = (at as u8, places[first].1 + 1);
    }
    places
}

/// The formats that begin with a letter.
pub(super) fn keys(first: u8) -> &'static [Key] {
    let (start, count) = PLACES.get(usize::from(first)).copied().unwrap_or_default();
    let (start, count) = (usize::from(start), usize::from(count));
    KEYS.get(start..start + count).unwrap_or_default()
}

/// Values of well-known documentation: they open nothing, and everybody quotes them. By FNV-1a of 64 bits, of a JWT the
/// signature's, so that the values themselves need not stand here.
pub(super) const DOCUMENTED: &[u64] = &[
    0xbf0a2628ec81cd01,
    0x588404f95ee90ce0,
    0xb5be960354ab9e12,
    0x71e738fb8d8a5930,
    0xddd19c486d095d84,
    0x67e733c2f9035757,
    0x9cba2b6f12fd10a4,
    0x43f62e8bcdd84601,
];
