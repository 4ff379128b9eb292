//! Lists in columns.

use gatehold_engine::Approval as Requirement;
use serde_json::{Value, json};

pub(super) fn strings(items: &[String]) -> String {
    Value::from(items).to_string()
}

pub(super) fn requirements(items: &[Requirement]) -> String {
    let items = items.iter().map(|item| {
        let Requirement {
            roles,
            users,
            within_seconds,
            quorum,
            reason_required,
            self_approval,
        } = item;
        json!({
            "roles": roles,
            "users": users,
            "within_seconds": within_seconds,
            "quorum": quorum,
            "reason_required": reason_required,
            "self_approval": self_approval,
        })
    });
    Value::from_iter(items).to_string()
}

pub(super) fn read_strings(text: &str) -> Result<Vec<String>, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// What can't be read is an error, never something that requires less.
pub(super) fn read_requirements(text: &str) -> Result<Vec<Requirement>, sqlx::Error> {
    let damaged = || sqlx::Error::Decode("the requirements of an approval are damaged".into());
    let items: Vec<Value> =
        serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let read = |item: &Value| {
        let list = |key: &str| -> Option<Vec<String>> {
            let items = item.get(key)?.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Some(Requirement {
            roles: list("roles")?,
            users: list("users")?,
            within_seconds: item.get("within_seconds")?.as_u64()?,
            quorum: u32::try_from(item.get("quorum")?.as_u64()?).ok()?,
            reason_required: item.get("reason_required")?.as_bool()?,
            self_approval: item.get("self_approval")?.as_bool()?,
        })
    };
    items
        .iter()
        .map(read)
        .collect::<Option<_>>()
        .ok_or_else(damaged)
}
