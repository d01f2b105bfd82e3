// SPDX-License-Identifier: GPL-2.0

//! The comparison of the descriptions with the headers, by the list of the uAPI's layouts and the
//! constants for syzkaller, which follow from the headers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use super::syzlang::{Call, Descriptions, Layout, Place, Type};
use super::words;
use crate::{CONSTANTS, DESCRIPTIONS, LAYOUT, PACKETS, layout, read, root};

/// The beginning of the names of ioctls.
const IOCTL: &str = "DRM_IOCTL_RGT_";
/// The beginning of the names of other constants.
const CONSTANT: &str = "DRM_RGT_";
/// The beginning of the names of structures.
const STRUCT: &str = "drm_rgt_";

/// The uAPI's header, by the list of its layouts.
struct Header {
    structs: BTreeMap<String, Layout>,
    constants: BTreeMap<String, u64>,
}

impl Header {
    fn parse(list: &str) -> Result<Self> {
        let mut structs = BTreeMap::<_, Layout>::new();
        let mut constants = BTreeMap::new();
        let mut of = "";
        for line in list.lines() {
            if let Some(constant) = layout::constant(line) {
                constants.extend([constant]);
                continue;
            }
            let words = line.split([' ', ':', ',', '\t']);
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            match words[..] {
                ["struct", name, size, "bytes"] => {
                    of = name;
                    structs.entry(of.to_owned()).or_default().size = size.parse()?;
                }
                [name, "at", offset, size, "bytes"] => {
                    let fields = &mut structs.entry(of.to_owned()).or_default().fields;
                    fields.push(Place {
                        name: name.to_owned(),
                        offset: offset.parse()?,
                        size: size.parse()?,
                    });
                }
                _ => bail!("{line:?} in the list"),
            }
        }
        Ok(Self { structs, constants })
    }

    /// The ioctls, and their names without what all begin with.
    fn ioctls(&self) -> impl Iterator<Item = (&str, u64)> {
        self.constants
            .iter()
            .filter_map(|(name, &value)| Some((name.strip_prefix(IOCTL)?, value)))
    }

    /// The constants without ioctls, and without the numbers that these are made of.
    fn constants(&self) -> impl Iterator<Item = &str> {
        let ioctls: BTreeSet<_> = self.ioctls().map(|(name, _)| name).collect();
        let names = self.constants.keys().map(String::as_str);
        names.filter(move |name| {
            name.strip_prefix(CONSTANT)
                .is_some_and(|name| !ioctls.contains(name))
        })
    }
}

/// The name of a type without what tells the descriptions of one structure apart.
fn base(of: &Type) -> &str {
    of.name.split('$').next().unwrap_or(&of.name)
}

/// The constant by which a call is an ioctl of the driver, without what all begin with.
fn ioctl(call: &Call) -> Option<&str> {
    let cmd = call.args.iter().find(|arg| arg.name == "cmd")?;
    cmd.of.args.first()?.name.strip_prefix(IOCTL)
}

/// The differences between descriptions and the header.
fn differences([descriptions, list, packets, constants]: &[String; 4]) -> Result<Vec<String>> {
    let header = Header::parse(list)?;
    let constants = constants.lines().filter_map(layout::constant).collect();
    let parsed = Descriptions::parse(descriptions).context(DESCRIPTIONS)?;
    let used = parsed.used()?;
    let unused = parsed.unused(&used);
    let mut found: Vec<_> = unused.map(|name| format!("{name} is not used")).collect();
    let used = used.types;
    of_ioctls(&parsed, &header, &mut found);
    of_structs(&parsed, &used, &header, &mut found)?;
    let named = words(descriptions);
    of_constants(&named, &header, &constants, &mut found);
    let missing = opcodes(packets).filter(|name| !named.contains(name));
    found.extend(missing.map(|name| format!("{name} is not described")));
    of_arrays(&parsed, &used, &mut found)?;
    of_packets(&parsed, &used, &constants, &mut found)?;
    Ok(found)
}

/// Each ioctl has a call, which has its name, structure and direction.
fn of_ioctls(parsed: &Descriptions, header: &Header, found: &mut Vec<String>) {
    let numbers: BTreeMap<_, _> = header.ioctls().collect();
    let mut described = BTreeSet::new();
    for call in &parsed.calls {
        let Some(name) = ioctl(call) else { continue };
        let Some(number) = numbers.get(name) else {
            found.push(format!("{}: no such ioctl", call.name));
            continue;
        };
        described.insert(name);
        let rest = call.name.strip_prefix(&format!("ioctl${IOCTL}{name}"));
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_')) {
            found.push(format!("{}: it is the ioctl {name}", call.name));
        }
        // The direction is in bits 31:30: the kernel reads, or reads and writes.
        let direction = match number >> 30 {
            1 => "in",
            3 => "inout",
            _ => "neither",
        };
        let arg = call.args.last().map(|arg| &arg.of.args[..]);
        let is = arg.is_some_and(|arg| match arg {
            [points, to] => {
                points.name == direction
                    && base(to) == format!("{STRUCT}{}", name.to_ascii_lowercase())
            }
            _ => false,
        });
        if !is {
            found.push(format!("{}: not {direction} of its structure", call.name));
        }
    }
    for name in numbers.keys().filter(|name| !described.contains(*name)) {
        found.push(format!("{IOCTL}{name} is not described"));
    }
}

/// Each structure is described, by descriptions that have its fields.
fn of_structs(
    parsed: &Descriptions,
    used: &BTreeSet<Type>,
    header: &Header,
    found: &mut Vec<String>,
) -> Result<()> {
    let mut described = BTreeSet::new();
    for of in used.iter().filter(|of| of.name.starts_with(STRUCT)) {
        let Some(layout) = header.structs.get(base(of)) else {
            found.push(format!("{}: no such structure", of.name));
            continue;
        };
        described.insert(base(of));
        let is = parsed.layout(of).with_context(|| of.name.clone())?;
        for index in 0..is.fields.len().max(layout.fields.len()) {
            let (is, should) = (is.fields.get(index), layout.fields.get(index));
            if is != should {
                let [is, should] = [is, should].map(place);
                found.push(format!("{}: {is}, and in the header {should}", of.name));
            }
        }
        if is.size != layout.size {
            let (is, should) = (is.size, layout.size);
            found.push(format!(
                "{}: {is} bytes, and in the header {should}",
                of.name
            ));
        }
    }
    let missing = header.structs.keys();
    for name in missing.filter(|name| !described.contains(name.as_str())) {
        found.push(format!("struct {name} is not described"));
    }
    Ok(())
}

/// A field and its place, in words.
fn place(field: Option<&Place>) -> String {
    match field {
        Some(Place { name, offset, size }) => format!("{name} at {offset}, {size} bytes"),
        None => "no field".to_owned(),
    }
}

/// Each constant of the header is described, and all that is described is in a header and has its
/// value.
fn of_constants(
    named: &BTreeSet<&str>,
    header: &Header,
    constants: &BTreeMap<String, u64>,
    found: &mut Vec<String>,
) {
    for name in header.constants().filter(|name| !named.contains(name)) {
        found.push(format!("{name} is not described"));
    }
    for name in named {
        let of_headers = name.starts_with(IOCTL) || name.starts_with(CONSTANT);
        if of_headers && !constants.contains_key(*name) {
            found.push(format!("{name}: no such constant"));
        }
    }
    for (name, value) in constants {
        if header.constants.get(name).is_some_and(|is| is != value) {
            found.push(format!("{name} is not {value}"));
        }
    }
}

/// The stride of each array is the size of its entries.
fn of_arrays(parsed: &Descriptions, used: &BTreeSet<Type>, found: &mut Vec<String>) -> Result<()> {
    for of in used.iter().filter(|of| of.name == "drm_rgt_array") {
        let [entry, stride] = &of.args[..] else {
            found.push(format!("{of:?}: not an entry and a stride"));
            continue;
        };
        let size = parsed.layout(entry)?.size;
        if stride.name != size.to_string() {
            found.push(format!("{} has {size} bytes", entry.name));
        }
    }
    Ok(())
}

/// The length of each packet is that of its head and operands.
fn of_packets(
    parsed: &Descriptions,
    used: &BTreeSet<Type>,
    constants: &BTreeMap<String, u64>,
    found: &mut Vec<String>,
) -> Result<()> {
    for of in used {
        for (_, head) in parsed.fields(of)? {
            if head.name != "rgt_packet_head" {
                continue;
            }
            let length = head.args.last().map(|length| length.name.as_str());
            let dwords = length.and_then(|length| constants.get(length));
            let size = parsed.layout(of)?.size;
            if dwords.map(|dwords| dwords * 4) != Some(size) {
                found.push(format!("{} has {size} bytes", of.name));
            }
        }
    }
    Ok(())
}

/// The opcodes and flags of packets in their header.
fn opcodes(header: &str) -> impl Iterator<Item = &str> {
    let defined = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define "));
    let names = defined.filter_map(|line| line.split('\t').next());
    names.filter(|name| name.starts_with("DRM_RGT_PACKET_") && !name.contains("_LEN_"))
}

/// Reads the committed descriptions, list of layouts, header of packets and constants.
fn committed() -> [String; 4] {
    [DESCRIPTIONS, LAYOUT, PACKETS, CONSTANTS].map(|name| read(&root(), name).unwrap())
}

/// The differences that a change of what is committed makes.
fn after(from: &str, to: &str) -> String {
    let before = differences(&committed()).unwrap();
    let mut changes = 0;
    let files = committed().map(|text| {
        let changed = text.replacen(from, to, 1);
        changes += usize::from(changed != text);
        changed
    });
    assert_eq!(changes, 1, "{from} is in one of the files");
    match differences(&files) {
        Ok(mut found) => {
            found.retain(|difference| !before.contains(difference));
            found.join("\n")
        }
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn descriptions_are_those_of_the_header() {
    let found = differences(&committed()).unwrap();
    assert!(found.is_empty(), "{DESCRIPTIONS}:\n{}", found.join("\n"));
}

#[test]
fn an_ioctl_that_differs_is_found() {
    let destroy = "ioctl$DRM_IOCTL_RGT_VM_DESTROY(fd fd_rgt, cmd const[DRM_IOCTL_RGT_VM_DESTROY], \
                   arg ptr[in, drm_rgt_vm_destroy])\n";
    let missing = after(destroy, "");
    let found = "drm_rgt_vm_destroy is not used\nDRM_IOCTL_RGT_VM_DESTROY is not described\n\
                 struct drm_rgt_vm_destroy is not described";
    assert_eq!(missing, found);

    let list = "DRM_IOCTL_RGT_CS = 0x4058644e";
    let new = after(list, &format!("{list}\nDRM_IOCTL_RGT_NEW = 0x4058644f"));
    assert_eq!(new, "DRM_IOCTL_RGT_NEW is not described");
    let gone = after(&format!("{list}\n"), "");
    assert!(
        gone.contains("ioctl$DRM_IOCTL_RGT_CS: no such ioctl"),
        "{gone}"
    );

    let written = after(list, "DRM_IOCTL_RGT_CS = 0xc058644e");
    assert!(written.contains("not inout of its structure"), "{written}");
    let another = after("[DRM_IOCTL_RGT_CTX_DESTROY]", "[DRM_IOCTL_RGT_VM_DESTROY]");
    assert!(another.contains("it is the ioctl VM_DESTROY"), "{another}");
}

#[test]
fn a_structure_that_differs_is_found() {
    let field = "\tpriority\tflags[rgt_gem_priorities, int32]\t(in)\n";
    for to in [
        "",
        "\tpriority\tint64\n",
        "\tpriorities\tflags[rgt_gem_priorities, int32]\n",
    ] {
        let found = after(field, to);
        assert!(found.contains("drm_rgt_gem_create: "), "{found}");
    }
    let size = after("\tretained\tint32\t(out)\n", "\tretained\tint16\t(out)\n");
    assert_eq!(
        size,
        "drm_rgt_gem_madvise: retained at 8, 2 bytes, and in the header retained at 8, 4 bytes"
    );
    let order = after(
        "\tvm_id\t\trgt_vm\n\tqueue_id\trgt_queue\n}",
        "\tqueue_id\trgt_queue\n\tvm_id\t\trgt_vm\n}",
    );
    assert!(order.contains("drm_rgt_bind_queue_destroy: "), "{order}");
    let new = after(
        "struct drm_rgt_cs:",
        "struct drm_rgt_new: 4 bytes\n\tnew: at 0, 4 bytes\nstruct drm_rgt_cs:",
    );
    assert_eq!(new, "struct drm_rgt_new is not described");
    let renamed = after("\nstruct drm_rgt_cs_bo:", "\nstruct drm_rgt_bo:");
    assert!(
        renamed.contains("drm_rgt_cs_bo: no such structure"),
        "{renamed}"
    );
}

#[test]
fn a_constant_that_differs_is_found() {
    let missing = after(", DRM_RGT_CAUSE_HANG", "");
    assert_eq!(missing, "DRM_RGT_CAUSE_HANG is not described");
    let new = after(
        ", DRM_RGT_CAUSE_HANG",
        ", DRM_RGT_CAUSE_HANG, DRM_RGT_CAUSE_NEW",
    );
    assert_eq!(new, "DRM_RGT_CAUSE_NEW: no such constant");
    let value = after("DRM_RGT_CAUSE_FAULT = 2", "DRM_RGT_CAUSE_FAULT = 3");
    assert_eq!(value, "DRM_RGT_CAUSE_FAULT is not 3");
}

#[test]
fn a_stride_or_packet_that_differs_is_found() {
    let stride = after(
        "drm_rgt_array[rgt_vm_bind_op, 40]",
        "drm_rgt_array[rgt_vm_bind_op, 48]",
    );
    assert_eq!(stride, "rgt_vm_bind_op has 40 bytes");
    let packet = after("\tpattern\t\tint32\n", "");
    assert_eq!(packet, "rgt_packet_fill has 20 bytes");
    let define = "#define DRM_RGT_PACKET_FILL\t";
    let new = after(define, &format!("#define DRM_RGT_PACKET_NEW\t1\n{define}"));
    assert_eq!(new, "DRM_RGT_PACKET_NEW is not described");
}

#[test]
fn what_is_not_declared_or_not_used_is_found() {
    let unknown = after("\tpixel\tint32\n", "\tpixel\trgt_colour\n");
    assert!(unknown.contains("unknown type rgt_colour"), "{unknown}");
    let unused = after("flags[rgt_pitches, int32]", "int32");
    assert_eq!(unused, "rgt_pitches is not used");
}
