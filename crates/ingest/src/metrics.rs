//! What all protocols that bring metrics share: limits, label sets in canonical form, native
//! histograms, and the way of a request from its body to the [`MetricSink`](crate::MetricSink).

pub(crate) mod labels;
mod limits;
pub(crate) mod native;
pub(crate) mod receiver;
pub(crate) mod rejections;
pub(crate) mod stop;
#[cfg(test)]
pub(crate) mod testing;

pub use self::limits::MetricLimits;
pub use self::receiver::{MetricReceiver, MetricReceiverOptions};
