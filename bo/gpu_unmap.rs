// SPDX-License-Identifier: GPL-2.0

//! Taking a BO that moves out of page tables, behind the jobs that use it.

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

use super::object::Bo;
use crate::sched::PageTableUpdate;

/// A BO that is to be taken out of page tables.
///
/// It looks for the mappings when it does so, as binds make some until then. The BO is given up in a
/// work item: where fences signal it cannot be freed.
#[pin_data]
pub(super) struct GpuUnmap {
    bo: ARef<Bo>,
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for GpuUnmap { self.work }
}

impl GpuUnmap {
    /// Returns what a job has to run.
    pub(super) fn of(bo: &Bo) -> Result<KBox<dyn PageTableUpdate>> {
        let this = Arc::pin_init(
            pin_init!(Self {
                bo: bo.into(),
                work <- new_work!("GpuUnmap::work"),
            }),
            GFP_KERNEL,
        )?;
        Ok(KBox::new(Update(this), GFP_KERNEL)?)
    }
}

/// The job's part of it.
struct Update(Arc<GpuUnmap>);

impl PageTableUpdate for Update {
    fn run(self: KBox<Self>) -> Result {
        let Self(this) = KBox::into_inner(self);
        let data = this.bo.device();

        data.gpu_mappings.unmap(&this.bo);
        // It is queued once.
        let _ = data.workers.enqueue(this.clone());
        Ok(())
    }
}

impl WorkItem for GpuUnmap {
    type Pointer = Arc<Self>;

    fn run(_: Arc<Self>) {}
}
