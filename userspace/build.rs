// SPDX-License-Identifier: MIT

//! Generates the uAPI bindings from the driver's header with the bindgen program.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let wrapper = crate_dir.join("uapi.h");
    let uapi_dir = crate_dir.join("../include/uapi/drm");

    for input in [wrapper.as_path(), &uapi_dir.join("rust_gpu_ttm_drm.h")] {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    println!("cargo::rerun-if-env-changed=BINDGEN");

    generate(&wrapper, &uapi_dir, &out_dir.join("uapi.rs"));
}

fn generate(wrapper: &Path, uapi_dir: &Path, output: &Path) {
    let bindgen = env::var_os("BINDGEN").unwrap_or_else(|| "bindgen".into());
    let status = Command::new(&bindgen)
        .arg(wrapper)
        .arg("--output")
        .arg(output)
        .args([
            "--allowlist-type",
            "drm_rgt_.*|drm_gem_close|drm_prime_handle|drm_syncobj_handle|sync_file_info",
        ])
        .args(["--allowlist-var", "DRM_RGT_.*|RGT_.*"])
        .args(["--with-derive-default", "--with-derive-eq", "--use-core"])
        .args(["--no-doc-comments", "--", "-I"])
        .arg(uapi_dir)
        // The kernel's own copy of drm.h; libdrm's, where only that is installed.
        .args(["-I/usr/include/drm", "-I/usr/include/libdrm"])
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("bindgen failed on {}: {status}", wrapper.display()),
        Err(error) => panic!("cannot run {}: {error}", Path::new(&bindgen).display()),
    }
}
