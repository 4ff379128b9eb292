//! What conditions compile to, and which are refused.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;

use expect_test::{Expect, expect};
use gatehold_documents::{Problems, load};
use gatehold_engine::{Expr, Literal};
use serde_json::Number;

const SERVER: &str = "
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec: { issuer: https://idp.example.com }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec: { path: /crm, resource: https://gw.example.com/crm, issuers: [corp] }
---
";

fn compile(selector: &str, when: &str) -> Result<Expr, Problems> {
    let when = serde_json::to_string(when).unwrap();
    let policy = format!(
        "{SERVER}apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec: {{ rules: [{{ allow: {{ server: crm, {selector}: x, when: {when} }} }}] }}\n"
    );
    let documents = load(&[(PathBuf::from("p.yaml"), policy)])?;
    let rule = documents.servers[0].policy.rules[0].clone();
    Ok(rule.when.unwrap())
}

/// The expression in prefix form.
fn show(expr: &Expr) -> String {
    let all = |name: &str, parts: Vec<&Expr>| {
        let parts: Vec<_> = parts.into_iter().map(show).collect();
        format!("({name} {})", parts.join(" "))
    };
    match expr {
        Expr::Literal(Literal::Null) => "null".to_owned(),
        Expr::Literal(Literal::Bool(bool)) => bool.to_string(),
        Expr::Literal(Literal::Number(number)) => number.to_string(),
        Expr::Literal(Literal::String(text)) => format!("{text:?}"),
        Expr::Var(var) => format!("{var:?}"),
        Expr::Bound(index) => format!("${index}"),
        Expr::Select(operand, field) => format!("{}.{field}", show(operand)),
        Expr::Has(operand, field) => format!("{}.{field}?", show(operand)),
        Expr::Index(left, right) => format!("{}[{}]", show(left), show(right)),
        Expr::Unary(op, operand) => all(&format!("{op:?}"), vec![operand]),
        Expr::Binary(op, left, right) => all(&format!("{op:?}"), vec![left, right]),
        Expr::And(left, right) => all("And", vec![left, right]),
        Expr::Or(left, right) => all("Or", vec![left, right]),
        Expr::Conditional(condition, then, otherwise) => {
            all("If", vec![condition, then, otherwise])
        }
        Expr::List(items) => all("List", items.iter().collect()),
        Expr::Map(entries) => all(
            "Map",
            entries
                .iter()
                .flat_map(|(key, value)| [key, value])
                .collect(),
        ),
        Expr::Call(function, arguments) => {
            all(&format!("{function:?}"), arguments.iter().collect())
        }
        Expr::Comprehension(macro_) => {
            let parts = [
                Some(&macro_.range),
                macro_.predicate.as_ref(),
                macro_.transform.as_ref(),
            ];
            all(
                &format!("{:?}", macro_.kind),
                parts.into_iter().flatten().collect(),
            )
        }
    }
}

fn table(conditions: &[&str]) -> String {
    let mut table = String::new();
    for condition in conditions {
        let outcome = match compile("tools", condition) {
            Ok(expr) => show(&expr),
            Err(problems) => {
                let problem = &problems.list[0];
                // Where the condition begins, behind its quote; 0 is the quote.
                let begin =
                    "spec: { rules: [{ allow: { server: crm, tools: x, when: \"".len() as i64 + 1;
                let column = i64::from(problem.location.column) - begin + 1;
                let help = problem.help.as_deref().map(|help| format!(" | {help}"));
                format!("{column}: {}{}", problem.message, help.unwrap_or_default())
            }
        };
        table.push_str(&format!("{condition}\n    {outcome}\n"));
    }
    table
}

#[track_caller]
fn check(conditions: &[&str], expected: Expect) {
    expected.assert_eq(&table(conditions));
}

#[test]
fn compiled() {
    check(
        &[
            "args.amount <= 100.0",
            "args.a == -1 && !args.b || args['c'][0] == null",
            "user.id == 'ada' && 'support' in user.roles && agent.id != \"\"",
            "has(args.to) && args.to.endsWith('@example.com')",
            "has(user.claims.tenant) ? user.claims.tenant == args.tenant : false",
            "size(args.list) + args.list.size() * 2 - 1 > 3 / 2 % 2",
            "args.text.matches('^[a-z]+$') && matches(args.text, 'x')",
            "args.name.lowerAscii().trim().upperAscii().contains('X')",
            "int(args.n) == 1 && double(args.n) < 2.5 && string(args.n) == '1'",
            "type(args.x) == string || int == type(args.y) || type(args.z) in ['list', 'map']",
            "args.k in {'a': 1, 'b': [1, 2]}",
            "tool.name.startsWith('get_') && 'read' in tool.risk && server.name == 'crm'",
            "args.flag",
            "args.x > args.y + 1.5",
            "true",
            "findings.flagged || findings.score > 0.8 && !('card' in findings.secrets)",
            "findings.features.exists(f, f.startsWith('exfiltration.'))",
        ],
        expect![[r#"
            args.amount <= 100.0
                (LessOrEqual Args.amount 100.0)
            args.a == -1 && !args.b || args['c'][0] == null
                (Or (And (Equal Args.a -1) (Not Args.b)) (Equal Args["c"][0] null))
            user.id == 'ada' && 'support' in user.roles && agent.id != ""
                (And (And (Equal User.id "ada") (In "support" User.roles)) (NotEqual Agent.id ""))
            has(args.to) && args.to.endsWith('@example.com')
                (And Args.to? (EndsWith Args.to "@example.com"))
            has(user.claims.tenant) ? user.claims.tenant == args.tenant : false
                (If User.claims.tenant? (Equal User.claims.tenant Args.tenant) false)
            size(args.list) + args.list.size() * 2 - 1 > 3 / 2 % 2
                (Greater (Subtract (Add (Size Args.list) (Multiply (Size Args.list) 2)) 1) (Remainder (Divide 3 2) 2))
            args.text.matches('^[a-z]+$') && matches(args.text, 'x')
                (And (Matches Args.text "^[a-z]+$") (Matches Args.text "x"))
            args.name.lowerAscii().trim().upperAscii().contains('X')
                (Contains (UpperAscii (Trim (LowerAscii Args.name))) "X")
            int(args.n) == 1 && double(args.n) < 2.5 && string(args.n) == '1'
                (And (And (Equal (Int Args.n) 1) (Less (Double Args.n) 2.5)) (Equal (String Args.n) "1"))
            type(args.x) == string || int == type(args.y) || type(args.z) in ['list', 'map']
                (Or (Or (Equal (Type Args.x) "string") (Equal "int" (Type Args.y))) (In (Type Args.z) (List "list" "map")))
            args.k in {'a': 1, 'b': [1, 2]}
                (In Args.k (Map "a" 1 "b" (List 1 2)))
            tool.name.startsWith('get_') && 'read' in tool.risk && server.name == 'crm'
                (And (And (StartsWith Tool.name "get_") (In "read" Tool.risk)) (Equal Server.name "crm"))
            args.flag
                Args.flag
            args.x > args.y + 1.5
                (Greater Args.x (Add Args.y 1.5))
            true
                true
            findings.flagged || findings.score > 0.8 && !('card' in findings.secrets)
                (Or Findings.flagged (And (Greater Findings.score 0.8) (Not (In "card" Findings.secrets))))
            findings.features.exists(f, f.startsWith('exfiltration.'))
                (Exists Findings.features (StartsWith $0 "exfiltration."))
        "#]],
    );
}

#[test]
fn macros() {
    check(
        &[
            "args.to.all(t, t.endsWith('@x.example'))",
            "args.to.exists(t, t == user.id)",
            "args.to.exists_one(t, t == 1)",
            "args.to.filter(t, t > 1).size() == 2",
            "args.to.map(t, t + 1) == [2, 3]",
            "args.to.map(t, t > 0, t * 2) == [2]",
            "args.to.map(t, t > 0, t) == [2]",
            "args.rows.all(r, r.all(c, c != r[0] && args.c == c))",
            "args.a.exists(x, args.b.exists(x, x == 1) && x == 2)",
            "args.a.all(user, user == 1)",
            "[1, 2].exists(x, x == args.x) && {'a': 1}.all(k, k == 'a')",
            "user.roles.exists(r, r.startsWith('admin'))",
        ],
        expect![[r#"
            args.to.all(t, t.endsWith('@x.example'))
                (All Args.to (EndsWith $0 "@x.example"))
            args.to.exists(t, t == user.id)
                (Exists Args.to (Equal $0 User.id))
            args.to.exists_one(t, t == 1)
                (ExistsOne Args.to (Equal $0 1))
            args.to.filter(t, t > 1).size() == 2
                (Equal (Size (Filter Args.to (Greater $0 1))) 2)
            args.to.map(t, t + 1) == [2, 3]
                (Equal (Map Args.to (Add $0 1)) (List 2 3))
            args.to.map(t, t > 0, t * 2) == [2]
                (Equal (Map Args.to (Greater $0 0) (Multiply $0 2)) (List 2))
            args.to.map(t, t > 0, t) == [2]
                (Equal (Filter Args.to (Greater $0 0)) (List 2))
            args.rows.all(r, r.all(c, c != r[0] && args.c == c))
                (All Args.rows (All $0 (And (NotEqual $0 $1[0]) (Equal Args.c $0))))
            args.a.exists(x, args.b.exists(x, x == 1) && x == 2)
                (Exists Args.a (And (Exists Args.b (Equal $0 1)) (Equal $0 2)))
            args.a.all(user, user == 1)
                (All Args.a (Equal $0 1))
            [1, 2].exists(x, x == args.x) && {'a': 1}.all(k, k == 'a')
                (And (Exists (List 1 2) (Equal $0 Args.x)) (All (Map "a" 1) (Equal $0 "a")))
            user.roles.exists(r, r.startsWith('admin'))
                (Exists User.roles (StartsWith $0 "admin"))
        "#]],
    );
}

#[test]
fn refused() {
    check(
        &[
            "args.amount <= \"x\" + 1",
            "args.text.matches('(')",
            "args.text.matches(args.pattern)",
            "args.text.matches('(?<=a)b')",
            "size(args.x)",
            "'yes'",
            "args",
            "user",
            "user.name == 'x'",
            "user.id.x == 1",
            "usr.id == 'x'",
            "findings.score == 'x'",
            "findings.excerpt == 'x'",
            "findings.flagged > 1",
            "resource.uri == 'x'",
            "prompt.name == 'x'",
            "args.x.startWith('a')",
            "args.x.startsWith()",
            "startsWith(args.x, 'a')",
            "args.x.int() == 1",
            "size(args.x, 1) == 1",
            "args.x.exists(1)",
            "exists(args.x, y, y)",
            "args.x.all(x, x + 1)",
            "user.id.all(x, x == 1)",
            "user.id == 1",
            "user.roles == 'support'",
            "user.id in 'abc'",
            "1 in user.roles",
            "user.roles > 1",
            "-user.id == 1",
            "!user.id",
            "user.id && true",
            "user.id ? true : false",
            "user.roles['x'] == 'y'",
            "user.id[0] == 'a'",
            "1u == args.x",
            "b'ab' == args.x",
            "timestamp('2020-01-01T00:00:00Z') > args.x",
            "google.protobuf.Duration{seconds: 1} == args.x",
            "args.x == 1e999",
            "args.x == 99999999999999999999",
            "string == args.x",
            "args.x = 1",
            "args.x == 1 and args.y == 2",
            "args.x ==",
            "args.x == 'abc",
            "args.?x == 1",
            "{1.5: 2}.x == 1 && {[1]: 2} == args.x",
            "",
            "// only a comment",
        ],
        expect![[r#"
            args.amount <= "x" + 1
                22: `when`: `+` does not take a string and a number | convert one side with `int()`, `double()` or `string()`
            args.text.matches('(')
                19: `when`: the pattern of `matches` is no regular expression: found open group without closing ')' | use the syntax of RE2, without look-around, back-references and Unicode classes
            args.text.matches(args.pattern)
                24: `when`: the pattern of `matches` is computed | write the pattern as a string; or use `contains`, `startsWith` or `endsWith`
            args.text.matches('(?<=a)b')
                19: `when`: the pattern of `matches` is no regular expression: look-around is not supported | use the syntax of RE2, without look-around, back-references and Unicode classes
            size(args.x)
                1: `when`: the condition is a number, not a boolean | compare it with something, so that it is true or false
            'yes'
                1: `when`: the condition is a string, not a boolean | compare it with something, so that it is true or false
            args
                1: `when`: the condition is a map, not a boolean | compare it with something, so that it is true or false
            user
                1: `when`: the variable can only be used by its fields | add one of `id`, `roles`, `groups`, `claims` after a dot
            user.name == 'x'
                6: `when`: there is no field `name` | use one of `id`, `roles`, `groups`, `claims`
            user.id.x == 1
                9: `when`: a string has no fields, so no `x`
            usr.id == 'x'
                1: `when`: there is no variable `usr` | did you mean `user`?
            findings.score == 'x'
                16: `when`: `==` compares a number with a string, which are never equal | convert one side with `int()`, `double()` or `string()`
            findings.excerpt == 'x'
                10: `when`: there is no field `excerpt` | use one of `score`, `flagged`, `features`, `secrets`
            findings.flagged > 1
                18: `when`: `>` does not take a boolean and a number
            resource.uri == 'x'
                1: `when`: `resource` has no meaning in a rule without `resources` | add `resources` to the rule, or remove it from the condition
            prompt.name == 'x'
                1: `when`: `prompt` has no meaning in a rule without `prompts` | add `prompts` to the rule, or remove it from the condition
            args.x.startWith('a')
                8: `when`: there is no function `startWith` | did you mean `startsWith`?
            args.x.startsWith()
                8: `when`: `startsWith` takes 1 argument, found 0
            startsWith(args.x, 'a')
                1: `when`: `startsWith` is not called like this | write `x.startsWith(y)`
            args.x.int() == 1
                8: `when`: `int` is not called like this | write `int(x)`
            size(args.x, 1) == 1
                1: `when`: `size` takes 1 argument, found 2
            args.x.exists(1)
                8: `when`: `exists` is not called like this | write it after a list, with a variable and a condition: `args.to.all(x, x != "")`
            exists(args.x, y, y)
                1: `when`: `exists` is not called like this | write it after a list, with a variable and a condition: `args.to.all(x, x != "")`
            args.x.all(x, x + 1)
                17: `when`: the macro's condition is a number, not a boolean | compare it with something
            user.id.all(x, x == 1)
                6: `when`: a string has no entries to go through | use a list, or a map for its keys
            user.id == 1
                9: `when`: `==` compares a string with a number, which are never equal | convert one side with `int()`, `double()` or `string()`
            user.roles == 'support'
                12: `when`: `==` compares a list with a string, which are never equal
            user.id in 'abc'
                9: `when`: `in` does not take a string and a string
            1 in user.roles
                3: `when`: `in` does not take a number and a list
            user.roles > 1
                12: `when`: `>` does not take a list and a number
            -user.id == 1
                1: `when`: a string cannot be negated
            !user.id
                7: `when`: what stands after `!` is a string, not a boolean | compare it with something
            user.id && true
                6: `when`: what stands before `&&` is a string, not a boolean | compare it with something
            user.id ? true : false
                6: `when`: what stands before `?` is a string, not a boolean | compare it with something
            user.roles['x'] == 'y'
                7: `when`: the index is a string, expected a number
            user.id[0] == 'a'
                8: `when`: a string has no entries
            1u == args.x
                1: `when`: unsigned literals cannot be used in conditions | write the number without `u`
            b'ab' == args.x
                1: `when`: bytes cannot be used in conditions | write a string, without `b` before the quote
            timestamp('2020-01-01T00:00:00Z') > args.x
                1: `when`: there is no function `timestamp` | use one of `size`, `startsWith`, `endsWith`, `contains`, `matches`, `lowerAscii`, `upperAscii`, `trim`, `int`, `double`, `string`, `type` and 6 more
            google.protobuf.Duration{seconds: 1} == args.x
                0: `when`: messages cannot be used in conditions | compare fields, or write a map: `{"a": 1}`
            args.x == 1e999
                11: `when`: not a CEL expression: invalid double literal
            args.x == 99999999999999999999
                11: `when`: not a CEL expression: invalid int literal
            string == args.x
                1: `when`: there is no variable `string` | types can only be compared: `type(args.x) == string`
            args.x = 1
                8: `when`: not a CEL expression: found `=`, expected the end | write `==` to compare
            args.x == 1 and args.y == 2
                13: `when`: not a CEL expression: found `and`, expected the end | write `&&` for and
            args.x ==
                10: `when`: not a CEL expression: found the end, expected expression
            args.x == 'abc
                11: `when`: not a CEL expression: unterminated string literal
            args.?x == 1
                5: `when`: not a CEL expression: unsupported syntax `.?`
            {1.5: 2}.x == 1 && {[1]: 2} == args.x
                0: `when`: a key cannot be a list | write a string

                1: `when`: not a CEL expression: found the end, expected expression
            // only a comment
                18: `when`: not a CEL expression: found the end, expected expression
        "#]],
    );
}

#[test]
fn variables_fit_the_selector() {
    let ok = |selector: &str, when: &str| compile(selector, when).is_ok();
    assert!(ok("tools", "tool.name == 'x'"));
    assert!(ok("risk", "tool.name == 'x'") || ok("tools", "'x' in tool.risk"));
    assert!(ok("resources", "resource.uri == 'x'"));
    assert!(ok("prompts", "prompt.name == 'x'"));
    assert!(ok("methods", "server.name == 'x'"));
    assert!(!ok("resources", "tool.name == 'x'"));
    assert!(!ok("tools", "resource.uri == 'x'"));
    assert!(!ok("methods", "prompt.name == 'x'"));
}

#[test]
fn large_and_deep_conditions_are_refused() {
    let refused = |when: &str| {
        let problems = compile("tools", when).unwrap_err();
        problems.list[0].message.clone()
    };
    let nested = |open: &str, close: &str| format!("{}true{}", open.repeat(300), close.repeat(300));
    contains(&refused(&"a".repeat(5000)), "longer than 2048");
    contains(&refused(&nested("(", ")")), "nested more than 24");
    contains(&refused(&nested("[", "]")), "nested more than 24");
    contains(&refused(&"true ? ".repeat(200)), "nested more than 24");
    contains(&refused(&vec!["1"; 1000].join("+")), "nested more than 32");
    contains(
        &refused(&format!("args{}", ".a".repeat(900))),
        "nested more than 32",
    );
    contains(
        &refused(&format!("args{}", "[0]".repeat(600))),
        "nested more than 32",
    );
    contains(
        &refused(&format!("{}args.x", "!-".repeat(900))),
        "nested more than 32",
    );
    // Chains of `&&` are balanced by the parser.
    assert!(compile("tools", &vec!["args.x == 1"; 100].join(" && ")).is_ok());
}

#[track_caller]
fn contains(message: &str, part: &str) {
    assert!(message.contains(part), "{message}");
}

#[test]
fn numbers_keep_their_kind() {
    let literal = |when: &str| match compile("tools", when).unwrap() {
        Expr::Binary(_, _, right) => *right,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        literal("args.x == 1"),
        Expr::Literal(Literal::Number(Number::from(1)))
    );
    let double = Number::from_f64(1.0).unwrap();
    assert_eq!(
        literal("args.x == 1.0"),
        Expr::Literal(Literal::Number(double))
    );
}
