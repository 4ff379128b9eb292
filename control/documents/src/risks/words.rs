//! What the words of a tool's name tell.

const READ: &[&str] = &[
    "browse",
    "check",
    "count",
    "describe",
    "diff",
    "export",
    "fetch",
    "find",
    "get",
    "head",
    "inspect",
    "list",
    "lookup",
    "peek",
    "preview",
    "query",
    "read",
    "retrieve",
    "search",
    "show",
    "stat",
    "status",
    "summarize",
    "tail",
    "validate",
    "view",
];

const WRITE: &[&str] = &[
    "add",
    "append",
    "apply",
    "approve",
    "archive",
    "assign",
    "attach",
    "change",
    "close",
    "commit",
    "configure",
    "copy",
    "create",
    "edit",
    "enable",
    "execute",
    "grant",
    "import",
    "insert",
    "install",
    "label",
    "link",
    "lock",
    "make",
    "mark",
    "merge",
    "modify",
    "move",
    "new",
    "patch",
    "put",
    "rename",
    "reopen",
    "replace",
    "restart",
    "restore",
    "resume",
    "run",
    "save",
    "schedule",
    "set",
    "start",
    "store",
    "submit",
    "sync",
    "toggle",
    "trigger",
    "unlock",
    "update",
    "upload",
    "upsert",
    "write",
];

const DESTRUCTIVE: &[&str] = &[
    "abort",
    "ban",
    "cancel",
    "clear",
    "deactivate",
    "decommission",
    "delete",
    "deprovision",
    "destroy",
    "detach",
    "disable",
    "discard",
    "drop",
    "erase",
    "evict",
    "expire",
    "flush",
    "force",
    "kill",
    "overwrite",
    "prune",
    "purge",
    "remove",
    "reset",
    "revert",
    "revoke",
    "rm",
    "rollback",
    "shutdown",
    "stop",
    "suspend",
    "terminate",
    "truncate",
    "uninstall",
    "unpublish",
    "wipe",
];

const EXTERNAL: &[&str] = &[
    "announce",
    "broadcast",
    "call",
    "comment",
    "crawl",
    "deploy",
    "email",
    "forward",
    "http",
    "invite",
    "mail",
    "message",
    "notify",
    "post",
    "publish",
    "push",
    "reply",
    "send",
    "share",
    "sms",
    "tweet",
    "url",
    "web",
    "webhook",
];

const FINANCIAL: &[&str] = &[
    "bill",
    "billing",
    "buy",
    "charge",
    "checkout",
    "credit",
    "debit",
    "deposit",
    "discount",
    "donate",
    "invoice",
    "order",
    "pay",
    "payment",
    "payout",
    "payroll",
    "price",
    "purchase",
    "refund",
    "reimburse",
    "salary",
    "sell",
    "trade",
    "transfer",
    "wire",
    "withdraw",
];

/// The class that a word speaks for.
pub(super) fn class_of(word: &str) -> Option<&'static str> {
    let lists = [
        ("read", READ),
        ("write", WRITE),
        ("destructive", DESTRUCTIVE),
        ("external", EXTERNAL),
        ("financial", FINANCIAL),
    ];
    let known = |list: &[&str]| list.contains(&word);
    lists
        .iter()
        .find(|(_, list)| known(list))
        .map(|(class, _)| *class)
}

/// The words of a name, in lower case: `getHTTPStatus`, `get-http.status` and `get_http_status` have the same.
/// What follows a verb that only reads is what it reads, and tells nothing more.
pub(super) fn in_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let characters: Vec<char> = name.chars().take(256).collect();
    let mut before: Option<char> = None;
    for (index, character) in characters.iter().enumerate() {
        let next_is_lower = characters
            .get(index.saturating_add(1))
            .is_some_and(|next| next.is_lowercase());
        let begins = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && next_is_lower)
            });
        if (!character.is_alphanumeric() || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        before = Some(*character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    let first_is_read = words
        .first()
        .is_some_and(|first| class_of(first) == Some("read"));
    let joins = ["and", "or", "then"];
    if first_is_read && !words.iter().any(|word| joins.contains(&word.as_str())) {
        // `get_invoice` reads; `find_and_delete` and `list_delete` do not.
        words = words
            .into_iter()
            .enumerate()
            .filter(|(index, word)| *index == 0 || class_of(word) == Some("destructive"))
            .map(|(_, word)| word)
            .collect();
    }
    words
}
