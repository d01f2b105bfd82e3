// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Modules that stay as long as their code is needed.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use kernel::prelude::*;

use crate::rust::bindings;

/// A reference to a module, which cannot be unloaded as long as there is one.
///
/// # Invariants
///
/// This owns a reference to the module.
pub(crate) struct ModuleRef(&'static ThisModule);

// SAFETY: The count of references is atomic.
unsafe impl Send for ModuleRef {}

// SAFETY: As above; there are no methods that change anything.
unsafe impl Sync for ModuleRef {}

impl ModuleRef {
    /// Takes a reference; [`ENODEV`] if the module is being unloaded.
    pub(crate) fn try_get(module: &'static ThisModule) -> Result<Self> {
        // SAFETY: The module is that of the caller's code, and so not unloaded yet.
        if !unsafe { bindings::rgt_try_module_get(module.as_ptr()) } {
            return Err(ENODEV);
        }
        // INVARIANT: The function took a reference.
        Ok(Self(module))
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this owns the reference.
        unsafe { bindings::rgt_module_put(self.0.as_ptr()) };
    }
}

/// The guarantee that the drop of certain objects is run before their module is unloaded.
///
/// C code calls what a scheduler, a shrinker or an interrupt handler registers until the object is
/// dropped. Safe code may keep that from happening, by `mem::forget()` or by a cycle of [`Arc`]s,
/// and the module may be unloaded all the same. These objects live as long as a device is bound. So
/// they cannot hold a [`ModuleRef`]: a driver that could not be unloaded while there is a device
/// would not be one. The constructors of the kernel crate, such as `irq::Registration::new()` and
/// `drm::Registration::new()`, are `unsafe` for this reason. Those here ask for the guarantee
/// instead, so that a driver gives it once, in the one place that owns all of them.
///
/// Safe code has to get it from there:
///
/// ```compile_fail,E0133
/// # use crate::rust::module::DropGuarantee;
/// fn promise() -> DropGuarantee {
///     DropGuarantee::new()
/// }
/// ```
///
/// [`Arc`]: kernel::sync::Arc
#[derive(Clone, Copy)]
pub(crate) struct DropGuarantee(());

impl DropGuarantee {
    /// Gives the guarantee.
    ///
    /// # Safety
    ///
    /// Callers must not `mem::forget()` what is made with it or otherwise prevent its [`Drop`]
    /// implementation from running, before the device that it belongs to is unbound or, if it is
    /// part of an object with a reference to the module, before that is released.
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}
