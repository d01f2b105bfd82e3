// SPDX-License-Identifier: GPL-2.0

//! Paths in the tokens of macros, which are not parsed.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::PathUse;

/// Returns the paths among the tokens that a macro is given.
pub(super) fn paths(tokens: &TokenStream) -> Vec<PathUse> {
    let mut found = Vec::new();
    walk(tokens, &[], &mut found);
    found
}

/// Returns the paths from `$crate` on in the definition of a macro.
pub(super) fn of_definition(tokens: &TokenStream) -> Vec<PathUse> {
    let mut found = paths(tokens);
    found.retain(|found| found.path[0] == "crate");
    found
}

/// Adds the paths of `tokens`, which follow those of `prefix` in the braces of a `use`.
fn walk(tokens: &TokenStream, prefix: &[String], found: &mut Vec<PathUse>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let TokenTree::Ident(first) = &tokens[at] else {
            if let TokenTree::Group(group) = &tokens[at] {
                walk(&group.stream(), &[], found);
            }
            at += 1;
            continue;
        };
        let before = &tokens[..at];
        let mut path = prefix.to_vec();
        path.push(first.to_string());
        let line = first.span().start().line;
        at += 1;
        let mut group = None;
        while is_separator(&tokens[at..]) {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Brace => {
                    group = Some(list);
                }
                _ => break,
            }
            at += 3;
        }
        // Not a field or a method, the rest of a path of other tokens, or a macro's variable.
        let metavariable = is_punct(before.last(), '$') && path[0] != "crate";
        if is_member(before) || is_separator(tail(before, 2)) || metavariable {
            continue;
        }
        if let Some(list) = group {
            walk(&list.stream(), &path, found);
            continue;
        }
        let called = match tokens.get(at) {
            Some(TokenTree::Group(arguments)) => arguments.delimiter() == Delimiter::Parenthesis,
            token => is_punct(token, '!'),
        };
        found.push(PathUse { path, called, line });
    }
}

fn tail(tokens: &[TokenTree], length: usize) -> &[TokenTree] {
    &tokens[tokens.len().saturating_sub(length)..]
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

/// Tells whether tokens begin with `::`.
fn is_separator(tokens: &[TokenTree]) -> bool {
    is_punct(tokens.first(), ':') && is_punct(tokens.get(1), ':')
}

/// Tells whether tokens end with a single `.`, which a range does not.
fn is_member(tokens: &[TokenTree]) -> bool {
    let last = tail(tokens, 2);
    is_punct(last.last(), '.') && !(last.len() == 2 && is_punct(last.first(), '.'))
}
