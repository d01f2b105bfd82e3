// SPDX-License-Identifier: GPL-2.0

//! Functions in C.

use anyhow::{Context, Result, bail};
use syn::{BinOp, Expr, FnArg, ItemFn, Pat, ReturnType, Stmt, Type};

use super::macro_name;
use crate::numbers::Topic;

/// A function of one expression, as an inline function.
///
/// # Errors
///
/// It is more than what is understood here.
pub(super) fn text(function: &ItemFn, topic: &Topic) -> Result<String> {
    let about = || format!("function {}", function.sig.ident);
    translate(function, topic).with_context(about)
}

fn translate(function: &ItemFn, topic: &Topic) -> Result<String> {
    let mut arguments = Vec::new();
    for input in &function.sig.inputs {
        let FnArg::Typed(input) = input else {
            bail!("a method");
        };
        let Pat::Ident(name) = &*input.pat else {
            bail!("an argument that is a pattern");
        };
        arguments.push(format!("{} {}", c_type(&input.ty)?, name.ident));
    }
    let ReturnType::Type(_, result) = &function.sig.output else {
        bail!("no result");
    };
    let [Stmt::Expr(body, None)] = &function.block.stmts[..] else {
        bail!("more than an expression");
    };
    Ok(format!(
        "static inline {} softgpu_{}_{}({})\n{{\n\treturn {};\n}}\n",
        c_type(result)?,
        topic.path.join("_"),
        function.sig.ident,
        arguments.join(", "),
        expression(body, topic)?
    ))
}

fn c_type(ty: &Type) -> Result<String> {
    match ty {
        Type::Path(path) if path.path.is_ident("u32") => Ok("__u32".to_owned()),
        Type::Path(path) if path.path.is_ident("u64") => Ok("__u64".to_owned()),
        _ => bail!("a type other than u32 and u64"),
    }
}

/// An expression of a module's.
fn expression(expr: &Expr, topic: &Topic) -> Result<String> {
    Ok(match expr {
        Expr::Lit(literal) => match &literal.lit {
            // Digits without the underscores that Rust allows.
            syn::Lit::Int(int) => int.to_string().replace('_', ""),
            _ => bail!("a literal that is not an integer"),
        },
        Expr::Paren(inner) => format!("({})", expression(&inner.expr, topic)?),
        Expr::Cast(cast) => format!("({}){}", c_type(&cast.ty)?, expression(&cast.expr, topic)?),
        Expr::Binary(binary) => {
            let operator = match binary.op {
                BinOp::Add(_) => "+",
                BinOp::Mul(_) => "*",
                BinOp::Div(_) => "/",
                BinOp::Rem(_) => "%",
                BinOp::Shl(_) => "<<",
                BinOp::BitAnd(_) => "&",
                BinOp::BitOr(_) => "|",
                BinOp::BitXor(_) => "^",
                _ => bail!("an operator that is not understood"),
            };
            let (left, right) = (
                expression(&binary.left, topic)?,
                expression(&binary.right, topic)?,
            );
            format!("{left} {operator} {right}")
        }
        Expr::Path(path) => {
            let name = path.path.require_ident()?.to_string();
            match topic.constant(&name) {
                Some(_) => macro_name(topic, &name),
                None => name,
            }
        }
        _ => bail!("an expression that is not understood"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::Numbers;

    fn c(function: &str) -> Result<String> {
        let numbers = Numbers::read(&crate::root().join("hw/abi/src")).unwrap();
        let topic = numbers.topic(&["packet"]).unwrap();
        text(&syn::parse_str(function).unwrap(), topic)
    }

    #[test]
    fn expressions() {
        assert_eq!(
            c("pub const fn f(a: u64, b: u32) -> u64 { (a << 5 ^ b as u64) * FENCE_IRQ }").unwrap(),
            "static inline __u64 softgpu_packet_f(__u64 a, __u32 b)\n{\n\
             \treturn (a << 5 ^ (__u64)b) * SOFTGPU_PACKET_FENCE_IRQ;\n}\n"
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for function in [
            "fn f(a: u64) -> u64 { a - 1 }",
            "fn f(a: u64) -> u64 { a.swap_bytes() }",
            "fn f(a: u16) -> u64 { 1 }",
            "fn f(a: u64) -> u64 { let b = a; b }",
        ] {
            assert!(c(function).is_err(), "{function}");
        }
    }
}
