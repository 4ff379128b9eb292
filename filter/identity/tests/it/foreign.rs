//! Tokens that others have made: the published ones of RFC 7515, and OpenSSL's.

use gatehold_identity::{Algorithm, ClaimMapping, Issuer, KeySet, verify};
use serde_json::{Value, json};

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn tokens_of_others() {
    let vectors: Value = serde_json::from_str(include_str!("foreign.json")).unwrap();
    let tokens = vectors["tokens"].as_array().unwrap();
    assert!(tokens.len() > 10);
    for vector in tokens {
        let key = &vectors["keys"][vector["key"].as_str().unwrap()];
        let issuer = Issuer {
            name: "joe".to_owned(),
            issuer: "joe".to_owned(),
            algorithms: Algorithm::ALL.to_vec(),
            clock_skew_seconds: 0,
            claims: ClaimMapping::default(),
            keys: KeySet::from_jwks(&json!({"keys": [key]}).to_string()).unwrap(),
        };
        let token = vector["token"].as_str().unwrap();
        let result = verify(token, &[&issuer], &["a".to_owned()], 1_300_819_379);
        let result = result.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(
            result,
            vector["result"].as_str().unwrap(),
            "{}",
            vector["name"]
        );
    }
}
