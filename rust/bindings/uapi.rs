// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver's uAPI structures as plain bytes.

use kernel::transmute::{
    AsBytes,
    FromBytes, //
};

use super::*;

macro_rules! plain {
    ($($type:ident),* $(,)?) => {
        $(
            // SAFETY: The uAPI has integers only, for which every content is valid.
            unsafe impl FromBytes for $type {}
            // SAFETY: The uAPI has explicit padding only, so that all bytes are initialised.
            unsafe impl AsBytes for $type {}
        )*
    };
}

plain!(
    drm_rgt_array,
    drm_rgt_bind_queue_create,
    drm_rgt_bind_queue_destroy,
    drm_rgt_cs,
    drm_rgt_cs_bo,
    drm_rgt_cs_ib,
    drm_rgt_ctx_create,
    drm_rgt_ctx_destroy,
    drm_rgt_ctx_set_property,
    drm_rgt_engine,
    drm_rgt_gem_create,
    drm_rgt_gem_info,
    drm_rgt_gem_madvise,
    drm_rgt_gem_mmap_offset,
    drm_rgt_gem_wait,
    drm_rgt_query,
    drm_rgt_query_ctx,
    drm_rgt_query_device,
    drm_rgt_query_list,
    drm_rgt_query_timestamp,
    drm_rgt_region,
    drm_rgt_sync,
    drm_rgt_vm_bind,
    drm_rgt_vm_bind_op,
    drm_rgt_vm_create,
    drm_rgt_vm_destroy,
);
