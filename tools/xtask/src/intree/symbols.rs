// SPDX-License-Identifier: GPL-2.0

//! Whether a kernel has what a built-in object takes from it: what linking it would tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Returns the symbols that `object`, or an archive of objects, wants and that neither itself, nor
/// the kernel built in `kernel`, nor a module of it, nor one of `objects`, which are built anew, has.
pub(super) fn missing(
    object: &Path,
    kernel: &Path,
    objects: impl IntoIterator<Item = PathBuf>,
) -> Result<Vec<String>> {
    let read = |file: &str| {
        let file = kernel.join(file);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let mut there = map(&read("System.map")?);
    there.extend(exports(&read("Module.symvers")?));
    for object in objects.into_iter().chain([object.to_owned()]) {
        there.extend(names(&nm("--defined-only", &object)?));
    }
    let wanted = names(&nm("--undefined-only", object)?);
    Ok(wanted.difference(&there).cloned().collect())
}

fn nm(which: &str, object: &Path) -> Result<String> {
    let output = Command::new("llvm-nm")
        .args([which, "--just-symbol-name"])
        .arg(object)
        .output()
        .context("cannot run llvm-nm")?;
    ensure!(
        output.status.success(),
        "llvm-nm cannot read {}: {}",
        object.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The symbols that nm lists, of an object or of each one in an archive.
fn names(listed: &str) -> BTreeSet<String> {
    let lines = listed.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.ends_with(':'))
        .map(str::to_owned)
        .collect()
}

/// The global symbols of a System.map: "address type name".
fn map(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let kind = words.next()?;
            let name = words.next()?;
            (kind.chars().all(char::is_uppercase) || matches!(kind, "w" | "v" | "u"))
                .then(|| name.to_owned())
        })
        .collect()
}

/// The symbols of a Module.symvers: "crc name ...".
fn exports(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.split('\t').nth(1))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::missing;

    fn compile(source: &str, object: &Path) {
        let text = object.with_extension("c");
        fs::write(&text, source).unwrap();
        let mut clang = Command::new("clang");
        clang.arg("-c").arg(&text).arg("-o").arg(object);
        assert!(clang.status().unwrap().success());
    }

    #[test]
    fn what_no_part_of_the_kernel_has_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(
            at("System.map"),
            "ffffffff81000000 T in_vmlinux\nffffffff81000010 t private\n",
        )
        .unwrap();
        fs::write(
            at("Module.symvers"),
            "0x00000000\tin_a_module\tdrivers/a\tEXPORT_SYMBOL\t\n",
        )
        .unwrap();
        compile("int in_new(void) { return 0; }", &at("new.o"));
        compile(
            "int in_vmlinux(void), in_a_module(void), in_new(void), private(void), gone(void);\n\
             int h(void);\n\
             int f(void) { return in_vmlinux() + in_a_module() + in_new() + h(); }\n\
             int g(void) { return private() + gone(); }",
            &at("one.o"),
        );
        compile("int h(void) { return 0; }", &at("two.o"));
        let mut ar = Command::new("llvm-ar");
        ar.args(["rcsT", "driver.a", "one.o", "two.o"])
            .current_dir(dir.path());
        assert!(ar.status().unwrap().success());
        let found = missing(&at("driver.a"), dir.path(), [at("new.o")]).unwrap();
        assert_eq!(found, ["gone", "private"]);
    }
}
