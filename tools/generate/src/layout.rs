// SPDX-License-Identifier: GPL-2.0

//! The list of the uAPI's layouts: the size of each structure, offset and size of each field, and
//! the value of each constant, ioctl numbers among them.
//!
//! The uAPI only grows, so that a change of the list may add to it, and nothing else. The list is
//! made by a C program that includes the header.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs, process};

use anyhow::{Context, Result, ensure};

use crate::{PACKETS, UAPI, read};

/// Folders of the kernel's headers for user space: with `drm.h`, the kernel's copy or libdrm's, and
/// with `asm/`, which compilers for 32 bits do not look for there.
const INCLUDES: [&str; 3] = [
    "-I/usr/include/drm",
    "-I/usr/include/libdrm",
    "-I/usr/include/x86_64-linux-gnu",
];

/// The names in the header.
#[derive(Default)]
struct Names {
    /// Structures and their fields.
    structs: Vec<(String, Vec<String>)>,
    /// Macros without arguments.
    constants: Vec<String>,
}

impl Names {
    fn of(header: &str) -> Self {
        let mut names = Self::default();
        for line in header.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["struct", name, "{"] => names.structs.push((name.to_owned(), Vec::new())),
                ["#define", name, _, ..] if name.starts_with("DRM_") => {
                    names.constants.push(name.to_owned());
                }
                [first, .., field]
                    if line.starts_with('\t')
                        && field.ends_with(';')
                        && !first.starts_with(['*', '/']) =>
                {
                    if let Some((_, fields)) = names.structs.last_mut() {
                        fields.push(field.trim_end_matches(';').to_owned());
                    }
                }
                _ => {}
            }
        }
        names
    }

    /// The C program that prints the list of the names in `header`.
    fn program(&self, header: &str) -> Result<String> {
        let mut out = format!(
            "#include <stddef.h>\n#include <stdio.h>\n#include \"{}\"\nint main(void)\n{{\n",
            Path::new(header)
                .file_name()
                .context("it is a file")?
                .display(),
        );
        for (name, fields) in &self.structs {
            let value = format!("struct {name}");
            writeln!(
                out,
                r#"printf("struct {name}: %zu bytes\n", sizeof({value}));"#
            )?;
            for field in fields {
                let size = format!("sizeof((({value} *)0)->{field})");
                writeln!(
                    out,
                    r#"printf("\t{field}: at %zu, %zu bytes\n", offsetof({value}, {field}), {size});"#
                )?;
            }
        }
        for name in &self.constants {
            writeln!(
                out,
                r#"printf("{name} = %#llx\n", (unsigned long long){name});"#
            )?;
        }
        out.push_str("return 0;\n}\n");
        Ok(out)
    }
}

/// Makes the list.
///
/// # Errors
///
/// The header does not compile.
pub(crate) fn list(root: &Path) -> Result<String> {
    let names = Names::of(&read(root, UAPI)?);
    output(root, &names.program(UAPI)?)
}

/// The constants of the uAPI's headers, that of packets included.
///
/// # Errors
///
/// As of [`list()`].
pub(crate) fn constants(root: &Path) -> Result<BTreeMap<String, u64>> {
    let mut constants = BTreeMap::new();
    for header in [UAPI, PACKETS] {
        let mut names = Names::of(&read(root, header)?);
        names.structs.clear();
        for line in output(root, &names.program(header)?)?.lines() {
            constants.extend(constant(line));
        }
    }
    Ok(constants)
}

/// The name and the value of a constant, from its line of a list.
pub(crate) fn constant(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.split_once(" = ")?;
    let value = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    Some((name.to_owned(), value.ok()?))
}

/// Returns the output of a C program that uses the headers.
fn output(root: &Path, program: &str) -> Result<String> {
    let folder = env::temp_dir().join(format!("rgt-layout-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let output = run(root, &folder, program);
    fs::remove_dir_all(&folder)?;
    output
}

fn run(root: &Path, folder: &Path, program: &str) -> Result<String> {
    let (source, binary) = (folder.join("layout.c"), folder.join("layout"));
    fs::write(&source, program)?;
    let status = Command::new("clang")
        .args([&source, Path::new("-o"), &binary])
        .arg("-I")
        .arg(root.join(UAPI).parent().context("it is in a folder")?)
        .args(INCLUDES)
        .status()
        .context("cannot run clang")?;
    ensure!(status.success(), "clang: {status}");
    let output = Command::new(&binary).output()?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Stdio;

    use super::*;
    use crate::{LAYOUT, root};

    /// The languages and machines that the headers are for.
    const DIALECTS: [[&str; 3]; 6] = [
        ["-xc", "-std=c90", "-m64"],
        ["-xc", "-std=c90", "-m32"],
        ["-xc", "-std=c17", "-m32"],
        ["-xc++", "-std=c++98", "-m64"],
        ["-xc++", "-std=c++20", "-m64"],
        ["-xc++", "-std=c++20", "-m32"],
    ];

    /// Compiles a program in a dialect; gives what the compiler says if it does not.
    fn compile(dialect: [&str; 3], program: &str) -> Result<(), String> {
        let folder = root().join(UAPI);
        let mut compiler = Command::new("clang")
            .args(dialect)
            .args(["-fsyntax-only", "-Wall", "-Wextra", "-Wpadded", "-Werror"])
            // C++98 and C90 have no type of 64 bits on machines of 32.
            .args(["-pedantic", "-Wno-long-long", "-Wno-c++11-long-long"])
            .arg("-I")
            .arg(folder.parent().unwrap())
            .args(INCLUDES.map(|include| include.replace("-I", "-isystem")))
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = compiler.stdin.take().unwrap();
        stdin.write_all(program.as_bytes()).unwrap();
        drop(stdin);
        let output = compiler.wait_with_output().unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    #[test]
    fn headers_compile_alone_in_each_dialect() {
        for dialect in DIALECTS {
            for header in [UAPI, PACKETS] {
                let name = Path::new(header).file_name().unwrap().display();
                // Twice, for its guard.
                let program = format!("#include \"{name}\"\n#include \"{name}\"\n");
                compile(dialect, &program).unwrap_or_else(|why| panic!("{dialect:?}: {why}"));
            }
        }
    }

    #[test]
    fn layouts_are_those_of_the_list_in_each_dialect() {
        let list = fs::read_to_string(root().join(LAYOUT)).unwrap();
        let mut program = String::from(
            "#include <stddef.h>\n#include \"rust_gpu_ttm_drm.h\"\n\
             #define IS(n, is) extern char is_##n[(is) ? 1 : -1]\n",
        );
        let mut of = "";
        for (number, line) in list.lines().enumerate() {
            let words: Vec<_> = line.split([' ', ':', ',', '\t']).collect();
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let is = match words[..] {
                ["struct", name, size, "bytes"] => {
                    of = name;
                    format!("sizeof(struct {name}) == {size}")
                }
                [field, "at", offset, size, "bytes"] => format!(
                    "offsetof(struct {of}, {field}) == {offset} && \
                     sizeof(((struct {of} *)0)->{field}) == {size}"
                ),
                [name, "=", value] => format!("{name} == {value}"),
                _ => panic!("line {number}: {line}"),
            };
            writeln!(program, "IS({number}, {is});").unwrap();
        }
        for dialect in DIALECTS {
            compile(dialect, &program).unwrap_or_else(|why| panic!("{dialect:?}: {why}"));
        }
        // It would be seen if they were not.
        let wrong = program.replacen(" == ", " + 1 == ", 1);
        assert!(compile(DIALECTS[0], &wrong).is_err());
    }

    #[test]
    fn names_of_a_header() {
        let names = Names::of(
            "#define DRM_X 1 /* one */\n#define _GUARD\nstruct drm_x {\n\t/** @a: a */\n\
             \t__u32 a;\n\t/**\n\t * @b: that;\n\t */\n\tstruct drm_y b;\n};\n\
             #define DRM_IOCTL_X \\\n\tDRM_IOW(1, struct drm_x)\n",
        );
        assert_eq!(
            names.structs,
            [("drm_x".to_owned(), vec!["a".to_owned(), "b".to_owned()])]
        );
        assert_eq!(names.constants, ["DRM_X", "DRM_IOCTL_X"]);
    }
}
