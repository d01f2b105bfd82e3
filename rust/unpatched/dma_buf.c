// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "unpatched.h"

bool rgt_dma_buf_is_attached(struct dma_buf *buf)
{
	dma_resv_assert_held(buf->resv);

	return !list_empty(&buf->attachments);
}

/* Whether all who are attached reach the memory of the exporter's own. */
bool rgt_dma_buf_is_peer_to_peer(struct dma_buf *buf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(buf->resv);

	list_for_each_entry(attach, &buf->attachments, node)
		if (!attach->peer2peer)
			return false;

	return true;
}

/*
 * As drm_prime_pages_to_sg(), in segments that the device takes which is to
 * access the pages.
 */
struct sg_table *rgt_pages_to_sgt(struct device *dev, struct page **pages,
				  unsigned int count)
{
	size_t max = min_t(size_t, dma_max_mapping_size(dev),
			   dma_get_max_seg_size(dev));
	struct sg_table *sgt;
	int ret;

	sgt = kmalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages_segment(sgt, pages, count, 0,
						(size_t)count << PAGE_SHIFT,
						min_t(size_t, max, UINT_MAX),
						GFP_KERNEL);
	if (ret) {
		kfree(sgt);
		return ERR_PTR(ret);
	}

	return sgt;
}

/* Whether a device can access the BARs of another, both of which are bound. */
bool rgt_p2pdma_reaches(struct device *provider, struct device *client)
{
	return dev_is_pci(provider) &&
	       pci_p2pdma_distance(to_pci_dev(provider), client, false) >= 0;
}

/*
 * The provider of a BAR of a device that is bound, or NULL if it was not
 * initialised to have any.
 */
struct p2pdma_provider *rgt_p2pdma_provider(struct device *dev, int bar)
{
#ifdef CONFIG_PCI_P2PDMA
	if (dev_is_pci(dev) && rcu_access_pointer(to_pci_dev(dev)->p2pdma))
		return pcim_p2pdma_provider(to_pci_dev(dev), bar);
#endif
	return NULL;
}

int rgt_p2pdma_init(struct device *dev)
{
	return dev_is_pci(dev) ? pcim_p2pdma_init(to_pci_dev(dev)) :
				 -EOPNOTSUPP;
}
