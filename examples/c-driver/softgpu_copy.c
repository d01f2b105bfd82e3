// SPDX-License-Identifier: GPL-2.0
/*
 * A driver for softgpu that does one copy: from system memory to VRAM and
 * back, awaited by an interrupt. It is the least that a driver has to do, and
 * meant to be read beside docs/hardware.md, section 11 first.
 *
 * It binds to a device only if that's driver_override says softgpu_copy. Then
 * it is bound if and only if the copy has arrived.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <softgpu.h>

/* Pages are the GPU's, whatever those of the CPU are. */
#define GPU_PAGE	SOFTGPU_LIMITS_PAGE_SIZE

#define COPY_SIZE	SZ_64K
#define COPY_PAGES	(COPY_SIZE / GPU_PAGE)

/* Longer than it takes on the busiest machine. */
static unsigned int timeout_ms = 60 * MSEC_PER_SEC;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "Milliseconds to wait for the copy, default 60000");

/* Where the copy goes in VRAM, and the address at which the GPU sees that. */
#define VRAM_OFFSET	0
#define VRAM_VA		SZ_1M

/*
 * The pages of our memory: one of each level of page tables, the ring, the
 * fence, and what is copied. The GPU sees page n at address n * GPU_PAGE, but
 * for the page tables, which only its MMU reads.
 */
enum softgpu_page {
	PAGE_TABLES,
	PAGE_RING = PAGE_TABLES + SOFTGPU_PTE_LEVELS,
	PAGE_FENCE,
	PAGE_SOURCE,
	PAGE_BACK = PAGE_SOURCE + COPY_PAGES,
	PAGES = PAGE_BACK + COPY_PAGES,
};

struct softgpu {
	struct device *dev;
	void __iomem *regs;
	void __iomem *vram;
	/* PAGES pages, as the CPU sees them and as the device does. */
	void *memory;
	dma_addr_t dma;
	/* The copy engine, its registers, and the end of its packets. */
	u32 engine;
	void __iomem *engine_regs;
	u32 tail;
	/* A fence or a fault came. */
	struct completion event;
	bool faulted;
};

static void *softgpu_memory(struct softgpu *gpu, enum softgpu_page page)
{
	return gpu->memory + page * GPU_PAGE;
}

static u64 softgpu_va(enum softgpu_page page)
{
	return page * GPU_PAGE;
}

static u32 softgpu_read(struct softgpu *gpu, u32 reg)
{
	return readl(gpu->regs + reg);
}

static void softgpu_write(struct softgpu *gpu, u32 reg, u32 value)
{
	writel(value, gpu->regs + reg);
}

/* Reads a register that is a pair. */
static u64 softgpu_read64(struct softgpu *gpu, u32 low)
{
	return softgpu_read(gpu, low) | (u64)softgpu_read(gpu, low + 4) << 32;
}

/*
 * Stops everything: engines, interrupts, and the way to our memory. A write is
 * complete when a read behind it is.
 */
static void softgpu_stop(void *data)
{
	struct softgpu *gpu = data;

	softgpu_write(gpu, SOFTGPU_REGS_RESET, SOFTGPU_REGS_RESET_MAGIC);
	softgpu_read(gpu, SOFTGPU_REGS_RESET_COUNT);
}

/* Finds the registers and the window of VRAM, and sees what device this is. */
static int softgpu_identify(struct softgpu *gpu, struct pci_dev *pdev)
{
	u32 revision;

	gpu->regs = pcim_iomap_region(pdev, SOFTGPU_PCI_BAR_REGS, KBUILD_MODNAME);
	if (IS_ERR(gpu->regs))
		return PTR_ERR(gpu->regs);

	revision = softgpu_read(gpu, SOFTGPU_REGS_REVISION);
	if (softgpu_read(gpu, SOFTGPU_REGS_ID) != SOFTGPU_REGS_ID_MAGIC ||
	    revision >> 16 != SOFTGPU_REGS_REVISION_MAJOR)
		return dev_err_probe(gpu->dev, -ENODEV, "not a softgpu of revision %u\n",
				     SOFTGPU_REGS_REVISION_MAJOR);
	dev_info(gpu->dev, "revision %u.%u, %llu MiB of VRAM\n", revision >> 16,
		 revision & 0xffff,
		 softgpu_read64(gpu, SOFTGPU_REGS_VRAM_SIZE_LO) / SZ_1M);

	if (softgpu_read64(gpu, SOFTGPU_REGS_VISIBLE_SIZE_LO) < VRAM_OFFSET + COPY_SIZE)
		return dev_err_probe(gpu->dev, -ENOSPC, "too little visible VRAM\n");
	gpu->vram = pcim_iomap_range(pdev, SOFTGPU_PCI_BAR_VRAM, VRAM_OFFSET, COPY_SIZE);
	return PTR_ERR_OR_ZERO(gpu->vram);
}

/* Chooses the first copy engine. */
static int softgpu_find_engine(struct softgpu *gpu)
{
	u32 engines = softgpu_read(gpu, SOFTGPU_REGS_ENGINES);
	u32 i;

	for (i = 0; i < engines; i++) {
		gpu->engine = i;
		gpu->engine_regs = gpu->regs + SOFTGPU_REGS_ENGINE_BASE +
				   i * SOFTGPU_REGS_ENGINE_STRIDE;
		if (readl(gpu->engine_regs + SOFTGPU_REGS_ENGINE_CLASS) == SOFTGPU_CLASS_COPY)
			return 0;
	}
	return dev_err_probe(gpu->dev, -ENODEV, "no copy engine\n");
}

static __le64 *softgpu_table(struct softgpu *gpu, u32 level)
{
	return softgpu_memory(gpu, PAGE_TABLES + level);
}

/* The entry that points to the table of a level. */
static u64 softgpu_table_entry(struct softgpu *gpu, u32 level)
{
	return (gpu->dma + (PAGE_TABLES + level) * GPU_PAGE) |
	       SOFTGPU_PTE_SYSTEM | SOFTGPU_PTE_VALID;
}

/*
 * Maps our memory and a piece of VRAM. All is in the first 2 MiB of addresses,
 * so entry 0 is the one to follow in every table but the last.
 */
static void softgpu_map(struct softgpu *gpu)
{
	__le64 *leaves = softgpu_table(gpu, 0);
	u64 flags = SOFTGPU_PTE_WRITABLE | SOFTGPU_PTE_VALID;
	u64 root = softgpu_table_entry(gpu, SOFTGPU_PTE_LEVELS - 1);
	u32 i;

	for (i = PAGE_RING; i < PAGES; i++)
		leaves[i] = cpu_to_le64((gpu->dma + i * GPU_PAGE) | SOFTGPU_PTE_SYSTEM | flags);
	for (i = 0; i < COPY_PAGES; i++)
		leaves[VRAM_VA / GPU_PAGE + i] =
			cpu_to_le64((VRAM_OFFSET + i * GPU_PAGE) | flags);
	for (i = 1; i < SOFTGPU_PTE_LEVELS; i++)
		*softgpu_table(gpu, i) = cpu_to_le64(softgpu_table_entry(gpu, i - 1));

	/* Space 0 is the one of the rings. The high half makes it take effect. */
	softgpu_write(gpu, SOFTGPU_REGS_AS_BASE + SOFTGPU_REGS_AS_ROOT_LO, lower_32_bits(root));
	softgpu_write(gpu, SOFTGPU_REGS_AS_BASE + SOFTGPU_REGS_AS_ROOT_HI, upper_32_bits(root));
}

/* A fault leaves the engine halted: tell of it, and wait no longer. */
static irqreturn_t softgpu_fault_irq(int irq, void *data)
{
	struct softgpu *gpu = data;

	softgpu_write(gpu, SOFTGPU_REGS_INT_CLEAR, BIT(SOFTGPU_REGS_VECTOR_FAULT));
	while (softgpu_read(gpu, SOFTGPU_REGS_FAULT_COUNT)) {
		u32 info = softgpu_read(gpu, SOFTGPU_REGS_FAULT_INFO);

		dev_err(gpu->dev, "fault: engine %u, access %u, reason %u, address %#llx\n",
			info >> SOFTGPU_FAULT_ENGINE_SHIFT & 0xff,
			info >> SOFTGPU_FAULT_ACCESS_SHIFT & 0xf,
			info >> SOFTGPU_FAULT_REASON_SHIFT & 0xff,
			softgpu_read64(gpu, SOFTGPU_REGS_FAULT_ADDR_LO));
		softgpu_write(gpu, SOFTGPU_REGS_FAULT_POP, 1);
		WRITE_ONCE(gpu->faulted, true);
	}
	complete(&gpu->event);
	return IRQ_HANDLED;
}

static irqreturn_t softgpu_fence_irq(int irq, void *data)
{
	struct softgpu *gpu = data;

	softgpu_write(gpu, SOFTGPU_REGS_INT_CLEAR,
		      BIT(SOFTGPU_REGS_VECTOR_ENGINE0 + gpu->engine));
	complete(&gpu->event);
	return IRQ_HANDLED;
}

/* Takes the vectors of faults and of our engine, and enables them. */
static int softgpu_request_irqs(struct softgpu *gpu, struct pci_dev *pdev)
{
	u32 vector = SOFTGPU_REGS_VECTOR_ENGINE0 + gpu->engine;
	int err;

	/* pcim_enable_device() sees to it that they are freed. */
	err = pci_alloc_irq_vectors(pdev, vector + 1, vector + 1, PCI_IRQ_MSIX);
	if (err < 0)
		return dev_err_probe(gpu->dev, err, "no MSI-X vectors\n");

	err = devm_request_irq(gpu->dev, pci_irq_vector(pdev, SOFTGPU_REGS_VECTOR_FAULT),
			       softgpu_fault_irq, 0, "softgpu fault", gpu);
	if (err)
		return err;
	err = devm_request_irq(gpu->dev, pci_irq_vector(pdev, vector),
			       softgpu_fence_irq, 0, "softgpu copy", gpu);
	if (err)
		return err;

	/* Freed before the vectors and the memory: from here on the device uses both. */
	err = devm_add_action_or_reset(gpu->dev, softgpu_stop, gpu);
	if (err)
		return err;
	softgpu_write(gpu, SOFTGPU_REGS_INT_ENABLE,
		      BIT(SOFTGPU_REGS_VECTOR_FAULT) | BIT(vector));
	return 0;
}

/* Has the engine fetch packets from the ring. */
static int softgpu_start_engine(struct softgpu *gpu)
{
	u64 ring = softgpu_va(PAGE_RING);
	void __iomem *regs = gpu->engine_regs;

	writel(GPU_PAGE, regs + SOFTGPU_REGS_RING_SIZE);
	writel(lower_32_bits(ring), regs + SOFTGPU_REGS_RING_BASE_LO);
	writel(upper_32_bits(ring), regs + SOFTGPU_REGS_RING_BASE_HI);
	writel(SOFTGPU_REGS_CONTROL_ENABLE, regs + SOFTGPU_REGS_ENGINE_CONTROL);
	if (readl(regs + SOFTGPU_REGS_ENGINE_STATUS) & SOFTGPU_REGS_STATUS_HALTED)
		return dev_err_probe(gpu->dev, -EIO, "the engine does not take the ring\n");
	return 0;
}

static void softgpu_emit(struct softgpu *gpu, u32 dword)
{
	__le32 *ring = softgpu_memory(gpu, PAGE_RING);

	ring[gpu->tail / sizeof(*ring)] = cpu_to_le32(dword);
	gpu->tail = (gpu->tail + sizeof(*ring)) % GPU_PAGE;
}

static void softgpu_emit64(struct softgpu *gpu, u64 value)
{
	softgpu_emit(gpu, lower_32_bits(value));
	softgpu_emit(gpu, upper_32_bits(value));
}

static void softgpu_emit_copy(struct softgpu *gpu, u64 from, u64 to)
{
	softgpu_emit(gpu, softgpu_packet_header(SOFTGPU_PACKET_COPY, 0, SOFTGPU_PACKET_LEN_COPY));
	softgpu_emit64(gpu, from);
	softgpu_emit64(gpu, to);
	softgpu_emit64(gpu, COPY_SIZE);
}

/* Writes a value to the fence and raises the interrupt, behind what was emitted. */
static void softgpu_emit_fence(struct softgpu *gpu, u64 value)
{
	softgpu_emit(gpu, softgpu_packet_header(SOFTGPU_PACKET_FENCE, SOFTGPU_PACKET_FENCE_IRQ,
						SOFTGPU_PACKET_LEN_FENCE));
	softgpu_emit64(gpu, softgpu_va(PAGE_FENCE));
	softgpu_emit64(gpu, value);
}

/* Copies to VRAM and back, and compares. */
static int softgpu_copy(struct softgpu *gpu)
{
	void *source = softgpu_memory(gpu, PAGE_SOURCE);
	const u64 value = 1;
	const __le64 *fence = softgpu_memory(gpu, PAGE_FENCE);
	void *seen;
	long left;
	int err;

	get_random_bytes(source, COPY_SIZE);
	softgpu_emit_copy(gpu, softgpu_va(PAGE_SOURCE), VRAM_VA);
	softgpu_emit_copy(gpu, VRAM_VA, softgpu_va(PAGE_BACK));
	softgpu_emit_fence(gpu, value);
	/* writel() comes after what was written to memory. */
	softgpu_write(gpu, SOFTGPU_REGS_DOORBELL + 4 * gpu->engine, gpu->tail);

	left = wait_for_completion_killable_timeout(&gpu->event,
						    msecs_to_jiffies(READ_ONCE(timeout_ms)));
	if (left < 0)
		return left;
	if (!left)
		return dev_err_probe(gpu->dev, -ETIMEDOUT, "no interrupt; head %u of %u\n",
				     readl(gpu->engine_regs + SOFTGPU_REGS_RING_HEAD), gpu->tail);
	if (READ_ONCE(gpu->faulted) || le64_to_cpu(READ_ONCE(*fence)) != value)
		return dev_err_probe(gpu->dev, -EIO, "the copy failed\n");
	/* What the engine wrote before the fence is read after it. */
	dma_rmb();

	seen = kvmalloc(COPY_SIZE, GFP_KERNEL);
	if (!seen)
		return -ENOMEM;
	memcpy_fromio(seen, gpu->vram, COPY_SIZE);
	err = memcmp(seen, source, COPY_SIZE) ||
	      memcmp(softgpu_memory(gpu, PAGE_BACK), source, COPY_SIZE);
	kvfree(seen);
	if (err)
		return dev_err_probe(gpu->dev, -EIO, "the copy differs\n");
	dev_info(gpu->dev, "copied %u KiB to VRAM and back\n", COPY_SIZE / SZ_1K);
	return 0;
}

static int softgpu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct softgpu *gpu;
	int err;

	gpu = devm_kzalloc(&pdev->dev, sizeof(*gpu), GFP_KERNEL);
	if (!gpu)
		return -ENOMEM;
	gpu->dev = &pdev->dev;
	init_completion(&gpu->event);

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	err = softgpu_identify(gpu, pdev);
	if (err)
		return err;
	/* The driver before this one may have left the device running. */
	softgpu_stop(gpu);

	err = dma_set_mask_and_coherent(gpu->dev, DMA_BIT_MASK(SOFTGPU_PCI_DMA_BITS));
	if (err)
		return err;
	gpu->memory = dmam_alloc_coherent(gpu->dev, PAGES * GPU_PAGE, &gpu->dma, GFP_KERNEL);
	if (!gpu->memory)
		return -ENOMEM;
	pci_set_master(pdev);

	err = softgpu_find_engine(gpu);
	if (err)
		return err;
	err = softgpu_request_irqs(gpu, pdev);
	if (err)
		return err;
	softgpu_map(gpu);
	err = softgpu_start_engine(gpu);
	if (err)
		return err;
	return softgpu_copy(gpu);
}

/* The only driver of a device would use PCI_DEVICE(), and MODULE_DEVICE_TABLE(). */
static const struct pci_device_id softgpu_ids[] = {
	{ PCI_DEVICE_DRIVER_OVERRIDE(SOFTGPU_PCI_VENDOR, SOFTGPU_PCI_DEVICE, true) },
	{ }
};

/* Unbinding undoes by itself what probe did: all of it is managed. */
static struct pci_driver softgpu_driver = {
	.name = KBUILD_MODNAME,
	.id_table = softgpu_ids,
	.probe = softgpu_probe,
};
module_pci_driver(softgpu_driver);

MODULE_DESCRIPTION("A copy by softgpu, as a first driver");
MODULE_LICENSE("GPL");
