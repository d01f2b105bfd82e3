// SPDX-License-Identifier: GPL-2.0

//! The C headers: of all numbers, and of those that are in command buffers of the driver's users.
//!
//! The constant `regs::RING_HEAD` is the macro `SOFTGPU_REGS_RING_HEAD`, the function
//! `packet::header()` is `softgpu_packet_header()`.

mod function;

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::numbers::{Constant, Doc, Numbers, Topic};

/// Columns that a comment may have, behind what it begins with.
const COMMENT: usize = 77;
/// The column of the values.
const VALUE: usize = 48;
const TAB: usize = 8;

/// The text of the header.
///
/// # Errors
///
/// A function of the crate cannot be said in C.
pub(crate) fn text(numbers: &Numbers) -> Result<String> {
    let mut out = String::from("/* SPDX-License-Identifier: GPL-2.0 OR MIT */\n");
    let mut about = numbers.doc.paragraphs(str::to_owned);
    about.push("Generated from the crate softgpu-abi by \"make generate\".".to_owned());
    comment(&mut out, &about, Shape::Block);
    out.push_str("#ifndef SOFTGPU_H\n#define SOFTGPU_H\n\n#include <linux/types.h>\n");
    for topic in &numbers.topics {
        out.push('\n');
        comment(&mut out, &words(&topic.doc, numbers, topic), Shape::Block);
        out.push('\n');
        for constant in &topic.constants {
            define(&mut out, constant, numbers, topic);
        }
        for function in &topic.functions {
            out.push('\n');
            let doc = Doc::of(&function.attrs)?;
            comment(&mut out, &words(&doc, numbers, topic), Shape::Short);
            out.push_str(&function::text(function, topic)?);
        }
    }
    out.push_str("\n#endif\n");
    Ok(out)
}

/// The text of the header of packets for the driver's users: those that indirect buffers may have.
/// `DRM_RGT_` and `drm_rgt_` take the place of `SOFTGPU_` and `softgpu_`.
///
/// # Errors
///
/// As of [`text()`].
pub(crate) fn packets(numbers: &Numbers) -> Result<String> {
    let packets = numbers.topic(&["packet"]).context("there are packets")?;
    let lengths = numbers.topic(&["packet", "len"]);
    let limits = numbers.topic(&["limits"]).context("there are limits")?;
    let surface = limits.constant("SURFACE_MAX").context("a limit")?;
    let no_name = |path: &str| path.to_owned();
    let ring: Vec<&str> = packets
        .constants
        .iter()
        .filter(|packet| packet.doc.paragraphs(no_name)[0].starts_with("Ring only."))
        .map(|packet| packet.name.as_str())
        .collect();
    let of_ring = |name: &str| {
        let mut names = ring.iter();
        names.any(|ring| name == *ring || name.starts_with(&format!("{ring}_")))
    };

    let mut out = String::new();
    for topic in [Some(packets), lengths].into_iter().flatten() {
        out.push('\n');
        comment(&mut out, &words(&topic.doc, numbers, topic), Shape::Block);
        out.push('\n');
        for constant in &topic.constants {
            if !of_ring(&constant.name) {
                define(&mut out, constant, numbers, topic);
            }
        }
    }
    out.push('\n');
    define(&mut out, surface, numbers, limits);
    for function in &packets.functions {
        out.push('\n');
        let doc = Doc::of(&function.attrs)?;
        comment(&mut out, &words(&doc, numbers, packets), Shape::Short);
        out.push_str(&function::text(function, packets)?);
    }
    let body = out
        .replace("SOFTGPU_", "DRM_RGT_")
        .replace("softgpu_", "drm_rgt_")
        // As uAPI headers have it, for any standard of C.
        .replace("static inline ", "static __inline__ ");

    let mut text =
        String::from("/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */\n");
    let about = [
        "The packets of indirect buffers, see DRM_IOCTL_RGT_CS.".to_owned(),
        "Generated from the crate softgpu-abi by \"make generate\".".to_owned(),
    ];
    comment(&mut text, &about, Shape::Block);
    text.push_str(PACKETS_HEAD);
    text.push_str(&body);
    text.push_str(PACKETS_END);
    Ok(text)
}

const PACKETS_HEAD: &str = "\
#ifndef _UAPI_RUST_GPU_TTM_PACKET_H_
#define _UAPI_RUST_GPU_TTM_PACKET_H_

#include <linux/types.h>

#if defined(__cplusplus)
extern \"C\" {
#endif
";
const PACKETS_END: &str = "
#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_RUST_GPU_TTM_PACKET_H_ */
";

/// How a comment that fits into a line is written.
#[derive(PartialEq, Eq)]
enum Shape {
    /// In a line.
    Short,
    /// In lines of its own.
    Block,
}

/// The macro's name for a constant.
fn macro_name(topic: &Topic, name: &str) -> String {
    format!("SOFTGPU_{}_{name}", topic.path.join("_")).to_uppercase()
}

fn define(out: &mut String, constant: &Constant, numbers: &Numbers, topic: &Topic) {
    comment(out, &words(&constant.doc, numbers, topic), Shape::Short);
    let name = format!("#define {}", macro_name(topic, &constant.name));
    let tabs = VALUE.saturating_sub(name.len()).div_ceil(TAB).max(1);
    let suffix = match (constant.wide, constant.value > u64::from(u32::MAX >> 1)) {
        (true, _) => "ULL",
        (false, true) => "U",
        (false, false) => "",
    };
    out.push_str(&name);
    out.extend(std::iter::repeat_n('\t', tabs));
    out.push_str(&constant.figure());
    out.push_str(suffix);
    out.push('\n');
}

/// The text of a doc comment, with the names that C has.
fn words(doc: &Doc, numbers: &Numbers, topic: &Topic) -> Vec<String> {
    let name = |path: &str| match numbers.linked(topic, path) {
        Some((topic, constant)) => macro_name(topic, &constant.name),
        None => path.trim_start_matches("super::").to_owned(),
    };
    let paragraphs = doc.paragraphs(name).into_iter();
    paragraphs.map(|text| text.replace('`', "")).collect()
}

fn comment(out: &mut String, paragraphs: &[String], shape: Shape) {
    if let [line] = paragraphs
        && shape == Shape::Short
        && line.len() <= COMMENT - "/*  */".len()
    {
        // Writing to a string does not fail.
        let _ = writeln!(out, "/* {line} */");
        return;
    }
    out.push_str("/*\n");
    for (number, paragraph) in paragraphs.iter().enumerate() {
        if number != 0 {
            out.push_str(" *\n");
        }
        for line in textwrap::wrap(paragraph, COMMENT - " * ".len()) {
            let _ = writeln!(out, " * {line}");
        }
    }
    out.push_str(" */\n");
}
