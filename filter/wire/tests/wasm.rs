//! A policy's way over the wire, in WebAssembly: the side that decodes it in production.
#![cfg(target_arch = "wasm32")]

#[cfg(test)]
mod tests {
    use gatehold_engine::{
        BinaryOp, Expr, Literal, PolicySource, Rule, RuleEffect, Subjects, Targets, Var,
    };
    use gatehold_wire::{MAX_EXPR_DEPTH, policy_from_wire, policy_to_wire, push};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn source(when: Expr) -> PolicySource {
        let rule = Rule {
            id: "support/1".to_owned(),
            effect: RuleEffect::Allow,
            subjects: Subjects {
                roles: vec!["support".to_owned()],
                ..Subjects::default()
            },
            targets: Targets {
                tools: vec!["refund".to_owned()],
                ..Targets::default()
            },
            when: Some(when),
        };
        PolicySource {
            server: "crm".to_owned(),
            rules: vec![rule],
            risks: Vec::new(),
        }
    }

    fn over_the_wire(source: &PolicySource) -> Option<PolicySource> {
        let (rules, risks) = policy_to_wire(source).ok()?;
        let server = push::Server {
            name: "crm".to_owned(),
            rules,
            risks,
            ..Default::default()
        };
        let bytes = prost::Message::encode_to_vec(&server);
        let server = <push::Server as prost::Message>::decode(bytes.as_slice()).ok()?;
        policy_from_wire(&server).ok()
    }

    #[wasm_bindgen_test]
    fn a_policy_arrives_as_it_was() {
        let amount = Expr::Select(Box::new(Expr::Var(Var::Args)), "amount".to_owned());
        let hundred = Expr::Literal(Literal::Number(100.into()));
        let sent = source(Expr::Binary(
            BinaryOp::LessOrEqual,
            Box::new(amount),
            Box::new(hundred),
        ));
        assert_eq!(over_the_wire(&sent), Some(sent));
    }

    #[wasm_bindgen_test]
    fn the_stack_bears_the_deepest_condition() {
        let deep = |levels: u32| {
            (1..levels).fold(Expr::Literal(Literal::Bool(true)), |inner, _| {
                Expr::Unary(gatehold_engine::UnaryOp::Not, Box::new(inner))
            })
        };
        assert!(over_the_wire(&source(deep(MAX_EXPR_DEPTH))).is_some());
        assert!(over_the_wire(&source(deep(MAX_EXPR_DEPTH + 1))).is_none());
    }
}
