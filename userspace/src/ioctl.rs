// SPDX-License-Identifier: MIT

//! Raw calls: one typed request an ioctl, without any policy.
//!
//! The rest of the library is built on this; tests use it to make calls that the library would
//! never make.

use std::ffi::c_void;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode};

use crate::uapi;

/// A structure that an ioctl takes.
///
/// # Safety
///
/// [`OPCODE`](Self::OPCODE) is the ioctl that takes this structure and no other, and every bit
/// pattern is a valid value of the structure.
pub unsafe trait Request {
    /// The ioctl's number.
    const OPCODE: u32;
    /// The ioctl's name in messages.
    const NAME: &'static str;
}

/// A [`Request`] whose call writes none of the caller's memory but the structure.
///
/// # Safety
///
/// The call writes only the structure, whatever the values of its fields.
pub unsafe trait Contained: Request {}

macro_rules! requests {
    ($($(#[$contained:ident])? $name:ident = $opcode:ident;)*) => { $(
        // SAFETY: The header pairs this structure with this number, and all of its fields are
        // integers.
        unsafe impl Request for uapi::$name {
            const OPCODE: u32 = uapi::$opcode;
            const NAME: &'static str = stringify!($opcode).split_at("RGT_IOCTL_".len()).1;
        }
        $(requests!(@$contained $name);)?
    )* };
    (@contained $name:ident) => {
        // SAFETY: The kernel only reads through the addresses in this structure, and nothing it
        // sets up writes the caller's memory behind its back.
        unsafe impl Contained for uapi::$name {}
    };
}

requests! {
    drm_rgt_query = RGT_IOCTL_QUERY;
    drm_rgt_vm_bind = RGT_IOCTL_VM_BIND;
    drm_rgt_cs = RGT_IOCTL_CS;
    #[contained] drm_rgt_gem_create = RGT_IOCTL_GEM_CREATE;
    #[contained] drm_rgt_gem_mmap_offset = RGT_IOCTL_GEM_MMAP_OFFSET;
    #[contained] drm_rgt_gem_info = RGT_IOCTL_GEM_INFO;
    #[contained] drm_rgt_gem_wait = RGT_IOCTL_GEM_WAIT;
    #[contained] drm_rgt_gem_madvise = RGT_IOCTL_GEM_MADVISE;
    #[contained] drm_rgt_ctx_create = RGT_IOCTL_CTX_CREATE;
    #[contained] drm_rgt_ctx_destroy = RGT_IOCTL_CTX_DESTROY;
    #[contained] drm_rgt_ctx_set_property = RGT_IOCTL_CTX_SET_PROPERTY;
    #[contained] drm_rgt_vm_create = RGT_IOCTL_VM_CREATE;
    #[contained] drm_rgt_vm_destroy = RGT_IOCTL_VM_DESTROY;
    #[contained] drm_rgt_bind_queue_create = RGT_IOCTL_BIND_QUEUE_CREATE;
    #[contained] drm_rgt_bind_queue_destroy = RGT_IOCTL_BIND_QUEUE_DESTROY;
    #[contained] drm_gem_close = RGT_IOCTL_GEM_CLOSE;
    #[contained] drm_syncobj_handle = RGT_IOCTL_SYNCOBJ_FD_TO_HANDLE;
    sync_file_info = RGT_IOCTL_SYNC_FILE_INFO;
}

/// A handle to make a file of.
#[derive(Debug)]
#[repr(transparent)]
pub struct HandleToFd(pub uapi::drm_prime_handle);

/// A file to make a handle of.
#[derive(Debug)]
#[repr(transparent)]
pub struct FdToHandle(pub uapi::drm_prime_handle);

// SAFETY: The header pairs this structure, which is all integers, with this number.
unsafe impl Request for HandleToFd {
    const OPCODE: u32 = uapi::RGT_IOCTL_PRIME_HANDLE_TO_FD;
    const NAME: &'static str = "PRIME_HANDLE_TO_FD";
}

// SAFETY: It has no addresses.
unsafe impl Contained for HandleToFd {}

// SAFETY: As above.
unsafe impl Request for FdToHandle {
    const OPCODE: u32 = uapi::RGT_IOCTL_PRIME_FD_TO_HANDLE;
    const NAME: &'static str = "PRIME_FD_TO_HANDLE";
}

// SAFETY: It has no addresses.
unsafe impl Contained for FdToHandle {}

struct Call<'a, T>(&'a mut T);

// SAFETY: `Request` promises that the number and the structure belong together and that the
// structure is valid whatever the kernel leaves in it.
unsafe impl<T: Request> Ioctl for Call<'_, T> {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        T::OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Makes a call that writes nothing but its structure, again as long as a signal interrupts it.
pub fn call<T: Contained>(fd: impl AsFd, request: &mut T) -> Result<(), Errno> {
    // SAFETY: `Contained` promises it.
    unsafe { call_unchecked(fd, request) }
}

/// Makes a call as [`call_unchecked()`] does, but once when there is no room: that is
/// [`Errno::AGAIN`].
///
/// # Safety
///
/// As there.
pub(crate) unsafe fn call_once<T: Request>(fd: impl AsFd, request: &mut T) -> Result<(), Errno> {
    loop {
        // SAFETY: `Request` pairs number and structure; the caller answers for the addresses.
        match unsafe { rustix::ioctl::ioctl(fd.as_fd(), Call(&mut *request)) } {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Makes a call, again as long as a signal interrupts it.
///
/// # Safety
///
/// Memory that the call writes through addresses in the structure, or has written later, is the
/// caller's to be written, for as long.
pub unsafe fn call_unchecked<T: Request>(fd: impl AsFd, request: &mut T) -> Result<(), Errno> {
    loop {
        // SAFETY: `Request` pairs number and structure; the caller answers for the addresses.
        match unsafe { rustix::ioctl::ioctl(fd.as_fd(), Call(request)) } {
            Err(Errno::INTR | Errno::AGAIN) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_the_size_of_their_structure() {
        fn check<T: Request>(command: u32) {
            assert_eq!(
                T::OPCODE >> 16 & 0x3fff,
                size_of::<T>() as u32,
                "{}",
                T::NAME
            );
            assert_eq!(T::OPCODE >> 8 & 0xff, u32::from(b'd'), "{}", T::NAME);
            assert_eq!(T::OPCODE & 0xff, 0x40 + command, "{}", T::NAME);
        }
        check::<uapi::drm_rgt_query>(uapi::DRM_RGT_QUERY);
        check::<uapi::drm_rgt_gem_create>(uapi::DRM_RGT_GEM_CREATE);
        check::<uapi::drm_rgt_gem_mmap_offset>(uapi::DRM_RGT_GEM_MMAP_OFFSET);
        check::<uapi::drm_rgt_gem_info>(uapi::DRM_RGT_GEM_INFO);
        check::<uapi::drm_rgt_gem_wait>(uapi::DRM_RGT_GEM_WAIT);
        check::<uapi::drm_rgt_gem_madvise>(uapi::DRM_RGT_GEM_MADVISE);
        check::<uapi::drm_rgt_ctx_create>(uapi::DRM_RGT_CTX_CREATE);
        check::<uapi::drm_rgt_ctx_destroy>(uapi::DRM_RGT_CTX_DESTROY);
        check::<uapi::drm_rgt_ctx_set_property>(uapi::DRM_RGT_CTX_SET_PROPERTY);
        check::<uapi::drm_rgt_vm_create>(uapi::DRM_RGT_VM_CREATE);
        check::<uapi::drm_rgt_vm_destroy>(uapi::DRM_RGT_VM_DESTROY);
        check::<uapi::drm_rgt_bind_queue_create>(uapi::DRM_RGT_BIND_QUEUE_CREATE);
        check::<uapi::drm_rgt_bind_queue_destroy>(uapi::DRM_RGT_BIND_QUEUE_DESTROY);
        check::<uapi::drm_rgt_vm_bind>(uapi::DRM_RGT_VM_BIND);
        check::<uapi::drm_rgt_cs>(uapi::DRM_RGT_CS);
        assert_eq!(uapi::drm_rgt_query::NAME, "QUERY");
    }
}
