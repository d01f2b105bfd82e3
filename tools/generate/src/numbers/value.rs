// SPDX-License-Identifier: GPL-2.0

//! The values of constant expressions.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use syn::{BinOp, Expr, ItemConst, Lit};

/// Constants by their paths in the crate.
pub(super) struct Resolver<'a> {
    constants: HashMap<Vec<String>, &'a Expr>,
}

impl<'a> Resolver<'a> {
    /// Knows the constants, given with the paths of their modules.
    pub(super) fn new(constants: impl Iterator<Item = (&'a [String], &'a ItemConst)>) -> Self {
        let paths = constants.map(|(module, constant)| {
            let path = [module, &[constant.ident.to_string()]].concat();
            (path, &*constant.expr)
        });
        Self {
            constants: paths.collect(),
        }
    }

    /// The value of an expression in the module at the path `module`.
    ///
    /// # Errors
    ///
    /// The expression is of a kind that no constant has had so far.
    pub(super) fn value(&self, module: &[String], expr: &Expr) -> Result<u64> {
        let value = |expr| self.value(module, expr);
        match expr {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(int) => Ok(int.base10_parse()?),
                _ => bail!("a literal that is not an integer"),
            },
            Expr::Paren(inner) => value(&inner.expr),
            Expr::Cast(cast) => value(&cast.expr),
            Expr::Binary(binary) => {
                let (left, right) = (value(&binary.left)?, value(&binary.right)?);
                let result = match binary.op {
                    BinOp::Add(_) => left.checked_add(right),
                    BinOp::Sub(_) => left.checked_sub(right),
                    BinOp::Mul(_) => left.checked_mul(right),
                    BinOp::Div(_) => left.checked_div(right),
                    BinOp::Shl(_) => left.checked_shl(right.try_into()?),
                    BinOp::Shr(_) => left.checked_shr(right.try_into()?),
                    BinOp::BitOr(_) => Some(left | right),
                    BinOp::BitAnd(_) => Some(left & right),
                    _ => bail!("an operator that is not understood"),
                };
                result.context("an overflow")
            }
            Expr::Path(path) => {
                let mut at = module.to_vec();
                for segment in &path.path.segments {
                    match segment.ident.to_string().as_str() {
                        "super" => drop(at.pop()),
                        "self" => (),
                        name => at.push(name.to_owned()),
                    }
                }
                let constant = self.constants.get(&at);
                let constant = constant.with_context(|| format!("no {}", at.join("::")))?;
                self.value(&at[..at.len() - 1], constant)
            }
            _ => bail!("an expression that is not understood"),
        }
    }
}
