//! From claims to an identity.

use crate::support::*;
use gatehold_identity::{ClaimMapping, TokenError};
use serde_json::{Value, json};

fn mapping(user: &[&str], agent: &[&str], roles: &[&str], groups: &[&str]) -> ClaimMapping {
    let [user, agent, roles, groups] = [user, agent, roles, groups].map(|paths| {
        paths
            .iter()
            .map(|&path| path.to_owned())
            .collect::<Vec<_>>()
    });
    ClaimMapping {
        user,
        agent,
        roles,
        groups,
    }
}

#[track_caller]
fn check(mapping: ClaimMapping, changes: Value, expected: Result<Value, TokenError>) {
    let mut issuer = issuer();
    issuer.claims = mapping;
    let result = crate::support::check(&issuer, &token(json!({}), changes.clone()));
    let result = result.map(|id| json!([id.user, id.agent, id.roles, id.groups, id.scopes]));
    assert_eq!(result, expected, "{changes}");
}

/// Of the default mapping, over claims without roles, agent and scope.
#[track_caller]
fn default(changes: Value, expected: Result<Value, TokenError>) {
    let bare = json!({"roles": null, "azp": null, "scope": null});
    check(ClaimMapping::default(), with_nulls(bare, changes), expected);
}

fn with_nulls(mut base: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

#[test]
fn defaults() {
    default(json!({}), Ok(json!(["alice", "", [], [], []])));
    default(
        json!({"client_id": "c"}),
        Ok(json!(["alice", "c", [], [], []])),
    );
    default(
        json!({"azp": "a", "client_id": "c"}),
        Ok(json!(["alice", "a", [], [], []])),
    );
    default(
        json!({"azp": "", "client_id": "c"}),
        Ok(json!(["alice", "c", [], [], []])),
    );
    default(
        json!({"azp": 1, "client_id": "c"}),
        Err(TokenError::Mapping("agent")),
    );
}

#[test]
fn roles_and_groups() {
    default(
        json!({"roles": ["a", "b", "a", ""], "realm_access": {"roles": ["b", "c"]}}),
        Ok(json!(["alice", "", ["a", "b", "c"], [], []])),
    );
    default(
        json!({"roles": "a  b a"}),
        Ok(json!(["alice", "", ["a", "b"], [], []])),
    );
    default(
        json!({"groups": ["x y"]}),
        Ok(json!(["alice", "", [], ["x y"], []])),
    );
    default(
        json!({"groups": "Not Admins"}),
        Ok(json!(["alice", "", [], ["Not Admins"], []])),
    );
    default(
        json!({"realm_access": {"roles": null}}),
        Ok(json!(["alice", "", [], [], []])),
    );
    for roles in [
        json!(1),
        json!({"a": true}),
        json!(["a", 1]),
        json!([["a"]]),
    ] {
        default(json!({ "roles": roles }), Err(TokenError::Mapping("roles")));
        default(
            json!({ "groups": roles }),
            Err(TokenError::Mapping("groups")),
        );
    }
}

#[test]
fn scopes() {
    let with_scopes = |scopes: Value| Ok(json!(["alice", "", [], [], scopes]));
    default(json!({"scope": "a b"}), with_scopes(json!(["a", "b"])));
    default(json!({"scope": ""}), with_scopes(json!([])));
    default(json!({"scope": ["a", "b"]}), with_scopes(json!(["a", "b"])));
    default(json!({"scp": "a b"}), with_scopes(json!(["a", "b"])));
    default(json!({"scp": ["a", "b"]}), with_scopes(json!(["a", "b"])));
    default(
        json!({"scope": "a", "scp": ["b"]}),
        with_scopes(json!(["a"])),
    );
    default(json!({"scope": 1}), Err(TokenError::Claim("scope")));
    default(json!({"scp": [1]}), Err(TokenError::Claim("scp")));
}

#[test]
fn paths_of_ones_own() {
    let claims = json!({
        "https://x.example/user": {"mail": "a@x.example"},
        "https://x.example/roles": ["r1"],
        "resource_access": {"my.app": {"roles": ["r2"]}},
        "team": {"name": "t"},
    });
    check(
        mapping(
            &["missing", "https://x.example/user.mail", "sub"],
            &["team.name"],
            &["https://x.example/roles", "resource_access.my.app.roles"],
            &[],
        ),
        claims.clone(),
        Ok(json!([
            "a@x.example",
            "t",
            ["r1", "r2"],
            [],
            ["mcp:tools", "profile"]
        ])),
    );
    check(
        mapping(&["team"], &[], &[], &[]),
        claims.clone(),
        Err(TokenError::Mapping("user")),
    );
    check(
        mapping(&[], &[], &[], &[]),
        claims,
        Err(TokenError::Mapping("user")),
    );
}
