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
        arguments.push((name.ident.to_string(), &*input.ty));
    }
    let ReturnType::Type(_, result) = &function.sig.output else {
        bail!("no result");
    };
    let [Stmt::Expr(body, None)] = &function.block.stmts[..] else {
        bail!("more than an expression");
    };
    let body = C {
        topic,
        arguments: &arguments,
    }
    .expression(body)?;
    let list = arguments
        .iter()
        .map(|(name, ty)| Ok(format!("{} {name}", c_type(ty)?)));
    Ok(format!(
        "static inline {} softgpu_{}_{}({})\n{{\n\treturn {body};\n}}\n",
        c_type(result)?,
        topic.path.join("_"),
        function.sig.ident,
        list.collect::<Result<Vec<_>>>()?.join(", ")
    ))
}

fn c_type(ty: &Type) -> Result<String> {
    match ty {
        Type::Path(path) if path.path.is_ident("u32") => Ok("__u32".to_owned()),
        Type::Path(path) if path.path.is_ident("u64") => Ok("__u64".to_owned()),
        _ => bail!("a type other than u32 and u64"),
    }
}

/// Where an expression is.
struct C<'a> {
    topic: &'a Topic,
    arguments: &'a [(String, &'a Type)],
}

impl C<'_> {
    fn expression(&self, expr: &Expr) -> Result<String> {
        Ok(match expr {
            Expr::Lit(literal) => match &literal.lit {
                // Digits without the underscores that Rust allows.
                syn::Lit::Int(int) => int.to_string().replace('_', ""),
                _ => bail!("a literal that is not an integer"),
            },
            Expr::Paren(inner) => format!("({})", self.expression(&inner.expr)?),
            Expr::Cast(cast) => format!("({}){}", c_type(&cast.ty)?, self.expression(&cast.expr)?),
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
                    self.expression(&binary.left)?,
                    self.expression(&binary.right)?,
                );
                format!("{left} {operator} {right}")
            }
            Expr::Path(path) => {
                let name = path.path.require_ident()?.to_string();
                match self.topic.constant(&name) {
                    Some(_) => macro_name(self.topic, &name),
                    None => name,
                }
            }
            // Unsigned numbers of C wrap.
            Expr::MethodCall(call) if call.method == "wrapping_mul" => {
                format!(
                    "{} * {}",
                    self.expression(&call.receiver)?,
                    self.expression(&call.args[0])?
                )
            }
            Expr::MethodCall(call) if call.method == "rotate_left" => {
                let receiver = self.expression(&call.receiver)?;
                let by: u32 = self.expression(&call.args[0])?.parse()?;
                let ty = self.arguments.iter().find(|(name, _)| *name == receiver);
                let bits = match ty {
                    Some((_, Type::Path(ty))) if ty.path.is_ident("u64") => u64::BITS,
                    _ => bail!("a rotation of what is no argument of 64 bits"),
                };
                format!("(({receiver} << {by}) | ({receiver} >> {}))", bits - by)
            }
            _ => bail!("an expression that is not understood"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::Numbers;

    fn c(function: &str) -> Result<String> {
        let numbers = Numbers::read(&crate::root().join("hw/abi/src")).unwrap();
        let topic = numbers.topic(&["checksum"]).unwrap();
        text(&syn::parse_str(function).unwrap(), topic)
    }

    #[test]
    fn expressions() {
        assert_eq!(
            c("pub const fn f(a: u64, b: u32) -> u64 { (a.rotate_left(5) ^ b as u64).wrapping_mul(MULTIPLIER) }").unwrap(),
            "static inline __u64 softgpu_checksum_f(__u64 a, __u32 b)\n{\n\
             \treturn (((a << 5) | (a >> 59)) ^ (__u64)b) * SOFTGPU_CHECKSUM_MULTIPLIER;\n}\n"
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
