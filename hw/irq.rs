// SPDX-License-Identifier: GPL-2.0

//! Interrupts: one for faults and bad pages, and one for each engine.

use kernel::{
    device::Bound,
    irq::{
        IrqReturn,
        ThreadedHandler, //
    },
    pci,
    prelude::*,
    sync::Arc, //
};

use super::{
    abi::regs::{
        INT_CLEAR,
        INT_ENABLE,
        VECTOR_ENGINE0,
        VECTOR_FAULT, //
    },
    bad_page::BadPages,
    engine::{
        Engine,
        Shared, //
    },
    regs::Regs, //
};
use crate::rust::{
    module::DropGuarantee,
    pci::MsixHandlers, //
};

/// The device's interrupts, enabled.
///
/// They may outlive the [`Gpu`](super::Gpu), or end before it.
pub(crate) struct Interrupts<'a> {
    regs: Regs,
    _handlers: MsixHandlers<'a, Handler>,
}

/// Returns the mask of the interrupts of a device with this number of engines.
pub(super) fn vectors(engines: usize) -> u32 {
    (1 << (VECTOR_ENGINE0 as usize + engines)) - 1
}

enum Handler {
    Fault {
        shared: Arc<Shared>,
        engines: KVec<Arc<Engine>>,
        bad_pages: Arc<BadPages>,
    },
    Engine {
        regs: Regs,
        engine: Arc<Engine>,
    },
}

impl<'a> Interrupts<'a> {
    pub(super) fn new(
        guarantee: DropGuarantee,
        pdev: &'a pci::Device<Bound>,
        shared: &Arc<Shared>,
        engines: &[Arc<Engine>],
        bad_pages: &Arc<BadPages>,
    ) -> Result<Self> {
        let regs = shared.regs.clone();
        let mut handlers = KVec::with_capacity(1 + engines.len(), GFP_KERNEL)?;
        let mut all = KVec::with_capacity(engines.len(), GFP_KERNEL)?;
        for engine in engines {
            all.push(engine.clone(), GFP_KERNEL)?;
        }
        let fault = Handler::Fault {
            shared: shared.clone(),
            engines: all,
            bad_pages: bad_pages.clone(),
        };
        handlers.push((c"rust_gpu_ttm-fault", fault), GFP_KERNEL)?;
        for engine in engines {
            let handler = Handler::Engine {
                regs: regs.clone(),
                engine: engine.clone(),
            };
            handlers.push((engine.irq_name(), handler), GFP_KERNEL)?;
        }

        let handlers = MsixHandlers::new(guarantee, pdev, handlers)?;
        regs.write(INT_ENABLE, vectors(engines.len()));
        Ok(Self {
            regs,
            _handlers: handlers,
        })
    }
}

impl Drop for Interrupts<'_> {
    fn drop(&mut self) {
        self.regs.write(INT_ENABLE, 0);
        self.regs.flush();
    }
}

impl ThreadedHandler for Handler {
    fn handle_threaded(&self) -> IrqReturn {
        // The bit is cleared first: an event after that raises the interrupt again.
        match self {
            Self::Fault {
                shared,
                engines,
                bad_pages,
            } => {
                shared.regs.write(INT_CLEAR, 1 << VECTOR_FAULT);
                bad_pages.schedule();
                shared.faults.drain(&shared.regs);
                let rings = shared.faults.rings();
                for engine in engines {
                    if rings & (1 << engine.index()) != 0 {
                        engine.process();
                    }
                }
            }
            Self::Engine { regs, engine } => {
                regs.write(INT_CLEAR, 1 << (VECTOR_ENGINE0 + engine.index()));
                engine.process();
            }
        }
        IrqReturn::Handled
    }
}
