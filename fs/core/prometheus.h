/*
 * prometheus: numbers in the text format that Prometheus reads, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats): a family is its two
 * comment lines and then all its samples.
 *
 * Labels come as they are to stand between the braces: "" or
 * `op="READ",errno="EIO"`; what may hold quotes, backslashes or newlines goes
 * through zkfs_prometheus_label().
 */
#ifndef ZKFS_CORE_PROMETHEUS_H
#define ZKFS_CORE_PROMETHEUS_H

#include <stdint.h>

#include "fs/base/text.h"
#include "include/zkfs/histogram.h"

/* type: "counter", "gauge" or "histogram". */
void zkfs_prometheus_family(struct zkfs_text *text, const char *name,
			    const char *type, const char *help);
void zkfs_prometheus_number(struct zkfs_text *text, const char *name,
			    const char *labels, uint64_t value);
void zkfs_prometheus_seconds(struct zkfs_text *text, const char *name,
			     const char *labels, int64_t us);
void zkfs_prometheus_histogram(struct zkfs_text *text, const char *name,
			       const char *labels,
			       const struct zkfs_histogram *histogram);
/* Adds name="value" to labels that are being put together. */
void zkfs_prometheus_label(struct zkfs_text *labels, const char *name,
			   const char *value);

#endif
