//! The page that is scraped, written one metric at a time.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;

/// Writes one metric at a time.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

type Labels<'l, const N: usize> = [(&'static str, &'l str); N];

impl Page<'_> {
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Info)?
            .encode_info(&labels)
    }

    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl Into<Figure>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        match value.into() {
            Figure::Real(value) => metric.encode_gauge(&value),
            Figure::Whole(value) => metric.encode_gauge(&value),
        }
    }

    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl Into<Figure>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        match value.into() {
            Figure::Real(value) => metric.encode_counter::<Labels<'_, 0>, _, f64>(&value, None),
            Figure::Whole(value) => metric.encode_counter::<Labels<'_, 0>, _, u64>(&value, None),
        }
    }

    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, n)| n).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<Labels<'_, 0>>(sum, count, buckets, None)
    }

    pub(super) fn gauges<S: EncodeLabelSet, V: Into<Figure>>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, V)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            let mut row = metric.encode_family(&labels)?;
            match value.into() {
                Figure::Real(value) => row.encode_gauge(&value)?,
                Figure::Whole(value) => row.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    pub(super) fn counters<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, u64)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            metric
                .encode_family(&labels)?
                .encode_counter::<Labels<'_, 0>, _, u64>(&value, None)?;
        }
        Ok(())
    }
}

/// A value of either kind.
pub(super) enum Figure {
    Real(f64),
    Whole(u64),
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<u64> for Figure {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

/// Most queues or agent states shown; a configuration with more needs another view than this.
pub(super) const MOST_ROWS: usize = 512;
